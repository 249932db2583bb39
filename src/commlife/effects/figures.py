"""Figures of effects: the forest of a readout, and the curve of a ranking, drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import drawn, finish, new_axes
from commlife._figures.colours import ACCENT, BAD, INK, QUIET

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
_MARKS = ("o", "s", "^", "D", "v", "P")


@drawn
def forest(readout: Readout, metric: str, *, by: str | None, ax: Axes | None) -> Axes:
    """Effects with intervals, the whole first; see :meth:`Readout.plot`."""
    whole = readout.of(metric)
    parts = readout.of(metric, by=by) if by is not None else whole.iloc[:0]
    levels = list(dict.fromkeys(parts["level"].astype(str)))
    arms = list(dict.fromkeys(whole["arm"]))
    lines = ["all users", *levels]
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
    ax.set_xlabel(f"{_WORDS[metric]} ({readout.confidence_level:.0%} interval)")
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    if len(arms) > 1:
        ax.legend(loc="best")
    below = f"{readout.assignment}, {readout.start} to {readout.end}, filled: not chance"
    return finish(ax, _title(metric, whole), below=below)


def _title(metric: str, whole: Any) -> str:
    sign = [1 if row["effect_size_ci_lower"] > 0 else -1 if row["effect_size_ci_upper"] < 0 else 0
            for row in whole.to_dict("records")]  # fmt: skip
    name = metric.replace("_", " ")
    if all(s > 0 for s in sign):
        return f"{name}: more than without"
    if all(s < 0 for s in sign):
        return f"{name}: less than without"
    return f"{name}: no clear difference" if not any(sign) else f"{name}: some arms differ"


@drawn
def gain_curve(ranking: Ranking, *, ax: Axes | None) -> Axes:
    """Incremental outcome against users treated, with its band; see :meth:`Ranking.plot`."""
    curve = ranking.curve
    ax = new_axes(ax, 6.5, 4)
    share = curve["users"] / curve["users"].iloc[-1]
    ax.fill_between(share, curve["gain_low"], curve["gain_high"], color=ACCENT, alpha=0.18, lw=0,
                    label=f"{ranking.confidence_level:.0%} of resampled trials")  # fmt: skip
    ax.plot(share, curve["gain"], color=ACCENT, lw=1.8, label="by the score")
    ax.plot(share, curve["random"], color=INK, lw=1.2, ls="--", label="at random")
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.set_xlabel("users treated, highest score first")
    ax.set_ylabel("incremental outcome")
    low, high = ranking.qini_low, ranking.qini_high
    says = "better than chance" if low > 0 else "worse than chance" if high < 0 else "not clearly better than chance"
    ax.legend(loc="upper left")
    below = f"Qini ({ranking.normalize}) {ranking.qini:.3g}, {low:.3g} to {high:.3g}"
    return finish(ax, f"The score ranks {says}", below=below)
