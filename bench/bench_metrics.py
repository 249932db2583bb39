"""Business metrics: CPU of the weekly table against hand-written Polars and DuckDB, equal work checked equal.

Run: python bench/bench_metrics.py [orders]           CPU seconds, best of 3; 10 million orders by default
     python bench/bench_metrics.py boot [orders]      what the bootstrap of the ratios costs on top
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import duckdb
import numpy as np
import pandas as pd
import polars as pl

import commlife as cl

# The year begins in the middle of lives; that is known here, and both sides count everybody as new.
warnings.simplefilter("ignore", cl.LeftTruncatedWarning)

AS_OF, START, WEEKS = "2025-12-29", "2024-12-30", 52
MONEY = ["gmv", "paid", "refunds", "net", "refund_rate", "orders", "order_net", "payers", "new_payers", "known_users",
         "aov", "orders_per_payer", "units", "units_per_order", "arpu", "arppu", "repurchase_rate", "payer_reach"]  # fmt: skip
ACTIVITY = ["dau", "wau", "mau", "stickiness"]


def export(orders: int) -> pd.DataFrame:
    """Orders of a year, ten a user, one in twenty a refund."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, max(orders // 10, 1), orders)
    at = np.datetime64(START, "us") + rng.integers(0, WEEKS * 7 * 86_400, orders).astype("timedelta64[s]")
    cents = rng.integers(100, 9_999, orders) * np.where(rng.random(orders) < 0.05, -1, 1)
    return pd.DataFrame(
        {
            "user_id": users,
            "ordered_at": at,
            "amount": cents / 100,
            "quantity": rng.integers(1, 6, orders).astype(float),
        }
    )


def best(job: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    took, result = [], None
    for _ in range(times):
        start = time.process_time()
        result = job()
        took.append(time.process_time() - start)
    return min(took), result


def by_polars(frame: pl.DataFrame, *, activity: bool) -> pd.DataFrame:
    day = pl.col("ordered_at").cast(pl.Date).cast(pl.Int64)
    rows = frame.lazy().select(
        "user_id", "quantity", day=day, w=(day + 3) // 7, c=(pl.col("amount") * 100).round().cast(pl.Int64)
    )
    c = pl.col("c")
    lines = rows.group_by("w").agg(paid=c.filter(c > 0).sum(), refunds=-c.filter(c < 0).sum())
    orders = rows.filter(c >= 0)
    users = orders.group_by("w", "user_id").agg(n=pl.len(), net=c.sum(), q=pl.col("quantity").sum())
    users = users.collect().lazy()
    sums = users.group_by("w").agg(
        orders=pl.col("n").sum(), order_net=pl.col("net").sum(), units=pl.col("q").sum(), payers=pl.len(),
        repeat=(pl.col("n") > 1).sum(),
    )  # fmt: skip
    new = users.group_by("user_id").agg(pl.col("w").min()).group_by("w").agg(new=pl.len())
    table = lines.join(sums, on="w").join(new, on="w", how="left").sort("w").collect().to_pandas()
    if activity:
        days = orders.select("user_id", "day").unique().collect()
        ends = [(w * 7 - 3 + 7) for w in table["w"]]
        wau, mau, days30, dau = [], [], [], []
        for end in ends:
            month = days.filter((pl.col("day") >= end - 30) & (pl.col("day") < end))
            mau.append(month["user_id"].n_unique())
            days30.append(len(month))
            week = month.filter(pl.col("day") >= end - 7)
            wau.append(week["user_id"].n_unique())
            dau.append(len(week) / 7)
        table = table.assign(wau=wau, mau=mau, days30=days30, dau=dau)
    return table


def by_duckdb(relation: duckdb.DuckDBPyRelation, *, activity: bool) -> pd.DataFrame:
    relation.query(
        "raw",
        """create or replace temp table r as
           select user_id u, ordered_at::date d, quantity q, round(amount * 100)::bigint c,
                  (date_diff('day', date '1970-01-01', ordered_at::date) + 3) // 7 w from raw""",
    )
    relation.query(
        "raw",
        """create or replace temp table us as
           select w, u, count(*) n, sum(c) net, sum(q) q from r where c >= 0 group by all""",
    )
    table = relation.query(
        "raw",
        """with l as (select w, sum(c) filter (c > 0) paid, -sum(c) filter (c < 0) refunds from r group by w),
             s as (select w, sum(n) orders, sum(net) order_net, sum(q) units, count(*) payers,
                          count(*) filter (n > 1) repeat from us group by w),
             f as (select w, count(*) new from (select u, min(w) w from us group by u) group by w)
           select * from l join s using (w) left join f using (w) order by w""",
    ).df()
    if activity:
        more = relation.query(
            "raw",
            """with days as materialized (select distinct u, d from r where c >= 0),
                 e as (select distinct w, date '1970-01-01' + (w * 7 + 4)::int e from r)
               select w, count(*) filter (d >= e - 7) / 7 dau, count(distinct u) filter (d >= e - 7) wau,
                      count(distinct u) mau, count(*) days30
               from e join days on d < e and d >= e - 30 group by w order by w""",
        ).df()
        table = table.merge(more, on="w")
    return table


def check(ours: pd.DataFrame, peer: pd.DataFrame) -> None:
    for name in ("orders", "payers", "units"):
        assert ours[name].tolist() == peer[name].astype(float).tolist(), name
    for name in ("paid", "refunds", "order_net"):
        assert (ours[name] * 100).round().astype(int).tolist() == peer[name].astype(int).tolist(), name
    assert ours["new_payers"].tolist() == peer["new"].fillna(0).astype(float).tolist()
    np.testing.assert_allclose(ours["repurchase_rate"], peer["repeat"].astype(float) / peer["payers"])
    if "mau" in peer:
        known = ours["mau"].notna().to_numpy()
        assert ours["mau"][known].tolist() == peer["mau"][known].astype(float).tolist()
        np.testing.assert_allclose(ours["stickiness"][known], (peer["days30"] / (30 * peer["mau"]))[known])


def speed(orders: int) -> None:
    frame = export(orders)
    names = {name: name for name in frame.columns}
    link = duckdb.connect()
    link.execute("set threads = 2")
    hands: dict[str, tuple[Any, Callable[..., pd.DataFrame]]] = {
        "polars": (pl.from_pandas(frame), by_polars),
        "duckdb": (link.from_df(frame).materialize(), by_duckdb),
    }
    for engine, (native, hand) in hands.items():
        log = cl.OrderLog.from_frame(native, **names, observed_from=START)
        for what, metrics in (("money, orders, payers", MONEY), ("and active users", [*MONEY, *ACTIVITY])):
            by_hand, peer = best(partial(hand, native, activity=len(metrics) > len(MONEY)))
            ours, table = best(partial(ask, log, metrics))
            said = f"commlife {ours:.2f} s, by hand {by_hand:.2f} s, ratio {ours / by_hand:.2f}"
            print(f"{engine:7} {what:22} {orders:,} orders: {said}", flush=True)
            check(table.to_frame(), peer)


def ask(log: cl.OrderLog, metrics: list[str], *, n_boot: int = 0, period: str = "week") -> cl.BusinessMetrics:
    log._memory.clear()  # the log's plans are made again each time, as by hand
    return cl.business_metrics(log, as_of=AS_OF, period=period, metrics=metrics, n_boot=n_boot)


def boot(orders: int) -> None:
    frame = export(orders)
    log = cl.OrderLog.from_frame(frame, **{name: name for name in frame.columns}, observed_from=START)
    for n_boot in (0, 500):
        took, _ = best(partial(ask, log, MONEY, n_boot=n_boot, period="month"), 1)
        print(f"pandas, {orders:,} orders, months, n_boot={n_boot}: {took:.2f} s CPU")


if __name__ == "__main__":
    words = sys.argv[1:]
    number = next((int(word) for word in words if word.isdigit()), 10_000_000)
    (boot if "boot" in words else speed)(number)
