"""Leanings: what each user does more often than her community, with the evidence beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._stats.wilson import Z95
from commlife.features.tastes import PRICE_BANDS, band_of, discounted_lines, ordered_categories, priced_lines
from commlife.features.users import own_attributes, payers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog
    from commlife.segments.checkpoints import Checkpoints

__all__ = ["EVIDENCE", "Ground", "favourite_categories", "missing_categories", "price_bands", "styles", "time_habits"]

Plan = nw.LazyFrame[Any]

#: What every tag carries besides its value.
EVIDENCE = ("share", "base", "low", "high", "orders")

#: Orders of the whole log by which the base rate of a small community is pulled towards that of all.
_BASE_ORDERS = 50.0
#: Usual lines by which the price level of a user with few lines is pulled towards 1.
_LEVEL_LINES = 5.0
#: Categories of a community that a user may be said to miss: its most bought ones.
_MISSABLE = 8
_MICROSECONDS_AN_HOUR = 3_600_000_000
#: From these hours of the local clock on.
_PARTS = ((0, "night"), (5, "morning"), (11, "midday"), (14, "afternoon"), (18, "evening"), (23, "night"))


class Ground:
    """What all tags of a log stand on: the checkpoints, each user's community, and her orders in each window."""

    def __init__(self, log: OrderLog, checkpoints: Checkpoints, *, min_orders: int) -> None:
        self.log = log
        self.at = checkpoints
        self.min_orders = min_orders
        day = checkpoints.as_of
        self.counting: Plan = log._orders(day).filter(nw.col("counts"))
        if log.has("community"):
            home = own_attributes(log, day, "community").rename({"community": "_home"})
        else:
            home = payers(log, day).select("user_id", nw.lit("all").alias("_home"))
        self.home: Plan = _engine.settle(home)
        each = self.counting.select("user_id", "day").with_columns(nw.lit(1).cast(nw.Int64).alias("of"))
        self.orders: Plan = _engine.settle(checkpoints.rolled(each, ["user_id"], ["of"]))
        self.bases: Plan = _engine.settle(self.summed(each, ["_home"], ["of"]))
        self.all: Plan = _engine.settle(_totals(self.bases, ["k"], ["of"]))

    def summed(self, rows: Plan, keys: Sequence[str], sums: Sequence[str]) -> Plan:
        """Sums over communities (``_home``) and checkpoints; users of no community stand for themselves."""
        homed = rows.join(self.home, on="user_id", how="inner").filter(~nw.col("_home").is_null())
        return self.at.rolled(homed, keys, sums)


def _totals(rows: Plan, keys: Sequence[str], sums: Sequence[str]) -> Plan:
    totals = rows.group_by(*keys).agg(*(nw.col(name).sum() for name in sums))
    return totals.with_columns(nw.col(*sums).cast(nw.Int64))


def base_rates(ground: Ground, each: Plan, of: Plan | None, kind: str | None) -> Plan:
    """``base`` of each community, checkpoint and ``kind``: hits out of trials, pulled towards the rate of all.

    Args:
        ground: The log's ground.
        each: Rows with user_id, day, ``hits`` and the kind.
        of: Rows with user_id, day and ``of``; None: the orders.
        kind: What is told apart, such as the category; None: nothing.
    """
    kinds = [] if kind is None else [kind]
    hits = _engine.settle(ground.summed(each, ["_home", *kinds], ["hits"]))
    trials = ground.bases if of is None else _engine.settle(ground.summed(of, ["_home"], ["of"]))
    everywhere = ground.all if of is None else _engine.settle(_totals(trials, ["k"], ["of"]))
    all_hits = _totals(hits, [*kinds, "k"], ["hits"]).rename({"hits": "all_hits"})
    whole = all_hits.join(everywhere.rename({"of": "all_of"}), on="k", how="inner")
    # Every community beside every kind that anybody buys: a kind that a community never bought has a base too.
    spread = trials.join(whole, on="k", how="inner")
    spread = spread.join(hits, on=["_home", "k", *kinds], how="left")
    rate = nw.col("all_hits").cast(nw.Float64) / nw.col("all_of").cast(nw.Float64)
    own = nw.col("hits").fill_null(0).cast(nw.Float64)
    base = (own + rate * _BASE_ORDERS) / (nw.col("of").cast(nw.Float64) + _BASE_ORDERS)
    return spread.with_columns(base.alias("base")).select("_home", "k", *kinds, "base")


def with_interval(rows: Plan) -> Plan:
    """Add share, low and high (95% Wilson) of ``hits`` out of ``of``."""
    k, n = nw.col("hits").cast(nw.Float64), nw.col("of").cast(nw.Float64)
    z2 = Z95 * Z95
    rows = rows.with_columns(
        (k / n).alias("share"),
        ((k + z2 / 2) / (n + z2)).alias("_centre"),
        ((z2 * (k * (n - k) / n + z2 / 4)).sqrt() / (n + z2)).alias("_half"),
    )
    low, high = nw.col("_centre") - nw.col("_half"), nw.col("_centre") + nw.col("_half")
    return rows.with_columns(
        nw.when(nw.col("hits") == 0).then(nw.lit(0.0)).otherwise(low).alias("low"),
        nw.when(nw.col("hits") == nw.col("of")).then(nw.lit(1.0)).otherwise(high).alias("high"),
    ).drop("_centre", "_half")


def _strongest(ground: Ground, each: Plan, kind: str) -> Plan:
    """Of all kinds that a user surely leans to, the one with the highest sure affinity; values by checkpoint."""
    counts = ground.at.rolled(each, ["user_id", kind], ["hits"]).filter(nw.col("hits") >= ground.min_orders)
    rows = counts.join(ground.orders, on=["user_id", "k"], how="inner").join(ground.home, on="user_id", how="inner")
    rows = with_interval(rows).join(base_rates(ground, each, None, kind), on=["_home", "k", kind], how="inner")
    leaning = _engine.settle(
        rows.filter(nw.col("low") > nw.col("base")).with_columns((nw.col("low") / nw.col("base")).alias("_sure"))
    )
    most = leaning.group_by("user_id", "k").agg(nw.col("_sure").max().alias("_most"))
    best = leaning.join(most, on=["user_id", "k"], how="inner").filter(nw.col("_sure") == nw.col("_most"))
    first = best.group_by("user_id", "k").agg(nw.col(kind).min())
    best = best.join(first, on=["user_id", "k", kind], how="inner")
    return (
        best.with_columns(nw.col("of").alias("orders"))
        .rename({kind: "value"})
        .select("user_id", "k", "value", *EVIDENCE)
    )


def favourite_categories(ground: Ground) -> Plan:
    """The category that a user buys in a larger share of orders than her community, surely so."""
    each = ordered_categories(ground.log, ground.at.as_of).select("user_id", "day", "category")
    return _strongest(ground, _as_hits(each.with_columns(nw.col("category").cast(nw.String))), "category")


def missing_categories(ground: Ground) -> Plan:
    """The category that a user surely buys less than her community, and did not buy at all in the window.

    Only at the newest checkpoint: ``since_day`` is the day on which she last bought it, else that of her first order.
    """
    bought = ordered_categories(ground.log, ground.at.as_of).select("user_id", "day", "category")
    bought = bought.with_columns(nw.col("category").cast(nw.String))
    base = base_rates(ground, _as_hits(bought), None, "category").filter(nw.col("k") == 0)
    missable = _engine.settle(_largest(base.select("_home", "category", "base"), _MISSABLE))
    # Whoever has n orders and none of them with the category is below a base above z^2 / (n + z^2) alone.
    users = ground.orders.filter(nw.col("k") == 0).select("user_id", "of").with_columns(nw.lit(0).alias("hits"))
    users = with_interval(users).join(ground.home, on="user_id", how="inner")
    rows = users.join(missable, on="_home", how="inner").filter(nw.col("high") < nw.col("base"))
    newest = bought.filter(nw.col("day") >= ground.at.as_of - ground.at.step * ground.at.width)
    rows = rows.join(newest.select("user_id", "category"), on=["user_id", "category"], how="anti")
    rows = _engine.settle(rows)
    most = rows.group_by("user_id").agg(nw.col("base").max().alias("_most"))
    best = rows.join(most, on="user_id", how="inner").filter(nw.col("base") == nw.col("_most"))
    first = best.group_by("user_id").agg(nw.col("category").min())
    best = best.join(first, on=["user_id", "category"], how="inner")
    last = bought.group_by("user_id", "category").agg(nw.col("day").max().alias("last_bought"))
    best = best.join(last, on=["user_id", "category"], how="left")
    best = best.join(payers(ground.log, ground.at.as_of).select("user_id", "first_day"), on="user_id", how="inner")
    since = nw.when(nw.col("last_bought").is_null()).then(nw.col("first_day")).otherwise(nw.col("last_bought"))
    return (
        best.with_columns(since.cast(nw.Int64).alias("since_day"), nw.col("of").alias("orders"))
        .rename({"category": "value"})
        .select("user_id", "value", *EVIDENCE, "since_day")
    )


def time_habits(ground: Ground) -> Plan:
    """Part of the week in which a user orders more often than her community, surely so."""
    orders = ground.counting.select("user_id", "day", "us")
    weekend = (nw.col("day") + 3) % 7 >= 5
    part = nw.when(weekend).then(nw.lit("weekend")).otherwise(nw.lit("weekday"))
    if _tells_hours(ground):
        hour = nw.col("us") // _MICROSECONDS_AN_HOUR % 24
        names = [name for _, name in _PARTS]
        of_day: Any = nw.lit(names[0])
        for begins, name in _PARTS[1:]:
            of_day = nw.when(hour >= begins).then(nw.lit(name)).otherwise(of_day)
        part = nw.concat_str([part, of_day], separator=" ")
    return _strongest(
        ground, _as_hits(orders.with_columns(part.alias("part")).select("user_id", "day", "part")), "part"
    )


def _tells_hours(ground: Ground) -> bool:
    """Whether the log has times, or days alone."""
    within = (nw.col("us") % (24 * _MICROSECONDS_AN_HOUR)).alias("within")
    row = _engine.collect(ground.counting.select(within).select(nw.col("within").max()))
    return bool((row["within"].fillna(0) > 0).any())


def price_bands(ground: Ground) -> Plan:
    """The price level at which a user buys, pulled towards the usual one where she has few lines."""
    levels = price_levels(ground).filter(nw.col("orders") >= ground.min_orders)
    return levels.with_columns(band_of(nw.col("share")).alias("value")).select("user_id", "k", "value", *EVIDENCE)


def price_levels(ground: Ground) -> Plan:
    """``share``: what a user paid over what such lines usually cost; ``orders`` counts her lines."""
    lines = priced_lines(ground.log, ground.at.as_of).with_columns(nw.lit(1).cast(nw.Int64).alias("orders"))
    users = ground.at.rolled(lines, ["user_id"], ["paid", "usual", "orders"]).filter(nw.col("usual") > 0)
    paid, usual, n = (nw.col(name).cast(nw.Float64) for name in ("paid", "usual", "orders"))
    # So many lines at the usual price are added, each as dear as her mean line.
    added = usual / n * _LEVEL_LINES
    level = (paid + added) / (usual + added)
    unknown = nw.when(nw.col("orders") < 0).then(nw.lit(0.0))  # null: a ratio of money has no simple interval
    return users.with_columns(
        level.alias("share"), nw.lit(1.0).alias("base"), unknown.alias("low"), unknown.alias("high")
    ).select("user_id", "k", *EVIDENCE)


def styles(ground: Ground) -> Plan:
    """How a user chooses: by price, by quality, by what is new, or in between."""
    levels = price_levels(ground).filter(nw.col("orders") >= ground.min_orders).rename({"share": "_level"})
    rows = levels.select("user_id", "k", "_level", nw.col("orders").alias("_lines"))
    sides: list[tuple[str, str]] = []
    discounted = discounted_lines(ground.log, ground.at.as_of)
    for name, held in (("discount", discounted), ("novelty", _new_lines(ground))):
        if held is not None:
            rows = rows.join(_share_of_lines(ground, held, name), on=["user_id", "k"], how="left")
            sides.append((name, f"_{name}_sure"))
    rows = _engine.settle(rows)
    surely = {name: nw.col(column).fill_null(0) == 1 for name, column in sides}
    cheap = nw.col("_level") < PRICE_BANDS["low"]
    thrifty = surely.get("discount", cheap)
    dear = nw.col("_level") > PRICE_BANDS["high"]
    tries = surely.get("novelty", nw.col("_level") < 0)
    kind = (
        nw.when(thrifty)
        .then(nw.lit("price_sensitive"))
        .otherwise(
            nw.when(dear)
            .then(nw.lit("quality_seeking"))
            .otherwise(nw.when(tries).then(nw.lit("experience_first")).otherwise(nw.lit("balanced")))
        )
    )
    rows = rows.with_columns(kind.alias("value"))
    unknown = nw.when(nw.col("_lines") < 0).then(nw.lit(0.0))
    evidence = {
        "share": nw.col("_level"),
        "base": nw.lit(1.0),
        "low": unknown,
        "high": unknown,
        "orders": nw.col("_lines"),
    }
    for name, label in (("discount", "price_sensitive"), ("novelty", "experience_first")):
        if name in surely:
            own = nw.col("value") == label
            evidence = {
                each: nw.when(own).then(nw.col(f"_{name}_{each}")).otherwise(before)
                for each, before in evidence.items()
            }
    return rows.with_columns(*(each.alias(name) for name, each in evidence.items())).select(
        "user_id", "k", "value", *EVIDENCE
    )


def _share_of_lines(ground: Ground, lines: Plan, name: str) -> Plan:
    """Share of a user's lines that are hits, its interval, the base, and whether it is surely above it."""
    rows = ground.at.rolled(lines, ["user_id"], ["hits", "of"]).filter(nw.col("of") >= ground.min_orders)
    rows = with_interval(rows).join(ground.home, on="user_id", how="inner")
    base = base_rates(ground, lines.select("user_id", "day", "hits"), lines.select("user_id", "day", "of"), None)
    rows = rows.join(base, on=["_home", "k"], how="inner")
    sure = (nw.col("low") > nw.col("base")).cast(nw.Int64)
    renamed = [nw.col(each).alias(f"_{name}_{each}") for each in EVIDENCE]
    rows = rows.with_columns(sure.alias(f"_{name}_sure"), nw.col("of").alias("orders"))
    return rows.select("user_id", "k", f"_{name}_sure", *renamed)


def _new_lines(ground: Ground) -> Plan | None:
    """Lines with an item that the user had never bought, after her first window (when all is new to everybody)."""
    log = ground.log
    if not log.has("item_id"):
        return None
    lines = log._lines(ground.at.as_of, "user_id", "day", "item_id", "minor")
    lines = lines.filter((nw.col("minor") >= 0) & ~nw.col("item_id").is_null())
    first = lines.group_by("user_id", "item_id").agg(nw.col("day").min().alias("first_bought"))
    begun = lines.group_by("user_id").agg(nw.col("day").min().alias("begun"))
    later = lines.join(begun, on="user_id", how="inner")
    later = later.filter(nw.col("day") >= nw.col("begun") + ground.at.step * ground.at.width)
    later = later.join(first, on=["user_id", "item_id"], how="inner")
    is_new = (nw.col("day") == nw.col("first_bought")).cast(nw.Int64)
    marked = later.with_columns(is_new.alias("hits"), nw.lit(1).cast(nw.Int64).alias("of"))
    return _engine.settle(marked.select("user_id", "day", "hits", "of"))


def _as_hits(rows: Plan) -> Plan:
    return rows.with_columns(nw.lit(1).cast(nw.Int64).alias("hits"))


def _largest(base: Plan, number: int) -> Plan:
    """The few largest bases of each community; a small table by now."""
    table = _engine.collect(base).sort_values(["_home", "base", "category"], ascending=[True, False, True])
    return _engine.lazy_like(
        table.groupby("_home", sort=False).head(number), base, types={"_home": "_home", "category": "category"}
    )
