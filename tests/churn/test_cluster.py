"""Learning on a cluster, all but the cluster: what XGBoost is handed there, and what is made of the users brought here.

The training itself, on Spark and on Dask, is in ``slow/test_training.py``.
"""

from __future__ import annotations

import json

import dask.dataframe as dd
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife import _engine
from commlife.churn import FittedSilenceModel, HostFeatures, SilenceModel, _facts, cluster, forest
from commlife.churn._sample import users_drawn
from commlife.churn.catalogue import Feature
from commlife.errors import ConfigError, EngineError

# Narwhals announces that Dask moves to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Dask support:FutureWarning")
SPEC = {"n_trees": 60, "refits": 2, "resamples": 40}


def in_parts(plan: nw.LazyFrame) -> nw.LazyFrame:
    """Rows of this process in four parts, as a cluster would hold them."""
    return nw.from_native(dd.from_pandas(_engine.collect(plan), npartitions=4, sort=False)).lazy()


@pytest.fixture(scope="module")
def there(world):
    """A model that learned "there": the facts lie in parts, and XGBoost's own cluster training is one process."""
    handed: list[tuple[pd.DataFrame, dict]] = []

    def grow_there(rows, names, asked, *, rounds, workers):
        assert rows.implementation is nw.Implementation.DASK, "the rows were never brought here"
        assert workers is None
        table = _engine.collect(rows)
        handed.append((table, asked))
        grown = forest.grow(
            table[list(names)], table["silent"].to_numpy(), rounds=rounds, depth=asked["max_depth"],
            rate=asked["eta"], seed=asked["seed"], n_jobs=1,
        )  # fmt: skip
        return grown.booster, 3

    facts, labels = _facts.facts_plan, _facts.label_plan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_facts, "facts_plan", lambda *asked: in_parts(facts(*asked)))
        patch.setattr(_facts, "label_plan", lambda *asked: in_parts(labels(*asked)))
        patch.setattr(cluster, "need_cluster", lambda log: None)
        patch.setattr(cluster, "grow_there", grow_there)

        def fit(**asked):
            handed.clear()
            fitted = SilenceModel(training="distributed", **SPEC, **asked).fit(world.log, as_of=world.as_of)
            return fitted, list(handed)

        return fit(), fit(users_here=400)


@pytest.fixture(scope="module")
def whole(there):
    return there[0][0]


@pytest.fixture(scope="module")
def part(there):
    return there[1][0]


@pytest.fixture(scope="module")
def here(world) -> FittedSilenceModel:
    return SilenceModel(**SPEC).fit(world.log, as_of=world.as_of)


def sorted_rows(table: pd.DataFrame) -> np.ndarray:
    values = table.to_numpy(dtype=np.float64)
    return values[np.lexsort(np.nan_to_num(values, nan=-1e300).T)]


@pytest.mark.parametrize("run", [0, 1], ids=["all users here", "a part of them here"])
def test_the_cluster_learns_from_every_row_of_the_panel(world, there, run):
    """Whoever is brought here: first the fit snapshots, then the calibration snapshot too."""
    fitted, ((first, _), (second, asked)) = there[run]
    panel = fitted.spec.panel.build(world.log, as_of=world.as_of).to_frame()
    names = [*fitted.forest.names, "silent"]
    for table, roles in ((first, ["fit"]), (second, ["fit", "calibration"])):
        wanted = panel.loc[panel["role"].isin(roles), names]
        np.testing.assert_array_equal(sorted_rows(table[names]), sorted_rows(wanted))
    learned = panel[panel["role"] != "test"]
    assert (fitted.fitted_on.rows, fitted.fitted_on.users) == (len(learned), learned["user_id"].nunique())
    assert asked["base_score"] == pytest.approx(learned["silent"].mean())


def test_it_comes_near_to_what_is_learned_here(world, here, whole):
    """Rows lie in another order, so trees are drawn from other halves of them: near, not equal."""
    ours, theirs = (model.evaluation.set_index(["model", "metric"])["value"] for model in (here, whole))
    assert theirs["xgboost", "roc_auc"] == pytest.approx(ours["xgboost", "roc_auc"], abs=0.03)
    p, q = (model.predict(world.log, as_of=world.as_of)["p_silent"] for model in (here, whole))
    assert q.mean() == pytest.approx(p.mean(), abs=0.02)
    assert np.corrcoef(p, q)[0, 1] > 0.95
    # Everybody is here: what does not come from the forest is the same.
    for name in ("recency", "logistic_rfm", "bg_nbd"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-9)
    assert whole.committee_scale == pytest.approx(here.committee_scale)
    assert whole.reference.users == here.reference.users
    assert whole.training.users_here == whole.training.users


def test_it_says_on_whom_it_was_judged(world, part):
    told = part.training
    assert (told.engine, told.workers) == ("Dask", 3)
    assert told.users == world.log.n_users
    assert told.users_here == pytest.approx(400, abs=60)
    assert f"a sample of {told.users_here:,} of {told.users:,} users" in repr(part)
    assert part.reference.users == len(part.predict(world.log, as_of=world.as_of)), "all who are active now"
    assert part.holdout.size < told.users_here


def test_refits_to_a_sample_are_scaled_to_everybody(here, part):
    """A mean over N users has n / N of the variance of one over n."""
    m = 1 / (1 + 1 / here.committee_scale**2)
    assert m == pytest.approx(0.5, abs=0.01)
    assert part.committee_scale < here.committee_scale * np.sqrt(500 / 700)


def test_reasons_drivers_and_a_saved_copy_are_those_of_any_model(world, part, tmp_path):
    part.save(tmp_path / "model")
    again = FittedSilenceModel.load(tmp_path / "model")
    assert again.training == part.training
    assert again.spec == part.spec
    pd.testing.assert_frame_equal(
        again.predict(world.log, as_of=world.as_of), part.predict(world.log, as_of=world.as_of)
    )
    reasons = again.reasons(world.log, as_of=world.as_of, k=2)
    sums = reasons.groupby("user_id")["contribution_pp"].sum() + reasons.groupby("user_id")["p_base"].first()
    np.testing.assert_allclose(sums, reasons.groupby("user_id")["p_silent"].first(), atol=1e-9)
    assert len(again.drivers())


def test_a_damaged_record_of_training_is_refused(part, tmp_path):
    from commlife.churn import storage

    state = storage._state(part)
    for broken in ({"engine": "Dask"}, {"engine": "Dask", "workers": "two", "users": 1, "users_here": 1}):
        with pytest.raises((KeyError, ValueError)):
            storage._training(json.loads(json.dumps(broken)))
    assert storage._training(state["training"]) == part.training
    assert storage._training(None) is None


# -- who is drawn -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return cl.datasets.make_community(n_users=2_000, seed=3).log.to_native()


def log_of(frame: object) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame, **{name: name for name in ("user_id", "ordered_at", "amount", "order_id")})


def drawn(frame: object, **asked) -> set[str]:
    told = {"as_of": "2025-06-30", "seed": 0} | asked
    return set(users_drawn(log_of(frame), 600, **told)[1]["user_id"])


def test_about_so_many_users_are_drawn_by_a_seed(frame):
    log, ids, users = users_drawn(log_of(frame), 600, as_of="2025-06-30", seed=0)
    assert users == frame.loc[frame["ordered_at"] < "2025-06-30", "user_id"].nunique()
    assert len(ids) == pytest.approx(600, abs=4 * np.sqrt(600))
    assert set(log.to_native()["user_id"]) == set(ids["user_id"])
    assert log.n_rows == frame["user_id"].isin(ids["user_id"]).sum(), "with all of their lines"
    others = drawn(frame, seed=1)
    shared = len(others & set(ids["user_id"])) / len(ids)
    assert shared == pytest.approx(600 / users, abs=0.1), "another seed draws others"


def test_names_rows_and_later_orders_do_not_decide_who_is_drawn(frame):
    wanted = drawn(frame)
    ids = {user: f"x{len(frame) - place}" for place, user in enumerate(frame["user_id"].unique())}
    renamed = frame.assign(user_id=frame["user_id"].map(ids)).sample(frac=1, random_state=1)
    assert drawn(renamed) == {ids[user] for user in wanted}
    assert drawn(frame[frame["ordered_at"] < "2025-06-30"]) == wanted


def test_the_same_users_are_drawn_on_every_engine(frame):
    """Remainders of negative numbers have another sign on DuckDB and Spark than on pandas."""
    import polars as pl

    part = frame[["user_id", "order_id", "ordered_at", "amount"]].copy()
    part.loc[part.index % 3 == 0, "amount"] *= -5.0
    wanted = drawn(part)
    assert drawn(pl.from_pandas(part)) == wanted
    there = cl.OrderLog.from_frame(part, engine="duckdb", **{name: name for name in part.columns})
    assert set(users_drawn(there, 600, as_of="2025-06-30", seed=0)[1]["user_id"]) == wanted


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_log_that_lies_here_is_not_learned_on_a_cluster(world):
    with pytest.raises(EngineError, match=r"this log is on pandas\. Leave training out"):
        SilenceModel(training="distributed").fit(world.log, as_of=world.as_of)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"training": "distributed", "max_users": 5_000}, "Leave one of the two out"),
        ({"workers": 2}, "n_jobs counts threads"),
        ({"training": "spark"}, "training"),
        ({"training": "distributed", "workers": True}, "not a boolean"),
        ({"training": "distributed", "users_here": 10}, "users_here"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_are_refused_when_the_spec_is_made(asked, told):
    with pytest.raises(ConfigError, match=told):
        SilenceModel(**asked)


def test_what_is_joined_in_one_process_is_refused(world, monkeypatch):
    monkeypatch.setattr(cluster, "need_cluster", lambda log: None)
    spec = SilenceModel(training="distributed")
    host = HostFeatures(lambda log, day: log, (Feature("visits", "visits", "state", "visits", "访问次数"),))
    with pytest.raises(ConfigError, match="takes no features of the host"):
        spec.fit(world.log, as_of=world.as_of, host=host)
    panel = spec.panel.build(world.log, as_of=world.as_of)
    with pytest.raises(ConfigError, match="a panel that lies here"):
        spec.fit_panel(panel)


def test_dask_has_its_own_workers():
    rows = in_parts(nw.from_native(pd.DataFrame({"orders": [1.0], "silent": [0.0]})).lazy())
    with pytest.raises(ConfigError, match="on Dask the workers are those of the client"):
        cluster.grow_there(rows, ("orders",), {}, rounds=1, workers=2)


def test_dask_without_a_cluster_is_told_how_to_make_one():
    rows = in_parts(nw.from_native(pd.DataFrame({"orders": [1.0], "silent": [0.0]})).lazy())
    with pytest.raises(EngineError, match=r"make a distributed\.Client first|pip install"):
        cluster.grow_there(rows, ("orders",), {}, rounds=1, workers=None)
