"""Figure of a campaign: what came against the control, and the gap among gaps where nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commlife._figures.axes import drawn, finish
from commlife._figures.colours import ACCENT, BAD, QUIET
from commlife._text import Language, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from commlife.effects.campaign import CampaignReadout

__all__ = ["readout_figure"]

_SAID = {
    "en": {
        "campaign": "campaign",
        "observed": "what came",
        "expected": "control",
        "each": "{outcome} a period",
        "title": "{outcome}: {relative:+.1%} ({level:.0%}: {low:+.1%} to {high:+.1%})",
        "placebos": "placebos",
        "own": "the campaign",
        "gap": "gap to the control, share of the level before",
        "counted": "campaigns that never were",
        "p": "p = {p:.3f} of {n} placebos",
    },
    "zh": {
        "campaign": "活动期间",
        "observed": "实际",
        "expected": "对照",
        "each": "每期{outcome}",
        "title": "{outcome}：{relative:+.1%}（{level:.0%}区间：{low:+.1%} 至 {high:+.1%}）",
        "placebos": "安慰剂检验",
        "own": "本次活动",
        "gap": "与对照之差（占活动前水平）",
        "counted": "未发生的活动数",
        "p": "p = {p:.3f}（{n} 次安慰剂检验）",
    },
}


@drawn
def readout_figure(read: CampaignReadout, outcome: str, *, lang: Language) -> Figure:
    """See :meth:`CampaignReadout.plot`."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    said, name = _SAID[lang], label(outcome, lang)
    effect = read.effects.loc[read.effects["outcome"] == outcome].iloc[0]
    periods = read.periods.loc[read.periods["outcome"] == outcome]
    placebos = read.placebos.loc[read.placebos["outcome"] == outcome]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[2, 1], layout="constrained")

    days = periods["period"].to_numpy()
    length = days[1] - days[0]
    during = days[(periods["phase"] == "during").to_numpy()]
    left.axvspan(during[0], during[-1] + length, color="0.92", label=said["campaign"])
    middle = days + length / 2
    left.plot(middle, periods["observed"], color=BAD, marker="o", markersize=4, label=said["observed"])
    left.plot(
        middle, periods["expected"], color=ACCENT, linestyle="--", marker="s", markersize=3, label=said["expected"]
    )
    left.set_ylim(bottom=0)
    left.yaxis.set_major_formatter("{x:,.10g}")
    left.set_ylabel(said["each"].format(outcome=name))
    left.tick_params(axis="x", rotation=30)
    left.legend(loc="lower left", fontsize=8)
    finish(
        left,
        said["title"].format(
            outcome=name,
            relative=effect["relative"],
            level=read.confidence_level,
            low=effect["relative_low"],
            high=effect["relative_high"],
        ),
    )

    # Each placebo in the terms of the treated: as large as it would be with their error before.
    scaled = placebos["ratio"].to_numpy() * effect["error_before"]
    right.hist(scaled, bins=min(30, max(8, len(scaled) // 4)), color=QUIET, edgecolor="white", label=said["placebos"])
    right.margins(x=0.08)
    right.axvline(_gap(read, outcome), color=BAD, linewidth=2, label=said["own"])
    right.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.3g}%")
    right.set_xlabel(said["gap"])
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_ylabel(said["counted"])
    right.legend(fontsize=8)
    finish(right, said["p"].format(p=effect["p_value"], n=effect["placebos"]))
    return figure


def _gap(read: CampaignReadout, outcome: str) -> float:
    periods = read.periods.loc[read.periods["outcome"] == outcome]
    before, during = (periods.loc[periods["phase"] == phase] for phase in ("before", "during"))
    return float((during["observed"] - during["expected"]).mean() / before["observed"].mean())
