"""A silence model that learns on a cluster: near to the one that learns here, and as good as any afterwards.

Tolerance is promised, not equality: rows lie in another order on a cluster, so trees are drawn from other halves of
them, and histograms of several workers are added up. Everybody is brought here for the calibration, as on the local
fit: what a sample does to its level is chance and no matter of training.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
import every_call
from commlife.churn import cluster

pytestmark = pytest.mark.filterwarnings("ignore")
SPEC = cl.SilenceModel(horizon="21D", snapshots=1, n_trees=60, refits=2, resamples=40)


@pytest.fixture(scope="module")
def town():
    return cl.datasets.make_community(n_users=1_500, seed=4, n_communities=3)


@pytest.fixture(scope="module")
def frame(town):
    lines = town.log.to_native()[["user_id", "order_id", "ordered_at", "amount", "community"]]
    return lines.assign(ordered_at=pd.to_datetime(lines["ordered_at"]).astype("datetime64[ns]"))


def log_of(native) -> cl.OrderLog:
    names = ("user_id", "order_id", "ordered_at", "amount", "community")
    return cl.OrderLog.from_frame(native, **{name: name for name in names})


@pytest.fixture(scope="module")
def here(frame):
    return log_of(frame)


@pytest.fixture(scope="module")
def local(town, here):
    return SPEC.fit(here, as_of=town.as_of)


def auc(model) -> float:
    return model.evaluation.set_index(["model", "metric"])["value"]["xgboost", "roc_auc"]


def comes_near(model, local, here, as_of) -> None:
    """On the same panel: discrimination, mean and order of the forecasts, and the level of the calibration."""
    assert auc(model) == pytest.approx(auc(local), abs=0.02)
    p, q = (each.predict(here, as_of=as_of)["p_silent"].to_numpy() for each in (local, model))
    assert q.mean() == pytest.approx(p.mean(), abs=0.02)
    assert np.corrcoef(p, q)[0, 1] > 0.97
    assert (model.fitted_on.rows, model.fitted_on.users) == (local.fitted_on.rows, local.fitted_on.users)


def serves_as_any(model, here, there, as_of, folder) -> None:
    """Saved, loaded, asked on the cluster and here: one answer."""
    model.save(folder)
    again = cl.FittedSilenceModel.load(folder)
    assert again.training == model.training
    wanted = model.predict(here, as_of=as_of)
    pd.testing.assert_frame_equal(again.predict(here, as_of=as_of), wanted)
    seen = every_call.plain(again.predict(there, as_of=as_of)).sort_values("user_id", ignore_index=True)
    pd.testing.assert_frame_equal(seen, every_call.plain(wanted), rtol=1e-9, atol=1e-9)
    reasons = again.reasons(here, as_of=as_of, k=2)
    sums = reasons.groupby("user_id")["contribution_pp"].sum() + reasons.groupby("user_id")["p_base"].first()
    np.testing.assert_allclose(sums, reasons.groupby("user_id")["p_silent"].first(), atol=1e-9)
    assert set(again.drivers()["scope"]) == {"all"}


@pytest.fixture(scope="module")
def on_spark(spark, frame):
    return log_of(every_call.spark_table(spark, frame))


def test_spark_learns_near_to_what_is_learned_here(on_spark, local, here, town, tmp_path):
    model = SPEC.model_copy(update={"training": "distributed", "workers": 2}).fit(on_spark, as_of=town.as_of)
    comes_near(model, local, here, town.as_of)
    assert model.training == cluster.Training("PySpark", 2, here.n_users, here.n_users)
    serves_as_any(model, here, on_spark, town.as_of, tmp_path / "model")


def test_a_cluster_without_room_is_told(on_spark, town):
    """Four workers at once on two cores: Spark's barrier does not wait for what never comes."""
    greedy = SPEC.model_copy(update={"training": "distributed", "workers": 4, "users_here": 500})
    with pytest.raises(cl.EngineError, match="no more workers than the cluster has free slots"):
        greedy.fit(on_spark, as_of=town.as_of)


def test_dask_learns_near_to_what_is_learned_here(local, here, frame, town, tmp_path):
    distributed = pytest.importorskip("distributed", reason="make test-engines installs it")
    import dask.dataframe as dd

    spec = SPEC.model_copy(update={"training": "distributed"})
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as there,
        distributed.Client(there),
    ):
        log = log_of(dd.from_pandas(frame, npartitions=2))
        model = spec.fit(log, as_of=town.as_of)
        comes_near(model, local, here, town.as_of)
        assert model.training == cluster.Training("Dask", 2, here.n_users, here.n_users)
        serves_as_any(model, here, log, town.as_of, tmp_path / "model")
