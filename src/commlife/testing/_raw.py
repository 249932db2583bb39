"""Raw rows on which adapters stumble: one danger each."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import pandas as pd

__all__ = ["COLUMNS", "mixed_rows", "raw_trials", "rows", "turning_points"]

#: What an adapter is given, under commlife's own names.
COLUMNS = ("user_id", "order_id", "ordered_at", "amount")


def rows(*lines: tuple[Any, ...]) -> pd.DataFrame:
    """Order lines ``(user, order, local time, amount)`` as the frame that an adapter is given."""
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], format="ISO8601").astype("datetime64[us]")
    return frame


def raw_trials() -> dict[str, pd.DataFrame]:
    """Raw rows, one danger each."""
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


def mixed_rows() -> pd.DataFrame:
    """A little of everything: two lines of an order, a refund, two orders of a day, an order number of two users."""
    return rows(
        ("ann", "o1", "2025-03-01 09:00", 12.5), ("ann", "o1", "2025-03-01 09:00", 3.0),
        ("ann", "o2", "2025-03-01 19:30", 8.0), ("ann", "o2", "2025-03-03 10:00", -8.0),
        ("bob", "o1", "2025-03-02 23:59:59", 30.25),
    )  # fmt: skip


def turning_points(timezone: str) -> pd.DataFrame:
    """Orders at moments (UTC) when the day or the clock changes, in ``timezone`` and elsewhere."""
    moments = [
        "2025-03-09 06:59:59.999999", "2025-03-09 07:00", "2025-11-02 05:30", "2025-11-02 06:30",  # New York
        "2025-03-30 00:59:59.999999", "2025-03-30 01:00", "2025-10-26 00:30", "2025-10-26 01:30",  # Berlin
        "2025-06-30 15:59:59.999999", "2025-06-30 16:00", "2025-07-15 22:30", "2025-01-15 22:30",
    ]  # fmt: skip
    for change in _changes(timezone):
        moments += [str(change - pd.Timedelta(microseconds=1)), str(change), str(change + pd.Timedelta(minutes=30))]
    frame = rows(*((f"u{i}", f"o{i}", when, 1.0 + i) for i, when in enumerate(dict.fromkeys(moments))))
    return frame.assign(ordered_at=frame["ordered_at"].dt.tz_localize("UTC"))


def _changes(timezone: str) -> list[pd.Timestamp]:
    """The hours (UTC) of 2025 at which the zone's clock is put forward or back."""
    zone, hour = zoneinfo.ZoneInfo(timezone), dt.timedelta(hours=1)
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    offsets = [(start + i * hour).astimezone(zone).utcoffset() for i in range(365 * 24)]
    return [
        pd.Timestamp(start + i * hour).tz_localize(None) for i in range(1, len(offsets)) if offsets[i] != offsets[i - 1]
    ]
