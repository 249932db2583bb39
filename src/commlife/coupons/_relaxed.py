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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats, Problem, Segments

__all__ = ["Caps", "Relaxed", "dual_bound", "solve_relaxed"]


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


def solve_relaxed(segments: Segments, budget: float, caps: Caps | None, tolerance: float) -> Relaxed:
    """Take segments in falling slope, within the caps and the budget."""
    order = np.argsort(-segments.slope, kind="stable").astype(np.int32)
    spend = segments.spend[order]
    whole = np.ones(len(order), dtype=bool)
    stop = np.empty(0)
    if caps is not None:
        spend, whole, stop = _cut_at_caps(
            segments.slope[order], spend, caps.group[segments.user[order]], caps.cap, tolerance
        )
    spent = np.cumsum(spend, out=spend)
    edge = int(np.searchsorted(spent, budget + tolerance, side="right"))
    whole[edge:] = False
    price = float(segments.slope[order[edge]]) if edge < len(order) else 0.0
    cap_price = np.maximum(stop - price, 0.0)
    return Relaxed(order, whole, price, cap_price)


def _cut_at_caps(
    slope: Floats, spend: Floats, group: NDArray[np.integer[Any]], cap: Floats, tolerance: float
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """What each segment may still spend, which remain whole, and the slope at which each group was stopped."""
    by_group = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=len(cap))
    before = np.cumsum(spend[by_group])
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    offset = np.where(starts > 0, before[starts - 1], 0.0)
    after = before - np.repeat(offset, sizes)
    room = np.repeat(cap, sizes) - after
    fits = room >= -tolerance
    own = spend[by_group]
    allowed = np.where(fits, own, np.clip(own + room, 0.0, own))
    # A free segment after a full cap still fits: its group spends no more.
    fits |= own == 0
    stop = np.zeros(len(cap))
    cut = np.flatnonzero(~fits)[::-1]
    stop[group[by_group[cut]]] = slope[by_group[cut]]
    result, whole = np.empty_like(spend), np.empty(len(spend), dtype=bool)
    result[by_group], whole[by_group] = allowed, fits
    return result, whole, stop


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
