"""Parameters of each community, shrunk: what a community shows itself, and what it borrows from the whole.

Each community's log parameters are a draw from a normal distribution around a typical community, with a spread of its
own for every working parameter (rate, chance to leave, and their shapes). Centre and spread are estimated from all
communities together (empirical Bayes, Laplace's approximation): where communities are alike the spread is small and
all draw together; a community with many users stays with its own.

Source: Kass & Steffey (1989), "Approximate Bayesian inference in conditionally independent hierarchical models
(parametric empirical Bayes models)", Journal of the American Statistical Association 84.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from commlife.value.histories import Histories
from commlife.value.kernels import Kernel
from commlife.value.likelihood import slopes_by_stratum

__all__ = ["Shrunk", "shrink"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Bounds of the log variance between communities: alike to a tenth of a percent, and a factor of twenty apart.
_ALIKE, _APART = float(np.log(1e-6)), float(np.log(9.0))
_ROUNDS, _STEPS, _HALVINGS = 40, 20, 12
_DIFFERENCE = 1e-5
#: A community counts as settled when a Newton step would gain less log-likelihood than this.
_SETTLED = 1e-6
#: Centre and spread count as settled when none of them moves by more than this.
_UNMOVED = 1e-3


@dataclass(frozen=True)
class Shrunk:
    """Communities between themselves and the whole.

    Attributes:
        logs: Log parameters of each community, shape (n, 4).
        covariance: Their covariance given centre and spread, shape (n, 4, 4).
        typical: Log parameters of the typical community.
        spread: Standard deviation between communities of each working parameter.
        borrowed: Part of each community's mean purchase rate that comes from the whole, in [0, 1].
    """

    logs: Array
    covariance: Array
    typical: Array
    spread: Array
    borrowed: Array


def shrink(kernel: Kernel, histories: Histories, pooled: Array, scale: float) -> Shrunk:
    """Estimate centre and spread between the strata of the histories, and each stratum given them.

    Args:
        kernel: The model.
        histories: The users' histories, communities as strata.
        pooled: Log parameters of all users together, where the search begins.
        scale: Unit of the time parameters, in days.
    """
    box = kernel.box
    inverse: Array = np.asarray(np.linalg.inv(box.matrix), dtype=np.float64)
    n, k = histories.strata, pooled.size
    low, high = box.lower[:, None], box.upper[:, None]

    def slopes(working: Array) -> tuple[Array, Array]:
        value, gradient = slopes_by_stratum(kernel, histories, np.exp(inverse @ working), scale)
        return value, np.asarray(inverse.T @ gradient, dtype=np.float64)

    centre = box.matrix @ pooled
    variance = np.full(k, 0.1)
    working = np.repeat(centre[:, None], n, axis=1)
    value, gradient = slopes(working)
    information = _information(slopes, working, gradient)
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            pull = (working - centre[:, None]) / variance[:, None]
            uphill = gradient - pull
            step = np.linalg.solve(information + np.diag(1.0 / variance), uphill.T[..., None])[..., 0].T
            gain = np.einsum("jc,jc->c", uphill, step)
            if gain.max() < _SETTLED:
                break
            step *= np.minimum(1.0, 1.0 / np.maximum(np.abs(step).max(axis=0), 1e-300))
            working, value, gradient = _climb(
                slopes, working, value, np.clip(working + step, low, high), centre, variance
            )
            information = _information(slopes, working, gradient)
        before = np.concatenate([centre, np.sqrt(variance)])
        centre, variance = _centre_and_variance(working, gradient, information, centre, variance)
        if np.abs(np.concatenate([centre, np.sqrt(variance)]) - before).max() < _UNMOVED:
            break
    covariance = np.linalg.inv(information + np.diag(1.0 / variance))
    return Shrunk(
        logs=np.asarray((inverse @ working).T, dtype=np.float64),
        covariance=np.asarray(inverse @ covariance @ inverse.T, dtype=np.float64),
        typical=np.asarray(inverse @ centre, dtype=np.float64),
        spread=np.sqrt(variance),
        borrowed=np.clip(covariance[:, 1, 1] / variance[1], 0.0, 1.0),
    )


def _climb(
    slopes: Any, working: Array, value: Array, target: Array, centre: Array, variance: Array
) -> tuple[Array, Array, Array]:
    """Each community moves to its target, or to the first halving of the way that is higher, or stays."""

    def penalty(at: Array) -> Array:
        answer: Array = 0.5 * ((at - centre[:, None]) ** 2 / variance[:, None]).sum(axis=0)
        return answer

    height = value - penalty(working)
    trial = target
    for _ in range(_HALVINGS):
        found, slope = slopes(trial)
        worse = found - penalty(trial) < height - 1e-9 * np.abs(height)
        if not worse.any():
            return trial, found, slope
        trial = np.where(worse, 0.5 * (trial + working), trial)
    trial = np.where(worse, working, trial)
    found, slope = slopes(trial)
    return trial, found, slope


def _information(slopes: Any, working: Array, gradient: Array) -> Array:
    """Observed information of each community, by differences; negative curvatures count as none."""
    k = working.shape[0]
    moved = [slopes(working + _DIFFERENCE * np.eye(k)[:, [j]])[1] for j in range(k)]
    bent = -np.stack([each - gradient for each in moved]) / _DIFFERENCE
    symmetric = 0.5 * (bent + bent.transpose(1, 0, 2)).transpose(2, 0, 1)
    curvature, axes = np.linalg.eigh(symmetric)
    answer: Array = np.einsum("cik,ck,cjk->cij", axes, np.maximum(curvature, 0.0), axes)
    return answer


def _centre_and_variance(
    working: Array, gradient: Array, information: Array, centre: Array, variance: Array
) -> tuple[Array, Array]:
    """The centre and the variances that make the communities' likelihoods, each taken as a normal one, most likely."""
    k, n = working.shape
    points = working.T
    linear = gradient.T + np.einsum("cij,cj->ci", information, points)

    def loss(at: Array) -> tuple[float, Array]:
        mid, log_variance = at[:k], at[k:]
        tight = np.exp(-log_variance)
        covariance = np.linalg.inv(information + np.diag(tight))
        towards = linear + tight * mid
        mean = np.einsum("cij,cj->ci", covariance, towards)
        away = mean - mid
        value = -0.5 * n * float(log_variance.sum()) + 0.5 * float(np.linalg.slogdet(covariance)[1].sum())
        value += 0.5 * float((mean * towards).sum()) - 0.5 * n * float((tight * mid * mid).sum())
        within = np.diagonal(covariance, axis1=1, axis2=2)
        by_mid = tight * away.sum(axis=0)
        by_variance = 0.5 * (tight * (away**2 + within) - 1.0).sum(axis=0)
        return -value / n, -np.concatenate([by_mid, by_variance]) / n

    begin = np.concatenate([centre, np.log(variance)])
    bounds = [(None, None)] * k + [(_ALIKE, _APART)] * k
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-12})
    return found.x[:k], np.exp(found.x[k:])
