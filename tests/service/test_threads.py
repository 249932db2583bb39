"""Eight threads share one log and its fitted objects: each gets what it would get alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import polars as pl
import pytest

import commlife as cl

pytestmark = pytest.mark.filterwarnings("ignore::commlife.errors.CommlifeWarning")
THREADS = 8
NAMES = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community", "item_id", "category")}


@pytest.fixture(scope="module")
def community() -> Any:
    return cl.datasets.make_community(n_users=300, seed=4)


def log_of(community: Any, kind: str) -> cl.OrderLog:
    frame = community.frame[list(NAMES)]
    return cl.OrderLog.from_frame(frame if kind == "pandas" else pl.from_pandas(frame), **NAMES)


def together(jobs: list[Callable[[], Any]], times: int) -> list[list[tuple[int, Any]]]:
    """Every thread does every job some times, each in an order of its own, all from one start."""
    barrier = threading.Barrier(THREADS)

    def work(seed: int) -> list[tuple[int, Any]]:
        order = [number for number in range(len(jobs)) for _ in range(times)]
        random.Random(seed).shuffle(order)
        barrier.wait()
        return [(number, jobs[number]()) for number in order]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def assert_alike(seen: Any, wanted: Any) -> None:
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(seen, wanted)
    elif isinstance(wanted, pl.DataFrame):
        assert seen.equals(wanted)
    else:
        assert repr(seen) == repr(wanted)  # NaN stands in values, and is not itself


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_eight_threads_ask_one_log(community: Any, kind: str) -> None:
    """More days than the log keeps orders of, so that threads tidy up under each other's feet."""
    days = [f"2025-06-{day:02d}" for day in range(10, 18)]

    def jobs(log: cl.OrderLog) -> list[Callable[[], Any]]:
        rfm = cl.RFM(n_bins=3, cuts={"frequency": [1, 3]}).fit(log, as_of=days[0])
        made: list[Callable[[], Any]] = [lambda day=day: cl.purchase_summary(log, as_of=day) for day in days]
        made += [lambda day=day: rfm.transform(log, as_of=day) for day in days]
        made.append(lambda: cl.cohort_table(log, as_of=days[-1], by="community").to_frame())
        return [*made, lambda: (log.n_orders, log.n_users, len(log.faults))]

    alone = [job() for job in jobs(log_of(community, kind))]
    for done in together(jobs(log_of(community, kind)), times=2):
        for number, seen in done:
            assert_alike(seen, alone[number])


def test_eight_threads_score_by_shared_fitted_objects(community: Any) -> None:
    log, as_of = log_of(community, "pandas"), community.as_of
    rfm = cl.RFM().fit(log, as_of=as_of)
    silence = cl.SilenceModel(n_trees=30, refits=2, resamples=20).fit(log, as_of=as_of)
    table = silence.feature_table(log, as_of=as_of)
    rows = table.drop(columns="user_id").head(6).to_dict("records")
    rules = cl.association_rules(
        cl.frequent_itemsets(log, as_of=as_of, level="category", min_count=5), min_confidence=0.05
    )
    items = sorted({item for itemset in rules.to_frame()["antecedent"] for item in itemset})
    summary = cl.purchase_summary(log, as_of=as_of)
    bg = cl.BetaGeo().fit(summary)
    jobs: list[Callable[[], Any]] = [
        lambda n=n: rfm.score(recency_days=n, frequency=n % 5 + 1, monetary=n * 3.5) for n in range(20)
    ]
    jobs += [lambda row=row: silence.explain_one(row) for row in rows]
    jobs += [lambda item=item: cl.cross_sell(rules, [item], k=3) for item in items[:6]]
    jobs += [lambda: bg.p_alive(summary), lambda: silence.predict(log, as_of=as_of), rfm.to_json]
    assert items
    alone = [job() for job in jobs]
    for done in together(jobs, times=3):
        for number, seen in done:
            assert_alike(seen, alone[number])
