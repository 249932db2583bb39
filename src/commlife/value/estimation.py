"""Maximum likelihood in bounded, well-conditioned parameters, and the truth about how it ended.

Positive parameters are estimated through linear combinations of their logarithms (a mean, a shape, a ratio), each in
a box. Newton's method finishes (where second derivatives are written out it also begins, else L-BFGS-B comes near
first and gradients are differenced), and the Newton decrement decides: it says how far, in standard errors, the answer
can still be from the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize

from commlife.errors import InsufficientDataError

__all__ = ["Box", "Estimate", "maximise"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
#: Value, gradient, and the second derivatives where they are written out.
Terms = tuple[float, Array, Array | None]

#: Newton decrement (squared distance to the maximum, in standard errors) that is aimed at, and that is accepted.
_CLOSE, _ACCEPTED = 1e-10, 1e-4
_NEWTON_STEPS = 40
#: A step changes a working parameter by this at most: the curvature is known no farther.
_LONGEST_STEP = 0.7
_DIFFERENCE = 1e-5
#: A working parameter nearer to its bound than this counts as being there.
_AT_BOUND = 1e-6


class Objective(Protocol):
    """A log-likelihood by log parameters."""

    def __call__(self, logs: Array, /, *, second: bool = False) -> Terms:
        """Value and gradient; with ``second`` the second derivatives too, None where only differences give them."""
        ...


@dataclass(frozen=True)
class Box:
    """Working parameters: ``working = matrix @ log(parameters)``, each within bounds.

    Attributes:
        names: Names of the parameters, in order.
        matrix: Square matrix from log parameters to working ones.
        lower: Lower bounds of the working parameters.
        upper: Upper bounds.
        meaning: What each working parameter is, for messages.
        prior_mean: Centre of the weakly informative normal prior on each working parameter.
        prior_sd: Its standard deviation; infinite where there is none.
    """

    names: tuple[str, ...]
    matrix: Array
    lower: Array
    upper: Array
    meaning: tuple[str, ...]
    prior_mean: Array
    prior_sd: Array


@dataclass(frozen=True)
class Estimate:
    """Where the likelihood is largest.

    Attributes:
        logs: Log parameters.
        covariance: Covariance of the log parameters from the observed information; NaN where they are not determined.
        objective: What was maximised: the log-likelihood, with the log prior, if there is one.
        log_likelihood: The log-likelihood alone.
        at_bound: Working parameters that ended at a bound, as positions.
    """

    logs: Array
    covariance: Array
    objective: float
    log_likelihood: float
    at_bound: tuple[int, ...]


def maximise(log_likelihood: Objective, box: Box, starts: Array, *, weight: float, prior: bool, what: str) -> Estimate:
    """Maximise a log-likelihood given as a function of log parameters, with its derivatives.

    Args:
        log_likelihood: Value, gradient and (if written out) second derivatives with respect to the log parameters.
        box: The working parameters.
        starts: Log parameters to start from, one row each; later rows are tried only where earlier ones fail.
        weight: Number of observations, by which the problem is scaled.
        prior: Whether the box's weakly informative prior is added.
        what: Name of the model, for messages.

    Raises:
        InsufficientDataError: If no start leads to a maximum.
    """
    inverse: Array = np.asarray(np.linalg.inv(box.matrix), dtype=np.float64)

    def loss(working: Array, *, second: bool = False) -> Terms:
        value, gradient, hessian = log_likelihood(inverse @ working, second=second)
        gradient = inverse.T @ gradient
        if hessian is not None:
            hessian = inverse.T @ hessian @ inverse
        if prior:
            pull = (working - box.prior_mean) / box.prior_sd
            value -= 0.5 * float(pull @ pull)
            gradient = gradient - pull / box.prior_sd
            hessian = None if hessian is None else hessian - np.diag(box.prior_sd**-2.0)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(working), None
        return -value / weight, -gradient / weight, None if hessian is None else -hessian / weight

    found: _Ended | None = None
    for start in starts:
        begin = np.clip(box.matrix @ start, box.lower, box.upper)
        terms = loss(begin, second=True)
        found = None if terms[2] is None else _newton(loss, begin, terms, box, weight)
        if found is None or found.decrement > _ACCEPTED or not found.free.all():
            near = _near(loss, begin, box)
            found = _better(found, _newton(loss, near, loss(near, second=True), box, weight))
        if found.decrement <= _ACCEPTED:
            break
    if found is None or found.decrement > _ACCEPTED:
        raise InsufficientDataError(
            f"{what}: the likelihood has no maximum that could be found from {len(starts)} starts: the data do not "
            "determine the parameters. Use more users or a longer history, or prior='weak'."
        )
    covariance = _covariance(found.hessian, found.free, inverse, weight)
    at_bound = tuple(int(i) for i in np.flatnonzero(~found.free))
    logs = inverse @ found.working
    objective = -found.value * weight
    return Estimate(logs, covariance, objective, log_likelihood(logs)[0] if prior else objective, at_bound)


def _near(loss: Objective, begin: Array, box: Box) -> Array:
    """Where L-BFGS-B ends."""

    def first(working: Array) -> tuple[float, Array]:
        value, gradient, _ = loss(working)
        return value, gradient

    found = minimize(
        first,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(box.lower, box.upper, strict=True)),
        options={"maxiter": 500, "ftol": 1e-11, "gtol": 1e-6},
    )
    return np.asarray(found.x, dtype=np.float64)


@dataclass(frozen=True)
class _Ended:
    """Where Newton's method ended: the point, which parameters are free there, and how far the maximum can still be."""

    value: float
    working: Array
    free: Flags
    hessian: Array
    decrement: float


def _better(one: _Ended | None, other: _Ended) -> _Ended:
    """The one that ended at a maximum; of two, the higher."""
    if one is None or one.decrement > _ACCEPTED:
        return other
    return one if other.decrement > _ACCEPTED or one.value <= other.value else other


def _newton(loss: Objective, working: Array, terms: Terms, box: Box, weight: float) -> _Ended:
    """Newton steps within the box; the decrement is infinite where the curvature is not that of a maximum."""
    value, gradient, known = terms
    hessian, decrement, definite = np.empty((0, 0)), np.inf, False
    free = np.ones(working.size, dtype=bool)
    for _ in range(_NEWTON_STEPS):
        low = (working <= box.lower + _AT_BOUND) & (gradient > 0)
        high = (working >= box.upper - _AT_BOUND) & (gradient < 0)
        free = ~(low | high)
        if known is not None:
            hessian = known
        elif not decrement <= _ACCEPTED:  # nearer than that, the Hessian moves no more
            hessian = _hessian(loss, working, gradient)
        inside = hessian[np.ix_(free, free)]
        # A ridge has curvatures near 0: they are lifted so that the step stays finite and downhill.
        curvature, axes = np.linalg.eigh(inside)
        definite = bool(curvature.size == 0 or curvature[0] > 0)
        lifted = np.maximum(np.abs(curvature), 1e-9 * max(1.0, float(np.abs(curvature).max(initial=0.0))))
        slope = axes.T @ gradient[free]
        decrement = float(weight * (slope @ (slope / lifted)))
        if definite and decrement <= _CLOSE:
            break
        step = np.zeros_like(working)
        step[free] = -axes @ (slope / lifted)
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        moved = _search(loss, working, value, step, gradient, box)
        if moved is None:  # in double precision the value falls no further
            break
        working, (value, gradient, known) = moved
    return _Ended(value, working, free, hessian, decrement if definite else np.inf)


def _search(
    loss: Objective, working: Array, value: float, step: Array, gradient: Array, box: Box
) -> tuple[Array, Terms] | None:
    """The first halving of a step, cut at the box, that lowers the loss."""
    for halving in range(40):
        trial = np.clip(working + step * 0.5**halving, box.lower, box.upper)
        terms = loss(trial, second=True)
        if terms[0] < value + 1e-4 * float(gradient @ (trial - working)):
            return trial, terms
    return None


def _hessian(loss: Objective, working: Array, gradient: Array) -> Array:
    """Differences of the analytic gradient: one-sided where the curvature is plain, central on a ridge."""
    axes = np.eye(working.size)
    quick = np.array([loss(working + _DIFFERENCE * axis)[1] - gradient for axis in axes]) / _DIFFERENCE
    curvature = np.linalg.eigvalsh(0.5 * (quick + quick.T))
    if curvature[0] > 1e-3 * curvature[-1]:
        return np.asarray(0.5 * (quick + quick.T), dtype=np.float64)
    wide = 10.0 * _DIFFERENCE
    exact = np.array([loss(working + wide * axis)[1] - loss(working - wide * axis)[1] for axis in axes]) / (2 * wide)
    return np.asarray(0.5 * (exact + exact.T), dtype=np.float64)


def _covariance(hessian: Array, free: Flags, inverse: Array, weight: float) -> Array:
    """Covariance of the log parameters that no bounded working parameter enters."""
    inner = np.zeros_like(hessian)
    kept = np.flatnonzero(free)
    if kept.size:
        inner[np.ix_(kept, kept)] = np.linalg.inv(hessian[np.ix_(kept, kept)]) / weight
    covariance = inverse @ inner @ inverse.T
    undetermined = (np.abs(inverse[:, ~free]) > 1e-12).any(axis=1)
    covariance[undetermined, :] = np.nan
    covariance[:, undetermined] = np.nan
    return covariance
