"""GLM: counts and rates of communities against what was done there, regularised, with intervals that admit swings.

Penalised maximum likelihood by Newton's method: negative binomial with a log link for counts, whose swings grow with
the community, and binomial with a logit link and overdispersion for rates. Each community has an effect of its own,
drawn towards the mean; each coefficient has a normal prior, which the result of an experiment replaces. Swings beyond
chance widen every interval.

Source: McCullagh & Nelder (1989), "Generalized Linear Models", 2nd ed., sections 4.5 and 9.2 (quasi-likelihood);
Breslow, "Extra-Poisson variation in log-linear models", Appl. Statist. 33 (1984), for the negative binomial's alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from commlife.errors import InsufficientDataError

__all__ = ["Design", "Fit", "design_of", "fit_glm", "inflation"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Standard deviation of community effects around the mean, in logs: weak, since communities differ a lot.
_GROUP_SD = 1.0
_STEPS, _CLOSE = 100, 1e-10
#: Below this a negative binomial is Poisson to the last digit of its likelihood.
_POISSON = 1e-9
#: Rounds of fitting and of estimating the swings; a swing beyond the most is no count any more.
_ROUNDS, _MOST_ALPHA = 25, 100.0


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
class Family:
    """How an outcome swings around its mean.

    Attributes:
        is_binomial: Hits out of trials with a logit link; else counts with a log link.
        dispersion: Variance relative to a binomial's.
        overdispersion: alpha of a negative binomial's variance, mean + alpha * mean**2; 0 is Poisson.
    """

    is_binomial: bool
    dispersion: float = 1.0
    overdispersion: float = 0.0

    def mean(self, linear: Floats) -> Floats:
        """The mean (of one trial) at a linear predictor."""
        clipped = np.clip(linear, -30.0, 30.0)
        result: Floats = 1.0 / (1.0 + np.exp(-clipped)) if self.is_binomial else np.exp(clipped)
        return result

    def variance(self, mean: Floats, size: Floats) -> Floats:
        """The variance of hits around their mean."""
        if self.is_binomial:
            return self.dispersion * mean * (1.0 - mean / size)
        return mean + self.overdispersion * mean**2

    def minus_likelihood(self, linear: Floats, hits: Floats, size: Floats) -> float:
        """Minus the log-likelihood, without what does not depend on the coefficients."""
        linear = np.clip(linear, -30.0, 30.0)
        if self.is_binomial:
            return float((size * np.logaddexp(0.0, linear) - hits * linear).sum() / self.dispersion)
        if self.overdispersion < _POISSON:
            return float((np.exp(linear) - hits * linear).sum())
        shape = 1.0 / self.overdispersion
        return float(((hits + shape) * np.log1p(self.overdispersion * np.exp(linear)) - hits * linear).sum())

    def is_close(self, other: Family) -> bool:
        """Whether another round would change nothing that matters."""
        pairs = ((self.dispersion, other.dispersion), (self.overdispersion, other.overdispersion))
        return all(np.isclose(mine, its, rtol=1e-8, atol=1e-12) for mine, its in pairs)


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, their covariance, and how the outcome swings.

    Attributes:
        coefficients: One a column of the design.
        covariance: Of them.
        dispersion: Variance relative to chance (Poisson or binomial), 1 or more.
        overdispersion: alpha of a negative binomial's variance, mean + alpha * mean**2; 0 for rates.
    """

    coefficients: Floats
    covariance: Floats
    dispersion: float
    overdispersion: float


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
    """Fit, and fit again with the swings that the first fit leaves.

    Args:
        design: The matrix and the priors.
        hits: Counts.
        trials: What they are out of (binomial), None for counts without a limit (negative binomial).
        fixed: Booleans: coefficients that stay at 0.
        what: The outcome, for messages.

    Raises:
        InsufficientDataError: If the likelihood has no maximum that Newton's method finds.
    """
    free = ~np.asarray(fixed)
    size = np.ones(len(hits)) if trials is None else trials
    family = Family(is_binomial=trials is not None)
    for _ in range(_ROUNDS):
        coefficients, hessian, weights = _newton(design, hits, size, family, free, what)
        mean = family.mean(design.matrix @ coefficients) * size
        used = float(
            np.trace(np.linalg.solve(hessian, design.matrix[:, free].T @ (weights * design.matrix[:, free].T).T))
        )
        left = max(len(hits) - used, 1.0)
        spread = mean * (1.0 - mean / size) if family.is_binomial else mean
        chi2 = float(((hits - mean) ** 2 / np.maximum(spread, 1e-9)).sum())
        dispersion = max(1.0, chi2 / left)
        before = family
        family = (
            Family(is_binomial=True, dispersion=dispersion)
            if family.is_binomial
            else Family(is_binomial=False, overdispersion=_overdispersion(hits, mean, left))
        )
        if family.is_close(before):
            break
    covariance = np.zeros((len(free), len(free)))
    covariance[np.ix_(free, free)] = np.linalg.inv(hessian)
    return Fit(coefficients, covariance, dispersion, family.overdispersion)


def _overdispersion(hits: Floats, mean: Floats, left: float) -> float:
    """The alpha of a variance mean + alpha * mean**2 at which Pearson's chi-squared is its degrees of freedom."""
    from scipy import optimize

    squares, mean = (hits - mean) ** 2, np.maximum(mean, 1e-9)

    def excess(alpha: float) -> float:
        return float((squares / (mean + alpha * mean**2)).sum()) - left

    if excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, _MOST_ALPHA)) if excess(_MOST_ALPHA) < 0 else _MOST_ALPHA


def _objective(design: Design, beta: Floats, hits: Floats, size: Floats, family: Family) -> float:
    prior = 0.5 * (design.prior_precision * (beta - design.prior_mean) ** 2).sum()
    return family.minus_likelihood(design.matrix @ beta, hits, size) + float(prior)


def _newton(
    design: Design, hits: Floats, size: Floats, family: Family, free: Any, what: str
) -> tuple[Floats, Floats, Floats]:
    X = design.matrix[:, free]
    beta = np.where(free, design.prior_mean, 0.0)
    level = (hits.sum() + 0.5) / (size.sum() + 1.0)
    beta[0] = np.log(level) if not family.is_binomial else np.log(level / (1.0 - min(level, 1 - 1e-6)))
    value = _objective(design, beta, hits, size, family)
    for _ in range(_STEPS):
        mean = family.mean(design.matrix @ beta) * size
        variance = family.variance(mean, size)
        # What a step of the linear predictor moves the mean by: the mean itself, or size * p * (1 - p).
        moves = mean * (1.0 - mean / size) if family.is_binomial else mean
        weights = moves**2 / np.maximum(variance, 1e-300)
        gradient = X.T @ ((mean - hits) * moves / np.maximum(variance, 1e-300))
        gradient += (design.prior_precision * (beta - design.prior_mean))[free]
        hessian = X.T @ (weights[:, None] * X) + np.diag(design.prior_precision[free])
        step = np.linalg.solve(hessian, gradient)
        if float(gradient @ step) < _CLOSE:
            return beta, hessian, weights
        tried = beta.copy()
        scale, new = 1.0, np.inf
        while new > value and scale > 1e-8:  # the objective is convex: a short enough step always lowers it
            tried[free] = beta[free] - scale * step
            new = _objective(design, tried, hits, size, family)
            scale /= 2.0
        beta, value = tried, new
    raise InsufficientDataError(
        f"{what}: the likelihood has no maximum within reach. Are there counts of 0 throughout, or covariates of "
        "wild size? Leave them out, or give a smaller prior_sd."
    )
