"""The whole path on a small synthetic community: fit, forecasts, evaluation, verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.churn import FittedSilenceModel, SilenceModel
from commlife.datasets import Community
from commlife.errors import ConfigError, InsufficientDataError

SMALL = {"n_trees": 60, "refits": 4, "resamples": 60}


def test_every_active_user_gets_a_probability(world: Community, model: FittedSilenceModel) -> None:
    told = model.predict(world.log, as_of=world.as_of)
    assert told.columns.tolist() == ["user_id", "p_silent"]
    assert told["user_id"].is_monotonic_increasing
    assert told["user_id"].is_unique
    assert told["p_silent"].between(0, 1).all()
    orders = world.frame.groupby(["user_id", "order_id"], as_index=False).agg(
        day=("ordered_at", "min"), net=("amount", "sum"), least=("amount", "min")
    )
    counting = orders[(orders["net"] > 0) | ((orders["net"] == 0) & (orders["least"] >= 0))]
    last = counting.groupby("user_id")["day"].max()
    away = (pd.Timestamp(world.as_of) - last.dt.normalize()).dt.days
    assert set(told["user_id"]) == set(away[away <= 56].index)


def test_the_forecast_knows_the_truth_about_as_well_as_its_best_baseline(
    world: Community, model: FittedSilenceModel
) -> None:
    """The world's own probability given rates and history: no model can do better, a good one comes near."""
    told = model.predict(world.log, as_of=world.as_of).merge(world.truth.silence(world.as_of, "28D"), on="user_id")
    assert told["p_silent_x"].corr(told["p_silent_y"], method="spearman") > 0.75


def test_evaluation_scores_the_model_and_every_baseline(model: FittedSilenceModel) -> None:
    frame = model.evaluation
    assert frame.columns.tolist() == ["model", "metric", "value", "low", "high"]
    assert list(frame["model"].unique()) == ["xgboost", "recency", "logistic_rfm", "bg_nbd"]
    assert set(frame["metric"]) == {"roc_auc", "pr_auc", "brier", "ece", "lift@10%", "lift@10% cap"}
    assert (frame["low"] <= frame["high"]).all()
    table = frame.pivot(index="model", columns="metric", values="value")
    assert (table["lift@10%"] <= table["lift@10% cap"] + 1e-9).all()
    assert table.loc["xgboost", "roc_auc"] > 0.7
    assert "28D" in model.verdict
    assert "28D" in model.verdict_zh


def test_the_verdict_says_so_where_the_model_adds_nothing(model: FittedSilenceModel) -> None:
    """The world is a Pareto/NBD: there is nothing to find beyond recency, frequency and tenure."""
    gain = model.evaluation_result.differences.set_index(["baseline", "metric"])
    best = max(("recency", "logistic_rfm", "bg_nbd"), key=lambda name: -gain.loc[(name, "roc_auc"), "difference"])
    row = gain.loc[(best, "roc_auc")]
    assert row["low"] <= 0
    assert "adds nothing measurable" in model.verdict or "worse" in model.verdict


def test_refitting_gives_the_same_model_whatever_the_row_order_the_ids_and_the_future(
    world: Community, model: FittedSilenceModel
) -> None:
    """Fitted again to shuffled lines of renamed users, with ten weeks of later lines among them."""
    rng = np.random.default_rng(5)
    frame = world.frame[world.frame["ordered_at"] < pd.Timestamp(world.as_of)]
    recent = frame[frame["ordered_at"] >= pd.Timestamp(world.as_of) - pd.Timedelta("70D")]
    later = recent.assign(
        ordered_at=recent["ordered_at"] + pd.Timedelta("70D"), order_id=recent["order_id"] + frame["order_id"].max() + 1
    )
    assert len(later) > 500
    ids = frame["user_id"].unique()
    new = dict(zip(ids, rng.permutation(len(ids)), strict=True))
    whole = pd.concat([frame, later], ignore_index=True)
    other = cl.OrderLog.from_frame(
        whole.assign(user_id=whole["user_id"].map(new)).sample(frac=1, random_state=1),
        **{name: name for name in frame.columns},
    )
    again = SilenceModel(**SMALL).fit(other, as_of=world.as_of)
    pd.testing.assert_frame_equal(again.drivers(), model.drivers())
    pd.testing.assert_frame_equal(again.evaluation, model.evaluation)
    one = model.predict(world.log, as_of=world.as_of).set_index("user_id")["p_silent"].rename(index=new).sort_index()
    two = again.predict(other, as_of=world.as_of).set_index("user_id")["p_silent"]
    pd.testing.assert_series_equal(one, two)


def test_reasons_add_up_to_the_probability(world: Community, model: FittedSilenceModel) -> None:
    told = model.reasons(world.log, as_of=world.as_of, k=3)
    p = model.predict(world.log, as_of=world.as_of).set_index("user_id")["p_silent"]
    each = told.groupby("user_id").agg(
        n=("driver", "size"), base=("p_base", "first"), added=("contribution_pp", "sum"), p=("p_silent", "first")
    )
    assert (each["n"] == 4).all()
    np.testing.assert_allclose(each["base"] + each["added"], each["p"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(each["p"], p.loc[each.index])
    assert (told.groupby("user_id")["driver"].last() == "other").all()


@pytest.mark.parametrize(
    "wrong", [{"horizon": "4W"}, {"max_depth": True}, {"horizn": "28D"}, {"features": ("recency",)}]
)
def test_a_wrong_spec_is_refused_when_it_is_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SilenceModel(**wrong)


def test_a_log_too_short_says_what_it_would_need(world: Community) -> None:
    with pytest.raises(InsufficientDataError, match="needs 140 days of the log before 2025-03-31"):
        SilenceModel().fit(world.log, as_of="2025-03-31")


@pytest.fixture(scope="module")
def two_years() -> cl.OrderLog:
    """Twice as many users fall silent in the first half of each year as in the second."""
    rng = np.random.default_rng(8)
    days = pd.date_range("2023-01-02", periods=760)
    rate = np.where(days.month <= 6, 0.02, 0.06)
    bought = rng.random((400, len(days))) < rate * rng.gamma(4, 0.25, (400, 1))
    user, day = np.nonzero(bought)
    frame = pd.DataFrame({"u": user, "at": days[day], "paid": 1.0 + rng.integers(0, 50, len(user))})
    return cl.OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid")


def test_calibration_by_the_same_season_of_the_year_before(two_years: cl.OrderLog) -> None:
    """At the turn of the season the last snapshot says too little silence; the one a year before knows better."""
    told = {
        kind: SilenceModel(calibration=kind, n_trees=60, refits=0, resamples=10, snapshots=3).fit(
            two_years, as_of="2025-01-29"
        )
        for kind in ("none", "last", "season")
    }
    assert {kind: model.calibration.source for kind, model in told.items()} == {k: k for k in told}
    assert (told["none"].calibration.intercept, told["none"].calibration.slope) == (0, 1)
    error = {
        kind: model.evaluation.set_index(["model", "metric"])["value"]["xgboost", "ece"] for kind, model in told.items()
    }
    assert error["season"] < error["last"]


def test_a_bar_is_shown_at_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from commlife.churn import _progress

    assert list(_progress.watched(range(5), "work")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_progress, "_DELAY", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(_progress.watched(range(5), "work")) == [0, 1, 2, 3, 4]
    assert "work" in capsys.readouterr().err
