"""Apportionment: one order's discount spread over its lines, to the cent."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.effects._inputs import array_of
from commlife.errors import ConfigError
from commlife.orders.money import to_major, to_minor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["apportion", "apportion_minor", "apportion_weighted", "refund_due"]


def apportion(amounts: Any, discount: float, *, weights: Any = None, currency_digits: int = 2) -> NDArray[np.float64]:
    """Spread a discount over the lines of an order in proportion to their amounts, by largest remainder.

    Every share is rounded down to the minor unit first; the units left over go to the lines with the largest
    remainders, and among equal ones to the larger amount, then to the earlier line.

    Args:
        amounts: The lines' amounts before the discount, in major units, at least 0.
        discount: The discount on the order, in major units, from 0 to the sum of the amounts.
        weights: In proportion to these instead, one number of at least 0 a line (0 where the discount is not for it);
            what a line cannot bear goes to the others.
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
        >>> apportion([10.0, 10.0, 1.0], 6.0, weights=[1, 0, 1]).tolist()
        [5.0, 0.0, 1.0]
    """
    _, share = _shares(amounts, discount, currency_digits, weights)
    return to_major(share, digits=currency_digits)


def refund_due(
    amounts: Any,
    discount: float,
    returned: Any = None,
    *,
    returned_amounts: Any = None,
    already: Any = None,
    weights: Any = None,
    currency_digits: int = 2,
) -> float:
    """Money to pay back when part of a discounted order is returned: what comes back less its share of the discount.

    Whatever comes back, in however many parcels, the refunds add up to what was paid for it.

    Args:
        amounts: The lines' amounts before the discount, in major units.
        discount: The discount on the order, in major units.
        returned: One boolean a line; give either this or ``returned_amounts``.
        returned_amounts: One amount a line, for lines of which only some units come back: their amount before the
            discount, from 0 to the line's.
        already: Amounts a line that came back earlier, so that several parcels of one line add up to the cent.
        weights: As for :func:`apportion`: the same as when the order was priced.
        currency_digits: Digits of the currency.

    Raises:
        ConfigError: As for :func:`apportion`, or if not just one of the two is given, with one entry a line, or more
            comes back than was bought.

    Examples:
        >>> refund_due([10.0, 10.0, 10.0], 10.0, [True, False, False])
        6.66
        >>> first = refund_due([10.0], 1.0, returned_amounts=[3.0])
        >>> first, refund_due([10.0], 1.0, returned_amounts=[7.0], already=[3.0])
        (2.7, 6.3)
    """
    minor, share = _shares(amounts, discount, currency_digits, weights)
    if (returned is None) == (returned_amounts is None):
        raise ConfigError("give returned (one boolean a line) or returned_amounts (one amount a line), not both.")
    if returned is not None:
        back = array_of(returned, "returned")
        if back.dtype != bool or back.shape != minor.shape:
            raise ConfigError(
                f"returned holds one boolean a line ({len(minor)} lines); seen {back.dtype} of shape {back.shape}."
            )
        now = np.where(back, minor, 0)
    else:
        now = to_minor(array_of(returned_amounts, "returned_amounts"), digits=currency_digits, name="returned_amounts")
        if now.shape != minor.shape:
            raise ConfigError(f"returned_amounts holds one amount a line ({len(minor)} lines); seen {now.shape}.")
    before = np.zeros_like(minor)
    if already is not None:
        before = to_minor(array_of(already, "already"), digits=currency_digits, name="already")
        if before.shape != minor.shape:
            raise ConfigError(f"already holds one amount a line ({len(minor)} lines); seen shape {before.shape}.")
    if min(int(now.min()), int(before.min())) < 0 or (now + before > minor).any():
        raise ConfigError(
            "what comes back lies between 0 and what was bought, line by line and with what already did."
            " Check already=."
        )
    due = _due(minor, share, before + now) - _due(minor, share, before)
    return float(to_major(due.sum(), digits=currency_digits))


def _due(minor: NDArray[np.int64], share: NDArray[np.int64], back: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is to be paid for the first ``back`` minor units of each line in all: they bear their part, rounded down."""
    borne = [int(s) * int(b) // int(m) if m else 0 for m, s, b in zip(minor, share, back, strict=True)]
    return back - np.array(borne, dtype=np.int64)


def _shares(amounts: Any, discount: float, digits: int, weights: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    given = array_of(amounts, "amounts")
    if given.ndim != 1 or len(given) == 0:
        raise ConfigError(f"amounts hold one number a line, at least one line; seen shape {given.shape}.")
    minor = to_minor(given, digits=digits, name="amounts")
    if isinstance(discount, bool | np.bool_) or array_of(discount, "discount").ndim != 0:
        raise ConfigError(f"discount is one amount; seen {discount!r:.60}.")
    total = int(to_minor(np.array([discount]), digits=digits, name="discount")[0])
    if minor.min() < 0:
        raise ConfigError(f"amounts are at least 0; seen {given[minor.argmin()]} at position {minor.argmin()}.")
    if not 0 <= total <= int(minor.sum()):
        raise ConfigError(f"discount lies between 0 and the sum of the amounts, {given.sum()}; seen {discount}.")
    if weights is None:
        return minor, apportion_minor(minor, total)
    weight = array_of(weights, "weights")
    if weight.shape != minor.shape or weight.dtype.kind not in "biuf":
        raise ConfigError(f"weights hold one number a line ({len(minor)} lines); seen shape {weight.shape}.")
    if not (np.isfinite(weight).all() and weight.min() >= 0):
        raise ConfigError("weights are finite and at least 0; some are not. Set the others to 0.")
    room = int(minor[weight > 0].sum())
    if total > room:
        most = to_major(np.array([room]), digits=digits)[0]
        raise ConfigError(
            f"the lines with a weight bear at most {most}, less than the discount, {discount}."
            " Lower the discount, or give more lines a weight."
        )
    return minor, apportion_weighted(minor, total, [Fraction(part.item()) for part in weight])


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


def apportion_weighted(room: NDArray[np.int64], discount: int, weights: list[Fraction]) -> NDArray[np.int64]:
    """Whole minor units in proportion to weights, none above its room: what is too much goes to the others.

    Exact in whole numbers of any size; ``discount`` is at most the room of the lines with a weight.
    """
    rooms = [int(part) for part in room]
    share = [0] * len(rooms)
    open_ = [i for i, weight in enumerate(weights) if weight > 0 and rooms[i] > 0]
    left = discount
    while open_ and left:
        whole = sum((weights[i] for i in open_), Fraction(0))
        quota = {i: left * weights[i] / whole for i in open_}
        full = [i for i in open_ if quota[i] >= rooms[i]]
        for i in full:
            share[i] = rooms[i]
            left -= rooms[i]
        open_ = [i for i in open_ if quota[i] < rooms[i]]
        if full:
            continue
        down = {i: math.floor(quota[i]) for i in open_}
        over = left - sum(down.values())
        for place, i in enumerate(sorted(open_, key=lambda i: (down[i] - quota[i], -rooms[i], i))):
            share[i] = down[i] + (place < over)
        break
    return np.array(share, dtype=np.int64)
