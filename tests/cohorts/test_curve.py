"""Curves: the published sBG fits, recovery, holdout, and what is refused."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln

import commlife as cl
from commlife.cohorts import CohortQuestion, CohortTable, cohort_table, retention_curve

mpl.use("Agg")


def table_of(curves, by=(), **asked):
    """A streak table from survivor counts: {group: [[users at age 0, 1, ...], ...]}."""
    rows = []
    for group, cohorts in curves.items():
        for week, users in enumerate(cohorts):
            rows += [(group, week, age, float(left), float(users[0])) for age, left in enumerate(users)]
    cells = pd.DataFrame(rows, columns=["community", "week", "age", "users", "size"])
    cells["cohort"] = (np.datetime64("2025-01-06", "D") + 7 * cells["week"].to_numpy()).astype("datetime64[us]")
    cells["rate"] = cells["users"] / cells["size"]
    cells[["low", "high"]] = np.nan
    kept = [*by, "cohort", "age", "users", "size", "rate", "low", "high"]
    question = CohortQuestion(as_of="2026-01-01", period="7D", by=by, **{"measure": "streak", **asked})
    return CohortTable(cells[kept], question, 0, pd.DataFrame())


@pytest.mark.parametrize(
    ("survivors", "alpha", "beta"),
    [
        ([1000, 631, 468, 382, 326, 289, 262, 241], 0.7041, 1.1820),
        ([1000, 869, 743, 653, 593, 551, 517, 491], 0.6681, 3.8061),
    ],
)
def test_fader_and_hardie_2007(survivors, alpha, beta):
    """Regular and high-end customers: alpha .7041, beta 1.1820; alpha .6681, beta 3.8061."""
    curve = retention_curve(table_of({"all": [survivors]}))
    row = curve.parameters.iloc[0]
    assert (row["alpha"], row["beta"]) == pytest.approx((alpha, beta), rel=2e-3)
    frame = curve.to_frame()
    assert frame["age"].tolist() == list(range(13))
    assert frame["observed"].notna().sum() == 8
    assert frame["projected"].is_monotonic_decreasing
    seen = frame.dropna(subset=["observed"])
    assert (seen["projected"] - seen["observed"]).abs().max() < 0.02
    assert row["holdout_error"] < 2.0
    assert row["holdout_ages"] == 2


def test_the_error_of_a_projection_is_in_points_of_the_cohort():
    """A tenth of the cohort fewer than what came at both held-out ages: ten points more or less."""
    regular = [1000, 631, 468, 382, 326, 289, 262, 241]
    fewer = [*regular[:-2], regular[-2] - 100, regular[-1] - 100]
    as_it_was, then = (
        retention_curve(table_of({"all": [survivors]})).parameters["holdout_error"].iloc[0]
        for survivors in (regular, fewer)
    )
    assert then == pytest.approx(10.0, abs=as_it_was + 1e-9)


def test_known_lives_are_recovered_and_covered():
    rng = np.random.default_rng(4)
    age = np.arange(13)
    inside = []
    for _ in range(40):
        leave = rng.beta(0.8, 2.0, (6, 400))
        left = rng.geometric(leave)
        cohorts = [[(left[k] > a).sum() for a in range(12 - k)] for k in range(6)]
        frame = retention_curve(table_of({"all": cohorts}), horizon=12).to_frame()
        truth = np.exp(betaln(0.8, 2.0 + age) - betaln(0.8, 2.0))
        inside.append(((frame["projected_low"] <= truth) & (truth <= frame["projected_high"])).iloc[1:].mean())
    assert 0.88 <= np.mean(inside) <= 1.0


def test_by_group():
    table = table_of(
        {"a": [[100, 50, 30, 20, 15]], "b": [[200, 150, 120, 100, 90], [200, 140, 118, 97]]}, by=("community",)
    )
    curve = retention_curve(table, horizon=6)
    assert curve.parameters["community"].tolist() == ["a", "b"]
    frame = curve.to_frame()
    assert frame.groupby("community")["age"].max().tolist() == [6, 6]
    assert frame.loc[frame["community"] == "b", "size"].tolist()[:5] == [400, 400, 400, 400, 200]
    assert "2 curves" in repr(curve)
    axes = curve.plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert retention_curve(table_of({"all": [[100, 50, 30, 20, 15]]})).plot(ax=axes) is axes


def test_each_cohort_may_have_its_own_curve():
    """Each equals the curve of a table with that cohort alone; the young one is listed, not guessed."""
    cohorts = [[1000, 631, 468, 382, 326, 289, 262, 241], [1000, 869, 743, 653, 593, 551], [100, 40]]
    curve = retention_curve(table_of({"all": cohorts}), per="cohort")
    for place in (0, 1):
        alone = retention_curve(table_of({"all": [cohorts[place]]}))
        mine = curve.parameters.iloc[place]
        assert mine[["alpha", "beta"]].tolist() == alone.parameters.iloc[0][["alpha", "beta"]].tolist()
        rows = curve.curve[curve.curve["cohort"] == mine["cohort"]]
        assert rows["projected"].tolist() == alone.curve["projected"].tolist()
        assert rows["observed"].dropna().tolist() == [users / cohorts[place][0] for users in cohorts[place]]
    assert curve.by == ("cohort",)
    assert curve.unprojected["ages"].tolist() == [2]
    assert curve.parameters["holdout_error"].notna().all()
    labels = [text.get_text() for text in curve.plot().get_legend().get_texts()]
    assert labels == [str(day)[:10] for day in curve.parameters["cohort"]]
    with pytest.raises(cl.InsufficientDataError, match="no cohort of"):
        retention_curve(table_of({"all": [[10, 5]]}), per="cohort")
    with pytest.raises(cl.ConfigError, match="per 'week' is unknown"):
        retention_curve(table_of({"all": cohorts}), per="week")


def test_those_seen_after_the_first_age_tell_how_chances_differ():
    """Whoever left or stayed at age 1 alone tells the ratio of alpha and beta, not both: no curve is made of that."""
    nobody_later = [[100, 60], [50, 0, 0]]
    with pytest.raises(cl.InsufficientDataError, match="complete ages"):
        retention_curve(table_of({"all": nobody_later}))
    # Somebody who stayed for a second period is enough, though nobody left then.
    row = retention_curve(table_of({"all": [[1000, 600, 600]]})).parameters.iloc[0]
    assert row["alpha"] / (row["alpha"] + row["beta"]) == pytest.approx(0.4, abs=0.02)


def test_short_curves_have_no_holdout():
    curve = retention_curve(table_of({"all": [[100, 50, 30, 20]]}))
    assert np.isnan(curve.parameters["holdout_error"].iloc[0])
    late = retention_curve(table_of({"all": [[100, 100, 100, 80, 70]]}))
    assert np.isnan(late.parameters["holdout_error"].iloc[0])


def test_from_a_log():
    world = cl.datasets.make_community(n_users=600, n_communities=2, seed=1, drop_community=None)
    table = cohort_table(world.log, as_of=world.as_of, period="7D", measure="streak", by="community")
    curve = retention_curve(table)
    assert curve.parameters["holdout_error"].max() < 5
    assert curve.curve["projected"].between(0, 1).all()


def test_what_is_refused():
    with pytest.raises(cl.ConfigError, match="CohortTable"):
        retention_curve(pd.DataFrame())
    with pytest.raises(cl.ConfigError, match="only fall"):
        retention_curve(table_of({"all": [[10, 5, 3]]}, measure="retention"))
    for wrong in ({"horizon": 0}, {"horizon": True}, {"holdout": 0}, {"holdout": 1.0}):
        with pytest.raises(cl.ConfigError, match=next(iter(wrong))):
            retention_curve(table_of({"all": [[10, 5, 3]]}), **wrong)
    with pytest.raises(cl.InsufficientDataError, match="complete ages"):
        retention_curve(table_of({"all": [[10, 5]]}))
    with pytest.raises(cl.InsufficientDataError, match="east has 3"):
        retention_curve(table_of({"east": [[10, 10, 10]]}, by=("community",)))
