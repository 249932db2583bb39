"""Allocation: against exact solvers, brute force, laws, and bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from commlife.coupons import allocate
from commlife.errors import ConfigError


def exact(value, cost, budget, group=None, caps=None, *, whole: bool) -> float:
    """Optimum by HiGHS: whole plans (MILP) or split users (LP)."""
    users, coupons = value.shape
    rows = [sp.kron(sp.eye(users), np.ones((1, coupons))), sp.csr_matrix(cost.ravel()[None])]
    limits = [1.0] * users + [budget]
    for label, cap in (caps or {}).items():
        rows.append(sp.csr_matrix((cost * (group == label)[:, None]).ravel()[None]))
        limits.append(cap)
    matrix = sp.vstack(rows).tocsr()
    if not whole:
        return -linprog(-value.ravel(), A_ub=matrix, b_ub=limits, bounds=(0, 1), method="highs").fun
    result = milp(
        -value.ravel(),
        constraints=LinearConstraint(matrix, -np.inf, limits),
        integrality=np.ones(value.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 1e-9, "time_limit": 20},
    )
    return -result.fun


def market(kind: str, rng: np.random.Generator, users: int, coupons: int):
    if kind == "smooth":
        return rng.normal(1, 2, (users, coupons)), rng.gamma(1, 2, (users, coupons))
    if kind == "whole":
        return rng.integers(-2, 6, (users, coupons)) * 1.0, rng.integers(0, 6, (users, coupons)) * 1.0
    cost = rng.integers(1, 6, (users, coupons)) * 1.0
    return 2 * cost, cost


@pytest.mark.parametrize("kind", ["smooth", "whole", "equal"])
@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_small_plans_equal_the_exact_optimum(kind: str, capped: bool, seed: int) -> None:
    """Ties, free coupons, equal efficiencies and harmful coupons included."""
    rng = np.random.default_rng(seed)
    users, coupons = int(rng.integers(1, 25)), int(rng.integers(1, 6))
    value, cost = market(kind, rng, users, coupons)
    budget = float(rng.integers(0, max(2, int(cost.sum() * 0.3))))
    group, caps = None, None
    if capped:
        group = rng.integers(0, 3, users)
        caps = {label: float(rng.uniform(0, cost.sum() * 0.15)) for label in range(3)}
    plan = allocate(value, cost, budget, group=group, group_caps=caps)
    assert plan.upper_bound == pytest.approx(exact(value, cost, budget, group, caps, whole=False), rel=1e-6, abs=1e-6)
    assert plan.value == pytest.approx(exact(value, cost, budget, group, caps, whole=True), rel=1e-6, abs=1e-6)
    check_feasible(plan, value, cost, budget, group, caps)


def check_feasible(plan, value, cost, budget, group=None, caps=None) -> None:
    given_to = np.flatnonzero(plan.choice >= 0)
    spent = cost[given_to, plan.choice[given_to]]
    assert spent.sum() <= budget * (1 + 1e-9)
    assert plan.cost == pytest.approx(spent.sum(), abs=1e-9)
    assert plan.value == pytest.approx(value[given_to, plan.choice[given_to]].sum())
    for label, cap in (caps or {}).items():
        assert spent[group[given_to] == label].sum() <= cap * (1 + 1e-9)
    assert plan.gap >= 0
    assert (value[given_to, plan.choice[given_to]] >= 0).all()


@pytest.mark.parametrize("kind", ["smooth", "whole", "equal"])
def test_a_thousand_users_come_within_a_ten_thousandth_of_the_bound(kind: str) -> None:
    rng = np.random.default_rng(7)
    value, cost = market(kind, rng, 1_000, 5)
    plan = allocate(value, cost, 400.0)
    assert plan.gap < 1e-4
    assert plan.upper_bound == pytest.approx(exact(value, cost, 400.0, whole=False), rel=1e-6)


def test_a_threshold_on_the_price_alone_would_lose_where_scores_tie() -> None:
    """All users alike: the price of the budget is everybody's own efficiency, and only a count tells who is in."""
    value, cost = np.tile([[2.0, 3.0]], (10_000, 1)), np.tile([[1.0, 2.0]], (10_000, 1))
    plan = allocate(value, cost, 3_333.0)
    assert (plan.value, plan.cost, plan.gap, plan.shadow_price) == (6_666.0, 3_333.0, 0.0, 2.0)


def test_many_caps_leave_a_small_certified_gap() -> None:
    rng = np.random.default_rng(3)
    users = 20_000
    face = np.array([3.0, 5, 8, 12, 20])
    chance = np.minimum(rng.gamma(1.2, 0.08, (users, 1)) + rng.gamma(2, 0.03, (users, 1)) * face**0.6, 0.95)
    cost, value = chance * face + 0.05, chance * rng.lognormal(3, 0.5, (users, 1)) + rng.normal(0, 0.4, (users, 5))
    group = rng.integers(0, 100, users)
    caps = {label: float(rng.uniform(20, 300)) for label in range(100)}
    plan = allocate(value, cost, 12_000.0, group=group, group_caps=caps)
    check_feasible(plan, value, cost, 12_000.0, group, caps)
    assert plan.gap < 1e-3
    assert set(plan.cap_prices) == set(range(100))
    assert all(price >= 0 for price in plan.cap_prices.values())


def test_prices_are_slopes_of_the_bound() -> None:
    rng = np.random.default_rng(11)
    value, cost = market("smooth", rng, 300, 4)
    group = np.arange(300) % 2
    caps = {0: 30.0, 1: 1_000.0}
    plan = allocate(value, cost, 120.0, group=group, group_caps=caps)
    more = allocate(value, cost, 120.001, group=group, group_caps=caps)
    assert (more.upper_bound - plan.upper_bound) / 0.001 == pytest.approx(plan.shadow_price, rel=1e-3)
    wider = allocate(value, cost, 120.0, group=group, group_caps={0: 30.001, 1: 1_000.0})
    assert (wider.upper_bound - plan.upper_bound) / 0.001 == pytest.approx(plan.cap_prices[0], rel=1e-3)
    assert plan.cap_prices[1] == 0


@given(st.data())
def test_tiny_plans_equal_brute_force(data) -> None:
    users, coupons = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    cells = st.lists(st.integers(-3, 9), min_size=users * coupons, max_size=users * coupons)
    value = np.array(data.draw(cells)).reshape(users, coupons)
    cost = np.abs(np.array(data.draw(cells))).reshape(users, coupons)
    budget = data.draw(st.integers(0, 25))
    best = max(
        sum(value[u, j] for u, j in enumerate(way) if j >= 0)
        for way in itertools.product(range(-1, coupons), repeat=users)
        if sum(cost[u, j] for u, j in enumerate(way) if j >= 0) <= budget
    )
    plan = allocate(value, cost, budget)
    assert plan.value == best
    assert plan.upper_bound >= best
    check_feasible(plan, value, cost, budget)


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_neither_rows_nor_columns_order_matters(seed: int, shuffler) -> None:
    value, cost = market("whole", np.random.default_rng(seed), 15, 4)
    rows, columns = list(range(15)), list(range(4))
    shuffler.shuffle(rows)
    shuffler.shuffle(columns)
    left, right = allocate(value, cost, 12.0), allocate(value[rows][:, columns], cost[rows][:, columns], 12.0)
    assert left.value == right.value
    assert left.upper_bound == pytest.approx(right.upper_bound)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_the_unit_of_money_does_not_matter(seed: int, unit: float) -> None:
    value, cost = market("smooth", np.random.default_rng(seed), 15, 4)
    left, right = allocate(value, cost, 9.0), allocate(value, cost * unit, 9.0 * unit)
    assert left.value == pytest.approx(right.value)
    assert left.shadow_price == pytest.approx(right.shadow_price * unit)


def test_tenths_fill_a_budget_of_tenths() -> None:
    """Three times .10 is more than .30 in binary; nobody means that."""
    plan = allocate(np.ones((5, 1)), np.full((5, 1), 0.1), 0.3)
    assert (plan.choice >= 0).sum() == 3
    assert plan.cost <= 0.3


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8])
def test_narrow_types_and_frames_are_taken(kind) -> None:
    value, cost = np.array([[3, 5], [2, 6]], dtype=kind), np.array([[1, 4], [1, 3]], dtype=kind)
    expected = allocate(value.astype(float), cost.astype(float), 4).choice.tolist()
    assert allocate(value, cost, 4).choice.tolist() == expected
    assert allocate(pd.DataFrame(value), pd.DataFrame(cost), 4).choice.tolist() == expected
    assert allocate(pl.DataFrame(value), pl.DataFrame(cost), np.int64(4)).choice.tolist() == expected


def test_frames_must_speak_of_the_same_users_and_coupons() -> None:
    value = pd.DataFrame({"user_id": ["a", "b"], "five": [3.0, 2.0], "ten": [5.0, 6.0]})
    cost = pd.DataFrame({"user_id": ["a", "b"], "five": [1.0, 1.0], "ten": [4.0, 3.0]})
    assert allocate(value, cost, 4.0).choice.tolist() == [0, 1]
    assert allocate(pl.DataFrame(value.to_dict("list")), cost.drop(columns="user_id").to_numpy(), 4.0).value == 9
    with pytest.raises(ConfigError, match="same columns"):
        allocate(value, cost[["user_id", "ten", "five"]], 4.0)
    with pytest.raises(ConfigError, match="same users"):
        allocate(value, cost.iloc[::-1], 4.0)


def test_nobody_gets_what_is_worth_nothing() -> None:
    plan = allocate([[-1.0, 0.0], [-2.0, -3.0]], [[1.0, 0.0], [0.0, 1.0]], 10)
    assert plan.choice.tolist() == [-1, -1]
    assert (plan.value, plan.cost, plan.upper_bound, plan.gap, plan.shadow_price) == (0, 0, 0, 0, 0)


def test_an_ample_budget_gives_everybody_the_best_and_free_coupons_cost_nothing() -> None:
    plan = allocate([[1.0, 2.0], [4.0, 3.0]], [[0.0, 5.0], [0.0, 0.0]], 100)
    assert plan.choice.tolist() == [1, 0]
    assert (plan.gap, plan.shadow_price) == (0, 0)
    assert allocate([[1.0, 2.0], [4.0, 3.0]], [[0.0, 5.0], [0.0, 0.0]], 0).choice.tolist() == [0, 0]
    capped = allocate([[1.0, 2.0], [4.0, 3.0]], [[0.0, 5.0], [1.0, 2.0]], 100, group=["a", "b"], group_caps={"a": 0})
    assert capped.choice.tolist() == [0, 0]


def test_ineligible_coupons_are_not_given() -> None:
    value, cost = np.ones((3, 2)) * [1, 9], np.ones((3, 2))
    allowed = np.array([[True, False], [False, False], [True, True]])
    assert allocate(value, cost, 10, eligible=allowed).choice.tolist() == [0, -1, 1]


def test_the_result_reads_well_and_the_input_is_left_alone() -> None:
    value, cost = np.array([[3.0], [2.0]]), np.array([[1.0], [1.0]])
    copies = value.copy(), cost.copy()
    plan = allocate(value, cost, 1.0)
    assert plan.to_frame().to_dict("list") == {"row": [0], "choice": [0]}
    assert "1 of 2 users" in repr(plan)
    assert (value == copies[0]).all()
    assert (cost == copies[1]).all()


GOOD = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": [[1.0, np.nan], [1, 1]]}, "row 0, column 1"),
        ({"value": [[1.0, np.inf], [1, 1]]}, "finite"),
        ({"value": [[1.0, 1e300], [1, 1]]}, "at most 1e"),
        ({"cost": [[1.0, -0.5], [1, 1]]}, "at least 0; seen -0.5 at row 0, column 1"),
        ({"cost": [[1.0], [1.0]]}, "one shape"),
        ({"value": [1.0, 2.0]}, "shape \\(2,\\)"),
        ({"value": np.empty((0, 2)), "cost": np.empty((0, 2))}, "at least one"),
        ({"value": np.empty((2, 0)), "cost": np.empty((2, 0))}, "at least one"),
        ({"value": np.zeros((1, 40_000)), "cost": np.zeros((1, 40_000))}, "coupons, more than"),
        ({"value": [[1.0], [1.0, 2.0]]}, "differ in length"),
        ({"value": [["a", "b"], ["c", "d"]]}, "holds numbers"),
        ({"value": np.array([[1, None], [2, 3]], dtype=object)}, "finite"),
        ({"value": pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})}, "no numbers"),
        ({"value": [[True, False], [True, True]]}, "holds numbers; its type is bool"),
        ({"budget": -1}, "at least 0"),
        ({"budget": float("nan")}, "finite"),
        ({"budget": float("inf")}, "finite"),
        ({"budget": True}, "amount of money"),
        ({"budget": "100"}, "amount of money"),
        ({"group": ["a", "b"]}, "together"),
        ({"group_caps": {"a": 1.0}}, "together"),
        ({"group": ["a", "b"], "group_caps": [1.0]}, "maps labels"),
        ({"group": ["a"], "group_caps": {"a": 1.0}}, "one label a user"),
        ({"group": ["a", None], "group_caps": {"a": 1.0}}, "labels are missing"),
        ({"group": ["a", "b"], "group_caps": {"a": -1.0}}, "group_caps\\['a'\\]"),
        ({"eligible": [[1, 0], [1, 1]]}, "booleans"),
        ({"eligible": [[True, False]]}, "of the shape"),
    ],
)
def test_bad_input_is_told(change, message) -> None:
    with pytest.raises(ConfigError, match=message):
        allocate(**{"value": GOOD, "cost": GOOD, "budget": 3.0, **change})
