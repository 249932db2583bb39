"""Checks of fit, holdout and spend, and the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders import OrderLog
from commlife.value import (
    BetaGeo,
    GammaGamma,
    ModifiedBetaGeo,
    ParetoNBD,
    bootstrap,
    compare_models,
    frequency_check,
    holdout_check,
    simulate_summary,
    spend_check,
    tracking_check,
)

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


@pytest.fixture(scope="module")
def later(cdnow: pd.DataFrame, holdout: pd.DataFrame) -> pd.DataFrame:
    """The summary of the same users at 1998-06-30 (t_x is not needed of the later one, so the last day is taken)."""
    came = holdout.set_index("user_id")["purchases"].reindex(cdnow["user_id"]).fillna(0).to_numpy()
    x = cdnow["x"].to_numpy() + came
    return pd.DataFrame(
        {
            "user_id": cdnow["user_id"],
            "x": x,
            "t_x": np.where(came > 0, cdnow["T"] + 1, cdnow["t_x"]),
            "T": cdnow["T"] + 273,
        }
    )


@by_name
def test_the_histogram_of_cdnow_is_met(cdnow: pd.DataFrame, spec: Any) -> None:
    """Fader, Hardie & Lee (2005), figure 2: 1,411 one-time buyers, 439 with one repeat."""
    table = frequency_check(spec.fit(cdnow), cdnow).to_frame()
    assert table["users"].tolist()[:3] == [1411, 439, 214]
    assert table["expected"].sum() == pytest.approx(2357)
    assert np.abs(table["expected"] / table["users"] - 1).max() < 0.25
    assert table["expected"][0] == pytest.approx(1411, rel=0.02)


@by_name
def test_the_histogram_of_own_data_is_met(spec: Any) -> None:
    name = type(spec).__name__
    truth = dict(zip(spec.kernel.box.names, (0.7, 5.0, 0.8, 3.0), strict=True))
    summary = simulate_summary(name, truth, n_users=40_000, T="200D", first_within="60D", seed=7)
    summary[["t_x", "T"]] = np.ceil(summary[["t_x", "T"]])
    table = frequency_check(spec.fit(summary), summary, most=5).table
    chi2 = ((table["users"] - table["expected"]) ** 2 / table["expected"]).sum()
    assert chi2 < 16  # 6 cells; the 99.3% point at 5 degrees


def test_the_holdout_of_cdnow(cdnow: pd.DataFrame, later: pd.DataFrame) -> None:
    check = holdout_check(BetaGeo().fit(cdnow), cdnow, later.sample(frac=1, random_state=0))
    assert check.actual == 1882
    assert check.horizon_days == 273
    assert check.expected == pytest.approx(1653.4, abs=0.1)
    table = check.to_frame()
    assert table["users"].sum() == 2357
    assert (table["users"] * table["actual"]).sum() == pytest.approx(1882)
    assert (table["users"] * table["expected"]).sum() == pytest.approx(check.expected)
    assert ((table["low"] < table["actual"]) & (table["actual"] < table["high"])).all()
    assert check.silence["users"].sum() == 2357
    assert check.silence["p_silent"].is_monotonic_increasing
    assert check.silence["silent"].between(check.silence["low"], check.silence["high"]).all()
    assert check.brier < 0.8 * check.base_brier
    assert "1,882 came" in repr(check)


def test_the_holdout_says_what_does_not_agree(cdnow: pd.DataFrame, later: pd.DataFrame) -> None:
    bg = BetaGeo().fit(cdnow)
    with pytest.raises(ConfigError, match="2 users of the earlier summary are missing"):
        holdout_check(bg, cdnow, later.iloc[2:])
    with pytest.raises(ConfigError, match="at least 1"):
        holdout_check(bg, cdnow, cdnow)
    with pytest.raises(ConfigError, match="at least 1"):
        holdout_check(bg, cdnow, later.assign(T=later["T"] + np.arange(len(later))))
    with pytest.raises(ConfigError, match="fewer purchase days"):
        holdout_check(bg, cdnow, later.assign(x=0, t_x=0))
    with pytest.raises(ConfigError, match="occurs twice"):
        holdout_check(bg, cdnow, pd.concat([later, later.head(1)]))
    with pytest.raises(ConfigError, match="holdout_check takes a fitted"):
        holdout_check(GammaGamma(), cdnow, later)


def test_most_may_be_100(cdnow: pd.DataFrame) -> None:
    assert len(frequency_check(BetaGeo().fit(cdnow), cdnow, most=100).table) == 101


@pytest.mark.parametrize("most", [0, 101, True, 2.0])
def test_most_is_a_whole_number(cdnow: pd.DataFrame, most: Any) -> None:
    with pytest.raises(ConfigError, match="most is a whole number"):
        frequency_check(BetaGeo().fit(cdnow), cdnow, most=most)


def test_figures_are_drawn_from_results(cdnow: pd.DataFrame, later: pd.DataFrame) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    bg = BetaGeo().fit(cdnow)
    axes = frequency_check(bg, cdnow, most=4).plot()
    assert [bar.get_height() for bar in axes.patches[:2]] == [1411, 439]
    again = holdout_check(bg, cdnow, later).plot(axes)
    assert again is axes
    assert "273 days" in axes.get_ylabel()
    assert "1,882 purchase days came" in axes.get_title(loc="left")
    shown = spend_check(cdnow).plot()
    assert [label.get_text() for label in shown.get_xticklabels()] == ["1", "2", "3-4", "5-7", "8-12", "13+"]
    assert spend_check(cdnow).plot(shown) is shown
    plt.close("all")


def test_spend_and_frequency_of_cdnow(cdnow: pd.DataFrame) -> None:
    """Fader & Hardie (2013): the simple correlation is .11."""
    check = spend_check(cdnow)
    table = check.to_frame().set_index("measure")
    assert table.loc["plain", "correlation"] == pytest.approx(0.11, abs=0.005)
    assert (table["users"] == 946).all()
    assert ((table["low"] < table["correlation"]) & (table["correlation"] < table["high"])).all()
    assert "for ranking" in table.loc["plain", "advice"]
    assert not check.independent
    assert "for ranking" in repr(check)
    assert check.by_x["users"].sum() == 946
    assert check.mean_spend == pytest.approx(35.0778, abs=5e-5)


def test_intervals_of_the_spend_check_are_those_of_scipy() -> None:
    """Fisher's z for Pearson's correlation; for ranks its variance after Bonett & Wright (2000); means by their error."""
    rng = np.random.default_rng(3)
    x = 1 + rng.poisson(0.8, 60)
    spend = rng.gamma(3.0, 10.0, x.size) / np.sqrt(x)
    found = spend_check(pd.DataFrame({"x": x, "t_x": x, "T": 90, "m_x": spend}))
    table = found.table.set_index("measure")
    for measure, left, right in (("plain", x, spend), ("log", np.log(x), np.log(spend))):
        theirs = stats.pearsonr(left, right)
        interval = theirs.confidence_interval(0.95)
        mine = table.loc[measure, ["correlation", "low", "high"]].to_numpy(dtype=float)
        np.testing.assert_allclose(mine, [theirs.statistic, interval.low, interval.high], rtol=1e-9)
    rank = stats.spearmanr(x, spend).statistic
    reach = stats.norm.ppf(0.975) * np.sqrt((1 + rank**2 / 2) / (x.size - 3))
    mine = table.loc["rank", ["correlation", "low", "high"]].to_numpy(dtype=float)
    np.testing.assert_allclose(mine, [rank, np.tanh(np.arctanh(rank) - reach), np.tanh(np.arctanh(rank) + reach)])
    once = spend[x == 1]
    row = found.by_x.set_index("x").loc[1]
    half = stats.norm.ppf(0.975) * once.std(ddof=1) / np.sqrt(once.size)
    np.testing.assert_allclose(row[["low", "high"]], [once.mean() - half, once.mean() + half])
    assert row["users"] == once.size


def test_spend_check_tells_dependence_from_independence() -> None:
    rng = np.random.default_rng(0)
    x = 1 + rng.poisson(3.0, 4000)
    spend = rng.gamma(3.0, 10.0, x.size)
    table = pd.DataFrame({"x": x, "t_x": x, "T": 90, "m_x": spend})
    assert spend_check(table).independent
    alone = spend_check(table).table
    assert alone["advice"].str.contains("nearly independent").all()
    assert (alone["p_value"] > 0.001).all()
    tied = spend_check(table.assign(m_x=spend / x)).table
    assert (tied["correlation"] < -0.3).all()
    assert tied["advice"].str.contains("spend less an order: fit GammaGamma apart").all()
    with pytest.raises(InsufficientDataError, match="has 9"):
        spend_check(table.head(9))


@pytest.fixture(scope="module")
def log(cdnow_days: pd.DataFrame) -> OrderLog:
    return OrderLog.from_frame(cdnow_days, user_id="user_id", ordered_at="day", amount="spend")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_tracking_follows_the_weeks_of_cdnow(log: OrderLog, spec: Any) -> None:
    """Fader, Hardie & Lee (2005), figure 3: 39 weeks learned from, 39 foreseen, the total a few percent below."""
    check = tracking_check(spec.fit(log, as_of="1997-10-01"), log, as_of="1998-07-01")
    table = check.to_frame()
    assert len(table) == 78
    assert table["holdout"].sum() == 39
    assert table["cumulative_actual"].iloc[-1] == 2457 + 1882
    assert table["cumulative_actual"].iloc[38] == 2457
    assert table.loc[table["holdout"], "actual"].sum() == 1882
    assert table["cumulative_expected"].iloc[38] == pytest.approx(2457, rel=0.03)
    assert -0.08 < table["cumulative_expected"].iloc[-1] / 4339 - 1 < 0.02
    assert np.allclose(np.diff(table["cumulative_expected"]), table["expected"].iloc[1:])
    assert "1,882 came" in repr(check)


def test_tracking_counts_as_a_loop_over_users_would(log: OrderLog, cdnow_days: pd.DataFrame) -> None:
    bg = BetaGeo().fit(log, as_of="1997-10-01")
    table = tracking_check(bg, log, as_of="1998-01-01", period="28D").table
    first = cdnow_days.groupby("user_id")["day"].transform("min")
    repeats = cdnow_days.loc[cdnow_days["day"] > first, "day"]
    day = pd.to_datetime(table["period"])
    by_hand = [int(repeats.between(start, start + pd.Timedelta("27D")).sum()) for start in day]
    assert table["actual"].tolist() == by_hand
    begins = (pd.Timestamp("1997-09-30") - first.groupby(cdnow_days["user_id"]).first()).dt.days
    fresh = pd.DataFrame({"user_id": begins.index, "x": 0, "t_x": 0, "T": 0})
    # Expected until the end of September of each user: a prediction for a user of whom only the first day is known.
    until = sum(
        bg.expected_purchases(fresh[begins.to_numpy() == T], horizon=f"{T}D")["expected_purchases"].sum()
        for T in begins.unique()
    )
    last = table.loc[~table["holdout"], "cumulative_expected"].iloc[-1]
    assert last == pytest.approx(until, rel=1e-6)


def test_tracking_says_what_it_needs(log: OrderLog, cdnow: pd.DataFrame) -> None:
    bg = BetaGeo().fit(log, as_of="1997-10-01")
    with pytest.raises(ConfigError, match="fitted on a summary"):
        tracking_check(BetaGeo().fit(cdnow), log, as_of="1998-07-01")
    with pytest.raises(ConfigError, match="on or after the day of the fit"):
        tracking_check(bg, log, as_of="1997-09-01")
    with pytest.raises(ConfigError, match="takes an OrderLog"):
        tracking_check(bg, cdnow, as_of="1997-09-01")
    with pytest.raises(ConfigError, match="takes a fitted"):
        tracking_check(BetaGeo(), log, as_of="1997-09-01")
    with pytest.raises(InsufficientDataError, match="no complete period"):
        tracking_check(bg, log, as_of="1998-07-01", period="999D")
    assert "none after" in repr(tracking_check(bg, log, as_of="1997-10-01"))


def test_models_are_compared_on_the_same_users(cdnow: pd.DataFrame, later: pd.DataFrame) -> None:
    """Fader, Hardie & Lee (2005), table 2: BG/NBD -9582.4, Pareto/NBD -9595.0, both with four parameters."""
    fits = [spec.fit(cdnow) for spec in SPECS]
    check = compare_models(fits, cdnow, later=later)
    table = check.to_frame().set_index("model")
    assert table["parameters"].tolist() == [4, 4, 4]
    assert table.index[-1] == "ParetoNBD"
    assert table.loc["ParetoNBD", "aic"] - table.loc["BetaGeo", "aic"] == pytest.approx(2 * 12.54, abs=0.02)
    assert (table["holdout_actual"] == 1882).all()
    assert table["histogram_error"].max() < 0.01
    assert "3 models" in repr(check)
    assert list(compare_models(fits[:1], cdnow).table.columns)[-1] == "histogram_error"
    with pytest.raises(ConfigError, match="different users"):
        compare_models([fits[0], BetaGeo().fit(cdnow.head(900))], cdnow)
    with pytest.raises(ConfigError, match="time units"):
        compare_models([fits[0], ParetoNBD().fit(cdnow, time_unit="1D")], cdnow)
    with pytest.raises(ConfigError, match="same spec"):
        compare_models([fits[0], fits[0]], cdnow)
    with pytest.raises(ConfigError, match="list of fitted"):
        compare_models([BetaGeo()], cdnow)
    both = compare_models([fits[0], BetaGeo(prior="weak").fit(cdnow)], cdnow)
    assert set(both.histograms) == {repr(BetaGeo()), repr(BetaGeo(prior="weak"))}


def test_tracking_and_comparison_are_drawn(log: OrderLog, cdnow: pd.DataFrame) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    check = tracking_check(BetaGeo().fit(log, as_of="1997-10-01"), log, as_of="1998-07-01")
    axes = check.plot()
    assert "against the forecast" in axes.get_title(loc="left")
    assert check.plot(axes, cumulative=True) is axes
    shown = compare_models([spec.fit(cdnow) for spec in SPECS], cdnow).plot()
    assert {text.get_text() for text in shown.get_legend().get_texts()} == {
        "seen",
        "BetaGeo",
        "ModifiedBetaGeo",
        "ParetoNBD",
    }
    plt.close("all")


@pytest.mark.parametrize("spec", [BetaGeo(), ParetoNBD()], ids=lambda spec: type(spec).__name__)
def test_bootstrap_agrees_with_the_observed_information(spec: Any) -> None:
    name = type(spec).__name__
    truth = dict(zip(spec.kernel.box.names, (0.7, 5.0, 0.8, 3.0), strict=True))
    summary = simulate_summary(name, truth, n_users=2500, T="364D", first_within="60D", seed=9)
    summary[["t_x", "T"]] = np.ceil(summary[["t_x", "T"]])
    fitted = spec.fit(summary, time_unit="7D")
    table = bootstrap(spec, summary, n_samples=30, seed=2)
    assert list(table.columns) == ["sample", *truth]
    spread = np.log(table[list(truth)]).std().to_numpy()
    assert spread == pytest.approx(np.sqrt(np.diag(fitted.log_covariance)), rel=0.4)
    pd.testing.assert_frame_equal(
        table.head(3), bootstrap(spec, summary.sample(frac=1, random_state=3), n_samples=3, seed=2)
    )


def test_bootstrap_tells_what_it_leaves_out() -> None:
    few = pd.DataFrame({"x": [0] * 11 + [2], "t_x": [0] * 11 + [40], "T": [100] * 12})
    with pytest.warns(ModelWarning, match="are left out"):
        table = bootstrap(BetaGeo(prior="weak"), few, n_samples=30)
    assert 0 < len(table) < 30


@pytest.mark.parametrize("n_samples", [0, True, 1.5, 10_001])
def test_bootstrap_checks_its_arguments(cdnow: pd.DataFrame, n_samples: Any) -> None:
    with pytest.raises(ConfigError, match="n_samples"):
        bootstrap(BetaGeo(), cdnow, n_samples=n_samples)
    with pytest.raises(ConfigError, match="bootstrap takes"):
        bootstrap(BetaGeo().fit(cdnow), cdnow)
