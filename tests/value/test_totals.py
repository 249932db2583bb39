"""Totals and intervals of value: they add up, and hold what then comes at the rate they claim."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pandas as pd
import pytest

from commlife.errors import ConfigError, ModelWarning
from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, lifetime_value, value_totals

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


@pytest.fixture(scope="module")
def fits(cdnow: pd.DataFrame) -> dict[str, Any]:
    grouped = cdnow.assign(segment=np.select([cdnow["x"] == 0, cdnow["x"] < 3], ["once", "few"], "many"))
    return {"data": grouped, "gg": GammaGamma().fit(cdnow)} | {type(spec).__name__: spec.fit(cdnow) for spec in SPECS}


@by_name
def test_totals_are_the_sums_of_the_users(fits: dict[str, Any], spec: Any) -> None:
    model, data = fits[type(spec).__name__], fits["data"]
    totals = value_totals(model, fits["gg"], data, horizon="91D", by="segment", margin=0.2)
    each = lifetime_value(model, fits["gg"], data, horizon="91D", margin=0.2)["lifetime_value"]
    table = totals.to_frame().set_index("segment")
    assert table.index.tolist() == ["few", "many", "once", "all"]
    assert table["value"].drop("all").to_dict() == pytest.approx(each.groupby(data["segment"]).sum().to_dict())
    assert table.loc["all", "value"] == pytest.approx(each.sum())
    assert table.loc["all", "users"] == 2357
    # Chance averages out, the parameters' error does not: squares of the one add up, the other is shared.
    parts = table.drop("all")
    assert (parts["se_chance"] ** 2).sum() == pytest.approx(table.loc["all", "se_chance"] ** 2)
    assert (
        np.sqrt((parts["se_parameters"] ** 2).sum()) < table.loc["all", "se_parameters"] <= parts["se_parameters"].sum()
    )
    assert (table["low"] < table["low_expected"]).all()
    assert (table["high_expected"] < table["high"]).all()
    assert "2,357 users, 91 days" in repr(totals)
    alone = value_totals(model, fits["gg"], data, horizon="91D", margin=0.2).table
    assert alone.iloc[0, 1:].tolist() == pytest.approx(table.loc["all"].tolist())


@by_name
def test_the_error_by_parameters_is_that_of_the_bootstrap(fits: dict[str, Any], spec: Any, cdnow: pd.DataFrame) -> None:
    """The delta method against 60 resamples of users, the spend held."""
    from commlife.value import bootstrap

    model = fits[type(spec).__name__]
    flat = fits["gg"].model_copy(update={"log_covariance": ((0.0,) * 3,) * 3})
    told = value_totals(model, flat, fits["data"], horizon="182D").table["se_parameters"].iloc[-1]
    totals = []
    for row in bootstrap(spec, cdnow, n_samples=60, seed=1).drop(columns="sample").itertuples(index=False):
        other = model.model_copy(update={"params": row._asdict()})
        totals.append(lifetime_value(other, flat, cdnow, horizon="182D")["lifetime_value"].sum())
    assert told == pytest.approx(np.std(totals), rel=0.35)


@by_name
def test_the_variance_of_the_orders_is_that_of_their_distribution(fits: dict[str, Any], spec: Any) -> None:
    """E[N (N - 1)] in closed form against the probabilities of 0, 1, ..., 60 orders."""
    model, some = fits[type(spec).__name__], fits["data"].query("x < 9").sample(60, random_state=2)
    from commlife.value.histories import read_summary

    predictions = model._predictions(read_summary(some))
    shares = model.purchase_distribution(some, horizon="91D", most=60).drop(columns=["user_id", "p_more"]).to_numpy()
    k = np.arange(61)
    assert predictions.pairs(91) == pytest.approx(shares @ (k * (k - 1)), rel=1e-6)
    assert predictions.purchases(91) == pytest.approx(shares @ k, rel=1e-6)


def test_pairs_over_beta_agree_with_an_integral() -> None:
    from commlife.value.hypergeometric import beta_mean_of_pairs

    rng = np.random.default_rng(1)
    with mp.workdps(80):
        for _ in range(8):
            m, A, a, b, t = (float(v) for v in np.exp(rng.uniform([-2, -1, -0.7, -0.7, -1], [4, 4, 3, 4, 4])))

            def integrand(logit: Any, m: float = m, A: float = A, a: float = a, b: float = b, t: float = t) -> Any:
                p = 1 / (1 + mp.exp(-logit))
                W = p * t / A
                inner = 1 - (1 + (m + 1) * W) * (1 + W) ** -(m + 1)
                return 2 * (1 - p) / p**2 * inner * p ** mp.mpf(a) * (1 - p) ** mp.mpf(b) / mp.beta(a, b)

            exact = mp.quad(integrand, [-60, -20, -8, -3, 0, 3, 8, 20, 60], maxdegree=5)
            found = beta_mean_of_pairs(np.array([m]), np.array([A]), a, np.array([b]), np.array([t]))[0]
            assert found == pytest.approx(float(exact), rel=1e-5)


def future(seed: int, users: int, days: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Users of a BG/NBD and Gamma-Gamma world: their summaries, and what they spend in the days after."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(0.6, 1 / 5.0, users) / 7, rng.beta(0.8, 2.4, users)
    worth = rng.gamma(3.74, 1 / 15.44, users)
    T = rng.integers(150, 300, users).astype(float)
    now, here = np.zeros(users), np.ones(users, dtype=bool)
    x, t_x, spent, then = (np.zeros(users) for _ in range(4))
    while here.any():
        now += rng.exponential(1.0, users) / np.maximum(rate, 1e-12)
        here &= now <= T + days
        order = rng.gamma(6.25, 1.0, users) / worth
        seen = here & (now <= T)
        x += seen
        t_x = np.where(seen, now, t_x)
        spent += np.where(seen, order, 0.0)
        then += np.where(here & ~seen, order, 0.0)
        here &= rng.random(users) >= leave
    summary = pd.DataFrame({"user_id": np.arange(users), "x": x, "t_x": t_x, "T": T})
    return summary.assign(m_x=np.where(x > 0, spent / np.maximum(x, 1), np.nan)), then


def test_intervals_of_totals_hold_what_then_comes() -> None:
    """80 worlds: 95% intervals of the total hold it in 69 and more (probability .998 if the rate is 95%)."""
    inside, spread, expected = 0, [], []
    for seed in range(80):
        summary, then = future(seed, 800, 91)
        totals = value_totals(
            BetaGeo().fit(summary), GammaGamma().fit(summary), summary, horizon="91D", annual_discount=0
        )
        row = totals.table.iloc[-1]
        inside += row["low"] < then.sum() < row["high"]
        error = np.hypot(row["se_parameters"], row["se_chance"])
        spread.append((then.sum() - row["value"]) / error)
        expected.append(row["low_expected"] < then.sum() < row["high_expected"])
    assert inside >= 69
    assert np.std(spread) == pytest.approx(1, abs=0.25)
    assert np.mean(expected) < 0.75  # the interval of the expectation alone is not one of the outcome


@by_name
def test_intervals_of_users_hold_what_then_comes(fits: dict[str, Any], spec: Any) -> None:
    """In a BG/NBD world for BG/NBD, and close to it for its neighbours; the upper tail holds a tenth."""
    summary, then = future(5, 6000, 91)
    model, gg = spec.fit(summary), GammaGamma().fit(summary)
    told = lifetime_value(model, gg, summary, horizon="91D", annual_discount=0, interval=0.8)
    assert (then > told["high"]).mean() == pytest.approx(0.1, abs=0.015)
    # Below is nobody where silence itself has more than a tenth.
    likely = model.p_silent(summary, horizon="91D")["p_silent"] > 0.1
    assert (told["low"][likely] == 0).all()
    assert (told["low"] <= told["lifetime_value"]).all()


def test_groups_of_the_model_err_apart() -> None:
    parts = [future(seed, 700, 91)[0].assign(community=label) for seed, label in enumerate("abc")]
    data = pd.concat(parts, ignore_index=True).assign(user_id=range(2100))
    gg = GammaGamma().fit(data)
    flat = gg.model_copy(update={"log_covariance": ((0.0,) * 3,) * 3})
    table = value_totals(BetaGeo(by="community").fit(data), flat, data, horizon="91D", by="community").table
    parts_of_it = table["se_parameters"].iloc[:-1]
    assert table["se_parameters"].iloc[-1] == pytest.approx(np.sqrt((parts_of_it**2).sum()))


def test_users_without_a_group_count_in_the_last_row_only(fits: dict[str, Any]) -> None:
    data = fits["data"].assign(segment=fits["data"]["segment"].where(fits["data"].index % 2 == 0))
    table = value_totals(fits["BetaGeo"], fits["gg"], data, horizon="91D", by="segment").table
    assert table["users"].iloc[:-1].sum() == 1179
    assert table["users"].iloc[-1] == 2357


def test_an_infinite_variance_is_null_and_told(fits: dict[str, Any]) -> None:
    wild = fits["gg"].model_copy(update={"params": {**fits["gg"].params, "q": 1.5}})
    with pytest.warns(ModelWarning, match="infinite variance"):
        told = lifetime_value(fits["BetaGeo"], wild, fits["data"], horizon="91D", interval=0.9)
    assert told["high"].isna().equals(fits["data"]["x"] == 0)
    assert told["lifetime_value"].notna().all()
    with pytest.warns(ModelWarning, match=r"q = 1\.5"):
        table = value_totals(fits["BetaGeo"], wild, fits["data"], horizon="91D").table
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["low_expected"].notna().all()
    lost = fits["BetaGeo"].model_copy(update={"log_covariance": ((float("nan"),) * 4,) * 4})
    with pytest.warns(ModelWarning, match="do not determine"):
        assert value_totals(lost, fits["gg"], fits["data"], horizon="91D").table["low"].isna().all()


def test_totals_check_their_arguments(fits: dict[str, Any]) -> None:
    for change in ({"level": 1.0}, {"by": 3}, {"purchases": BetaGeo()}, {"spend": None}, {"margin": 2}):
        given = {"purchases": fits["BetaGeo"], "spend": fits["gg"], "data": fits["data"], "horizon": "91D"}
        with pytest.raises(ConfigError):
            value_totals(**{**given, **change})
    with pytest.raises(ConfigError, match="interval"):
        lifetime_value(fits["BetaGeo"], fits["gg"], fits["data"], horizon="91D", interval=95)


def test_the_figure_shows_the_groups(fits: dict[str, Any]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    totals = value_totals(fits["BetaGeo"], fits["gg"], fits["data"], horizon="91D", by="segment")
    axes = totals.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["once", "few", "many"]
    assert "91 days" in axes.get_xlabel()
    assert totals.plot(axes) is axes
    plt.close("all")
