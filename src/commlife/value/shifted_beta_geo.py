"""Shifted-beta-geometric: how long a cohort of subscribers lasts, from its survivors so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import model_validator
from scipy.special import betaln, digamma

from commlife._caveats import warn
from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.value.estimation import Box, Objective, Terms, maximise
from commlife.value.hypergeometric import gauss_fraction

__all__ = ["FittedShiftedBetaGeo", "ShiftedBetaGeo"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_NAMES = ("alpha", "beta")
_BOX = Box(
    names=_NAMES,
    matrix=np.array([[1.0, -1.0], [0.5, 0.5]]),
    lower=np.array([-14.0, -7.0]),
    upper=np.array([14.0, 8.0]),
    meaning=(
        "alpha / beta (the mean chance to leave in a period)",
        "alpha and beta together (how alike the users are)",
    ),
    prior_mean=np.zeros(2),
    prior_sd=np.full(2, np.inf),
)
_STARTS = np.log([[1.0, 2.0], [0.5, 5.0], [3.0, 3.0], [20.0, 100.0]])
_MOST_PERIODS = 100_000


class ShiftedBetaGeo(Spec):
    """sBG: each period a user leaves with the same own probability ~ Beta(alpha, beta).

    For contractual relations, where leaving is seen, and for curves of cohorts. Retention rises with age although no
    user changes: the restless leave first.

    Source: Fader & Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21(1).

    Examples:
        >>> fitted = ShiftedBetaGeo().fit([100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1])
        >>> {name: round(value, 3) for name, value in fitted.params.items()}
        {'alpha': 0.704, 'beta': 1.182}
    """

    def fit(self, survivors: Sequence[float] | Sequence[Sequence[float]] | Array) -> FittedShiftedBetaGeo:
        """Estimate alpha and beta by maximum likelihood.

        Args:
            survivors: Users left at age 0, 1, 2, ... periods, never rising; or several such cohorts, each as long as it
                was observed. Percentages give the same parameters, but no valid standard errors.

        Raises:
            ConfigError: If a curve is not a falling list of finite numbers above 0 at age 0.
            InsufficientDataError: If nobody left, or everybody in the first period.
        """
        cohorts = _cohorts(survivors)
        length = max(curve.size for curve in cohorts)
        lost, kept = np.zeros(length), np.zeros(length)
        for curve in cohorts:
            lost[1 : curve.size] += curve[:-1] - curve[1:]
            kept[curve.size - 1] += curve[-1]
        users = float(sum(curve[0] for curve in cohorts))
        if length < 3 or lost.sum() == 0 or (lost[2:].sum() == 0 and kept[1:].sum() == 0):
            raise InsufficientDataError(
                "ShiftedBetaGeo needs curves of at least two periods, with users who left and users who stayed beyond "
                "the first; these do not tell alpha and beta apart. Use a longer observation."
            )
        found = maximise(_objective(lost, kept), _BOX, _STARTS, weight=users, prior=False, what="ShiftedBetaGeo")
        if found.at_bound:
            warn(
                "ShiftedBetaGeo: the likelihood grows up to the bound of "
                + "; ".join(_BOX.meaning[i] for i in found.at_bound)
                + ". With few ages, or a constant retention, the users cannot be told apart: read the curve, not the "
                "parameters.",
                ModelWarning,
            )
        values = np.exp(found.logs)
        return FittedShiftedBetaGeo(
            spec=self,
            params=dict(zip(_NAMES, values.tolist(), strict=True)),
            standard_errors=dict(zip(_NAMES, (values * np.sqrt(np.diag(found.covariance))).tolist(), strict=True)),
            log_likelihood=found.objective,
            fitted_on=FittedOn(as_of=None, rows=len(cohorts), users=round(users), version=library_version()),
        )


def _cohorts(survivors: Any) -> list[Array]:
    rule = "survivors are the users left at age 0, 1, 2, ..., or a list of such lists"
    if isinstance(survivors, (str, bytes)) or not hasattr(survivors, "__iter__"):
        raise ConfigError(f"{rule}; seen {survivors!r:.60}.")
    rows = list(survivors)
    if not rows:
        raise ConfigError(f"{rule}; seen an empty list.")
    nested = [isinstance(row, (list, tuple, np.ndarray, pd.Series)) for row in rows]
    if any(nested) and not all(nested):
        raise ConfigError(f"{rule}; seen numbers and lists side by side.")
    return [_curve(row) for row in (rows if all(nested) else [rows])]


def _curve(row: Any) -> Array:
    values = list(row)
    numbers = all(isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, bool) for v in values)
    curve = np.array(values, dtype=np.float64) if numbers else np.empty(0)
    if numbers:
        while curve.size and np.isnan(curve[-1]):  # a cohort table's cells that are not yet complete
            curve = curve[:-1]
    if curve.size < 2 or not np.isfinite(curve).all() or curve[0] <= 0 or curve.min() < 0 or (np.diff(curve) > 0).any():
        raise ConfigError(
            "a survivor curve is at least two finite numbers that begin above 0, never rise and never fall below 0; "
            f"seen {values!r:.100}."
        )
    return curve


def _objective(lost: Array, kept: Array) -> Objective:
    """Log-likelihood of leaving in period t (lost[t]) or being there after it (kept[t])."""
    age = np.arange(lost.size, dtype=np.float64)
    before = np.maximum(age - 1.0, 0.0)

    def objective(logs: Array, *, second: bool = False) -> Terms:
        del second  # differenced
        alpha, beta = np.exp(logs)
        base = betaln(alpha, beta)
        left = betaln(alpha + 1.0, beta + before) - base
        stayed = betaln(alpha, beta + age) - base
        both = digamma(alpha + beta)
        by_alpha = lost @ (digamma(alpha + 1.0) - digamma(alpha + beta + 1.0 + before) - digamma(alpha) + both)
        by_alpha += kept @ (both - digamma(alpha + beta + age))
        by_beta = lost @ (digamma(beta + before) - digamma(alpha + beta + 1.0 + before) - digamma(beta) + both)
        by_beta += kept @ (digamma(beta + age) - digamma(alpha + beta + age) - digamma(beta) + both)
        return float(lost @ left + kept @ stayed), np.array([alpha * by_alpha, beta * by_beta]), None

    return objective


class FittedShiftedBetaGeo(Fitted):
    """A fitted shifted-beta-geometric curve.

    Attributes:
        spec: The spec that was fitted.
        params: ``alpha`` and ``beta`` of the chance to leave in a period.
        standard_errors: Their standard errors, valid where the survivors were counts of users.
        log_likelihood: Log-likelihood of the survivors.
    """

    spec: ShiftedBetaGeo
    params: dict[str, float]
    standard_errors: dict[str, float]
    log_likelihood: float

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Two parameters, positive and finite."""
        if set(self.params) != set(_NAMES) or not all(np.isfinite(v) and v > 0 for v in self.params.values()):
            raise ValueError(f"params are alpha and beta, positive and finite; seen {self.params}")
        return self

    def __repr__(self) -> str:
        """One line: the parameters."""
        return f"FittedShiftedBetaGeo(alpha={self.params['alpha']:.4g}, beta={self.params['beta']:.4g})"

    def __str__(self) -> str:
        return repr(self)

    def curve(self, periods: int) -> pd.DataFrame:
        """Survival and retention by age.

        Args:
            periods: Last age, 1 to 100,000.

        Returns:
            A frame with ``age`` (0 to ``periods``), ``survival`` (share of the cohort that is left) and ``retention``
            (share of those left at the age before; null at age 0).
        """
        if isinstance(periods, bool) or not isinstance(periods, int) or not 1 <= periods <= _MOST_PERIODS:
            raise ConfigError(f"periods is a whole number from 1 to {_MOST_PERIODS:,}; seen {periods!r}.")
        alpha, beta = self.params["alpha"], self.params["beta"]
        age = np.arange(periods + 1)
        survival = np.exp(betaln(alpha, beta + age) - betaln(alpha, beta))
        retention = np.where(age > 0, (beta + age - 1.0) / (alpha + beta + age - 1.0), np.nan)
        return pd.DataFrame({"age": age, "survival": survival, "retention": retention})

    def residual_lifetime(self, age: int = 0, *, discount: float) -> float:
        """Discounted expected periods still to come of a user who has been retained ``age`` times, the next included.

        The sum over t = 0, 1, ... of S(age + t) / S(age) / (1 + discount)^t; times the margin of a period it is the
        residual value at the moment before the next renewal is counted as certain (t = 0).

        Args:
            age: Renewals so far.
            discount: Discount rate of a period, above 0.

        Source: Fader & Hardie (2010), "Customer-base valuation in a contractual setting", Marketing Science 29(1).
        """
        if isinstance(discount, bool) or not isinstance(discount, (int, float)) or not 0 < discount < float("inf"):
            raise ConfigError(f"discount is the rate of a period, above 0; seen {discount!r}.")
        if isinstance(age, bool) or not isinstance(age, int) or age < 0:
            raise ConfigError(f"age is a whole number of renewals, 0 or more; seen {age!r}.")
        alpha, beta = self.params["alpha"], self.params["beta"] + age
        one = np.ones(1)
        return float(np.exp(gauss_fraction(beta * one, (alpha + beta) * one, one / (1.0 + discount))[0])[0])
