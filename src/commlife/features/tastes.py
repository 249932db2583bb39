"""Tastes: what a user buys most, what she has bought at all, and at which price level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["PRICE_BANDS", "bought_categories", "favourite_category", "price_band"]

#: A user's lines cost this share of what lines of the same categories cost on average: below the first she buys the
#: cheaper things, above the second the dearer ones.
PRICE_BANDS = {"low": 0.85, "high": 1.15}


def bought_categories(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user and category bought: user_id, category, orders (number of lines without order_id), spend.

    Lines of orders that count and are not negative; lines without a category are left out.
    """
    log.require("category", why="a favourite category")
    ids = ["user_id", "order_id"] if log.has("order_id") else ["user_id"]
    lines = log._lines(as_of, *ids, "category", "minor").filter((nw.col("minor") >= 0) & ~nw.col("category").is_null())
    if not log.has("order_id"):
        each = lines.select("user_id", "category", "minor").with_columns(nw.lit(1).alias("orders"))
    else:
        counting = log._orders(as_of).filter(nw.col("counts")).select("user_id", "order_id")
        held = lines.select("user_id", "order_id", "category", "minor").join(
            counting, on=["user_id", "order_id"], how="inner"
        )
        each = held.group_by("user_id", "order_id", "category").agg(nw.col("minor").sum())
        each = each.with_columns(nw.lit(1).alias("orders"))
    summed = each.group_by("user_id", "category").agg(nw.col("orders").sum(), nw.col("minor").sum().alias("spend"))
    return summed.with_columns(nw.col("orders", "spend").cast(nw.Int64))


def favourite_category(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user: the category in most of her orders; then the one with most money, then the first by name."""
    held = bought_categories(log, as_of)
    for better in ("orders", "spend"):
        most = held.group_by("user_id").agg(nw.col(better).max().alias("_most"))
        held = held.join(most, on="user_id", how="inner").filter(nw.col(better) == nw.col("_most")).drop("_most")
    return held.group_by("user_id").agg(nw.col("category").min().alias("favourite_category"))


def price_band(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a user: ``price_band`` low, middle or high (see PRICE_BANDS), against the mean line of each category."""
    wanted = ["user_id", "minor", *(["category"] if log.has("category") else [])]
    lines = log._lines(as_of, *wanted).filter(nw.col("minor") > 0)
    if log.has("category"):
        lines = lines.filter(~nw.col("category").is_null()).select("user_id", "category", "minor")
        usual = lines.group_by("category").agg(nw.col("minor").sum().alias("sum"), nw.len().alias("lines"))
        priced = lines.join(usual, on="category", how="inner")
    else:
        usual = lines.select(nw.col("minor").sum().alias("sum"), nw.len().alias("lines"))
        priced = lines.select("user_id", "minor").join(usual, how="cross")
    compared = priced.with_columns((nw.col("sum") / nw.col("lines")).alias("usual"))
    users = compared.group_by("user_id").agg(nw.col("minor").sum(), nw.col("usual").sum())
    level = nw.col("minor") / nw.col("usual")
    band = (
        nw.when(level < PRICE_BANDS["low"])
        .then(nw.lit("low"))
        .otherwise(nw.when(level > PRICE_BANDS["high"]).then(nw.lit("high")).otherwise(nw.lit("middle")))
    )
    return users.with_columns(band.alias("price_band")).select("user_id", "price_band")
