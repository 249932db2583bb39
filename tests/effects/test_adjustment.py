"""Adjusted effects: recovery of known effects, honest errors, caveats, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from commlife.effects import adjusted_effect
from commlife.effects._nuisance import deal_folds
from commlife.effects.adjustment import _caveats
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning, SchemaError


def targeted(n: int, seed: int, strength: float = 1.0) -> pd.DataFrame:
    """A coupon given to those who are away for long; it brings 1 + away/2, and those away spend less anyway."""
    rng = np.random.default_rng(seed)
    away, size = rng.normal(size=n), rng.normal(size=n)
    chance = 1 / (1 + np.exp(-strength * away))
    coupon = rng.random(n) < chance
    spend = coupon * (1 + away / 2) - 2 * away + size + rng.normal(size=n)
    return pd.DataFrame({"away": away, "size": size, "coupon": coupon, "spend": spend, "chance": chance})


CALL = {"treatment": "coupon", "outcome": "spend", "covariates": ["away", "size"]}


def test_intervals_cover_the_known_effect() -> None:
    """80 logs with the effect 1 on average: 95% intervals hold it in 70 or more of them; the raw gap never does."""
    held, raw = 0, 0
    for seed in range(80):
        effect = adjusted_effect(targeted(500, seed), **CALL)
        held += effect.effect_size_ci_lower <= 1 <= effect.effect_size_ci_upper
        raw += effect.raw_difference > 0.5
    assert 70 <= held <= 80
    assert raw == 0


def test_the_effect_among_the_treated_is_its_own() -> None:
    frame = targeted(20_000, 1)
    truth = 1 + frame["away"][frame["coupon"]].mean() / 2
    effect = adjusted_effect(frame, **CALL, estimand="treated")
    assert effect.effect_size == pytest.approx(truth, abs=4 * effect.standard_error)
    assert truth > 1.15
    assert effect.standard_error < 0.05


def test_boosting_follows_a_bent_world() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=4_000)
    coupon = rng.random(4_000) < np.where(np.abs(x) > 1, 0.8, 0.3)
    frame = pd.DataFrame(
        {"x": x, "coupon": coupon, "spend": 1.0 * coupon + 3 * (np.abs(x) > 1) + rng.normal(size=4_000)}
    )
    bent = adjusted_effect(frame, treatment="coupon", outcome="spend", covariates=["x"], learner="boosting")
    straight = adjusted_effect(frame, treatment="coupon", outcome="spend", covariates=["x"])
    assert bent.effect_size == pytest.approx(1, abs=0.15)
    assert straight.effect_size > 1.5


def test_balance_and_overlap_are_told() -> None:
    effect = adjusted_effect(targeted(4_000, 2), **CALL)
    table = effect.balance.set_index("covariate")
    assert table.loc["away", "raw"] > 0.8
    assert abs(table.loc["away", "adjusted"]) < 0.1
    assert effect.treated + effect.controls + effect.trimmed == 4_000
    assert effect.effective_treated < effect.treated
    assert effect.propensity["group"].tolist() == ["treated", "control"]
    assert effect.to_frame()["effect_size"][0] == effect.effect_size
    assert "raw" in repr(effect)


def test_bad_overlap_warns() -> None:
    with pytest.warns(ModelWarning) as caught:
        adjusted_effect(targeted(3_000, 0, strength=4.0), **CALL)
    assert any("almost no counterpart" in str(one.message) for one in caught)


def test_groups_that_stay_unlike_warn() -> None:
    with pytest.warns(ModelWarning, match="still differ by 0.40 standard deviations in 'x2'"):
        _caveats(pd.DataFrame({"covariate": ["x", "x2"], "adjusted": [0.0, -0.4]}), 0.02, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _caveats(pd.DataFrame({"covariate": ["x"], "adjusted": [0.12]}), 0.05, 0.0)


def test_clusters_widen_the_interval_and_rows_may_be_shuffled() -> None:
    frame = targeted(600, 4)
    frame["estate"] = np.repeat(np.arange(30), 20)
    frame["spend"] += np.repeat(np.random.default_rng(0).normal(0, 2, 30), 20)
    frame["coupon"] = np.repeat(np.arange(30) % 2, 20)
    plain, robust = adjusted_effect(frame, **CALL), adjusted_effect(frame, **CALL, cluster="estate")
    assert robust.standard_error > 1.5 * plain.standard_error
    shuffled = adjusted_effect(frame.sample(frac=1, random_state=1), **CALL)
    assert shuffled.effect_size == pytest.approx(plain.effect_size, rel=1e-10)
    with pytest.raises(InsufficientDataError, match="at least 4 clusters"):
        adjusted_effect(frame.assign(estate=1), **CALL, cluster="estate")


def test_a_cluster_is_never_split_between_folds_whatever_it_is_called() -> None:
    """Clusters share a fold, folds share out treated and others evenly, and neither order nor names matter."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(200), rng.integers(1, 5, 200))
    x = rng.normal(size=(200, 2))[cluster]
    y, arm = rng.normal(size=len(cluster)), rng.integers(0, 2, len(cluster))
    fold = deal_folds(x, y, arm, 5, 1, cluster=cluster)
    of_cluster = pd.Series(fold).groupby(cluster)
    assert (of_cluster.nunique() == 1).all()
    assert set(of_cluster.first().value_counts()) == {40}
    treated = pd.Series(arm).groupby(fold).mean()
    assert treated.max() - treated.min() < 0.15
    shuffle, renamed = rng.permutation(len(cluster)), rng.permutation(200)
    again = deal_folds(x[shuffle], y[shuffle], arm[shuffle], 5, 1, cluster=renamed[cluster[shuffle]])
    np.testing.assert_array_equal(again, fold[shuffle])


def test_users_seen_many_times_do_not_teach_the_model_their_own_outcome() -> None:
    """A flexible model that meets a user in other folds knows the user's own outcome by its covariates alone.

    Each of 150 users comes 8 times with the same covariates and one level of spend of its own: with a user's rows over
    all folds the residuals shrink far below the spread of users; with whole users in folds they do not.
    """
    rng = np.random.default_rng(5)
    users = pd.DataFrame({"user": np.arange(150), "away": rng.normal(size=150), "own": rng.normal(0, 3, 150)})
    frame = users.loc[np.repeat(users.index, 8)].reset_index(drop=True)
    frame["coupon"] = rng.integers(0, 2, len(frame))
    frame["spend"] = frame["own"] + frame["coupon"] + rng.normal(0, 0.3, len(frame))
    call = {"treatment": "coupon", "outcome": "spend", "covariates": ["away"], "learner": "boosting"}
    leaky, clean = adjusted_effect(frame, **call), adjusted_effect(frame, **call, cluster="user")
    variance = frame["own"].var() + 0.09
    assert leaky.sensitivity.residual_variance < 0.7 * variance
    assert clean.sensitivity.residual_variance > 0.95 * variance
    assert clean.effect_size_ci_lower <= 1 <= clean.effect_size_ci_upper


def test_constant_covariates_leave_the_raw_difference() -> None:
    frame = targeted(1_000, 5, strength=0.0).assign(away=1.0)
    effect = adjusted_effect(frame, treatment="coupon", outcome="spend", covariates=["away"])
    assert effect.effect_size == pytest.approx(effect.raw_difference, abs=0.02)
    assert len(effect.balance) == 0


@pytest.mark.parametrize(
    ("change", "call", "error", "message"),
    [
        ({"coupon": 2}, {}, ConfigError, "0 or 1"),
        ({}, {"covariates": []}, ConfigError, "at least one"),
        ({}, {"covariates": "away"}, ConfigError, "list"),
        ({}, {"covariates": ["awai"]}, ConfigError, "Did you mean 'away'"),
        ({}, {"estimand": "ate"}, ConfigError, "estimand"),
        ({}, {"learner": "forest"}, ConfigError, "learner"),
        ({}, {"trim": 0.6}, ConfigError, "trim"),
        ({}, {"folds": 1}, ConfigError, "folds"),
        ({"spend": np.nan}, {}, SchemaError, "missing|NaN"),
        ({"coupon": [1] * 5 + [0] * 95}, {}, InsufficientDataError, "smaller group has 5"),
        ({}, {"trim": 0.4999}, InsufficientDataError, "nobody is left"),
    ],
)
def test_bad_input_is_told(change, call, error, message) -> None:
    frame = targeted(100, 0).assign(**change)
    with pytest.raises(error, match=message):
        adjusted_effect(frame, **{**CALL, **call})
