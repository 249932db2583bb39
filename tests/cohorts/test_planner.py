"""Planner: the optimum meets a brute-force grid, promises meet outcomes at their rate, bad goals are refused."""

from __future__ import annotations

import itertools
import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import commlife as cl
from commlife.cohorts import FittedGrowthPlanner, Goal, GrowthPlanner
from commlife.cohorts._optimum import Response, cheapest, largest

mpl.use("Agg")

SPEC = GrowthPlanner(acquisition=["app", "chat"], discounts=["vegetables"])
UNIT = np.array([500.0, 300.0, 200.0])


def truth(group, levers):
    """New payers and retention that levers bring in a community: the world of these tests."""
    logs = np.log1p(levers / UNIT)
    new = np.exp(4.0 + 0.2 * group + logs @ np.array([0.5, 0.3, 0.0]))
    kept = 1 / (1 + np.exp(-(-0.8 + 0.1 * group + logs @ np.array([-0.1, 0.0, 0.6]))))
    return new, kept


def history(seed=0, groups=3, weeks=40):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), weeks)
    levers = rng.uniform(0, 2, (len(group), 3)) * UNIT
    new, kept = truth(group, levers)
    payers = rng.negative_binomial(40, 40 / (40 + new))
    frame = pd.DataFrame(levers, columns=["app", "chat", "vegetables"])
    frame["cohort"], frame["community"] = np.tile(np.arange(weeks), groups), np.array(["C1", "C2", "C3", "C4"])[group]
    frame["new_payers"], frame["retained"] = payers, rng.binomial(payers, kept)
    return frame


@pytest.fixture(scope="module")
def fitted():
    return SPEC.fit(history())


# -- the optimum ------------------------------------------------------------------------------------------------------------


def response(groups):
    return Response(
        level_new=np.linspace(4.0, 4.5, groups),
        level_kept=np.linspace(-0.8, -0.4, groups),
        slope_new=np.array([0.5, 0.05]),
        slope_kept=np.array([-0.1, 0.5]),
        unit=np.array([400.0, 250.0]),
    )


def test_gradients_are_right():
    curve, rng = response(3), np.random.default_rng(0)
    levers = rng.uniform(10, 500, (3, 2))
    for place in (0, 1):
        slopes = optimize.approx_fprime(levers.ravel(), lambda x, p=place: curve.outcome(x.reshape(3, 2))[p], 1e-4)
        assert curve.gradients(levers)[place].ravel() == pytest.approx(slopes, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_cheapest_plan_meets_a_brute_force_grid(groups):
    curve = response(groups)
    upper = np.full((groups, 2), 1_000.0)
    start = np.full((groups, 2), 200.0)
    new, kept = curve.outcome(start)
    wanted = 1.15 * new, kept + 0.02
    found = cheapest(curve, *wanted, upper, start)
    assert found.feasible
    steps = np.linspace(0, 1_000, 201 if groups == 1 else 41)
    grid = np.array(list(itertools.product(steps, repeat=2 * groups))).reshape(-1, groups, 2)
    logs = np.log1p(grid / curve.unit)
    each = np.exp(curve.level_new + logs @ curve.slope_new)
    rate = 1 / (1 + np.exp(-(curve.level_kept + logs @ curve.slope_kept)))
    meets = (each.sum(axis=1) >= wanted[0]) & ((each * rate).sum(axis=1) / each.sum(axis=1) >= wanted[1])
    best = grid.sum(axis=(1, 2))[meets].min()
    assert found.levers.sum() <= best + 1e-6
    assert found.levers.sum() >= best - 2 * groups * steps[1]  # no better than the grid's mesh allows
    reached = curve.outcome(found.levers)
    assert reached[0] >= wanted[0] * (1 - 1e-5)
    assert reached[1] >= wanted[1] * (1 - 1e-5)


def test_the_largest_plan_meets_a_brute_force_grid():
    curve, upper, start = response(2), np.full((2, 2), 1_000.0), np.full((2, 2), 200.0)
    kept = curve.outcome(start)[1]
    found = largest(curve, 1_000.0, kept, upper, start)
    steps = np.linspace(0, 1_000, 41)
    grid = np.array(list(itertools.product(steps, repeat=4))).reshape(-1, 2, 2)
    grid = grid[grid.sum(axis=(1, 2)) <= 1_000]
    logs = np.log1p(grid / curve.unit)
    each = np.exp(curve.level_new + logs @ curve.slope_new)
    rate = 1 / (1 + np.exp(-(curve.level_kept + logs @ curve.slope_kept)))
    meets = (each * rate).sum(axis=1) / each.sum(axis=1) >= kept
    best = each.sum(axis=1)[meets].max()
    assert found.feasible
    assert curve.outcome(found.levers)[0] >= best - 1e-6
    assert curve.outcome(found.levers)[0] <= best * 1.02
    assert found.levers.sum() <= 1_000 * (1 + 1e-5)


def test_bounds_hold_and_meet_a_brute_force_grid():
    """At least 100 and at most 300 for the first lever of each community: the grid's best within them is not beaten."""
    curve, start = response(2), np.full((2, 2), 200.0)
    lower, upper = np.array([[100.0, 0.0]] * 2), np.array([[300.0, 1_000.0]] * 2)
    new, kept = curve.outcome(start)
    wanted = 1.05 * new, kept + 0.01
    found = cheapest(curve, *wanted, upper, start, lower)
    first, second = np.linspace(100, 300, 21), np.linspace(0, 1_000, 41)
    grid = np.array(list(itertools.product(first, second, repeat=2))).reshape(-1, 2, 2)
    logs = np.log1p(grid / curve.unit)
    each = np.exp(curve.level_new + logs @ curve.slope_new)
    rate = 1 / (1 + np.exp(-(curve.level_kept + logs @ curve.slope_kept)))
    meets = (each.sum(axis=1) >= wanted[0]) & ((each * rate).sum(axis=1) / each.sum(axis=1) >= wanted[1])
    best = grid.sum(axis=(1, 2))[meets].min()
    assert found.feasible
    assert best - 70 <= found.levers.sum() <= best + 1e-6
    assert ((found.levers >= lower - 1e-9) & (found.levers <= upper + 1e-9)).all()


def test_bounds_of_a_plan(fitted):
    free, bound = (fitted.plan(Goal(new_payers=30), bounds=each) for each in (None, {"app": (200.0, 400.0)}))
    app = bound.levers.loc[bound.levers["lever"] == "app", "planned"]
    assert app.between(200 - 1e-6, 400 + 1e-6).all()
    assert bound.cost >= free.cost - 1e-6
    assert fitted.best_within(2_000, bounds={"app": (200.0, 400.0)}).cost <= 2_000 * (1 + 1e-5)
    assert not fitted.best_within(100, bounds={"app": (200.0, 400.0)}).reachable
    for wrong, message in (
        ({"ap": (0, 1)}, "Did you mean 'app'"),
        ({"app": (5, 1)}, "the least and the most"),
        ({"app": 5}, "the least and the most"),
        ({"app": (1e6, 2e6)}, "larger reach"),
    ):
        with pytest.raises(cl.ConfigError, match=message):
            fitted.plan(Goal(new_payers=30), bounds=wrong)


def test_the_dearer_goal_costs_more_and_the_frontier_rises(fitted):
    costs = [fitted.plan(Goal(new_payers=n)).cost for n in (0, 20, 60)]
    assert costs == sorted(costs)
    frontier = fitted.frontier([1_000, 2_000, 4_000])
    assert frontier.columns.tolist() == ["budget", "cost", "new_payers", "retention", "reachable"]
    assert frontier["new_payers"].is_monotonic_increasing
    assert (frontier["cost"] <= frontier["budget"] * (1 + 1e-5)).all()


def test_both_ways_meet(fitted):
    """The most that the cheapest plan's money brings is the goal."""
    plan = fitted.plan(Goal(new_payers=40, retention_points=1.0))
    back = fitted.best_within(plan.cost, retention_points=1.0)
    expected = [each.outcome.set_index("outcome").loc["new_payers", "expected"] for each in (plan, back)]
    assert expected[1] == pytest.approx(expected[0], rel=2e-3)


# -- what is learned ---------------------------------------------------------------------------------------------------------


def test_promises_hold_at_their_rate():
    """At the planned levers the true world draws new payers and retention: within the interval in about 95% of cases."""
    inside = []
    for seed in range(40):
        plan = SPEC.fit(history(seed)).plan(Goal(new_payers=60, retention_points=2.0))
        levers = plan.levers["planned"].to_numpy().reshape(3, 3)
        rng = np.random.default_rng(1_000 + seed)
        new, kept = truth(np.arange(3), levers)
        payers = rng.negative_binomial(40, 40 / (40 + new))
        came = rng.binomial(payers, kept).sum() / payers.sum()
        for value, row in zip((payers.sum(), came), plan.outcome.itertuples(), strict=True):
            inside.append(row.low <= value <= row.high)
    assert 0.87 <= np.mean(inside) <= 1.0


def test_the_known_response_lies_within_its_interval_at_the_nominal_rate():
    """200 histories, one community and random levers each: the curves' 95% intervals hold the truth in 95%, as chance
    allows (a binomial of 200 stays within these bounds 998 times in 1,000)."""
    held = np.zeros(2, dtype=int)
    for seed in range(200):
        rng = np.random.default_rng(50_000 + seed)
        levers, group = rng.uniform(0.2, 1.8, (3, 3)) * UNIT, int(rng.integers(3))
        table = SPEC.fit(history(seed)).response(
            pd.DataFrame(levers, columns=["app", "chat", "vegetables"]).assign(community=["C1", "C2", "C3"])
        )
        row, true = table.iloc[group], truth(np.arange(3), levers)
        for place, name in enumerate(("new_payers", "retention")):
            held[place] += row[f"{name}_low"] <= true[place][group] <= row[f"{name}_high"]
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.95)
    assert ((held >= low) & (held <= high)).all(), held


def test_the_response_is_recovered(fitted):
    """Expected outcomes at levers between those seen are within 8% of the truth."""
    levers = pd.DataFrame(np.outer([0.5, 1.0, 1.5], UNIT), columns=["app", "chat", "vegetables"])
    table = fitted.response(levers.assign(community=["C1", "C2", "C3"]))
    new, kept = truth(np.arange(3), levers.to_numpy())
    assert table["new_payers"].to_numpy() == pytest.approx(new, rel=0.08)
    assert table["retention"].to_numpy() == pytest.approx(kept, rel=0.08)
    assert (table["new_payers_low"] < table["new_payers"]).all()
    assert (table["retention"] < table["retention_high"]).all()


def test_backtest_of_promises():
    table = SPEC.backtest(history(), last=5)
    assert table.columns.tolist() == ["cohort", "group", "outcome", "promised", "low", "high", "observed", "inside"]
    assert len(table) == 5 * 3 * 2
    assert table["inside"].mean() >= 0.8
    assert table["cohort"].min() == 35


def test_effects_that_cannot_be_negative_are_not():
    frame = history(2)
    rng = np.random.default_rng(0)
    frame["vegetables"] = rng.uniform(0, 400, len(frame))  # it did nothing here
    frame["retained"] = rng.binomial(frame["new_payers"], 0.5 - 0.0004 * frame["vegetables"])
    fitted = SPEC.fit(frame)
    assert fitted.retention.coefficients[2] == 0.0
    plan = fitted.plan(Goal(retention_points=5.0))
    assert not plan.reachable
    assert "out of reach" in repr(plan)
    assert fitted.best_within(100.0, retention_points=5.0).reachable is False


def test_what_the_history_leaves_possible_keeps_signs_of_levers_alone():
    """Spend brings no payers less, and discounts keep no user less: in no draw. Anything else may go either way."""
    rng = np.random.default_rng(3)
    frame = history(4, weeks=12)
    frame["new_payers"] = rng.poisson(20, len(frame))  # no lever did anything
    frame["retained"] = rng.binomial(frame["new_payers"], 0.4)
    frame["heat"] = rng.normal(0, 1, len(frame))
    spec = GrowthPlanner(acquisition=["app", "chat"], discounts=["vegetables"], controls=["heat"])
    new, kept = spec.fit(frame)._draws(seed=1)
    app, chat, vegetables, heat = 4, 5, 6, 7  # after the level and three communities
    for draws, held, free in ((new, (app, chat, vegetables), (heat,)), (kept, (vegetables,), (app, chat, heat))):
        assert draws.shape[1] == 8
        for place in held:
            assert draws[:, place].min() == 0.0
        for place in free:
            assert draws[:, place].min() < 0.0 < draws[:, place].max()


@pytest.mark.parametrize(
    ("where", "change", "told"),
    [
        (("new_payers", "covariance"), lambda rows: rows[:-1], "table of"),
        (("new_payers", "covariance"), lambda rows: [[0.0, 1.0, *rows[0][2:]], *rows[1:]], "symmetric"),
        (("retention", "covariance"), lambda rows: (-np.array(rows)).tolist(), "no covariance"),
        (("retention", "coefficients"), lambda held: held[:-1], "table of"),
        (("unit",), lambda held: held[:-1], "unit"),
    ],
)
def test_a_file_whose_numbers_cannot_be_a_fit_is_refused(fitted, where, change, told):
    envelope = json.loads(fitted.to_json())
    part = envelope["state"]
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = change(part[where[-1]])
    with pytest.raises(cl.PersistenceError, match=told):
        FittedGrowthPlanner.from_json(json.dumps(envelope))


def test_an_experiment_rules():
    spec = GrowthPlanner(
        acquisition=["app", "chat"], discounts=["vegetables"], evidence={"new_payers": {"chat": (0.0, 0.001)}}
    )
    fitted = spec.fit(history())
    assert abs(fitted.new_payers.coefficients[1]) < 0.01
    levers = fitted.plan(Goal(new_payers=40)).levers
    assert levers.loc[levers["lever"] == "chat", "planned"].max() < 1.0


def test_controls_are_held(fitted):
    frame = history()
    rain = np.random.default_rng(3).normal(size=len(frame))
    spec = GrowthPlanner(acquisition=["app", "chat"], discounts=["vegetables"], controls=["rain"])
    with_rain = spec.fit(frame.assign(rain=rain)).plan(Goal(new_payers=40))
    assert with_rain.cost == pytest.approx(fitted.plan(Goal(new_payers=40)).cost, rel=0.3)
    assert set(with_rain.levers["lever"]) == {"app", "chat", "vegetables"}


# -- what comes out --------------------------------------------------------------------------------------------------------------


def test_the_plan_is_whole(fitted):
    plan = fitted.plan(Goal(new_payers=40, retention_points=2.0))
    assert plan.levers.columns.tolist() == [
        "group", "lever", "kind", "now", "planned", "change", "largest_seen", "extrapolated",
    ]  # fmt: skip
    assert plan.reachable
    assert plan.cost == pytest.approx(plan.levers["planned"].sum())
    assert plan.cost_now == pytest.approx(plan.levers["now"].sum())
    assert (plan.levers["planned"] <= 1.5 * plan.levers["largest_seen"] + 1e-6).all()
    seen = plan.levers["planned"] > plan.levers["largest_seen"] * (1 + 1e-9)
    assert plan.levers["extrapolated"].tolist() == seen.tolist()
    outcome = plan.outcome.set_index("outcome")
    assert outcome.loc["new_payers", "goal"] == pytest.approx(outcome.loc["new_payers", "now"] + 40)
    assert outcome.loc["retention", "goal"] == pytest.approx(outcome.loc["retention", "now"] + 0.02)
    assert (outcome["low"] < outcome["expected"]).all()
    assert (outcome["expected"] < outcome["high"]).all()
    assert plan.to_frame().equals(plan.levers)
    assert "reachable" in repr(plan)
    again = fitted.plan(Goal(new_payers=40, retention_points=2.0))
    assert again.outcome.equals(plan.outcome)
    axes = plan.plot()
    assert plan.plot(ax=axes) is axes


def test_it_keeps(fitted):
    back = FittedGrowthPlanner.from_json(fitted.to_json())
    assert back == fitted
    assert back.plan(Goal(new_payers=30)).cost == fitted.plan(Goal(new_payers=30)).cost
    assert str(fitted) == repr(fitted) == "FittedGrowthPlanner(3 levers in 3 communities)"


def test_one_community():
    frame = history(groups=1).drop(columns="community")
    fitted = GrowthPlanner(acquisition=["app", "chat"], discounts=["vegetables"], group=None).fit(frame)
    assert fitted.plan(Goal(new_payers=5)).levers["group"].unique().tolist() == ["all"]
    assert len(fitted.response(frame.head(1))) == 1


def test_a_shop_that_spends_nothing_yet():
    """No recent spend: the plan starts from zero."""
    frame = history()
    frame.loc[frame["cohort"] >= 36, ["app", "chat", "vegetables"]] = 0.0
    fitted = SPEC.fit(frame)
    plan = fitted.best_within(500.0)
    assert plan.cost_now == 0
    assert plan.cost <= 500 * (1 + 1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"new_payers": -1}, "new_payers"),
        ({"retention_points": 100}, "retention_points"),
        ({"new_payers": float("nan")}, "new_payers"),
        ({"payers": 3}, "payers"),
    ],
)
def test_bad_goals(wrong, message):
    with pytest.raises(cl.ConfigError, match=message):
        Goal(**wrong)


def test_bad_calls(fitted):
    for call, message in (
        (lambda: fitted.plan({"new_payers": 3}), "Goal"),
        (lambda: fitted.best_within(-1.0), "budget"),
        (lambda: fitted.best_within(True), "budget"),
        (lambda: fitted.response({}), "pandas frame"),
        (lambda: fitted.response(pd.DataFrame({"app": [1.0]})), "pandas frame"),
        (lambda: fitted.response(history().head(3)), "one row for each"),
        (lambda: SPEC.backtest(history(), last=0), "last"),
        (lambda: SPEC.backtest(history().to_dict()), "pandas frame"),
        (lambda: GrowthPlanner(acquisition=["a"], discounts=["a"]), "once"),
        (lambda: GrowthPlanner(acquisition=[]), "acquisition"),
        (lambda: GrowthPlanner(acquisition=["a"], evidence={"retention": {"b": (0, 1)}}), "evidence"),
        (lambda: GrowthPlanner(acquisition=["a"], reach=0.5), "reach"),
    ):
        with pytest.raises(cl.ConfigError, match=message):
            call()
    with pytest.raises(cl.InsufficientDataError, match="no cohort to learn"):
        SPEC.backtest(history(), last=40)
    many = pd.concat([history(groups=1, weeks=8).assign(community=f"C{k}") for k in range(140)])
    with pytest.raises(cl.ConfigError, match="at most 400 levers"):
        SPEC.fit(many)
