"""The baskets of an OrderLog: its orders that count, with the items that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife._engine import collect, collect_rows, count_rows
from commlife.basket._baskets import Baskets, encode
from commlife.basket._codes import changes, codes_of_labels
from commlife.errors import ConfigError, EngineError, InsufficientDataError, ModelWarning
from commlife.orders import OrderLog
from commlife.orders.calendar import Timestamp, day_number, day_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LEVELS",
    "baskets_of_orders",
    "check_level",
    "check_log",
    "dated_baskets",
    "finest_level",
    "held_items",
    "is_order_log",
    "item_names",
    "needed_day",
    "on_spark",
    "order_items",
    "warn_of_nameless",
    "with_units",
]

#: What is said where baskets are brought into this process.
_CALL, _WAY_OUT = "counting baskets", "Ask for fewer orders, or for level='category'."
#: Columns that say what was bought.
LEVELS = ("item_id", "category")


def is_order_log(data: Any) -> bool:
    """Whether ``data`` is an OrderLog."""
    return isinstance(data, OrderLog)


def check_log(log: Any, call: str) -> None:
    """Refuse anything but an OrderLog."""
    if not is_order_log(log):
        raise ConfigError(
            f"{call} takes an OrderLog; seen a {type(log).__name__}. Make one with OrderLog.from_frame(...)."
        )


def check_level(level: str) -> None:
    """Refuse anything but the two columns that name what was bought."""
    if level not in LEVELS:
        raise ConfigError.unknown_name("level", level, LEVELS)


def baskets_of_orders(log: OrderLog, *, as_of: Timestamp | None, level: str) -> Baskets:
    """Encode the orders of a log that count before ``as_of``."""
    check_level(level)
    day = needed_day(as_of)
    if log.has("order_id") and _nothing_returned(log, day):
        return _lines_as_baskets(log, day, level)
    table, n_orders = order_items(log, day, level)
    codes, labels = codes_of_labels(table["item"], level)
    return encode(table["order"].to_numpy(), codes, labels, n_orders)


def _nothing_returned(log: OrderLog, day: int) -> bool:
    """Whether no line before the day is negative: then every order counts, and holds whatever its lines name."""
    return not _rows(log._lines(day).filter(nw.col("minor") < 0))


def _lines_as_baskets(log: OrderLog, day: int, level: str) -> Baskets:
    """The baskets of a log without returns: its lines need no sums."""
    log.require(level, why=f"a basket of level={level!r}")
    lines = log._lines(day).select("user_id", "order_id", nw.col(level).alias("item"))
    table = collect_rows(lines, call=_CALL, way_out=_WAY_OUT)
    if not len(table):
        raise InsufficientDataError.no_payers("A basket", day_text(day))
    order = _numbered(table)
    known = table["item"].notna().to_numpy()
    named = slice(None) if known.all() else known
    codes, labels = codes_of_labels(table["item"][named], level)
    baskets = encode(order[named], codes, labels, int(order.max()) + 1)
    nameless = np.unique(order[~known]).size
    warn_of_nameless(nameless, nameless + baskets.indices.size, level)
    return baskets


def _numbered(table: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each order; the lines of one mostly stand together, and are looked up once."""
    keys = table[["user_id", "order_id"]]
    begin = np.flatnonzero(changes(keys["user_id"]) | changes(keys["order_id"]))
    number = keys.iloc[begin].groupby(["user_id", "order_id"], sort=False, dropna=False).ngroup()
    return np.repeat(np.asarray(number, dtype=np.int64), np.diff(begin, append=len(keys)))


def needed_day(as_of: Timestamp | None) -> int:
    """The day of an ``as_of`` that a log cannot do without."""
    if as_of is None:
        raise ConfigError(
            "the baskets of an OrderLog need as_of=..., a local business day: lines before it are used. Give the day."
        )
    return day_number(as_of)


def order_items(log: OrderLog, day: int, level: str, *, only: list[Any] | None = None) -> tuple[pd.DataFrame, int]:
    """What each order that counts holds: ``order`` (a number), ``item``; and the number of such orders.

    With ``only`` these items alone are brought here, and what has no name is not looked for.
    """
    held = held_items(log, day, level)
    wanted = held if only is None else _only(held, only)
    table = collect_rows(wanted, call=_CALL, way_out=_WAY_OUT)
    if log.has("order_id"):
        n_orders = _rows(_counting(log, day))
        order = _numbered(table)
    else:
        n_orders = len(table) if only is None else _rows(held)
        order = np.arange(len(table), dtype=np.int64)
    if n_orders == 0:
        raise InsufficientDataError.no_payers("A basket", day_text(day))
    known = table["item"].notna().to_numpy()
    warn_of_nameless(int((~known).sum()), len(known), level)
    return pd.DataFrame({"order": order[known], "item": table["item"].to_numpy()[known]}), n_orders


def _only(held: nw.LazyFrame[Any], items: list[Any]) -> nw.LazyFrame[Any]:
    """The rows of some items, of the column's own type: another type is in no order."""
    is_number = held.collect_schema()["item"].is_numeric()
    same = [item for item in items if isinstance(item, int | float | np.number) == is_number]
    return held.filter(nw.col("item").is_in(same)) if same else held.head(0)


def item_names(log: OrderLog, day: int, level: str) -> list[Any]:
    """Every item that some order holds, in ascending order."""
    table = collect(held_items(log, day, level).select("item").unique())
    return codes_of_labels(table["item"].dropna(), level)[1]


def dated_baskets(
    log: OrderLog,
    day: int,
    level: str,
    *,
    since: int | None = None,
    attributes: tuple[str, ...] = (),
    units: bool = False,
) -> tuple[Baskets, pd.DataFrame]:
    """The baskets of the orders that count, dated from ``since`` on, and one row for each.

    The rows hold ``user_id``, ``day``, ``net`` (minor units), the attributes, and ``units`` if asked for.

    Raises:
        EngineError: If the log lies on Spark: its baskets would have to be brought here.
    """
    check_level(level)
    log.require(level, why=f"a basket of level={level!r}")
    if on_spark(log):
        raise EngineError(
            "this call counts within one process, and a Spark log is not brought here unasked. Take a part of it "
            "to pandas first, such as OrderLog.from_frame(frame.where(...).toPandas(), ...)."
        )
    columns = ("user_id", "day", "net", *attributes, *(("units",) if units else ()))
    if log.has("order_id"):
        keys = ["user_id", "order_id"]
        dated = log._orders(day, *attributes).filter(nw.col("counts"))
        if units:
            content = with_units(log._lines(day)).group_by(*keys).agg(nw.col("units").sum())
            dated = dated.join(content, on=keys, how="inner")
        if since is not None:
            dated = dated.filter(nw.col("day") >= since)
        wanted = dated.select(*dict.fromkeys((*keys, *columns)))
        orders = collect_rows(wanted, call=_CALL, way_out=_WAY_OUT)
        orders["order"] = np.arange(len(orders))
        held = collect_rows(held_items(log, day, level), call=_CALL, way_out=_WAY_OUT)
        table = held.merge(orders[[*keys, "order"]], on=keys, how="inner")
    else:
        lines = log._lines(day).filter(nw.col("minor") >= 0).with_columns(nw.col("minor").alias("net"))
        if units:
            lines = with_units(lines)
        if since is not None:
            lines = lines.filter(nw.col("day") >= since)
        wanted = lines.select(nw.col(level).alias("item"), *columns)
        orders = collect_rows(wanted, call=_CALL, way_out=_WAY_OUT)
        table = orders.assign(order=np.arange(len(orders)))
    if not len(orders):
        raise InsufficientDataError.no_payers("A basket", day_text(day))
    known = table["item"].notna()
    warn_of_nameless(int((~known).sum()), len(known), level)
    table = table[known]
    codes, labels = codes_of_labels(table["item"], level)
    return encode(table["order"].to_numpy(), codes, labels, len(orders)), orders


def on_spark(log: OrderLog) -> bool:
    """Whether the log's rows lie on Spark."""
    return log._frame.implementation is nw.Implementation.PYSPARK


def held_items(log: OrderLog, day: int, level: str) -> nw.LazyFrame[Any]:
    """Orders that count and what they hold: ``user_id, order_id, item``, an item once an order.

    An item is held if its own lines in the order come to more than nothing, or to nothing without a negative line:
    what was returned within the order is not in the basket. Without order_id each row is an order, and there is no
    such column. ``item`` may be null.
    """
    log.require(level, why=f"a basket of level={level!r}")
    lines = log._lines(day)
    if not log.has("order_id"):
        return lines.filter(nw.col("minor") >= 0).select("user_id", nw.col(level).alias("item"))
    keys = ["user_id", "order_id"]
    marked = lines.select(*keys, nw.col(level).alias("item"), "minor").with_columns(
        (nw.col("minor") < 0).cast(nw.Int64).alias("negative")
    )
    whole = marked.group_by(*keys, "item").agg(nw.col("minor").sum(), nw.col("negative").max())
    kept = whole.filter((nw.col("minor") > 0) | ((nw.col("minor") == 0) & (nw.col("negative") == 0)))
    return kept.select(*keys, "item").join(_counting(log, day), on=keys, how="inner")


def _counting(log: OrderLog, day: int) -> nw.LazyFrame[Any]:
    """The keys of the orders that count."""
    return log._orders(day).filter(nw.col("counts")).select("user_id", "order_id")


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return count_rows(frame)


def with_units(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Lines with ``units``: the quantity, counted down on a line of negative money whichever sign it carries."""
    quantity = nw.col("quantity").cast(nw.Float64)
    return lines.with_columns(nw.when(nw.col("minor") < 0).then(0 - quantity.abs()).otherwise(quantity).alias("units"))


def warn_of_nameless(nameless: int, of: int, level: str) -> None:
    """Say how many entries have no item: they are left out, and not in silence."""
    if nameless:
        warn(
            f"{nameless:,} of {of:,} entries have no {level} and are left out; their orders stay in the denominator. "
            "Name them in the export, such as 'unknown', to count them.",
            ModelWarning,
        )


def finest_level(log: OrderLog, level: str | None) -> str:
    """The level asked for, else item_id where the log has it, else category."""
    if level is None:
        return "category" if log.has("category") and not log.has("item_id") else "item_id"
    check_level(level)
    return level
