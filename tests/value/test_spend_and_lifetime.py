"""Spend and lifetime value: limits, closed forms of the literature, and what happens at the edges."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

from commlife.errors import ConfigError, ModelWarning, PersistenceError
from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, ShiftedBetaGeo, lifetime_value

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


@by_name
def test_without_discount_it_is_orders_times_spend_times_margin(cdnow: pd.DataFrame, spec: Any) -> None:
    model, spend = spec.fit(cdnow), GammaGamma().fit(cdnow)
    worth = lifetime_value(model, spend, cdnow, horizon="200D", annual_discount=0, margin=0.3)["lifetime_value"]
    orders = model.expected_purchases(cdnow, horizon="200D")["expected_purchases"]
    assert np.allclose(worth, 0.3 * orders * spend.expected_spend(cdnow)["expected_spend"], rtol=1e-12)


@by_name
def test_the_discount_is_that_of_each_day(cdnow: pd.DataFrame, spec: Any) -> None:
    """The sum over days of expected orders, each worth 1.1 ** (-day / 365)."""
    some = cdnow.sample(20, random_state=1)
    model, spend = spec.fit(cdnow), GammaGamma().fit(cdnow)
    until = [np.zeros(len(some))]
    until += [
        model.expected_purchases(some, horizon=f"{d}D")["expected_purchases"].to_numpy() for d in range(5, 366, 5)
    ]
    daily = np.diff(np.stack(until), axis=0)
    by_hand = (daily * 1.1 ** (-(5 * np.arange(73) + 2.5)[:, None] / 365)).sum(axis=0)
    by_hand *= 0.2 * spend.expected_spend(some)["expected_spend"].to_numpy()
    worth = lifetime_value(model, spend, some, horizon="365D", annual_discount=0.1, margin=0.2)["lifetime_value"]
    assert np.allclose(worth, by_hand, rtol=1e-5)


def test_a_long_horizon_tends_to_dert(cdnow: pd.DataFrame) -> None:
    """Fader, Hardie & Lee (2005), "RFM and CLV", equation 2: discounted expected residual transactions of Pareto/NBD."""
    model, spend = ParetoNBD().fit(cdnow), GammaGamma().fit(cdnow)
    some = cdnow[cdnow["x"] > 1].head(12)
    orders = lifetime_value(model, spend, some, horizon="99999D", annual_discount=0.15)["lifetime_value"]
    orders = orders.to_numpy() / spend.expected_spend(some)["expected_spend"].to_numpy()
    r, alpha, s, beta = (mp.mpf(model.params[name]) for name in ("r", "alpha", "s", "beta"))
    delta = mp.log("1.15") / 365 * 7
    alive = model.p_alive(some)["p_alive"].tolist()
    for row, p_alive, told in zip(some.itertuples(), alive, orders, strict=True):
        T = mp.mpf(int(row.T)) / 7
        psi = mp.hyperu(s, s, delta * (beta + T))
        dert = p_alive * (r + row.x) / (alpha + T) * delta ** (s - 1) * (beta + T) ** s * psi
        assert told == pytest.approx(float(dert), rel=2e-4)


def test_value_falls_with_the_discount_and_grows_with_the_horizon(cdnow: pd.DataFrame) -> None:
    bg, gg = BetaGeo().fit(cdnow), GammaGamma().fit(cdnow)
    plain = lifetime_value(bg, gg, cdnow, horizon="365D")["lifetime_value"]
    assert (lifetime_value(bg, gg, cdnow, horizon="365D", annual_discount=0.3)["lifetime_value"] < plain).all()
    assert (lifetime_value(bg, gg, cdnow, horizon="730D")["lifetime_value"] > plain).all()


def test_expected_spend_lies_between_the_own_mean_and_the_populations(cdnow: pd.DataFrame) -> None:
    gg = GammaGamma().fit(cdnow)
    told = gg.expected_spend(cdnow)["expected_spend"]
    once = cdnow["x"] == 0
    assert np.allclose(told[once], gg.population_mean)
    own, away = cdnow["m_x"][~once], told[~once]
    assert ((away - own) * (away - gg.population_mean) <= 1e-9).all()


def heavy() -> pd.DataFrame:
    """Spends with so long a tail that their mean is infinite: q below 1."""
    rng = np.random.default_rng(2)
    x = 1 + rng.poisson(1.0, 3000)
    spend = rng.gamma(6.0 * x) / x / rng.gamma(0.7, 1.0, x.size)
    table = pd.DataFrame({"user_id": np.arange(3000), "x": x, "t_x": x, "T": x + 9, "m_x": spend})
    return pd.concat([table, pd.DataFrame({"user_id": [-1], "x": [0], "t_x": [0], "T": [5], "m_x": [np.nan]})])


def test_an_infinite_mean_is_null_and_told() -> None:
    gg = GammaGamma().fit(heavy())
    assert gg.params["q"] < 1
    assert gg.population_mean == float("inf")
    with pytest.warns(ModelWarning, match="expected spend is null"):
        told = gg.expected_spend(heavy())["expected_spend"]
    assert told.isna().tolist() == [False] * 3000 + [True]


def test_free_and_refunded_repeats_are_left_out_and_valued_at_no_less_than_zero(cdnow: pd.DataFrame) -> None:
    some = cdnow.copy()
    repeat = some.index[some["x"] > 0]
    some.loc[repeat[:5], "m_x"] = 0.0
    some.loc[repeat[5:9], "m_x"] = -12.0
    gg = GammaGamma().fit(some)
    assert gg.left_out == {"no_repeat": 1411, "no_positive_spend": 9}
    assert gg.fitted_on.users == 937
    assert (gg.expected_spend(some)["expected_spend"] > 0).all()
    some.loc[repeat[:200], "m_x"] = -1.0
    with pytest.warns(ModelWarning, match="left out 200 of 946"):
        GammaGamma().fit(some)


def test_users_whose_orders_are_all_alike_reach_a_bound() -> None:
    x = np.arange(1, 41)
    table = pd.DataFrame({"x": x, "t_x": x, "T": 90, "m_x": 10.0 + 1e-7 * x})
    with pytest.warns(ModelWarning, match="grows up to the bound"):
        fitted = GammaGamma().fit(table)
    assert fitted.population_mean == pytest.approx(10, rel=1e-2)


def test_sbg_curve_and_residual_lifetime() -> None:
    """Fader & Hardie (2010): the discounted sum of survival, here added up to 20,000 periods."""
    fitted = ShiftedBetaGeo().fit([100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1])
    curve = fitted.curve(20_000)
    assert curve["survival"].iloc[:2].tolist() == pytest.approx([1.0, 3.8061 / 4.4742], rel=1e-4)
    assert np.isnan(curve["retention"].iloc[0])
    assert np.allclose(curve["survival"].iloc[1:] / curve["survival"].to_numpy()[:-1], curve["retention"].iloc[1:])
    for age in (0, 3):
        left = curve["survival"].to_numpy()[age:] / curve["survival"].iloc[age]
        by_hand = (left * 1.1 ** -np.arange(left.size, dtype=float)).sum()
        assert fitted.residual_lifetime(age, discount=0.1) == pytest.approx(by_hand, rel=1e-10)
    assert "alpha=0.668" in str(fitted)
    assert ShiftedBetaGeo().fit(np.array([100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1])) == fitted
    assert type(fitted).from_json(fitted.to_json()) == fitted
    with pytest.raises(PersistenceError, match="positive and finite"):
        type(fitted).from_json(fitted.to_json().replace('"alpha": ', '"alpha": -', 1))


def test_sbg_takes_several_cohorts_of_any_length() -> None:
    alone = ShiftedBetaGeo().fit([1000, 631, 468, 382, 326])
    both = ShiftedBetaGeo().fit([[1000, 631, 468, 382, 326], [1000, 631, 468, np.nan, np.nan], [1000, 631]])
    assert both.params == pytest.approx(alone.params, rel=0.1)
    assert both.standard_errors["alpha"] < alone.standard_errors["alpha"]


def test_sbg_with_constant_retention_is_told() -> None:
    with pytest.warns(ModelWarning, match="bound"):
        ShiftedBetaGeo().fit([1024, 512, 256, 128, 64, 32])


@pytest.mark.parametrize("periods", [0, True, 2.5, 100_001])
def test_sbg_periods_are_whole(periods: Any) -> None:
    with pytest.raises(ConfigError, match="periods"):
        ShiftedBetaGeo().fit([100, 60, 40, 30]).curve(periods)


@pytest.mark.parametrize(
    ("age", "discount", "text"),
    [(-1, 0.1, "age"), (True, 0.1, "age"), (0, 0, "discount"), (0, "x", "discount"), (0, True, "discount")],
)
def test_sbg_residual_checks_its_arguments(age: Any, discount: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ShiftedBetaGeo().fit([100, 60, 40, 30]).residual_lifetime(age, discount=discount)
