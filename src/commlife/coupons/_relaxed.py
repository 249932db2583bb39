"""The relaxed problem: users may be split, so one sort solves it and its prices certify every whole plan.

Without caps the optimum takes segments in falling slope until the money is gone. With caps each group's own segments
are cut at its cap first; what is left is the same problem, since a group's best value is a concave function of the
money it may spend. Prices of the budget and of the caps follow from the first segments that were cut, and the dual
bound is computed from them and the raw input alone, whatever the hull said.

References:
    Sinha & Zoltners (1979), The multiple-choice knapsack problem, Operations Research 27.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.coupons._segments import exact_slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats, Problem, Segments

__all__ = ["Caps", "Relaxed", "dual_bound", "solve_relaxed"]


#: Segments cut at their caps at a time.
CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps on groups of users.

    Attributes:
        group: Index of each user's group, in a narrow type where it fits (its sort is faster).
        cap: Most money of each group, infinite where there is no cap.
    """

    group: NDArray[np.integer[Any]]
    cap: Floats


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Optimum of the relaxed problem.

    Attributes:
        order: Segments in falling slope.
        whole: For each place in ``order``: is the segment taken whole?
        price: Value of one more unit of budget.
        cap_price: Value of one more unit of each group's cap.
    """

    order: NDArray[np.int32]
    whole: NDArray[np.bool_]
    price: float
    cap_price: Floats


def solve_relaxed(
    problem: Problem, segments: Segments, order: NDArray[np.int32], budget: float, caps: Caps | None, tolerance: float
) -> Relaxed:
    """Take segments in falling slope, within the caps and the budget."""
    if caps is None:
        spend, whole, stop = segments.spend[order], np.ones(len(order), dtype=bool), np.empty(0)
    else:
        spend, whole, stop = _cut_at_caps(problem, segments, order, caps, tolerance)
    spent = np.cumsum(spend, out=spend)
    edge = int(np.searchsorted(spent, budget + tolerance, side="right"))
    whole[edge:] = False
    price = float(exact_slopes(problem, segments, order[edge : edge + 1]).sum())
    cap_price = np.maximum(stop - price, 0.0)
    return Relaxed(order, whole, price, cap_price)


def _cut_at_caps(
    problem: Problem, segments: Segments, order: NDArray[np.int32], caps: Caps, tolerance: float
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """What each segment may still spend, which remain whole, and the slope at which each group was stopped."""
    spend = segments.spend[order]
    whole = np.ones(len(order), dtype=bool)
    group = caps.group[segments.user[order]]
    sizes = np.bincount(group, minlength=len(caps.cap))
    by_group = np.argsort(group, kind="stable").astype(np.int32)
    del group
    ends = np.cumsum(sizes)
    first_cut = np.full(len(caps.cap), -1, dtype=np.int64)
    # Whole groups at a time, so that the arrays in between stay small.
    begin = 0
    while begin < len(sizes):
        last = max(int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + CHUNK, side="right")), begin + 1)
        places = by_group[ends[begin] - sizes[begin] : ends[last - 1]]
        own, count = spend[places], sizes[begin:last]
        after = np.cumsum(own)
        starts = np.cumsum(count) - count
        after -= np.repeat(np.where(starts > 0, after[starts - 1], 0.0), count)
        room = np.repeat(caps.cap[begin:last], count)
        room -= after
        # A free segment after a full cap still fits: its group spends no more.
        fits = (room >= -tolerance) | (own == 0)
        spend[places] = np.where(fits, own, np.clip(own + room, 0.0, own))
        whole[places] = fits
        cut = np.flatnonzero(~fits)[::-1]
        of = np.repeat(np.arange(begin, last), count)[cut]
        first_cut[of] = order[places[cut]]
        begin = last
    stop = np.zeros(len(caps.cap))
    stopped = np.flatnonzero(first_cut >= 0)
    stop[stopped] = exact_slopes(problem, segments, first_cut[stopped])
    return spend, whole, stop


def dual_bound(problem: Problem, budget: float, price: float, caps: Caps | None, cap_price: Floats) -> float:
    """The most that any plan can be worth: by weak duality, for any prices that are not negative."""
    bound = price * budget
    if caps is not None:
        priced = cap_price > 0
        bound += float(cap_price[priced] @ caps.cap[priced])
    for first, value, cost in problem.blocks():
        due: float | Floats = price
        if caps is not None:
            due = price + cap_price[caps.group[first : first + value.shape[1]]]
        surplus = np.zeros(value.shape[1])
        for worth, charge in zip(value, cost, strict=True):
            np.maximum(surplus, worth - due * charge, out=surplus)
        bound += float(surplus.sum())
    return bound
