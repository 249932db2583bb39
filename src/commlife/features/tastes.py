"""Tastes: what a user buys most, what she has bought at all, and at which price level."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = [
    "PRICE_BANDS",
    "band_of",
    "bought_categories",
    "discounted_lines",
    "favourite_category",
    "ordered_categories",
    "price_band",
    "priced_lines",
]

#: A user's lines cost this share of what lines of the same categories cost on average: below the first she buys the
#: cheaper things, above the second the dearer ones.
PRICE_BANDS = {"low": 0.85, "high": 1.15}

_THOUSAND = 1_000
_MOST_UNITS = 1e9


def ordered_categories(log: OrderLog, as_of: int, *, level: str = "category") -> nw.LazyFrame[Any]:
    """One row an order that counts and category in it: user_id, day (of the order), the category, spend (minor units).

    Without order_id each row is an order. Negative lines and lines without a category are left out.
    """
    log.require(level, why="a favourite category" if level == "category" else "this question")
    known = (nw.col("minor") >= 0) & ~nw.col(level).is_null()
    if not log.has("order_id"):
        lines = log._lines(as_of, "user_id", "day", level, "minor").filter(known)
        return lines.rename({"minor": "spend"})
    lines = log._lines(as_of, "user_id", "order_id", level, "minor").filter(known)
    counting = log._orders(as_of).filter(nw.col("counts")).select("user_id", "order_id", "day")
    summed = lines.group_by("user_id", "order_id", level).agg(nw.col("minor").sum().alias("spend"))
    held = summed.join(counting, on=["user_id", "order_id"], how="inner")
    return held.select("user_id", "day", level, nw.col("spend").cast(nw.Int64))


def bought_categories(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user and category bought: user_id, category, orders (number of lines without order_id), spend.

    Lines of orders that count and are not negative; lines without a category are left out.
    """
    each = ordered_categories(log, as_of)
    summed = each.group_by("user_id", "category").agg(nw.len().alias("orders"), nw.col("spend").sum())
    return summed.with_columns(nw.col("orders", "spend").cast(nw.Int64))


def favourite_category(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user: the category in most of her orders; then the one with most money, then the first by name."""
    held = bought_categories(log, as_of)
    for better in ("orders", "spend"):
        # Asked twice: DuckDB would work out the groups once more for each step before.
        held = _engine.settle(held, rows=log.n_rows, for_now=True)
        most = held.group_by("user_id").agg(nw.col(better).max().alias("_most"))
        held = held.join(most, on="user_id", how="inner").filter(nw.col(better) == nw.col("_most")).drop("_most")
    return held.group_by("user_id").agg(nw.col("category").min().alias("favourite_category"))


def priced_lines(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a line with money: user_id, day, paid, and usual: what such a line costs on average (both minor units).

    What is usual is the mean unit price of the line's category times its quantity; the mean line of the category where
    the host gives no quantity, of all lines where she gives no category. Prices are those before discounts where the
    host gives them: what somebody chooses is told apart from what she got it for.
    """
    lines = _with_units(log, as_of)
    everybody = log._everybody
    if everybody is log:
        sums = _usual(lines)
    else:
        sums = everybody._remembered(
            ("usual", as_of), lambda: _engine.settle(_usual(_with_units(everybody, as_of))), most=2
        )
    by_category = log.has("category")
    priced = lines.join(sums, on="category", how="inner") if by_category else lines.join(sums, how="cross")
    rate = nw.col("sum").cast(nw.Float64) / nw.col("of").cast(nw.Float64)
    usual = (rate * nw.col("units").cast(nw.Float64)).round().cast(nw.Int64)
    return priced.with_columns(usual.alias("usual")).select("user_id", "day", "paid", "usual")


def _with_units(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a line with money: user_id, day, paid, units (thousandths), and its category where the host gives it."""
    money = "list_minor" if log.has("list_amount") else "minor"
    wanted = ["user_id", "day", "minor"]
    wanted += [money] if money != "minor" else []
    wanted += [name for name in ("quantity", "category") if log.has(name)]
    lines = log._lines(as_of, *wanted).filter(nw.col("minor") > 0)
    price = nw.col(money)
    if money != "minor":  # a list price that is missing or not one: what was paid
        price = nw.when(price.fill_null(0) > 0).then(price).otherwise(nw.col("minor"))
    units: nw.Expr = nw.lit(_THOUSAND)
    if log.has("quantity"):
        # Thousandths of a unit are whole numbers, whose sums are exact; a quantity that is none counts as one.
        quantity = nw.col("quantity").cast(nw.Float64).fill_null(1.0)
        thousandths = (quantity * float(_THOUSAND)).round()
        sound = (thousandths >= 1.0) & (thousandths <= _MOST_UNITS)
        units = nw.when(sound).then(thousandths).otherwise(nw.lit(float(_THOUSAND)))
    lines = lines.with_columns(price.cast(nw.Int64).alias("paid"), units.cast(nw.Int64).alias("units"))
    columns = ["user_id", "day", "paid", "units"]
    if log.has("category"):
        return lines.filter(~nw.col("category").is_null()).select(*columns, "category")
    return lines.select(*columns)


def _usual(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What was paid for how many units, by category where there are some."""
    sums = (nw.col("paid").sum().alias("sum"), nw.col("units").sum().alias("of"))
    if "category" in lines.collect_schema().names():
        return lines.group_by("category").agg(*sums)
    return lines.select(*sums)


def price_band(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user: ``price_band`` low, middle or high (see PRICE_BANDS), against what such lines usually cost."""
    lines = priced_lines(log, as_of).filter(nw.col("usual") > 0)
    users = lines.group_by("user_id").agg(nw.col("paid").sum(), nw.col("usual").sum())
    level = nw.col("paid").cast(nw.Float64) / nw.col("usual").cast(nw.Float64)
    return users.with_columns(band_of(level).alias("price_band")).select("user_id", "price_band")


def band_of(level: nw.Expr) -> nw.Expr:
    """The price band of a level (paid over usual)."""
    return (
        nw.when(level < PRICE_BANDS["low"])
        .then(nw.lit("low"))
        .otherwise(nw.when(level > PRICE_BANDS["high"]).then(nw.lit("high")).otherwise(nw.lit("middle")))
    )


def discounted_lines(log: OrderLog, as_of: int) -> nw.LazyFrame[Any] | None:
    """One row a line: user_id, day, hits (1 if below list price, with money taken off, or with a coupon) and of (1).

    None where the host tells none of it.
    """
    tests = {
        "list_amount": ("list_minor", nw.col("list_minor").fill_null(0) > nw.col("minor")),
        "discount": ("discount_minor", nw.col("discount_minor").fill_null(0) != 0),
        "coupon_id": ("coupon_id", ~nw.col("coupon_id").is_null()),
    }
    told = [tests[name] for name in tests if log.has(name)]
    if not told:
        return None
    lines = log._lines(as_of, "user_id", "day", "minor", *(column for column, _ in told)).filter(nw.col("minor") >= 0)
    hits = reduce(or_, (test for _, test in told)).cast(nw.Int64)
    marked = lines.with_columns(hits.alias("hits"), nw.lit(1).cast(nw.Int64).alias("of"))
    return marked.select("user_id", "day", "hits", "of")
