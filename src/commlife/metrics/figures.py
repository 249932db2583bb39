"""Figures of metrics: lines over periods; drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from commlife._figures.colours import ACCENT, INK, QUIET
from commlife._text import Language, label
from commlife.errors import ConfigError
from commlife.metrics.definitions import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.metrics.business import BusinessMetrics

__all__ = ["metric_lines"]

#: Groups that get a colour and a name; the others stay grey behind them.
_NAMED_GROUPS = 5
#: Colours and dashes together: told apart in black and white too (after Okabe & Ito 2008).
_LINES = (
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#e69f00", (0, (5, 1, 1, 1, 1, 1))),
)


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def plain(ax: Axes) -> None:
    """No more lines than needed."""
    ax.spines[["top", "right"]].set_visible(False)


def metric_lines(asked: BusinessMetrics, metric: str, *, ax: Axes | None, lang: Language) -> Axes:
    """A metric over the complete periods; see :meth:`BusinessMetrics.plot`."""
    from matplotlib.ticker import PercentFormatter

    if metric not in METRICS or metric not in asked.table:
        raise ConfigError.unknown_name("metric", metric, [name for name in METRICS if name in asked.table])
    table = asked.table[asked.table["complete"]]
    ax = new_axes(ax, 8, 3.6)
    name, share = label(metric, lang), METRICS[metric].unit == "share"
    if asked.by is None:
        told = asked.rates[asked.rates["metric"] == metric].dropna(subset=["low"])
        if len(told):
            ax.fill_between(told["period"], told["low"], told["high"], color="0.88", label="95%")
        ax.plot(table["period"], table[metric], color=ACCENT, marker="o", markersize=3.5)
        ax.set_title(_said(table[metric].to_numpy(), name, share=share, lang=lang), loc="left", color=INK)
    else:
        largest = (
            table.groupby(asked.by, dropna=False)[_weight(asked)].sum().sort_values(ascending=False, kind="stable")
        )
        named = list(largest.index[:_NAMED_GROUPS])
        for group, mine in table.groupby(asked.by, dropna=False):
            if group not in named:
                ax.plot(mine["period"], mine[metric], color="0.85", linewidth=0.8, zorder=1)
        for group, (colour, dash) in zip(named, _LINES, strict=False):
            mine = table[table[asked.by].isna()] if pd.isna(group) else table[table[asked.by] == group]
            ax.plot(mine["period"], mine[metric], color=colour, linestyle=dash, label=str(group), zorder=2)
        ax.legend(fontsize=8, frameon=False, ncols=min(5, len(named)))
        ax.set_title(f"{name}: {label(asked.by, lang)}", loc="left", color=INK)
    if share:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.tick_params(colors=QUIET, labelcolor=INK)
    plain(ax)
    return ax


def _weight(asked: BusinessMetrics) -> str:
    """The column that says which groups are large."""
    for name in ("net", "orders", "payers"):
        if name in asked.table:
            return name
    return next(name for name in asked.table.columns if name in METRICS)


def _said(values: Any, name: str, *, share: bool, lang: Language) -> str:
    """The newest value, and how far it is from the one before."""
    known = values[~pd.isna(values)]
    if not len(known):
        return name
    now = f"{known[-1]:.1%}" if share else f"{known[-1]:,.4g}" if abs(known[-1]) < 100 else f"{known[-1]:,.0f}"
    if len(known) < 2 or known[-2] == 0:
        return f"{name}: {now}"
    change = f"{100 * (known[-1] - known[-2]):+.1f} pp" if share else f"{known[-1] / known[-2] - 1:+.0%}"
    return f"{name}: {now} ({change} {'on the period before' if lang == 'en' else '较上期'})"
