"""From a log to whole-number facts of each active user at a snapshot: relational, one pass, the same on every engine.

Only sums, counts, minima and maxima of whole numbers are taken here (plain aggregates over columns flagged before), so
that the answer does not depend on the order of rows or on the engine; ratios are made afterwards in NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._engine import NONE_BEFORE
from commlife.features.users import own_attributes

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders import OrderLog

__all__ = ["OF_COMMUNITIES", "facts_plan", "label_facts", "label_plan", "user_facts"]

Plan = nw.LazyFrame[Any]

_HOUR = 3_600_000_000
_CALL = "the panel of the silence model"
_WAY_OUT = 'Use SilenceModel(max_users=...), or training="distributed" on Spark or Dask.'
#: What "evening" means: from this hour of the local clock on.
_EVENING = 18


def user_facts(log: OrderLog, day: int, active_within: int) -> pd.DataFrame:
    """One row a user who ordered within ``active_within`` days before ``day``, sorted by user_id.

    All columns but user_id and community are float64 of whole numbers; null where there is nothing to count.
    """
    table = _engine.collect_rows(facts_plan(log, day, active_within), call=_CALL, way_out=_WAY_OUT)
    return table.sort_values("user_id", kind="stable", ignore_index=True)


def facts_plan(log: OrderLog, day: int, active_within: int) -> Plan:
    """The facts of :func:`user_facts`, where the log's rows are."""
    orders = _orders(log, day)
    counting = orders.filter(nw.col("counts"))
    users = _from_orders(counting, day)
    active = _engine.settle(users.filter(nw.col("last") >= day - active_within))
    parts = [_from_money(orders, day), _from_days(counting, users), _from_weeks(counting, day), _from_lines(log, day)]
    parts += [_distinct(log, day, name) for name in ("community", "channel", "address_id") if log.has(name)]
    if log.has("category"):
        parts.append(_from_categories(log, day))
    if log.has("item_id"):
        parts.append(_from_items(log, day))
    if log.has("community"):
        parts.append(_from_community(log, users, day))
    for part in parts:
        active = active.join(part, on="user_id", how="left")
    texts = {"user_id", "own_community"}
    numbers = [name for name in active.collect_schema().names() if name not in texts]
    return active.with_columns(nw.col(*numbers).cast(nw.Float64))


def label_facts(log: OrderLog, start: int, end: int) -> pd.DataFrame:
    """user_id of those with an order that counts in [start, end), as known at ``end``."""
    return _engine.collect_rows(label_plan(log, start, end), call=_CALL, way_out=_WAY_OUT)


def label_plan(log: OrderLog, start: int, end: int) -> Plan:
    """The users of :func:`label_facts`, where the log's rows are."""
    within = _orders(log, end).filter(nw.col("counts") & (nw.col("day") >= start))
    return within.select("user_id").unique()


def _orders(log: OrderLog, day: int) -> Plan:
    # The community goes along everywhere, so that one settled table of orders serves every part.
    return log._orders(day, *(("community",) if log.has("community") else ()))


def _flag(condition: nw.Expr, name: str) -> nw.Expr:
    return condition.cast(nw.Int64).alias(name)


def _from_orders(counting: Plan, day: int) -> Plan:
    age = day - nw.col("day")
    hour = nw.col("us") // _HOUR % 24
    flagged = counting.with_columns(
        _flag(age <= 7, "n7"),
        _flag(age <= 28, "n28"),
        _flag(age <= 90, "n90"),
        _flag((age > 28) & (age <= 56), "n_before"),
        _flag((age > 28) & (age <= 84), "n_base"),
        _flag((nw.col("day") + 3) % 7 >= 5, "n_weekend"),
        _flag(hour >= _EVENING, "n_evening"),
        hour.cast(nw.Int64).alias("hours"),
    )
    sums = ("n7", "n28", "n90", "n_before", "n_base", "n_weekend", "n_evening", "hours")
    whole = flagged.group_by("user_id").agg(
        nw.len().alias("n"),
        nw.col("day").min().alias("first"),
        nw.col("day").max().alias("last"),
        nw.col("net").max().alias("net_max"),
        *(nw.col(name).sum() for name in sums),
    )
    return _engine.settle(whole.with_columns(nw.col("n", "first", "last", *sums).cast(nw.Int64)))


def _from_money(orders: Plan, day: int) -> Plan:
    """Net spend of all orders: a refund lowers it on its own day, and counts for nothing else."""
    age = day - nw.col("day")
    net = nw.col("net")
    flagged = orders.with_columns(
        (net * (age <= 7).cast(nw.Int64)).alias("net7"),
        (net * (age <= 28).cast(nw.Int64)).alias("net28"),
        (net * (age <= 90).cast(nw.Int64)).alias("net90"),
        (net * ((age > 28) & (age <= 56)).cast(nw.Int64)).alias("net_before"),
    )
    return flagged.group_by("user_id").agg(
        *(nw.col(name).sum() for name in ("net", "net7", "net28", "net90", "net_before"))
    )


def _from_days(counting: Plan, users: Plan) -> Plan:
    """Gaps between order days, and what the first and last day brought."""
    days = _engine.sums_by_cell(counting, by="user_id", index="day", sums=["net"])
    gaps = _engine.with_previous(days, "day", by="user_id", into="previous")
    ends = users.select("user_id", "first", "last")
    marked = gaps.join(ends, on="user_id", how="inner").with_columns(
        nw.when(nw.col("previous") > NONE_BEFORE)
        .then(nw.col("day") - nw.col("previous"))
        .otherwise(nw.lit(0))
        .cast(nw.Int64)
        .alias("gap"),
        _flag(nw.col("day") == nw.col("last"), "is_last"),
        _flag(nw.col("day") == nw.col("first"), "is_first"),
        _flag(nw.col("previous") == nw.col("first"), "is_second"),
    )
    marked = marked.with_columns(
        (nw.col("gap") * nw.col("gap")).alias("gap_squares"),
        (nw.col("gap") * nw.col("is_last")).alias("gap_last"),
        (nw.col("gap") * nw.col("is_second")).alias("gap_first"),
        (nw.col("net") * nw.col("is_last")).alias("net_last"),
        (nw.col("net") * nw.col("is_first")).alias("net_first"),
    )
    sums = ("gap_squares", "gap_last", "gap_first", "net_last", "net_first")
    return marked.group_by("user_id").agg(
        nw.len().alias("days"), nw.col("gap").max().alias("gap_max"), *(nw.col(name).sum() for name in sums)
    )


def _from_weeks(counting: Plan, day: int) -> Plan:
    recent = counting.filter(nw.col("day") >= day - 84)
    weeks = recent.with_columns(((day - 1 - nw.col("day")) // 7).alias("week")).select("user_id", "week").unique()
    return weeks.group_by("user_id").agg(nw.len().alias("weeks"))


def _from_lines(log: OrderLog, day: int) -> Plan:
    """Lines to orders to users: units, discounts, coupons, refunds."""
    age = day - nw.col("day")
    minor = nw.col("minor")
    lines = log._lines(day, *_line_columns(log)).with_columns(
        nw.lit(1).alias("lines"),
        nw.when(minor > 0).then(minor).otherwise(nw.lit(0)).cast(nw.Int64).alias("paid"),
        nw.when(minor < 0).then(0 - minor).otherwise(nw.lit(0)).cast(nw.Int64).alias("refunded"),
        _flag((minor < 0) & (age <= 90), "refunds90"),
    )
    sums = ["lines", "paid", "refunded", "refunds90"]
    if log.has("quantity"):
        lines = lines.with_columns(nw.col("quantity").cast(nw.Float64).fill_null(0.0).alias("units"))
        sums.append("units")
    off = None
    if log.has("discount"):
        off = nw.col("discount_minor")
    elif log.has("list_amount"):
        off = nw.col("list_minor") - minor
    if off is not None:
        lines = lines.with_columns(off.fill_null(0).cast(nw.Int64).alias("off"))
        sums.append("off")
    if log.has("coupon_id"):
        lines = lines.with_columns(_flag(~nw.col("coupon_id").is_null(), "coupons"))
        sums.append("coupons")
    by_order = lines
    if log.has("order_id"):
        by_order = lines.group_by("user_id", "order_id").agg(
            nw.col("us").min(), nw.col("day").min(), *(nw.col(name).sum() for name in sums)
        )
    return _orders_to_users(by_order, day, sums)


def _line_columns(log: OrderLog) -> list[str]:
    """What is read of each line; texts that nobody asks for are not moved about."""
    optional = {"order_id": "order_id", "quantity": "quantity", "coupon_id": "coupon_id"}
    optional |= {"discount": "discount_minor"} if log.has("discount") else {"list_amount": "list_minor"}
    return ["user_id", "us", "day", "minor", *(held for name, held in optional.items() if log.has(name))]


def _orders_to_users(by_order: Plan, day: int, sums: list[str]) -> Plan:
    age = day - nw.col("day")
    flags: list[nw.Expr] = []
    subsidised = [nw.col(name) > 0 for name in ("off", "coupons") if name in sums]
    if subsidised:
        first_order = by_order.group_by("user_id").agg(nw.col("us").min().alias("first_us"))
        by_order = by_order.join(first_order, on="user_id", how="inner")
        is_one = subsidised[0] if len(subsidised) == 1 else subsidised[0] | subsidised[1]
        flags += [
            _flag(is_one, "subsidised"),
            _flag(is_one & (age <= 28), "subsidised28"),
            _flag(is_one & (nw.col("us") == nw.col("first_us")), "subsidised_first"),
        ]
    if "off" in sums:
        recent = (age <= 28).cast(nw.Int64)
        flags += [(nw.col("off") * recent).alias("off28"), (nw.col("paid") * recent).alias("paid28")]
    if "coupons" in sums:
        flags.append(_flag((nw.col("coupons") > 0) & (age <= 90), "coupons90"))
    by_order = by_order.with_columns(*flags) if flags else by_order
    names = [name for name in by_order.collect_schema().names() if name in {*sums, *_ORDER_FLAGS}]
    first = [name for name in names if name == "subsidised_first"]
    added = [name for name in names if name != "subsidised_first"]
    return by_order.group_by("user_id").agg(
        nw.len().alias("all_orders"),
        *(nw.col(name).sum() for name in added),
        *(nw.col(name).max() for name in first),
    )


_ORDER_FLAGS = ("subsidised", "subsidised28", "subsidised_first", "off28", "paid28", "coupons90")


def _distinct(log: OrderLog, day: int, column: str) -> Plan:
    named = log._lines(day, "user_id", column).filter(~nw.col(column).is_null()).unique()
    return named.group_by("user_id").agg(nw.len().alias(f"n_{column}"))


def _from_categories(log: OrderLog, day: int) -> Plan:
    read = log._lines(day, "user_id", "category", "day", "minor")
    lines = read.filter(~nw.col("category").is_null() & (nw.col("minor") >= 0))
    recent = lines.with_columns(_flag(day - nw.col("day") <= 90, "recent"))
    pairs = recent.group_by("user_id", "category").agg(nw.len().alias("pair"), nw.col("recent").max())
    pairs = pairs.with_columns(nw.col("pair").cast(nw.Int64)).with_columns(
        (nw.col("pair") * nw.col("pair")).alias("pair2")
    )
    return pairs.group_by("user_id").agg(
        nw.len().alias("categories"),
        nw.col("recent").sum().alias("categories90"),
        nw.col("pair").sum().alias("category_lines"),
        nw.col("pair2").sum().alias("category_squares"),
        nw.col("pair").max().alias("category_top"),
    )


def _from_items(log: OrderLog, day: int) -> Plan:
    lines = log._lines(day, "user_id", "item_id", "minor").filter(~nw.col("item_id").is_null() & (nw.col("minor") >= 0))
    pairs = lines.group_by("user_id", "item_id").agg(nw.len().alias("pair"))
    return pairs.group_by("user_id").agg(nw.len().alias("items"), nw.col("pair").sum().alias("item_lines"))


#: Facts that count a whole community.
OF_COMMUNITIES = ("c_active", "c_before", "c_new", "c_base", "c_silent")


def _from_community(log: OrderLog, users: Plan, day: int) -> Plan:
    """The health of each user's own community (that of the first order), from orders before the day alone."""
    everybody = log._everybody
    if everybody is not log:
        health = everybody._remembered(("health", day), lambda: _engine.settle(_health(everybody, day)), most=2)
        own = own_attributes(log, day, "community")
        return own.select("user_id", nw.col("community").alias("own_community")).join(
            health, on="own_community", how="left"
        )
    # Settled, since it is counted and then joined with its own counts: DuckDB would join all users of a community with
    # each other before it groups them.
    whole = _engine.settle(_with_own(log, users, day))
    return whole.select("user_id", "own_community").join(_counted(whole, day), on="own_community", how="left")


def _health(log: OrderLog, day: int) -> Plan:
    """One row a community, without a row a user that outlives the plan."""
    counting = _orders(log, day).filter(nw.col("counts"))
    age = day - nw.col("day")
    flagged = counting.with_columns(
        _flag((age > 28) & (age <= 56), "n_before"), _flag((age > 28) & (age <= 84), "n_base")
    )
    lives = flagged.group_by("user_id").agg(
        nw.col("day").min().alias("first"),
        nw.col("day").max().alias("last"),
        nw.col("n_before").sum(),
        nw.col("n_base").sum(),
    )
    return _counted(_with_own(log, lives, day), day)


def _with_own(log: OrderLog, users: Plan, day: int) -> Plan:
    own = own_attributes(log, day, "community").with_columns(nw.col("community").alias("own_community"))
    lives = users.select("user_id", "first", "last", "n_before", "n_base")
    return own.select("user_id", "own_community").join(lives, on="user_id", how="inner")


def _counted(whole: Plan, day: int) -> Plan:
    base = nw.col("n_base") > 0
    flagged = whole.with_columns(
        _flag(nw.col("last") >= day - 28, "c_active"),
        _flag(nw.col("n_before") > 0, "c_before"),
        _flag(nw.col("first") >= day - 28, "c_new"),
        _flag(base, "c_base"),
        _flag(base & (nw.col("last") < day - 28), "c_silent"),
    )
    return flagged.group_by("own_community").agg(*(nw.col(name).sum() for name in OF_COMMUNITIES))
