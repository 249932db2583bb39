"""Thresholds: a fraction of the baskets as an exact whole number."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from commlife.errors import ConfigError

__all__ = ["exact_fraction", "least_count", "whole_number"]


def exact_fraction(value: Any, name: str, *, zero: bool = False) -> Fraction:
    """The number that was written: 0.07 is 7/100, not the binary float next to it.

    Raises:
        ConfigError: If ``value`` is no number in (0, 1], or [0, 1] with ``zero``.
    """
    fraction: Fraction | None = None
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | Decimal):
        fraction = None
    elif isinstance(value, numbers.Rational):
        fraction = Fraction(int(value.numerator), int(value.denominator))
    elif isinstance(value, Decimal):
        fraction = Fraction(value) if value.is_finite() else None
    elif math.isfinite(float(value)):
        text = str(value) if isinstance(value, np.floating) else float.__repr__(float(value))
        fraction = Fraction(text)
    if fraction is None or not (0 <= fraction <= 1 if zero else 0 < fraction <= 1):
        interval = "[0, 1]" if zero else "(0, 1]"
        raise ConfigError(f"{name} is a fraction in {interval}; seen {value!r:.40} of type {type(value).__name__}.")
    return fraction


def whole_number(value: Any, name: str, *, least: int = 1, most: int | None = None) -> int:
    """A whole number of at least ``least``; booleans and floats are none.

    Raises:
        ConfigError: If ``value`` is anything else.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise ConfigError(f"{name} is a whole number; seen {value!r:.40} of type {type(value).__name__}.")
    number = int(value)
    if number < least or (most is not None and number > most):
        rule = f"at least {least}" if most is None else f"from {least} to {most:,}"
        raise ConfigError(f"{name} is a whole number {rule}; seen {number:,}.")
    return number


def least_count(min_support: Any, min_count: Any, n_baskets: int) -> int:
    """The least number of baskets of a frequent itemset: ``min_count``, or ``ceil(min_support * n_baskets)``.

    The product is exact: 0.07 of 100 baskets are 7, where floats give 7.000000000000001 and so 8.

    Raises:
        ConfigError: If not exactly one of the two is given, or it is out of its range.
    """
    if (min_support is None) == (min_count is None):
        seen = "neither" if min_support is None else f"min_support={min_support!r:.20} and min_count={min_count!r:.20}"
        raise ConfigError(
            f"give either min_support (a fraction in (0, 1]) or min_count (a number of baskets); seen {seen}."
        )
    if min_count is not None:
        return whole_number(min_count, "min_count")
    return max(1, math.ceil(exact_fraction(min_support, "min_support") * n_baskets))
