"""Daily, weekly and monthly active users from gaps between active days: no table of users and days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.metrics._plans import Asked

__all__ = ["MONTH_DAYS", "WINDOWS", "activity_sums", "user_days"]

WEEK_DAYS, MONTH_DAYS = 7, 30
#: Sums over a window that ends with the period, and its length in days.
WINDOWS = {"wau": WEEK_DAYS, "mau": MONTH_DAYS, "active_days_30": MONTH_DAYS}


def user_days(asked: Asked, events: nw.LazyFrame[Any] | None) -> nw.LazyFrame[Any]:
    """One row a user, day and group with an order that counts, or an event."""
    orders = asked.log._orders(asked.day, *asked.groups).filter(nw.col("counts"))
    names = [*asked.groups, "user_id", "day"]
    days = orders.select(*names)
    if events is None:
        return days.unique()
    alike = events.select(*names)
    if alike.implementation is not nw.Implementation.PYARROW:  # there the texts are of one kind already
        schema = days.collect_schema()
        alike = alike.select(*(nw.col(name).cast(schema[name]) for name in names))
    return nw.concat([days.unique(), alike], how="vertical").unique()


def activity_sums(days: nw.LazyFrame[Any], asked: Asked, index: NDArray[np.int64]) -> pd.DataFrame:
    """Active users of each period and group: active_days (users x days), wau, mau, active_days_30.

    A user counts once in a window of w days that ends before E if her first active day d in it has no other within
    the window before: d < E <= d + w, and E > p + w for the active day p before d. So each active day counts for an
    interval of ends, and sums over users are sums over the few distinct pairs of day and gap.

    Args:
        days: A row a user, day and group.
        asked: What was asked.
        index: The periods wanted.
    """
    apart = _engine.with_previous(days, "day", by=[*asked.groups, "user_id"], into="before")
    gap = nw.col("day") - nw.col("before")
    apart = apart.with_columns(
        nw.when(gap > MONTH_DAYS).then(nw.lit(MONTH_DAYS)).otherwise(gap).cast(nw.Int64).alias("gap")
    )
    rows = _engine.collect_rows(
        apart.group_by(*asked.groups, "day", "gap").agg(nw.len().alias("users")),
        call="business_metrics: activity",
        way_out="Ask for fewer periods (last=), or without by.",
    )
    group, names = np.zeros(len(rows), dtype=np.int64), pd.DataFrame(index=[0])
    if asked.by is not None:
        group = rows.groupby(asked.by, dropna=False, sort=False).ngroup().to_numpy().astype(np.int64)
        names = rows[[asked.by]].drop_duplicates(ignore_index=True)
    day, gaps, users = (rows[name].to_numpy().astype(np.int64) for name in ("day", "gap", "users"))
    starts = np.asarray(asked.grid.start(index, as_of=asked.day), np.int64)
    ends = np.asarray(asked.grid.start(index + 1, as_of=asked.day), np.int64)
    n_groups, n = len(names), len(index)
    table = pd.DataFrame({"index": np.tile(index, n_groups)})
    if asked.by is not None:
        table[asked.by] = names[asked.by].repeat(n).array
    own = np.searchsorted(starts, day, side="right") - 1  # the period of the day
    inside = (own >= 0) & (day < ends[own])
    active = np.zeros((n_groups, n), np.int64)
    np.add.at(active, (group[inside], own[inside]), users[inside])
    table["active_days"] = active.ravel()
    for name, width in WINDOWS.items():
        opens = day if name == "active_days_30" else np.maximum(day, day - gaps + width)
        table[name] = _sum_over_ends(ends, group, opens, day + width, users, n_groups).ravel()
    return table


def _sum_over_ends(ends: Any, group: Any, after: Any, until: Any, users: Any, n_groups: int) -> NDArray[np.int64]:
    """For each group and end E the users of the rows with after < E <= until, by differences."""
    change = np.zeros((n_groups, len(ends) + 1), np.int64)
    np.add.at(change, (group, np.searchsorted(ends, after, side="right")), users)
    np.subtract.at(change, (group, np.searchsorted(ends, until, side="right")), users)
    return np.cumsum(change, axis=1)[:, :-1]
