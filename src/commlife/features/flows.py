"""Flows: who came, stayed, fell silent and returned in each period, in users and in money; one computation for all.

Each row of the plan is one period in which a user ordered, with the distance to the one before and the one after.
What a user did there and what follows from it are two small codes; counted by group and period they hold every stock
and flow of the table, so that no users x periods table is made and the cost is that of the orders.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._engine.lives import CHURNS, EXISTING, FROM_CHURNED, FROM_SILENT, IDLE, KEPT, LAPSES, NEVER, NEW, NEXT
from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.periods import with_period_index
from commlife.features.users import own_attributes, warn_if_left_truncated, with_existing
from commlife.orders.calendar import Duration, Period, complete_until, day_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = [
    "CHURNS",
    "EXISTING",
    "FROM_CHURNED",
    "FROM_SILENT",
    "IDLE",
    "KEPT",
    "LAPSES",
    "NEVER",
    "NEW",
    "NEXT",
    "Flows",
    "Runs",
    "activity_runs",
    "attribute_names",
    "count_runs",
    "flows_of_counts",
    "stocks_and_flows",
    "tells_existing",
]

#: Attributes of orders by which users may be grouped.
ATTRIBUTES = ("community", "channel", "category", "coupon_id", "item_id", "address_id")
#: Columns that tell no groups of users.
_NO_ATTRIBUTES = ("user_id", "order_id", "ordered_at", "amount", "quantity", "cost", "list_amount", "discount")


def attribute_names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """The attributes to group by, as a tuple: canonical columns, or the host's own that the log carries (``keep``).

    Raises:
        ConfigError: If a name is none, all but one of ours, or stands twice; what the log lacks is told by the fit.
    """
    names = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    for name in names:
        if not isinstance(name, str) or not name or name in _NO_ATTRIBUTES:
            raise ConfigError.unknown_name("by: the attribute", name, ATTRIBUTES)
        if name not in ATTRIBUTES and difflib.get_close_matches(name, ATTRIBUTES, n=1, cutoff=0.8):
            raise ConfigError.unknown_name("by: the attribute", name, ATTRIBUTES)
    if len(set(names)) < len(names):
        raise ConfigError(f"by names each attribute once; seen {list(names)!r:.80}.")
    return names


@dataclass(frozen=True)
class Runs:
    """The plans behind a table of flows.

    Attributes:
        active: One row a user and period with an order that counts, up to the last complete period: user_id, index,
            net (all orders of the period, refunds included), entry, exit, until (periods to the next one, NEVER where
            none is known), up and down (what a user who was kept spends more or less than in the period before), and
            the groups.
        refunds: One row a user and period with nothing but refunds: user_id, index, net, and the groups.
        last: Index of the newest complete period.
        tells_existing: Whether some users may have lived before the log shows them.
    """

    active: nw.LazyFrame[Any]
    refunds: nw.LazyFrame[Any]
    last: int
    tells_existing: bool


def activity_runs(
    log: OrderLog,
    as_of: int,
    *,
    period: Period,
    silent_after: int,
    churned_after: int,
    washout: Duration | None,
    by: tuple[str, ...],
    warn: bool = True,
    incomplete: bool = False,
) -> Runs:
    """Code each user's active periods by what came before and what came after.

    Warns of a truncated log unless told. With ``incomplete`` the periods that are not complete yet are kept too: what
    is counted from such runs can be added up over users and finished later.
    """
    observation = log.observation
    last = period.last_complete(as_of=as_of, until=complete_until(as_of, observation.until))
    dated = with_period_index(log._orders(as_of), log, period, as_of=as_of)
    told = tells_existing(log, washout=washout)

    def joined(lives: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """With what is asked of the users: who existed, and their own attributes."""
        if told:
            counting = log._orders(as_of).select("user_id", "day", "counts").filter(nw.col("counts"))
            firsts = counting.group_by("user_id").agg(nw.col("day").min().alias("first_day"))
            users = with_existing(firsts, log, washout=washout)
            users = users.select("user_id", nw.col("existing").cast(nw.Int64).alias("existing"))
            lives = lives.join(users, on="user_id", how="left")
        return lives.join(own_attributes(log, as_of, *by), on="user_id", how="left") if by else lives

    active, refunds = _engine.coded_lives(
        dated.select("user_id", "index", "net", *(["counts"] if log._refunds else [])),
        _engine.Thresholds(silent_after, churned_after),
        refunds=log._refunds,
        rows=log.n_rows,
        join=joined,
    )
    if warn:
        warn_if_left_truncated(log, as_of, washout=washout, payers_known=partial(_count_lives, active))
    if told:
        existing = nw.when(nw.col("entry") == NEW).then(nw.col("entry") + nw.col("existing")).otherwise(nw.col("entry"))
        active = active.with_columns(existing.cast(nw.Int64).alias("entry"))
    if not incomplete and int(period.index_of(as_of - 1, as_of=as_of)) > last:
        active, refunds = (runs.filter(nw.col("index") <= last) for runs in (active, refunds))
    columns = ("user_id", "index", "net", "entry", "exit", "until", "up", "down", *by)
    return Runs(active.select(*columns), refunds.select("user_id", "index", "net", *by), last, told)


def _count_lives(active: nw.LazyFrame[Any]) -> int:
    """Number of users: each has one first run."""
    return _engine.count_rows(active.select("entry").filter(nw.col("entry") == NEW))


def tells_existing(log: OrderLog, *, washout: Duration | None) -> bool:
    """Whether some users may have lived before the log shows them."""
    seen_from = log.first_day
    return (
        washout is not None
        or log.has("first_ordered_at")
        or (seen_from is not None and seen_from < day_text(log.observation.first))
    )


@dataclass(frozen=True)
class Flows:
    """Stocks and flows by group (rows) and period (columns), in whole users and minor units of money.

    Attributes:
        groups: The values of the grouping attributes, a row a group; one row without columns where there are none.
        by: Names of the grouping attributes.
        first: Index of the first period.
        starts: First day of each period, ``datetime64[us]``, ascending.
        silent_after: Periods without an order after which a user has left the base.
        tells_existing: Whether some users may have lived before the log shows them.
        new: Users whose first order lies in the period; likewise ``existing`` (first seen, not new),
            ``from_silent`` and ``from_churned`` (returned).
        lapsed: Users who left the base; ``to_churned``: whose silence became long.
        new_lapsed: Users who were new one period ago and have left the base; likewise ``existing_lapsed`` and
            ``returned_lapsed`` (those are part of ``lapsed``).
        money: Revenue of the period and its flows, by name: ``revenue, new, existing, returned, expansion,
            contraction, lapsed``.
    """

    groups: pd.DataFrame
    by: tuple[str, ...]
    first: int
    starts: NDArray[Any]
    silent_after: int
    tells_existing: bool
    new: NDArray[np.int64]
    existing: NDArray[np.int64]
    from_silent: NDArray[np.int64]
    from_churned: NDArray[np.int64]
    lapsed: NDArray[np.int64]
    to_churned: NDArray[np.int64]
    new_lapsed: NDArray[np.int64]
    existing_lapsed: NDArray[np.int64]
    returned_lapsed: NDArray[np.int64]
    money: dict[str, NDArray[np.int64]]

    @property
    def returned(self) -> NDArray[np.int64]:
        """Users who ordered after a silence of any length."""
        return self.from_silent + self.from_churned

    @cached_property
    def base(self) -> NDArray[np.int64]:
        """Users in the base at the end of each period."""
        return np.cumsum(self.new + self.existing + self.returned - self.lapsed, axis=1)

    @property
    def kept(self) -> NDArray[np.int64]:
        """Users in the base at the end of this period and of the one before."""
        return self.base - self.new - self.existing - self.returned

    @cached_property
    def silent(self) -> NDArray[np.int64]:
        """Users who have been silent, not for long, at the end of each period."""
        return np.cumsum(self.lapsed - self.from_silent - self.to_churned, axis=1)

    @cached_property
    def churned(self) -> NDArray[np.int64]:
        """Users whose silence is long at the end of each period."""
        return np.cumsum(self.to_churned - self.from_churned, axis=1)

    def table(self, columns: dict[str, NDArray[Any]]) -> pd.DataFrame:
        """One row a group and period, groups first: the groups, ``period``, and the columns given."""
        n_groups, n_periods = self.new.shape
        repeated = self.groups.iloc[np.repeat(np.arange(n_groups), n_periods)].reset_index(drop=True)
        repeated["period"] = np.tile(self.starts, n_groups)
        return repeated.assign(**{name: values.ravel() for name, values in columns.items()})

    def growth(self, *, scale: int) -> pd.DataFrame:
        """Growth accounting: users and money of each group and period, closing exactly."""
        lapsed = self.lapsed
        gained = self.new + self.existing + self.returned
        quick = np.where(lapsed > 0, gained / np.maximum(lapsed, 1), np.nan)
        columns: dict[str, NDArray[Any]] = {"active_users": self.base, "new": self.new}
        if self.tells_existing:
            columns["existing"] = self.existing
        columns |= {"retained": self.kept, "returned": self.returned, "lapsed": lapsed, "quick_ratio": quick}
        for name, minor in self.money.items():
            if name != "existing" or self.tells_existing:
                columns[name if name == "revenue" else f"revenue_{name}"] = minor / scale
        return self.table(columns)


def stocks_and_flows(
    runs: Runs, *, period: Period, as_of: int, silent_after: int, churned_after: int, by: tuple[str, ...], what: str
) -> Flows:
    """Count the runs by group and period, and draw every stock and flow from the counts.

    Raises:
        InsufficientDataError: If no complete period holds an order that counts.
    """
    cells, refunds = count_runs(runs, by=by)
    return flows_of_counts(
        cells,
        refunds,
        last=runs.last,
        tells_existing=runs.tells_existing,
        period=period,
        as_of=as_of,
        silent_after=silent_after,
        churned_after=churned_after,
        by=by,
        what=what,
    )


#: Sums of each cell of runs.
_MONEY = ("net", "below", "up", "down")


def count_runs(runs: Runs, *, by: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs by group, index, entry and exit (users, net, below, up, down); refunds by group and index (users, net).

    Both are sums over users, so that those of some users can be taken away and added again.
    """
    keys = (*by, "index")
    counted = runs.active.with_columns(
        nw.when(nw.col("net") < 0).then(0 - nw.col("net")).otherwise(nw.lit(0)).cast(nw.Int64).alias("below")
    )
    cells = _engine.sums_by_codes(counted, *keys, "entry", "exit", sums=_MONEY, into="users")
    refunds = _engine.sums_by_codes(runs.refunds, *keys, sums=["net"], into="users")
    return _engine.collect(cells), _engine.collect(refunds)


def flows_of_counts(
    cells: pd.DataFrame,
    refunds: pd.DataFrame,
    *,
    last: int,
    tells_existing: bool,
    period: Period,
    as_of: int,
    silent_after: int,
    churned_after: int,
    by: tuple[str, ...],
    what: str,
) -> Flows:
    """Every stock and flow from the counts of :func:`count_runs`, up to the period ``last``.

    Raises:
        InsufficientDataError: If no complete period holds an order that counts.
    """
    cells = cells[cells["index"] <= last].reset_index(drop=True)
    refunds = refunds[refunds["index"] <= last].reset_index(drop=True)
    if cells.empty:
        raise InsufficientDataError(
            f"{what} needs an order that counts in a complete period ({period}) before {day_text(as_of)}, the log "
            "holds none. Use a shorter period or a later as_of."
        )
    first = int(min(cells["index"].min(), refunds["index"].min() if len(refunds) else cells["index"].min()))
    groups, group_of, refund_group_of = _grouped(cells, refunds, by)
    shape = (len(groups), last - first + 1)
    at = group_of, cells["index"].to_numpy() - first
    entry, leaves = cells["entry"].to_numpy(), cells["exit"].to_numpy()
    users = cells["users"].to_numpy(dtype=np.int64)
    net, below, up, down = (cells[name].to_numpy(dtype=np.int64) for name in _MONEY)

    def total(values: NDArray[np.int64], chosen: NDArray[np.bool_], *, later: int = 0) -> NDArray[np.int64]:
        """Sums by group and period of the chosen cells, booked so many periods later."""
        table = np.zeros(shape, dtype=np.int64)
        kept = chosen & (at[1] + later < shape[1])
        np.add.at(table, (at[0][kept], at[1][kept] + later), values[kept])
        return table

    away = leaves >= LAPSES
    every = np.ones(len(cells), dtype=bool)
    returned = entry >= FROM_SILENT
    at_once = away if silent_after == 1 else ~every
    revenue_of_refunds = np.zeros(shape, dtype=np.int64)
    np.add.at(revenue_of_refunds, (refund_group_of, refunds["index"].to_numpy() - first), refunds["net"].to_numpy())
    # A refund on its own lowers the period it falls in and lets the next one recover.
    after_refunds = np.zeros(shape, dtype=np.int64)
    after_refunds[:, 1:] = revenue_of_refunds[:, :-1]
    # Whoever pauses within the base spends nothing in the next period: a contraction, and no lapse.
    pauses = (leaves != NEXT) & ~at_once
    return Flows(
        groups=groups,
        by=by,
        first=first,
        starts=period.starts(first, last, as_of=as_of),
        silent_after=silent_after,
        tells_existing=tells_existing,
        new=total(users, entry == NEW),
        existing=total(users, entry == EXISTING),
        from_silent=total(users, entry == FROM_SILENT),
        from_churned=total(users, entry == FROM_CHURNED),
        lapsed=total(users, away, later=silent_after),
        to_churned=total(users, leaves == CHURNS, later=churned_after),
        new_lapsed=total(users, at_once & (entry == NEW), later=1),
        existing_lapsed=total(users, at_once & (entry == EXISTING), later=1),
        returned_lapsed=total(users, at_once & returned, later=1),
        money={
            "revenue": total(net, every) + revenue_of_refunds,
            "new": total(net, entry == NEW),
            "existing": total(net, entry == EXISTING),
            "returned": total(net, returned),
            "expansion": total(up, entry == KEPT) + total(below, pauses, later=1) - after_refunds,
            "contraction": total(down, entry == KEPT) + total(net + below, pauses, later=1) - revenue_of_refunds,
            "lapsed": total(net, at_once, later=1),
        },
    )


def _grouped(
    cells: pd.DataFrame, refunds: pd.DataFrame, by: tuple[str, ...]
) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """The groups, sorted, nulls last; and the number of the group of each cell."""
    if not by:
        none = pd.DataFrame(index=range(1))
        return none, np.zeros(len(cells), dtype=np.int64), np.zeros(len(refunds), dtype=np.int64)
    both = pd.concat([cells[list(by)], refunds[list(by)]], ignore_index=True)
    numbers = both.groupby(list(by), dropna=False, sort=True).ngroup().to_numpy().astype(np.int64)
    groups = both.assign(_number=numbers).drop_duplicates("_number").sort_values("_number")
    return groups[list(by)].reset_index(drop=True), numbers[: len(cells)], numbers[len(cells) :]
