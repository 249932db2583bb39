"""From the relaxed plan to a whole one: the money that a split user would have taken is put to use.

Two steps. *Refill* walks on down the sorted segments and takes what still fits. *Exchange* opens the few users whose
choice is least decided and solves for them exactly: the states (cost, value) of a growing set of users are kept while
they are not dominated and while the relaxed bound says that they may still win.

References:
    Pisinger (1995), A minimal algorithm for the multiple-choice knapsack problem, EJOR 83.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.coupons._segments import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._relaxed import Caps, Relaxed
    from commlife.coupons._segments import Floats, Problem, Segments

__all__ = ["exchange", "exchange_in_groups", "refill"]

#: Users opened by an exchange, and states kept.
CORE, STATES = 48, 2_000

#: The same for one group, the most groups opened, and states kept when the groups are put together.
GROUP_CORE, MAX_GROUPS, GROUP_STATES = 24, 64, 1_000

#: States of all groups together: few groups get many each.
WORK = 40_000

#: Passes of the refill: each takes all that fits up to the first misfit, and drops what will never fit again.
MAX_PASSES = 40


def refill(
    segments: Segments,
    waiting: NDArray[np.int32],
    budget_left: float,
    *,
    caps: Caps | None,
    caps_left: Floats | None,
) -> NDArray[np.int32]:
    """Segments, of those that were not taken whole, that fit into what is left.

    Args:
        segments: All segments.
        waiting: Those that were not taken, in falling slope.
        budget_left: Money left of the budget.
        caps: The caps.
        caps_left: Money left of each group's cap; changed in place.

    Returns:
        Indices of the segments to take as well, each user's in their own order.
    """
    taken: list[NDArray[np.int32]] = []
    left = waiting
    size = int(segments.user.max(initial=0)) + 1
    for _ in range(MAX_PASSES):
        user, spend = segments.user[left], segments.spend[left]
        # A user's next segment alone can be taken, and whoever's next does not fit is out.
        first = _first_of_each(user, size)
        room: float | Floats = budget_left
        if caps is not None and caps_left is not None:
            room = np.minimum(budget_left, caps_left[caps.group[user]])
        stuck = np.zeros(size, dtype=bool)
        stuck[user[first & (spend > room)]] = True
        keep = ~stuck[user]
        candidates = np.flatnonzero(keep & first)
        if len(candidates) == 0:
            break
        go = np.cumsum(spend[candidates]) <= budget_left
        if caps is not None and caps_left is not None:
            group = caps.group[user[candidates]]
            go &= _prefix_by_group(spend[candidates], group, caps_left)
            caps_left -= np.bincount(group[go], spend[candidates[go]], len(caps_left))
        now = candidates[go]
        taken.append(left[now])
        budget_left -= float(spend[now].sum())
        keep[now] = False
        left = left[keep]
    return np.concatenate(taken) if taken else np.empty(0, dtype=np.int32)


def _first_of_each(user: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Is this the first place of its user?"""
    places = np.arange(len(user), dtype=np.int32)
    seen = np.empty(size, dtype=np.int32)
    seen[user[::-1]] = places[::-1]
    return np.asarray(seen[user] == places)


def _prefix_by_group(spend: Floats, group: NDArray[np.integer[Any]], room: Floats) -> NDArray[np.bool_]:
    order = np.argsort(group, kind="stable")
    total = np.cumsum(spend[order])
    sizes = np.bincount(group, minlength=len(room))
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    offset = np.where(starts > 0, total[starts - 1], 0.0)
    result = np.empty(len(spend), dtype=bool)
    result[order] = total - np.repeat(offset, sizes) <= np.repeat(room, sizes)
    return result


@dataclass(frozen=True, slots=True)
class _States:
    """Undominated ways (cost, value) of changing some users, and how each came about.

    Attributes:
        value: What each adds to the value, rising.
        cost: What each adds to the cost, rising.
        trail: For each step the parent state and the option of every state.
    """

    value: Floats
    cost: Floats
    trail: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]

    def options(self, state: int) -> list[int]:
        """The option of each step on the way to a state."""
        picked = []
        for parent, option in reversed(self.trail):
            picked.append(int(option[state]))
            state = int(parent[state])
        return picked[::-1]


def _grow(states: _States, gain: Floats, spend: Floats, most: int, *, charge: float, least: float) -> _States:
    """One step more: every state with every option, what is dominated or hopeless dropped.

    Args:
        states: The states so far.
        gain: What each option of this step adds to the value.
        spend: What each adds to the cost.
        most: Most states to keep.
        charge: Price of money: states are kept by value - charge * cost.
        least: States at or below this can no longer win.
    """
    value = (states.value[:, None] + gain).ravel()
    cost = (states.cost[:, None] + spend).ravel()
    net = value - charge * cost
    keep = np.flatnonzero(net > least)
    keep = keep[np.lexsort((-value[keep], cost[keep]))]
    rising = value[keep] > np.concatenate([[-np.inf], np.maximum.accumulate(value[keep])[:-1]])
    keep = keep[rising[: len(keep)]]
    if len(keep) > most:
        keep = keep[np.sort(np.argpartition(-net[keep], most)[:most])]
    return _States(value[keep], cost[keep], (*states.trail, (keep // len(gain), keep % len(gain))))


def _solve(gain: Floats, spend: Floats, price: float, left: float, most: int) -> list[int]:
    """Best option of each step within the money left (steps after the last one returned keep option -1: no change).

    Args:
        gain: (steps, options) added value.
        spend: (steps, options) added cost.
        price: Price of the money.
        left: Money left.
        most: Most states to keep.
    """
    best_net = np.maximum((gain - price * spend).max(axis=1), 0.0)
    slack = np.concatenate([np.cumsum(best_net[::-1])[::-1], [0.0]])
    states = _nothing()
    best, best_options = 0.0, list[int]()
    for step in range(len(gain)):
        least = best - price * left - slack[step + 1]
        states = _grow(states, gain[step], spend[step], most, charge=price, least=least)
        if len(states.value) == 0:
            break
        fitting = int(np.searchsorted(states.cost, left, side="right")) - 1
        if fitting >= 0 and states.value[fitting] > best:
            best, best_options = float(states.value[fitting]), states.options(fitting)
    return best_options


def _nothing() -> _States:
    return _States(np.zeros(1), np.zeros(1), ())


def exchange(problem: Problem, choice: NDArray[np.int16], price: float, left: float) -> None:
    """Improve the choices of the least decided users within the money that is left.

    Args:
        problem: The input.
        choice: Everybody's choice; changed in place.
        price: Price of the budget.
        left: Money left of it.
    """
    users, gain, spend = _undecided(problem, choice, None, price, CORE)
    options = _solve(gain, spend, price, left, STATES)
    choice[users[: len(options)]] = np.array(options, dtype=np.int16) - 1


def exchange_in_groups(
    problem: Problem, choice: NDArray[np.int16], relaxed: Relaxed, left: float, caps: Caps, caps_left: Floats
) -> None:
    """The same under caps: for some groups a list of good ways to use their cap, then the best way of each together.

    The groups opened are those whose idle money is worth most. Arguments as in :func:`exchange`.
    """
    idle = relaxed.cap_price * np.where(relaxed.cap_price > 0, caps_left, 0.0)
    opened = np.argsort(-idle, kind="stable")[:MAX_GROUPS]
    most = int(np.clip(WORK // len(opened), 600, STATES))
    ways = int(np.clip(WORK // (20 * len(opened)), 32, 400))
    rank = np.full(len(caps.cap), -1, dtype=np.int16)
    rank[opened] = np.arange(len(opened))
    member = np.flatnonzero(rank[caps.group] >= 0)
    member = member[np.argsort(rank[caps.group[member]], kind="stable")]
    edges = np.searchsorted(rank[caps.group[member]], np.arange(len(opened) + 1))
    found: list[tuple[NDArray[np.intp], _States, NDArray[np.intp]]] = []
    gains, spends = np.zeros((len(opened), ways)), np.zeros((len(opened), ways))
    for place, group in enumerate(opened):
        price = relaxed.price + float(relaxed.cap_price[group])
        members = member[edges[place] : edges[place + 1]]
        users, gain, spend = _undecided(problem, choice, members, price, GROUP_CORE)
        states = _nothing()
        for step in range(len(users)):
            states = _grow(states, gain[step], spend[step], most, charge=price, least=-np.inf)
        fits = np.flatnonzero(states.cost <= caps_left[group])
        net = states.value[fits] - relaxed.price * states.cost[fits]
        fits = fits[np.argsort(-net, kind="stable")[:ways]]
        found.append((users, states, fits))
        gains[place, : len(fits)], spends[place, : len(fits)] = states.value[fits], states.cost[fits]
    picked = _solve(gains, spends, relaxed.price, left, GROUP_STATES)
    for (users, states, fits), way in zip(found, picked, strict=False):
        if way < len(fits):
            choice[users] = np.array(states.options(int(fits[way])), dtype=np.int16) - 1


def _undecided(
    problem: Problem, choice: NDArray[np.int16], users: NDArray[np.intp] | None, price: float, core: int
) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The least decided users (of these, or of all), and what each option would add to their value and cost.

    Option 0 is no coupon, option j + 1 is coupon j.
    """
    count = problem.users if users is None else len(users)
    kept: list[tuple[NDArray[np.intp], Floats, Floats]] = []
    for first in range(0, count, BLOCK):
        stop = min(first + BLOCK, count)
        part = np.arange(first, stop) if users is None else users[first:stop]
        value, cost = _options(problem, part)
        lane = np.arange(len(part))
        now = choice[part].astype(np.intp) + 1
        reduced = value - price * cost
        loss = reduced[now, lane] - reduced
        loss[now, lane] = np.inf
        other = loss.argmin(axis=0)
        near, pace = loss[other, lane], cost[other, lane] - cost[now, lane]
        best = _nearest(near, pace, core)
        kept.append((part[best], near[best], pace[best]))
    chosen, near, pace = (np.concatenate(column) for column in zip(*kept, strict=True))
    chosen = chosen[_nearest(near, pace, core)]
    value, cost = _options(problem, chosen)
    lane, now = np.arange(len(chosen)), choice[chosen].astype(np.intp) + 1
    return chosen, (value - value[now, lane]).T, (cost - cost[now, lane]).T


def _nearest(near: Floats, pace: Floats, core: int) -> NDArray[np.intp]:
    """Places of the smallest, by near, then pace, then place."""
    pool = np.arange(len(near))
    if len(near) > core:
        pool = np.flatnonzero(near <= np.partition(near, core - 1)[core - 1])
    return pool[np.lexsort((pace[pool], near[pool]))[:core]]


def _options(problem: Problem, users: NDArray[np.intp]) -> tuple[Floats, Floats]:
    value, cost = problem.columns(users)
    nothing = np.zeros((1, len(users)))
    return np.concatenate([nothing, value]), np.concatenate([nothing, cost])
