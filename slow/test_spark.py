"""PySpark frames on local[2]: each relational public call gives what pandas gives. Needs Java."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
import every_call

# PySpark warns of each pandas that is newer than itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::UserWarning:pyspark"
)

LOGS: dict[str, tuple[cl.OrderLog, cl.OrderLog, every_call.Export]] = {}


def logs(spark, name: str) -> tuple[cl.OrderLog, cl.OrderLog, every_call.Export]:
    """An export on Spark and on pandas."""
    if name not in LOGS:
        export = every_call.EXPORTS[name]()
        LOGS[name] = export.log(every_call.spark_table(spark, export.frame)), export.log(export.frame), export
    return LOGS[name]


#: Counted in one process, and refused on Spark: test_spark_baskets. Fitted in one process: test_spark_job.
ELSEWHERE = {"later_baskets", "silence"}


@pytest.mark.parametrize(("name", "call"), [case for case in every_call.cases(small=True) if case[1] not in ELSEWHERE])
def test_every_call_gives_the_same(spark, name: str, call: str) -> None:
    log, wanted, export = logs(spark, name)
    every_call.assert_equal(every_call.ask(call, log, export), every_call.ask(call, wanted, export))


def test_a_session_clock_is_moved_to_the_shops(spark):
    frame = pd.DataFrame({"u": ["a"], "t": pd.to_datetime(["2025-01-01 16:00"]), "m": [1.0]})
    log = cl.OrderLog.from_frame(spark.createDataFrame(frame), user_id="u", ordered_at="t", amount="m")
    assert log.first_day == "2025-01-02", "16:00 UTC is midnight in Shanghai"


def test_text_times_are_refused_with_the_way_out(spark):
    frame = spark.createDataFrame([("a", "2025-01-01", 1.0)], "u string, t string, m double")
    with pytest.raises(cl.EngineError, match="to_timestamp_ntz"):
        cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
