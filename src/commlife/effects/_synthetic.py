"""Synthetic control: what a community would have done, from a convex mixture of others, and how far such ones miss.

Every series is taken relative to its own mean before the campaign, so that a large community may be mixed from small
ones. The weights are those whose mixture comes nearest before the campaign, drawn towards equal ones as far as the
donors are noise. How far such a mixture misses where nothing happened is measured on placebos: every donor, and every
earlier window, treated as if a campaign had been there.

Source: Abadie, Diamond & Hainmueller, "Synthetic control methods for comparative case studies", JASA 105 (2010), for
the mixture and its placebos; Arkhangelsky, Athey, Hirshberg, Imbens & Wager, "Synthetic difference-in-differences",
AER 111 (2021), for the levels taken out and the ridge on the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["DONOR_WINDOWS", "Mixed", "Placebo", "against_weeks", "convex_weights", "mix", "neighbours"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Placebos at most: enough for any level, and the newest windows come first.
_MOST_PLACEBOS = 400
#: Earlier windows of the same series that make its mixture.
DONOR_WINDOWS = 10


@dataclass(frozen=True, slots=True)
class Mixed:
    """One unit against its mixture.

    Attributes:
        weights: Of the donors, from 0 up, summing to 1.
        expected: The mixture over all periods given, in the unit's own terms.
        level: Mean of the unit before.
        gap: Mean gap during the campaign, as a share of ``level``.
        error: Root mean square of the gap before, as a share of ``level``.
    """

    weights: Floats
    expected: Floats
    level: float
    gap: float
    error: float


@dataclass(frozen=True, slots=True)
class Placebo:
    """A campaign that never was: which unit, in which period it began, and what was found."""

    unit: int
    start: int
    gap: float
    error: float

    @property
    def ratio(self) -> float:
        """The gap in units of the error before."""
        return self.gap / self.error


def convex_weights(donors: Floats, target: Floats, ridge: float) -> Floats:
    """Weights, none below 0, that sum to 1 and bring ``donors @ weights`` nearest to ``target``.

    Args:
        donors: (periods, donors).
        target: One value a period.
        ridge: Penalty on the squared weights; above 0 the weights are unique.

    Examples:
        >>> donors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> convex_weights(donors, donors @ np.array([0.25, 0.75]), 1e-9).round(4).tolist()
        [0.25, 0.75]
    """
    from scipy.optimize import nnls  # 24 MB that nobody else in this room needs

    n = donors.shape[1]
    scale = max(float(np.abs(donors).max(initial=0.0)), float(np.abs(target).max(initial=0.0)), 1e-12)
    # The sum is one more equation, of so great a weight that nothing else can bend it.
    heavy = 1e4 * scale * np.sqrt(len(target))
    matrix = np.vstack([donors, np.sqrt(ridge) * np.eye(n), np.full((1, n), heavy)])
    weights = np.asarray(nnls(matrix, np.concatenate([target, np.zeros(n), [heavy]]))[0], dtype=np.float64)
    return weights / weights.sum()


def mix(unit: Floats, donors: Floats, before: int, during: int) -> Mixed:
    """A unit against the mixture of donors that comes nearest before the campaign.

    Args:
        unit: One value a period: ``before`` periods, the ``during`` of the campaign, and what followed.
        donors: (donors, periods), with a mean above 0 before.
        before: Number of periods before the campaign.
        during: Number of periods of the campaign.
    """
    level = float(unit[:before].mean())
    relative = unit / level
    others = (donors / donors[:, :before].mean(axis=1, keepdims=True)).T
    # As much ridge as the donors' own noise from period to period explains (Arkhangelsky et al., section I).
    noise = float(np.diff(others[:before], axis=0).std()) if before > 1 else 0.0
    ridge = max(before * np.sqrt(during) * noise**2, 1e-12)
    weights = convex_weights(others[:before], relative[:before], ridge)
    expected = others @ weights
    gaps = relative - expected
    # An exact fit still says no more than the last digit of its numbers.
    error = max(float(np.sqrt((gaps[:before] ** 2).mean())), 1e-9)
    return Mixed(weights, expected * level, level, float(gaps[before : before + during].mean()), error)


def neighbours(series: Floats, treated: int, start: int, before: int, during: int) -> list[Placebo]:
    """Placebos in space and in time: each unit but the treated at ``start``, and every unit in each earlier window.

    Args:
        series: (units, periods).
        treated: Row of the treated unit.
        start: Column in which the campaign begins.
        before: Number of periods before a campaign that are looked at.
        during: Number of periods of the campaign.
    """
    units = np.arange(len(series))
    found: list[Placebo] = []
    begins = start
    while begins >= before and len(found) < _MOST_PLACEBOS:
        window = series[:, begins - before : begins + during]
        # While the campaign runs, the treated unit is no donor of anybody.
        there = units[(units != treated) | (begins < start)]
        there = there[(window[there, :before].mean(axis=1) > 0)]
        for unit in there[there != treated] if begins == start else there:
            others = there[there != unit]
            if len(others) > 1:
                one = mix(window[unit], window[others], before, during)
                found.append(Placebo(int(unit), begins, one.gap, one.error))
        begins -= during
    return found


def against_weeks(
    series: Floats, start: int, before: int, during: int
) -> tuple[Mixed, list[Placebo], list[int]] | None:
    """One series against its own earlier windows, and each of those against the windows earlier still.

    Every window is set against equally many (:data:`DONOR_WINDOWS`) that were over when it began, the newest of them:
    with fewer donors the error before would be another, and placebos no measure.

    Args:
        series: One value a period.
        start: Column in which the campaign begins.
        before: Number of periods before a campaign that are looked at.
        during: Number of periods of the campaign.

    Returns:
        The mixture, the placebos, and the columns in which the campaigns of the donor windows would have begun; None
        if there are too few earlier windows for a mixture.
    """
    begins = [start, *range(start - during, before - 1, -1)]
    windows = np.array([series[at - before : at + during] for at in begins])
    donors = windows[1 : 1 + DONOR_WINDOWS]
    if len(donors) < DONOR_WINDOWS:
        return None
    found: list[Placebo] = []
    for place in range(1, len(begins)):
        earlier = windows[place + during : place + during + DONOR_WINDOWS]
        if len(earlier) < DONOR_WINDOWS or len(found) == _MOST_PLACEBOS:
            break
        one = mix(windows[place], earlier, before, during)
        found.append(Placebo(0, begins[place], one.gap, one.error))
    return mix(windows[0], donors, before, during), found, begins[1 : 1 + DONOR_WINDOWS]
