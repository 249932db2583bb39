"""Purchase summary: what the probability models of repeat buying need to know of each user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife.orders.calendar import Timestamp, day_number

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["purchase_summary", "summary_plan"]


def purchase_summary(log: OrderLog, *, as_of: Timestamp) -> Any:
    """One row a payer: repeat purchases, recency, age and mean repeat spend, in days, as in the BTYD papers.

    The grain is the local day: all orders that count on one day are one purchase, so what is bought again on the
    first day is no repeat. Recency has two meanings in the field: here ``t_x`` is the time from the first to the last
    purchase (Fader, Hardie & Lee 2005), not the time since the last one (``recency_days`` of RFM).

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count; the last observed day is the one before.

    Returns:
        A frame in the input's own kind: ``user_id``; ``x`` repeat purchase days; ``t_x`` days from the first to the
        last purchase; ``T`` days from the first purchase to the last observed day; ``m_x`` mean spend of the repeat
        days in major units, null where ``x`` is 0.

    Examples:
        >>> import pandas as pd
        >>> import commlife as cl
        >>> frame = pd.DataFrame({"user": ["a", "a", "b"], "at": ["2025-01-01", "2025-01-11", "2025-01-05"],
        ...                       "paid": [10.0, 30.0, 20.0]})
        >>> log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid")
        >>> cl.purchase_summary(log, as_of="2025-01-31")
          user_id  x  t_x   T   m_x
        0       a  1   10  29  30.0
        1       b  0    0  25   NaN
    """
    return log.give(summary_plan(log, day_number(as_of)))


def summary_plan(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """The plan of :func:`purchase_summary`, for the rooms above."""
    counting = log._orders(as_of).filter(nw.col("counts"))
    days = counting.group_by("user_id", "day").agg(nw.col("net").sum())
    users = days.group_by("user_id").agg(
        nw.col("day").min().alias("first"),
        nw.col("day").max().alias("last"),
        nw.len().alias("days"),
        nw.col("net").sum().alias("spend"),
    )
    first_days = days.select("user_id", nw.col("day").alias("first"), nw.col("net").alias("first_spend"))
    whole = users.join(first_days, on=["user_id", "first"], how="inner").with_columns(
        (nw.col("days").cast(nw.Int64) - 1).alias("x"),
        (nw.col("last") - nw.col("first")).cast(nw.Int64).alias("t_x"),
        (as_of - 1 - nw.col("first")).cast(nw.Int64).alias("T"),
        (nw.col("spend") - nw.col("first_spend")).cast(nw.Int64).alias("repeat_spend"),
    )
    # Divided by at least 1, so that engines which fail on a division by zero do not; null where there was no repeat.
    divisor = nw.when(nw.col("x") > 0).then(nw.col("x")).otherwise(nw.lit(1))
    mean = nw.col("repeat_spend") / (divisor * log.scale)
    return whole.with_columns(nw.when(nw.col("x") > 0).then(mean).alias("m_x")).select(
        "user_id", "x", "t_x", "T", "m_x"
    )
