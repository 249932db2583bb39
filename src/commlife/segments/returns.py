"""Returns: how likely a user is to order again after so many periods of silence, learned from the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._stats.wilson import wilson_interval
from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.flows import NEVER, Runs, activity_runs
from commlife.orders.calendar import Period, Timestamp, day_number, day_text

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["ReturnCurve", "return_curve", "returns_by_gap"]


@dataclass(frozen=True)
class ReturnCurve:
    """Return probability by the length of the silence.

    Attributes:
        table: A row a gap (periods since the last order, 0 = ordered in the newest one): ``gap``, ``at_risk`` (users
            times ends of periods at which the gap was that long, with ``within`` further periods seen), ``returned``
            (of them, ordered within the next ``within`` periods), ``rate``, ``low``, ``high`` (95% Wilson; users are
            counted once for each of their silences, so read the interval as a lower bound on the uncertainty).
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
        ['gap', 'at_risk', 'returned', 'rate', 'low', 'high']
    """
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
    return table.assign(low=low, high=high)[at_risk > 0].reset_index(drop=True)
