"""Predictions: against a peer where it is right, against simulated futures, and against each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife.errors import ConfigError
from commlife.value import BetaGeo, FittedBetaGeo, FittedModifiedBetaGeo, FittedParetoNBD, ModifiedBetaGeo, ParetoNBD
from commlife.value.purchases import FittedPurchaseModel

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
TRUTH = {
    "BetaGeo": {"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 2.0},
    "ModifiedBetaGeo": {"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 2.0},
    "ParetoNBD": {"r": 0.8, "alpha": 6.0, "s": 1.0, "beta": 20.0},
}


def fitted_with(spec: Any, params: dict[str, float]) -> FittedPurchaseModel:
    """A fitted object with given parameters, per week."""
    kind = {"BetaGeo": FittedBetaGeo, "ModifiedBetaGeo": FittedModifiedBetaGeo, "ParetoNBD": FittedParetoNBD}
    return kind[type(spec).__name__](
        spec=spec,
        params=params,
        standard_errors=dict.fromkeys(params, 0.1),
        log_covariance=((0.0,) * 4,) * 4,
        log_likelihood=-1.0,
        time_unit="7D",
        fitted_on={"as_of": None, "rows": 1, "users": 1, "version": "0"},
    )


@pytest.fixture(scope="module")
def peer() -> Callable[..., Any]:
    """Fits a model of lifetimes; its warnings are its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lifetimes = pytest.importorskip("lifetimes")

    def fit(name: str, summary: pd.DataFrame) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(lifetimes, name)().fit(summary["x"], summary["t_x"] / 7, summary["T"] / 7)

    return fit


@pytest.mark.parametrize(
    ("spec", "name"), list(zip(SPECS, ["BetaGeoFitter", "ModifiedBetaGeoFitter", "ParetoNBDFitter"], strict=True))
)
def test_agreement_with_lifetimes_on_cdnow(cdnow: pd.DataFrame, peer: Callable[..., Any], spec: Any, name: str) -> None:
    theirs = peer(name, cdnow)
    model = fitted_with(spec, dict(zip(spec.kernel.box.names, theirs.params_.to_numpy(), strict=True)))
    history = (cdnow["x"], cdnow["t_x"] / 7, cdnow["T"] / 7)
    ahead = model.expected_purchases(cdnow, horizon="273D")["expected_purchases"]
    assert np.allclose(ahead, theirs.conditional_expected_number_of_purchases_up_to_time(39, *history), rtol=1e-6)
    assert np.allclose(model.p_alive(cdnow)["p_alive"], theirs.conditional_probability_alive(*history), rtol=1e-6)
    if name == "ParetoNBDFitter":
        table = model.purchase_distribution(cdnow, horizon="91D", most=3)
        for k in range(4):
            expected = theirs.conditional_probability_of_n_purchases_up_to_time(k, 13, *history)
            assert np.allclose(table[f"p_{k}"], expected, atol=1e-6)


def simulate_future(spec: Any, p: dict[str, float], rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """A process written again from the stories of the papers: 26 weeks seen, then 13 weeks counted."""
    n, seen, end = 150_000, 26.0, 39.0
    rate = rng.gamma(p["r"], 1 / p["alpha"], n)
    if "s" in p:
        life, leave = rng.exponential(1, n) / rng.gamma(p["s"], 1 / p["beta"], n), np.zeros(n)
    else:
        life, leave = np.full(n, np.inf), rng.beta(p["a"], p["b"], n)
    now, x, t_x, later = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    going = np.ones(n, dtype=bool)
    if isinstance(spec, ModifiedBetaGeo):
        going &= rng.random(n) >= leave
    while going.any():
        now = now + rng.exponential(1, n) / rate
        buys = going & (now <= np.minimum(life, end))
        x += buys & (now <= seen)
        t_x = np.where(buys & (now <= seen), now, t_x)
        later += buys & (now > seen)
        going = buys & (rng.random(n) >= leave)
    return pd.DataFrame({"user_id": np.arange(n), "x": x, "t_x": t_x * 7, "T": seen * 7}), later


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_simulated_futures_come_as_foreseen(spec: Any) -> None:
    truth = TRUTH[type(spec).__name__]
    summary, later = simulate_future(spec, truth, np.random.default_rng(3))
    model = fitted_with(spec, truth)
    table = model.purchase_distribution(summary, horizon="91D", most=2)
    table["expected"] = model.expected_purchases(summary, horizon="91D")["expected_purchases"]
    late = summary["t_x"] > 91
    for x in (0, 1, 2, 4):
        for recent in (late, ~late):
            rows = (summary["x"] == x) & recent
            n = int(rows.sum())
            if n < 300:
                continue
            gap = table["expected"][rows].mean() - later[rows].mean()
            assert abs(gap) < 4.5 * later[rows].std() / np.sqrt(n) + 1e-3
            for k in range(3):
                share = (later[rows] == k).mean()
                assert abs(table[f"p_{k}"][rows].mean() - share) < 4.5 * np.sqrt(share * (1 - share) / n) + 1e-3


params = st.tuples(*(st.floats(np.log(0.1), np.log(20)).map(lambda v: float(np.exp(v))) for _ in range(4)))


@st.composite
def histories(draw: st.DrawFn) -> pd.DataFrame:
    rows = []
    for i in range(draw(st.integers(1, 6))):
        T = draw(st.integers(1, 1825))
        x = draw(st.integers(0, min(T, 60)))
        rows.append((f"u{i}", x, draw(st.integers(x, T)) if x else 0, T))
    return pd.DataFrame(rows, columns=["user_id", "x", "t_x", "T"])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
@settings(max_examples=12)
@given(values=params, summary=histories(), days=st.integers(1, 730))
def test_predictions_agree_with_each_other(
    spec: Any, values: tuple[float, ...], summary: pd.DataFrame, days: int
) -> None:
    model = fitted_with(spec, dict(zip(spec.kernel.box.names, values, strict=True)))
    horizon = f"{days}D"
    table = model.purchase_distribution(summary, horizon=horizon, most=60)
    shares = table.drop(columns="user_id").to_numpy()
    silent = model.p_silent(summary, horizon=horizon)["p_silent"].to_numpy()
    alive = model.p_alive(summary)["p_alive"].to_numpy()
    expected = model.expected_purchases(summary, horizon=horizon)["expected_purchases"].to_numpy()
    assert (shares > -1e-12).all()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-9)
    assert np.allclose(shares[:, 0], silent, atol=1e-9)
    assert ((silent >= 1 - alive - 1e-12) & (silent <= 1) & (alive > 0) & (alive <= 1)).all()
    assert (expected >= 1 - silent - 1e-9).all()
    whole = shares[:, -1] < 1e-13
    assert np.allclose((shares[whole, :-1] * np.arange(61)).sum(axis=1), expected[whole], rtol=1e-7, atol=1e-9)
    longer = model.p_silent(summary, horizon=f"{days + 30}D")["p_silent"].to_numpy()
    assert (longer <= silent + 1e-12).all()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_the_median_splits_the_next_order(cdnow: pd.DataFrame, spec: Any) -> None:
    model = spec.fit(cdnow)
    some = cdnow[cdnow["x"] > 3].head(60)
    median = model.median_days_to_next_order(some)["median_days_to_next_order"]
    alive = model.p_alive(some)["p_alive"]
    assert median.isna()[alive <= 0.5].all()
    told = np.flatnonzero((median > 2) & (median < 9000))[:8]
    assert len(told) == 8
    for row in told:
        one = some.iloc[[row]]
        days = int(median.iloc[row])
        assert model.p_silent(one, horizon=f"{days}D")["p_silent"].iloc[0] >= 0.5
        assert model.p_silent(one, horizon=f"{days + 1}D")["p_silent"].iloc[0] <= 0.5


def test_pareto_with_s_near_one_has_no_gap() -> None:
    one = pd.DataFrame({"user_id": [1], "x": [3], "t_x": [50], "T": [100]})
    near = [
        fitted_with(ParetoNBD(), {"r": 1.0, "alpha": 5.0, "s": s, "beta": 9.0})
        .expected_purchases(one, horizon="100D")["expected_purchases"]
        .iloc[0]
        for s in (1 - 1e-8, 1.0, 1 + 1e-8)
    ]
    assert near[1] == pytest.approx(0.5 * (near[0] + near[2]), rel=1e-12)


def test_a_distribution_of_none_or_some_is_the_chance_of_silence(cdnow: pd.DataFrame) -> None:
    model = BetaGeo().fit(cdnow)
    table = model.purchase_distribution(cdnow, horizon="28D", most=0)
    silent = model.p_silent(cdnow, horizon="28D")["p_silent"]
    np.testing.assert_allclose(table["p_0"], silent, rtol=1e-9)
    np.testing.assert_allclose(table["p_0"] + table["p_more"], 1.0, rtol=1e-9)


@pytest.mark.parametrize("most", [True, -1, 1001, 2.0, "3"])
def test_most_is_a_whole_number(cdnow: pd.DataFrame, most: Any) -> None:
    model = fitted_with(BetaGeo(), TRUTH["BetaGeo"])
    with pytest.raises(ConfigError, match="most is a whole number"):
        model.purchase_distribution(cdnow, horizon="28D", most=most)


def test_score_is_the_log_likelihood_of_the_fit(cdnow: pd.DataFrame) -> None:
    for spec in SPECS:
        model = spec.fit(cdnow, time_unit="30D")
        assert model.score(cdnow) == pytest.approx(model.log_likelihood, rel=1e-12)
