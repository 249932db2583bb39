"""What workers do to their parts: the same forecasts, features and reasons as here, whatever lies in which part."""

from __future__ import annotations

import pickle

import dask.dataframe as dd
import narwhals.stable.v2 as nw
import pandas as pd
import pytest

from commlife import _engine
from commlife.churn import _facts, spread
from commlife.orders.calendar import day_number

# Narwhals announces that Dask moves to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Dask support:FutureWarning")


@pytest.fixture(scope="module")
def scorer(world, model):
    return spread.Scorer.of(model, world.log, day_number(world.as_of))


@pytest.fixture
def in_parts(world, model, scorer, monkeypatch):
    """The facts of the users in four parts of a Dask frame, as a cluster would hold them."""
    facts = _engine.collect(_facts.facts_plan(world.log, scorer.day, model.spec.panel.active_within.days))
    parts = nw.from_native(dd.from_pandas(facts, npartitions=4, sort=False)).lazy()
    monkeypatch.setattr(_facts, "facts_plan", lambda *_: parts)
    return model.spec.panel.active_within.days


def by_user(plan):
    return plan.collect().to_pandas().sort_values("user_id", kind="stable", ignore_index=True)


def test_forecasts_of_parts_are_those_of_the_whole(world, model, scorer, in_parts):
    wanted = model.predict(world.log, as_of=world.as_of)
    pd.testing.assert_frame_equal(by_user(spread.forecast_plan(scorer, world.log, in_parts)), wanted, check_dtype=False)


def test_features_of_parts_are_those_of_the_whole(world, model, scorer, in_parts):
    wanted = model.feature_table(world.log, as_of=world.as_of)
    found = by_user(spread.feature_plan(scorer, world.log, in_parts))
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


@pytest.mark.parametrize("share", [None, 0.1])
def test_reasons_of_parts_are_those_of_the_whole(world, model, scorer, in_parts, share):
    wanted = model.reasons(world.log, as_of=world.as_of, users=share)
    found = spread.reason_plan(scorer, world.log, in_parts, users=share).collect().to_pandas()
    found = found.sort_values(["user_id", "reason_rank"], ignore_index=True)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_a_worker_gets_one_thread(scorer):
    assert pickle.loads(pickle.dumps(scorer)).forest.n_jobs == 1  # noqa: S301  (as a cluster hands it to its workers)
