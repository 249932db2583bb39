"""Panel: what came of each community in each period, on a grid in which a campaign begins and ends with a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.flows import NEVER, activity_runs, stocks_and_flows
from commlife.metrics import business_metrics
from commlife.orders.calendar import Duration, Period, complete_until, day_text

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["OUTCOMES", "Panel", "Window", "read_panel"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

OUTCOMES = ("gmv", "arppu", "new_payers", "returned")


@dataclass(frozen=True, slots=True)
class Window:
    """A campaign on its grid of days: first day, the day after its last, length of a period, periods before it."""

    start: int
    end: int
    days: int
    before: int

    @property
    def during(self) -> int:
        """Periods of the campaign."""
        return (self.end - self.start) // self.days


@dataclass(frozen=True, slots=True)
class Panel:
    """Numerators and denominators of every outcome, (groups, periods), over the complete periods.

    Attributes:
        groups: Values of the attribute, in order.
        starts: First day of each period.
        start: Column in which the campaign begins.
        top: Numerator of each outcome.
        bottom: Denominator of each outcome, None where the outcome is a sum.
        known_from: For each outcome the first column in which it can be known.
    """

    groups: list[Any]
    starts: np.ndarray[Any, np.dtype[np.datetime64]]
    start: int
    top: dict[str, Floats]
    bottom: dict[str, Floats | None]
    known_from: dict[str, int]

    def series(self, outcome: str, rows: Any) -> Floats:
        """One series of an outcome: of these rows together, null where the denominator is 0."""
        top, bottom = self.top[outcome][rows].sum(axis=0), self.bottom[outcome]
        if bottom is None:
            return np.asarray(top, dtype=np.float64)
        below = bottom[rows].sum(axis=0)
        return np.asarray(top / np.where(below > 0, below, np.nan), dtype=np.float64)


def read_panel(
    log: OrderLog, window: Window, *, as_of: int, by: str | None, silent_after: int, washout: Duration | None
) -> Panel:
    """Count every outcome by group and period.

    Raises:
        ConfigError: If the campaign is not over at ``as_of``, or the log lacks the column.
        InsufficientDataError: If the log does not reach back before the campaign.
    """
    until = complete_until(as_of, log.observation.until)
    if window.end > until:
        raise ConfigError(
            f"campaign_readout: the campaign ends before {day_text(window.end)}, and only what lies before "
            f"{day_text(until)} has been seen. Use a later as_of, or an earlier end."
        )
    grid = Period(f"{window.days}D")
    anchor = window.end + (until - window.end) // window.days * window.days
    # Of new payers the lifecycle below knows more: who existed before the log, and who is back.
    asked = ("gmv", "payers", "arppu")
    table = business_metrics(log, as_of=day_text(anchor), period=grid, by=by, metrics=asked, n_boot=0).to_frame()
    table = table.loc[table["complete"].to_numpy(dtype=bool)]
    starts = np.sort(table["period"].unique())
    first_day = np.datetime64(day_text(window.start), "us")
    if first_day not in starts or first_day == starts[0]:
        raise InsufficientDataError(
            f"campaign_readout needs complete periods of {window.days} days before the campaign and in it; the log "
            f"holds {len(starts)} in all, the first from {starts[0]!s:.10}. Use a shorter period."
            if len(starts)
            else f"campaign_readout needs complete periods of {window.days} days; the log holds none."
        )
    groups = ["all"] if by is None else sorted(table[by].dropna().unique().tolist())
    column = pd.Series(np.arange(len(starts)), index=starts)
    row = pd.Series(np.arange(len(groups)), index=groups)

    def spread(frame: pd.DataFrame, values: Any) -> Floats:
        filled = np.zeros((len(groups), len(starts)))
        at_row = np.zeros(len(frame)) if by is None else frame[by].map(row).to_numpy(dtype=np.float64)
        at_column = frame["period"].map(column).to_numpy(dtype=np.float64)
        inside = ~np.isnan(at_row) & ~np.isnan(at_column)
        filled[at_row[inside].astype(int), at_column[inside].astype(int)] = np.asarray(values, dtype=float)[inside]
        return filled

    payers = table["payers"].fillna(0.0).to_numpy()
    net = np.round(table["arppu"].fillna(0.0).to_numpy() * payers * log.scale) / log.scale
    names = () if by is None else (by,)
    runs = activity_runs(
        log, anchor, period=grid, silent_after=silent_after, churned_after=NEVER, washout=washout, by=names, warn=False
    )
    flows = stocks_and_flows(
        runs,
        period=grid,
        as_of=anchor,
        silent_after=silent_after,
        churned_after=NEVER,
        by=names,
        what="campaign_readout",
    )
    counted = flows.table({"new": flows.new, "returned": flows.returned})
    known = {"gmv": 0, "arppu": 0, "returned": silent_after + 1}
    known["new_payers"] = 0 if washout is None else -(-washout.days // window.days)
    return Panel(
        groups=groups,
        starts=starts,
        start=int(np.flatnonzero(starts == first_day)[0]),
        top={
            "gmv": spread(table, table["gmv"].fillna(0.0)),
            "arppu": spread(table, net),
            "new_payers": spread(counted, counted["new"]),
            "returned": spread(counted, counted["returned"]),
        },
        bottom={"gmv": None, "arppu": spread(table, payers), "new_payers": None, "returned": None},
        known_from=known,
    )
