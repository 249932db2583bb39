"""The whole loop on a world with known truth: a trial, a model, a plan, the plan measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from commlife.coupons import allocate
from commlife.effects import Uplift, assign, compare, off_policy_value, sample_ratio

FACE = {"five": 5.0, "ten": 10.0}


def world(users: int, seed: int) -> pd.DataFrame:
    """Margins per user: those away for long are changed by a coupon, regulars use it without buying more."""
    rng = np.random.default_rng(seed)
    away, size = rng.gamma(2, 15, users), rng.lognormal(2.5, 0.4, users)
    base = 1 / (1 + away / 20)
    effects = {name: 0.6 * size * (away > 30) * (face / 10) ** 0.5 - 0.3 * (away < 10) for name, face in FACE.items()}
    frame = pd.DataFrame({"user_id": np.arange(users), "away": away, "size": size, "base": base * size})
    for name, effect in effects.items():
        frame[f"true_{name}"] = effect
        frame[f"cost_{name}"] = FACE[name] * np.clip(0.1 + 0.5 * base, 0, 1)
    return frame


@pytest.fixture(scope="module")
def loop():
    past, future = world(9_000, 0), world(6_000, 1)
    past["arm"] = assign(past["user_id"], salt="trial", shares={"none": 0.4, "five": 0.3, "ten": 0.3})
    true = np.select([past["arm"] == name for name in FACE], [past[f"true_{name}"] for name in FACE], 0.0)
    past["margin"] = past["base"] + true + np.random.default_rng(2).normal(0, 3, len(past))
    call = {"treatment": "arm", "control": "none", "outcome": "margin"}
    model = Uplift(trees=60).fit(past, **call, features=["away", "size"], propensity="randomised")
    cost = future[[f"cost_{name}" for name in FACE]].to_numpy()
    plan = allocate(model.predict(future)[list(FACE)], cost, 4_000.0)
    return past, future, cost, plan


def true_value(future: pd.DataFrame, choice: np.ndarray) -> float:
    truth = future[[f"true_{name}" for name in FACE]].to_numpy()
    rows = np.flatnonzero(choice >= 0)
    return float(truth[rows, choice[rows]].sum())


def spend_in_order(cost: np.ndarray, order: np.ndarray, budget: float) -> np.ndarray:
    """Everybody gets the larger coupon, in this order, until the money is gone."""
    choice = np.full(len(cost), -1)
    choice[order[np.cumsum(cost[order, 1]) <= budget]] = 1
    return choice


def test_the_plan_beats_the_rule_of_thumb_and_chance(loop) -> None:
    _, future, cost, plan = loop
    ours = true_value(future, plan.choice)
    regulars = true_value(future, spend_in_order(cost, np.argsort(-future["base"].to_numpy()), 4_000.0))
    largest = true_value(future, spend_in_order(cost, np.argsort(-future["size"].to_numpy()), 4_000.0))
    chance = true_value(future, spend_in_order(cost, np.random.default_rng(3).permutation(len(cost)), 4_000.0))
    assert ours > 1.3 * largest
    assert ours > 1.3 * chance
    assert ours > 1.3 * regulars
    best = allocate(future[[f"true_{name}" for name in FACE]].to_numpy(), cost, 4_000.0)
    assert ours > 0.85 * best.value


def test_a_plan_promises_more_than_it_keeps(loop) -> None:
    """The optimiser's curse: a plan picks where values were overestimated."""
    _, future, _, plan = loop
    assert plan.value > true_value(future, plan.choice)


def test_the_trial_reads_the_true_effects_and_values_another_policy(loop) -> None:
    past, _, _, _ = loop
    assert sample_ratio(past, treatment="arm", ratio={"none": 4, "five": 3, "ten": 3}).pvalue > 0.001
    result = compare(past, treatment="arm", control="none", outcome="margin", covariate="base").set_index("arm")
    for name in FACE:
        row = result.loc[name]
        assert row.effect_size == pytest.approx(past[f"true_{name}"].mean(), abs=4 * row.standard_error)
    policy = np.where(past["away"] > 30, "ten", "none")
    value = off_policy_value(
        past, treatment="arm", outcome="margin", policy=policy, propensity="randomised", covariates=["away", "size"]
    )
    truth = float((past["base"] + past["true_ten"] * (past["away"] > 30)).mean())
    assert value.dr == pytest.approx(truth, abs=4 * value.standard_errors["dr"])
    assert value.standard_errors["dr"] < value.standard_errors["ips"]
