"""Explained: users' forecasts taken apart into contributions that add up to the probability itself."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.churn._logit import expit

if TYPE_CHECKING:
    import pandas as pd

    from commlife.churn.calibration import AffineMap
    from commlife.churn.forest import Forest

__all__ = ["Explained", "Forecast", "explain", "membership", "shap_format"]

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Explained:
    """Forecasts of n users and what each of the features adds.

    Attributes:
        p: Probability of silence.
        p_base: The probability at the base log-odds, the same for all users.
        log_odds: Calibrated contributions, ``(n, features)``, in log-odds.
        points: The same in probability: ``log_odds * (p - p_base) / (z - z_base)``, which add up to ``p - p_base``.
    """

    p: Array
    p_base: float
    log_odds: Array
    points: Array


@dataclass(frozen=True)
class Forecast:
    """From features to probabilities: the trees and the line through their log-odds, as a function."""

    forest: Forest
    calibration: AffineMap

    def __call__(self, features: pd.DataFrame | Array) -> Array:
        return self.calibration.probability(self.forest.margin(features))


def explain(forest: Forest, calibration: AffineMap, features: pd.DataFrame | Array) -> Explained:
    """Take forecasts apart."""
    raw, base, margin = forest.contributions(features)
    # float32 contributions miss the last bits of the margin: these are shared out by size, so that sums hold.
    size = np.abs(raw) + 1e-12
    raw = raw + (margin - base - raw.sum(axis=1))[:, None] * size / size.sum(axis=1, keepdims=True)
    z = calibration.log_odds(margin)
    z_base = calibration.intercept + calibration.slope * base
    p = expit(z)
    p_base = float(expit(np.asarray(z_base, dtype=np.float64)))
    distance = z - z_base
    near = np.abs(distance) < 1e-6
    # A user at the base has no distance to share out: there the slope of the curve takes its place.
    rate = np.where(near, p_base * (1 - p_base), (p - p_base) / np.where(near, 1.0, distance))
    log_odds = raw * calibration.slope
    return Explained(p, p_base, log_odds, log_odds * rate[:, None])


def membership(names: tuple[str, ...], groups: tuple[tuple[str, ...], ...]) -> Array:
    """1.0 where a feature (row) belongs to a group (column)."""
    made = np.zeros((len(names), len(groups)))
    for column, members in enumerate(groups):
        for name in members:
            made[names.index(name), column] = 1.0
    return made


def shap_format(explained: Explained, X: Array, labels: list[str]) -> Any:
    """Contributions as a ``shap.Explanation``, in calibrated log-odds."""
    with warnings.catch_warnings():
        # What shap's import says of its own use of matplotlib is not the caller's to mend.
        warnings.simplefilter("ignore")
        import shap

    base = float(np.log(explained.p_base) - np.log1p(-explained.p_base))
    return shap.Explanation(values=explained.log_odds, base_values=np.full(len(X), base), data=X, feature_names=labels)
