"""Figures of cohorts: the heat map and the curves, drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.cohorts.alerts import RetentionAlerts
    from commlife.cohorts.curve import RetentionCurve
    from commlife.cohorts.planner import GrowthPlan
    from commlife.cohorts.table import CohortTable

__all__ = ["alert_history", "curve_lines", "heat_map", "plan_bars"]

_MOST_LABELLED = 600


def heat_map(table: CohortTable, column: str, *, group: Any, ax: Axes | None) -> Axes:
    """Cohorts down, ages across; see :meth:`CohortTable.plot`."""
    from matplotlib import pyplot as plt

    wide = table.wide(column)
    if table.question.by:
        groups = list(dict.fromkeys(label[0] if len(label) == 2 else label[:-1] for label in wide.index))
        if group not in groups:
            raise ConfigError(f"group is one of {groups!r:.200}; seen {group!r:.60}.")
        wide = wide.loc[group]
    if ax is None:
        size = (2 + 0.5 * wide.shape[1], 1.5 + 0.3 * wide.shape[0])
        ax = plt.subplots(figsize=(min(size[0], 20), min(size[1], 20)), layout="constrained")[1]
    values = np.ma.masked_invalid(wide.to_numpy())
    # Age 0 of a retention table is 1 by definition: it would use up the colours.
    compared = values[:, 1:] if values.shape[1] > 1 and column == "rate" else values
    top = compared.max() if compared.count() else 1.0
    is_share = bool(table.cells["low"].notna().any())
    image = ax.pcolormesh(values, cmap="Blues", vmin=0, vmax=top, edgecolors="white", linewidth=0.5)
    ax.invert_yaxis()
    ax.set_xticks(np.arange(wide.shape[1]) + 0.5, [str(age) for age in wide.columns])
    ax.set_yticks(np.arange(wide.shape[0]) + 0.5, [str(label)[:10] for label in wide.index.get_level_values("cohort")])
    ax.set_xlabel(f"age ({table.question.period})")
    ax.set_ylabel("cohort")
    ax.set_title(f"{table.question.measured}: {column}" + (f", {group}" if table.question.by else ""))
    if values.size <= _MOST_LABELLED:
        for row, age in np.argwhere(~np.ma.getmaskarray(values)):
            value = values[row, age]
            text = f"{value:.0%}" if column == "rate" and is_share else f"{value:,.4g}"
            colour = "white" if value > 0.6 * top else "black"
            ax.text(age + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    ax.figure.colorbar(image, ax=ax)
    return ax


def alert_history(alerts: RetentionAlerts, alert: int, *, ax: Axes | None) -> Axes:
    """The history of an alerted cell; see :meth:`RetentionAlerts.plot`."""
    from matplotlib import pyplot as plt

    from commlife.cohorts.drill import cells_behind

    row = alerts.row(alert)
    history, newest = cells_behind(alerts, row)
    if ax is None:
        ax = plt.subplots(figsize=(8, 3.5), layout="constrained")[1]
    days = history["cohort"].to_numpy()
    ax.fill_between(days, history["low"], history["high"], color="0.85", label="95% interval of a cohort")
    ax.plot(days, history["rate"], color="0.4", marker=".", label="history")
    ax.axhline(row["expected"], color="0.4", linestyle="--", linewidth=1, label="expected")
    ends = [[newest["rate"] - newest["low"]], [newest["high"] - newest["rate"]]]
    ax.errorbar([newest["cohort"]], [newest["rate"]], yerr=ends, color="firebrick", marker="o", label=row["direction"])
    ax.set_ylabel(f"{alerts.table.question.measured} at age {row['age']}")
    ax.set_title(f"{row['group']}: {row['observed']:.1%}, expected {row['expected']:.1%} (q = {row['q_value']:.2g})")
    ax.legend(loc="best", fontsize=8)
    return ax


def plan_bars(plan: GrowthPlan, *, ax: Axes | None) -> Axes:
    """Money now and planned; see :meth:`GrowthPlan.plot`."""
    from matplotlib import pyplot as plt

    table = plan.levers
    if ax is None:
        ax = plt.subplots(figsize=(7, 1 + 0.25 * len(table)), layout="constrained")[1]
    place = np.arange(len(table))
    ax.barh(place - 0.2, table["now"], height=0.4, color="0.7", label="now")
    colours = np.where(table["extrapolated"], "darkorange", "steelblue")
    ax.barh(place + 0.2, table["planned"], height=0.4, color=list(colours), label="planned (orange: not seen yet)")
    ax.set_yticks(place, [f"{group}: {lever}" for group, lever in zip(table["group"], table["lever"], strict=True)])
    ax.invert_yaxis()
    ax.set_xlabel("money a period")
    ax.legend(fontsize=8)
    return ax


def curve_lines(curve: RetentionCurve, *, ax: Axes | None) -> Axes:
    """What was seen and what is projected; see :meth:`RetentionCurve.plot`."""
    from matplotlib import pyplot as plt

    if ax is None:
        ax = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    by = list(curve.by)
    groups = curve.curve.groupby(by, dropna=False, sort=True) if by else [("all", curve.curve)]
    for place, (name, mine) in enumerate(groups):
        label = ", ".join(str(part) for part in name) if isinstance(name, tuple) else str(name)
        colour = f"C{place % 10}"
        ax.plot(mine["age"], mine["projected"], color=colour, label=label)
        ax.fill_between(mine["age"], mine["projected_low"], mine["projected_high"], color=colour, alpha=0.2)
        ends = [mine["observed"] - mine["low"], mine["high"] - mine["observed"]]
        ax.errorbar(mine["age"], mine["observed"], yerr=ends, color=colour, marker="o", markersize=3, linestyle="none")
    ax.set_xlabel("age")
    ax.set_ylabel("share with an order in every period so far")
    ax.set_ylim(0, 1.02)
    ax.legend(fontsize=8)
    return ax
