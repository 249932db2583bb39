"""Apportionment: one order's discount spread over its lines, to the cent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.errors import ConfigError
from commlife.orders.money import to_major, to_minor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["apportion", "apportion_minor", "refund_due"]


def apportion(amounts: Any, discount: float, *, currency_digits: int = 2) -> NDArray[np.float64]:
    """Spread a discount over the lines of an order in proportion to their amounts, by largest remainder.

    Every share is rounded down to the minor unit first; the units left over go to the lines with the largest
    remainders, and among equal ones to the larger amount, then to the earlier line.

    Args:
        amounts: The lines' amounts before the discount, in major units, at least 0.
        discount: The discount on the order, in major units, from 0 to the sum of the amounts.
        currency_digits: Digits of the currency.

    Returns:
        The lines' shares in major units: each from 0 to the line's amount, whole minor units, summing to the
        discount exactly.

    Raises:
        ConfigError: If an amount is negative, not finite or finer than the digits, the array is empty or not
            one-dimensional, or the discount is negative or above the sum.

    References:
        Hamilton's method; Balinski & Young (1982), Fair Representation.

    Examples:
        >>> apportion([10.0, 10.0, 10.0], 10.0).tolist()
        [3.34, 3.33, 3.33]
        >>> apportion([25.0, 0.0, 5.0], 5.0).tolist()
        [4.17, 0.0, 0.83]
    """
    minor, share = _shares(amounts, discount, currency_digits)
    del minor
    return to_major(share, digits=currency_digits)


def refund_due(amounts: Any, discount: float, returned: Any, *, currency_digits: int = 2) -> float:
    """Money to pay back when some lines of a discounted order are returned: their amounts less their shares.

    Whatever lines come back, in however many parcels, the refunds add up to what was paid for them.

    Args:
        amounts: The lines' amounts before the discount, in major units.
        discount: The discount on the order, in major units.
        returned: One boolean a line.
        currency_digits: Digits of the currency.

    Raises:
        ConfigError: As for :func:`apportion`, or if ``returned`` does not hold one boolean a line.

    Examples:
        >>> refund_due([10.0, 10.0, 10.0], 10.0, [True, False, False])
        6.66
    """
    minor, share = _shares(amounts, discount, currency_digits)
    back = np.asarray(returned)
    if back.dtype != bool or back.shape != minor.shape:
        raise ConfigError(
            f"returned must hold one boolean a line ({len(minor)} lines); seen {back.dtype} of shape {back.shape}."
        )
    return float(to_major((minor - share)[back].sum(), digits=currency_digits))


def _shares(amounts: Any, discount: float, digits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        given = np.asarray(amounts)
    except ValueError:
        raise ConfigError("amounts must be a one-dimensional array of numbers.") from None
    if given.ndim != 1 or len(given) == 0:
        raise ConfigError(f"amounts must hold one number a line, at least one line; seen shape {given.shape}.")
    minor = to_minor(given, digits=digits, name="amounts")
    if isinstance(discount, bool | np.bool_) or np.ndim(discount) != 0:
        raise ConfigError(f"discount must be one amount; seen {discount!r:.60}.")
    total = int(to_minor(np.array([discount]), digits=digits, name="discount")[0])
    if minor.min() < 0:
        raise ConfigError(f"amounts must be at least 0; seen {given[minor.argmin()]} at position {minor.argmin()}.")
    if not 0 <= total <= int(minor.sum()):
        raise ConfigError(f"discount must lie between 0 and the sum of the amounts, {given.sum()}; seen {discount}.")
    return minor, apportion_minor(minor, total)


def apportion_minor(minor: NDArray[np.int64], discount: int) -> NDArray[np.int64]:
    """The same in whole minor units, without checks: 0 <= discount <= sum of the amounts."""
    whole = int(minor.sum())
    if discount == 0:
        return np.zeros_like(minor)
    # discount * amount may exceed 64 bits. The quotient is estimated in floating point; the remainder, which is small,
    # comes out exactly in arithmetic modulo 2^64 and mends the estimate.
    share = np.floor(minor * (discount / whole)).astype(np.int64)
    product = minor.astype(np.uint64) * np.uint64(discount)
    remainder = (product - share.astype(np.uint64) * np.uint64(whole)).astype(np.int64)
    mend = remainder // whole
    share += mend
    remainder -= mend * whole
    left = discount - int(share.sum())
    order = np.lexsort((-minor, -remainder))
    share[order[:left]] += 1
    return share
