"""Cohorts: CPU of the weekly table against hand-written pandas, Polars and DuckDB; recall and false alarms of alerts.

Run: python bench/bench_cohorts.py speed [orders]      CPU seconds, best of 3, equal work checked equal
     python bench/bench_cohorts.py alerts [seeds]      operating figures over sizes and drops, cells drawn directly
     python bench/bench_cohorts.py community [seeds]   the same through make_community, from the order log on
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import commlife as cl
from commlife._stats.multiplicity import benjamini_hochberg
from commlife.cohorts import cohort_table, retention_alerts
from commlife.cohorts._expectation import expect

AS_OF = "2025-12-29"
WEEKS = 52


def export(orders: int) -> pd.DataFrame:
    """Orders of a year in 200 communities; a user orders about ten times."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, max(orders // 10, 1), orders)
    at = np.datetime64("2024-12-30", "us") + rng.integers(0, WEEKS * 7 * 86_400, orders).astype("timedelta64[s]")
    frame = pd.DataFrame({"user_id": users, "ordered_at": at, "amount": rng.integers(100, 9_999, orders) / 100})
    estates = np.array([f"estate-{number:03d}" for number in range(200)])
    frame["community"] = estates[users % 200]
    return frame


# The year begins in the middle of lives; that is known here, and both sides count everybody.
warnings.simplefilter("ignore", cl.LeftTruncatedWarning)


def best(job: Callable[[], object], times: int = 3) -> tuple[float, object]:
    took, result = [], None
    for _ in range(times):
        start = time.process_time()
        result = job()
        took.append(time.process_time() - start)
    return min(took), result


def by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    week = (frame["ordered_at"].to_numpy().astype("datetime64[D]").astype("int64") + 3) // 7
    rows = pd.DataFrame({"user_id": frame["user_id"], "week": week, "at": frame["ordered_at"], "c": frame["community"]})
    first = rows.loc[rows.groupby("user_id")["at"].idxmin(), ["user_id", "week", "c"]]
    first.columns = ["user_id", "cohort", "community"]
    active = rows[["user_id", "week"]].drop_duplicates().merge(first, on="user_id")
    active["age"] = active["week"] - active["cohort"]
    return active.groupby(["community", "cohort", "age"]).size().rename("users").reset_index()


def by_polars(frame: object) -> object:
    import polars as pl

    week = (pl.col("ordered_at").cast(pl.Date).cast(pl.Int64) + 3) // 7
    rows = frame.lazy().with_columns(week.alias("week"))
    first = rows.group_by("user_id").agg(
        pl.col("week").min().alias("cohort"), pl.col("community").sort_by("ordered_at").first()
    )
    active = rows.select("user_id", "week").unique().join(first, on="user_id")
    aged = active.with_columns((pl.col("week") - pl.col("cohort")).alias("age"))
    return aged.group_by("community", "cohort", "age").agg(pl.len().alias("users")).collect().to_pandas()


def by_duckdb(frame: pd.DataFrame) -> pd.DataFrame:
    import duckdb

    connection = duckdb.connect()
    connection.register("orders", frame)
    return connection.sql("""
        WITH o AS MATERIALIZED (
            SELECT user_id, community, ordered_at,
                   (date_diff('day', DATE '1970-01-01', CAST(ordered_at AS DATE)) + 3) // 7 AS week
            FROM orders),
        f AS (SELECT user_id, min(week) AS cohort, arg_min(community, ordered_at) AS community FROM o GROUP BY user_id),
        a AS (SELECT DISTINCT user_id, week FROM o)
        SELECT community, cohort, week - cohort AS age, count(*) AS users FROM a JOIN f USING (user_id) GROUP BY ALL
    """).df()


def speed(orders: int) -> None:
    frame = export(orders)
    names = {name: name for name in frame.columns}
    hand: dict[str, Callable[[], object]] = {"pandas": lambda: by_pandas(frame)}
    given: dict[str, object] = {"pandas": frame}
    try:
        import polars as pl

        given["polars"] = pl.from_pandas(frame)
        hand["polars"] = lambda: by_polars(given["polars"])
    except ImportError:
        print("polars is not installed")
    try:
        import duckdb

        given["duckdb"] = duckdb.connect().from_df(frame)
        hand["duckdb"] = lambda: by_duckdb(frame)
    except ImportError:
        print("duckdb is not installed")
    for engine, native in given.items():
        by_hand, peer = best(hand[engine])
        log = cl.OrderLog.from_frame(native, **names, observed_from="2024-12-30")
        for by in (None, "community"):

            def ask(log: cl.OrderLog = log, by: str | None = by) -> object:
                log._memory.clear()  # the log's plans are made again each time, as by hand
                return cohort_table(log, as_of=AS_OF, period="week", by=by)

            ours, table = best(ask)
            asked = f"{engine:8} by {by!s:10} {orders:,} orders"
            print(f"{asked}: commlife {ours:.2f} s, by hand by community {by_hand:.2f} s, ratio {ours / by_hand:.2f}")
            cells = table.cells.dropna(subset=["users"]).groupby("age")["users"].sum()
            counted = peer.groupby("age")["users"].sum().sort_index()
            assert [int(n) for n in counted] == [int(n) for n in cells if n > 0], "equal work"


def draw(rng: np.random.Generator, size: int, rho: float, drop: float | None, weeks: int, ages: int) -> np.ndarray:
    """q-values of one week: 8 communities, rates 34% to 46% at age 1, falling by 15% with each age."""
    mean = 0.40 + 0.06 * np.linspace(-1, 1, 8)
    p_values = []
    for age in range(ages):
        rate = np.broadcast_to((mean * 0.85**age)[:, None], (8, weeks + 1)).copy()
        if drop is not None and age == 0:
            rate[:, :] = np.where(np.arange(8)[:, None] == 3, 0.40, rate)
            rate[3, -1] = drop
        if rho:
            rate = rng.beta(rate * (1 - rho) / rho, (1 - rate) * (1 - rho) / rho)
        n = np.full((8, weeks + 1), float(size))
        x = rng.binomial(size, rate).astype(float)
        found = expect(x[:, age:-1], n[:, age:-1], x[:, -1], n[:, -1], min_history=6)
        p_values.append(found.p_value)
    weight = 0.25 ** np.arange(ages)
    weight /= weight.mean()
    return benjamini_hochberg(
        np.minimum(np.concatenate([p / w for p, w in zip(p_values, weight, strict=True)]), 1.0)
    ).reshape(ages, 8)


def alerts(seeds: int) -> None:
    weeks, ages = 16, 8
    print(f"{seeds} seeds, history of {weeks} weeks, 8 communities x {ages} ages tested together, q <= .02")
    print("recall of a drop from 40% in one community, in its first complete week:")
    drops = (0.35, 0.30, 0.25, 0.20)
    print(
        "  newcomers a week   rho   "
        + "   ".join(f"to {drop:.0%}" for drop in drops)
        + "   false alarms in 1,000 healthy weeks"
    )
    for size in (50, 100, 200, 300, 600):
        for rho in (0.0, 0.002, 0.005):
            rng = np.random.default_rng(1)
            recall = [
                np.mean([draw(rng, size, rho, drop, weeks, ages)[0, 3] <= 0.02 for _ in range(seeds)]) for drop in drops
            ]
            false = np.mean([(draw(rng, size, rho, None, weeks, ages) <= 0.02).sum() for _ in range(2 * seeds)])
            print(
                f"  {size:16}  {rho:5}   "
                + "   ".join(f"{share:6.1%}" for share in recall)
                + f"   {1_000 * false:6.1f}"
            )


def community(seeds: int) -> None:
    found, false = 0, 0
    for seed in range(seeds):
        world = cl.datasets.make_community(
            newcomers_per_week=300, n_weeks=18, drop_week=16, retention_spread=0.0, seed=seed, lines_per_order=1.0
        )
        names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community")}
        log = cl.OrderLog.from_frame(world.frame[list(names)], **names, observed_from=world.world.start)
        now = retention_alerts(cohort_table(log, as_of=world.as_of, period="7D", by="community")).to_frame()
        hit = (now["group"] == world.truth.drop.community) & (now["direction"] == "drop") & (now["age"] == 1)
        found += hit.any()
        before = retention_alerts(cohort_table(log, as_of=world.truth.drop.first_day, period="7D", by="community"))
        false += len(before)
        print(f"  seed {seed}: found {bool(hit.any())}, {len(now)} alerts; in the healthy week before {len(before)}")
    print(f"make_community, 8 communities, 300 newcomers a week, one falls to 25%: found {found} of {seeds}")
    print(f"false alarms: {false} in {seeds} healthy weeks")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "speed"
    number = int(sys.argv[2]) if len(sys.argv) > 2 else {"speed": 2_000_000, "alerts": 200, "community": 20}[what]
    {"speed": speed, "alerts": alerts, "community": community}[what](number)
