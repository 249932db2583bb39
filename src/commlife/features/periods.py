"""Periods of days within a plan: by formula where an engine shares its steps, by a small join where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.orders.calendar import day_number

if TYPE_CHECKING:
    from commlife.orders import OrderLog, Period

__all__ = ["with_period_index"]


def with_period_index(frame: nw.LazyFrame[Any], log: OrderLog, period: Period, *, as_of: int) -> nw.LazyFrame[Any]:
    """Add ``index``, the period of ``day``, to a plan over a log.

    SQL engines write a formula out in full wherever it is used: months, whose formula uses each step several times,
    grow to millions of characters. There the few days that the log covers are joined with their periods instead.
    """
    if _engine.is_eager(frame) or period.days is not None or log.first_day is None or log.last_day is None:
        return frame.with_columns(period.index_of(nw.col("day"), as_of=as_of).cast(nw.Int64).alias("index"))
    days = np.arange(day_number(log.first_day), day_number(log.last_day) + 1, dtype=np.int64)
    table = pd.DataFrame({"day": days, "index": period.index_of(days, as_of=as_of)})
    return frame.join(_engine.lazy_like(table, frame, types={"day": "day"}), on="day", how="left")
