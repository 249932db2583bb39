"""Activity: in which periods each payer ordered, and the period of the order before.

Runs of activity with the gap to the next one say all that a users x periods table would, in as many rows as there are
active periods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._engine.windows import NONE_BEFORE
from commlife.features.periods import with_period_index

if TYPE_CHECKING:
    from commlife.orders import OrderLog, Period

__all__ = ["NONE_BEFORE", "active_periods"]


def active_periods(log: OrderLog, as_of: int, period: Period) -> nw.LazyFrame[Any]:
    """One row for each user and period with an order that counts.

    Columns: user_id; index of the period (see :class:`~commlife.orders.Period`); orders and net of the orders that
    count in it; previous, the index of the user's active period before, NONE_BEFORE for the first one.
    """
    counting = log._orders(as_of).filter(nw.col("counts"))
    indexed = with_period_index(counting, log, period, as_of=as_of)
    active = indexed.group_by("user_id", "index").agg(nw.len().alias("orders"), nw.col("net").sum())
    whole = active.with_columns(nw.col("orders", "net").cast(nw.Int64))
    return _engine.settle(_engine.with_previous(whole, "index", by="user_id", into="previous"))
