"""Stock: what share of what was there was sold, and for how many days the rest will last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.errors import ConfigError, InsufficientDataError, SchemaError
from commlife.metrics._arguments import Faults, check_log, whole_number
from commlife.metrics._host import read_table
from commlife.metrics._plans import Asked, with_units
from commlife.orders.calendar import Period, Timestamp, complete_until, day_number, day_text, days_to_datetime64
from commlife.orders.faults import FoundFault, faults_frame
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["StockTable", "days_of_stock", "sell_through"]


@dataclass(frozen=True, slots=True, eq=False)
class StockTable:
    """A table about stock.

    Attributes:
        table: The rows; what a column means says the call that made it.
        kind: ``"sell_through"`` or ``"days_of_stock"``.
        as_of: The local business day before whose midnight lines and stock count.
    """

    table: pd.DataFrame
    kind: str
    as_of: str

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"StockTable({self.kind}, {len(self.table):,} rows, as_of={self.as_of})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>" + self.table.head(20).to_html(index=False, float_format="{:.3g}".format, na_rep="")

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()


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
    day, grid = _checked(log, as_of, "sell_through", period=period, last=last)
    counted = _read_stock(stock, log, day, "sell_through")
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
    sold = asked.indexed(_sold(log, day)).group_by("index", "item_id").agg(nw.col("units").sum().alias("sold"))
    table = table.merge(_engine.collect(sold), on=["index", "item_id"], how="left")
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
    day, _ = _checked(log, as_of, "days_of_stock", over=over)
    counted = _read_stock(stock, log, day, "days_of_stock")
    counted = counted[counted["number"] <= day]
    if counted.empty:
        raise InsufficientDataError(f"days_of_stock: nothing was counted by {day_text(day)}. Use a later as_of.")
    since = max(day - over, log.observation.first)
    until = complete_until(day, log.observation.until)
    span = max(until - since, 0)
    daily = _sold(log, day).filter((nw.col("day") >= since) & (nw.col("day") < until))
    sold = _engine.collect(daily.group_by("item_id", "day").agg(nw.col("units").sum()))
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


def _checked(
    log: OrderLog, as_of: Timestamp, what: str, *, period: str = "week", last: int | None = None, over: int = 1
) -> tuple[int, Period]:
    check_log(log, what)
    faults = Faults(what)
    day = faults.take(lambda: day_number(as_of))
    grid = faults.take(lambda: Period(period))
    faults.take(lambda: log.require("item_id", "quantity", why=what))
    if last is not None:
        faults.take(lambda: whole_number(last, "last", least=1))
    faults.take(lambda: whole_number(over, "over", least=1))
    faults.tell()
    assert day is not None and grid is not None  # noqa: S101, PT018  (told above)
    return day, grid


def _sold(log: OrderLog, day: int) -> nw.LazyFrame[Any]:
    """item_id, day and units of paid lines."""
    lines = with_units(log._lines(day, "item_id", "day", "minor", "quantity"))
    return lines.filter(~nw.col("item_id").is_null()).select("item_id", "day", "units")


def _read_stock(stock: Any, log: OrderLog, day: int, what: str) -> pd.DataFrame:
    """The stock frame up to ``as_of``'s beginning, days as numbers, every fault at once."""
    present = _engine.from_host(stock).collect_schema().names()
    received = ("received",) if "received" in present else ()
    table = read_table(stock, ("item_id", "day", "on_hand", *received), f"{what}: stock")
    days = pd.to_datetime(table["day"], errors="coerce", format="mixed") if len(table) else pd.to_datetime(table["day"])
    found = []
    if len(table) and days.dt.tz is not None:
        found.append(("day", "not_a_timestamp", len(table), "Give local days without a zone."))
    elif days.isna().any():
        found.append(("day", "unparseable_time", int(days.isna().sum()), "Give local days as dates."))
    if table["item_id"].isna().any():
        found.append(("item_id", "null_id", int(table["item_id"].isna().sum()), "Take these rows out."))
    for name in ("on_hand", *received):
        numbers = pd.api.types.is_numeric_dtype(table[name].dtype) and not pd.api.types.is_bool_dtype(table[name].dtype)
        if not numbers and len(table):
            found.append((name, "not_a_number", len(table), "Convert it to a number."))
        elif len(table) and not np.isfinite(table[name].to_numpy(np.float64)).all():
            found.append((name, "bad_quantity", 0, "Units are finite; leave out days that were not counted."))
    repeated = pd.DataFrame({"item_id": table["item_id"], "day": days}).dropna().duplicated().sum()
    if repeated:
        found.append(("item_id, day", "duplicate_line", int(repeated), "One row an item and day."))
    if found:
        faults = [FoundFault(fault, name, rows, "raise", "", None, fix) for name, fault, rows, fix in found]
        told = "\n".join(f"  {name}  {fault}  {rows:,} rows. {fix}" for name, fault, rows, fix in found)
        raise SchemaError(f"{what}: stock: {len(found)} faults (all of them in .faults).\n{told}", faults_frame(faults))
    wanted = log._frame.collect_schema()["item_id"].is_numeric()
    if len(table) and pd.api.types.is_numeric_dtype(table["item_id"].dtype) != wanted:
        raise ConfigError(
            f"{what}: item_id of stock is of type {table['item_id'].dtype}, the log's is not: nothing would be found. "
            "Convert one of them."
        )
    number = days.to_numpy().astype("datetime64[D]").astype(np.int64)
    columns = {name: table[name].astype(np.float64) for name in ("on_hand", *received)}
    return table.assign(number=number, **columns).drop(columns="day")[number <= day]
