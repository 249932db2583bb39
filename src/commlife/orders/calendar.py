"""Calendar: local business days, periods and what is complete, in integer arithmetic alone.

A day is a number: local days since 1970-01-01. A period is a number too, and everything in between is ``+ - * //``,
so that NumPy, pandas, Polars, DuckDB, Dask and Spark agree on every boundary. No engine's own truncation, weekday,
ISO-week or time-zone function is used once the boundary has made the day.

Formulas for the civil calendar: Howard Hinnant, "chrono-compatible low-level date algorithms".
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar

import numpy as np
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, core_schema

from commlife.errors import ConfigError

__all__ = ["Duration", "Period", "Timestamp", "complete_until", "day_number", "day_text", "days_to_datetime64"]

Timestamp = str | dt.date | dt.datetime | np.datetime64
"""What every call takes as ``as_of``: an ISO date string, a date, or a datetime at midnight."""

#: A number, an array or a column expression: whatever has + - * //.
Days = TypeVar("Days", bound=Any)

EPOCH = dt.date(1970, 1, 1)
FIRST_DAY, LAST_DAY = 0, (dt.date(2101, 1, 1) - EPOCH).days  # 1970 to 2100, the years that a log may hold
#: Added before a division and taken off after it, so that engines which truncate and engines which floor agree.
_SHIFT = 1_000_000


def day_number(when: Timestamp, *, name: str = "as_of") -> int:
    """The local day of a date as days since 1970-01-01.

    Raises:
        ConfigError: If ``when`` is not an ISO date string, a date or a datetime at midnight without a zone, or lies
            outside the years 1970 to 2100.

    Examples:
        >>> day_number("1970-01-08")
        7
    """
    day = _as_date(when, name)
    number = (day - EPOCH).days
    if not FIRST_DAY <= number <= LAST_DAY:
        raise ConfigError(f"{name}={str(when)!r} lies outside the years 1970 to 2100. Give a day within.")
    return number


def _as_date(when: Timestamp, name: str) -> dt.date:
    rule = f"{name} is a local business day: an ISO string such as '2017-12-18', a date, or a datetime at midnight"
    if isinstance(when, np.datetime64):
        when = str(when)
    if isinstance(when, str):
        try:
            when = dt.datetime.fromisoformat(when) if len(when) > 10 else dt.date.fromisoformat(when)
        except ValueError:
            raise ConfigError(f"{rule}; seen {when!r:.60}.") from None
    if type(when).__name__ == "NaTType":  # pandas' missing time, without importing pandas
        raise ConfigError(f"{rule}; seen NaT.")
    if isinstance(when, dt.datetime):
        if when.tzinfo is not None:
            raise ConfigError(f"{rule}, without a time zone (it is local already); seen {when.isoformat()!r}.")
        if when.time() != dt.time() or getattr(when, "nanosecond", None):
            raise ConfigError(f"{rule}; seen the time {when.time()} in {when.isoformat()!r}. Give the day alone.")
        return when.date()
    if isinstance(when, dt.date):
        return when
    raise ConfigError(f"{rule}; seen {when!r:.60} of type {type(when).__name__}.")


def day_text(number: int) -> str:
    """The ISO text of a day number.

    Examples:
        >>> day_text(7)
        '1970-01-08'
    """
    return (EPOCH + dt.timedelta(days=int(number))).isoformat()


def days_to_datetime64(days: Any) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Day numbers as ``datetime64[us]`` midnights, for frames that people read."""
    return np.asarray(days, dtype=np.int64).astype("datetime64[D]").astype("datetime64[us]")


_DURATION = re.compile(r"([1-9][0-9]{0,4})D")


class Duration(str):
    """A whole number of days, written ``"28D"``.

    Examples:
        >>> Duration("28D").days
        28
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Parse ``text``; a ConfigError says what is allowed."""
        if not isinstance(text, str) or not _DURATION.fullmatch(text):
            raise ConfigError(f"a duration is a whole number of days from '1D' to '99999D'; seen {text!r:.40}.")
        return super().__new__(cls, text)

    @property
    def days(self) -> int:
        """Its length in days."""
        return int(self[:-1])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validated from a string, written as one."""
        del source, handler
        return core_schema.no_info_plain_validator_function(cls, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A text, for JSON schemas of specs."""
        del schema, handler
        return {"type": "string", "pattern": r"^[1-9][0-9]{0,4}D$", "examples": ["28D"]}


class Period(str):
    """A grid of time: ``"<n>D"`` counted back from as_of, or calendar ``"week"`` (Monday), ``"month"``, ``"quarter"``.

    Period indices are integers that grow with time; the age of something is a difference of indices. On an
    ``"<n>D"`` grid the newest period ends at ``as_of`` and has the index -1.

    Examples:
        >>> month = Period("month")
        >>> index = month.index_of(day_number("2017-12-18"), as_of=day_number("2018-01-01"))
        >>> day_text(month.start(index, as_of=0)), day_text(month.start(index + 1, as_of=0))
        ('2017-12-01', '2018-01-01')
        >>> week = Period("7D")
        >>> as_of = day_number("2018-01-01")
        >>> week.index_of(as_of - 1, as_of=as_of), week.index_of(as_of - 8, as_of=as_of)
        (-1, -2)
    """

    __slots__ = ()

    CALENDAR = ("week", "month", "quarter")

    def __new__(cls, text: str) -> Self:
        """Parse ``text``; a ConfigError says what is allowed."""
        if not isinstance(text, str) or not (text in cls.CALENDAR or _DURATION.fullmatch(text)):
            raise ConfigError(f"a period is '<n>D' (such as '7D'), 'week', 'month' or 'quarter'; seen {text!r:.40}.")
        return super().__new__(cls, text)

    @property
    def days(self) -> int | None:
        """Its length in days, None for months and quarters."""
        if self == "week":
            return 7
        return None if self in self.CALENDAR else int(self[:-1])

    def index_of(self, day: Days, *, as_of: int) -> Days:
        """Index of the period that holds ``day`` (a number, an array, or a column expression of day numbers)."""
        if self == "week":
            return (day + 3 + 7 * _SHIFT) // 7 - _SHIFT
        if self == "month":
            return _month_index(day)
        if self == "quarter":
            return _month_index(day) // 3
        n = int(self[:-1])
        return (day - as_of + n * _SHIFT) // n - _SHIFT

    def start(self, index: Days, *, as_of: int) -> Days:
        """First day of a period; ``start(index + 1)`` is the first day after it."""
        if self == "week":
            return index * 7 - 3
        if self == "month":
            return _month_start(index)
        if self == "quarter":
            return _month_start(index * 3)
        return index * int(self[:-1]) + as_of

    def last_complete(self, *, as_of: int, until: int) -> int:
        """Index of the newest period that ends at or before ``until`` (see :func:`complete_until`)."""
        return int(self.index_of(until, as_of=as_of)) - 1

    def first_whole(self, day: int, *, as_of: int) -> int:
        """Index of the oldest period that begins at or after ``day``."""
        index = int(self.index_of(day, as_of=as_of))
        return index if int(self.start(index, as_of=as_of)) == day else index + 1

    def starts(self, first: int, last: int, *, as_of: int) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        """First days of the periods ``first`` to ``last``, both included, as ``datetime64[us]``."""
        return days_to_datetime64(self.start(np.arange(first, last + 1), as_of=as_of))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validated from a string, written as one."""
        del source, handler
        return core_schema.no_info_plain_validator_function(cls, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A text, for JSON schemas of specs."""
        del schema, handler
        return {"type": "string", "pattern": r"^([1-9][0-9]{0,4}D|week|month|quarter)$", "examples": ["7D", "week"]}


def _month_index(day: Days) -> Days:
    """Months since year 0: 12 * year + month - 1, for days from 1970 on."""
    z = day + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1_460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (yoe * 365 + yoe // 4 - yoe // 100)
    months_since_march = (doy * 5 + 2) // 153
    return (yoe + era * 400) * 12 + months_since_march + 2


def _month_start(index: Days) -> Days:
    """Day number of the first of the month."""
    since_march = index - 2
    y = since_march // 12
    mp = since_march - y * 12
    era = y // 400
    yoe = y - era * 400
    doy = (mp * 153 + 2) // 5
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146_097 + doe - 719_468


def complete_until(as_of: int, observed_until: int | None) -> int:
    """The day before whose midnight everything has been seen: min(as_of, observed_until)."""
    return as_of if observed_until is None else min(as_of, observed_until)


@dataclass(frozen=True)
class Observation:
    """The window through which a log sees its users' lives.

    Attributes:
        first: Day on which the log begins to see.
        until: Day at whose midnight it stops (exclusive), None where ``as_of`` alone decides.
    """

    first: int
    until: int | None


def _iso_day(when: Any) -> str:
    return day_text(day_number(when, name="day"))


#: A pydantic field that takes every Timestamp and keeps the ISO day.
DayField = Annotated[str, BeforeValidator(_iso_day), PlainSerializer(str, return_type=str)]
