"""Allocation: to whom which coupon, within a budget, with a certificate of how good the plan is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife._stats.distributions import normal_quantile
from commlife.coupons._chance import overspend_chance
from commlife.coupons._channels import channel_prices, fit_channels, with_tolls
from commlife.coupons._exact import exact_plan
from commlife.coupons._given import amount_of_money, checked_caps, checked_channels, checked_problem, like_cost
from commlife.coupons._relaxed import Caps, Relaxed, dual_bound, solve_relaxed
from commlife.coupons._repair import exchange, exchange_in_groups, refill
from commlife.coupons._segments import Problem, falling, hull_segments
from commlife.effects._inputs import one_of
from commlife.effects.shrinkage import shrink
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats, Segments

__all__ = ["Allocation", "allocate"]

Solver = Literal["fast", "exact"]

#: Relative slack when money is compared, so that three times .10 fit into .30.
ROUNDING = 1e-12

#: Times that a plan is made again until its chance of overspending is small enough.
TRIES = 12


@dataclass(frozen=True, slots=True, repr=False)
class Allocation:
    """A plan: at most one coupon a user, within the budget, and how far it can be from the best.

    Attributes:
        choice: Index of each user's coupon (a column of ``value``), -1 for none.
        value: Sum of the given values of the chosen coupons. It is as good as those values were: a plan picks where
            they were overestimated, so that it is no forecast; hold some users out and measure.
        cost: Sum of their costs, at most the budget (up to rounding in the last place).
        upper_bound: No plan is worth more: the optimum of the relaxed problem (users may be split), from its prices.
        gap: ``(upper_bound - value) / upper_bound``, 0 where the bound is 0: the certified distance to the best.
        shadow_price: Value of one more unit of budget; 0 where money is left over.
        cap_prices: Value of one more unit of each group's cap, by label; empty without caps.
        channel_prices: Value of one more place in each channel, by label; empty without capacities.
        overspend_prob: The chance that redemptions cost more than the budget; None where no rates were given.
        shrunken_value: The plan's value after the estimates were pulled towards their means by as much as their noise
            asks for (:func:`~commlife.effects.shrink`); None where no standard errors were given.
    """

    choice: NDArray[np.int64]
    value: float
    cost: float
    upper_bound: float
    gap: float
    shadow_price: float
    cap_prices: dict[Any, float]
    channel_prices: dict[Any, float]
    overspend_prob: float | None
    shrunken_value: float | None

    def to_frame(self) -> pd.DataFrame:
        """One row a user with a coupon: ``row`` (position in the input), ``choice``."""
        row = np.flatnonzero(self.choice >= 0)
        return pd.DataFrame({"row": row, "choice": self.choice[row]})

    def forecast(self, kept: pd.DataFrame) -> tuple[float, float, float]:
        """What this plan may bring, by what an earlier plan kept of its promise.

        There is no forecast without one: a plan's ``value`` is a sum of estimates that were picked for being high.

        Args:
            kept: One row of :meth:`Readout.kept <commlife.effects.Readout.kept>`: columns ``share, share_low,
                share_high``.

        Returns:
            The value times the share kept, and the ends of its interval.

        Raises:
            ConfigError: If the frame is no such row.
        """
        names = ["share", "share_low", "share_high"]
        if not isinstance(kept, pd.DataFrame) or len(kept) != 1 or any(name not in kept for name in names):
            raise ConfigError(
                "a forecast needs the holdout of an earlier plan: give one row of Readout.kept(). "
                "Without one, hold out some users of this plan and measure."
            )
        share, low, high = (self.value * float(kept[name].iloc[0]) for name in names)
        return share, low, high

    def __repr__(self) -> str:
        given = int((self.choice >= 0).sum())
        more = "" if self.shrunken_value is None else f", shrunken_value={self.shrunken_value:.6g}"
        more += "" if self.overspend_prob is None else f", overspend_prob={self.overspend_prob:.2g}"
        return (
            f"Allocation({given:,} of {len(self.choice):,} users, value={self.value:.6g}, cost={self.cost:.6g}, "
            f"gap={self.gap:.2g}, shadow_price={self.shadow_price:.4g}{more})"
        )


def allocate(
    value: Any,
    cost: Any,
    budget: float,
    *,
    group: Any = None,
    group_caps: Mapping[Any, float] | None = None,
    eligible: Any = None,
    min_roi: float = 0.0,
    redemption: Any = None,
    max_overspend_prob: float | None = None,
    channel: Any = None,
    channel_capacity: Mapping[Any, int] | None = None,
    standard_error: Any = None,
    solver: Solver = "fast",
) -> Allocation:
    """Choose at most one coupon a user so that the summed value is largest within the budget.

    One sort over all users' upper hulls solves the relaxed problem; its prices bound every plan from above; what a
    split user would have taken is refilled and exchanged among the least decided users. Time grows like the sort,
    and one million users with five coupons take seconds.

    Args:
        value: (users, coupons) array or frame: expected gain of each coupon over none, in any unit. It may be
            negative; such a coupon is never given. A frame may carry ``user_id`` beside its coupons.
        cost: The same shape: expected cost of each coupon, at least 0, in the unit of the budget.
        budget: Most money in all.
        group: One label a user (a community), for caps.
        group_caps: Most money by label; labels without a cap share the budget alone.
        eligible: The same shape, booleans: which coupon may go to whom. None: every one.
        min_roi: A coupon is only given if its value is at least so many times its cost (both in one unit).
        redemption: Probability that a coupon given is redeemed: a number, one a coupon, or one a cell; ``cost`` is
            then that probability times what a redemption costs. It is what ``overspend_prob`` is computed from.
        max_overspend_prob: Largest chance, above 0 and at most .5, that redemptions cost more than the budget,
            redemptions being independent; asks for ``redemption``. None: the expected cost keeps to the budget, and
            about one time in two more is spent.
        channel: One label a coupon: the channel that carries it (a coupon that may go two ways has two columns).
        channel_capacity: Most coupons by channel.
        standard_error: Of the values: a number, one a coupon, or one a cell; for ``shrunken_value``.
        solver: ``"fast"``, or ``"exact"``: mixed-integer programming by HiGHS, for at most 50,000 cells, to check.

    Returns:
        :class:`Allocation`. Equal users may be told apart by their place in the input; value, cost and bound do not
        depend on it. The bound holds for every plan that keeps to budget (in expectation), caps, capacities,
        eligibility and ``min_roi``; with ``max_overspend_prob`` the gap therefore holds the price of the safety too.

    Raises:
        ConfigError: If shapes differ, a number is missing, infinite or beyond 1e15, a cost, the budget or a cap is
            negative, or arguments that belong together are not given together.

    References:
        Sinha & Zoltners (1979), Operations Research 27; Pisinger (1995), EJOR 83.

    Examples:
        >>> value = [[3.0, 5.0], [2.0, 6.0], [1.0, 1.5]]
        >>> cost = [[1.0, 4.0], [1.0, 3.0], [1.0, 2.0]]
        >>> plan = allocate(value, cost, budget=5.0)
        >>> plan.choice.tolist(), plan.value, plan.cost
        ([0, 1, 0], 10.0, 5.0)
        >>> round(plan.upper_bound, 6), round(plan.gap, 6), round(plan.shadow_price, 3)
        (10.0, 0.0, 0.667)
    """
    one_of(solver, "solver", get_args(Solver))
    problem = checked_problem(value, cost, eligible, min_roi)
    money = amount_of_money(budget, "budget")
    labels, caps = checked_caps(group, group_caps, problem.users)
    channels = checked_channels(channel, channel_capacity, problem.coupons)
    rate = None if redemption is None else like_cost(redemption, "redemption", problem, 0.0, 1.0)
    error = None if standard_error is None else like_cost(standard_error, "standard_error", problem, 0.0, 1e15)
    most = _checked_chance(max_overspend_prob, rate, problem)
    work = _Work(problem, caps, channels, solver, money)
    relaxed, choice = work.plan(money)
    bound = work.bound(relaxed)
    chance = None if rate is None else _chance(problem, choice, rate, money)
    if most is not None and rate is not None and chance is not None and chance > most:
        relaxed, choice, chance = _safe(work, relaxed, choice, rate, most)
    worth, spent = problem.totals(choice)
    bound = max(bound, worth)
    return Allocation(
        choice=choice.astype(np.int64),
        value=worth,
        cost=min(spent, money),
        upper_bound=bound,
        gap=(bound - worth) / bound if bound > 0 else 0.0,
        shadow_price=relaxed.price,
        cap_prices=dict(zip(labels, relaxed.cap_price.tolist(), strict=True)) if caps is not None else {},
        channel_prices=dict(zip(channels[0], work.tolls.tolist(), strict=True)) if channels is not None else {},
        overspend_prob=chance,
        shrunken_value=None if error is None else _shrunken(problem, choice, error),
    )


class _Work:
    """One problem's segments, sorted once; plans for one budget after another."""

    def __init__(
        self,
        problem: Problem,
        caps: Caps | None,
        channels: tuple[list[Any], NDArray[np.intp], NDArray[np.int64]] | None,
        solver: Solver,
        budget: float,
    ) -> None:
        self.plain, self.caps, self.channels, self.solver, self.budget = problem, caps, channels, solver, budget
        self.tolls = np.empty(0)
        self.problem = problem
        if channels is not None:
            self.tolls = channel_prices(problem, budget, channels[1], channels[2])
            self.problem = with_tolls(problem, channels[1], self.tolls)
        self.segments = hull_segments(self.problem)
        self.order = falling(self.segments)

    def plan(self, budget: float) -> tuple[Relaxed, NDArray[np.int16]]:
        """The relaxed optimum, and a whole plan."""
        tolerance = ROUNDING * max(budget, 1e-300)
        relaxed = solve_relaxed(self.problem, self.segments, self.order, budget, self.caps, tolerance)
        if self.solver == "exact":
            limits = None if self.channels is None else self.channels[1:]
            return relaxed, exact_plan(self.plain, budget, self.caps, limits)
        choice = _whole_plan(self.problem, self.segments, relaxed, budget, self.caps)
        if self.channels is not None:
            _, code, most = self.channels
            fit_channels(self.plain, choice, budget, relaxed.price, code, most, self.tolls, self.caps)
        return relaxed, choice

    def bound(self, relaxed: Relaxed) -> float:
        """No plan within the whole budget is worth more."""
        bound = dual_bound(self.problem, self.budget, relaxed.price, self.caps, relaxed.cap_price)
        return bound + (0.0 if self.channels is None else float(self.tolls @ self.channels[2]))


def _checked_chance(given: Any, rate: Floats | None, problem: Problem) -> float | None:
    if rate is not None:
        for first, _, cost in problem.blocks():
            if (cost[rate[first : first + cost.shape[1]].T == 0] > 0).any():
                raise ConfigError(
                    "redemption is 0 where cost is not: a coupon that nobody redeems costs nothing."
                    " Set cost to 0 there, or correct redemption."
                )
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float | np.number) or not 0 < given <= 0.5:
        raise ConfigError(f"max_overspend_prob lies above 0 and at most at .5; seen {given!r:.60}.")
    if rate is None:
        raise ConfigError(
            "max_overspend_prob needs redemption=: how likely each coupon is redeemed says how uncertain the cost is."
            " Give it."
        )
    return float(given)


def _chance(problem: Problem, choice: NDArray[np.int16], rate: Floats, budget: float) -> float:
    """The chance that this plan costs more than the budget."""
    rates, faces = [np.empty(0)], [np.empty(0)]
    for row, _, cost in problem.chosen(choice):
        own = rate[row, choice[row]]
        paid = cost > 0
        rates.append(own[paid])
        faces.append(cost[paid] / own[paid])
    return overspend_chance(np.concatenate(rates), np.concatenate(faces), budget)


def _safe(
    work: _Work, relaxed: Relaxed, choice: NDArray[np.int16], rate: Floats, most: float
) -> tuple[Relaxed, NDArray[np.int16], float]:
    """Plans for less and less money until the chance of overspending is small enough, then a little more again."""
    variance = 0.0
    for row, _, cost in work.plain.chosen(choice):
        own = rate[row, choice[row]]
        paid = cost > 0
        variance += float((cost[paid] ** 2 * (1 - own[paid]) / own[paid]).sum())
    high, low, best = work.budget, 0.0, None
    target = max(work.budget - max(-normal_quantile(most), 0.1) * math.sqrt(variance), 0.0)
    for _ in range(TRIES):
        relaxed, choice = work.plan(target)
        chance = _chance(work.plain, choice, rate, work.budget)
        if chance <= most:
            low, best = target, (relaxed, choice, chance)
            if high - low <= 1e-3 * work.budget or chance > 0.9 * most:
                break
        else:
            high = target
        # Upwards carefully: what is found is kept, and the edge is near.
        target = low + (high - low) * (0.25 if best is not None else 0.5)
    if best is None:
        relaxed, choice = work.plan(0.0)
        best = relaxed, choice, _chance(work.plain, choice, rate, work.budget)
    return best


def _shrunken(problem: Problem, choice: NDArray[np.int16], error: Floats) -> float:
    total = 0.0
    for coupon in range(problem.coupons):
        own = shrink(problem.value[:, coupon].astype(np.float64), error[:, coupon])
        total += float(own[choice == coupon].sum())
    return total


def _whole_plan(
    problem: Problem, segments: Segments, relaxed: Relaxed, budget: float, caps: Caps | None
) -> NDArray[np.int16]:
    """Round the relaxed plan down, then put what is left to use."""
    choice = np.full(problem.users, -1, dtype=np.int16)
    taken = relaxed.order[relaxed.whole]
    choice[segments.user[taken]] = segments.option[taken]
    left = budget * (1 + ROUNDING) - problem.totals(choice)[1]
    caps_left = None
    if caps is not None:
        caps_left = caps.cap * (1 + ROUNDING) - problem.spent_by(choice, caps.group, len(caps.cap))
    if relaxed.price == 0 and not (relaxed.cap_price > 0).any():
        return choice
    more = refill(segments, relaxed.order[~relaxed.whole], left, caps=caps, caps_left=caps_left)
    choice[segments.user[more]] = segments.option[more]
    left -= float(segments.spend[more].sum())
    if caps is None or caps_left is None:
        exchange(problem, choice, relaxed.price, left)
    else:
        exchange_in_groups(problem, choice, relaxed, left, caps, caps_left)
    return choice
