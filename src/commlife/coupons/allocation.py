"""Allocation: to whom which coupon, within a budget, with a certificate of how good the plan is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.coupons._relaxed import Caps, Relaxed, dual_bound, solve_relaxed
from commlife.coupons._repair import exchange, exchange_in_groups, refill
from commlife.coupons._segments import Problem, hull_segments
from commlife.effects._inputs import label_vector
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Segments

__all__ = ["Allocation", "allocate", "amount_of_money", "checked_problem"]

#: Amounts beyond this are no money.
LARGEST = 1e15

#: Relative slack when money is compared, so that three times .10 fit into .30.
ROUNDING = 1e-12


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
    """

    choice: NDArray[np.int64]
    value: float
    cost: float
    upper_bound: float
    gap: float
    shadow_price: float
    cap_prices: dict[Any, float]

    def to_frame(self) -> pd.DataFrame:
        """One row a user with a coupon: ``row`` (position in the input), ``choice``."""
        row = np.flatnonzero(self.choice >= 0)
        return pd.DataFrame({"row": row, "choice": self.choice[row]})

    def __repr__(self) -> str:
        given = int((self.choice >= 0).sum())
        return (
            f"Allocation({given:,} of {len(self.choice):,} users, value={self.value:.6g}, cost={self.cost:.6g}, "
            f"gap={self.gap:.2g}, shadow_price={self.shadow_price:.4g})"
        )


def allocate(
    value: Any,
    cost: Any,
    budget: float,
    *,
    group: Any = None,
    group_caps: Mapping[Any, float] | None = None,
    eligible: Any = None,
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

    Returns:
        :class:`Allocation`. Equal users may be told apart by their place in the input; value, cost and bound do not
        depend on it.

    Raises:
        ConfigError: If shapes differ, a number is missing, infinite or beyond 1e15, a cost, the budget or a cap is
            negative, or group and group_caps are not given together.

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
    problem = checked_problem(value, cost, eligible)
    money = amount_of_money(budget, "budget")
    labels, caps = _checked_caps(group, group_caps, problem.users)
    segments = hull_segments(problem)
    tolerance = ROUNDING * max(money, 1e-300)
    relaxed = solve_relaxed(segments, money, caps, tolerance)
    bound = dual_bound(problem, money, relaxed.price, caps, relaxed.cap_price)
    choice = _whole_plan(problem, segments, relaxed, money, caps)
    own_value, own_cost = problem.of(choice)
    worth, spent = float(own_value.sum()), float(own_cost.sum())
    bound = max(bound, worth)
    return Allocation(
        choice=choice.astype(np.int64),
        value=worth,
        cost=min(spent, money),
        upper_bound=bound,
        gap=(bound - worth) / bound if bound > 0 else 0.0,
        shadow_price=relaxed.price,
        cap_prices=dict(zip(labels, relaxed.cap_price.tolist(), strict=True)) if caps is not None else {},
    )


def _whole_plan(
    problem: Problem, segments: Segments, relaxed: Relaxed, budget: float, caps: Caps | None
) -> NDArray[np.intp]:
    """Round the relaxed plan down, then put what is left to use."""
    choice = np.full(problem.users, -1, dtype=np.intp)
    taken = relaxed.order[relaxed.whole]
    choice[segments.user[taken]] = segments.option[taken]
    spent = problem.of(choice)[1]
    slack = ROUNDING * budget
    left = budget + slack - float(spent.sum())
    caps_left = None
    if caps is not None:
        caps_left = caps.cap * (1 + ROUNDING) - np.bincount(caps.group, spent, len(caps.cap))
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


def checked_problem(value: Any, cost: Any, eligible: Any) -> Problem:
    """Values, costs and eligibility of one shape, or a ConfigError that says what is wrong."""
    value, cost = _aligned(value, cost)
    worth, charge = _matrix(value, "value"), _matrix(cost, "cost")
    if worth.shape != charge.shape:
        raise ConfigError(
            f"value and cost must have one shape (users, coupons); seen {worth.shape} and {charge.shape}."
        )
    for name, matrix in (("value", worth), ("cost", charge)):
        _check_numbers(matrix, name)
    if charge.dtype.kind != "u" and charge.min() < 0:
        row, column = np.unravel_index(int(charge.argmin()), charge.shape)
        raise ConfigError(
            f"cost must be at least 0; seen {charge[row, column]} at row {row}, column {column}. "
            "A coupon that earns money by itself is no coupon: put the gain into value."
        )
    mask = None
    if eligible is not None:
        mask = np.asarray(eligible)
        if mask.dtype != bool or mask.shape != worth.shape:
            raise ConfigError(
                f"eligible must hold booleans of the shape {worth.shape}; seen {mask.dtype} of shape {mask.shape}."
            )
    return Problem(worth, charge, mask)


def _aligned(value: Any, cost: Any) -> tuple[Any, Any]:
    """Two frames must speak of the same coupons and, where they name them, of the same users in the same order."""
    frames = [given for given in (value, cost) if hasattr(given, "columns") and hasattr(given, "to_numpy")]
    if len(frames) == 2:
        names = [list(map(str, frame.columns)) for frame in frames]
        if names[0] != names[1]:
            raise ConfigError(
                f"value and cost must have the same columns in the same order; seen {names[0]} and {names[1]}."
            )
        if "user_id" in names[0]:
            users = [frame["user_id"].to_numpy() for frame in frames]
            if users[0].shape != users[1].shape or not np.array_equal(users[0], users[1]):
                raise ConfigError("value and cost must list the same users in the same order (column 'user_id').")
    return _without_ids(value), _without_ids(cost)


def _without_ids(given: Any) -> Any:
    if not (hasattr(given, "columns") and hasattr(given, "to_numpy")):
        return given
    keep = [name for name in given.columns if name != "user_id"]
    return given[keep].to_numpy()


def _matrix(given: Any, name: str) -> NDArray[Any]:
    try:
        matrix = np.asarray(given)
    except ValueError:
        raise ConfigError(f"{name} must be a (users, coupons) array: its rows differ in length.") from None
    if matrix.dtype == object:
        try:
            matrix = matrix.astype(np.float64)
        except (TypeError, ValueError):
            raise ConfigError(f"{name} must hold numbers; some of its cells are missing or no numbers.") from None
    if matrix.dtype.kind not in "iuf":
        raise ConfigError(f"{name} must hold numbers; its type is {matrix.dtype}.")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ConfigError(
            f"{name} must be a (users, coupons) array with at least one of each; seen shape {matrix.shape}."
        )
    if matrix.shape[1] > np.iinfo(np.int16).max:
        raise ConfigError(f"{name} has {matrix.shape[1]:,} coupons, more than {np.iinfo(np.int16).max:,}.")
    return matrix


def _check_numbers(matrix: NDArray[Any], name: str) -> None:
    low, high = matrix.min(), matrix.max()
    if math.isfinite(low) and math.isfinite(high) and low >= -LARGEST and high <= LARGEST:
        return
    bad = ~(np.abs(matrix) <= LARGEST)
    row, column = (int(index[0]) for index in np.nonzero(bad))
    raise ConfigError(
        f"{name} must be finite and at most {LARGEST:.0e} in size: {int(bad.sum()):,} cells are not, first "
        f"{matrix[row, column]} at row {row}, column {column}."
    )


def amount_of_money(given: Any, name: str) -> float:
    """A finite amount of at least 0, or a ConfigError."""
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | float | np.number):
        raise ConfigError(f"{name} must be an amount of money; seen {given!r:.60}.")
    amount = float(given)
    if not 0 <= amount <= LARGEST:
        raise ConfigError(f"{name} must be finite, at least 0 and at most {LARGEST:.0e}; seen {given!r:.60}.")
    return amount


def _checked_caps(group: Any, group_caps: Any, users: int) -> tuple[list[Any], Caps | None]:
    if (group is None) != (group_caps is None):
        raise ConfigError("group (a label a user) and group_caps (label -> money) are given together, or neither.")
    if group is None:
        return [], None
    if not isinstance(group_caps, Mapping):
        raise ConfigError(f"group_caps maps labels to amounts; seen {type(group_caps).__name__}.")
    array = np.asarray(group)
    if array.shape != (users,):
        raise ConfigError(f"group must have one label a user: {users:,} users, seen shape {array.shape}.")
    labels, codes = label_vector(array, "group")
    checked = {label: amount_of_money(cap, f"group_caps[{label!r}]") for label, cap in group_caps.items()}
    cap = np.array([checked.get(label, math.inf) for label in labels])
    narrow = np.uint16 if len(labels) <= np.iinfo(np.uint16).max else np.int32
    return labels, Caps(codes.astype(narrow), cap)
