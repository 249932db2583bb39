"""Profile-likelihood intervals: right where the likelihood is no parabola.

The interval of a parameter holds the values at which the likelihood, maximised over the other parameters, is not too
far below its top. It needs no symmetry, and tells where the data set no limit. For few users it keeps its promise
where an interval from the curvature at the top is too narrow.

Source: Venzon & Moolgavkar (1988), "A method for computing profile-likelihood-based confidence intervals", Journal of
the Royal Statistical Society C 37(1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri

from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp
from commlife.value.estimation import Objective, Terms
from commlife.value.histories import Histories, read_summary
from commlife.value.likelihood import log_likelihood_of
from commlife.value.purchases import FittedPurchaseModel, _share

__all__ = ["profile_intervals", "profile_log_likelihood"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: The data set no limit where a mean, a shape or a ratio is more than e^4, 50 times, away from its estimate.
_NO_LIMIT = 4.0
#: Standard error of a log parameter above which there is no interval worth the name.
_VAGUE = 1.0
_STEPS, _HALVINGS, _SECANTS = 15, 8, 12
#: A step that gains less log-likelihood than this is the last.
_GAIN = 1e-6
_DIFFERENCE = 1e-5


def profile_intervals(
    fitted: FittedPurchaseModel, data: Any, *, level: float = 0.95, as_of: Timestamp | None = None
) -> pd.DataFrame:
    """Intervals of the parameters from the profile likelihood.

    Slower than :meth:`FittedPurchaseModel.intervals` (some dozens of fits with a parameter held), and to be preferred
    below some thousand users.

    Args:
        fitted: A model fitted without prior, groups and covariates.
        data: The purchase summary that it was fitted on, or the OrderLog with ``as_of``.
        level: Share of samples in which the interval should hold the truth, above 0 and below 1.
        as_of: Local business day; for a log alone.

    Returns:
        A frame with ``parameter, estimate, low, high``; low is 0 or high infinite where the data set no limit.

    Raises:
        ConfigError: If the model has a prior, groups or covariates, or the data are not those of the fit.
        InsufficientDataError: If the data hardly determine a parameter.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("ModifiedBetaGeo", {"r": 0.6, "alpha": 6.0, "a": 0.9, "b": 1.6},
        ...                                  n_users=1500, T="365D", whole_days=True, seed=1)
        >>> value.profile_intervals(value.ModifiedBetaGeo().fit(summary), summary).columns.tolist()
        ['parameter', 'estimate', 'low', 'high']
    """
    if not isinstance(fitted, FittedPurchaseModel):
        raise ConfigError(
            f"profile_intervals takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD; seen {type(fitted).__name__}."
        )
    if fitted.spec.prior is not None or fitted.spec.columns:
        raise ConfigError("profile_intervals takes a model without prior, groups and covariates: fit one beside it.")
    cut = float(chdtri(1, 1.0 - _share("level", level)))
    summary = read_summary(data, as_of=as_of, ids=False, what="profile_intervals")
    if summary.existing is not None:
        summary = summary.only(~summary.existing)
    unit = float(fitted.time_unit.days)
    objective = _objective(fitted, Histories.of(summary), unit)
    names = fitted.kernel.box.names
    logs = np.log([fitted.params[name] for name in names])
    top = objective(logs)[0]
    if abs(top - fitted.log_likelihood) > 1e-6 * abs(top):
        raise ConfigError(
            f"profile_intervals: the log-likelihood of these data is {top:.3f}, that of the fit "
            f"{fitted.log_likelihood:.3f}. Give the summary that the model was fitted on."
        )
    errors = np.sqrt(np.diag(np.array(fitted.log_covariance)))
    if not (errors < _VAGUE).all():
        raise InsufficientDataError(
            f"profile_intervals: {len(summary):,} users hardly determine the parameters: they set no limit to some of "
            "them. Use more users or a longer history."
        )
    ends = [[_end(objective, logs, top, j, side * errors[j], cut) for side in (-1, 1)] for j in range(logs.size)]
    low, high = np.exp(np.array(ends)).T
    return pd.DataFrame({"parameter": names, "estimate": np.exp(logs), "low": low, "high": high})


def profile_log_likelihood(fitted: FittedPurchaseModel, data: Any, **held: float) -> float:
    """The log-likelihood maximised over all parameters but those held, such as ``r=0.5``, times in ``time_unit``.

    Args:
        fitted: The model, at whose estimate the search begins.
        data: A purchase summary.
        held: Values of the parameters held.

    Raises:
        ConfigError: If a name is no parameter, or a value not positive.
    """
    names = fitted.kernel.box.names
    for name, value in held.items():
        if name not in names:
            raise ConfigError.unknown_name(f"parameter of {type(fitted).__name__}", name, names)
        if not 0 < value < float("inf"):
            raise ConfigError(f"{name} is positive and finite; seen {value!r}.")
    objective = _objective(
        fitted,
        Histories.of(read_summary(data, ids=False, what="profile_log_likelihood")),
        float(fitted.time_unit.days),
    )
    logs = np.log([held.get(name, fitted.params[name]) for name in names])
    free = np.array([name not in held for name in names])
    return _climb(objective, logs, free)[0]


def _objective(fitted: FittedPurchaseModel, histories: Histories, unit: float) -> Objective:
    matrix = fitted.kernel.box.matrix
    middle = matrix @ np.log([fitted.params[name] for name in fitted.kernel.box.names])

    def objective(logs: Array, /, *, second: bool = False) -> Terms:
        if np.abs(matrix @ logs - middle).max() > _NO_LIMIT:
            return -np.inf, np.zeros_like(logs), np.zeros((logs.size, logs.size))
        value, gradient, hessian = log_likelihood_of(fitted.kernel, histories, np.exp(logs), unit, second=second)
        if second and hessian is None:
            axes = np.eye(logs.size) * _DIFFERENCE
            bent = np.array([objective(logs + axis)[1] - gradient for axis in axes]) / _DIFFERENCE
            hessian = 0.5 * (bent + bent.T)
        return value, gradient, hessian

    return objective


def _end(objective: Objective, logs: Array, top: float, j: int, step: float, cut: float) -> float:
    """The log parameter, on the side of ``step``, where twice the fall of the profile is ``cut``.

    The root of the fall is nearly linear in the parameter: secants on it.
    """
    goal = float(np.sqrt(cut))
    free = np.arange(logs.size) != j
    inner, inner_fall, reach = 0.0, 0.0, goal * step
    outer = np.inf
    at = logs
    for _ in range(_SECANTS):
        trial = at.copy()
        trial[j] = logs[j] + reach
        value, trial = _climb(objective, trial, free)
        if not np.isfinite(value):
            return float(np.sign(step) * np.inf)
        fall = float(np.sqrt(max(2.0 * (top - value), 0.0)))
        if abs(fall - goal) < 1e-4:
            break
        if fall < goal:
            slope = (fall - inner_fall) / (reach - inner) if reach != inner else 0.0
            inner, inner_fall, at = reach, fall, trial
            ahead = reach + (goal - fall) / slope if slope * step > 0 else 2.0 * reach
            limit = 3.0 * reach if np.isinf(outer) else 0.5 * (reach + outer)
            reach = ahead if abs(ahead) < abs(limit) or (np.isfinite(outer) and abs(ahead) < abs(outer)) else limit
        else:
            outer = reach
            reach = inner + (reach - inner) * (goal - inner_fall) / (fall - inner_fall)
    return float(logs[j] + reach)


def _climb(objective: Objective, logs: Array, free: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[float, Array]:
    """Newton's method over the free log parameters."""
    value, gradient, hessian = objective(logs, second=True)
    for _ in range(_STEPS):
        assert hessian is not None  # noqa: S101 - asked for
        curvature, axes = np.linalg.eigh(-hessian[np.ix_(free, free)])
        lifted = np.maximum(np.abs(curvature), 1e-8 * max(1.0, float(np.abs(curvature).max(initial=0.0))))
        slope = axes.T @ gradient[free]
        if float(slope @ (slope / lifted)) < _GAIN:
            break
        step = np.zeros_like(logs)
        step[free] = axes @ (slope / lifted)
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        for _halving in range(_HALVINGS):
            higher = objective(logs + step)[0]
            if higher > value:
                break
            step *= 0.5
        else:
            break
        gained, logs = higher - value, logs + step
        value, gradient, hessian = objective(logs, second=True)
        if gained < _GAIN:
            break
    return value, logs
