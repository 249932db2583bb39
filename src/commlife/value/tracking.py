"""Tracking: purchases week by week, as the model expects them and as they came, on both sides of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._figures.axes import drawn, finish, new_axes
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text
from commlife.orders.log import need_log
from commlife.value.histories import read_summary
from commlife.value.predictions import from_the_start
from commlife.value.purchases import FittedPurchaseModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.orders import OrderLog

__all__ = ["TrackingCheck", "tracking_check"]

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class TrackingCheck(Shown):
    """Repeat purchase days of the users known at the fit, period by period.

    Attributes:
        table: One row a period: ``period`` (its first day), ``expected`` and ``actual`` repeat purchase days,
            ``cumulative_expected`` and ``cumulative_actual``, and ``holdout`` (whether it lies after the fit).
        as_of: Day of the fit: what comes before was learned from, what comes after was not seen.
        users: Users known then.
    """

    table: pd.DataFrame
    as_of: str
    users: int

    def __repr__(self) -> str:
        after = self.table[self.table["holdout"]]
        if after.empty:
            return f"TrackingCheck({self.users:,} users, {len(self.table)} periods before {self.as_of}, none after)"
        return (
            f"TrackingCheck({self.users:,} users; after {self.as_of} {after['expected'].sum():,.0f} expected, "
            f"{after['actual'].sum():,.0f} came)"
        )

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None, *, cumulative: bool = False) -> Axes:
        """What came as a line, what was expected dashed, the day of the fit upright."""
        from matplotlib.dates import ConciseDateFormatter

        from commlife._figures.colours import ACCENT, BAD, QUIET

        ax = new_axes(ax, 7, 3.5)
        day = pd.to_datetime(self.table["period"])
        at: Any = pd.Timestamp(self.as_of)
        prefix = "cumulative_" if cumulative else ""
        ax.plot(day, self.table[f"{prefix}actual"], color=ACCENT, label="came")
        ax.plot(day, self.table[f"{prefix}expected"], color=BAD, linestyle="--", label="expected")
        ax.axvline(at, color=QUIET, linewidth=1)
        ax.annotate(" foreseen", (at, 1), xycoords=("data", "axes fraction"), va="top", color=QUIET)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.set_ylabel("repeat purchase days" + (", added up" if cumulative else " a period"))
        after = self.table[self.table["holdout"]]
        off = after["actual"].sum() / after["expected"].sum() - 1 if len(after) else float("nan")
        ax.legend()
        return finish(ax, "Purchases of known users" + (f": {off:+.0%} against the forecast" if len(after) else ""))


def tracking_check(
    fitted: FittedPurchaseModel, log: OrderLog, *, as_of: Timestamp, period: str = "7D"
) -> TrackingCheck:
    """Follow the users known at the fit, from their first purchases to ``as_of``: expected against actual.

    The tracking plot of the literature (Fader, Hardie & Lee 2005, figures 3 and 4). What is expected takes nothing of a
    user but the day of the first purchase, so it shows whether the model draws the rise and fall of a population.

    Args:
        fitted: A model fitted on this log at an earlier day.
        log: The order log.
        as_of: Local business day up to which purchases are followed; periods count back from the day of the fit and on
            from it, and an incomplete one at either end is left out.
        period: Length of a period, such as ``"7D"``.

    Returns:
        A :class:`TrackingCheck`.

    Raises:
        ConfigError: If the model was not fitted on a log, or ``as_of`` lies before its day.
        InsufficientDataError: If there is no complete period.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=500, seed=7).log
        >>> bg = cl.BetaGeo().fit(log, as_of="2025-05-05")
        >>> cl.tracking_check(bg, log, as_of="2025-06-30").table["holdout"].sum()
        np.int64(8)
    """
    need_log(log, "tracking_check")
    if not isinstance(fitted, FittedPurchaseModel):
        raise ConfigError(
            "tracking_check takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD; seen a "
            f"{type(fitted).__name__}. Fit one on the log first."
        )
    step, until = Duration(period).days, day_number(as_of)
    if fitted.fitted_on.as_of is None:
        raise ConfigError("tracking_check: the model was fitted on a summary. Fit it on the log, with as_of.")
    fit_day = day_number(fitted.fitted_on.as_of)
    if until < fit_day:
        raise ConfigError(
            f"tracking_check: as_of lies on or after the day of the fit, {fitted.fitted_on.as_of}; "
            f"seen {day_text(until)}. Use a later one."
        )
    summary = read_summary(log, as_of=fitted.fitted_on.as_of, extra=fitted.spec.columns, what="tracking_check")
    p, stratum = fitted._strata(summary)
    first = (fit_day - 1 - summary.T).astype(np.int64)
    begins = int(first.min())
    starts = np.arange(fit_day - (fit_day - begins) // step * step, until - step + 1, step)
    if starts.size == 0:
        raise InsufficientDataError(f"tracking_check: no complete period of {step} days. Use a shorter period.")
    actual = _repeats_by_day(log, until, fit_day)
    days = np.searchsorted(starts, actual["day"].to_numpy(), side="right") - 1
    inside = (days >= 0) & (actual["day"].to_numpy() < starts[-1] + step)
    came = np.bincount(days[inside], actual["repeats"].to_numpy()[inside], starts.size)
    expected = np.diff(_expected_until(fitted, p, stratum, first, np.append(starts, starts[-1] + step)))
    earlier = float(actual["repeats"].to_numpy()[days < 0].sum())
    begun = _expected_until(fitted, p, stratum, first, starts[:1])[0]
    table = pd.DataFrame(
        {
            "period": [day_text(int(day)) for day in starts],
            "expected": expected,
            "actual": came.astype(np.int64),
            "cumulative_expected": begun + np.cumsum(expected),
            "cumulative_actual": (earlier + np.cumsum(came)).astype(np.int64),
            "holdout": starts >= fit_day,
        }
    )
    return TrackingCheck(table, fitted.fitted_on.as_of, len(summary))


def _repeats_by_day(log: OrderLog, until: int, fit_day: int) -> pd.DataFrame:
    """Purchase days after the first, by day, of users whose first lies before the fit."""
    days = log._orders(until).filter(nw.col("counts")).group_by("user_id", "day").agg(nw.len().alias("orders"))
    first = days.group_by("user_id").agg(nw.col("day").min().alias("first"))
    repeats = days.join(first.filter(nw.col("first") < fit_day), on="user_id", how="inner")
    repeats = repeats.filter(nw.col("day") > nw.col("first"))
    return _engine.collect(repeats.group_by("day").agg(nw.len().alias("repeats")).sort("day"))


def _expected_until(fitted: FittedPurchaseModel, p: Array, stratum: Any, first: Any, days: Any) -> Array:
    """Expected repeats of all users from their first day to the start of each of the days."""
    own = np.zeros(first.size, dtype=np.int64) if stratum is None else stratum
    cells, users = np.unique(np.stack([first, own]), axis=1, return_counts=True)
    answer = np.zeros(days.size)
    for place, day in enumerate(days):
        # The first day's purchase lies in its day: what is left of it counts for none, as in the summary.
        elapsed = np.maximum(day - 1 - cells[0], 0) / fitted.time_unit.days
        mean, _ = from_the_start(fitted.kernel, p, cells[1], None, np.maximum(elapsed, 1e-12))
        answer[place] = float(np.einsum("i,i->", users.astype(np.float64), mean))
    return answer
