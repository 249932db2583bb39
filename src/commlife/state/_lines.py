"""Lines in short: what the lines of an order tell together, kept by user, so that some users' past is found at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.features.flows import ATTRIBUTES
from commlife.orders import OrderLog
from commlife.orders._boundary import Kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shop", "Users", "short_lines", "taken", "with_segment"]

KEYS = ("user_id", "order_id")
_WAY_OUT = "Start from a part of the users, a state for each part."
#: So many segments, or so large a share of later ones, are brought together into one.
_MOST_SEGMENTS, _LARGE_SHARE = 16, 0.25


@dataclass(frozen=True)
class Shop:
    """What all logs of a state have in common."""

    columns: tuple[str, ...]
    timezone: str
    currency_digits: int

    @classmethod
    def of(cls, log: OrderLog) -> Shop:
        """That of a log: the columns of orders, not of lines."""
        held = ("user_id", "order_id", *ATTRIBUTES)
        return cls(tuple(name for name in held if log.has(name)), log.timezone, log.currency_digits)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of orders."""
        return tuple(name for name in ATTRIBUTES if name in self.columns)

    def log(self, lines: pd.DataFrame, *, first: int, until: int | None) -> OrderLog:
        """A log over short lines."""
        shown = lines.assign(ordered_at=lines["us"].to_numpy().astype("datetime64[us]"))
        return OrderLog(
            Kept(nw.from_native(shown).lazy(), None, (), len(shown)),
            columns=("ordered_at", "amount", *self.columns),
            keep=(),
            timezone=self.timezone,
            currency_digits=self.currency_digits,
            observed=(first, until),
            paid_statuses=None,
            lazy=False,
        )


@dataclass(frozen=True)
class Users:
    """User ids and the numbers that they go by: in the order in which they came."""

    ids: pd.Index[Any]

    def numbered(self, ids: pd.Series[Any]) -> tuple[Users, NDArray[np.int64]]:
        """The users with those who are new, and the number of each id."""
        given = pd.Index(ids)
        known = self.ids.get_indexer(given)
        if (known >= 0).all():
            return self, known.astype(np.int64)
        new = given[known < 0].unique()
        grown = Users(self.ids.append(new) if len(self.ids) else new)
        return grown, grown.ids.get_indexer(given).astype(np.int64)


def short_lines(log: OrderLog, as_of: int, attributes: tuple[str, ...]) -> pd.DataFrame:
    """At most two lines an order: what was paid and what was given back, both dated by its earliest line.

    The sum, the earliest instant, the attributes there, and whether a line was negative are all that orders are made
    of; two parts of an order, brought together later, give what the whole would. Without order_id a line is an order.
    """
    if not log.has("order_id"):
        plain = log._lines(as_of, "user_id", "us", "day", "minor", *attributes)
        return _engine.collect_rows(plain, call="LogState", way_out=_WAY_OUT)
    lines = log._lines(as_of, *KEYS, "us", "day", "minor", *attributes)
    marked = _engine.settle(lines.with_columns((nw.col("minor") < 0).cast(nw.Int64).alias("given_back")))
    earliest = marked.group_by(*KEYS).agg(nw.col("us").min().alias("first_us"), nw.col("day").min().alias("day"))
    short = marked.group_by(*KEYS, "given_back").agg(nw.col("minor").sum()).join(earliest, on=list(KEYS), how="inner")
    if attributes:
        at_first = marked.drop("day").join(earliest, on=list(KEYS), how="inner")
        at_first = at_first.filter(nw.col("us") == nw.col("first_us"))
        own = at_first.group_by(*KEYS).agg(*(nw.col(name).min() for name in attributes))
        short = short.join(own, on=list(KEYS), how="left")
    shown = short.select(*KEYS, nw.col("first_us").alias("us"), "day", nw.col("minor").cast(nw.Int64), *attributes)
    return _engine.collect_rows(shown, call="LogState", way_out=_WAY_OUT)


def taken(segments: tuple[pd.DataFrame, ...], users: Users, numbers: NDArray[np.int64]) -> pd.DataFrame:
    """All short lines of some users (ascending numbers): a few ranges of each segment, which are sorted by user."""
    parts = []
    for segment in segments:
        held = segment["user"].to_numpy()
        begin, end = np.searchsorted(held, numbers, side="left"), np.searchsorted(held, numbers, side="right")
        length = end - begin
        before = np.cumsum(length) - length
        at = np.repeat(begin - before, length) + np.arange(int(length.sum()))
        parts.append(segment.iloc[at])
    whole = pd.concat(parts, ignore_index=True)
    return whole.assign(user_id=users.ids[whole.pop("user").to_numpy()])


def with_segment(segments: tuple[pd.DataFrame, ...], added: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """The segments with one more; brought together once they are many, which costs a night the log of the history."""
    parts = (*segments, added.sort_values("user", kind="stable", ignore_index=True))
    later = sum(len(part) for part in parts[1:])
    if len(parts) <= _MOST_SEGMENTS and later <= max(_LARGE_SHARE * len(parts[0]), 100_000):
        return parts
    return (pd.concat(parts, ignore_index=True).sort_values("user", kind="stable", ignore_index=True),)
