"""Campaign readout: what a campaign did to sales, new payers and silent users, where no trial was dealt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife._stats.multiplicity import holm
from commlife._text import check_language, label
from commlife._text.notebook import in_notebook
from commlife.effects._inputs import column_names, one_of
from commlife.effects._panel import OUTCOMES, Panel, Window, read_panel
from commlife.effects._synthetic import DONOR_WINDOWS, Mixed, Placebo, against_weeks, mix, neighbours
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.features.users import warn_if_left_truncated
from commlife.orders import OrderLog, Timestamp
from commlife.orders.calendar import Duration, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CampaignReadout", "campaign_readout"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_BY = ("community", "channel")
_UNITS = {"gmv": "money", "arppu": "money a payer and period", "new_payers": "users", "returned": "users"}
_LEAST_BEFORE, _LEAST_DONORS = 4, 3
#: A fit before the campaign that is worse than this share of the placebos' is told.
_POOR = 0.95


@dataclass(frozen=True, slots=True)
class CampaignReadout:
    """What came, what was to be expected, and how sure the difference is.

    Attributes:
        effects: One row an outcome: ``outcome``; ``observed`` and ``expected`` (the synthetic control) over the
            campaign, sums of money or users, for ``arppu`` the mean of its periods; ``effect``, their difference, with
            ``low`` and ``high``; ``relative``, ``relative_low``, ``relative_high``, the same as shares of what was
            expected; ``p_value``, how often a campaign that never was looks as large; ``adjusted_p``, the same for
            all outcomes together (Holm); ``placebos``, how many there were; ``error_before``, root mean square of the
            gap before the campaign as a share of the level; ``unit``.
        periods: One row an outcome and period: ``outcome, period, phase`` (before, during, after), ``observed``,
            ``expected`` (null after a campaign that was everywhere).
        donors: One row an outcome and donor: ``outcome, donor`` (a community, or the first day of an earlier window),
            ``weight``; the heaviest first.
        placebos: One row a placebo: ``outcome, unit, start, gap`` (as a share of its level), ``error_before``, and
            ``ratio``, the first out of the second, by which all are compared.
        unjudged: Outcomes that could not be judged, and why: ``outcome, reason``.
        treated: The communities of the campaign; empty where it was everywhere.
        basis: ``"communities"`` or ``"weeks"``: what the control is mixed from.
        confidence_level: Of the intervals.
    """

    effects: pd.DataFrame
    periods: pd.DataFrame = field(repr=False)
    donors: pd.DataFrame = field(repr=False)
    placebos: pd.DataFrame = field(repr=False)
    unjudged: pd.DataFrame = field(repr=False)
    treated: tuple[Any, ...]
    basis: str
    confidence_level: float

    def __repr__(self) -> str:
        rows = _records(self.effects)
        parts = [f"{row['outcome']} {row['relative']:+.1%} (p = {row['p_value']:.3f})" for row in rows]
        return f"CampaignReadout({', '.join(parts)}; against {self.basis})"

    def _repr_html_(self) -> str:
        return in_notebook(self, self.effects)

    def to_frame(self) -> pd.DataFrame:
        """The effects, a copy."""
        return self.effects.copy()

    def sentences(self, lang: str = "en") -> list[str]:
        """One sentence an outcome, for the people of the campaign.

        Args:
            lang: ``"en"`` or ``"zh"``.
        """
        spoken = check_language(lang)
        level = f"{self.confidence_level:.0%}"
        told = []
        for row in _records(self.effects):
            name, digits = label(row["outcome"], spoken), 2 if row["outcome"] == "arppu" else 0
            observed, expected = (f"{row[column]:,.{digits}f}" for column in ("observed", "expected"))
            effect, low, high = (f"{row[column]:+,.{digits}f}" for column in ("effect", "low", "high"))
            clear = row["low"] > 0 or row["high"] < 0
            if spoken == "zh":
                verdict = "差异超出平常波动" if clear else "仍在平常波动之内"
                said = (
                    f"实际 {observed}，对照预期 {expected}，相差 {effect}（{level} 区间 {low} 至 {high}），{verdict}。"
                )
                told.append(f"{name}：{said}")
            else:
                verdict = "more than happens by itself" if clear else "no more than happens by itself"
                said = f"{observed}, where the control says {expected}: {effect} ({level}: {low} to {high}), {verdict}."
                told.append(f"{name}: {said}")
        return told

    def plot(self, outcome: str = "gmv", *, lang: str = "en") -> Figure:
        """What came against the synthetic control, and the gap among the placebos' gaps.

        Args:
            outcome: One of the outcomes that were judged.
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If the outcome was not judged, or the language is none of ours.
        """
        from commlife.effects._campaign_figure import readout_figure

        if outcome not in self.effects["outcome"].tolist():
            raise ConfigError.unknown_name("plot: the outcome", outcome, self.effects["outcome"].tolist())
        return readout_figure(self, outcome, lang=check_language(lang))


def campaign_readout(
    log: OrderLog,
    start: Timestamp,
    end: Timestamp,
    *,
    as_of: Timestamp,
    treated: str | Sequence[str] | None = None,
    by: str = "community",
    period: str = "7D",
    before: str = "56D",
    silent_after: int = 4,
    washout: str | None = None,
    confidence_level: float = 0.95,
) -> CampaignReadout:
    """What a campaign did to GMV, revenue per payer, new payers and the return of silent users.

    The communities of the campaign, taken together, are set against a synthetic control: the convex mixture of other
    communities that comes nearest to them in the periods before, each relative to its own level. Where the campaign
    was everywhere (``treated=None``) the mixture is made of earlier windows of the same shop; whatever else was
    special in those weeks is then part of the difference. Every donor and every earlier window is also treated as if a
    campaign had been there (placebos); how large those differences are, relative to each one's error before, gives the
    interval and the p-value. A synthetic control is adjusted for what moved all alike and for levels; it is no trial:
    say *adjusted*.

    Args:
        log: The order log.
        start: First day of the campaign.
        end: The day after its last; the time between is a whole number of periods.
        as_of: The local business day before whose midnight lines count; not before ``end``.
        treated: The communities where it ran; None: everywhere.
        by: What parts the shop: ``"community"`` or ``"channel"``.
        period: Length of a period, ``"7D"``.
        before: How long before the campaign the control is fitted, a whole number of periods, four or more.
        silent_after: Periods without an order after which somebody is silent; ``returned`` counts whom an order ends
            such a silence.
        washout: Users first seen within it are existing, not new: ``"28D"``.
        confidence_level: Of the intervals.

    Returns:
        The :class:`CampaignReadout`. ``gmv`` is the money of all lines above 0 in the treated communities, ``arppu``
        the net of their orders a payer, ``new_payers`` and ``returned`` are counted by the users' own community.

    Raises:
        ConfigError: If an argument is not allowed, a community is unknown, or the campaign is not over.
        InsufficientDataError: If there are too few donors or too little history for any outcome: with fewer than 19
            placebos nothing can be told at 95%.

    Warns:
        ModelWarning: If the control follows the treated communities far worse than other mixtures follow theirs, or
            an outcome could not be judged.
        LeftTruncatedWarning: If the log begins in the middle of lives and there is no washout.

    Source:
        Abadie, Diamond & Hainmueller (2010), JASA 105; Arkhangelsky et al. (2021), AER 111.

    Examples:
        >>> import commlife as cl
        >>> world = cl.datasets.make_community(n_users=1500, n_weeks=30, drop_community=None, seed=2)
        >>> read = campaign_readout(world.log, "2025-06-30", "2025-07-14", as_of="2025-07-14", treated="C03")
        >>> read.to_frame()["outcome"].tolist()
        ['gmv', 'arppu', 'new_payers', 'returned']
        >>> bool((read.to_frame()["p_value"] > 0.05).all())  # nothing happened there
        True
    """
    need_log(log, "campaign_readout")
    window, lag = _checked(log, start, end, period, before, silent_after, confidence_level)
    one_of(by, "campaign_readout: by", _BY)
    listed = () if treated is None else [treated] if isinstance(treated, str) else treated
    names = tuple(column_names(listed, "treated", may_be_empty=True))
    if treated is not None and not names:
        raise ConfigError(
            "treated names the communities of the campaign; None means everywhere. Seen an empty list."
            " Name one, or give None."
        )
    day = day_number(as_of)
    if treated is not None:
        log.require(by, why=f"campaign_readout(treated=..., by={by!r})")
    whole = None if washout is None else Duration(washout)
    warn_if_left_truncated(log, day, washout=whole)
    panel = read_panel(log, window, as_of=day, by=by if names else None, silent_after=lag, washout=whole)
    rows = _rows_of(panel, names, by)
    needed = math.ceil(round(1.0 / (1.0 - confidence_level), 9)) - 1
    judged: list[tuple[str, _Judged]] = []
    unjudged: list[tuple[str, str]] = []
    for outcome in OUTCOMES:
        found = _judge(panel, outcome, rows, window, needed)
        if isinstance(found, str):
            unjudged.append((outcome, found))
        else:
            judged.append((outcome, found))
    if not judged:
        raise InsufficientDataError("campaign_readout: " + " ".join(f"{name}: {why}" for name, why in unjudged))
    read = _readout(judged, unjudged, panel, rows, window, names, confidence_level)
    _warn_of_fit(read)
    return read


def _checked(
    log: Any, start: Any, end: Any, period: Any, before: Any, silent_after: Any, confidence_level: Any
) -> tuple[Window, int]:
    if not isinstance(log, OrderLog):
        raise ConfigError(f"campaign_readout takes an OrderLog; seen {type(log).__name__}.")
    first, after, days, back = (
        day_number(start, name="start"),
        day_number(end, name="end"),
        Duration(period).days,
        Duration(before).days,
    )
    if after <= first or (after - first) % days:
        raise ConfigError(
            f"a campaign lasts a whole number of periods: from {day_text(first)} until before {day_text(after)} are "
            f"{after - first} days, a period has {days}. Use another end, or period='1D'."
        )
    if back % days or back < _LEAST_BEFORE * days:
        raise ConfigError(
            f"before is a whole number of periods, {_LEAST_BEFORE} or more; seen {before!r} with period={period!r}."
        )
    if isinstance(silent_after, bool) or not isinstance(silent_after, int) or not 1 <= silent_after <= 10_000:
        raise ConfigError(f"silent_after is a whole number of periods, 1 to 10,000; seen {silent_after!r:.40}.")
    if (
        isinstance(confidence_level, bool)
        or not isinstance(confidence_level, (int, float))
        or not 0.5 <= confidence_level < 1
    ):
        raise ConfigError(f"confidence_level lies from 0.5 to below 1; seen {confidence_level!r:.40}.")
    return Window(first, after, days, back // days), silent_after


def _rows_of(panel: Panel, names: tuple[Any, ...], by: str) -> list[int]:
    if not names:
        return [0]
    for name in names:
        if name not in panel.groups:
            raise ConfigError.unknown_name(f"treated: the {by}", name, [str(group) for group in panel.groups])
    if len(set(names)) == len(panel.groups):
        raise ConfigError(f"treated names every {by}: nobody is left for a control. Use treated=None.")
    return [place for place, group in enumerate(panel.groups) if group in names]


@dataclass(frozen=True, slots=True)
class _Judged:
    """An outcome of the treated: its series, its mixture, who the donors were, and the placebos."""

    observed: Floats
    mixed: Mixed
    donors: list[Any]
    placebos: list[Placebo]
    units: list[Any]


def _judge(panel: Panel, outcome: str, rows: list[int], window: Window, needed: int) -> _Judged | str:
    """The outcome, or in words why it cannot be judged."""
    known, start = panel.known_from[outcome], panel.start - panel.known_from[outcome]
    if start < window.before:
        return (
            f"the control is fitted on {window.before} periods before the campaign, the log has {max(start, 0)} in "
            "which it can be known. Use a shorter before."
        )
    mine = panel.series(outcome, rows)[known:]
    if np.isnan(mine).any() or mine[start - window.before : start].mean() <= 0:
        return "there was none before the campaign, so that no control can be set beside it."
    if len(panel.groups) == 1:
        found = against_weeks(mine, start, window.before, window.during)
        reached = 0 if found is None else len(found[1])
        if found is None or reached < needed:
            return (
                f"{reached} earlier windows can stand in for the campaign, {needed} are needed. Use a shorter before, "
                f"a longer history, or name the communities of the campaign. (A window is set against {DONOR_WINDOWS} "
                "earlier ones.)"
            )
        mixed, placebos, begins = found
        days = [panel.starts[known + begin] for begin in begins]
        return _Judged(mine, mixed, days, placebos, ["all"])
    others = [place for place in range(len(panel.groups)) if place not in rows]
    series = np.array([mine, *(panel.series(outcome, [place])[known:] for place in others)])
    # Whoever was not there all the time is no donor: a community that opened midway, or without a payer in a period.
    there = ~np.isnan(series).any(axis=1) & (series[:, start - window.before : start].mean(axis=1) > 0)
    if int(there[1:].sum()) < _LEAST_DONORS:
        return f"{int(there[1:].sum())} other communities were there all the time, {_LEAST_DONORS} are needed."
    series, kept = series[there], [place for place, here in zip(others, there[1:], strict=True) if here]
    placebos = neighbours(series, 0, start, window.before, window.during)
    if len(placebos) < needed:
        return (
            f"{len(kept)} donors and the history before give {len(placebos)} placebos, {needed} are needed. Use a "
            "shorter before, a longer history, or a finer `by`."
        )
    mixed = mix(series[0, start - window.before :], series[1:, start - window.before :], window.before, window.during)
    donors = [panel.groups[place] for place in kept]
    return _Judged(mine, mixed, donors, placebos, ["treated", *donors])


def _readout(
    judged: list[tuple[str, _Judged]],
    unjudged: list[tuple[str, str]],
    panel: Panel,
    rows: list[int],
    window: Window,
    names: tuple[Any, ...],
    confidence_level: float,
) -> CampaignReadout:
    effects, periods, donors, placebos = [], [], [], []
    first = panel.start - window.before
    phase = np.repeat(
        ["before", "during", "after"],
        [window.before, window.during, len(panel.starts) - panel.start - window.during],
    )
    for outcome, found in judged:
        known = panel.known_from[outcome]
        observed = panel.series(outcome, rows)[first:]
        expected = np.full(len(observed), np.nan)
        expected[: len(found.mixed.expected)] = found.mixed.expected
        effects.append(_effect(outcome, found, observed, window, confidence_level))
        periods.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "period": panel.starts[first:],
                    "phase": phase,
                    "observed": observed,
                    "expected": expected,
                }
            )
        )
        weights = pd.DataFrame({"outcome": outcome, "donor": found.donors, "weight": found.mixed.weights})
        donors.append(weights.sort_values("weight", ascending=False, kind="stable"))
        table = pd.DataFrame(
            {
                "outcome": outcome,
                "unit": [found.units[each.unit] for each in found.placebos],
                "start": [panel.starts[known + each.start] for each in found.placebos],
                "gap": [each.gap for each in found.placebos],
                "error_before": [each.error for each in found.placebos],
                "ratio": [each.ratio for each in found.placebos],
            }
        )
        placebos.append(table)
    frame = pd.DataFrame(effects)
    frame.insert(list(frame.columns).index("p_value") + 1, "adjusted_p", holm(frame["p_value"].to_numpy()))
    return CampaignReadout(
        effects=frame,
        periods=pd.concat(periods, ignore_index=True),
        donors=pd.concat(donors, ignore_index=True),
        placebos=pd.concat(placebos, ignore_index=True),
        unjudged=pd.DataFrame(unjudged, columns=["outcome", "reason"]),
        treated=names,
        basis="communities" if names else "weeks",
        confidence_level=float(confidence_level),
    )


def _effect(outcome: str, found: _Judged, observed: Floats, window: Window, confidence_level: float) -> dict[str, Any]:
    """Effect, interval and p-value of one outcome from its placebos."""
    mixed = found.mixed
    ratios = np.sort(np.abs([each.ratio for each in found.placebos]))
    n = len(ratios)
    # With the treated one among them, so many of n + 1 exchangeable ratios lie at or below this one.
    place = math.ceil(round(confidence_level * (n + 1), 9))
    half = float(ratios[place - 1]) * mixed.error
    p_value = (1 + int((ratios >= abs(mixed.gap / mixed.error)).sum())) / (n + 1)
    times = 1 if outcome == "arppu" else window.during
    during = observed[window.before : window.before + window.during]
    came = float(during.mean()) * times
    effect, low, high = (mixed.level * times * gap for gap in (mixed.gap, mixed.gap - half, mixed.gap + half))
    shares = [value / (came - value) if came > value else np.nan for value in (effect, low, high)]
    return {
        "outcome": outcome,
        "observed": came,
        "expected": came - effect,
        "effect": effect,
        "low": low,
        "high": high,
        "relative": shares[0],
        "relative_low": shares[1],
        "relative_high": shares[2],
        "p_value": p_value,
        "placebos": n,
        "error_before": mixed.error,
        "unit": _UNITS[outcome],
    }


def _warn_of_fit(read: CampaignReadout) -> None:
    """Tell where the control does not follow the treated, and what was not judged."""
    for row in _records(read.effects):
        others = read.placebos.loc[read.placebos["outcome"] == row["outcome"], "error_before"]
        if row["error_before"] > float(np.quantile(others, _POOR)):
            warn(
                f"campaign_readout, {row['outcome']}: before the campaign the control misses by "
                f"{row['error_before']:.0%} of the level, where other mixtures miss theirs by "
                f"{float(others.median()):.0%} (median). The treated are unlike all donors: read the interval, not the "
                "effect, or choose treated communities that are alike.",
                ModelWarning,
            )
    if len(read.unjudged):
        told = " ".join(f"{row['outcome']}: {row['reason']}" for row in _records(read.unjudged))
        warn(f"campaign_readout could not judge every outcome. {told}", ModelWarning)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
