"""Figures of effects: the forest of a readout, and the curve of a ranking, drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import drawn, finish, new_axes
from commlife._figures.colours import ACCENT, BAD, INK, QUIET
from commlife._text.labels import check_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.effects.ranking import Ranking
    from commlife.effects.trial_readout import Readout

__all__ = ["forest", "gain_curve"]

_WORDS = {
    "orders": "further orders a user",
    "payers": "further share of users who ordered",
    "amount": "further net spend a user",
    "margin": "further margin a user, before coupons",
    "net_gain": "net gain a user, after coupons and contact",
    "reactivated": "further share of silent users who ordered",
    "repurchase_rate": "change of the share of payers with two or more orders",
    "arppu": "change of the net spend a payer",
}
_WORDS_ZH = {
    "orders": "人均多下的订单",
    "payers": "下单用户占比的增量",
    "amount": "人均净消费的增量",
    "margin": "人均毛利的增量（未扣券）",
    "net_gain": "人均净收益（扣除券与触达成本）",
    "reactivated": "沉默用户下单占比的增量",
    "repurchase_rate": "复购率的变化",
    "arppu": "每位付费用户净消费的变化",
}
_SAID = {
    "en": {
        "all": "all users",
        "across": "{what} ({level:.0%} interval)",
        "below": "{assignment}, {start} to {end}, filled: not chance",
        "more": "{name}: more than without",
        "less": "{name}: less than without",
        "unclear": "{name}: no clear difference",
        "some": "{name}: some arms differ",
        "band": "{level:.0%} of resampled trials",
        "score": "by the score",
        "random": "at random",
        "treated": "users treated, highest score first",
        "gain": "incremental outcome",
        "better": "The score ranks better than chance",
        "worse": "The score ranks worse than chance",
        "same": "The score ranks not clearly better than chance",
        "qini": "Qini ({how}) {qini:.3g}, {low:.3g} to {high:.3g}",
    },
    "zh": {
        "all": "全部用户",
        "across": "{what}（{level:.0%} 区间）",
        "below": "{assignment}，{start} 至 {end}，实心：非偶然",
        "more": "{name}：高于对照",
        "less": "{name}：低于对照",
        "unclear": "{name}：无明显差异",
        "some": "{name}：部分方案有差异",
        "band": "{level:.0%} 的重抽样试验",
        "score": "按评分",
        "random": "随机",
        "treated": "被干预用户占比（评分从高到低）",
        "gain": "增量结果",
        "better": "评分排序优于随机",
        "worse": "评分排序差于随机",
        "same": "评分排序未明显优于随机",
        "qini": "Qini（{how}）{qini:.3g}，{low:.3g} 至 {high:.3g}",
    },
}
_ASSIGNMENT_ZH = {"randomised": "随机分配", "adjusted": "经调整"}
_MARKS = ("o", "s", "^", "D", "v", "P")


@drawn
def forest(readout: Readout, metric: str, *, by: str | None, ax: Axes | None, lang: str = "en") -> Axes:
    """Effects with intervals, the whole first; see :meth:`Readout.plot`."""
    said, whole = _SAID[check_language(lang)], readout.of(metric)
    parts = readout.of(metric, by=by) if by is not None else whole.iloc[:0]
    levels = list(dict.fromkeys(parts["level"].astype(str)))
    arms = list(dict.fromkeys(whole["arm"]))
    lines = [said["all"], *levels]
    ax = new_axes(ax, 7.5, min(1.6 + 0.32 * len(lines) * max(1, len(arms)) ** 0.7, 14))
    shift = np.linspace(-0.22, 0.22, len(arms)) if len(arms) > 1 else np.zeros(1)
    for place, arm in enumerate(arms):
        mine = [whole[whole["arm"] == arm], parts[parts["arm"] == arm]]
        rows: list[tuple[int, Any]] = [(0, row) for row in mine[0].to_dict("records")]
        rows += [(1 + levels.index(str(row["level"])), row) for row in mine[1].to_dict("records")]
        colour = (ACCENT, BAD, QUIET, INK)[place % 4]
        for line, row in rows:
            middle = row["effect_size"]
            reach = [[middle - row["effect_size_ci_lower"]], [row["effect_size_ci_upper"] - middle]]
            # A filled mark: the interval excludes 0, after the number of levels is taken into account.
            clear = row["qvalue"] < 1 - readout.confidence_level
            ax.errorbar(
                middle,
                line + shift[place],
                xerr=reach,
                fmt=_MARKS[place % len(_MARKS)],
                color=colour,
                markerfacecolor=colour if clear else "white",
                markersize=7 if line == 0 else 5,
                capsize=2,
                lw=2 if line == 0 else 1.2,
            )
        if len(arms) > 1:
            ax.plot([], [], _MARKS[place % len(_MARKS)], color=colour, label=str(arm))
    ax.axvline(0, color=INK, lw=0.8)
    sizes = {0: whole["users"].sum()} | {
        1 + levels.index(str(level)): count for level, count in parts.groupby("level")["users"].sum().items()
    }
    ax.set_yticks(range(len(lines)), [f"{line}  ({sizes[i]:,})" for i, line in enumerate(lines)])
    ax.set_ylim(len(lines) - 0.4, -0.6)
    what = (_WORDS_ZH if lang == "zh" else _WORDS)[metric]
    ax.set_xlabel(said["across"].format(what=what, level=readout.confidence_level))
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    if len(arms) > 1:
        ax.legend(loc="best")
    assignment = _ASSIGNMENT_ZH[readout.assignment] if lang == "zh" else readout.assignment
    below = said["below"].format(assignment=assignment, start=readout.start, end=readout.end)
    return finish(ax, _title(metric, whole, lang), below=below)


def _title(metric: str, whole: Any, lang: str) -> str:
    sign = [1 if row["effect_size_ci_lower"] > 0 else -1 if row["effect_size_ci_upper"] < 0 else 0
            for row in whole.to_dict("records")]  # fmt: skip
    name = _WORDS_ZH[metric] if lang == "zh" else metric.replace("_", " ")
    if all(s > 0 for s in sign):
        found = "more"
    elif all(s < 0 for s in sign):
        found = "less"
    else:
        found = "some" if any(sign) else "unclear"
    return _SAID[lang][found].format(name=name)


@drawn
def gain_curve(ranking: Ranking, *, ax: Axes | None, lang: str = "en") -> Axes:
    """Incremental outcome against users treated, with its band; see :meth:`Ranking.plot`."""
    said, curve = _SAID[check_language(lang)], ranking.curve
    ax = new_axes(ax, 6.5, 4)
    share = curve["users"] / curve["users"].iloc[-1]
    ax.fill_between(share, curve["gain_low"], curve["gain_high"], color=ACCENT, alpha=0.18, lw=0,
                    label=said["band"].format(level=ranking.confidence_level))  # fmt: skip
    ax.plot(share, curve["gain"], color=ACCENT, lw=1.8, label=said["score"])
    ax.plot(share, curve["random"], color=INK, lw=1.2, ls="--", label=said["random"])
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.set_xlabel(said["treated"])
    ax.set_ylabel(said["gain"])
    low, high = ranking.qini_low, ranking.qini_high
    says = said["better" if low > 0 else "worse" if high < 0 else "same"]
    ax.legend(loc="upper left")
    below = said["qini"].format(how=ranking.normalize, qini=ranking.qini, low=low, high=high)
    return finish(ax, says, below=below)
