"""Stock: the table that both questions about stock answer with, and how stock frames and sales are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._figures.fonts import written
from commlife._text import check_language
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, SchemaError
from commlife.metrics._arguments import Faults, check_log, whole_number
from commlife.metrics._host import read_table
from commlife.metrics._plans import with_units
from commlife.orders.calendar import Period, Timestamp, day_number
from commlife.orders.faults import FoundFault, faults_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.orders import OrderLog

__all__ = ["StockTable", "checked", "read_stock", "units_sold"]


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
        return in_notebook(self, self.table.head(20), number="{:.3g}".format)

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def plot(self, *, top: int = 20, ax: Axes | None = None, lang: str = "en") -> Axes:
        """The items that want a decision first: those that run out soonest, or that sold the least of their stock.

        Days of stock are bars, the shortest at the top. Sell-through is a dot an item for the newest period, the lowest
        at the top, with the period before as a ring. Items of which nothing can be said are left out and counted.

        Args:
            top: How many items.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If an argument is not allowed.
        """
        from commlife.metrics.stock_figures import days_bars, sold_dots

        draw = days_bars if self.kind == "days_of_stock" else sold_dots
        asked, top = check_language(lang), whole_number(top, "top", least=1)
        with written(asked) as language:
            return draw(self, top, ax=ax, lang=language)


def checked(
    log: OrderLog, as_of: Timestamp, what: str, *, period: str = "week", last: int | None = None, over: int = 1
) -> tuple[int, Period]:
    """The day and the grid of a question about stock, every fault of its arguments at once."""
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


def units_sold(log: OrderLog, day: int) -> nw.LazyFrame[Any]:
    """item_id, day and units of paid lines."""
    lines = with_units(log._lines(day, "item_id", "day", "minor", "quantity"))
    return lines.filter(~nw.col("item_id").is_null()).select("item_id", "day", "units")


def read_stock(stock: Any, log: OrderLog, day: int, what: str) -> pd.DataFrame:
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
