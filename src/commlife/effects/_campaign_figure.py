"""Figure of a campaign: what came against the control, and the gap among gaps where nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commlife._figures.axes import drawn, finish
from commlife._figures.colours import ACCENT, BAD, QUIET
from commlife._text import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from commlife.effects.campaign import CampaignReadout

__all__ = ["readout_figure"]


@drawn
def readout_figure(read: CampaignReadout, outcome: str) -> Figure:
    """See :meth:`CampaignReadout.plot`."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    effect = read.effects.loc[read.effects["outcome"] == outcome].iloc[0]
    periods = read.periods.loc[read.periods["outcome"] == outcome]
    placebos = read.placebos.loc[read.placebos["outcome"] == outcome]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[2, 1], layout="constrained")

    days = periods["period"].to_numpy()
    length = days[1] - days[0]
    during = days[(periods["phase"] == "during").to_numpy()]
    left.axvspan(during[0], during[-1] + length, color="0.92", label="campaign")
    middle = days + length / 2
    left.plot(middle, periods["observed"], color=BAD, marker="o", markersize=4, label="what came")
    left.plot(middle, periods["expected"], color=ACCENT, linestyle="--", marker="s", markersize=3, label="control")
    left.set_ylim(bottom=0)
    left.yaxis.set_major_formatter("{x:,.10g}")
    left.set_ylabel(f"{label(outcome, 'en')} a period")
    left.tick_params(axis="x", rotation=30)
    left.legend(loc="lower left", fontsize=8)
    finish(
        left,
        f"{label(outcome, 'en')}: {effect['relative']:+.1%} "
        f"({read.confidence_level:.0%}: {effect['relative_low']:+.1%} to {effect['relative_high']:+.1%})",
    )

    # Each placebo in the terms of the treated: as large as it would be with their error before.
    scaled = placebos["ratio"].to_numpy() * effect["error_before"]
    right.hist(scaled, bins=min(30, max(8, len(scaled) // 4)), color=QUIET, edgecolor="white", label="placebos")
    right.margins(x=0.08)
    right.axvline(_gap(read, outcome), color=BAD, linewidth=2, label="the campaign")
    right.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.3g}%")
    right.set_xlabel("gap to the control, share of the level before")
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_ylabel("campaigns that never were")
    right.legend(fontsize=8)
    finish(right, f"p = {effect['p_value']:.3f} of {effect['placebos']} placebos")
    return figure


def _gap(read: CampaignReadout, outcome: str) -> float:
    periods = read.periods.loc[read.periods["outcome"] == outcome]
    before, during = (periods.loc[periods["phase"] == phase] for phase in ("before", "during"))
    return float((during["observed"] - during["expected"]).mean() / before["observed"].mean())
