"""Returns: how likely a user is to order again after so many periods of silence, learned from the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._stats.wilson import wilson_interval
from commlife._text import check_language
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.flows import NEVER, Runs, activity_runs
from commlife.orders.calendar import Period, Timestamp, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog
    from commlife.segments.lifecycle import Lifecycle

__all__ = ["ReturnCurve", "return_curve", "returns_by_gap"]


@dataclass(frozen=True)
class ReturnCurve(Shown):
    """Return probability by the length of the silence.

    Attributes:
        table: A row a gap (periods since the last order, 0 = ordered in the newest one): ``gap``, ``at_risk`` (users
            times ends of periods at which the gap was that long, with ``within`` further periods seen), ``returned``
            (of them, ordered within the next ``within`` periods), ``rate``, ``low``, ``high`` (95% Wilson; users are
            counted once for each of their silences, so read the interval as a lower bound on the uncertainty),
            ``came_back`` (share of those at this gap who ordered again later, as far as the longest silence that could
            be followed: the product-limit estimate of Kaplan & Meier 1958).
        period: The grid.
        within: Periods in which a return counts.
    """

    table: pd.DataFrame
    period: Period
    within: int

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def threshold(self, probability: float) -> int | None:
        """The shortest gap from which on the chance of a return stays below ``probability``; None if it never does.

        Use it as ``silent_after`` or ``churned_after`` of a :class:`~commlife.segments.Lifecycle`: of those called
        churned that share at most came back, at every gap.

        Raises:
            ConfigError: If the probability does not lie between 0 and 1.
        """
        if isinstance(probability, bool) or not isinstance(probability, (int, float)) or not 0 < probability < 1:
            raise ConfigError(f"probability lies between 0 and 1; seen {probability!r:.40}.")
        above = self.table.loc[self.table["rate"] >= probability, "gap"]
        first = int(above.max()) + 1 if len(above) else 0
        return first if first <= int(self.table["gap"].max()) else None

    def lifecycle(self, *, silent_below: float = 0.6, churned_below: float = 0.1, **settings: Any) -> Lifecycle:
        """A lifecycle whose thresholds are learned from this log.

        Users are silent from the shortest gap on at which fewer than ``silent_below`` return within ``within``
        periods, and churned from that on at which fewer than ``churned_below`` do. ``table["came_back"]`` at these
        gaps says which share of them came back all the same.

        Args:
            silent_below: Chance of a return below which a user is called silent.
            churned_below: Chance below which the silence is called long.
            **settings: Further settings of :class:`~commlife.segments.Lifecycle`.

        Raises:
            ConfigError: If the probabilities are not in order.
            InsufficientDataError: If the chance never stays below one of them in this log.
        """
        from commlife.segments.lifecycle import Lifecycle

        silent, churned = self.threshold(silent_below), self.threshold(churned_below)
        if churned_below >= silent_below:
            raise ConfigError(
                f"churned_below lies below silent_below; seen {churned_below!r:.20} and {silent_below!r:.20}."
            )
        if silent is None or churned is None:
            lowest = float(self.table["rate"].min())
            raise InsufficientDataError(
                f"the chance of a return stays at {lowest:.0%} or above in all {len(self.table)} gaps that this log "
                "can follow. Use higher probabilities, or a longer log."
            )
        silent = max(silent, 1)
        churned = max(churned, silent + 1)
        return Lifecycle(period=self.period, silent_after=silent, churned_after=churned, **settings)

    def plot(self, ax: Any = None, *, lang: str = "en") -> Any:
        """The chance of a return by the length of the silence; returns the matplotlib Axes.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If the language is none of ours.
        """
        from commlife.segments.figures_over_time import draw_returns

        return draw_returns(self, ax, lang=check_language(lang))

    def __repr__(self) -> str:
        return f"ReturnCurve({len(self.table)} gaps of {self.period}, returns within {self.within})"


def return_curve(log: OrderLog, *, as_of: Timestamp, period: str = "7D", within: int = 4) -> ReturnCurve:
    """Learn from the log how the chance of a return falls with the length of a silence.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count.
        period: Grid of time.
        within: A return counts if the next order lies in one of so many periods.

    Raises:
        InsufficientDataError: If the log holds no more than ``within`` complete periods.
        ConfigError: If an argument is not allowed.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import return_curve
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> curve = return_curve(log, as_of="2025-06-30")
        >>> curve.table.columns.tolist()
        ['gap', 'at_risk', 'returned', 'rate', 'low', 'high', 'came_back']
    """
    need_log(log, "return_curve")
    day, grid = day_number(as_of), Period(period)
    if isinstance(within, bool) or not isinstance(within, int) or not 1 <= within <= 1000:
        raise ConfigError(f"within is a whole number of periods from 1 to 1000; seen {within!r:.40}.")
    runs = activity_runs(log, day, period=grid, silent_after=1, churned_after=NEVER, washout=None, by=(), warn=False)
    return ReturnCurve(returns_by_gap(runs, within=within, period=grid, as_of=day), grid, within)


def returns_by_gap(runs: Runs, *, within: int, period: Period, as_of: int) -> pd.DataFrame:
    """Count who was at risk at each gap and who returned, from the runs of activity alone."""
    counted: Any = runs.active.group_by("index", "until").agg(nw.len().alias("users"))
    cells = _engine.collect(counted)
    newest = runs.last - within  # the last end of a period after which all periods that matter have been seen
    first = int(cells["index"].min()) if len(cells) else runs.last
    if newest < first:
        raise InsufficientDataError(
            f"a return within {within} periods of {period} needs {within + 1} complete periods before "
            f"{day_text(as_of)}, the log holds {max(runs.last - first + 1, 0) if len(cells) else 0}. "
            "Use a smaller within, a shorter period, or a later as_of."
        )
    size = newest - first + 1
    index, until, users = (cells[name].to_numpy(dtype=np.int64) for name in ("index", "until", "users"))
    # A user who orders at i and next at i + u has the gaps 0 to u - 1, as far as they are seen; a return within h
    # happens at the gaps u - h to u - 1. Both are stretches of gaps: add at the start, take off after the end.
    seen = newest - index + 1
    at_risk, returned = np.zeros(size + 1, dtype=np.int64), np.zeros(size + 1, dtype=np.int64)
    ends = np.minimum(until, seen)
    held = ends > 0
    at_risk[0] += users[held].sum()
    np.add.at(at_risk, ends[held], -users[held])
    starts = np.minimum(np.maximum(until - within, 0), np.maximum(ends, 0))
    np.add.at(returned, starts[held], users[held])
    np.add.at(returned, ends[held], -users[held])
    at_risk, returned = np.cumsum(at_risk)[:size], np.cumsum(returned)[:size]
    low, high = wilson_interval(returned, at_risk)
    table = pd.DataFrame(
        {"gap": np.arange(size), "at_risk": at_risk, "returned": returned, "rate": returned / np.maximum(at_risk, 1)}
    )
    later = _came_back(index, until, users, last=runs.last, size=size)
    return table.assign(low=low, high=high, came_back=later)[at_risk > 0].reset_index(drop=True)


def _came_back(
    index: NDArray[np.int64], until: NDArray[np.int64], users: NDArray[np.int64], *, last: int, size: int
) -> NDArray[np.float64]:
    """Share of those at each gap who order again later: 1 less the product of the chances to stay away."""
    # At the gap g a user is seen to order or to stay away in the next period if that lies within the log.
    seen = np.minimum(until - 1, last - index - 1) + 1
    at_gap, left = np.zeros(size + 1, dtype=np.int64), np.zeros(size + 1, dtype=np.int64)
    held = seen > 0
    at_gap[0] += users[held].sum()
    np.add.at(at_gap, np.minimum(seen[held], size), -users[held])
    at_gap = np.cumsum(at_gap)[:size]
    came = (until <= last - index) & (until - 1 < size)
    np.add.at(left, until[came] - 1, users[came])
    stay = 1.0 - left[:size] / np.maximum(at_gap, 1)
    # From the longest gap backwards: the chance to stay away at this gap and at all longer ones.
    return np.asarray(1.0 - np.cumprod(stay[::-1])[::-1], dtype=np.float64)
