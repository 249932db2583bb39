"""Coupons: to whom, how much, within which budget."""

from commlife.coupons.allocation import Allocation, allocate

__all__ = ["Allocation", "allocate"]
