"""Logistic regression by Newton's method: small, exact, the same on every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from commlife.errors import InsufficientDataError

__all__ = ["Logit", "expit", "fit_logit"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Weight of the penalty on standardised coefficients: enough to keep separable data finite.
_RIDGE = 1e-3
_STEPS, _HALVINGS, _CLOSE = 100, 30, 1e-10


def expit(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * z))


@dataclass(frozen=True)
class Logit:
    """A fitted logistic regression.

    Attributes:
        intercept: Log-odds where all columns are 0.
        slopes: Log-odds a unit of each column.
    """

    intercept: float
    slopes: tuple[float, ...]

    def log_odds(self, X: Array) -> Array:
        """Log-odds of each row."""
        return self.intercept + X @ np.asarray(self.slopes)


def fit_logit(X: Array, y: Array, *, ridge: float = _RIDGE) -> Logit:
    """Fit by maximum likelihood with a slight ridge on standardised columns.

    Raises:
        InsufficientDataError: If all outcomes are alike.
    """
    if not 0 < y.mean() < 1:
        raise InsufficientDataError(
            f"a logistic regression needs users of both outcomes; of {len(y):,} users {'all' if y.mean() else 'none'} "
            "fell silent. Use another horizon or active_within."
        )
    centre, spread = X.mean(axis=0), X.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    Z = np.column_stack([np.ones(len(X)), (X - centre) / spread])
    penalty = np.full(Z.shape[1], ridge * len(y) ** 0.5)
    penalty[0] = 0.0
    beta = np.zeros(Z.shape[1])
    beta[0] = np.log(y.mean() / (1 - y.mean()))

    def loss(b: Array) -> float:
        z = Z @ b
        return float(np.logaddexp(0.0, z).sum() - y @ z + 0.5 * penalty @ b**2)

    value = loss(beta)
    for _ in range(_STEPS):
        p = expit(Z @ beta)
        gradient = Z.T @ (p - y) + penalty * beta
        hessian = (Z * (p * (1 - p))[:, None]).T @ Z + np.diag(penalty + 1e-12)
        step = np.linalg.solve(hessian, gradient)
        decrement = float(gradient @ step)
        if decrement < _CLOSE * len(y):
            break
        size = 1.0
        for _ in range(_HALVINGS):
            trial = loss(beta - size * step)
            if trial <= value:
                break
            size /= 2
        beta = beta - size * step
        value = trial
    slopes = beta[1:] / spread
    return Logit(float(beta[0] - slopes @ centre), tuple(float(slope) for slope in slopes))
