"""Does a host's adapter, from its raw rows to an OrderLog, lose, merge, shift, round or change anything?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import collect
from commlife.errors import CommlifeError
from commlife.orders import OrderLog, to_minor
from commlife.testing._examples import as_code

__all__ = ["check_adapter"]


def _trials() -> dict[str, pd.DataFrame]:
    """Raw rows, one danger each."""

    def rows(*lines: tuple[Any, ...]) -> pd.DataFrame:
        frame = pd.DataFrame(lines, columns=["user_id", "order_id", "ordered_at", "amount"])
        frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], format="ISO8601").astype("datetime64[us]")
        return frame

    return {
        "plain rows": rows(("ann", "o1", "2025-03-01 09:00", 12.5), ("bob", "o2", "2025-03-02 10:00", 30.0)),
        "one row": rows(("ann", "o1", "2025-03-01 09:00", 12.5)),
        "two equal lines of one order (two cabbages)": rows(
            ("ann", "o1", "2025-03-01 09:00", 3.0), ("ann", "o1", "2025-03-01 09:00", 3.0)
        ),
        "two equal orders of one user at one time": rows(
            ("ann", "o1", "2025-03-01 09:00", 3.0), ("ann", "o2", "2025-03-01 09:00", 3.0)
        ),
        "a refund within an order": rows(
            ("ann", "o1", "2025-03-01 09:00", 9.0), ("ann", "o1", "2025-03-03 09:00", -4.0)
        ),
        "a refund alone": rows(("ann", "o1", "2025-03-01 09:00", 9.0), ("ann", "r1", "2025-03-05 12:00", -9.0)),
        "a free order": rows(("ann", "o1", "2025-03-01 09:00", 0.0), ("bob", "o2", "2025-03-01 09:00", 5.0)),
        "minutes beside midnight": rows(
            ("ann", "o1", "2025-03-01 23:59:59.999999", 1.0), ("bob", "o2", "2025-03-02 00:00", 2.0)
        ),
        "cents and large sums": rows(
            ("ann", "o1", "2025-03-01 09:00", 0.01), ("bob", "o2", "2025-03-01 09:00", 123456789.99),
            ("cat", "o3", "2025-03-01 09:00", 0.29),
        ),
        "rows out of order": rows(
            ("bob", "o3", "2025-03-09 09:00", 3.0), ("ann", "o1", "2025-03-01 09:00", 1.0),
            ("bob", "o2", "2025-03-02 09:00", 2.0),
        ),
        "columns in another order": rows(
            ("ann", "o1", "2025-03-01 09:00", 1.0), ("bob", "o2", "2025-03-02 09:00", 2.0)
        )[["amount", "ordered_at", "user_id", "order_id"]],
        "an index that does not count from 0": rows(
            ("ann", "o1", "2025-03-01 09:00", 1.0), ("bob", "o2", "2025-03-02 09:00", 2.0),
            ("ann", "o3", "2025-03-04 09:00", 3.0),
        ).set_axis([7, 7, 0]),
        "one order number of two users": rows(
            ("ann", "o1", "2025-03-01 09:00", 1.0), ("bob", "o1", "2025-03-01 09:00", 2.0)
        ),
        "look-alike ids": rows(
            ("u1", "o1", "2025-03-01 09:00", 1.0), ("U1", "o2", "2025-03-01 09:00", 2.0),
            ("u1 ", "o3", "2025-03-01 09:00", 3.0), ("\u00e9", "o4", "2025-03-01 09:00", 4.0),
            ("e\u0301", "o5", "2025-03-01 09:00", 5.0), ("007", "o6", "2025-03-01 09:00", 6.0),
            ("7", "o7", "2025-03-01 09:00", 7.0), ("甲", "o8", "2025-03-01 09:00", 8.0),
        ),
        "a night when clocks change elsewhere": rows(
            ("ann", "o1", "2025-03-30 02:30", 1.0), ("ann", "o2", "2025-11-02 01:30", 2.0)
        ),
        "distant years": rows(("ann", "o1", "1999-12-31 23:00", 1.0), ("bob", "o2", "2038-01-20 03:14:08", 2.0)),
    }  # fmt: skip


def check_adapter(adapter: Callable[[pd.DataFrame], OrderLog]) -> None:
    """Try an adapter on raw rows that careless code loses, merges, shifts, rounds or changes.

    Args:
        adapter: Takes a pandas frame with ``user_id`` (text), ``order_id`` (text), ``ordered_at`` (naive local
            timestamps) and ``amount`` (major units, two digits), and returns an :class:`~commlife.OrderLog`.

    Raises:
        AssertionError: At the first raw rows that do not arrive as they were, with those rows as code to paste.

    Examples:
        >>> import commlife as cl
        >>> names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount")}
        >>> check_adapter(lambda frame: cl.OrderLog.from_frame(frame, **names))
        >>> check_adapter(lambda frame: cl.OrderLog.from_frame(frame.drop_duplicates(), **names))
        Traceback (most recent call last):
        AssertionError: two equal lines of one order (two cabbages): 2 rows went in, 1 came out ...
    """
    for title, raw in _trials().items():
        given = raw.copy()
        try:
            log = adapter(given)
        except CommlifeError as error:
            raise AssertionError(_told(title, f"the adapter refused them: {error}", raw)) from error
        if not isinstance(log, OrderLog):
            raise AssertionError(_told(title, f"the adapter returned a {type(log).__name__}, not an OrderLog", raw))
        if not given.equals(raw):
            raise AssertionError(_told(title, "the adapter changed the frame that it was given", raw))
        fault = _difference(raw, log)
        if fault:
            raise AssertionError(_told(title, fault, raw))
        again = _difference(_arrived(log), adapter(raw.copy()))
        if again:
            raise AssertionError(_told(title, f"called twice, the adapter gives two answers: {again}", raw))


def _told(title: str, fault: str, raw: pd.DataFrame) -> str:
    return f"{title}: {fault}\n\nThe rows:\n{as_code(raw)}"


def _arrived(log: OrderLog) -> pd.DataFrame:
    """The log's lines as raw rows."""
    table = collect(nw.from_native(log.to_native()))
    if "order_id" not in table.columns:
        table["order_id"] = [f"row {i}" for i in range(len(table))]
    table["ordered_at"] = pd.to_datetime(table["ordered_at"]).astype("datetime64[us]")
    return table[["user_id", "order_id", "ordered_at", "amount"]]


def _difference(raw: pd.DataFrame, log: OrderLog) -> str:
    """What did not arrive as it was; empty where everything did."""
    seen = _arrived(log)
    if len(seen) != len(raw):
        return f"{len(raw)} rows went in, {len(seen)} came out"
    for column, words in (("user_id", "users"), ("ordered_at", "times"), ("amount", "amounts")):
        wanted, found = _values(raw[column]), _values(seen[column])
        if wanted != found:
            lost = [value for value in wanted if value not in found] or wanted
            new = [value for value in found if value not in wanted] or found
            return f"{words} changed: {lost[0]} is gone, {new[0]} came instead"
    if _whole(raw) != _whole(seen):
        return "each value arrived, but not in its own row: columns were sorted or joined apart"
    if _orders(raw) != _orders(seen):
        return f"{len(_orders(raw))} orders went in, {len(_orders(seen))} came out, or lines changed their order"
    return ""


def _values(column: pd.Series[Any]) -> list[Any]:
    if column.name == "amount":
        return sorted(to_minor(column.to_numpy(), digits=4).tolist())
    return sorted(str(value) for value in column)


def _rows(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    minor = to_minor(frame["amount"].to_numpy(), digits=4).tolist()
    return list(zip(frame["user_id"].astype(str), frame["ordered_at"].astype(str), minor, strict=True))


def _whole(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    return sorted(_rows(frame))


def _orders(frame: pd.DataFrame) -> list[list[tuple[str, str, int]]]:
    """The lines of each order; what an order is called may change, what it holds may not."""
    held: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for key, row in zip(
        zip(frame["user_id"].astype(str), frame["order_id"].astype(str), strict=True), _rows(frame), strict=True
    ):
        held.setdefault(key, []).append(row)
    return sorted(sorted(lines) for lines in held.values())
