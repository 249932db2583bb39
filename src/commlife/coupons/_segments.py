"""Segments: each user's way up from no coupon to the best one, in steps of falling value per unit of money.

A user's options are points (cost, value). Only the corners of their upper hull can be part of an optimal split of a
budget, and the step from one corner to the next is a *segment*. All users are walked at once, a block of rows at a
time, so that the work stays inside the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Floats", "Problem", "Segments", "hull_segments"]

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
    """

    value: NDArray[Any]
    cost: NDArray[Any]
    eligible: NDArray[np.bool_] | None

    @property
    def users(self) -> int:
        """Number of users."""
        return int(self.value.shape[0])

    def blocks(self) -> Iterator[tuple[int, Floats, Floats]]:
        """First row, values and costs (coupons x rows, float64) of one block after another.

        An ineligible coupon is worth -1: less than none, so that nobody gets it.
        """
        for first in range(0, self.users, BLOCK):
            rows = slice(first, first + BLOCK)
            value, cost = self.columns(rows)
            yield first, value, cost

    def columns(self, rows: slice | NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Values and costs of some users, coupons x rows, float64."""
        value = np.ascontiguousarray(self.value[rows].T, dtype=np.float64)
        cost = np.ascontiguousarray(self.cost[rows].T, dtype=np.float64)
        if self.eligible is not None:
            value = np.where(self.eligible[rows].T, value, -1.0)
        return value, cost

    def of(self, choice: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Value and cost of each user's choice (-1: nothing)."""
        given = np.flatnonzero(choice >= 0)
        value, cost = np.zeros(self.users), np.zeros(self.users)
        value[given] = self.value[given, choice[given]]
        cost[given] = self.cost[given, choice[given]]
        return value, cost


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
    slope: Floats


def hull_segments(problem: Problem) -> Segments:
    """The segments of all users."""
    parts: list[list[NDArray[Any]]] = [[], [], [], []]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for first, value, cost in problem.blocks():
            for step in _walk(first, value, cost):
                for column, array in zip(parts, step, strict=True):
                    column.append(array)
    return Segments(*(_joined(parts.pop(0), kind) for kind in (np.int32, np.int16, np.float64, np.float64)))


def _joined(arrays: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)


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
