"""GLM: counts and rates of communities against what was done there, regularised, with intervals that admit swings.

Penalised maximum likelihood by Newton's method: Poisson with a log link for counts, binomial with a logit link for
rates. Each community has an effect of its own, drawn towards the mean; each coefficient has a normal prior, which the
result of an experiment replaces. Swings beyond chance (overdispersion) widen every interval.

Source: McCullagh & Nelder (1989), "Generalized Linear Models", 2nd ed., sections 4.5 and 9.2 (quasi-likelihood).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from commlife.errors import InsufficientDataError

__all__ = ["Design", "Fit", "design_of", "fit_glm", "inflation"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Family = Literal["poisson", "binomial"]

#: Standard deviation of community effects around the mean, in logs: weak, since communities differ a lot.
_GROUP_SD = 1.0
_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class Design:
    """Columns: one, a column a group, the covariates; and the normal prior of each coefficient."""

    matrix: Floats
    prior_mean: Floats
    prior_precision: Floats
    n_groups: int

    @property
    def n_before(self) -> int:
        """Number of columns before the covariates."""
        return 1 + self.n_groups


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, their covariance, and how much more than chance the outcome swings (1 at least)."""

    coefficients: Floats
    covariance: Floats
    dispersion: float


def design_of(group: Any, n_groups: int, covariates: Floats, mean: Floats, precision: Floats) -> Design:
    """The matrix of a regression with an effect for each group."""
    rows = len(group)
    effects = np.zeros((rows, n_groups))
    effects[np.arange(rows), group] = 1.0
    return Design(
        matrix=np.hstack([np.ones((rows, 1)), effects, covariates]),
        prior_mean=np.concatenate([np.zeros(1 + n_groups), mean]),
        prior_precision=np.concatenate([[1e-8], np.full(n_groups, 1.0 / _GROUP_SD**2), precision]),
        n_groups=n_groups,
    )


def inflation(covariates: Floats, group: Any, n_groups: int) -> Floats:
    """Variance inflation of each covariate within groups: how well the others tell it; infinite where they tell all."""
    sums = np.zeros((n_groups, covariates.shape[1]))
    np.add.at(sums, group, covariates)
    within = covariates - (sums / np.bincount(group, minlength=n_groups)[:, None].clip(1))[group]
    spread = np.sqrt((within**2).sum(axis=0))
    factors = np.full(covariates.shape[1], np.inf)
    for place in np.flatnonzero(spread > 1e-9):
        others = np.delete(within, place, axis=1)
        left = within[:, place] - others @ np.linalg.lstsq(others, within[:, place], rcond=1e-10)[0]
        share = float((left**2).sum()) / float(spread[place] ** 2)
        factors[place] = 1.0 / share if share > 1e-9 else np.inf
    return factors


def fit_glm(design: Design, hits: Floats, trials: Floats | None, *, fixed: Any, what: str) -> Fit:
    """Fit once for the dispersion, once with it.

    Args:
        design: The matrix and the priors.
        hits: Counts.
        trials: What they are out of (binomial), None for Poisson.
        fixed: Booleans: coefficients that stay at 0.
        what: The outcome, for messages.

    Raises:
        InsufficientDataError: If the likelihood has no maximum that Newton's method finds.
    """
    family: Family = "poisson" if trials is None else "binomial"
    free = ~np.asarray(fixed)
    size = np.ones(len(hits)) if trials is None else trials
    dispersion = 1.0
    for _ in range(2):
        coefficients, hessian, weights = _newton(design, hits, size, family, free, dispersion, what)
        mean = _mean(design.matrix @ coefficients, family) * size
        spread = mean if family == "poisson" else mean * (1.0 - mean / size)
        chi2 = float(((hits - mean) ** 2 / np.maximum(spread, 1e-9)).sum())
        used = float(
            np.trace(np.linalg.solve(hessian, design.matrix[:, free].T @ (weights * design.matrix[:, free].T).T))
        )
        dispersion = max(1.0, chi2 / max(len(hits) - used / 1.0, 1.0))
    covariance = np.zeros((len(free), len(free)))
    covariance[np.ix_(free, free)] = np.linalg.inv(hessian)
    return Fit(coefficients, covariance, dispersion)


def _mean(linear: Floats, family: Family) -> Floats:
    clipped = np.clip(linear, -30.0, 30.0)
    result: Floats = np.exp(clipped) if family == "poisson" else 1.0 / (1.0 + np.exp(-clipped))
    return result


def _objective(design: Design, beta: Floats, hits: Floats, size: Floats, family: Family, dispersion: float) -> float:
    linear = np.clip(design.matrix @ beta, -30.0, 30.0)
    cumulant = np.exp(linear) if family == "poisson" else size * np.logaddexp(0.0, linear)
    prior = 0.5 * (design.prior_precision * (beta - design.prior_mean) ** 2).sum()
    return float((cumulant - hits * linear).sum() / dispersion + prior)


def _newton(
    design: Design, hits: Floats, size: Floats, family: Family, free: Any, dispersion: float, what: str
) -> tuple[Floats, Floats, Floats]:
    X = design.matrix[:, free]
    beta = np.where(free, design.prior_mean, 0.0)
    level = (hits.sum() + 0.5) / (size.sum() + 1.0)
    beta[0] = np.log(level) if family == "poisson" else np.log(level / (1.0 - min(level, 1 - 1e-6)))
    value = _objective(design, beta, hits, size, family, dispersion)
    for _ in range(_STEPS):
        mean = _mean(design.matrix @ beta, family)
        weights = (mean if family == "poisson" else size * mean * (1.0 - mean)) / dispersion
        gradient = X.T @ ((mean * (size if family == "binomial" else 1.0) - hits) / dispersion)
        gradient += (design.prior_precision * (beta - design.prior_mean))[free]
        hessian = X.T @ (weights[:, None] * X) + np.diag(design.prior_precision[free])
        step = np.linalg.solve(hessian, gradient)
        if float(gradient @ step) < _CLOSE:
            return beta, hessian, weights
        tried = beta.copy()
        scale, new = 1.0, np.inf
        while new > value and scale > 1e-8:  # the objective is convex: a short enough step always lowers it
            tried[free] = beta[free] - scale * step
            new = _objective(design, tried, hits, size, family, dispersion)
            scale /= 2.0
        beta, value = tried, new
    raise InsufficientDataError(
        f"{what}: the likelihood has no maximum within reach. Are there counts of 0 throughout, or covariates of "
        "wild size? Leave them out, or give a smaller prior_sd."
    )
