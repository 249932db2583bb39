"""Calibration: a straight line through the log-odds, so that what adds up in log-odds still adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from commlife.churn._logit import expit

__all__ = ["AffineMap", "fit_affine"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: How far a slope is expected to lie from 1 before any user of the calibration snapshot is seen (a standard
#: deviation): a few hundred users alone would stretch forecasts by chance.
_PRIOR = 0.15
#: A forecast never turns around, whatever few users say.
_LEAST_SLOPE = 0.05
_STEPS, _CLOSE = 50, 1e-12


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


def fit_affine(margin: Array, silent: Array, *, source: str, weight: float = 1.0) -> AffineMap:
    """Learn the map from the users of one snapshot: the level freely, the slope with a weak prior around 1.

    Args:
        margin: Log-odds by a model that has not seen these outcomes.
        silent: 1.0 where the user fell silent; both outcomes must be there.
        source: What the map is to say of its origin.
        weight: How many users each one stands for.
    """
    shift, slope = 0.0, 1.0
    X = np.column_stack([np.ones(len(margin)), margin])
    for _ in range(_STEPS):
        p = expit(shift + slope * margin)
        gradient = X.T @ (p - silent) + np.array([0.0, (slope - 1.0) / _PRIOR**2 / weight])
        hessian = (X * (p * (1 - p))[:, None]).T @ X + np.diag([1e-9, 1.0 / _PRIOR**2 / weight])
        step = np.linalg.solve(hessian, gradient)
        size = float(gradient @ step)
        # Two parameters and a convex loss: steps are shortened only far from the answer.
        scale = min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        shift, slope = shift - scale * float(step[0]), max(slope - scale * float(step[1]), _LEAST_SLOPE)
        if size < _CLOSE * len(margin):
            break
    return AffineMap(shift, slope, source)
