"""Ranking: how sure is it that a score ranks users by what a treatment changes, and whom does it harm?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.distributions import student_quantile
from commlife._stats.wilson import wilson_interval
from commlife._text.notebook import Shown
from commlife.effects._inputs import Floats, in_open_interval, whole_number
from commlife.effects._resampling import from_the_top, poisson_weights, running_sums
from commlife.effects.qini import (
    QiniNormalization,
    areas_of,
    auuc,
    checked_trial,
    perfect_scores,
    qini,
    qini_curve,
)
from commlife.errors import InsufficientDataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from commlife._text.labels import Language

__all__ = ["Ranking", "rank_quality"]

#: Points of the curve that is kept.
POINTS = 200


@dataclass(frozen=True, slots=True, repr=False)
class Ranking(Shown):
    """How well a score ranks, with intervals from resampled users.

    Attributes:
        qini: Qini coefficient, see :func:`~commlife.effects.qini`.
        qini_low: Lower end of its interval.
        qini_high: Upper end.
        auuc: Area under the uplift curve, see :func:`~commlife.effects.auuc`.
        auuc_low: Lower end of its interval.
        auuc_high: Upper end.
        negative_share: Share of users with a score below 0: predicted to be harmed ("sleeping dogs"), where the score
            is an estimate of the change.
        negative_low: Lower end of its interval (Wilson).
        negative_high: Upper end.
        negative_effect: What the treatment did to these users: the difference in means; null where there are none.
        negative_effect_low: Lower end of its interval.
        negative_effect_high: Upper end; below 0 the harm is no chance.
        normalize: Convention of both areas.
        users: Users, treated and control together.
        draws: Resampled trials.
        confidence_level: Level of the intervals.
        curve: The gain curve, at most 200 rows: ``users, score, gain, random, gain_low, gain_high``.
    """

    qini: float
    qini_low: float
    qini_high: float
    auuc: float
    auuc_low: float
    auuc_high: float
    negative_share: float
    negative_low: float
    negative_high: float
    negative_effect: float
    negative_effect_low: float
    negative_effect_high: float
    normalize: QiniNormalization
    users: int
    draws: int
    confidence_level: float
    curve: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: ``measure, value, low, high``."""
        rows = [
            ("qini", self.qini, self.qini_low, self.qini_high),
            ("auuc", self.auuc, self.auuc_low, self.auuc_high),
            ("negative_share", self.negative_share, self.negative_low, self.negative_high),
            ("negative_effect", self.negative_effect, self.negative_effect_low, self.negative_effect_high),
        ]
        return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])

    def plot(self, *, ax: Axes | None = None, lang: Language = "en") -> Axes:
        """The gain curve with its band, against treating at random.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.effects.figures import gain_curve

        return gain_curve(self, ax=ax, lang=lang)

    def __repr__(self) -> str:
        return (
            f"Ranking(qini {self.qini:.4g} ({self.qini_low:.4g} to {self.qini_high:.4g}, {self.normalize!r}), "
            f"{self.negative_share:.1%} predicted to be harmed, "
            f"{self.users:,} users)"
        )


def rank_quality(
    outcome: Any,
    treatment: Any,
    score: Any,
    *,
    normalize: QiniNormalization = "n2",
    draws: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> Ranking:
    """Qini, area under the uplift curve and the users who are harmed, with intervals.

    Users are resampled with weights from a Poisson distribution, all draws of a chunk at once; the score stays as it
    is, so that the interval is that of this score on further trials, not of the model that made it. Use it on users
    whom the model has not seen.

    Args:
        outcome: One number a user.
        treatment: 1 or True for treated, 0 or False for control, dealt by chance.
        score: One number a user, higher = treated first.
        normalize: Convention, as for :func:`~commlife.effects.qini`.
        draws: Resampled trials.
        confidence_level: Level of the intervals (percentiles).
        seed: Seed of the resampling. The order of rows does not matter.

    Returns:
        :class:`Ranking`.

    Raises:
        ConfigError: As for :func:`~commlife.effects.qini`.
        InsufficientDataError: If one of the two groups has fewer than 10 users, or the divisor is zero.

    References:
        Chamandy et al. (2012), Estimating uncertainty for massive data streams (Poisson bootstrap).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> x, treated = rng.random(2_000), rng.random(2_000) < 0.5
        >>> bought = rng.random(2_000) < 0.1 + 0.3 * treated * x
        >>> quality = rank_quality(bought, treated, x, draws=100)
        >>> quality.qini_low > 0, quality.negative_share
        (True, 0.0)
    """
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    n_draws, seed = whole_number(draws, "draws", 20), whole_number(seed, "seed", 0)
    y, t, s = checked_trial(outcome, treatment, score)
    if min(t.sum(), (1 - t).sum()) < 10:
        raise InsufficientDataError(
            "resampling a trial needs at least 10 users in each of its two groups. Use a larger trial."
        )
    value = qini(y, t, s, normalize=normalize)
    area = auuc(y, t, s, normalize=normalize)
    ends = (0.5 - level / 2, 0.5 + level / 2)
    y, t, s, distinct = from_the_top(y, t, s)
    curve = qini_curve(y, t, s)
    points = np.unique(np.linspace(0, len(curve) - 1, POINTS).astype(np.intp))
    drawn = _resampled(y, t, distinct, points, n_draws, seed, normalize)
    gains = np.quantile(drawn.gains, ends, axis=0)
    kept = curve.iloc[points].assign(gain_low=gains[0], gain_high=gains[1]).reset_index(drop=True)
    (low, high), (area_low, area_high) = np.nanquantile(drawn.qini, ends), np.nanquantile(drawn.auuc, ends)
    negative = s < 0
    share_low, share_high = wilson_interval(int(negative.sum()), len(s), level=level)
    effect, reach = _difference(y, t, negative, level)
    return Ranking(
        qini=value,
        qini_low=float(low),
        qini_high=float(high),
        auuc=area,
        auuc_low=float(area_low),
        auuc_high=float(area_high),
        negative_share=float(negative.mean()),
        negative_low=float(share_low),
        negative_high=float(share_high),
        negative_effect=effect,
        negative_effect_low=effect - reach,
        negative_effect_high=effect + reach,
        normalize=normalize,
        users=len(y),
        draws=n_draws,
        confidence_level=level,
        curve=kept,
    )


@dataclass(frozen=True, slots=True)
class _Draws:
    qini: Floats
    auuc: Floats
    gains: Floats


def _resampled(
    y: Floats,
    t: Floats,
    ends: NDArray[np.intp],
    points: NDArray[np.intp],
    draws: int,
    seed: int,
    normalize: QiniNormalization,
) -> _Draws:
    """Both areas and the curve of many resampled trials, a chunk of them at a time."""
    best = []
    if normalize == "perfect":
        for score in perfect_scores(y, t):
            rank = np.argsort(-score, kind="stable")
            best.append((rank, np.append(np.flatnonzero(np.diff(score[rank])), len(y) - 1)))
    parts: list[tuple[Floats, Floats, Floats]] = []
    for weight in poisson_weights(draws, len(y), seed):
        found = _areas(weight, y, t, ends)
        size, line = found["users"], found["lift_end"] * found["users"] / 2
        if normalize == "perfect":
            perfect = [_areas(weight[:, rank], y[rank], t[rank], last) for rank, last in best]
            qinis = found["between"] / perfect[0]["between"]
            areas = (found["under"] - line) / (perfect[1]["under"] - line)
        else:
            power = size**2 if normalize == "n2" else size
            # A resampled curve that ends at 0 cannot be divided by its end: it is left out of the quantiles.
            ends_at = [found[name] if normalize == "abs_end" else np.ones_like(size) for name in ("end", "lift_end")]
            divisors = [np.where(end == 0, np.nan, power * np.abs(end)) for end in ends_at]
            qinis, areas = found["between"] / divisors[0], found["under"] / divisors[1]
        gains = np.concatenate([np.zeros((len(weight), 1)), found["gain"]], axis=1)[:, points]
        parts.append((qinis, areas, gains))
    qinis, areas, gains = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Draws(qinis, areas, gains)


def _areas(weight: Floats, y: Floats, t: Floats, ends: NDArray[np.intp]) -> dict[str, Floats]:
    return areas_of(*running_sums(weight, y, t, ends))


def _difference(y: Floats, t: Floats, inside: NDArray[np.bool_], level: float) -> tuple[float, float]:
    """Difference in means among some users, and half the width of its interval (Welch)."""
    mine, others = y[inside & (t == 1)], y[inside & (t == 0)]
    if min(len(mine), len(others)) < 2:
        return float("nan"), float("nan")
    parts = [group.var(ddof=1) / len(group) for group in (mine, others)]
    total = sum(parts)
    if total == 0:
        return float(mine.mean() - others.mean()), 0.0
    degrees = total**2 / sum(part**2 / (len(g) - 1) for part, g in zip(parts, (mine, others), strict=True))
    return float(mine.mean() - others.mean()), student_quantile(0.5 + level / 2, float(degrees)) * float(total**0.5)
