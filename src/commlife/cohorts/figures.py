"""Figures of cohorts: the heat map and the curves, drawn from results alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import drawn, finish, letters_on, new_axes
from commlife._figures.colours import ACCENT, BAD, GOOD, QUIET
from commlife._text.labels import check_language
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
#: What is said of a figure, by language.
_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "cohort": "cohort",
        "age": "age ({period})",
        "heat": "{shown} by cohort and age",
        "of": "{title}, {group}",
        "interval": "95% interval of each cohort",
        "history": "history",
        "expected": "expected",
        "drop": "drop",
        "rise": "rise",
        "at_age": "{measure} at age {age}",
        "alert": "{group}: {observed:.1%}, expected {expected:.1%} (q = {q:.2g})",
        "rate": "came back at another rate",
        "mix": "are more or fewer of the cohort",
        "none": "none",
        "part": " {size:,.0f} users, {before} to {now}",
        "points": "points of the change",
        "drill": "{group}, age {age}: whose return made the change, largest first",
        "now": "now",
        "planned": "planned",
        "unseen": "planned, not seen yet",
        "money": "money a period",
        "plan": "What is spent now, and what the plan spends",
        "all": "all",
        "ages": "age",
        "streak": "share with an order in every period so far",
        "curve": "Seen (points) and projected (lines), with 95% intervals",
    },
    "zh": {
        "cohort": "同期群",
        "age": "期龄（{period}）",
        "heat": "各同期群各期龄的{shown}",
        "of": "{title}：{group}",
        "interval": "各同期群的95%区间",
        "history": "历史",
        "expected": "预期",
        "drop": "下降",
        "rise": "上升",
        "at_age": "期龄 {age} 的{measure}",
        "alert": "{group}：{observed:.1%}，预期 {expected:.1%}（q = {q:.2g}）",
        "rate": "回购比例变化",
        "mix": "人数占比变化",
        "none": "无",
        "part": " {size:,.0f} 人，{before} → {now}",
        "points": "对变化的影响（百分点）",
        "drill": "{group}，期龄 {age}：变化来自哪些用户（从大到小）",
        "now": "当前",
        "planned": "计划",
        "unseen": "计划（超出历史范围）",
        "money": "每期金额",
        "plan": "当前投入与计划投入",
        "all": "全部",
        "ages": "期龄",
        "streak": "至今每期都下单的用户占比",
        "curve": "实际（点）与推算（线），含95%区间",
    },
}
#: Measures, columns and periods as operators call them in Chinese.
_CHINESE = {
    "retention": "留存率", "unbounded": "此后留存率", "rolling": "滚动留存率", "bracket": "分段留存率",
    "streak": "连续留存率", "churn": "流失率", "recall": "召回率", "repurchase": "复购率", "orders": "订单数",
    "frequency": "人均订单数", "revenue": "收入", "cumulative_revenue": "累计收入", "aov": "客单价", "users": "用户数",
    "value": "数值", "all": "全部", "week": "周", "month": "月", "quarter": "季", "category": "品类", "channel": "渠道",
    "community": "社区", "item_id": "商品", "coupon_id": "优惠券", "address_id": "地址", "subsidised": "首单有补贴",
}  # fmt: skip
#: Lines told apart by colour (after Okabe & Ito 2008), and without it by stroke and marker.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_STROKES, _MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P", "X")


def _called(name: str, lang: str) -> str:
    """A measure or a column as the language calls it; a host's own name stays."""
    return _CHINESE.get(name, name) if lang == "zh" else name


@drawn
def heat_map(table: CohortTable, column: str, *, group: Any, ax: Axes | None, lang: str = "en") -> Axes:
    """Cohorts down, ages across; see :meth:`CohortTable.plot`."""
    words, wide = _WORDS[check_language(lang)], table.wide(column)
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
    ax.set_xlabel(words["age"].format(period=_called(str(table.question.period), lang)))
    ax.set_ylabel(words["cohort"])
    shown = _called(table.question.measured, lang) + ("" if column == "rate" else f": {_called(column, lang)}")
    if values.size <= _MOST_LABELLED:
        for row, age in np.argwhere(~np.ma.getmaskarray(values)):
            value = values[row, age]
            text = f"{value:.0%}" if column == "rate" and is_share else f"{value:,.4g}"
            colour = letters_on(image, value)
            ax.text(age + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    ax.figure.colorbar(image, ax=ax, format="{x:.0%}" if column == "rate" and is_share else None)
    ax.tick_params(length=0)
    title = words["heat"].format(shown=shown.capitalize())
    return finish(ax, words["of"].format(title=title, group=group) if table.question.by else title)


@drawn
def alert_history(alerts: RetentionAlerts, alert: int, *, ax: Axes | None, lang: str = "en") -> Axes:
    """The history of an alerted cell; see :meth:`RetentionAlerts.plot`."""
    from commlife.cohorts.drill import cells_behind

    words, row = _WORDS[check_language(lang)], alerts.row(alert)
    history, newest = cells_behind(alerts, row)
    ax = new_axes(ax, 8, 3.5)
    days = history["cohort"].to_numpy()
    ax.fill_between(days, history["low"], history["high"], color="0.85", label=words["interval"])
    ax.plot(days, history["rate"], color="0.4", marker=".", label=words["history"])
    ax.axhline(row["expected"], color="0.4", linestyle="--", linewidth=1, label=words["expected"])
    ends = [[newest["rate"] - newest["low"]], [newest["high"] - newest["rate"]]]
    ax.errorbar(
        [newest["cohort"]],
        [newest["rate"]],
        yerr=ends,
        color=BAD if row["direction"] == "drop" else GOOD,
        marker="D",
        label=words[row["direction"]],
    )
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.tick_params(axis="x", rotation=30)
    ax.set_xlabel(words["cohort"])
    ax.set_ylabel(words["at_age"].format(measure=_called(alerts.table.question.measured, lang), age=row["age"]))
    ax.legend(loc="best", fontsize=8)
    said = {name: row[name] for name in ("observed", "expected")}
    return finish(ax, words["alert"].format(group=_called(str(row["group"]), lang), q=row["q_value"], **said))


@drawn
def drill_bars(parts: pd.DataFrame, *, most: int, ax: Axes | None, lang: str = "en") -> Axes:
    """Who stands behind an alert; see :meth:`RetentionAlerts.plot_drill`."""
    words, parts = _WORDS[check_language(lang)], parts.head(most)
    ax = new_axes(ax, 8, 1.2 + 0.35 * len(parts))
    place = np.arange(len(parts))
    start = np.zeros(len(parts))
    for column, colour, hatch, told in (
        ("rate_points", BAD, "", words["rate"]),
        ("mix_points", QUIET, "//", words["mix"]),
    ):
        points = parts[column].to_numpy()
        same = np.sign(points) == np.sign(start)
        ax.barh(
            place, points, left=np.where(same, start, 0.0), color=colour, hatch=hatch, edgecolor="white", label=told
        )
        start = np.where(same, start + points, points)
    for row, (_, part) in enumerate(parts.iterrows()):
        before = words["none"] if np.isnan(part["rate_before"]) else f"{part['rate_before']:.0%}"
        now = words["none"] if np.isnan(part["rate"]) else f"{part['rate']:.0%}"
        right = sum(max(part[name], 0.0) for name in ("rate_points", "mix_points"))
        told = words["part"].format(size=part["size"], before=before, now=now)
        ax.annotate(told, (right, row), va="center", fontsize=7)
    ax.set_yticks(place, [f"{_called(str(part['by']), lang)}: {part['value']}" for _, part in parts.iterrows()])
    ax.invert_yaxis()
    ax.margins(x=0.3)
    ax.axvline(0.0, color="0.3", linewidth=0.8)
    ax.set_xlabel(words["points"])
    first = parts.iloc[0]
    ax.legend(fontsize=8, loc="lower left")
    return finish(ax, words["drill"].format(group=_called(str(first["group"]), lang), age=first["age"]))


@drawn
def plan_bars(plan: GrowthPlan, *, ax: Axes | None, lang: str = "en") -> Axes:
    """Money now and planned; see :meth:`GrowthPlan.plot`."""
    words, table = _WORDS[check_language(lang)], plan.levers
    ax = new_axes(ax, 7, 1 + 0.25 * len(table))
    place = np.arange(len(table))
    ax.barh(place - 0.2, table["now"], height=0.4, color="0.7", label=words["now"])
    beyond = table["extrapolated"].to_numpy(dtype=bool)
    for chosen, colour, hatch, told in ((~beyond, ACCENT, "", words["planned"]), (beyond, BAD, "//", words["unseen"])):
        if not chosen.any():
            continue
        money = table["planned"].to_numpy()[chosen]
        ax.barh(place[chosen] + 0.2, money, height=0.4, color=colour, hatch=hatch, edgecolor="white", label=told)
    ax.set_yticks(place, [f"{group}: {lever}" for group, lever in zip(table["group"], table["lever"], strict=True)])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel(words["money"])
    ax.legend(fontsize=8)
    return finish(ax, words["plan"])


@drawn
def curve_lines(curve: RetentionCurve, *, ax: Axes | None, lang: str = "en") -> Axes:
    """What was seen and what is projected; see :meth:`RetentionCurve.plot`."""
    from matplotlib.ticker import MaxNLocator

    words, ax = _WORDS[check_language(lang)], new_axes(ax, 7, 4)
    by = list(curve.by)
    groups = curve.curve.groupby(by, dropna=False, sort=True) if by else [(words["all"], curve.curve)]
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
    ax.set_xlabel(words["ages"])
    ax.set_ylabel(words["streak"])
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter("{x:.0%}")
    if by:
        ax.legend(fontsize=8)
    return finish(ax, words["curve"])
