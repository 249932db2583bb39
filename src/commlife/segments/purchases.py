"""Purchases: recency, frequency and monetary value of each payer at as_of, as one plan."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife.features.users import own_attributes

if TYPE_CHECKING:
    from commlife.orders import OrderLog
    from commlife.orders.calendar import Duration

__all__ = ["DIMENSIONS", "VALUES", "purchases"]

#: The dimensions, and the column that holds the value of each.
DIMENSIONS = ("recency", "frequency", "monetary")
VALUES = {"recency": "recency_days", "frequency": "frequency", "monetary": "monetary"}

#: Stands for "this order does not count" where a day is wanted: it never is the latest.
_NO_DAY = -1


def purchases(
    log: OrderLog,
    as_of: int,
    *,
    lookback: Duration | None,
    monetary: Literal["total", "mean"],
    by: str | None,
) -> nw.LazyFrame[Any]:
    """One row a payer: user_id, recency_days, frequency, monetary (float64, major units) and, with ``by``, group.

    With a lookback only orders of the last days count, and who has none of them is not in the plan. Money is made from
    exact integers by correctly rounded divisions, so that equal customers have equal values on every engine. Learning
    cuts and scoring ask for the same plan: it is computed once.
    """
    key = ("purchases", as_of, lookback, monetary, by)
    made = partial(_purchases, log, as_of, lookback=lookback, monetary=monetary, by=by)
    return log._remembered(key, lambda: _engine.settle(made()), most=2)


def _purchases(
    log: OrderLog,
    as_of: int,
    *,
    lookback: Duration | None,
    monetary: Literal["total", "mean"],
    by: str | None,
) -> nw.LazyFrame[Any]:
    orders = log._orders(as_of)
    if lookback is not None:
        orders = orders.filter(nw.col("day") >= as_of - lookback.days)
    counted_day = nw.when(nw.col("counts")).then(nw.col("day")).otherwise(nw.lit(_NO_DAY)).cast(nw.Int64)
    users = (
        orders.with_columns(counted_day.alias("last_day"), nw.col("counts").cast(nw.Int64).alias("frequency"))
        .group_by("user_id")
        .agg(nw.col("last_day").max(), nw.col("frequency").sum(), nw.col("net").sum())
        .filter(nw.col("frequency") > 0)
        .with_columns(nw.col("last_day", "frequency", "net").cast(nw.Int64))
    )
    money = nw.col("net").cast(nw.Float64)
    if monetary == "mean":
        money = money / nw.col("frequency").cast(nw.Float64)
    columns: list[str | nw.Expr] = [
        "user_id",
        (as_of - nw.col("last_day")).alias("recency_days"),
        nw.col("frequency"),
        # By a column: Polars divides by a number as if it multiplied by its reciprocal, which is off in the last bit.
        (money / (nw.col("frequency") * 0 + log.scale).cast(nw.Float64)).alias("monetary"),
    ]
    if by is None:
        return users.select(*columns)
    groups = own_attributes(log, as_of, by)
    return users.join(groups, on="user_id", how="left").select(*columns, nw.col(by).alias("group"))
