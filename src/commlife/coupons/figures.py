"""Figures of coupons: what a budget brings, and who gets less off, drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._figures.axes import drawn, finish, new_axes
from commlife._figures.colours import ACCENT, BAD, INK, QUIET
from commlife._text.labels import Language, check_language
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.coupons.allocation import Allocation

__all__ = ["plot_fairness", "plot_frontier"]

#: Rows of a fairness audit that are drawn.
MOST_ROWS = 40
_FRONTIER = {
    "en": {
        "budget": "budget",
        "value": "value of the best plan, as estimated",
        "price": "+1 brings {price:.3g}",
        "title": "Half of the value for {share:.0%} of the money",
        "plan": "the plan",
    },
    "zh": {
        "budget": "预算",
        "value": "最优方案的价值（估计）",
        "price": "预算 +1 带来 {price:.3g}",
        "title": "用 {share:.0%} 的预算得到一半的价值",
        "plan": "本方案",
    },
}
_FAIRNESS = {
    "en": {
        "across": "mean discount offered on the same basket",
        "title": "{found} of {of} groups get less than the others",
        "below": "hatched: less, plain colour: more, grey: within chance",
    },
    "zh": {
        "across": "同一购物篮的平均优惠",
        "title": "{of} 组中有 {found} 组得到的优惠少于其他用户",
        "below": "斜线：较少，纯色：较多，灰色：属随机波动",
    },
}


@drawn
def plot_frontier(
    curve: pd.DataFrame, *, plan: Allocation | None = None, ax: Axes | None = None, lang: Language = "en"
) -> Axes:
    """Value against budget, with the price of one more unit of money.

    Args:
        curve: What :func:`~commlife.coupons.frontier` returned.
        plan: A plan to mark on it.
        ax: Where to draw; None: a figure of its own.
        lang: ``"en"`` or ``"zh"``.

    Raises:
        ConfigError: If the frame is no frontier.
    """
    words = _FRONTIER[check_language(lang)]
    missing = {"budget", "value", "shadow_price"} - set(_columns(curve))
    if missing:
        raise ConfigError(
            f"plot_frontier draws what frontier() returned; the frame lacks {sorted(missing)}. Give that frame whole."
        )
    ax = new_axes(ax, 6.5, 4)
    ax.plot(curve["budget"], curve["value"], color=ACCENT, lw=2)
    ax.xaxis.set_major_formatter("{x:,.10g}")
    ax.yaxis.set_major_formatter("{x:,.10g}")
    ax.set_xlabel(words["budget"])
    ax.set_ylabel(words["value"])
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    shown = np.unique(np.linspace(0, len(curve) - 1, 6).astype(np.intp))[1:-1]
    for row in curve.iloc[shown].to_dict("records"):
        ax.annotate(
            words["price"].format(price=row["shadow_price"]),
            (row["budget"], row["value"]),
            xytext=(6, -14),
            textcoords="offset points",
            fontsize=8,
            color=QUIET,
        )
    half = curve[curve["value"] >= 0.5 * curve["value"].iloc[-1]]["budget"].iloc[0]
    share = half / curve["budget"].iloc[-1] if curve["budget"].iloc[-1] > 0 else 0.0
    title = words["title"].format(share=share)
    if plan is not None:
        ax.plot([plan.cost], [plan.value], "D", color=BAD, ms=7)
        ax.annotate(words["plan"], (plan.cost, plan.value), xytext=(10, -4), textcoords="offset points", color=BAD)
    return finish(ax, title)


@drawn
def plot_fairness(audit: pd.DataFrame, *, ax: Axes | None = None, lang: Language = "en") -> Axes:
    """The discount offered on the same basket, by level of each attribute.

    Args:
        audit: What :func:`~commlife.coupons.fairness_audit` returned.
        ax: Where to draw; None: a figure of its own.
        lang: ``"en"`` or ``"zh"``.

    Raises:
        ConfigError: If the frame is no audit, or has more than 40 rows.
    """
    words = _FAIRNESS[check_language(lang)]
    needed = {"attribute", "level", "users", "mean_discount", "difference", "q_value"}
    missing = needed - set(_columns(audit))
    if missing or not 0 < len(audit) <= MOST_ROWS:
        raise ConfigError(
            f"plot_fairness draws 1 to {MOST_ROWS} rows of fairness_audit(); "
            + (f"the frame lacks {sorted(missing)}." if missing else f"seen {len(audit)}. Choose attributes.")
        )
    ax = new_axes(ax, 7.5, 1.4 + 0.34 * len(audit))
    place = np.arange(len(audit))
    clear = (audit["q_value"] < 0.05).to_numpy()
    less = (audit["difference"] < 0).to_numpy()
    colours = np.where(clear, np.where(less, BAD, ACCENT), QUIET)
    bars = ax.barh(place, audit["mean_discount"], color=colours, height=0.7)
    for bar, mark in zip(bars, np.where(clear & less, "///", ""), strict=True):
        bar.set_hatch(str(mark))
        bar.set_edgecolor("white")
    ax.bar_label(bars, fmt="{:.2f}", padding=3, fontsize=8)
    names = [f"{a}: {b}  ({n:,})" for a, b, n in zip(audit["attribute"], audit["level"], audit["users"], strict=True)]
    ax.set_yticks(place, names)
    ax.set_ylim(len(audit) - 0.4, -0.6)
    changes = np.flatnonzero(audit["attribute"].to_numpy()[1:] != audit["attribute"].to_numpy()[:-1])
    for change in changes:
        ax.axhline(change + 0.5, color=INK, lw=0.5)
    ax.set_xlabel(words["across"])
    found = int((clear & less).sum())
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    return finish(
        ax,
        words["title"].format(found=found, of=len(audit)),
        below=words["below"],
    )


def _columns(table: Any) -> list[str]:
    """Names of the columns of a pandas frame; none for anything else."""
    return list(map(str, table.columns)) if isinstance(table, pd.DataFrame) else []
