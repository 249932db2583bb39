"""Sell-through: what share of what was there in a period was sold, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.errors import InsufficientDataError
from commlife.metrics._plans import Asked
from commlife.metrics.stock import StockTable, checked, read_stock, units_sold
from commlife.orders.calendar import Timestamp, complete_until, day_text, days_to_datetime64
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["sell_through"]


def sell_through(
    log: OrderLog, stock: Any, *, as_of: Timestamp, period: str = "week", last: int | None = None
) -> StockTable:
    """Share of what was there in a period that was sold, item by item.

    ``sell_through = units sold / (on hand at its beginning + received in it)``. Where ``received`` is not given it
    follows from the count at the period's end: what was there is then what was sold and what is left. Units are those
    of paid lines dated by the line, and a line of negative money takes its units off.

    Args:
        log: The order log, with ``item_id`` and ``quantity``.
        stock: A frame with ``item_id``, ``day`` and ``on_hand``, the units at the beginning of that day; and, if
            known, ``received``, the units that came in during it. One row an item and day; days may be missing.
        as_of: The local business day before whose midnight lines and deliveries count.
        period: The grid of periods.
        last: Only the newest ``last`` complete periods.

    Returns:
        A :class:`StockTable` with ``period``, ``item_id``, ``opening`` (on hand at the period's first day),
        ``received``, ``sold``, ``closing`` (on hand at the first day after it), ``sell_through`` (null where what was
        there is not known, or nothing), ``unaccounted`` (opening + received - sold - closing: loss, or a wrong count;
        null unless all are known). Items of the stock frame alone.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once), or the log lacks a column.
        SchemaError: If ``stock`` is faulty.
        InsufficientDataError: If no period is complete.

    Examples:
        >>> import pandas as pd
        >>> from commlife import OrderLog
        >>> frame = pd.DataFrame({"u": ["a", "b"], "sku": "tea", "pieces": [3, 5], "paid": [6.0, 10.0],
        ...                       "at": ["2025-01-06", "2025-01-08"]})
        >>> log = OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", item_id="sku",
        ...                           quantity="pieces")
        >>> stock = pd.DataFrame({"item_id": "tea", "day": ["2025-01-06", "2025-01-13"], "on_hand": [10, 2]})
        >>> sell_through(log, stock, as_of="2025-01-13").to_frame()[["opening", "sold", "closing", "sell_through"]]
           opening  sold  closing  sell_through
        0     10.0   8.0      2.0           0.8
    """
    need_log(log, "sell_through")
    day, grid = checked(log, as_of, "sell_through", period=period, last=last)
    counted = read_stock(stock, log, day, "sell_through")
    asked = Asked(log, day, grid, None, None, per_user=False)
    newest = grid.last_complete(as_of=day, until=complete_until(day, log.observation.until))
    first = grid.first_whole(log.observation.first, as_of=day)
    if last is not None:
        first = max(first, newest - last + 1)
    if newest < first:
        raise InsufficientDataError(
            f"sell_through: no period ({period}) of the log is complete before {day_text(day)}. Use a shorter period."
        )
    index = np.arange(first, newest + 1)
    starts, ends = (np.asarray(grid.start(at, as_of=day)) for at in (index, index + 1))
    items = counted["item_id"].drop_duplicates().sort_values(ignore_index=True)
    table = pd.DataFrame({"index": index, "_start": starts, "_end": ends}).merge(items.to_frame(), how="cross")
    for name, at in (("opening", "_start"), ("closing", "_end")):
        here = counted[["item_id", "number", "on_hand"]].rename(columns={"number": at, "on_hand": name})
        table = table.merge(here, on=["item_id", at], how="left")
    sold = asked.indexed(units_sold(log, day)).group_by("index", "item_id").agg(nw.col("units").sum().alias("sold"))
    units = _engine.collect_rows(sold, call="sell_through", way_out="Ask for a longer period.")
    table = table.merge(units, on=["index", "item_id"], how="left")
    table["sold"] = table["sold"].fillna(0.0)
    if "received" in counted:
        came = counted.assign(index=grid.index_of(counted["number"].to_numpy(), as_of=day))
        came = (
            came[came["number"] < day].groupby(["index", "item_id"], as_index=False).agg(received=("received", "sum"))
        )
        table = table.merge(came, on=["index", "item_id"], how="left")
        table["received"] = table["received"].fillna(0.0)
        there = table["opening"] + table["received"]
        table["unaccounted"] = there - table["sold"] - table["closing"]
    else:
        there = table["sold"] + table["closing"]
        table["received"] = table["closing"] + table["sold"] - table["opening"]
        table["unaccounted"] = np.nan
    table["sell_through"] = table["sold"] / there.where(there > 0)
    table.insert(0, "period", days_to_datetime64(table["_start"]))
    columns = ["period", "item_id", "opening", "received", "sold", "closing", "sell_through", "unaccounted"]
    table = table.sort_values(["period", "item_id"], ignore_index=True)
    return StockTable(table[columns], "sell_through", day_text(day))
