"""Figures of segments over time: states, flows and returns; drawn from results, never from logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.colours import ACCENT, BASE, INK, STATES
from commlife._figures.fonts import drawable, families
from commlife._text import label
from commlife.segments._canvas import axes, plain

if TYPE_CHECKING:
    from commlife._text import Language
    from commlife.orders.calendar import Period
    from commlife.segments.lifecycle import FittedLifecycle
    from commlife.segments.returns import ReturnCurve

__all__ = ["draw_flows", "draw_lifecycle", "draw_returns"]

_BELOW = ("silent", "churned")
_LIFE = {
    "en": ("Base of {base:,} users ({change:+,} in the last period), {silent:,} silent, {churned:,} churned",
           "users (below the line: not in the base)"),
    "zh": ("活跃用户 {base:,}（较上期 {change:+,}），沉默 {silent:,}，流失 {churned:,}",
           "用户数（横线以下：不在活跃用户中）"),
}  # fmt: skip
_FLOWS = {
    "en": ("Into and out of the base: {came:,} came and {left:,} left in the last period",
           "users in and out of the base", "change of the base"),
    "zh": ("流入与流出：最近一期流入 {came:,}，流出 {left:,}", "流入与流出的用户数", "活跃用户净变化"),
}  # fmt: skip
#: Periods of flows that are drawn.
_RECENT = 26


def draw_lifecycle(life: FittedLifecycle, ax: Any = None) -> Any:
    """The states over time: the base stacked above the line, who is silent or churned below it."""
    ax, lang = axes(ax, (8.0, 4.4)), drawable(life.spec.lang)
    stocks = life.counts.groupby(["period", "state"], sort=True)["users"].sum().unstack("state")
    at = np.arange(len(stocks))
    _stack(ax, at, {state: stocks[state].to_numpy(dtype=float) for state in BASE}, lang, up=True)
    _stack(ax, at, {state: stocks[state].to_numpy(dtype=float) for state in _BELOW}, lang, up=False)
    base = stocks[list(BASE)].sum(axis=1).to_numpy()
    title, side = _LIFE[lang]
    change = int(base[-1] - base[-2]) if len(base) > 1 else 0
    told = title.format(
        base=int(base[-1]),
        change=change,
        silent=int(stocks["silent"].iloc[-1]),
        churned=int(stocks["churned"].iloc[-1]),
    )
    _over_time(ax, at, stocks.index, side, told)
    return ax


def draw_flows(life: FittedLifecycle, ax: Any = None) -> Any:
    """The flows over time: new, returned and existing users above the line, lapsed below, their balance as a line."""
    ax, lang = axes(ax, (8.0, 4.4)), drawable(life.spec.lang)
    names = [name for name in ("returned", "existing", "new") if name in life.growth.columns]
    # Half a year of weeks: where a log begins everybody comes in at once, and nothing else could be seen.
    flows = life.growth.groupby("period")[[*names, "lapsed"]].sum().tail(_RECENT)
    at = np.arange(len(flows))
    _stack(ax, at, {name: flows[name].to_numpy(dtype=float) for name in names}, lang, up=True)
    _stack(ax, at, {"lapsed": flows["lapsed"].to_numpy(dtype=float)}, lang, up=False)
    title, side, balance = _FLOWS[lang]
    came, left = flows[names].sum(axis=1).to_numpy(), flows["lapsed"].to_numpy()
    ax.plot(at, came - left, color=INK, marker="o", markersize=3.5, linewidth=1.4, label=balance)
    _over_time(ax, at, flows.index, side, title.format(came=int(came[-1]), left=int(left[-1])))
    return ax


def _stack(ax: Any, at: Any, series: dict[str, Any], lang: Language, *, up: bool) -> None:
    """Bars on bars, away from the line; what never occurs is left out."""
    so_far = np.zeros(len(at))
    for state, users in series.items():
        if users.any():
            signed, begin = (users, so_far) if up else (-users, -so_far)
            ax.bar(
                at, signed, bottom=begin, width=0.88, color=STATES[state], label=label(state, lang), edgecolor="white",
                linewidth=0.4,
            )  # fmt: skip
        so_far = so_far + users


def _over_time(ax: Any, at: Any, periods: Any, side: str, title: str) -> None:
    step = max(1, -(-len(at) // 9))
    shown = at[::-1][::step][::-1]  # the newest period always has its day
    ax.set_xticks(shown, [f"{periods[k]:%Y-%m-%d}" for k in shown], rotation=30, ha="right", fontsize=8.5)
    ax.axhline(0, color=INK, linewidth=0.9)
    ax.margins(x=0.01)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    ax.yaxis.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.set_ylabel(side, fontsize=9, family=families())
    plain(ax, title)
    ax.legend(
        frameon=False,
        fontsize=9,
        ncols=6,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        prop={"family": families(), "size": 9},
    )


_RETURNS = {
    "en": {"within": "orders within {n} periods", "later": "orders again, as far as followed",
           "across": "periods of {period} since the last order", "always": "A return stays likelier than not",
           "half": "From {gap} periods on a return is less likely than not"},
    "zh": {"within": "{n} 期内再次下单", "later": "此后再次下单（以可跟踪的期数为限）",
           "across": "距上次下单的期数（每期 {period}）", "always": "回购的可能性始终过半",
           "half": "沉默满 {gap} 期后，回购的可能性不足一半"},
}  # fmt: skip


def draw_returns(curve: ReturnCurve, ax: Any = None, *, lang: Language = "en") -> Any:
    """How the chance of a return falls with the silence, with its interval, and who came back in the end."""
    lang = drawable(lang)
    table, words = curve.table, _RETURNS[lang]
    ax = axes(ax, (7.0, 4.0))
    ax.fill_between(table["gap"], table["low"] * 100, table["high"] * 100, color=ACCENT, alpha=0.18, linewidth=0)
    within = words["within"].format(n=curve.within)
    ax.plot(table["gap"], table["rate"] * 100, color=ACCENT, marker="o", markersize=4, label=within)
    ax.plot(
        table["gap"], table["came_back"] * 100, color=INK, linestyle="--", linewidth=1.3, label=words["later"]
    )  # fmt: skip
    ax.set_ylim(0, 100)
    ax.yaxis.set_major_formatter("{x:.0f}%")
    ax.yaxis.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    ax.set_xlabel(words["across"].format(period=period_said(curve.period, lang)), family=families())
    ax.legend(frameon=False, prop={"family": families(), "size": 9})
    half = curve.threshold(0.5)
    plain(ax, words["always"] if half is None else words["half"].format(gap=half))
    return ax


_PERIODS = {"week": "一周", "month": "一个月", "quarter": "一个季度"}


def period_said(period: Period, lang: Language) -> str:
    """A period as the language says it: ``7D`` is ``7 天``."""
    text = str(period)
    if lang == "en":
        return text
    return _PERIODS.get(text) or f"{text.removesuffix('D')} 天"
