"""Calibration: a straight line through the log-odds, so that what adds up in log-odds still adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from commlife.churn._logit import expit, fit_logit

__all__ = ["AffineMap", "fit_affine"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: The slope of a map that was learned from few users may come out absurd; a forecast never turns around.
_LEAST_SLOPE, _MOST_SLOPE = 0.05, 5.0


@dataclass(frozen=True, slots=True)
class AffineMap:
    """log-odds -> intercept + slope * log-odds (Platt's scaling).

    Attributes:
        intercept: Shift of the log-odds.
        slope: Stretch of the log-odds; below 1 the raw forecasts were too sure.
        source: ``none``, ``last`` or ``season``: the snapshot it was learned from.
    """

    intercept: float = 0.0
    slope: float = 1.0
    source: str = "none"

    def log_odds(self, margin: Array) -> Array:
        """Calibrated log-odds."""
        return self.intercept + self.slope * margin

    def probability(self, margin: Array) -> Array:
        """Calibrated probability."""
        return expit(self.log_odds(margin))


def fit_affine(margin: Array, silent: Array, *, source: str) -> AffineMap:
    """Learn the map from the users of one snapshot by maximum likelihood.

    Where the slope is no use (turned around, or absurd: too few users) only the level is learned.

    Raises:
        InsufficientDataError: If all of them, or none, fell silent.
    """
    line = fit_logit(margin[:, None], silent)
    if _LEAST_SLOPE <= line.slopes[0] <= _MOST_SLOPE:
        return AffineMap(line.intercept, line.slopes[0], source)
    return AffineMap(_level(margin, silent), 1.0, source)


def _level(margin: Array, silent: Array) -> float:
    """The shift that makes the mean forecast the share that fell silent (by bisection)."""
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if expit(margin + middle).mean() < silent.mean():
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
