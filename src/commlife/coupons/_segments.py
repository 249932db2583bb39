"""Segments: each user's way up from no coupon to the best one, in steps of falling value per unit of money.

A user's options are points (cost, value). Only the corners of their upper hull can be part of an optimal split of a
budget, and the step from one corner to the next is a *segment*. All users are walked at once, a block of rows at a
time, so that the work stays inside the cache.

Memory: 18 bytes a segment. Slopes are kept in 32 bits, enough to sort by; what prices are made of is computed again in
64 bits for the one segment that sets them, so that bounds do not suffer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Floats", "Problem", "Segments", "exact_slopes", "falling", "hull_segments"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Rows walked at a time: a few arrays of this many float64 lie in the cache.
BLOCK = 16_384

#: Slopes are kept finite, whatever the smallest cost.
STEEPEST = 1e300


@dataclass(frozen=True, slots=True)
class Problem:
    """Checked input: what each coupon is worth and costs for each user.

    Attributes:
        value: (users, coupons) numbers, as they were given.
        cost: The same for costs, not negative.
        eligible: (users, coupons) booleans, or None where all are.
        min_roi: A coupon whose value is below so many times its cost is not eligible.
        toll: For each coupon what its channel's place is worth, taken off its value; None: nothing.
    """

    value: NDArray[Any]
    cost: NDArray[Any]
    eligible: NDArray[np.bool_] | None
    min_roi: float = 0.0
    toll: Floats | None = None

    @property
    def users(self) -> int:
        """Number of users."""
        return int(self.value.shape[0])

    @property
    def coupons(self) -> int:
        """Number of coupons."""
        return int(self.value.shape[1])

    def blocks(self) -> Iterator[tuple[int, Floats, Floats]]:
        """First row, values and costs (coupons x rows, float64) of one block after another.

        An ineligible coupon is worth -1: less than none, so that nobody gets it.
        """
        for first in range(0, self.users, BLOCK):
            value, cost = self.columns(slice(first, first + BLOCK))
            yield first, value, cost

    def columns(self, rows: slice | NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Values (less tolls) and costs of some users, coupons x rows, float64."""
        value = np.ascontiguousarray(self.value[rows].T, dtype=np.float64)
        cost = np.ascontiguousarray(self.cost[rows].T, dtype=np.float64)
        open_ = None if self.eligible is None else self.eligible[rows].T
        if self.min_roi > 0:
            worthy = value >= self.min_roi * cost
            open_ = worthy if open_ is None else open_ & worthy
        if self.toll is not None:
            value = value - self.toll[:, None]
        if open_ is not None:
            value = np.where(open_, value, -1.0)
        return value, cost

    def chosen(self, choice: NDArray[np.integer[Any]]) -> Iterator[tuple[NDArray[np.intp], Floats, Floats]]:
        """Users with a coupon, what it is worth (before tolls) and what it costs, one block after another."""
        for first in range(0, self.users, BLOCK):
            part = choice[first : first + BLOCK]
            given = np.flatnonzero(part >= 0)
            option, row = part[given], given + first
            yield row, self.value[row, option].astype(np.float64), self.cost[row, option].astype(np.float64)

    def totals(self, choice: NDArray[np.integer[Any]]) -> tuple[float, float]:
        """Value (before tolls) and cost of a plan."""
        sums = [(float(value.sum()), float(cost.sum())) for _, value, cost in self.chosen(choice)]
        return math.fsum(value for value, _ in sums), math.fsum(cost for _, cost in sums)

    def spent_by(self, choice: NDArray[np.integer[Any]], group: NDArray[np.integer[Any]], groups: int) -> Floats:
        """Cost of a plan in each group."""
        spent = np.zeros(groups)
        for row, _, cost in self.chosen(choice):
            spent += np.bincount(group[row], cost, groups)
        return spent


@dataclass(frozen=True, slots=True)
class Segments:
    """All users' segments, each user's own in falling slope.

    Attributes:
        user: Row of the user.
        option: The coupon at the segment's end.
        spend: What the segment adds to the cost (0 for coupons that cost nothing).
        slope: What it adds to the value, over spend; infinite where that is 0. Never rising along a user's segments.
    """

    user: NDArray[np.int32]
    option: NDArray[np.int16]
    spend: Floats
    slope: NDArray[np.float32]


def hull_segments(problem: Problem) -> Segments:
    """The segments of all users."""
    # A user has at most as many segments as coupons; pages that are never written take no memory.
    room = problem.users * problem.coupons
    columns: tuple[NDArray[Any], ...] = (
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int16),
        np.empty(room, dtype=np.float64),
        np.empty(room, dtype=np.float32),
    )
    end = 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for first, value, cost in problem.blocks():
            for step in _walk(first, value, cost):
                begin, end = end, end + len(step[0])
                for column, array in zip(columns, step, strict=True):
                    column[begin:end] = array
    user, option, spend, slope = (column[:end] for column in columns)
    return Segments(user, option, spend, slope)


def falling(segments: Segments) -> NDArray[np.int32]:
    """Places of the segments in falling slope; equal ones as they stand, so that each user's own stay in order.

    The bits of a number that is not negative, read as an integer, rise with it: slope and place together make one key,
    and sorting keys in place needs no second array.
    """
    key = np.invert(segments.slope.view(np.uint32)).astype(np.uint64)
    key <<= np.uint64(32)
    for first in range(0, len(key), BLOCK):
        key[first : first + BLOCK] |= np.arange(first, min(first + BLOCK, len(key)), dtype=np.uint64)
    key.sort()
    order = np.empty(len(key), dtype=np.int32)
    for first in range(0, len(key), BLOCK):
        order[first : first + BLOCK] = key[first : first + BLOCK] & np.uint64(0xFFFFFFFF)
    return order


def exact_slopes(problem: Problem, segments: Segments, places: NDArray[np.integer[Any]]) -> Floats:
    """The slopes of some segments in 64 bits: their users are walked once more."""
    result = np.zeros(len(places))
    wanted = segments.option[places]
    value, cost = problem.columns(segments.user[places].astype(np.intp))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for lane, option, _, slope in _walk(0, value, cost):
            here = option == wanted[lane]
            result[lane[here]] = slope[here]
    return result


def _walk(first: int, value: Floats, cost: Floats) -> Iterator[tuple[NDArray[Any], ...]]:
    """Segments of one block: first the free coupons, then always the steepest next corner."""
    rows = np.arange(first, first + value.shape[1], dtype=np.int32)
    at_value, at_cost = np.zeros(len(rows)), np.zeros(len(rows))
    last = np.full(len(rows), STEEPEST)
    free = np.where(cost == 0, value, -1.0)
    option = free.argmax(axis=0)
    best = free[option, np.arange(len(rows))]
    lucky = np.flatnonzero(best > 0)
    if len(lucky):
        at_value[lucky] = best[lucky]
        yield rows[lucky], option[lucky].astype(np.int16), np.zeros(len(lucky)), np.full(len(lucky), np.inf)
    while True:
        slope = np.full(len(rows), -1.0)
        option = np.zeros(len(rows), dtype=np.int16)
        for index in range(len(value)):
            rise, run = value[index] - at_value, cost[index] - at_cost
            steeper = (rise > 0) & (run > 0)
            np.divide(rise, run, out=run)
            steeper &= run > slope
            np.copyto(slope, run, where=steeper)
            option[steeper] = index
        going = np.flatnonzero(slope > 0)
        if len(going) == 0:
            return
        rows, option, slope = rows[going], option[going], slope[going]
        value, cost = value[:, going], cost[:, going]
        lane = np.arange(len(rows))
        new_value, new_cost = value[option, lane], cost[option, lane]
        # Rounding must not let a later segment look steeper than the one before it.
        last = np.minimum(slope, last[going])
        yield rows, option, new_cost - at_cost[going], last
        at_value, at_cost = new_value, new_cost
