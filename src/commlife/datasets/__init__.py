"""Datasets: a synthetic community with known truth, and loaders for real open data."""

from __future__ import annotations

from commlife.datasets.community import Community, Drop, Truth, make_community
from commlife.datasets.world import World

__all__ = [
    "Community",
    "Drop",
    "Truth",
    "World",
    "make_community",
]
