"""From lines to orders: the few plans over a log's lines that everything else is built on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife.orders import _boundary
from commlife.orders.money import major

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders.log import OrderLog

__all__ = [
    "count_distinct",
    "count_orders",
    "count_repeats",
    "grouped",
    "lines",
    "orders",
    "set_aside_frame",
    "shown",
    "shown_lines",
    "summary",
]


def summary(frame: nw.LazyFrame[Any]) -> dict[str, Any]:
    """Rows, first and last day."""
    row = _engine.only_row(
        frame.select(nw.len().alias("rows"), nw.col("day").min().alias("first"), nw.col("day").max().alias("last"))
    )
    rows = int(row["rows"])
    if not rows:
        return {"rows": 0, "first": None, "last": None}
    return {"rows": rows, "first": int(row["first"]), "last": int(row["last"])}


def count_distinct(frame: nw.LazyFrame[Any], *keys: str) -> int:
    """Number of distinct keys."""
    return _engine.count_rows(frame.select(*keys).unique())


def count_orders(log: OrderLog) -> int:
    """Number of distinct orders; without order_id each row is one."""
    return count_distinct(log._frame, "user_id", "order_id") if log.has("order_id") else log.n_rows


def count_repeats(log: OrderLog) -> int:
    """Number of lines that equal an earlier one in every named column."""
    shown = log._frame.drop("day")
    marked = _engine.mark_repeats(shown, shown.collect_schema().names(), into="_repeat")
    return int(_engine.only_row(marked.select(nw.col("_repeat").cast(nw.Int64).sum()))["_repeat"] or 0)


def lines(log: OrderLog, as_of: int, columns: Sequence[str] = ()) -> nw.LazyFrame[Any]:
    """Paid lines before ``as_of``; with ``columns`` only these."""
    frame = log._frame
    wanted = list(columns) or frame.collect_schema().names()
    helpers = ["day"] + ([] if log._paid_statuses is None else ["status"])
    # Fewer columns first: a filter on pandas moves every one of them.
    frame = frame.select(*dict.fromkeys([*wanted, *helpers]))
    last = log._summary["last"]
    if last is not None and last >= as_of:
        frame = _engine.rows_before(frame, "day", as_of, is_sorted=log._is_sorted)
    if log._paid_statuses is not None:
        frame = frame.filter(nw.col("status").is_in(list(log._paid_statuses)))
    return frame.select(*wanted)


KEYS = ("user_id", "order_id")


def orders(log: OrderLog, as_of: int, attributes: Sequence[str]) -> nw.LazyFrame[Any]:
    """One row an order, dated and attributed by its earliest line; settled, since it is used many times.

    Lines of one order at the same earliest instant may differ in an attribute: the least value is taken, whatever
    the order of rows.
    """
    for name in attributes:
        if name not in log.keep:
            log.require(name, why="this question")
    if not log.has("order_id"):
        each = lines(log, as_of, ("user_id", "day", "us", "minor", *attributes)).rename({"minor": "net"})
        each = each.with_columns(((nw.col("net") >= 0) if log._refunds else nw.lit(value=True)).alias("counts"))
        return each if log._rereads else _engine.settle(each, rows=log.n_rows)
    last = log._summary["last"]
    if _engine.is_eager(log._frame) and last is not None and last >= as_of:
        return _orders_of_the_past(log, as_of, attributes)
    return _engine.settle(grouped(log, as_of, attributes).drop("negative", "last_day"), rows=log.n_rows)


def grouped(log: OrderLog, as_of: int, attributes: Sequence[str]) -> nw.LazyFrame[Any]:
    marked = lines(log, as_of, (*KEYS, "us", "day", "minor", *attributes))
    whole = _sums(marked)
    if attributes:
        earliest = whole.select(*KEYS, nw.col("us").alias("first_us"))
        chosen = _engine.at_first(marked, earliest, keys=KEYS, time="us", names=attributes)
        whole = whole.join(chosen, on=list(KEYS), how="left")
    return whole


def _sums(lines_of_orders: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    marked = lines_of_orders.with_columns((nw.col("minor") < 0).cast(nw.Int64).alias("negative"))
    grouped = marked.group_by(*KEYS).agg(
        nw.col("us").min(),
        nw.col("day").min(),
        nw.col("day").max().alias("last_day"),
        nw.col("minor").sum().alias("net"),
        nw.col("negative").max(),
    )
    counts = (nw.col("net") > 0) | ((nw.col("net") == 0) & (nw.col("negative") == 0))
    return grouped.with_columns(nw.col("net").cast(nw.Int64), counts.alias("counts"))


def _orders_of_the_past(log: OrderLog, as_of: int, attributes: Sequence[str]) -> nw.LazyFrame[Any]:
    """The same from the orders of the whole log, grouped once for all days that are asked for.

    An order whose lines all lie before ``as_of`` is what it was then. Only an order that was still open, with lines
    on both sides, is summed again; its earliest line, and so its attributes, stay.
    """
    whole = log._all_orders(tuple(attributes))
    closed = whole.filter(nw.col("last_day") < as_of).drop("negative", "last_day")
    still_open = whole.filter((nw.col("day") < as_of) & (nw.col("last_day") >= as_of))
    if _engine.count_rows(still_open) == 0:
        return _engine.settle(closed)
    known = still_open.select(*KEYS, *attributes)
    held = lines(log, as_of, (*KEYS, "us", "day", "minor")).join(known.select(*KEYS), on=list(KEYS), how="inner")
    summed = _sums(held).drop("negative", "last_day").join(known, on=list(KEYS), how="inner")
    names = closed.collect_schema().names()
    return _engine.settle(nw.concat([closed.select(*names), summed.select(*names)], how="vertical"))


def shown_lines(log: OrderLog) -> nw.LazyFrame[Any]:
    """The lines kept, as a person reads them."""
    return shown(log._frame, log)


def shown(frame: nw.LazyFrame[Any], log: OrderLog, *, extra: Sequence[str] = ()) -> nw.LazyFrame[Any]:
    """Lines under canonical names, money in major units."""
    money = [major(nw.col(minor), log.scale).alias(name) for name, minor in _boundary.MONEY.items() if log.has(name)]
    if log.has("first_ordered_at"):
        frame = frame.with_columns((nw.col("first_day") * _boundary.MICROSECONDS_A_DAY).alias("_first_us"))
        frame = _engine.microsecond_as_datetime(frame, "_first_us", into="first_ordered_at")
    names = [name for name in _boundary.COLUMNS if log.has(name)]
    return frame.with_columns(*money).select(*names, *log.keep, *extra)


def set_aside_frame(log: OrderLog) -> Any:
    """Everything set aside, at the boundary and by cleaning rules, in one frame."""
    parts = list(log._set_aside)
    if not parts:
        names = [*shown_lines(log).collect_schema().names(), "reason"]
        nothing = shown_lines(log).with_columns(nw.lit("").alias("reason")).head(0)
        return log.give(nothing.select(*names), sort=False)
    if len(parts) > 1:
        parts = _alike(parts)
    whole = parts[0] if len(parts) == 1 else nw.concat(parts, how="vertical")
    return log.give(whole, sort=False)


def _alike(parts: list[nw.LazyFrame[Any]]) -> list[nw.LazyFrame[Any]]:
    """Rows set aside as given and rows set aside later may differ in type (a text, a timestamp): both as text then."""
    schemas = [part.collect_schema() for part in parts]
    differing = [name for name in schemas[0] if len({str(schema[name]) for schema in schemas}) > 1]
    both_numbers = [name for name in differing if all(schema[name].is_numeric() for schema in schemas)]
    common = dict.fromkeys(differing, nw.String()) | dict.fromkeys(both_numbers, nw.Float64())
    columns = [nw.col(name).cast(common[name]) if name in common else nw.col(name) for name in schemas[0]]
    return [part.select(*columns) for part in parts]
