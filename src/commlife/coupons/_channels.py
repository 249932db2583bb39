"""Channels that carry only so many coupons: their places get prices, as money has one.

With prices for the budget and for each channel's places every user's best coupon is known, and the sum is an upper
bound on every plan. The best prices are found by cutting planes (the bound is convex and piecewise linear in them);
then the channels' prices are taken off the values, the budget is solved as ever, and what a channel carries too much
or too little is moved, the least loss first.

References:
    Kelley (1960), The cutting-plane method for solving convex programs, J. SIAM 8.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._relaxed import Caps
    from commlife.coupons._segments import Floats, Problem

__all__ = ["channel_prices", "fit_channels", "with_tolls"]

#: Cutting planes at most, and the relative distance at which the search ends.
PLANES, CLOSE = 120, 1e-9


def with_tolls(problem: Problem, code: NDArray[np.intp], prices: Floats) -> Problem:
    """The problem with each coupon's value less the price of a place in its channel."""
    return replace(problem, toll=np.where(code >= 0, np.append(prices, 0.0)[code], 0.0))


def channel_prices(problem: Problem, budget: float, code: NDArray[np.intp], most: NDArray[np.int64]) -> Floats:
    """Prices of the channels' places that make the bound small.

    Args:
        problem: The input.
        budget: Most money.
        code: Each coupon's channel, -1 for one without a capacity.
        most: Most coupons of each channel.
    """
    from scipy.optimize import linprog

    limits = np.concatenate([[budget], most.astype(np.float64)])
    highest = _highest(problem, len(most), code)
    planes: list[Floats] = []
    heights: list[float] = []
    best_point, best = np.zeros(len(limits)), np.inf
    point = np.zeros(len(limits))
    for _ in range(PLANES):
        bound, used = _priced(problem, code, point)
        bound += float(point @ limits)
        if bound < best:
            best, best_point = bound, point
        slope = limits - used
        planes.append(np.append(slope, -1.0))
        heights.append(float(slope @ point) - bound)
        found = linprog(
            np.append(np.zeros(len(limits)), 1.0),
            A_ub=np.array(planes),
            b_ub=np.array(heights),
            bounds=[*((0.0, high) for high in highest), (None, None)],
            method="highs",
        )
        if found.x is None or best - float(found.x[-1]) <= CLOSE * max(best, 1e-300):
            break
        # A step of its whole length swings from corner to corner; two thirds of it settles sooner.
        aim = np.asarray(found.x[:-1])
        point = aim if len(planes) % 4 == 0 else best_point + (aim - best_point) * 0.5
    return np.asarray(best_point[1:])


def _highest(problem: Problem, channels: int, code: NDArray[np.intp]) -> Floats:
    """Prices above which nothing is worth buying."""
    highest = np.zeros(1 + channels)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _, value, cost in problem.blocks():
            slope = np.where((value > 0) & (cost > 0), value / cost, 0.0)
            highest[0] = max(highest[0], float(slope.max()))
            for channel in range(channels):
                own = value[code == channel]
                highest[1 + channel] = max(highest[1 + channel], float(own.max(initial=0.0)))
    return np.minimum(highest, 1e15)


def _priced(problem: Problem, code: NDArray[np.intp], point: Floats) -> tuple[float, Floats]:
    """Everybody's best surplus at these prices summed, and what it uses of money and of each channel."""
    total, used = 0.0, np.zeros(len(point))
    toll = np.where(code >= 0, np.append(point[1:], 0.0)[code], 0.0)
    for _, value, cost in problem.blocks():
        surplus = value - toll[:, None] - point[0] * cost
        pick = surplus.argmax(axis=0)
        lane = np.arange(len(pick))
        goes = surplus[pick, lane] > 0
        total += float(surplus[pick, lane][goes].sum())
        used[0] += float(cost[pick, lane][goes].sum())
        places = code[pick[goes]]
        used[1:] += np.bincount(places[places >= 0], minlength=len(point) - 1)
    return total, used


def fit_channels(
    problem: Problem,
    choice: NDArray[np.int16],
    budget: float,
    price: float,
    code: NDArray[np.intp],
    most: NDArray[np.int64],
    prices: Floats,
    caps: Caps | None,
) -> None:
    """Move choices until every channel holds, then fill what is left of channels and money; changes ``choice``."""
    group = np.zeros(problem.users, dtype=np.intp) if caps is None else caps.group
    cap = np.array([np.inf]) if caps is None else caps.cap
    for _ in range(len(most) + 1):
        if not _thin_out(problem, choice, price, code, most, prices):
            break
    _fill(problem, choice, budget, price, code, most, prices, group, cap)


def _counts(choice: NDArray[np.int16], code: NDArray[np.intp], channels: int) -> NDArray[np.int64]:
    places = np.append(code, -1)[choice]
    return np.bincount(places[places >= 0], minlength=channels)


def _thin_out(
    problem: Problem,
    choice: NDArray[np.int16],
    price: float,
    code: NDArray[np.intp],
    most: NDArray[np.int64],
    prices: Floats,
) -> bool:
    """Take from the overfull channels those who lose least by a coupon of another one, or none. Was there any?"""
    over = _counts(choice, code, len(most)) - most
    if (over <= 0).all():
        return False
    full = np.append(over >= 0, False)
    for channel in np.flatnonzero(over > 0):
        users = np.flatnonzero(np.append(code, -1)[choice] == channel)
        value, cost = problem.columns(users)
        surplus = value - np.where(code >= 0, np.append(prices, 0.0)[code], 0.0)[:, None] - price * cost
        surplus[value <= 0] = -np.inf
        lane = np.arange(len(users))
        now = choice[users].astype(np.intp)
        # Only what costs no more: the budget must go on to hold.
        other = np.where(full[code][:, None] | (cost > cost[now, lane]), -np.inf, surplus)
        pick = other.argmax(axis=0)
        gain = np.maximum(other[pick, lane], 0.0)
        pick = np.where(other[pick, lane] > 0, pick, -1)
        moved = np.argsort(surplus[now, lane] - gain, kind="stable")[: over[channel]]
        choice[users[moved]] = pick[moved]
    return True


def _fill(
    problem: Problem,
    choice: NDArray[np.int16],
    budget: float,
    price: float,
    code: NDArray[np.intp],
    most: NDArray[np.int64],
    prices: Floats,
    group: NDArray[np.integer[Any]],
    cap: Floats,
) -> None:
    """Use what is left: the best changes by reduced value, one a user, the largest first, as far as they fit."""
    toll = np.where(code >= 0, np.append(prices, 0.0)[code], 0.0)
    # The limits are what is short: a change is worth its value at the prices of what it takes.
    for _ in range(20):
        left = budget * (1 + 1e-12) - problem.totals(choice)[1]
        group_left = cap * (1 + 1e-12) - problem.spent_by(choice, group, len(cap))
        free = np.append(most - _counts(choice, code, len(most)), problem.users)
        found: list[NDArray[Any]] = []
        for first, value, cost in problem.blocks():
            lane = np.arange(value.shape[1])
            now = choice[first : first + len(lane)].astype(np.intp)
            held = now >= 0
            own_value = np.where(held, value[now, lane], 0.0)
            own_cost = np.where(held, cost[now, lane], 0.0)
            own_place = np.append(code, -1)[now]
            rise, run = value - own_value, cost - own_cost
            room = np.minimum(left, group_left[group[first : first + len(lane)]])
            fits = (value > 0) & (rise > 0) & (run <= room)
            fits &= (free[code] > 0)[:, None] | (code[:, None] == own_place)
            own_toll = np.append(prices, 0.0)[own_place] * held
            net = np.where(fits, rise - price * run - (toll[:, None] - own_toll), -np.inf)
            pick = net.argmax(axis=0)
            good = np.flatnonzero(np.isfinite(net[pick, lane]))
            found.append(np.stack([good + first, pick[good], net[pick[good], good], run[pick[good], good]]))
        users, picks, net, run = np.concatenate(found, axis=1)
        if len(users) == 0:
            return
        order = np.argsort(-net, kind="stable")
        users, picks, run = users[order].astype(np.intp), picks[order].astype(np.intp), run[order]
        places = code[picks]
        fits = np.cumsum(np.maximum(run, 0.0)) <= left
        for channel in range(len(most)):
            inside = places == channel
            fits &= ~inside | (np.cumsum(inside) <= free[channel])
        by_group = np.argsort(group[users], kind="stable")
        spent = np.cumsum(np.maximum(run[by_group], 0.0))
        labels = group[users][by_group]
        begins = np.searchsorted(labels, labels, side="left")
        spent -= np.where(begins > 0, spent[begins - 1], 0.0)
        fits[by_group] &= spent <= group_left[labels]
        fits[0] = True
        choice[users[fits]] = picks[fits]
