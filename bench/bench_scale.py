"""Scale: the same calls beside the best hand-written pandas, Polars and DuckDB code, each in a process of its own.

Run: python bench/bench_scale.py table [ORDERS ...]          CPU seconds, peak memory and ratios (default 1e6 1e7)
     python bench/bench_scale.py growth [ORDERS ...]         CPU and memory an order as the log grows, on DuckDB
     python bench/bench_scale.py core [ORDERS] [LIMIT_MB]    out of core: every task on DuckDB, memory watched
     python bench/bench_scale.py night [ORDERS]              a night with LogState beside the full run
     python bench/bench_scale.py file ORDERS PATH            write the order file alone, in chunks
`table` and `growth` write their tables between the marks of docs/explanation/scale.md.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import numpy as np

AS_OF, AS_OF_DAY, WEEKS = "2025-12-29", 20_451, 52
NAMES = {name: name for name in ("user_id", "ordered_at", "amount", "community")}
TASKS = ("summary", "rfm", "cohorts", "lifecycle")
ENGINES = ("pandas", "polars", "duckdb")
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "scale.md"
CHUNK = 1_000_000


def write(orders: int, path: Path) -> None:
    """A year of orders in 200 communities, ten a user, written in chunks: the rows never are in memory together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    estates = np.array([f"estate-{number:03d}" for number in range(200)])
    schema = pa.schema(
        [
            ("user_id", pa.int64()),
            ("ordered_at", pa.timestamp("us")),
            ("amount", pa.float64()),
            ("community", pa.string()),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, orders, CHUNK):
            rng = np.random.default_rng([7, begin])
            n = min(CHUNK, orders - begin)
            users = rng.integers(0, max(orders // 10, 1), n)
            at = np.datetime64("2024-12-30", "us") + rng.integers(0, WEEKS * 7 * 86_400, n).astype("timedelta64[s]")
            columns = [users, at, rng.integers(100, 9_999, n) / 100, estates[users % 200]]
            writer.write_table(pa.table([pa.array(c) for c in columns], schema=schema))


# -- by hand: what somebody who knows the engine writes for one question ------------------------------------------------


def summary_pandas(frame: Any) -> Any:
    import pandas as pd

    day = frame["ordered_at"].to_numpy().astype("datetime64[D]").astype(np.int64)
    cents = np.rint(frame["amount"].to_numpy() * 100).astype(np.int64)
    days = pd.DataFrame({"user_id": frame["user_id"].to_numpy(), "day": day, "net": cents})
    days = days.groupby(["user_id", "day"], sort=True, as_index=False)["net"].sum()
    users = days.groupby("user_id").agg(
        first=("day", "first"),
        last=("day", "last"),
        days=("day", "size"),
        spend=("net", "sum"),
        at_first=("net", "first"),
    )
    x = users["days"] - 1
    mean = (users["spend"] - users["at_first"]) / 100 / x.where(x > 0)
    return pd.DataFrame(
        {"x": x, "t_x": users["last"] - users["first"], "T": AS_OF_DAY - 1 - users["first"], "m_x": mean}
    )


def summary_polars(plan: Any) -> Any:
    import polars as pl

    days = (
        plan.select("user_id", pl.col("ordered_at").cast(pl.Date).cast(pl.Int64).alias("day"),
                    (pl.col("amount") * 100).round().cast(pl.Int64).alias("net"))
        .group_by("user_id", "day").agg(pl.col("net").sum())
    )  # fmt: skip
    users = days.group_by("user_id").agg(
        pl.col("day").min().alias("first"), pl.col("day").max().alias("last"), pl.len().cast(pl.Int64).alias("days"),
        pl.col("net").sum().alias("spend"), pl.col("net").sort_by("day").first().alias("at_first"),
    )  # fmt: skip
    x = pl.col("days") - 1
    return users.select(
        "user_id", x.alias("x"), (pl.col("last") - pl.col("first")).alias("t_x"),
        (AS_OF_DAY - 1 - pl.col("first")).alias("T"),
        pl.when(x > 0).then((pl.col("spend") - pl.col("at_first")) / 100 / x).alias("m_x"),
    ).collect()  # fmt: skip


SUMMARY_SQL = f"""
    WITH d AS (SELECT user_id, date_diff('day', DATE '1970-01-01', ordered_at::DATE) AS day,
                      sum(round(amount * 100)::BIGINT) AS net FROM orders GROUP BY ALL),
    u AS (SELECT user_id, min(day) AS first, max(day) AS last, count(*) AS days, sum(net) AS spend,
                 arg_min(net, day) AS at_first FROM d GROUP BY user_id)
    SELECT user_id, days - 1 AS x, last - first AS t_x, {AS_OF_DAY} - 1 - first AS T,
           CASE WHEN days > 1 THEN (spend - at_first) / 100 / (days - 1) END AS m_x FROM u"""


def _scored(recency: Any, frequency: Any, money: Any) -> Any:
    cuts = [np.quantile(values, [0.2, 0.4, 0.6, 0.8]) for values in (recency, frequency, money)]
    r, f, m = (
        np.searchsorted(cut, values, side="left") for cut, values in zip(cuts, (recency, frequency, money), strict=True)
    )
    return (5 - r) * 100 + (1 + f) * 10 + (1 + m)


def rfm_pandas(frame: Any) -> Any:
    import pandas as pd

    day = frame["ordered_at"].to_numpy().astype("datetime64[D]").astype(np.int64)
    rows = pd.DataFrame({"user_id": frame["user_id"].to_numpy(), "day": day, "amount": frame["amount"].to_numpy()})
    users = rows.groupby("user_id").agg(last=("day", "max"), frequency=("day", "size"), money=("amount", "sum"))
    users["code"] = _scored(
        AS_OF_DAY - users["last"].to_numpy(), users["frequency"].to_numpy(), users["money"].to_numpy()
    )
    return users


def rfm_polars(plan: Any) -> Any:
    import polars as pl

    users = plan.group_by("user_id").agg(
        pl.col("ordered_at").max().cast(pl.Date).cast(pl.Int64).alias("last"), pl.len().alias("frequency"),
        pl.col("amount").sum().alias("money"),
    ).collect()  # fmt: skip
    code = _scored(AS_OF_DAY - users["last"].to_numpy(), users["frequency"].to_numpy(), users["money"].to_numpy())
    return users.with_columns(pl.Series("code", code))


RFM_SQL = f"""
    WITH u AS MATERIALIZED (
        SELECT user_id, {AS_OF_DAY} - date_diff('day', DATE '1970-01-01', max(ordered_at)::DATE) AS recency,
               count(*) AS frequency, sum(amount) AS money FROM orders GROUP BY user_id),
    c AS MATERIALIZED (SELECT quantile_cont(recency, [.2, .4, .6, .8]) AS r, quantile_cont(frequency, [.2, .4, .6, .8]) AS f,
                 quantile_cont(money, [.2, .4, .6, .8]) AS m FROM u)
    SELECT user_id, recency, frequency, money,
           (5 - (recency > r[1])::INT - (recency > r[2])::INT - (recency > r[3])::INT - (recency > r[4])::INT) * 100
         + (1 + (frequency > f[1])::INT + (frequency > f[2])::INT + (frequency > f[3])::INT + (frequency > f[4])::INT) * 10
         + (1 + (money > m[1])::INT + (money > m[2])::INT + (money > m[3])::INT + (money > m[4])::INT) AS code
    FROM u CROSS JOIN c"""


def cohorts_pandas(frame: Any) -> Any:
    import pandas as pd

    week = (frame["ordered_at"].to_numpy().astype("datetime64[D]").astype(np.int64) + 3) // 7
    active = pd.DataFrame({"user_id": frame["user_id"].to_numpy(), "week": week}).drop_duplicates()
    first = active.groupby("user_id")["week"].transform("min")
    return active.assign(cohort=first, age=active["week"] - first).groupby(["cohort", "age"]).size()


def cohorts_polars(plan: Any) -> Any:
    import polars as pl

    week = (pl.col("ordered_at").cast(pl.Date).cast(pl.Int64) + 3) // 7
    active = plan.select("user_id", week.alias("week")).unique()
    first = active.group_by("user_id").agg(pl.col("week").min().alias("cohort"))
    aged = active.join(first, on="user_id").with_columns((pl.col("week") - pl.col("cohort")).alias("age"))
    return aged.group_by("cohort", "age").agg(pl.len().alias("users")).collect()


COHORTS_SQL = """
    WITH a AS MATERIALIZED (SELECT DISTINCT user_id,
                (date_diff('day', DATE '1970-01-01', ordered_at::DATE) + 3) // 7 AS week FROM orders),
    f AS (SELECT user_id, min(week) AS cohort FROM a GROUP BY user_id)
    SELECT cohort, week - cohort AS age, count(*) AS users FROM a JOIN f USING (user_id) GROUP BY ALL"""


def lifecycle_pandas(frame: Any) -> Any:
    """NumPy on one sorted key a user and week: states now, and users and money by week, how they came, what followed."""
    import pandas as pd

    week = (frame["ordered_at"].to_numpy().astype("datetime64[D]").astype(np.int64) - AS_OF_DAY) // 7
    low = int(week.min())
    width = -low
    key = frame["user_id"].to_numpy() * width + (week - low)
    order = np.argsort(key, kind="stable")
    key, cents = key[order], np.rint(frame["amount"].to_numpy() * 100).astype(np.int64)[order]
    begins = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    net, key = np.add.reduceat(cents, begins), key[begins]
    user, week = key // width, key % width + low
    same = user[1:] == user[:-1]
    gap = np.r_[-1, np.where(same, week[1:] - week[:-1], -1)]
    entry = np.select([gap < 0, gap == 1, gap <= 8], [0, 1, 2], 3)
    follows = np.r_[np.where(same, week[1:] - week[:-1], 99), 99]
    leaves = np.select([follows == 1, follows <= 8], [0, 1], 2)
    cell = ((week - low) * 4 + entry) * 3 + leaves
    users, money = np.bincount(cell), np.bincount(cell, weights=net)
    last = np.r_[~same, True]
    gap_now = -1 - week[last]
    state = np.select([gap_now >= 8, gap_now >= 1, entry[last] == 0, entry[last] == 1], [4, 3, 0, 1], 2)
    return users, money, pd.DataFrame({"user_id": user[last], "state": state})


def lifecycle_polars(plan: Any) -> Any:
    import polars as pl

    week = (pl.col("ordered_at").cast(pl.Date).cast(pl.Int64) - AS_OF_DAY).floordiv(7)
    runs = (
        plan.select("user_id", week.alias("week"), (pl.col("amount") * 100).round().cast(pl.Int64).alias("net"))
        .group_by("user_id", "week").agg(pl.col("net").sum()).sort("user_id", "week")
        .with_columns(pl.col("user_id").shift(1).alias("pu"), pl.col("week").shift(1).alias("pw"),
                      pl.col("user_id").shift(-1).alias("nu"), pl.col("week").shift(-1).alias("nw"))
        .with_columns(
            pl.when(pl.col("pu").eq(pl.col("user_id")).not_() | pl.col("pu").is_null()).then(0)
            .when(pl.col("week") - pl.col("pw") == 1).then(1).when(pl.col("week") - pl.col("pw") <= 8).then(2)
            .otherwise(3).alias("entry"),
            pl.when(pl.col("nu").eq(pl.col("user_id")).not_() | pl.col("nu").is_null()).then(2)
            .when(pl.col("nw") - pl.col("week") == 1).then(0).when(pl.col("nw") - pl.col("week") <= 8).then(1)
            .otherwise(2).alias("leaves"),
        ).collect()
    )  # fmt: skip
    cells = runs.group_by("week", "entry", "leaves").agg(pl.len(), pl.col("net").sum())
    users = runs.group_by("user_id").agg(pl.col("week").max().alias("last"), pl.col("entry").last())
    gap = -1 - pl.col("last")
    state = pl.when(gap >= 8).then(4).when(gap >= 1).then(3).when(pl.col("entry") == 0).then(0)
    return cells, users.with_columns(state.when(pl.col("entry") == 1).then(1).otherwise(2).alias("state"))


LIFECYCLE_SQL = (
    f"""CREATE TEMP TABLE runs AS
    WITH w AS (SELECT user_id, floor((date_diff('day', DATE '1970-01-01', ordered_at::DATE) - {AS_OF_DAY}) / 7)::BIGINT AS week,
                      sum(round(amount * 100)::BIGINT) AS net FROM orders GROUP BY ALL),
    g AS (SELECT *, week - lag(week) OVER p AS since, lead(week) OVER p - week AS until FROM w
          WINDOW p AS (PARTITION BY user_id ORDER BY week))
    SELECT user_id, week, net,
           CASE WHEN since IS NULL THEN 0 WHEN since = 1 THEN 1 WHEN since <= 8 THEN 2 ELSE 3 END AS entry,
           CASE WHEN until = 1 THEN 0 WHEN until <= 8 THEN 1 ELSE 2 END AS leaves FROM g""",
    "SELECT week, entry, leaves, count(*), sum(net) FROM runs GROUP BY ALL",
    """SELECT user_id, CASE WHEN gap >= 8 THEN 4 WHEN gap >= 1 THEN 3 WHEN entry = 0 THEN 0 WHEN entry = 1 THEN 1 ELSE 2 END
       FROM (SELECT user_id, -1 - max(week) AS gap, arg_max(entry, week) AS entry FROM runs GROUP BY user_id)""",
)
SQL: dict[str, tuple[str, ...]] = {
    "summary": (SUMMARY_SQL,), "rfm": (RFM_SQL,), "cohorts": (COHORTS_SQL,), "lifecycle": LIFECYCLE_SQL,
}  # fmt: skip


def by_hand(task: str, engine: str, path: Path) -> Callable[[], object]:
    """The hand-written job; a pandas frame is in memory before it begins, the others read the file."""
    if engine == "pandas":
        import pandas as pd

        frame = pd.read_parquet(path)
        return lambda: globals()[f"{task}_pandas"](frame)
    if engine == "polars":
        import polars as pl

        return lambda: globals()[f"{task}_polars"](pl.scan_parquet(path))
    import duckdb

    def run() -> object:
        connection = duckdb.connect()
        connection.execute(f"SET threads = 2; CREATE VIEW orders AS SELECT * FROM '{path}'")
        return [
            connection.sql(text).fetch_arrow_table() if "CREATE" not in text else connection.execute(text)
            for text in SQL[task]
        ]

    return run


# -- the library --------------------------------------------------------------------------------------------------------


def make_log(engine: str, path: Path, limit: str | None = None) -> Any:
    import commlife as cl

    more = {"memory_limit": limit} if limit else {}
    return cl.OrderLog.from_parquet(path, engine=engine, observed_from="2024-12-30", **NAMES, **more)


def answer(task: str, log: Any, out: Path | None = None) -> object:
    """One call; results with a row a user are computed, or written to ``out``."""
    import commlife as cl

    if task == "take_in":
        return log.n_rows
    if task == "summary":
        made = cl.purchase_summary(log, as_of=AS_OF)
    elif task == "rfm":
        made = cl.RFM().fit(log, as_of=AS_OF).transform(log, as_of=AS_OF)
    elif task == "cohorts":
        return cl.cohort_table(log, as_of=AS_OF, period="week").to_frame()
    elif task == "lifecycle":
        made = cl.Lifecycle(period="7D").fit(log, as_of=AS_OF).states
    else:
        made = cl.user_table(log, as_of=AS_OF)
    if out is not None:
        cl.write_parquet(made, out / f"{task}.parquet")
        return None
    return (
        made.collect()
        if hasattr(made, "collect")
        else made.fetch_arrow_table()
        if hasattr(made, "fetch_arrow_table")
        else made
    )


def by_commlife(task: str, engine: str, path: Path) -> Callable[[], object]:
    if task == "take_in":
        return lambda: answer(task, make_log(engine, path))
    log = make_log(engine, path)
    return lambda: answer(task, log)


# -- measuring ----------------------------------------------------------------------------------------------------------


def child(*arguments: str, limit_mb: int | None = None) -> dict[str, float]:
    def limited() -> None:
        if limit_mb is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_mb << 20, limit_mb << 20))

    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def one(side: str, task: str, engine: str, path: str) -> None:
    """In a process of its own: CPU of the job, and the most memory that the process ever had."""
    warnings.simplefilter("ignore")
    if side == "commlife":
        import commlife as cl

        assert all((cl.Lifecycle, cl.RFM, cl.cohort_table, cl.purchase_summary))  # imports are not the point
    job = (by_hand if side == "hand" else by_commlife)(task, engine, Path(path))
    begin, wall = time.process_time(), time.perf_counter()
    job()
    spent, took = time.process_time() - begin, time.perf_counter() - wall
    print(json.dumps({"cpu": spent, "wall": took, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def table(sizes: list[int], times: int) -> None:
    lines = ["| orders | task | engine | by hand, CPU s | commlife, CPU s | ratio | by hand, MB | commlife, MB | ratio |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for orders in sizes:
            path = Path(folder) / f"{orders}.parquet"
            write(orders, path)
            for task in TASKS:
                for engine in ENGINES:
                    best: dict[str, dict[str, float]] = {}
                    for _ in range(times):
                        for side in ("hand", "commlife"):
                            seen = child("one", side, task, engine, str(path))
                            if side not in best or seen["cpu"] < best[side]["cpu"]:
                                best[side] = seen
                    hand, ours = best["hand"], best["commlife"]
                    lines.append(
                        f"| {orders:,} | {task} | {engine} | {hand['cpu']:.2f} | {ours['cpu']:.2f} | "
                        f"{ours['cpu'] / hand['cpu']:.2f} | {hand['mb']:.0f} | {ours['mb']:.0f} | {ours['mb'] / hand['mb']:.2f} |"
                    )
                    print(lines[-1], flush=True)
            path.unlink()
    keep("bench", lines)


def growth(sizes: list[int]) -> None:
    lines = ["| orders | " + " | ".join(f"{task}, CPU us an order" for task in ("take_in", *TASKS)) + " | most memory, MB |",
             "|---" * (len(TASKS) + 3) + "|"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for orders in sizes:
            path = Path(folder) / f"{orders}.parquet"
            write(orders, path)
            seen = [child("one", "commlife", task, "duckdb", str(path)) for task in ("take_in", *TASKS)]
            cells = " | ".join(f"{each['cpu'] / orders * 1e6:.2f}" for each in seen)
            lines.append(f"| {orders:,} | {cells} | {max(each['mb'] for each in seen):.0f} |")
            print(lines[-1], flush=True)
            path.unlink()
    keep("growth", lines)


def core(orders: int, limit_mb: int, tasks: list[str]) -> None:
    """Every task from one file to Parquet, DuckDB held to half of the limit, the process to the limit itself."""
    lines = ["| task | CPU s | wall s | most memory, MB |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.parquet"
        begin = time.perf_counter()
        write(orders, path)
        print(
            f"{orders:,} orders, {path.stat().st_size / 2**20:.0f} MB of Parquet in {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        for task in tasks:
            seen = child("core_one", task, str(path), folder, limit_mb=limit_mb)
            lines.append(f"| {task} | {seen['cpu']:.1f} | {seen['wall']:.1f} | {seen['mb']:.0f} |")
            print(lines[-1], flush=True)
    keep("core", [f"{orders:,} orders, the process held to {limit_mb:,} MB of data (RLIMIT_DATA):", "", *lines])


def core_one(task: str, path: str, folder: str) -> None:
    warnings.simplefilter("ignore")
    os.chdir(folder)
    begin, wall = time.process_time(), time.perf_counter()
    log = make_log("duckdb", Path(path), "1500MB")
    answer(task, log, Path(folder))
    spent, took = time.process_time() - begin, time.perf_counter() - wall
    print(json.dumps({"cpu": spent, "wall": took, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def night(orders: int) -> None:
    """A day's lines into a state, beside the full run of the same three answers."""
    import pandas as pd

    import commlife as cl

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.parquet"
        write(orders, path)
        frame = pd.read_parquet(path)
    follow = [cl.Lifecycle(period="week"), cl.CohortQuestion(as_of=AS_OF, period="month", by="community")]
    last = pd.Timestamp("2025-12-28")
    whole = cl.OrderLog.from_frame(frame, **NAMES)
    before, day = (
        cl.OrderLog.from_frame(part, **NAMES)
        for part in (frame[frame.ordered_at < last], frame[frame.ordered_at >= last])
    )
    begin = time.process_time()
    state = cl.LogState.start(before, as_of="2025-12-28", follow=follow)
    print(f"start of a state over {before.n_rows:,} orders: {time.process_time() - begin:.1f} s CPU")
    begin = time.process_time()
    state = state.update(day, as_of=AS_OF)
    updated = time.process_time() - begin
    states, cohorts, summary = state.lifecycle().states, state.cohort_table().to_frame(), state.purchase_summary()
    told = time.process_time() - begin - updated
    begin = time.process_time()
    full = cl.Lifecycle(period="week").fit(whole, as_of=AS_OF).states
    full_cohorts = cl.cohort_table(whole, as_of=AS_OF, period="month", by="community").to_frame()
    full_summary = cl.purchase_summary(whole, as_of=AS_OF)
    spent = time.process_time() - begin
    pd.testing.assert_frame_equal(states, full)
    pd.testing.assert_frame_equal(cohorts, full_cohorts)
    pd.testing.assert_frame_equal(summary, full_summary)
    lines = [
        "| a night of | into a history of | update, CPU s | the three answers, CPU s | full run, CPU s |",
        "|---|---|---|---|---|",
        f"| {day.n_rows:,} orders | {before.n_rows:,} orders | {updated:.2f} | {told:.2f} | {spent:.2f} |",
    ]
    print("\n".join(lines))
    keep("night", lines)


def keep(mark: str, lines: list[str]) -> None:
    """Put a table between its marks on the page about scale."""
    if not PAGE.is_file():
        return
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {mark} begins -->\n).*?(<!-- {mark} ends -->)", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda m: m[1] + "\n" + "\n".join(lines) + "\n\n" + m[2], text), encoding="utf-8")


def main() -> None:
    what, *rest = sys.argv[1:] or ["table"]
    if what == "one":
        one(*rest)
    elif what == "core_one":
        core_one(*rest)
    elif what == "file":
        write(int(float(rest[0])), Path(rest[1]))
    elif what == "core":
        tasks = rest[2].split(",") if len(rest) > 2 else [*TASKS, "user_table"]
        core(int(float(rest[0])) if rest else 50_000_000, int(rest[1]) if len(rest) > 1 else 4096, tasks)
    elif what == "night":
        night(int(float(rest[0])) if rest else 10_000_000)
    elif what == "growth":
        growth([int(float(size)) for size in rest] or [100_000, 1_000_000, 10_000_000])
    elif what == "table":
        table([int(float(size)) for size in rest] or [1_000_000, 10_000_000], int(os.environ.get("TIMES", "2")))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
