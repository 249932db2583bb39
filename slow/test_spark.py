"""PySpark frames at the boundary, on local[2]: the same log as from pandas. ``make test-engines`` (needs Java)."""

from __future__ import annotations

import os
import sys

import pandas as pd
import pytest

import commlife as cl
from commlife._engine import collect
from commlife.testing.pipelines import _rows as sound_rows

pyspark_sql = pytest.importorskip("pyspark.sql", reason="make test-engines installs it")
# PySpark warns of each pandas that is newer than itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(scope="module")
def spark():
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = pyspark_sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = (
        builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    )
    yield session
    session.stop()


def test_spark_gives_the_same_log(spark):
    frame = sound_rows(0).assign(ordered_at=lambda f: f["ordered_at"].astype("datetime64[ns]"))
    names = {name: name for name in frame.columns}
    log = cl.OrderLog.from_frame(spark.createDataFrame(frame), **names, timezone="UTC")
    wanted = cl.OrderLog.from_frame(frame, **names)
    assert (log.n_rows, log.n_orders, log.n_users) == (wanted.n_rows, wanted.n_orders, wanted.n_users)
    keys = ["user_id", "order_id"]
    orders, wanted_orders = (
        collect(each._orders(20_140, "community")).sort_values(keys, ignore_index=True) for each in (log, wanted)
    )
    pd.testing.assert_frame_equal(orders[wanted_orders.columns], wanted_orders, check_dtype=False)
    rules = cl.CleaningRules(drop_zero_amount=True, merge_within="1D", winsorize_amount=0.9)
    pd.testing.assert_frame_equal(log.clean(rules).audit, wanted.clean(rules).audit)
    summary = cl.purchase_summary(log, as_of="2025-03-15").toPandas().sort_values("user_id", ignore_index=True)
    pd.testing.assert_frame_equal(summary, cl.purchase_summary(wanted, as_of="2025-03-15"), check_dtype=False)


def test_a_session_clock_is_moved_to_the_shops(spark):
    frame = pd.DataFrame({"u": ["a"], "t": pd.to_datetime(["2025-01-01 16:00"]), "m": [1.0]})
    log = cl.OrderLog.from_frame(spark.createDataFrame(frame), user_id="u", ordered_at="t", amount="m")
    assert log.first_day == "2025-01-02", "16:00 UTC is midnight in Shanghai"
