"""Itemsets of a log on Spark: MLlib's FPGrowth gives what the miners here give. ``make test-engines`` (needs Java)."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
import every_call
from commlife.errors import ConfigError, EngineError

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(scope="module")
def frame():
    ledger = cl.datasets.make_community(n_users=80, seed=5).log.to_native()
    return ledger[["user_id", "order_id", "item_id", "category", "amount", "quantity", "ordered_at", "community"]]


@pytest.fixture(scope="module")
def logs(spark, frame):
    names = {name: name for name in frame.columns}
    plain = frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"]).astype("datetime64[ns]"))
    there = every_call.spark_table(spark, plain)
    return tuple(cl.OrderLog.from_frame(each, **names) for each in (plain, there))


@pytest.mark.parametrize(
    "asked",
    [
        {"min_support": 0.01},
        {"min_count": 8, "max_len": 2},
        {"min_count": 6, "keep": "closed", "max_len": 3},
        {"min_count": 6, "keep": "maximal", "level": "category"},
        {"min_count": 10, "exclude": ["meat-01"]},
        {"min_support": 1.0},
    ],
    ids=str,
)
def test_the_same_call_gives_the_same_itemsets(logs, asked):
    here, there = (cl.frequent_itemsets(log, as_of="2025-06-30", **asked) for log in logs)
    assert there.algorithm == "spark"
    pd.testing.assert_frame_equal(there.to_frame(), here.to_frame())
    assert (there.n_baskets, there.n_entries, there.min_count) == (here.n_baskets, here.n_entries, here.min_count)


def test_rules_and_offers_go_on_from_there(logs):
    here, there = (
        cl.association_rules(cl.frequent_itemsets(log, as_of="2025-06-30", min_count=8), min_confidence=0.3)
        for log in logs
    )
    pd.testing.assert_frame_equal(there.to_frame(), here.to_frame())


def test_what_spark_cannot_do_is_told_and_nothing_is_brought_here_unasked(logs):
    log = logs[1]
    for asked in ({"by": "community"}, {"weight": "amount", "min_support": 0.1, "min_count": None}, {"include": ["x"]}):
        with pytest.raises(EngineError, match="not on Spark"):
            cl.frequent_itemsets(log, **({"as_of": "2025-06-30", "min_count": 8} | asked))
    with pytest.raises(EngineError, match="not brought here unasked"):
        cl.contrast_itemsets(log, as_of="2025-06-30", min_count=8)
    with pytest.raises(ConfigError, match="max_itemsets=3"):
        cl.frequent_itemsets(log, as_of="2025-06-30", min_count=8, max_itemsets=3)
