"""What the host lays beside the log: events, households, spend; read at the boundary, every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._engine.columns import plain_columns
from commlife._engine.times import NOT_A_TIME
from commlife.errors import ConfigError, SchemaError
from commlife.orders.calendar import FIRST_DAY, LAST_DAY
from commlife.orders.faults import FoundFault, did_you_mean, faults_frame
from commlife.orders.money import to_minor

if TYPE_CHECKING:
    from commlife.metrics._plans import Asked
    from commlife.orders import OrderLog

__all__ = ["beside", "households_of", "read_events", "read_table", "same_ids", "spend_of"]

MICROSECONDS_A_DAY = 86_400_000_000


def read_events(
    frame: Any, columns: Mapping[str, str], *, as_of: int, timezone: str, what: str, time: str = "time"
) -> nw.LazyFrame[Any]:
    """A host's events before ``as_of`` under our names, with ``us`` and ``day`` on the local clock.

    Args:
        frame: Any frame that an OrderLog takes.
        columns: Our name -> the host's; every one but ``time`` that ends in ``_id``, ``user_id``, ``inviter`` and
            ``invitee`` may not be null.
        as_of: The day before whose midnight events count.
        timezone: Of the local days; times without a zone are local.
        what: The argument, for messages.
        time: Our name of the time.

    Raises:
        SchemaError: With every fault of the frame.
    """
    wrapped = _engine.from_host(frame)
    present = wrapped.collect_schema().names()
    missing = {name: host for name, host in columns.items() if host not in present}
    if missing:
        found = [
            FoundFault("missing_column", name, 0, "raise", host, None, did_you_mean(host, name, present))
            for name, host in missing.items()
        ]
        raise _told(what, found, ["there is no such column"] * len(found))
    named = wrapped.select(*(nw.col(host).alias(name) for name, host in columns.items()))
    named, mixed = plain_columns(named)
    schema = named.collect_schema()
    found, rules = [], []
    ids = [name for name in columns if name in _IDS]
    n_rows = _engine.count_rows(named)
    for name in columns:
        dtype = schema[name]
        if name in mixed:
            found.append(FoundFault("mixed_types", name, n_rows, "raise", mixed[name], None, "Convert it to one type."))
            rules.append("one column holds values of several types")
        elif name == time and n_rows and not (dtype == nw.String or isinstance(dtype, (nw.Datetime, nw.Date))):
            fix = "Convert the column to a datetime first."
            found.append(FoundFault("not_a_timestamp", name, n_rows, "raise", str(dtype), None, fix))
            rules.append("integers, booleans and the like are no timestamps")
        elif name in ids and n_rows and (dtype == nw.Boolean or dtype.is_float() or dtype.is_temporal()):
            fix = "Convert the column to text, or to whole numbers without a null."
            found.append(FoundFault("not_an_id", name, n_rows, "raise", str(dtype), None, fix))
            rules.append("an id is text or a whole number")
    if found:
        raise _told(what, found, rules)
    if n_rows == 0:
        empty = named.with_columns(nw.lit(0).cast(nw.Int64).alias("us"), nw.lit(0).cast(nw.Int64).alias("day"))
        return empty.drop(time)
    timed = _engine.add_local_microsecond(named, time, timezone=timezone, into="us").drop(time)
    timed = timed.with_columns((nw.col("us") // MICROSECONDS_A_DAY).cast(nw.Int64).alias("day"))
    unread = nw.col("us") == NOT_A_TIME
    far = ~unread & ((nw.col("day") < FIRST_DAY) | (nw.col("day") >= LAST_DAY))
    flags = {f"null_{name}": nw.col(name).is_null() for name in ids} | {"time": unread, "far": far}
    counted = _engine.collect(
        timed.select(*(flag.cast(nw.Int64).alias(key) for key, flag in flags.items())).select(
            *(nw.col(key).sum() for key in flags)
        )
    )
    for name in ids:
        if counted[f"null_{name}"].iloc[0]:
            rows = int(counted[f"null_{name}"].iloc[0])
            found.append(FoundFault("null_id", name, rows, "raise", "null", None, "Take these rows out, or fill them."))
            rules.append("a row without it belongs to nobody")
    for key, rule in (("time", "null, or no ISO 8601 time (year first)"), ("far", "outside the years 1970 to 2100")):
        if counted[key].iloc[0]:
            fault = "unparseable_time" if key == "time" else "year_out_of_range"
            fix = "Take these rows out, or parse the column before."
            found.append(FoundFault(fault, time, int(counted[key].iloc[0]), "raise", "", None, fix))
            rules.append(rule)
    if found:
        raise _told(what, found, rules)
    return timed.filter(nw.col("day") < as_of)


_IDS = {"user_id", "inviter", "invitee", "event", "item_id"}


def _told(what: str, found: list[FoundFault], rules: list[str]) -> SchemaError:
    lines = [f"{what}: {len(found)} fault{'s' if len(found) > 1 else ''} (all of them in .faults)."]
    for fault, rule in zip(found, rules, strict=True):
        rows = f"{fault.rows:,} row{'s' if fault.rows != 1 else ''}: " if fault.rows else ""
        lines.append(f"  {fault.column}  {fault.fault}  {rows}{rule}. {fault.fix}")
    return SchemaError("\n".join(lines), faults_frame(found))


def same_ids(frame: nw.LazyFrame[Any], log: OrderLog, columns: tuple[str, ...], what: str) -> None:
    """Refuse ids of another type than the log's: nobody would be found.

    Raises:
        ConfigError: If one is text and the other a number.
    """
    wanted = log._frame.collect_schema()["user_id"]
    schema = frame.collect_schema()
    for name in columns:
        if schema[name].is_numeric() != wanted.is_numeric():
            raise ConfigError(
                f"{what}: {name} is of type {schema[name]} and the log's user_id of type {wanted}: "
                "nobody would be found. Convert one of them."
            )


def beside(frame: nw.LazyFrame[Any], log: OrderLog, columns: Sequence[str] = ("user_id",)) -> nw.LazyFrame[Any]:
    """A plan that can be joined with the log's: settled where the kinds agree, carried over where they do not.

    Two DuckDB relations may be of different connections, and do not tell; PyArrow knows two kinds of text and joins
    only equal ones: both are carried over too.

    Args:
        frame: The plan.
        log: The log.
        columns: Columns that must get the exact type that they have in the log.
    """
    kind = log._frame.implementation
    if frame.implementation is kind and kind not in {nw.Implementation.DUCKDB, nw.Implementation.PYARROW}:
        return _engine.settle(frame)
    held = _engine.collect_rows(frame, call="a frame beside the log", way_out="Give it in the log's own kind of frame.")
    return _engine.lazy_like(held, log._frame, types={name: name for name in columns})


def read_table(frame: Any, columns: tuple[str, ...], what: str) -> pd.DataFrame:
    """A small frame of the host as pandas, with the columns wanted.

    Raises:
        SchemaError: If a column is missing.
    """
    wrapped = _engine.from_host(frame)
    present = wrapped.collect_schema().names()
    missing = [name for name in columns if name not in present]
    if missing:
        found = [
            FoundFault("missing_column", name, 0, "raise", name, None, did_you_mean(name, name, present))
            for name in missing
        ]
        raise _told(what, found, ["there is no such column"] * len(found))
    return _engine.collect_rows(wrapped.select(*columns), call=what, way_out="Give fewer rows.")


def households_of(households: object, by: str | None) -> dict[Any, int] | int | None:
    """Households as one number, or one for each community.

    Raises:
        ConfigError: If it is neither, or does not fit the groups.
    """
    if households is None:
        return None
    rule = 'households is a whole number above 0, or a mapping from community to one, such as {"East": 420}'
    if isinstance(households, Mapping):
        wrong = [
            value
            for value in households.values()
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0
        ]
        if wrong or not households:
            raise ConfigError(f"{rule}; seen {(wrong or [households])[0]!r:.60}.")
        if by not in {None, "community"}:
            raise ConfigError(f'households of communities go with by="community" or by=None; seen by={by!r:.40}.')
        if by is None:
            return int(sum(households.values()))
        return {name: int(value) for name, value in households.items()}
    if isinstance(households, bool) or not isinstance(households, int) or households <= 0:
        raise ConfigError(f"{rule}; seen {households!r:.60}.")
    if by is not None:
        raise ConfigError(f"households is one number for all, and by={by!r} asks for groups: give a mapping.")
    return households


def spend_of(spend: Any, asked: Asked) -> pd.DataFrame:
    """Spend in minor units by period and group.

    Raises:
        SchemaError: If a column is missing, a day cannot be read, or an amount is no number.
        ConfigError: If an amount is finer than the currency.
    """
    table = read_table(spend, ("day", "amount", *asked.groups), "spend")
    days = pd.to_datetime(table["day"], errors="coerce", format=None if len(table) == 0 else "mixed")
    unread = days.isna() | (days.dt.tz is not None)
    if unread.any():
        fault = FoundFault("unparseable_time", "day", int(unread.sum()), "raise", "", None, "Give local days as dates.")
        raise _told("spend", [fault], ["no local day"])
    if not pd.api.types.is_numeric_dtype(table["amount"].dtype):
        fault = FoundFault("not_a_number", "amount", len(table), "raise", "", None, "Convert it to a number.")
        raise _told("spend", [fault], ["text and booleans are no amounts"])
    minor = to_minor(table["amount"].to_numpy(np.float64), digits=asked.log.currency_digits, name="spend amounts")
    numbers = days.to_numpy().astype("datetime64[D]").astype(np.int64)
    table = table[asked.groups].assign(index=asked.grid.index_of(numbers, as_of=asked.day), spend=minor)
    spent = table[numbers < asked.day].groupby(asked.keys, dropna=False, as_index=False)
    return spent.agg(spend=("spend", "sum"))
