"""Days of stock: for how long the stock of each item will last at its own pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from commlife import _engine
from commlife.errors import InsufficientDataError
from commlife.metrics.stock import StockTable, checked, read_stock, units_sold
from commlife.orders.calendar import Timestamp, complete_until, day_text, days_to_datetime64
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["days_of_stock"]


def days_of_stock(log: OrderLog, stock: Any, *, as_of: Timestamp, over: int = 28) -> StockTable:
    """For how many days the stock of each item will last at the pace of its last days on the shelf.

    Days on which the item was counted as gone (``on_hand`` 0 at the beginning and nothing sold) are no days of demand:
    they are left out of the pace.

    Args:
        log: The order log, with ``item_id`` and ``quantity``.
        stock: A frame with ``item_id``, ``day`` and ``on_hand``, the units at the beginning of that day.
        as_of: The local business day whose beginning is meant: stock counted on it is known, sales of it are not.
        over: Days before ``as_of`` whose sales make the pace.

    Returns:
        A :class:`StockTable`, the shortest first: ``item_id``, ``on_hand`` (the newest count), ``counted_on``,
        ``count_age_days`` (days from that count to ``as_of``), ``days_in_stock`` (of the last ``over``), ``sold`` in
        them, ``units_a_day``, ``days_of_stock`` (0 where nothing is left; null where nothing was sold).

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once), or the log lacks a column.
        SchemaError: If ``stock`` is faulty.

    Examples:
        >>> import pandas as pd
        >>> from commlife import OrderLog
        >>> frame = pd.DataFrame({"u": ["a", "b"], "sku": "tea", "pieces": [3, 5], "paid": [6.0, 10.0],
        ...                       "at": ["2025-01-06", "2025-01-08"]})
        >>> log = OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", item_id="sku",
        ...                           quantity="pieces")
        >>> stock = pd.DataFrame({"item_id": ["tea"], "day": ["2025-01-10"], "on_hand": [12]})
        >>> days_of_stock(log, stock, as_of="2025-01-10", over=4).to_frame()[["units_a_day", "days_of_stock"]]
           units_a_day  days_of_stock
        0          2.0            6.0
    """
    need_log(log, "days_of_stock")
    day, _ = checked(log, as_of, "days_of_stock", over=over)
    counted = read_stock(stock, log, day, "days_of_stock")
    counted = counted[counted["number"] <= day]
    if counted.empty:
        raise InsufficientDataError(f"days_of_stock: nothing was counted by {day_text(day)}. Use a later as_of.")
    since = max(day - over, log.observation.first)
    until = complete_until(day, log.observation.until)
    span = max(until - since, 0)
    daily = units_sold(log, day).filter((nw.col("day") >= since) & (nw.col("day") < until))
    by_day = daily.group_by("item_id", "day").agg(nw.col("units").sum())
    sold = _engine.collect_rows(by_day, call="days_of_stock", way_out="Ask for fewer days.")
    newest = counted.sort_values("number", kind="stable").drop_duplicates("item_id", keep="last")
    empty = counted[(counted["on_hand"] <= 0) & (counted["number"] >= since) & (counted["number"] < until)]
    empty = empty.merge(
        sold, left_on=["item_id", "number"], right_on=["item_id", "day"], how="left", suffixes=("", "_sold")
    )
    gone = empty[empty["units"].fillna(0.0) == 0].groupby("item_id").size()
    total = sold.groupby("item_id")["units"].sum()
    table = newest[["item_id", "on_hand", "number"]].reset_index(drop=True)
    table["counted_on"] = days_to_datetime64(table["number"])
    table["count_age_days"] = day - table["number"]
    table["days_in_stock"] = span - gone.reindex(table["item_id"]).fillna(0).to_numpy(np.int64)
    table["sold"] = total.reindex(table["item_id"]).fillna(0.0).to_numpy(np.float64)
    pace = table["sold"] / table["days_in_stock"].where(table["days_in_stock"] > 0)
    table["units_a_day"] = pace
    left = table["on_hand"].clip(lower=0) / pace.where(pace > 0)
    table["days_of_stock"] = left.where(table["on_hand"] > 0, 0.0)
    table = table.drop(columns="number").sort_values(["days_of_stock", "item_id"], ignore_index=True)
    return StockTable(table, "days_of_stock", day_text(day))
