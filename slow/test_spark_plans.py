"""Plans on Spark are looked at: no product of tables, no window over all rows at once, no more shuffles than needed."""

from __future__ import annotations

import re
from collections.abc import Callable

import narwhals.stable.v2 as nw
import pytest

import commlife as cl
import every_call
from commlife import _engine
from commlife._engine import spark as words
from commlife.features.flows import activity_runs
from commlife.features.summary import summary_plan
from commlife.features.users import own_attributes, payers
from commlife.orders.calendar import Period

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def town():
    return every_call.EXPORTS["town"]()


@pytest.fixture
def seen(monkeypatch):
    """Every plan that is settled on the way, in order."""
    plans = []
    settled = words.held
    monkeypatch.setattr(words, "held", lambda frame: plans.append(nw.to_native(frame)) or settled(frame))
    return plans


@pytest.fixture
def log(spark, town):
    # Small tables are broadcast; here each join is planned as one of large tables.
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    yield town.log(every_call.spark_table(spark, town.frame))
    spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")


def plan_of(frame) -> str:
    native = nw.to_native(frame) if isinstance(frame, nw.LazyFrame) else frame
    return native._jdf.queryExecution().executedPlan().toString()


def shuffles(plan: str) -> list[str]:
    return re.findall(r"^[^\w]*Exchange (\w+)", plan, re.MULTILINE)


DAY = every_call.cl_day("2025-06-30")


def runs(log, **how):
    spec = {"period": Period("week"), "silent_after": 1, "churned_after": 8, "washout": None, "by": (), "warn": False}
    return activity_runs(log, DAY, **(spec | how)).active


def facts(log):
    from commlife.churn._facts import facts_plan

    return facts_plan(log, DAY, 56)


#: Each question, and the most shuffles of each plan that it takes: those that are settled on the way, then its own.
PLANS: dict[str, tuple[Callable[..., object], list[int]]] = {
    "orders": (lambda log: log._orders(DAY), [1, 0]),
    "orders with attributes": (lambda log: log._orders(DAY, "community", "channel"), [2, 0]),
    "payers": (lambda log: payers(log, DAY), [1, 1]),
    "summary": (lambda log: summary_plan(log, DAY), [1, 2]),
    "runs": (runs, [1, 1, 1, 0]),
    "own community": (lambda log: own_attributes(log, DAY, "community"), [2, 1]),
    "states": (lambda log: cl.Lifecycle(period="week", washout="28D").fit(log, as_of="2025-06-30").states, None),
    "rfm": (lambda log: cl.RFM(cuts=CUTS).fit(log, as_of="2025-06-30").transform(log, as_of="2025-06-30"), None),
    "facts of the silence model": (facts, None),
}
CUTS = {"recency": [7, 14, 28, 56], "frequency": [1, 2, 3, 4], "monetary": [10.0, 50.0, 100.0, 200.0]}
#: Shuffles of any one plan; the facts join a dozen tables of a row a user, each of which is made by one or two.
MOST = {"facts of the silence model": 27}


@pytest.mark.parametrize("name", list(PLANS))
def test_a_plan_is_what_somebody_who_knows_spark_would_write(log, seen, name) -> None:
    make, most = PLANS[name]
    own = make(log)
    plans = [plan_of(native) for native in [*seen, own]]
    counts = []
    for plan in plans:
        assert "CartesianProduct" not in plan
        assert "BroadcastNestedLoopJoin" not in plan
        kinds = shuffles(plan)
        # Counts of a whole table end in one place, one number from each part; no window and no join does.
        assert not re.search(r"(Window|Join).*\n[^\n]*Exchange SinglePartition", plan)
        assert set(kinds) <= {"hashpartitioning", "SinglePartition"}
        counts.append(len(kinds))
    if most is None:
        assert max(counts) <= MOST.get(name, 2), [*zip(counts, plans, strict=True)]
    else:
        assert counts == most, "\n".join(plans)


def test_what_is_used_twice_is_planned_once(spark, town) -> None:
    """A settled plan is a scan: nothing built on it is planned from the host's frame again."""
    log = town.log(every_call.spark_table(spark, town.frame))
    plan = plan_of(payers(log, DAY))
    assert "Scan ExistingRDD" in plan
    assert len(shuffles(plan)) <= 2


def test_a_checkpoint_directory_of_the_session_is_used(spark, tmp_path) -> None:
    frame = _engine.from_host(spark.range(10).withColumnRenamed("id", "x"))
    before = nw.to_native(_engine.settle(frame))
    assert before.count() == 10
    spark.sparkContext.setCheckpointDir(str(tmp_path))
    kept = nw.to_native(_engine.settle(frame))
    assert kept.count() == 10
    assert any(path.is_file() for path in tmp_path.rglob("part-*"))
