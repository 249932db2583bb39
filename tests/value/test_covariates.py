"""Covariates that do not change with time: known effects come back, and what cannot be one is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from commlife.errors import ConfigError, InsufficientDataError, SchemaError
from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, frequency_check, value_totals

BASE = {"BetaGeo": (0.6, 5.0, 0.8, 2.4), "ModifiedBetaGeo": (0.6, 6.0, 0.9, 1.6), "ParetoNBD": (0.6, 8.0, 0.8, 12.0)}
SPECS = [BetaGeo, ModifiedBetaGeo, ParetoNBD]
by_name = pytest.mark.parametrize("model", SPECS, ids=lambda model: model.__name__)
COVARIATES = {"purchase_covariates": ("app",), "dropout_covariates": ("km",)}


def drawn(model: Any, *, users: int, seed: int) -> pd.DataFrame:
    """Users of the app buy e^0.5 times as often; each km more makes them leave e^0.3 times as soon."""
    rng = np.random.default_rng(seed)
    app, km = rng.integers(0, 2, users).astype(float), 3 + rng.integers(0, 5, users) / 2
    r, alpha, third, fourth = BASE[model.__name__]
    if model is ParetoNBD:
        dropout = [third, fourth * np.exp(-0.3 * (km - 3))]
    else:
        dropout = [third * np.exp(0.3 * (km - 3)), fourth]
    T = rng.integers(200, 301, users).astype(float)
    x, t_x = model.kernel.draw([r, alpha * np.exp(-0.5 * app), *dropout], rng, T / 7)
    t_x = np.where(x > 0, np.clip(np.round(t_x * 7), 1, T), 0.0)
    return pd.DataFrame({"user_id": np.arange(users), "x": x, "t_x": t_x, "T": T, "app": app, "km": km})


@by_name
def test_known_effects_come_back(model: Any) -> None:
    summary = drawn(model, users=25_000, seed=2)
    fitted = model(**COVARIATES).fit(summary)
    table = fitted.coefficients()
    truth = [0.5, 0.3] if model is ParetoNBD else [0.5, 0.3, 0.0]
    assert (np.abs(table["coefficient"] - truth) < 3.5 * table["standard_error"]).all()
    assert table["standard_error"].max() < 0.12
    assert table["p_value"][0] < 1e-6
    plain = model().fit(summary)
    assert fitted.log_likelihood > plain.log_likelihood + 50
    assert fitted.score(summary) == pytest.approx(fitted.log_likelihood, rel=1e-10)
    # The common parameters are those of a user whose covariates are 0: here r alone is not moved by them.
    assert abs(fitted.params["r"] - 0.6) < 4 * fitted.standard_errors["r"]


@by_name
def test_intervals_of_coefficients_hold_the_truth_at_their_rate(model: Any) -> None:
    """30 samples; 24 and more of 30 has probability .9997 where the rate is 95%."""
    truth = np.array([0.5, 0.3] if model is ParetoNBD else [0.5, 0.3, 0.0])
    inside = np.zeros(truth.size)
    for seed in range(30):
        table = model(**COVARIATES).fit(drawn(model, users=1200, seed=100 + seed)).coefficients()
        inside += ((table["low"] < truth) & (truth < table["high"])).to_numpy()
    assert (inside >= 24).all(), inside


@by_name
def test_the_gradient_is_that_of_the_likelihood(model: Any) -> None:
    """Moved coefficients change the likelihood by what the analytic gradient says: it is flat at the estimate."""
    summary = drawn(model, users=1500, seed=4)
    fitted = model(**COVARIATES).fit(summary)
    top = fitted.log_likelihood
    for i in range(len(fitted.effects.values)):
        for step in (-1e-3, 1e-3):
            moved = list(fitted.effects.values)
            moved[i] += step
            other = fitted.model_copy(update={"effects": fitted.effects.model_copy(update={"values": tuple(moved)})})
            assert -0.05 < other.score(summary) - top <= 1e-9


@by_name
def test_predictions_follow_the_covariates(model: Any) -> None:
    summary = drawn(model, users=4000, seed=5)
    fitted = model(**COVARIATES).fit(summary)
    new = pd.DataFrame({"user_id": [1, 2, 3], "x": 0, "t_x": 0, "T": 1, "app": [0, 1, 0], "km": [3, 3, 5.0]})
    told = fitted.expected_purchases(new, horizon="180D")["expected_purchases"]
    assert told[1] > 1.2 * told[0]
    assert told[2] < told[0]
    assert fitted.p_alive(new)["p_alive"].between(0, 1).all()
    assert fitted.median_days_to_next_order(summary).shape == (4000, 2)
    distribution = fitted.purchase_distribution(new, horizon="90D", most=5).drop(columns="user_id")
    assert np.allclose(distribution.sum(axis=1), 1)
    by_count = distribution.filter(regex=r"p_\d").to_numpy() @ np.arange(6)
    assert (by_count <= fitted.expected_purchases(new, horizon="90D")["expected_purchases"] + 1e-9).all()
    check = frequency_check(fitted, summary).table
    assert np.abs(check["expected"] / check["users"] - 1).max() < 0.3
    assert type(fitted).from_json(fitted.to_json()) == fitted


@by_name
def test_scale_and_origin_of_a_covariate_do_not_matter(model: Any) -> None:
    summary = drawn(model, users=3000, seed=6)
    one = model(**COVARIATES).fit(summary)
    metres = summary.assign(km=1000.0 * (summary["km"] - 3))
    other = model(**COVARIATES).fit(metres.sample(frac=1, random_state=1))
    factor = np.where(one.coefficients()["covariate"] == "km", 1000.0, 1.0)
    again = (other.coefficients()["coefficient"] * factor).to_numpy()
    assert again == pytest.approx(one.coefficients()["coefficient"].to_numpy(), rel=1e-4, abs=1e-5)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    ours = one.p_silent(summary, horizon="28D")["p_silent"]
    assert other.p_silent(metres, horizon="28D")["p_silent"].to_numpy() == pytest.approx(ours.to_numpy(), rel=1e-5)


def test_what_cannot_be_a_covariate_is_told() -> None:
    summary = drawn(BetaGeo, users=500, seed=1)
    with pytest.raises(InsufficientDataError, match="same for all users"):
        BetaGeo(purchase_covariates=("app",)).fit(summary.assign(app=1))
    with pytest.raises(InsufficientDataError, match="follow from one another"):
        BetaGeo(purchase_covariates=("app", "web")).fit(summary.assign(web=1 - summary["app"]))
    with pytest.raises(SchemaError, match="not_finite") as caught:
        BetaGeo(purchase_covariates=("app", "km")).fit(summary.assign(app="yes", km=np.nan))
    assert caught.value.faults["fault"].tolist() == ["not_a_number", "not_finite"]
    with pytest.raises(SchemaError, match="missing_column"):
        BetaGeo(purchase_covariates=("age",)).fit(summary)
    with pytest.raises(ConfigError, match="each column once"):
        BetaGeo(purchase_covariates=("app", "app"))
    with pytest.raises(ConfigError, match="without covariates"):
        BetaGeo().fit(summary).coefficients()


def test_intervals_stay_above_zero_and_widen_with_the_level() -> None:
    fitted = BetaGeo().fit(drawn(BetaGeo, users=800, seed=1))
    wide, narrow = fitted.intervals(0.99), fitted.intervals(0.8)
    assert (wide["low"] > 0).all()
    assert (wide["low"] < narrow["low"]).all()
    assert (narrow["low"] < narrow["estimate"]).all()
    assert (narrow["high"] < wide["high"]).all()
    for level in (0, 1, True, "95%"):
        with pytest.raises(ConfigError, match="level"):
            fitted.intervals(level)


@by_name
def test_intervals_of_totals_do_not_ask_in_which_unit_a_covariate_comes(model: Any) -> None:
    summary = drawn(model, users=1500, seed=6)
    rng = np.random.default_rng(2)
    spent = rng.gamma(6.0 * summary["x"].clip(lower=1)) / summary["x"].clip(lower=1) / rng.gamma(4.0, 1 / 15.0, 1500)
    summary = summary.assign(m_x=np.where(summary["x"] > 0, spent, np.nan))
    metres = summary.assign(km=1000.0 * summary["km"])
    spend = GammaGamma().fit(summary)
    names = ["value", "se_parameters", "se_chance", "low", "high"]
    one, other = (
        value_totals(model(**COVARIATES).fit(data), spend, data, horizon="91D").table[names].iloc[-1]
        for data in (summary, metres)
    )
    assert (one > 0).all()
    assert other.to_numpy() == pytest.approx(one.to_numpy(), rel=1e-3)
    # Coefficients that are estimated too do not change the order of what is uncertain.
    bare = value_totals(model().fit(summary), spend, summary, horizon="91D").table["se_parameters"].iloc[-1]
    assert 0.5 * bare < one["se_parameters"] < 2.0 * bare
