"""Reasons in probability: the exact mode against brute force, the fast mode marked, shap's own format."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife.churn import FittedSilenceModel
from commlife.churn.shapley import probability_shapley
from commlife.datasets import Community
from commlife.errors import ConfigError


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.integers(1, 3))
def test_exact_values_are_means_over_all_orders_of_the_players(seed: int, k: int) -> None:
    """Shapley's definition by brute force: each player's mean gain over every order in which players may come."""
    rng = np.random.default_rng(seed)
    values, background = rng.normal(size=(2, 6)), rng.normal(size=(5, 6))
    group_of = np.array([0, 0, 1, 2, 3, 3])
    slope = rng.normal(size=6)

    def forecast(table: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(table @ slope + table[:, 0] * table[:, 3])))

    players = np.array([rng.permutation(4)[:k] for _ in values])
    told, base = probability_shapley(values, players, group_of, background, forecast)
    assert base == pytest.approx(forecast(background).mean())
    for user, mine in enumerate(players):
        parts = [np.flatnonzero(group_of == group) for group in mine]
        parts.append(np.flatnonzero(~np.isin(group_of, mine)))
        gain = np.zeros(k + 1)
        orders = list(itertools.permutations(range(k + 1)))
        for order in orders:
            table = background.copy()
            before = forecast(table).mean()
            for player in order:
                table[:, parts[player]] = values[user, parts[player]]
                after = forecast(table).mean()
                gain[player] += after - before
                before = after
        np.testing.assert_allclose(told[user], gain / len(orders), atol=1e-12)


def test_exact_reasons_add_up_and_the_fast_ones_say_about(world: Community, model: FittedSilenceModel) -> None:
    call = {"as_of": world.as_of, "users": 0.1, "k": 2}
    fast, exact = (model.reasons(world.log, **call, mode=mode) for mode in ("fast", "exact"))
    for told in (fast, exact):
        sums = told.groupby("user_id").agg(b=("p_base", "first"), c=("contribution_pp", "sum"), p=("p_silent", "first"))
        np.testing.assert_allclose(sums["b"] + sums["c"], sums["p"], rtol=0, atol=1e-12)
    assert fast.columns.tolist() == exact.columns.tolist()
    np.testing.assert_array_equal(fast["p_silent"], exact["p_silent"])
    assert fast["sentence"].str.contains("about ").all()
    assert not exact["sentence"].str.contains("about ").any()
    chinese = model.reasons(world.log, **call, lang="zh")
    assert chinese["sentence"].str.contains("约").all()
    # Both tell the same story: the points differ, their order of size hardly.
    same = fast[fast["reason_rank"] == 1].merge(exact[exact["reason_rank"] == 1], on="user_id")
    assert (same["driver_x"] == same["driver_y"]).mean() > 0.7
    assert same["contribution_pp_x"].corr(same["contribution_pp_y"]) > 0.7


def test_one_user_explained_exactly(model: FittedSilenceModel) -> None:
    row = dict(zip(model.forest.names, model.reference.X[-1].tolist(), strict=True))
    told = model.explain_one(row, mode="exact")
    assert told.mode == "exact"
    assert told.p_base + sum(told.contributions) + told.rest == pytest.approx(told.p_silent, abs=1e-12)
    assert model.explain_one(row).rest == 0
    assert model.plot.waterfall(row, mode="exact").get_title(loc="left")


def test_wrong_modes_are_refused(world: Community, model: FittedSilenceModel) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'exact'"):
        model.reasons(world.log, as_of=world.as_of, mode="exct")
    with pytest.raises(ConfigError, match="at most 8 reasons"):
        model.reasons(world.log, as_of=world.as_of, k=9, mode="exact")


def test_contributions_in_the_format_of_shap(world: Community, model: FittedSilenceModel) -> None:
    told = model.to_shap()
    p = 1 / (1 + np.exp(-(told.base_values + told.values.sum(axis=1))))
    X = model.reference.X
    np.testing.assert_allclose(p, model.calibration.probability(model.forest.margin(X)), atol=1e-9)
    assert told.feature_names == [feature.en for feature in model.features]
    of_log = model.to_shap(world.log, as_of=world.as_of, lang="zh")
    assert len(of_log.values) == len(model.predict(world.log, as_of=world.as_of))
    with pytest.raises(ConfigError, match="together with its as_of"):
        model.to_shap(world.log)
