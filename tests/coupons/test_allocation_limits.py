"""Limits on a plan beside money: return, the chance of overspending, channels; and the exact solver as a check."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife.coupons import allocate
from commlife.coupons._chance import overspend_chance
from commlife.effects import shrink
from commlife.errors import ConfigError


def market(seed: int, users: int, coupons: int, *, whole: bool = False):
    rng = np.random.default_rng(seed)
    if whole:
        return rng.integers(-2, 6, (users, coupons)) * 1.0, rng.integers(0, 6, (users, coupons)) * 1.0
    return rng.normal(1, 2, (users, coupons)), rng.gamma(1, 2, (users, coupons))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_fast_plan_equals_the_exact_one_with_caps_and_a_least_return(seed: int, whole: bool) -> None:
    value, cost = market(seed, 20, 3, whole=whole)
    group = np.arange(20) % 3
    call = {"group": group, "group_caps": {0: 5.0, 1: 8.0}, "min_roi": 0.7}
    fast, exact = allocate(value, cost, 15.0, **call), allocate(value, cost, 15.0, solver="exact", **call)
    assert fast.value == pytest.approx(exact.value, rel=1e-9)
    assert fast.upper_bound == pytest.approx(exact.upper_bound, rel=1e-9)


def test_the_fast_plan_is_within_a_ten_thousandth_of_the_exact_one_at_a_thousand_users_with_ties() -> None:
    for seed in range(3):
        value, cost = market(seed, 1_000, 5, whole=True)
        fast, exact = allocate(value, cost, 400.0), allocate(value, cost, 400.0, solver="exact")
        assert exact.value * (1 - 1e-4) <= fast.value <= exact.value * (1 + 1e-9)
        assert exact.value <= fast.upper_bound * (1 + 1e-9)


def test_no_coupon_returns_less_than_asked() -> None:
    value, cost = market(1, 500, 4)
    plan = allocate(value, cost, 300.0, min_roi=1.5)
    rows = np.flatnonzero(plan.choice >= 0)
    assert len(rows) > 20
    assert (value[rows, plan.choice[rows]] >= 1.5 * cost[rows, plan.choice[rows]]).all()
    assert allocate(value, cost, 300.0).value >= plan.value


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_channels_hold_and_the_plan_is_near_the_exact_one(seed: int, whole: bool) -> None:
    value, cost = market(seed, 60, 4, whole=whole)
    call = {"channel": ["push", "sms", "sms", "letter"], "channel_capacity": {"push": 9, "sms": 12}}
    fast, exact = allocate(value, cost, 50.0, **call), allocate(value, cost, 50.0, solver="exact", **call)
    assert (fast.choice == 0).sum() <= 9
    assert np.isin(fast.choice, (1, 2)).sum() <= 12
    assert fast.cost <= 50
    assert exact.value <= fast.upper_bound * (1 + 1e-9)
    assert 0.97 * exact.value <= fast.value <= exact.value * (1 + 1e-9)


def test_channels_leave_a_small_certified_gap_among_many_users() -> None:
    value, cost = market(3, 20_000, 4)
    group = np.arange(20_000) % 50
    caps = dict.fromkeys(range(50), 150.0)
    call = {"channel": ["push", "sms", "sms", "letter"], "channel_capacity": {"push": 3_000, "sms": 2_000}}
    plan = allocate(value, cost, 9_000.0, **call)
    assert plan.gap < 1e-3
    assert plan.channel_prices["push"] > 0
    capped = allocate(value, cost, 9_000.0, group=group, group_caps=caps, **call)
    rows = np.flatnonzero(capped.choice >= 0)
    spent = np.bincount(group[rows], cost[rows, capped.choice[rows]], 50)
    assert (spent <= 150 * (1 + 1e-9)).all()
    assert np.isin(capped.choice, (1, 2)).sum() <= 2_000
    assert capped.gap < 0.05


def test_a_channel_without_a_place_carries_nothing_and_an_ample_one_changes_nothing() -> None:
    value, cost = market(4, 200, 3)
    none = allocate(value, cost, 60.0, channel=["a", "b", "b"], channel_capacity={"a": 0})
    assert (none.choice != 0).all()
    ample = allocate(value, cost, 60.0, channel=["a", "b", "b"], channel_capacity={"a": 200, "b": 200})
    assert ample.value == pytest.approx(allocate(value, cost, 60.0).value, rel=1e-4)


@given(st.integers(30, 400), st.floats(0.02, 0.6), st.floats(0.3, 1.9))
def test_the_chance_of_overspending_is_near_the_binomial_one(count: int, rate: float, share: float) -> None:
    budget = 5.0 * round(count * rate * share)
    ours = overspend_chance(np.full(count, rate), np.full(count, 5.0), budget)
    low, high = stats.binom.sf(budget / 5, count, rate), stats.binom.sf(budget / 5 - 1, count, rate)
    assert low - 0.02 <= ours
    # With fewer than ten expected redemptions it is a bound, else near.
    assert ours <= (high + 0.02 if count * rate >= 10 else 1.0)


@given(st.integers(1, 29), st.floats(0.02, 0.9), st.integers(0, 30))
def test_for_few_coupons_the_chance_is_never_understated(count: int, rate: float, times: int) -> None:
    ours = overspend_chance(np.full(count, rate), np.full(count, 4.0), 4.0 * times)
    assert ours >= stats.binom.sf(times, count, rate) - 1e-12


@pytest.mark.parametrize("most", [0.01, 0.05, 0.2])
def test_a_safe_plan_overspends_as_seldom_as_was_asked(most: float) -> None:
    """Redemptions drawn 4,000 times: the budget of the plain plan is overspent every second time."""
    rng = np.random.default_rng(5)
    rate, face = rng.uniform(0.02, 0.4, (600, 3)), np.array([3.0, 6.0, 12.0])
    cost, value = rate * face, rate * rng.gamma(2, 8, (600, 3))
    plain = allocate(value, cost, 150.0, redemption=rate)
    safe = allocate(value, cost, 150.0, redemption=rate, max_overspend_prob=most)
    assert plain.overspend_prob == pytest.approx(0.5, abs=0.05)
    assert 0.3 * most < safe.overspend_prob <= most
    rows = np.flatnonzero(safe.choice >= 0)
    paid = rng.random((4_000, len(rows))) < rate[rows, safe.choice[rows]]
    over = int((paid @ face[safe.choice[rows]] > 150.0).sum())
    assert stats.binomtest(over, 4_000, safe.overspend_prob).pvalue > 1e-4
    assert safe.value < plain.value <= safe.upper_bound


def test_a_certain_redemption_leaves_no_chance() -> None:
    value, cost = market(6, 100, 2)
    plan = allocate(value, cost, 30.0, redemption=1.0, max_overspend_prob=0.01)
    assert plan.overspend_prob == 0
    assert plan.value == allocate(value, cost, 30.0).value


def test_the_shrunken_value_is_near_what_comes_true_and_the_plain_one_is_not() -> None:
    """The optimiser's curse: noise of the size of the truth's own spread makes a plan promise far too much."""
    rng = np.random.default_rng(7)
    truth = rng.normal(1.0, 2.0, (30_000, 2))
    seen, cost = truth + rng.normal(0, 2.0, truth.shape), np.ones(truth.shape)
    plan = allocate(seen, cost, 6_000.0, standard_error=2.0)
    rows = np.flatnonzero(plan.choice >= 0)
    true = float(truth[rows, plan.choice[rows]].sum())
    assert plan.value > 1.6 * true
    assert plan.shrunken_value == pytest.approx(true, rel=0.03)
    assert "shrunken_value" in repr(plan)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(0, 1e3))
def test_shrinkage_keeps_the_mean_and_the_order(estimates: list[float], error: float) -> None:
    result = shrink(estimates, error)
    assert result.mean() == pytest.approx(np.mean(estimates), abs=1e-6)
    order = np.argsort(estimates, kind="stable")
    assert (np.diff(result[order]) >= -1e-9).all()
    assert shrink(estimates, 0.0) == pytest.approx(np.array(estimates))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"solver": "slow"}, "solver"),
        ({"min_roi": -1}, "min_roi"),
        ({"max_overspend_prob": 0.1}, "needs redemption="),
        ({"max_overspend_prob": 0.7, "redemption": 0.1}, "at most at .5"),
        ({"max_overspend_prob": 0.0, "redemption": 0.1}, "above 0"),
        ({"redemption": 1.5}, "between 0 and 1"),
        ({"redemption": [0.1, 0.2, 0.3]}, "one a cell"),
        ({"redemption": "often"}, "redemption is a number"),
        ({"redemption": 0.0}, "costs nothing"),
        ({"channel": ["a", "b"]}, "given together"),
        ({"channel": ["a"], "channel_capacity": {"a": 1}}, "one label a coupon"),
        ({"channel": "ab", "channel_capacity": {"a": 1}}, "one label a coupon"),
        ({"channel": ["a", "b"], "channel_capacity": {"c": 1}}, "channel 'c' is unknown"),
        ({"channel": ["a", "b"], "channel_capacity": {"a": 0.5}}, "whole number"),
        ({"channel": ["a", "b"], "channel_capacity": {}}, "maps labels"),
        ({"standard_error": -1.0}, "between 0"),
    ],
)
def test_bad_limits_are_told(call, message) -> None:
    with pytest.raises(ConfigError, match=message):
        allocate([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [1.0, 2.0]], 3.0, **call)


def test_the_exact_solver_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ConfigError, match="at most 50,000"):
        allocate(np.ones((30_000, 2)), np.ones((30_000, 2)), 3.0, solver="exact")
    assert allocate([[-1.0]], [[1.0]], 3.0, solver="exact").choice.tolist() == [-1]
