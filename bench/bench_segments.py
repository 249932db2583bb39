"""RFM scoring and tags against hand-written Polars and pandas, groups and types: CPU seconds, best of several.

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

    def afresh():
        # The log keeps one row a user once it was asked for them: forgotten here, so that both sides begin at orders.
        for key in [key for key in log._memory if isinstance(key, tuple) and key[0] == "purchases"]:
            del log._memory[key]
        return rfm.transform(log, as_of=AS_OF)

    ours, scored = best(afresh)
    kept, _ = best(lambda: rfm.transform(log, as_of=AS_OF))
    theirs, wanted = best(lambda: by_hand(orders, rfm.cuts, rfm.segment_map.labels()))
    same = scored.drop("monetary").equals(wanted.drop("monetary"))
    print(f"scoring {USERS:,} users from {ORDERS:,} orders, equal {same}:")
    print(f"commlife {ours:.2f} s, Polars by hand {theirs:.2f} s, ratio {ours / theirs:.2f}; scored again {kept:.2f} s")
    begin = time.process_time()
    for _ in range(100_000):
        rfm.score(recency_days=3, frequency=7, monetary=120.0)
    print(f"scalar score: {(time.process_time() - begin) * 10:.1f} microseconds a call")

    bench_tags()
    bench_the_rest()


TAGGED_USERS, TAGGED_ORDERS = 100_000, 1_000_000


def tagged():
    """A million orders of one line, eight months, forty categories, twenty communities."""
    rng = np.random.default_rng(1)
    user = rng.integers(0, TAGGED_USERS, TAGGED_ORDERS)
    taste = rng.integers(0, 40, TAGGED_USERS)
    kind = np.where(rng.random(TAGGED_ORDERS) < 0.4, taste[user], rng.integers(0, 40, TAGGED_ORDERS))
    paid = rng.integers(100, 5_000, TAGGED_ORDERS) / 100
    return pl.DataFrame(
        {
            "u": user,
            "t": np.datetime64("2024-08-01", "us")
            + rng.integers(0, 240 * 86_400, TAGGED_ORDERS).astype("timedelta64[s]"),
            "m": paid,
            "l": paid + np.where(rng.random(TAGGED_ORDERS) < 0.2, 1.0, 0.0),
            "c": pl.Series(kind).cast(pl.String),
            "g": pl.Series(user % 20).cast(pl.String),
        }
    )


def favourites_by_hand(frame):
    """The favourite category of one window alone, in plain Polars: what one tag of one day costs at least."""
    since = np.datetime64(AS_OF) - np.timedelta64(84, "D")
    recent = frame.lazy().filter(pl.col("t").is_between(since, np.datetime64(AS_OF), closed="left"))
    of = recent.group_by("u").agg(pl.len().alias("n"), pl.col("g").first())
    hits = recent.group_by("u", "c").agg(pl.len().alias("k"))
    whole = recent.select(pl.len()).collect().item()
    rate = recent.group_by("c").agg((pl.len() / whole).alias("rate"))
    homes = recent.group_by("g").agg(pl.len().alias("gn"))
    base = recent.group_by("g", "c").agg(pl.len().alias("gk")).join(homes, on="g").join(rate, on="c")
    base = base.select("g", "c", ((pl.col("gk") + 50 * pl.col("rate")) / (pl.col("gn") + 50)).alias("base"))
    z2 = 1.959963984540054**2
    k, n = pl.col("k"), pl.col("n")
    low = ((k + z2 / 2) - (z2 * (k * (n - k) / n + z2 / 4)).sqrt()) / (n + z2)
    rows = hits.filter(pl.col("k") >= 3).join(of, on="u").join(base, on=["g", "c"]).with_columns(low.alias("low"))
    rows = rows.filter(pl.col("low") > pl.col("base")).with_columns((pl.col("low") / pl.col("base")).alias("sure"))
    return rows.sort("sure", "c", descending=[True, False]).group_by("u").agg(pl.col("c").first()).collect()


def bench_tags():
    frame = tagged()
    names = {"user_id": "u", "ordered_at": "t", "amount": "m", "list_amount": "l", "category": "c", "community": "g"}
    log, pandas = cl.OrderLog.from_frame(frame, **names), cl.OrderLog.from_frame(frame.to_pandas(), **names)
    one, tags = best(lambda: cl.user_tags(log, as_of=AS_OF, history=1), 2)
    hand, wanted = best(lambda: favourites_by_hand(frame), 2)
    mine = tags.tags.filter(pl.col("tag") == "favourite_category")
    same = dict(wanted.rows()) == dict(mine.select("user_id", "value").rows())
    full, _ = best(lambda: cl.user_tags(log, as_of=AS_OF), 1)
    slow, _ = best(lambda: cl.user_tags(pandas, as_of=AS_OF), 1)
    print(f"tags of {TAGGED_USERS:,} users from {TAGGED_ORDERS:,} orders, favourites equal to those by hand {same}:")
    print(f"all five tags and cycles, one checkpoint, Polars {one:.2f} s; favourites alone by hand {hand:.2f} s,")
    print(f"ratio {one / hand:.1f}; twelve checkpoints: Polars {full:.2f} s, pandas {slow:.2f} s")


def bench_the_rest():
    frame = tagged()
    names = {"user_id": "u", "ordered_at": "t", "amount": "m", "list_amount": "l", "category": "c", "community": "g"}
    log = cl.OrderLog.from_frame(frame, **names)
    spent, groups = best(lambda: cl.interest_groups(log, as_of=AS_OF, max_size=50), 1)
    print(f"{groups!r}: {spent:.2f} s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.ModelWarning)
        spent, types = best(lambda: cl.BehaviourTypes(n_types=5).fit(log, as_of=AS_OF), 1)
        told, _ = best(lambda: types.transform(log, as_of=AS_OF), 2)
    print(f"types of {types.fitted_on.users:,} users: fit {spent:.2f} s, membership {told:.2f} s")


if __name__ == "__main__":
    main()
