"""Purchase summary: what the probability models of repeat buying need to know of each user."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife.features.users import own_attributes, warn_if_left_truncated, with_existing
from commlife.orders.calendar import Duration, Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["purchase_summary", "shown_summary", "summary_facts", "summary_plan"]


def purchase_summary(
    log: OrderLog, *, as_of: Timestamp, washout: str | Duration | None = None, attributes: Sequence[str] = ()
) -> Any:
    """One row a payer: repeat purchases, recency, age and mean repeat spend, in days, as in the BTYD papers.

    The grain is the local day: all orders that count on one day are one purchase, so what is bought again on the
    first day is no repeat. Recency has two meanings in the field: here ``t_x`` is the time from the first to the last
    purchase (Fader, Hardie & Lee 2005), not the time since the last one (``recency_days`` of RFM).

    A log that begins in the middle of lives shows the first order of some users that was not their first: their ``T``
    is too short and they are survivors. With ``washout``, or where the log has ``first_ordered_at``, a column
    ``existing`` tells them apart, and the value models learn from the others alone.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count; the last observed day is the one before.
        washout: Users first seen within this time of the log's first day are existing, such as ``"28D"``.
        attributes: Columns of the log (``"community"``, ``"channel"``, ...) of which each user's own is added: that of
            the first order that counts.

    Returns:
        A frame in the input's own kind: ``user_id``; ``x`` repeat purchase days; ``t_x`` days from the first to the
        last purchase; ``T`` days from the first purchase to the last observed day; ``m_x`` mean spend of the repeat
        days in major units, null where ``x`` is 0; then ``existing``, if anything tells, and the attributes.

    Raises:
        LeftTruncatedWarning: If the log begins in the middle of lives and nothing tells the users apart.

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
    need_log(log, "purchase_summary")
    day = day_number(as_of)
    since = None if washout is None else Duration(washout)
    plan = summary_plan(log, day)
    first_day = (day - 1 - nw.col("T")).alias("first_day")
    columns = ["user_id", "x", "t_x", "T", "m_x"]
    if since is not None or log.has("first_ordered_at"):
        plan = with_existing(plan.with_columns(first_day), log, washout=since)
        columns.append("existing")
    if attributes:
        log.require(*attributes, why="purchase_summary was asked for the users' own")
        plan = plan.join(own_attributes(log, day, *attributes), on="user_id", how="left")
        columns += attributes
    # Its rows are counted, and then given: they are computed once.
    plan = plan.select(*columns) if since is not None else _engine.settle(plan.select(*columns))
    warn_if_left_truncated(log, day, washout=since, payers_known=partial(_engine.count_rows, plan))
    return log.give(plan)


def summary_plan(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """The plan of :func:`purchase_summary`, for the rooms above."""
    return shown_summary(summary_facts(log, as_of), as_of, scale=log.scale)


def summary_facts(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a payer: user_id, first (day), x, t_x, repeat_spend (minor units); only further orders change them.

    The models of a page ask for the same facts one after the other: on pandas they are worked out once.
    """
    if log._frame.implementation is nw.Implementation.PANDAS:
        return log._remembered(("summary", as_of), lambda: _summary_facts(log, as_of), most=2)
    return _summary_facts(log, as_of)


def _summary_facts(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    counting = log._orders(as_of).filter(nw.col("counts"))
    days = _engine.sums_by_cell(counting, by="user_id", index="day", sums=["net"])
    users = _engine.first_and_whole(days, by="user_id", index="day", value="net", rows=log.n_rows)
    return users.select(
        "user_id",
        "first",
        (nw.col("cells") - 1).alias("x"),
        (nw.col("last") - nw.col("first")).alias("t_x"),
        (nw.col("whole") - nw.col("at_first")).alias("repeat_spend"),
    )


def shown_summary(facts: nw.LazyFrame[Any], as_of: int, *, scale: int) -> nw.LazyFrame[Any]:
    """The summary of the facts at ``as_of``."""
    whole = facts.with_columns((as_of - 1 - nw.col("first")).cast(nw.Int64).alias("T"))
    # Divided by at least 1, so that engines which fail on a division by zero do not; null where there was no repeat.
    divisor = nw.when(nw.col("x") > 0).then(nw.col("x")).otherwise(nw.lit(1))
    mean = nw.col("repeat_spend") / (divisor * scale)
    return whole.with_columns(nw.when(nw.col("x") > 0).then(mean).alias("m_x")).select(
        "user_id", "x", "t_x", "T", "m_x"
    )
