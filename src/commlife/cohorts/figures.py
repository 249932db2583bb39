"""Figures of cohorts: the heat map and the curves, drawn from results alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import drawn, finish, letters_on, new_axes
from commlife._figures.colours import ACCENT, BAD, GOOD, QUIET
from commlife.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from commlife.cohorts.alerts import RetentionAlerts
    from commlife.cohorts.curve import RetentionCurve
    from commlife.cohorts.growth_plan import GrowthPlan
    from commlife.cohorts.table import CohortTable

__all__ = ["alert_history", "curve_lines", "drill_bars", "heat_map", "plan_bars"]

_MOST_LABELLED = 600
#: Lines told apart by colour (after Okabe & Ito 2008), and without it by stroke and marker.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_STROKES, _MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P", "X")


@drawn
def heat_map(table: CohortTable, column: str, *, group: Any, ax: Axes | None) -> Axes:
    """Cohorts down, ages across; see :meth:`CohortTable.plot`."""
    wide = table.wide(column)
    if table.question.by:
        groups = list(dict.fromkeys(label[0] if len(label) == 2 else label[:-1] for label in wide.index))
        if group not in groups:
            raise ConfigError(f"group is one of {groups!r:.200}; seen {group!r:.60}.")
        wide = wide.loc[group]
    ax = new_axes(ax, min(2 + 0.5 * wide.shape[1], 20), min(1.5 + 0.3 * wide.shape[0], 20))
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
    shown = table.question.measured + ("" if column == "rate" else f": {column}")
    if values.size <= _MOST_LABELLED:
        for row, age in np.argwhere(~np.ma.getmaskarray(values)):
            value = values[row, age]
            text = f"{value:.0%}" if column == "rate" and is_share else f"{value:,.4g}"
            colour = letters_on(image, value)
            ax.text(age + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    ax.figure.colorbar(image, ax=ax, format="{x:.0%}" if column == "rate" and is_share else None)
    ax.tick_params(length=0)
    return finish(ax, f"{shown.capitalize()} by cohort and age" + (f", {group}" if table.question.by else ""))


@drawn
def alert_history(alerts: RetentionAlerts, alert: int, *, ax: Axes | None) -> Axes:
    """The history of an alerted cell; see :meth:`RetentionAlerts.plot`."""
    from commlife.cohorts.drill import cells_behind

    row = alerts.row(alert)
    history, newest = cells_behind(alerts, row)
    ax = new_axes(ax, 8, 3.5)
    days = history["cohort"].to_numpy()
    ax.fill_between(days, history["low"], history["high"], color="0.85", label="95% interval of each cohort")
    ax.plot(days, history["rate"], color="0.4", marker=".", label="history")
    ax.axhline(row["expected"], color="0.4", linestyle="--", linewidth=1, label="expected")
    ends = [[newest["rate"] - newest["low"]], [newest["high"] - newest["rate"]]]
    ax.errorbar(
        [newest["cohort"]],
        [newest["rate"]],
        yerr=ends,
        color=BAD if row["direction"] == "drop" else GOOD,
        marker="D",
        label=row["direction"],
    )
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.tick_params(axis="x", rotation=30)
    ax.set_xlabel("cohort")
    ax.set_ylabel(f"{alerts.table.question.measured} at age {row['age']}")
    ax.legend(loc="best", fontsize=8)
    return finish(
        ax, f"{row['group']}: {row['observed']:.1%}, expected {row['expected']:.1%} (q = {row['q_value']:.2g})"
    )


@drawn
def drill_bars(parts: pd.DataFrame, *, most: int, ax: Axes | None) -> Axes:
    """Who stands behind an alert; see :meth:`RetentionAlerts.plot_drill`."""
    parts = parts.head(most)
    ax = new_axes(ax, 8, 1.2 + 0.35 * len(parts))
    place = np.arange(len(parts))
    start = np.zeros(len(parts))
    for column, colour, hatch, told in (
        ("rate_points", BAD, "", "came back at another rate"),
        ("mix_points", QUIET, "//", "are more or fewer of the cohort"),
    ):
        points = parts[column].to_numpy()
        same = np.sign(points) == np.sign(start)
        ax.barh(
            place, points, left=np.where(same, start, 0.0), color=colour, hatch=hatch, edgecolor="white", label=told
        )
        start = np.where(same, start + points, points)
    for row, (_, part) in enumerate(parts.iterrows()):
        before = "none" if np.isnan(part["rate_before"]) else f"{part['rate_before']:.0%}"
        now = "none" if np.isnan(part["rate"]) else f"{part['rate']:.0%}"
        right = sum(max(part[name], 0.0) for name in ("rate_points", "mix_points"))
        ax.annotate(f" {part['size']:,.0f} users, {before} to {now}", (right, row), va="center", fontsize=7)
    ax.set_yticks(place, [f"{part['by']}: {part['value']}" for _, part in parts.iterrows()])
    ax.invert_yaxis()
    ax.margins(x=0.3)
    ax.axvline(0.0, color="0.3", linewidth=0.8)
    ax.set_xlabel("points of the change")
    first = parts.iloc[0]
    ax.legend(fontsize=8, loc="lower left")
    return finish(ax, f"{first['group']}, age {first['age']}: whose return made the change, largest first")


@drawn
def plan_bars(plan: GrowthPlan, *, ax: Axes | None) -> Axes:
    """Money now and planned; see :meth:`GrowthPlan.plot`."""
    table = plan.levers
    ax = new_axes(ax, 7, 1 + 0.25 * len(table))
    place = np.arange(len(table))
    ax.barh(place - 0.2, table["now"], height=0.4, color="0.7", label="now")
    beyond = table["extrapolated"].to_numpy(dtype=bool)
    for chosen, colour, hatch, told in ((~beyond, ACCENT, "", "planned"), (beyond, BAD, "//", "planned, not seen yet")):
        if not chosen.any():
            continue
        money = table["planned"].to_numpy()[chosen]
        ax.barh(place[chosen] + 0.2, money, height=0.4, color=colour, hatch=hatch, edgecolor="white", label=told)
    ax.set_yticks(place, [f"{group}: {lever}" for group, lever in zip(table["group"], table["lever"], strict=True)])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("money a period")
    ax.legend(fontsize=8)
    return finish(ax, "What is spent now, and what the plan spends")


@drawn
def curve_lines(curve: RetentionCurve, *, ax: Axes | None) -> Axes:
    """What was seen and what is projected; see :meth:`RetentionCurve.plot`."""
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, 7, 4)
    by = list(curve.by)
    groups = curve.curve.groupby(by, dropna=False, sort=True) if by else [("all", curve.curve)]
    for place, (name, mine) in enumerate(groups):
        parts = name if isinstance(name, tuple) else (name,)
        label = ", ".join(f"{part:%Y-%m-%d}" if isinstance(part, dt.datetime) else str(part) for part in parts)
        colour = _COLOURS[place % len(_COLOURS)]
        stroke, marker = _STROKES[place % len(_STROKES)], _MARKERS[place % len(_MARKERS)]
        ax.plot(mine["age"], mine["projected"], color=colour, linestyle=stroke)
        ax.fill_between(mine["age"], mine["projected_low"], mine["projected_high"], color=colour, alpha=0.2)
        ends = [mine["observed"] - mine["low"], mine["high"] - mine["observed"]]
        ax.errorbar(
            mine["age"],
            mine["observed"],
            yerr=ends,
            color=colour,
            marker=marker,
            markersize=4,
            linestyle="none",
            label=label,
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("age")
    ax.set_ylabel("share with an order in every period so far")
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter("{x:.0%}")
    if by:
        ax.legend(fontsize=8)
    return finish(ax, "Seen (points) and projected (lines), with 95% intervals")
