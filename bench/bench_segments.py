"""RFM scoring by frozen cuts, against hand-written Polars, on one million users: CPU seconds, best of several.

Run: python bench/bench_segments.py
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import polars as pl

import commlife as cl
from commlife.segments import RFM

USERS, ORDERS, AS_OF = 1_000_000, 3_000_000, "2025-04-01"


def best(function, times=4):
    spent, result = [], None
    for _ in range(times):
        begin = time.process_time()
        result = function()
        spent.append(time.process_time() - begin)
    return min(spent), result


def by_hand(users, cuts, labels):
    """From orders to segments in plain Polars, with the same cuts."""

    def below(column, name):
        return sum(((pl.col(column) > cut).cast(pl.Int64) for cut in cuts[name]), start=pl.lit(0))

    day = pl.lit((np.datetime64(AS_OF) - np.datetime64("1970-01-01")).astype(int))
    return (
        users.lazy()
        .with_columns(pl.when("counts").then("day").otherwise(-1).alias("last"), pl.col("counts").cast(pl.Int64))
        .group_by("user_id")
        .agg(pl.col("last").max(), pl.col("counts").sum().alias("frequency"), pl.col("net").sum())
        .filter(pl.col("frequency") > 0)
        .select(
            "user_id",
            (day - pl.col("last")).alias("recency_days"),
            "frequency",
            (pl.col("net") / 100).alias("monetary"),
        )
        .with_columns(
            (5 - below("recency_days", "recency")).alias("r_score"),
            (1 + below("frequency", "frequency")).alias("f_score"),
            (1 + below("monetary", "monetary")).alias("m_score"),
        )
        .with_columns((pl.col("r_score") * 100 + pl.col("f_score") * 10 + pl.col("m_score")).alias("code"))
        .with_columns(
            pl.col("code").cast(pl.String).alias("rfm_code"),
            pl.col("code")
            .replace_strict([int(c) for c in labels], list(labels.values()), return_dtype=pl.String)
            .alias("segment"),
        )
        .drop("code")
        .sort("user_id")
        .collect()
    )


def main():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "u": np.concatenate([np.arange(USERS), rng.integers(0, USERS, ORDERS - USERS)]),
            "t": np.datetime64("2025-01-01", "us") + rng.integers(0, 90 * 86_400, ORDERS).astype("timedelta64[s]"),
            "m": rng.integers(1, 20_000, ORDERS) / 100,
        }
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.FewerBinsWarning)
        rfm = RFM().fit(log, as_of=AS_OF)
    orders = log._orders(20_179).collect().to_native()
    ours, scored = best(lambda: rfm.transform(log, as_of=AS_OF))
    theirs, wanted = best(lambda: by_hand(orders, rfm.cuts, rfm.segment_map.labels()))
    same = scored.drop("monetary").equals(wanted.drop("monetary"))
    print(f"scoring {USERS:,} users from {ORDERS:,} orders, equal {same}:")
    print(f"commlife {ours:.2f} s, Polars by hand {theirs:.2f} s, ratio {ours / theirs:.2f}")
    begin = time.process_time()
    for _ in range(100_000):
        rfm.score(recency_days=3, frequency=7, monetary=120.0)
    print(f"scalar score: {(time.process_time() - begin) * 10:.1f} microseconds a call")


if __name__ == "__main__":
    main()
