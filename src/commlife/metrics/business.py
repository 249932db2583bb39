"""The business in numbers: GMV, paid, net, orders, payers and their ratios, a row for each period and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._figures.fonts import written
from commlife._text import check_language
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, InsufficientDataError
from commlife.metrics._activity import MONTH_DAYS, WINDOWS, activity_sums, user_days
from commlife.metrics._arguments import Faults, check_group, check_log, whole_number
from commlife.metrics._host import beside, households_of, read_events, same_ids, spend_of
from commlife.metrics._plans import Asked, OrderSums, line_sums, order_sums, product_sums
from commlife.metrics._table import Grid, Ratios
from commlife.metrics.definitions import METRICS
from commlife.metrics.dictionary import metric_labels
from commlife.orders.calendar import Duration, Period, Timestamp, day_number, day_text, days_to_datetime64
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.orders import OrderLog

__all__ = ["BusinessMetrics", "business_metrics"]


@dataclass(frozen=True, slots=True, eq=False)
class BusinessMetrics:
    """Metrics of each period (and group), oldest first.

    Attributes:
        table: ``period`` (its first day), the group if asked for, ``complete``, and a column for each metric; money in
            major units, counts as float64 since what is not complete is null. A ratio whose denominator is 0 is null.
        rates: Every ratio with what stands behind it, a row a period, group and metric: ``metric``, ``value``,
            ``numerator``, ``denominator``, ``low``, ``high`` (95%) and ``interval``: ``"wilson"`` for counts out of
            counts, ``"bootstrap"`` (over users) for ratios of sums, empty where there is none.
        absent: Metrics that this log cannot tell: ``metric``, ``reason``.
        period: The grid of periods.
        by: The column of the groups, None for one group.
        as_of: The local business day before whose midnight lines count.
    """

    table: pd.DataFrame
    rates: pd.DataFrame = field(repr=False)
    absent: pd.DataFrame = field(repr=False)
    period: str
    by: str | None
    as_of: str

    def __getitem__(self, name: Any) -> Any:
        """A column of the table (or several)."""
        return self.table[name].copy()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def columns(self) -> pd.Index[Any]:
        """The columns of the table."""
        return self.table.columns

    def __repr__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        n = len(self.table.loc[self.table["complete"], "period"].drop_duplicates())
        names = len(self.table.columns) - 2 - (self.by is not None)
        lacking = f", absent: {', '.join(self.absent['metric'])}" if len(self.absent) else ""
        return f"BusinessMetrics({self.period}{by}, {n} complete periods, {names} metrics, as_of={self.as_of}{lacking})"

    def _repr_html_(self) -> str:
        shown = self.table[self.table["complete"]].tail(8)
        keys = ["period", *([] if self.by is None else [self.by])]
        turned = shown.drop(columns="complete").set_index(keys).T
        return in_notebook(self, turned, index=True)

    def to_frame(self, lang: str | None = None) -> pd.DataFrame:
        """The table, a copy.

        Args:
            lang: ``"en"`` or ``"zh"`` puts labels in the place of names.

        Examples:
            >>> import commlife as cl
            >>> log = cl.datasets.make_community(n_users=200, seed=1).log
            >>> asked = cl.business_metrics(log, as_of="2025-06-30", period="week", metrics=["net", "repurchase_rate"])
            >>> asked.to_frame("zh").columns.tolist()
            ['周期', '是否完整', '净收入', '复购率']
        """
        if lang is None:
            return self.table.copy()
        return self.table.rename(columns=metric_labels(check_language(lang)))

    def plot(self, metric: str = "net", *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """A metric over the complete periods, with its interval where it has one; a line a group.

        Args:
            metric: A column of the table.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.metrics.figures import metric_lines

        with written(check_language(lang)) as language:
            return metric_lines(self, metric, ax=ax, lang=language)


def business_metrics(
    log: OrderLog,
    *,
    as_of: Timestamp,
    period: str = "month",
    by: str | None = None,
    last: int | None = None,
    metrics: Sequence[str] | None = None,
    washout: str | None = None,
    events: Any = None,
    households: int | Mapping[Any, int] | None = None,
    spend: Any = None,
    reach_users: int = 5,
    n_boot: int = 500,
    seed: int = 0,
) -> BusinessMetrics:
    """Metrics of each period (and group), oldest first, with what stands behind every ratio.

    Money of lines is dated by the line's own day and group; orders, payers and their ratios by the day and the group
    of the order (its earliest line), not of the user. What each metric is says :func:`metric_dictionary`. A metric
    whose column or argument is not there is absent, and ``absent`` says why.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight lines count.
        period: ``"<n>D"`` counted back from ``as_of``, ``"week"``, ``"month"`` or ``"quarter"``.
        by: ``"community"``, ``"channel"``, ``"category"`` or ``"coupon_id"``: a row for each value.
        last: Only the newest ``last`` complete periods and what follows.
        metrics: Names of the metrics wanted, None for all that the log can tell; fewer cost less.
        washout: Users first seen within it are existing, not new: ``"28D"``.
        events: A log of events that make a user active too (opening the app, say): ``user_id``, ``time``, and the
            column of ``by``. Any frame that an OrderLog takes.
        households: Of all communities, or of each: ``{"East": 420}``. For the penetration.
        spend: What was spent to win users: a frame with ``day``, ``amount`` (major units), and the column of ``by``.
        reach_users: Users (of the group) who must have bought an item for it to be reached.
        n_boot: Draws of the bootstrap over users; 0 leaves ratios of sums without an interval, and is faster.
        seed: Of these draws.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once), or the log lacks a column
            that they need.
        SchemaError: If ``events`` or ``spend`` is faulty.
        InsufficientDataError: If no line lies before ``as_of``.

    Warns:
        LeftTruncatedWarning: If the log begins in the middle of lives, new payers are asked for, and there is no
            washout.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> week = cl.business_metrics(log, as_of="2025-06-30", period="week", last=2)
        >>> week[["period", "orders", "payers"]].shape
        (2, 3)
        >>> week.rates.query("metric == 'repurchase_rate'")[["numerator", "denominator", "interval"]].shape
        (2, 3)
    """
    need_log(log, "business_metrics")
    checked = _checked(
        log,
        as_of=as_of,
        period=period,
        by=by,
        last=last,
        metrics=metrics,
        washout=washout,
        households=households,
        spend=spend,
        reach_users=reach_users,
        n_boot=n_boot,
        seed=seed,
    )
    asked, wanted = checked.asked, checked.wanted
    seen = None if events is None else _event_days(events, asked)
    host = checked.households
    sums = _Sums(asked, wanted, reach_users=reach_users)
    grid = Grid.over(asked, sums.lines, host if isinstance(host, dict) else ())
    table = sums.on(grid, seen, host, spend)
    complete = grid.complete
    shown_rows = complete if last is None else complete & (grid.frame["index"].to_numpy() > grid.newest - last)
    ratios = Ratios(grid, table, wanted, shown_rows)
    if asked.per_user:
        for source, cells in sums.cells.items():
            ratios.bootstrap(cells, source, n_boot=n_boot, seed=seed)
    values = ratios.values()
    nulled = {name: np.where(complete, column, np.nan) for name, column in values.items()}
    shown = grid.shown({"complete": complete} | nulled)
    told = ratios.told(complete, values)
    if last is not None:
        since = days_to_datetime64([asked.grid.start(grid.newest - last + 1, as_of=asked.day)])[0]
        shown, told = shown[shown["period"] >= since], told[told["period"] >= since]
    keys = ["period", *asked.groups]
    return BusinessMetrics(
        table=shown.sort_values(keys, ignore_index=True),
        rates=told.sort_values(keys, kind="stable", ignore_index=True),
        absent=checked.absent,
        period=str(asked.grid),
        by=by,
        as_of=day_text(asked.day),
    )


class _Sums:
    """The sums behind the metrics wanted, each pass over the log at most once."""

    def __init__(self, asked: Asked, wanted: Sequence[str], *, reach_users: int) -> None:
        self.asked = asked
        self.sources = {METRICS[name].source for name in wanted}
        self.reach_users = reach_users
        self.cells: dict[str, pd.DataFrame] = {}
        self.lines = line_sums(asked)
        if self.lines.empty:
            raise InsufficientDataError(
                f"business_metrics needs a line before {day_text(asked.day)}, the log holds none. Use a later as_of."
            )
        if asked.per_user:
            self.cells["lines"] = _with_differences(self.lines)
            self.lines = self.lines.groupby(asked.keys, dropna=False, as_index=False, sort=False).sum()
        self.orders: OrderSums | None = None
        if self.sources & {"orders", "host"}:
            names = {METRICS[name].numerator for name in wanted}
            told = not {"new_payers", "cac"}.isdisjoint(wanted)
            self.orders = order_sums(asked, units="units" in names, new_payers=told)
            self.cells["orders"] = self.orders.cells

    def on(self, grid: Grid, seen: nw.LazyFrame[Any] | None, host: Any, spend: Any) -> pd.DataFrame:
        """All sums on the grid."""
        asked = self.asked
        table = grid.frame.copy()
        grid.add(table, _with_differences(self.lines))
        days = None
        if "activity" in self.sources or seen is not None:
            days = _engine.settle(user_days(asked, seen))
        if self.orders is not None:
            grid.add(table, self.orders.payers)
            grid.add(table, self.orders.new)
            first_seen = self.orders.first_seen if days is None or seen is None else _first_seen(days, asked)
            table["known_users"] = grid.cumulative(first_seen)
        if "activity" in self.sources and days is not None:
            since = _seen_from(asked, seen)
            grid.add(table, activity_sums(days, asked, grid.index))
            _null_unseen(table, asked, since)
        if "products" in self.sources:
            bought = product_sums(asked, self.reach_users)
            grid.add(table, bought[[*asked.keys, "reached_items"]])
            offered = bought.drop_duplicates("index").set_index("index")["catalogue"]
            table["catalogue"] = table["index"].map(offered).fillna(0.0).to_numpy()
        if host is not None:
            table["households"] = host if isinstance(host, int) else table[asked.by].map(host).to_numpy(np.float64)
        if spend is not None:
            spent = spend_of(spend, asked)
            grid.add(table, spent[grid.holds(spent)])
            if "margin" in table:
                table["gain"] = table["margin"] - table["spend"]
        return table


def _with_differences(lines: pd.DataFrame) -> pd.DataFrame:
    more = {"net": lines["paid"] - lines["refunds"]}
    if "listed" in lines:
        more["let_off"] = lines["listed"] - lines["listed_paid"]
    return lines.assign(**more)


def _null_unseen(table: pd.DataFrame, asked: Asked, since: int) -> None:
    """What lies before the log (or the events) began was not seen: its activity is null."""
    index = table["index"].to_numpy()
    starts, ends = (np.asarray(asked.grid.start(at, as_of=asked.day)) for at in (index, index + 1))
    table["days"] = ends - starts
    table.loc[starts < since, "active_days"] = np.nan
    for name, width in WINDOWS.items():
        table.loc[ends - width < since, name] = np.nan
    table["mau_days"] = table["mau"] * MONTH_DAYS


def _event_days(events: Any, asked: Asked) -> nw.LazyFrame[Any]:
    what = "business_metrics: events"
    names = {name: name for name in ("user_id", "time", *asked.groups)}
    seen = read_events(events, names, as_of=asked.day, timezone=asked.log.timezone, what=what)
    same_ids(seen, asked.log, ("user_id",), what)
    return beside(seen.select("user_id", "day", *asked.groups).unique(), asked.log, ("user_id", *asked.groups))


def _seen_from(asked: Asked, seen: nw.LazyFrame[Any] | None) -> int:
    first = asked.log.observation.first
    if seen is None:
        return first
    began = _engine.collect(seen.select(nw.col("day").min()))["day"].iloc[0]
    return first if pd.isna(began) else max(first, int(began))


def _first_seen(days: nw.LazyFrame[Any], asked: Asked) -> pd.DataFrame:
    """Users by the period in which an order or an event first shows them."""
    first = days.group_by(*asked.groups, "user_id").agg(nw.col("day").min())
    table = _engine.collect(first.group_by(*asked.groups, "day").agg(nw.len().alias("users")))
    table["index"] = asked.grid.index_of(table["day"].to_numpy().astype(np.int64), as_of=asked.day)
    return table.drop(columns="day")


@dataclass(frozen=True)
class _Checked:
    asked: Asked
    wanted: tuple[str, ...]
    absent: pd.DataFrame
    households: dict[Any, int] | int | None


def _checked(
    log: OrderLog,
    *,
    as_of: Timestamp,
    period: str,
    by: str | None,
    last: int | None,
    metrics: Sequence[str] | None,
    washout: str | None,
    households: object,
    spend: Any,
    reach_users: int,
    n_boot: int,
    seed: int,
) -> _Checked:
    """The arguments, or one error with everything that is wrong with them."""
    check_log(log, "business_metrics")
    faults = Faults("business_metrics")
    day = faults.take(lambda: day_number(as_of))
    grid = faults.take(lambda: Period(period))
    wash = None if washout is None else faults.take(lambda: Duration(washout))
    faults.take(lambda: check_group(log, by))
    counted = faults.take(lambda: households_of(households, by))
    if last is not None:
        faults.take(lambda: whole_number(last, "last", least=1))
    faults.take(lambda: whole_number(reach_users, "reach_users", least=1))
    faults.take(lambda: whole_number(n_boot, "n_boot", least=0, most=100_000))
    faults.take(lambda: whole_number(seed, "seed", least=0))
    lacking = {name: reason for name, reason in _absent(log, households, spend).items() if reason}
    wanted: tuple[str, ...] = tuple(name for name in METRICS if name not in lacking)
    if metrics is not None:
        wanted = faults.take(lambda: _chosen(metrics, lacking)) or ()
    faults.tell()
    if day is None or grid is None:  # told above
        raise AssertionError
    listed = [] if metrics is not None else list(lacking.items())
    absent = pd.DataFrame(listed, columns=["metric", "reason"])
    per_user = n_boot > 0 and any(METRICS[name].interval == "bootstrap" for name in wanted)
    return _Checked(Asked(log, day, grid, by, wash, per_user), wanted, absent, counted)


def _absent(log: OrderLog, households: object, spend: object) -> dict[str, str]:
    """For each metric why this log cannot tell it, empty where it can."""
    given = [name for name, value in (("households", households), ("spend", spend)) if value is not None]
    reasons = {}
    for metric in METRICS.values():
        reasons[metric.name] = "; ".join(
            f"needs the argument {need}" if need in {"households", "spend"} else f"the log has no {need}"
            for need in metric.lacks(log, given=given)
        )
    return reasons


def _chosen(metrics: Sequence[str], lacking: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics:
        raise ConfigError(f'metrics is a list of names, such as ["net", "orders"]; seen {metrics!r:.60}.')
    for name in metrics:
        if name not in METRICS:
            raise ConfigError.unknown_name("metrics: the metric", name, METRICS)
    cannot = [f"{name} ({lacking[name]})" for name in metrics if name in lacking]
    if cannot:
        raise ConfigError(f"metrics: this log cannot tell {', '.join(cannot)}. Leave it out, or give what it needs.")
    return tuple(name for name in METRICS if name in set(metrics))
