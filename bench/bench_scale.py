"""Scale: the same calls beside the best hand-written pandas, Polars and DuckDB code, each in a process of its own.

Run: python bench/bench_scale.py table [ORDERS ...]          CPU seconds, peak memory and ratios (default 1e6 1e7)
     python bench/bench_scale.py growth [ORDERS ...]         CPU an order as the log grows, on DuckDB (1e5 1e6 1e7 5e7)
     python bench/bench_scale.py core [ORDERS] [LIMIT_MB] [TASK]  out of core: every task on DuckDB, memory watched; also user_table
     python bench/bench_scale.py page [ORDERS] [LIMIT_MB]    the weekly page and the user table, whole, on DuckDB
     python bench/bench_scale.py night [ORDERS]              a night with LogState beside the full run (2e6)
     python bench/bench_scale.py file ORDERS PATH            write the order file alone, in chunks
     python bench/bench_scale.py all                         table, growth, core and night; each file is written once
Each writes its table, which is of one run, between the marks of docs/explanation/scale.md. TIMES=2 says how often a
job is measured; the least counts.
"""

from __future__ import annotations

import importlib
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
#: Orders on which the hand-written answers are compared with the library's, before anything is timed.
SMALL = 200_000


def write(orders: int, path: Path) -> None:
    """A year of orders in 200 communities, ten a user, of 20 categories; the rows never are in memory together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    estates = np.array([f"estate-{number:03d}" for number in range(200)])
    categories = np.array([f"category-{number:02d}" for number in range(20)])
    schema = pa.schema(
        [
            ("user_id", pa.int64()),
            ("ordered_at", pa.timestamp("us")),
            ("amount", pa.float64()),
            ("community", pa.string()),
            ("category", pa.string()),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, orders, CHUNK):
            rng = np.random.default_rng([7, begin])
            n = min(CHUNK, orders - begin)
            users = rng.integers(0, max(orders // 10, 1), n)
            at = np.datetime64("2024-12-30", "us") + rng.integers(0, WEEKS * 7 * 86_400, n).astype("timedelta64[s]")
            # One line in a hundred is a refund.
            cents = rng.integers(100, 9_999, n) * np.where(rng.random(n) < 0.01, -1, 1)
            columns = [users, at, cents / 100, estates[users % 200], categories[rng.integers(0, 20, n)]]
            writer.write_table(pa.table([pa.array(c) for c in columns], schema=schema))


def file_of(orders: int, folder: Path) -> Path:
    """The file of so many orders, written unless it is there."""
    path = folder / f"{orders}.parquet"
    if not path.exists():
        write(orders, path)
    return path


# -- by hand: what somebody who knows the engine writes for one question ------------------------------------------------
# It gives the library's own answer (`same` compares them), refunds and all: an order counts if it is not negative, a
# refund lowers the money. What it leaves out: orders of several lines, statuses, checks of the export, days other than
# this one, and the warning about logs that begin in the middle of lives.

STATES = ("new", "active", "returned", "silent", "churned")
DAYS = 86_400_000_000


def _numbers(frame: Any) -> tuple[Any, Any, Any]:
    day = frame["ordered_at"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return frame["user_id"].to_numpy(), day, np.rint(frame["amount"].to_numpy() * 100).astype(np.int64)


def _polars_numbers(plan: Any) -> Any:
    import polars as pl

    day = pl.col("ordered_at").cast(pl.Date).cast(pl.Int64)
    return plan.select(
        "user_id", day.alias("day"), (pl.col("amount") * 100).round().cast(pl.Int64).alias("net")
    )  # fmt: skip


#: The same in SQL.
LINES = """(SELECT user_id, date_diff('day', DATE '1970-01-01', ordered_at::DATE) AS day,
                   round(amount * 100)::BIGINT AS net FROM orders)"""


def summary_pandas(frame: Any) -> Any:
    import pandas as pd

    user, day, cents = _numbers(frame)
    counts = cents >= 0
    days = pd.DataFrame({"user_id": user[counts], "day": day[counts], "net": cents[counts]})
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
    told = {"x": x, "t_x": users["last"] - users["first"], "T": AS_OF_DAY - 1 - users["first"], "m_x": mean}
    return pd.DataFrame(told).reset_index()


def summary_polars(plan: Any) -> Any:
    import polars as pl

    days = _polars_numbers(plan).filter(pl.col("net") >= 0).group_by("user_id", "day").agg(pl.col("net").sum())
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
    WITH d AS (SELECT user_id, day, sum(net) AS net FROM {LINES} WHERE net >= 0 GROUP BY ALL),
    u AS (SELECT user_id, min(day) AS first, max(day) AS last, count(*) AS days, sum(net) AS spend,
                 arg_min(net, day) AS at_first FROM d GROUP BY user_id)
    SELECT user_id, days - 1 AS x, last - first AS t_x, {AS_OF_DAY} - 1 - first AS T,
           CASE WHEN days > 1 THEN (spend - at_first) / 100 / (days - 1) END AS m_x FROM u"""


def _segments() -> dict[int, str]:
    """The shop's own table of codes and segments: here the published one, as plain data."""
    from commlife.segments import standard_map

    return {int(code): name for code, name in standard_map("standard_11", 5).labels(None).items()}


def _score(values: Any, *, reverse: bool = False) -> Any:
    score = 1 + np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values, side="left")
    return 6 - score if reverse else score


def rfm_pandas(frame: Any, names: dict[int, str]) -> Any:
    import pandas as pd

    user, day, cents = _numbers(frame)
    rows = pd.DataFrame({"user_id": user, "day": np.where(cents >= 0, day, -1), "one": cents >= 0, "net": cents})
    users = rows.groupby("user_id").agg(last=("day", "max"), frequency=("one", "sum"), net=("net", "sum"))
    users = users[users["frequency"] > 0].reset_index()
    users = pd.DataFrame(
        {"user_id": users["user_id"], "recency_days": AS_OF_DAY - users["last"], "frequency": users["frequency"],
         "monetary": users["net"] / 100}
    )  # fmt: skip
    users["r_score"] = _score(users["recency_days"].to_numpy(), reverse=True)
    users["f_score"] = _score(users["frequency"].to_numpy())
    users["m_score"] = _score(users["monetary"].to_numpy())
    code = users["r_score"] * 100 + users["f_score"] * 10 + users["m_score"]
    return users.assign(rfm_code=code.astype("str"), segment=code.map(names).astype("str"))


def rfm_polars(plan: Any, names: dict[int, str]) -> Any:
    import polars as pl

    rows = _polars_numbers(plan).with_columns((pl.col("net") >= 0).alias("counts"))
    rows = rows.with_columns(pl.when("counts").then("day").alias("day"))
    users = (
        rows.group_by("user_id").agg(pl.col("day").max(), pl.col("counts").sum().cast(pl.Int64), pl.col("net").sum())
        .filter(pl.col("counts") > 0)
        .select("user_id", (AS_OF_DAY - pl.col("day")).alias("recency_days"), pl.col("counts").alias("frequency"),
                (pl.col("net") / 100).alias("monetary"))
        .collect()
    )  # fmt: skip
    users = users.with_columns(
        pl.Series("r_score", _score(users["recency_days"].to_numpy(), reverse=True)),
        pl.Series("f_score", _score(users["frequency"].to_numpy())),
        pl.Series("m_score", _score(users["monetary"].to_numpy())),
    )
    code = pl.col("r_score") * 100 + pl.col("f_score") * 10 + pl.col("m_score")
    segment = code.replace_strict(names, return_dtype=pl.String).alias("segment")
    return users.with_columns(code.cast(pl.String).alias("rfm_code"), segment)


def rfm_sql(names: dict[int, str]) -> str:
    def below(value: str, cuts: str) -> str:
        return " + ".join(f"({value} > {cuts}[{k}])::INT" for k in range(1, 5))

    pairs = ", ".join(f"({code}, '{name}')" for code, name in names.items())
    return f"""
    WITH u AS MATERIALIZED (
        SELECT user_id, {AS_OF_DAY} - max(day) FILTER (net >= 0) AS recency_days, count(*) FILTER (net >= 0) AS frequency,
               sum(net) / 100 AS monetary FROM {LINES} GROUP BY user_id HAVING count(*) FILTER (net >= 0) > 0),
    c AS MATERIALIZED (SELECT quantile_cont(recency_days, [.2, .4, .6, .8]) AS r,
                 quantile_cont(frequency, [.2, .4, .6, .8]) AS f, quantile_cont(monetary, [.2, .4, .6, .8]) AS m FROM u),
    s AS (SELECT user_id, recency_days, frequency, monetary, 5 - ({below("recency_days", "r")}) AS r_score,
                 1 + {below("frequency", "f")} AS f_score, 1 + {below("monetary", "m")} AS m_score FROM u CROSS JOIN c),
    named(code, segment) AS (VALUES {pairs})
    SELECT user_id, recency_days, frequency, monetary, r_score, f_score, m_score, code::VARCHAR AS rfm_code, segment
    FROM (SELECT *, r_score * 100 + f_score * 10 + m_score AS code FROM s) JOIN named USING (code)"""


def cohorts_pandas(frame: Any) -> Any:
    import pandas as pd

    user, day, cents = _numbers(frame)
    counts = cents >= 0
    active = pd.DataFrame({"user_id": user[counts], "week": (day[counts] + 3) // 7}).drop_duplicates()
    first = active.groupby("user_id")["week"].transform("min")
    aged = active.assign(cohort=first, age=active["week"] - first)
    return aged.groupby(["cohort", "age"]).size().rename("users").reset_index()


def cohorts_polars(plan: Any) -> Any:
    import polars as pl

    counting = _polars_numbers(plan).filter(pl.col("net") >= 0)
    active = counting.select("user_id", ((pl.col("day") + 3) // 7).alias("week")).unique()
    first = active.group_by("user_id").agg(pl.col("week").min().alias("cohort"))
    aged = active.join(first, on="user_id").with_columns((pl.col("week") - pl.col("cohort")).alias("age"))
    return aged.group_by("cohort", "age").agg(pl.len().alias("users")).collect()


COHORTS_SQL = f"""
    WITH a AS MATERIALIZED (SELECT DISTINCT user_id, (day + 3) // 7 AS week FROM {LINES} WHERE net >= 0),
    f AS (SELECT user_id, min(week) AS cohort FROM a GROUP BY user_id)
    SELECT cohort, week - cohort AS age, count(*) AS users FROM a JOIN f USING (user_id) GROUP BY ALL"""


def lifecycle_pandas(frame: Any) -> Any:
    """NumPy on one sorted key a user and week: users and money by week, how they came, what followed; states now."""
    import pandas as pd

    user, day, cents = _numbers(frame)
    week = (day - AS_OF_DAY) // 7
    low = int(week.min())
    width = -low
    key = user * width + (week - low)
    order = np.argsort(key)
    key, cents = key[order], cents[order]
    begins = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    net, counts = np.add.reduceat(cents, begins), np.maximum.reduceat(cents, begins) >= 0
    refunds = np.bincount(key[begins][~counts] % width, weights=net[~counts], minlength=width)
    key, net = key[begins][counts], net[counts]
    user, week = key // width, key % width + low
    same = user[1:] == user[:-1]
    gap = np.r_[-1, np.where(same, week[1:] - week[:-1], -1)]
    entry = np.select([gap < 0, gap == 1, gap <= 8], [0, 1, 2], 3)
    follows = np.r_[np.where(same, week[1:] - week[:-1], 99), 99]
    leaves = np.select([follows == 1, follows <= 8], [0, 1], 2)
    more = net - np.where(gap == 1, np.r_[0, net[:-1]], 0)
    cell = ((week - low) * 4 + entry) * 3 + leaves
    sums = [np.bincount(cell, weights=w, minlength=width * 12)
            for w in (None, net, np.maximum(-net, 0), np.maximum(more, 0), np.maximum(-more, 0))]  # fmt: skip
    last = np.flatnonzero(np.r_[~same, True])
    came = np.maximum.reduceat(np.where(entry == 1, -1, np.arange(len(entry))), np.r_[0, last[:-1] + 1])
    away, how, run = -1 - week[last], entry[came], week[came]
    state = np.select([away >= 8, away >= 1, (run == -1) & (how == 0), run == -1], [4, 3, 0, 2], 1)
    since = np.select([away >= 8, away >= 1, run == -1], [week[last] + 8, week[last] + 1, run], run + 1)
    since = (since * 7 + AS_OF_DAY).astype("datetime64[D]").astype("datetime64[us]")
    states = pd.Series(pd.Categorical.from_codes(state, list(STATES))).astype("str")
    users = pd.DataFrame({"user_id": user[last], "state": states, "since": since})
    return users, np.concatenate([*sums, refunds])


def lifecycle_polars(plan: Any) -> Any:
    import polars as pl

    week = (pl.col("day") - AS_OF_DAY).floordiv(7)
    cells = (
        _polars_numbers(plan).select("user_id", week.alias("week"), "net", (pl.col("net") >= 0).alias("counts"))
        .group_by("user_id", "week").agg(pl.col("net").sum(), pl.col("counts").any()).collect().lazy()
    )  # fmt: skip
    other = pl.col("user_id").shift(1).eq(pl.col("user_id")).not_()
    after = pl.col("user_id").shift(-1).eq(pl.col("user_id")).not_()
    since, until = pl.col("week") - pl.col("pw"), pl.col("nw") - pl.col("week")
    more = pl.col("net") - pl.when(pl.col("entry") == 1).then("pn").otherwise(0)
    runs = (
        cells.filter("counts").sort("user_id", "week")
        .with_columns(other.fill_null(value=True).alias("other"), after.fill_null(value=True).alias("after"),
                      pl.col("week").shift(1).alias("pw"), pl.col("net").shift(1).alias("pn"),
                      pl.col("week").shift(-1).alias("nw"))
        .with_columns(
            pl.when("other").then(0).when(since == 1).then(1).when(since <= 8).then(2).otherwise(3).alias("entry"),
            pl.when("after").then(2).when(until == 1).then(0).when(until <= 8).then(1).otherwise(2).alias("leaves"))
        .with_columns(more.alias("more"))
        .with_columns(pl.when(pl.col("entry") != 1).then("week").alias("run"),
                      pl.when(pl.col("net") < 0).then(-pl.col("net")).otherwise(0).alias("below"),
                      pl.when(pl.col("more") > 0).then("more").otherwise(0).alias("up"),
                      pl.when(pl.col("more") < 0).then(-pl.col("more")).otherwise(0).alias("down"))
        .collect()
    )  # fmt: skip
    sums = runs.group_by("week", "entry", "leaves").agg(pl.len(), pl.col("net", "below", "up", "down").sum())
    refunds = cells.filter(~pl.col("counts")).group_by("week").agg(pl.col("net").sum()).collect()
    users = runs.group_by("user_id").agg(
        pl.col("week").max().alias("last"), pl.col("run").max(),
        (pl.col("run") * 4 + pl.col("entry")).max().alias("came"),
    )  # fmt: skip
    away, now = -1 - pl.col("last"), pl.col("run") == -1
    how = pl.col("came") - pl.col("run") * 4
    state = (
        pl.when(away >= 8).then(pl.lit("churned")).when(away >= 1).then(pl.lit("silent"))
        .when(now & (how == 0)).then(pl.lit("new")).when(now).then(pl.lit("returned")).otherwise(pl.lit("active"))
    )  # fmt: skip
    begun = (
        pl.when(away >= 8).then(pl.col("last") + 8).when(away >= 1).then(pl.col("last") + 1)
        .when(now).then("run").otherwise(pl.col("run") + 1)
    )  # fmt: skip
    told = users.select(
        "user_id", state.alias("state"), ((begun * 7 + AS_OF_DAY) * DAYS).cast(pl.Datetime("us")).alias("since")
    )  # fmt: skip
    return told, sums, refunds


LIFECYCLE_SQL = (
    f"""CREATE TEMP TABLE runs AS
    WITH w AS (SELECT user_id, floor((day - {AS_OF_DAY}) / 7)::BIGINT AS week, sum(net)::BIGINT AS net,
                      bool_or(net >= 0) AS counts FROM {LINES} GROUP BY ALL),
    g AS (SELECT *, week - lag(week) OVER p AS since, lead(week) OVER p - week AS until, lag(net) OVER p AS before FROM w
          WHERE counts WINDOW p AS (PARTITION BY user_id ORDER BY week)),
    e AS (SELECT user_id, week, net, CASE WHEN since = 1 THEN net - before ELSE net END AS more,
           CASE WHEN since IS NULL THEN 0 WHEN since = 1 THEN 1 WHEN since <= 8 THEN 2 ELSE 3 END AS entry,
           CASE WHEN until = 1 THEN 0 WHEN until <= 8 THEN 1 ELSE 2 END AS leaves FROM g)
    SELECT user_id, week, net, entry, leaves, more, NULL AS refund FROM e
    UNION ALL SELECT NULL, week, net, NULL, NULL, NULL, true FROM w WHERE NOT counts""",
    """SELECT week, entry, leaves, refund, count(*), sum(net), sum(greatest(-net, 0)), sum(greatest(more, 0)),
              sum(greatest(-more, 0)) FROM runs GROUP BY ALL""",
    f"""SELECT user_id, CASE WHEN away >= 8 THEN 'churned' WHEN away >= 1 THEN 'silent'
               WHEN run = -1 THEN CASE how WHEN 0 THEN 'new' ELSE 'returned' END ELSE 'active' END AS state,
               make_timestamp(({AS_OF_DAY} + 7 * CASE WHEN away >= 8 THEN 7 - away WHEN away >= 1 THEN -away
                                 WHEN run = -1 THEN run ELSE run + 1 END) * {DAYS}) AS since
        FROM (SELECT user_id, -1 - max(week) AS away, max(week) FILTER (entry <> 1) AS run,
                     arg_max(entry, week) FILTER (entry <> 1) AS how FROM runs WHERE refund IS NULL GROUP BY user_id)""",
)


def by_hand(
    task: str, engine: str, path: Path, limit: str | None = None, out: Path | None = None
) -> Callable[[], object]:
    """The hand-written job; a pandas frame is in memory before it begins, the others read the file.

    DuckDB takes a limit of memory, and a folder to write the answer to.
    """
    names = (_segments(),) if task == "rfm" else ()
    if engine == "pandas":
        import pandas as pd

        frame = pd.read_parquet(path)
        return lambda: globals()[f"{task}_pandas"](frame, *names)
    if engine == "polars":
        import polars as pl

        return lambda: globals()[f"{task}_polars"](pl.scan_parquet(path), *names)
    import duckdb

    texts: tuple[str, ...] = {
        "summary": (SUMMARY_SQL,), "rfm": (rfm_sql(*names),) if names else (), "cohorts": (COHORTS_SQL,),
        "lifecycle": LIFECYCLE_SQL,
    }[task]  # fmt: skip

    def run() -> object:
        connection = duckdb.connect(config={"preserve_insertion_order": False})
        connection.execute(f"SET threads = 2; CREATE VIEW orders AS SELECT * FROM '{path}'")
        if limit is not None:
            connection.execute(f"SET memory_limit = '{limit}'")
        if out is not None:
            for text in texts[:-1]:
                connection.execute(text).fetchall()
            return connection.sql(texts[-1]).write_parquet(str(out / f"{task}.parquet"))
        return [connection.sql(t).to_arrow_table() if "CREATE" not in t else connection.execute(t) for t in texts][-1]

    return run


def plain(made: Any, keys: list[str]) -> Any:
    """Any frame as pandas, sorted."""
    made = made[0] if isinstance(made, tuple) else made
    frame = made.to_pandas() if hasattr(made, "to_pandas") else made
    return frame.sort_values(keys, ignore_index=True)


def same(task: str, engine: str, path: Path) -> None:
    """The hand-written answer and the library's are the same rows: what is compared below did the same work."""
    import pandas as pd

    keys = ["cohort", "age"] if task == "cohorts" else ["user_id"]
    hand = plain(by_hand(task, engine, path)(), keys)
    ours = plain(by_commlife(task, engine, path)(), keys)
    if task == "cohorts":
        ours = ours[ours["users"] > 0].reset_index(drop=True)
        ours["cohort"] = (ours["cohort"].to_numpy().astype("datetime64[D]").astype(np.int64) + 3) // 7
    if task == "lifecycle":
        ours["since"] = ours["since"].astype("datetime64[us]")
    pd.testing.assert_frame_equal(
        hand, ours[list(hand.columns)], check_dtype=False, check_column_type=False, rtol=1e-9, atol=0
    )


# -- the library --------------------------------------------------------------------------------------------------------


def make_log(engine: str, path: Path, limit: str | None = None, **more: str) -> Any:
    import commlife as cl

    more |= {"memory_limit": limit} if limit else {}
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
    elif out is not None:
        cl.write_user_table(log, out / f"{task}.parquet", as_of=AS_OF)
        return None
    else:
        made = cl.user_table(log, as_of=AS_OF)
    if out is not None:
        cl.write_parquet(made, out / f"{task}.parquet")
        return None
    return (
        made.collect()
        if hasattr(made, "collect")
        else made.to_arrow_table()
        if hasattr(made, "to_arrow_table")
        else made
    )


def by_commlife(task: str, engine: str, path: Path) -> Callable[[], object]:
    if task == "take_in":
        return lambda: answer(task, make_log(engine, path))
    log = make_log(engine, path)
    return lambda: answer(task, log)


# -- measuring ----------------------------------------------------------------------------------------------------------


def held_to(limit_mb: int) -> tuple[Path | None, str]:
    """A control group of so much memory, if this machine lets one make it, and what the limit is called.

    A group counts what is resident, as a small machine would; RLIMIT_DATA, the way out, counts what is mapped and never
    touched too.
    """
    for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root) / "commlife-bench"
        try:
            if (Path(root) / "cgroup.procs").is_file():
                group.mkdir(exist_ok=True)
                (group / file).write_text(str(limit_mb << 20), encoding="ascii")
                return group, f"the process held to {limit_mb:,} MB (a control group)"
        except OSError:
            continue
    return None, f"the process held to {limit_mb:,} MB of data (RLIMIT_DATA)"


def child(*arguments: str, limit_mb: int | None = None) -> dict[str, float]:
    group = held_to(limit_mb)[0] if limit_mb is not None else None

    def limited() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        elif limit_mb is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_mb << 20, limit_mb << 20))

    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-6000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def resident(what: str) -> float:
    """VmRSS or VmHWM, the memory of this process now or at most, in MB; what began it does not count."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{what}:\s+(\d+) kB", told)[1]) / 1024  # type: ignore[index]


def with_imports(side: str, task: str, engine: str) -> None:
    """What a process of this kind loads whatever it is asked: no part of what is measured."""
    for name in {"pandas": ("pandas", "pyarrow.parquet"), "duckdb": ("duckdb", "pyarrow")}.get(engine, (engine,)):
        importlib.import_module(name)
    if side == "commlife":
        import commlife as cl

        assert all((cl.Lifecycle, cl.RFM, cl.cohort_table, cl.purchase_summary))
    elif task == "rfm":
        _segments()


def one(side: str, task: str, engine: str, path: str) -> None:
    """In a process of its own: CPU of the job, the most memory of the process, and what it held after its imports."""
    warnings.simplefilter("ignore")
    with_imports(side, task, engine)
    held = resident("VmRSS")
    job = (by_hand if side == "hand" else by_commlife)(task, engine, Path(path))
    begin, wall = time.process_time(), time.perf_counter()
    job()
    spent, took = time.process_time() - begin, time.perf_counter() - wall
    print(json.dumps({"cpu": spent, "wall": took, "mb": resident("VmHWM"), "above": resident("VmHWM") - held}))


def best_of(times: int, *arguments: str) -> dict[str, float]:
    """The least of each figure."""
    seen = [child("one", *arguments) for _ in range(times)]
    return {name: min(each[name] for each in seen) for name in seen[0]}


def table(sizes: list[int], times: int, folder: Path) -> None:
    lines = [
        "| orders | task | engine | by hand, CPU s | commlife, CPU s | ratio "
        "| by hand, MB | commlife, MB | ratio | by hand above imports, MB | commlife above imports, MB | ratio |",
        "|---" * 12 + "|",
    ]
    child("same", str(file_of(SMALL, folder)))
    for orders in sizes:
        path = str(file_of(orders, folder))
        for task in TASKS:
            for engine in ENGINES:
                hand, ours = (best_of(times, side, task, engine, path) for side in ("hand", "commlife"))
                cells = [f"{orders:,}", task, engine]
                for name, digits in (("cpu", 2), ("mb", 0), ("above", 0)):
                    cells += [f"{hand[name]:.{digits}f}", f"{ours[name]:.{digits}f}", f"{ours[name] / hand[name]:.2f}"]
                lines.append("| " + " | ".join(cells) + " |")
                print(lines[-1], flush=True)
    keep("bench", [*lines, "", f"One run, {machine()}; the least of {times} processes each."])


def growth(sizes: list[int], times: int, folder: Path) -> None:
    """CPU an order of both, DuckDB with as much memory as it asks for; the largest log is measured once."""
    lines = [
        "| orders | " + " | ".join(("take in", *TASKS)) + " | most memory, MB |",
        "|---" * (len(TASKS) + 3) + "|",
    ]
    for orders in sizes:
        path = str(file_of(orders, folder))
        often = times if orders < 20_000_000 else 1
        cells, most = [], {"commlife": 0.0, "hand": 0.0}
        for task in ("take_in", *TASKS):
            told = []
            for side in ("commlife",) if task == "take_in" else ("commlife", "hand"):
                seen = best_of(often, side, task, "duckdb", path)
                told.append(f"{seen['cpu'] / orders * 1e6:.2f}")
                most[side] = max(most[side], seen["mb"])
            cells.append(" / ".join(told))
            print(f"{orders:,} {task} {cells[-1]}", flush=True)
        lines.append(f"| {orders:,} | " + " | ".join(cells) + f" | {most['commlife']:.0f} / {most['hand']:.0f} |")
        print(lines[-1], flush=True)
    keep("growth", [*lines, "", f"One run, {machine()}."])


def machine() -> str:
    """What the figures were measured on."""
    return f"{os.cpu_count()} cores, load of the machine {os.getloadavg()[2]:.1f} over its last quarter of an hour"


#: What DuckDB may hold where the process is held to 4 GB.
CORE_LIMIT = "1500MB"


def core(orders: int, limit_mb: int, tasks: list[str], folder: Path) -> None:
    """Every task from one file to Parquet, DuckDB held to its limit, the process to its own; by hand alike."""
    beside = any(task in TASKS for task in tasks)
    heads = [
        f"{head} | by hand" if beside else head for head in ("CPU s", "wall s", "most memory, MB", "CPU us an order")
    ]
    lines = [f"| task | {' | '.join(heads)} |", "|---" * (9 if beside else 5) + "|"]
    path = file_of(orders, folder)
    for task in tasks:
        ours = child("core_one", "commlife", task, str(path), str(folder), limit_mb=limit_mb)
        hand = None
        if task in TASKS:
            try:
                hand = child("core_one", "hand", task, str(path), str(folder), limit_mb=limit_mb)
            except SystemExit as error:
                # Not the library's: told in the table, and the others go on.
                print(error, file=sys.stderr)
        cells = [task]
        figures = (("cpu", 1.0, 1), ("wall", 1.0, 1), ("mb", 1.0, 0), ("cpu", orders / 1e6, 2))
        for name, unit, digits in figures:
            sides = (ours, hand) if beside else (ours,)
            cells += ["did not end" if each is None else f"{each[name] / unit:.{digits}f}" for each in sides]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    told = f"{orders:,} orders, {held_to(limit_mb)[1]}, DuckDB to {CORE_LIMIT}"
    # The user table stands in a place of its own: it is measured by itself, since nobody writes it by hand.
    keep("written" if tasks == ["user_table"] else "core", [f"{told}; one run, {machine()}:", "", *lines])


def core_one(side: str, task: str, path: str, folder: str) -> None:
    """The taking in of the log is part of it; results with a row a user are written."""
    warnings.simplefilter("ignore")
    os.chdir(folder)
    with_imports(side, task, "duckdb")
    begin, wall = time.process_time(), time.perf_counter()
    if side == "hand":
        by_hand(task, "duckdb", Path(path), CORE_LIMIT, Path(folder))()
    else:
        # Of these tasks the user table alone asks for categories.
        more = {"category": "category"} if task == "user_table" else {}
        answer(task, make_log("duckdb", Path(path), CORE_LIMIT, **more), Path(folder))
    spent, took = time.process_time() - begin, time.perf_counter() - wall
    print(json.dumps({"cpu": spent, "wall": took, "mb": resident("VmHWM")}))


#: What DuckDB may hold of the memory of a page; the rest is a row a user, and the models.
_PAGE_LIMIT = "1GB"


def page(orders: int, limit_mb: int) -> None:
    """The whole weekly page from one file, as the shell makes it: models, a row a user, every section."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.parquet"
        write(orders, path)
        seen = child("page_one", str(path), folder, limit_mb=limit_mb or None)
        lines = [
            "| orders | users | CPU s | wall s | most memory, MB | page, MB |",
            "|---|---|---|---|---|---|",
            f"| {orders:,} | {seen['users']:,.0f} | {seen['cpu']:.0f} | {seen['wall']:.0f} | {seen['mb']:.0f} | "
            f"{seen['page']:.1f} |",
        ]
    print("\n".join(lines))
    held = f"{held_to(limit_mb)[1]}, " if limit_mb else ""
    keep("page", [f"The log on DuckDB, {held}DuckDB held to {_PAGE_LIMIT}:", "", *lines])


def page_one(path: str, folder: str) -> None:
    warnings.simplefilter("ignore")
    begin, wall = time.process_time(), time.perf_counter()
    import commlife as cl

    log = cl.OrderLog.from_parquet(
        path,
        engine="duckdb",
        memory_limit=_PAGE_LIMIT,
        observed_from="2024-12-30",
        category="category",
        **NAMES,
    )
    made = cl.weekly_report(log, as_of=AS_OF, path=Path(folder) / "report.html")
    spent, took = time.process_time() - begin, time.perf_counter() - wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = made.path.stat().st_size / 2**20
    print(json.dumps({"cpu": spent, "wall": took, "mb": memory, "users": len(made.users), "page": size}))


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
    if what == "same":
        warnings.simplefilter("ignore")
        for task in TASKS:
            for engine in ENGINES:
                same(task, engine, Path(rest[0]))
        print("{}")
    elif what == "one":
        one(*rest)
    elif what == "core_one":
        core_one(*rest)
    elif what == "file":
        write(int(float(rest[0])), Path(rest[1]))
    elif what == "page":
        page(int(float(rest[0])) if rest else 10_000_000, int(rest[1]) if len(rest) > 1 else 4096)
    elif what == "page_one":
        page_one(*rest)
    else:
        measure(what, rest)


def measure(what: str, rest: list[str]) -> None:
    """The parts that share their files of orders."""
    sizes = [int(float(size)) for size in rest] if what in {"table", "growth"} else []
    times = int(os.environ.get("TIMES", "2"))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parts: dict[str, Callable[[], None]] = {
            "table": lambda: table(sizes or [1_000_000, 10_000_000], times, folder),
            "growth": lambda: growth(sizes or [100_000, 1_000_000, 10_000_000, 50_000_000], times, folder),
            "core": lambda: core(
                int(float(rest[0])) if rest else 50_000_000,
                int(rest[1]) if len(rest) > 1 else 4096,
                rest[2].split(",") if len(rest) > 2 else [*TASKS],
                folder,
            ),
            "night": lambda: night(int(float(rest[0])) if rest else 2_000_000),
        }
        if what != "all" and what not in parts:
            raise SystemExit(__doc__)
        for name in parts if what == "all" else [what]:
            begin = time.perf_counter()
            parts[name]()
            print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
