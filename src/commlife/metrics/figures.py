"""Figures of metrics: lines over periods; drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from commlife._figures.axes import finish, new_axes
from commlife._figures.colours import ACCENT, BAD, GOOD, INK, QUIET
from commlife._text import Language, label
from commlife.errors import ConfigError
from commlife.metrics.definitions import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.metrics.business import BusinessMetrics
    from commlife.metrics.elasticity import PriceElasticity
    from commlife.metrics.funnel import Funnel
    from commlife.metrics.revenue_tree import RevenueTree
    from commlife.metrics.viral import KFactor

__all__ = ["elasticity_marks", "funnel_bars", "group_bars", "k_lines", "metric_lines", "waterfall"]

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
        title = _said(table[metric].to_numpy(), name, share=share, lang=lang)
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
        ax.legend(fontsize=8, ncols=min(5, len(named)), loc="upper center", bbox_to_anchor=(0.5, -0.1))
        groups = label(asked.by, lang)
        title = f"{name}（按{groups}）" if lang == "zh" else f"{name} by {groups.lower()}"
    if share:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    else:
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.tick_params(colors=QUIET, labelcolor=INK)
    return finish(ax, title)


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
    told = f"{name}：{now}" if lang == "zh" else f"{name}: {now}"
    if len(known) < 2 or known[-2] == 0:
        return told
    points, relative = 100 * (known[-1] - known[-2]), f"{known[-1] / known[-2] - 1:+.0%}"
    if lang == "zh":
        return f"{told}（较上期 {f'{points:+.1f} 个百分点' if share else relative}）"
    return f"{told} ({f'{points:+.1f} pp' if share else relative} on the period before)"


def waterfall(tree: RevenueTree, *, ax: Axes | None, lang: Language) -> Axes:
    """From the revenue before to the revenue after; see :meth:`RevenueTree.plot`."""
    row, effects = tree.total.iloc[0], tree.effects
    ax = new_axes(ax, 8, 4)
    begin, end = float(row["net_before"]), float(row["net_after"])
    names = ["net_before", *(f"effect_{name}" for name in effects), "net_after"]
    level, tops = begin, [begin]
    ax.bar(0, begin, color="0.75", width=0.62)
    ax.annotate(f"{begin:,.0f}", (0, begin), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    for place, value in enumerate(effects.values(), start=1):
        # Hatched where money was lost: seen in black and white too.
        colour, hatch = (GOOD, "") if value >= 0 else (BAD, "//")
        ax.bar(place, value, bottom=level, width=0.62, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        ax.plot([place - 0.69, place + 0.31], [level, level], color=QUIET, linewidth=0.7)
        level += value
        tops.append(level)
        top = max(level, level - value)
        ax.annotate(f"{value:+,.0f}", (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    last = len(effects) + 1
    ax.plot([last - 0.69, last + 0.31], [level, level], color=QUIET, linewidth=0.7)
    ax.bar(last, end, color="0.75", width=0.62)
    ax.annotate(f"{end:,.0f}", (last, end), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    shown = [label(name, lang) for name in names]
    shown[0] += f"\n{tree.before}"
    shown[-1] += f"\n{tree.after}"
    ax.set_xticks(range(len(names)), shown)
    lowest, highest = min(tops), max(tops)
    # The bars begin at 0 unless that would hide the parts; a broken axis says so.
    if lowest > 0 and (highest - lowest) < 0.25 * highest:
        floor = lowest - 0.6 * (highest - lowest)
        ax.set_ylim(floor, highest + 0.25 * (highest - lowest))
        note = f"axis begins at {floor:,.0f}" if lang == "en" else f"纵轴从 {floor:,.0f} 起"
        ax.set_ylabel(note, fontsize=8, color=QUIET)
    else:
        ax.margins(y=0.12)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.tick_params(colors=QUIET, labelcolor=INK)
    return finish(ax, _change_said(tree, lang))


def _change_said(tree: RevenueTree, lang: Language) -> str:
    """The change, and its largest part."""
    row = tree.total.iloc[0]
    change, base = float(row["change"]), float(row["net_before"])
    largest = max(tree.effects, key=lambda name: abs(tree.effects[name]))
    brackets = "（{}）" if lang == "zh" else " ({})"
    share = brackets.format(f"{change / base:+.1%}") if base > 0 else ""
    part = label(f"effect_{largest}", lang)
    if lang == "zh":
        return f"净收入 {change:+,.0f}{share}，其中最大的是{part} {tree.effects[largest]:+,.0f}"
    return f"Net revenue {change:+,.0f}{share}; the largest part is {part.lower()}, {tree.effects[largest]:+,.0f}"


#: How each part of a change is drawn: colour and hatch.
_PARTS = {
    "payers": ("#0072b2", ""),
    "mix": ("#cc79a7", "xx"),
    "frequency": ("#e69f00", "//"),
    "order_value": ("#009e73", ".."),
    "other": ("#999999", ""),
}
_BARS = 12


def group_bars(tree: RevenueTree, *, ax: Axes | None, lang: Language) -> Axes:
    """The parts of the largest changes, a bar a group; see :meth:`RevenueTree.plot`."""
    if tree.by is None:
        raise ConfigError(
            'by_group=True needs a tree with groups: revenue_tree(..., by="community").'
            " Make one, or leave by_group out."
        )
    shown = tree.table.head(_BARS).iloc[::-1].reset_index(drop=True)
    ax = new_axes(ax, 8, 1.4 + 0.36 * len(shown))
    up, down = [0.0] * len(shown), [0.0] * len(shown)
    for name in tree.effects:
        colour, hatch = _PARTS[name]
        for place, value in enumerate(shown[name]):
            at = up if value >= 0 else down
            ax.barh(place, value, left=at[place], color=colour, hatch=hatch, edgecolor="white", linewidth=0, height=0.7)
            at[place] += value
        ax.bar(0, 0, color=colour, hatch=hatch, edgecolor="white", label=label(f"effect_{name}", lang))
    ax.plot(shown["change"], range(len(shown)), linestyle="none", marker="D", color=INK, markersize=4,
            label="Change" if lang == "en" else "变动")  # fmt: skip
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.04)
    ax.set_yticks(range(len(shown)), [str(group) for group in shown[tree.by]])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+,.10g}" if value else "0")
    ax.tick_params(colors=QUIET, labelcolor=INK)
    ax.legend(fontsize=8, frameon=False, ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    return finish(ax, _change_said(tree, lang))


def funnel_bars(way: Funnel, group: Any, *, ax: Axes | None, lang: Language) -> Axes:
    """A bar a step; see :meth:`Funnel.plot`."""
    table = way.table
    if group is not None:
        if way.by is None or not (table[way.by] == group).any():
            names = [] if way.by is None else table[way.by].drop_duplicates().tolist()
            raise ConfigError(f"group is one of {names!r:.200}; seen {group!r:.60}.")
        table = table[table[way.by] == group]
    counts = table.groupby("step", sort=False)[["users", "maturing"]].sum().reindex(list(way.steps))
    users = counts["users"].to_numpy()
    ax = new_axes(ax, 8, 0.9 + 0.62 * len(users))
    places = range(len(users))
    ax.barh(places, users, color=ACCENT, height=0.62)
    for place, n in enumerate(users):
        of_first = f"{n / users[0]:.1%}" if users[0] else ""
        ax.annotate(
            f"{n:,}  {of_first}", (n, place), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK
        )
        if place:
            before = users[place - 1]
            said = "" if not before else f"↓ {n / before:.1%}"
            ax.annotate(
                said, (0, place - 0.5), (6, 0), textcoords="offset points", va="center", fontsize=8, color=QUIET
            )
    ax.set_yticks(places, list(way.steps))
    ax.invert_yaxis()
    ax.set_xlim(0, max(float(users[0]), 1.0) * 1.18)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.tick_params(colors=QUIET, labelcolor=INK)
    return finish(ax, _loss_said(way, users, lang))


def _loss_said(way: Funnel, users: Any, lang: Language) -> str:
    """The step at which most of those before it were lost."""
    rates = [(users[k] / users[k - 1], k) for k in range(1, len(users)) if users[k - 1]]
    if not rates:
        return "Nobody's time is up yet" if lang == "en" else "尚无用户走完观察期"
    rate, k = min(rates)
    if lang == "zh":
        return f"流失最多：{way.steps[k - 1]} → {way.steps[k]}，{rate:.1%} 走到下一步"
    return f"Most are lost from {way.steps[k - 1]} to {way.steps[k]}: {rate:.1%} go on"


def k_lines(viral: KFactor, *, ax: Axes | None, lang: Language) -> Axes:
    """K over cohorts; see :meth:`KFactor.plot`."""
    table = viral.table[viral.table["complete"]]
    ax = new_axes(ax, 8, 3.6)
    ax.fill_between(table["period"], table["k_low"], table["k_high"], color="0.88")
    ax.plot(table["period"], table["k"], color=ACCENT, marker="o", markersize=3.5)
    highest = float(table[["k", "k_high"]].max().max()) if len(table) else 0.0
    if highest > 0.5:
        ax.axhline(1.0, color=BAD, linewidth=1, linestyle="--")
        note = "1: grows by invitations alone" if lang == "en" else "1：仅靠邀请即可增长"
        ax.annotate(
            note,
            (0, 1),
            (4, -10),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=8,
            color=BAD,
        )
    ax.set_ylim(bottom=0)
    ax.tick_params(colors=QUIET, labelcolor=INK)
    said = f"{viral.k:.2f}" if viral.k == viral.k else "–"
    return finish(
        ax,
        f"K 因子 {said}：每位新用户在 {viral.window[:-1]} 天内带来的新用户"
        if lang == "zh"
        else f"K factor {said}: users brought by each new user within {viral.window[:-1]} days",
    )


def elasticity_marks(found: PriceElasticity, top: int, *, ax: Axes | None, lang: Language) -> Axes:
    """Elasticities with their intervals; see :meth:`PriceElasticity.plot`."""
    shown = found.table.head(top).iloc[::-1].reset_index(drop=True)
    ax = new_axes(ax, 8, 1.3 + 0.28 * len(shown))
    places = range(len(shown))
    ax.hlines(places, shown["low"], shown["high"], color=QUIET, linewidth=1.4)
    ax.plot(shown["elasticity"], places, linestyle="none", marker="o", color=ACCENT, markersize=5)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.axvline(-1, color=QUIET, linewidth=0.8, linestyle="--")
    note = "-1: same revenue at any price" if lang == "en" else "-1：价格变动而收入不变"
    ax.annotate(note, (-1, 1), (-4, 2), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8,
                color=QUIET, ha="right")  # fmt: skip
    ax.set_yticks(places, [str(name) for name in shown[found.level]])
    ax.tick_params(colors=QUIET, labelcolor=INK)
    ax.set_xlabel(
        "elasticity: % of units that went with 1% of price, 95% interval"
        if lang == "en"
        else "弹性：价格每变动 1% 时销量的百分比变动，95% 区间"
    )
    below = int((found.table["high"] < -1).sum())
    return finish(
        ax,
        f"{below} of {len(found)} lie wholly below -1: units rose more than the price fell"
        if lang == "en"
        else f"{len(found)} 个中有 {below} 个区间整体低于 -1：销量增幅超过降价幅度",
        pad=16,
    )
