"""Expectation: what the newest cell of a group should be, given its own history.

Rates of a group swing more than coins do: weather, holidays and chance meetings move a whole cohort together. So a
cell is beta-binomial around the group's mean, and the overdispersion rho (the correlation between two users of one
cohort) is estimated from the history. Nothing is plugged in as if it were known: p-values are averaged over the
posterior of rho, and the error of the mean widens the prediction.

Source: Williams, "The analysis of binary responses from toxicological experiments", Biometrics 31 (1975), for the
model and its weights; Ibrahim & Chen, "Power prior distributions for regression models", Statist. Sci. 15 (2000), for
what other groups contribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc, betaln

__all__ = ["Expectation", "beta_binomial_tails", "expect"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Correlations within a cohort that are considered: from a coin to far beyond any shop, evenly in logarithm.
_RHO = np.geomspace(2e-5, 0.3, 30)
#: The prior is flat in sqrt(rho), the size of the swings: small ones are neither assumed nor excluded (Gelman 2006).
_LOG_PRIOR = 0.5 * np.log(_RHO)
#: The other groups say as much about rho as this many cells of the group's own history would.
_BORROWED_CELLS = 150.0
#: Half a success and half a failure keep a mean off 0 and 1.
_HALF = 0.5
#: Above this size the beta-binomial is a beta for all that a p-value needs.
_EXACT_UP_TO = 5_000
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """For each group: expected rate, overdispersion, p-values, and whether it could be tested at all."""

    rate: Floats
    rho: Floats
    p_low: Floats
    p_high: Floats
    tested: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def p_value(self) -> Floats:
        """Two-sided: twice the smaller tail, at most 1."""
        return np.minimum(1.0, 2.0 * np.minimum(self.p_low, self.p_high))


def expect(users: Floats, size: Floats, newest: Floats, newest_size: Floats, *, min_history: int) -> Expectation:
    """Judge the newest cell of each group at one age.

    Args:
        users: (groups, cohorts) numerators of the history, 0 where there is no cell.
        size: (groups, cohorts) denominators, 0 where there is no cell.
        newest: Numerator of each group's newest cell.
        newest_size: Its denominator, 0 where there is none.
        min_history: Cells of own history from which on a group stands alone; a shorter one leans on the others.
    """
    cells = (size > 0).sum(axis=1)
    weight, mean, likelihood = _profile(users, size)
    posterior = _posterior(likelihood, cells)
    long = cells >= min_history
    pooled, spread = _between_groups(mean[long], weight[long])
    leans = ~long & (np.count_nonzero(long) >= 3)
    # A short history counts for what it is worth beside the pooled mean, whose own worth is 1 / spread cells.
    own_share = np.where(leans[:, None], weight / (weight + 1.0 / spread), 1.0)
    mean = own_share * mean + (1.0 - own_share) * pooled
    error = np.where(leans[:, None], 1.0 / (weight + 1.0 / spread), 1.0 / np.maximum(weight, _HALF))
    tested = (long | leans) & (newest_size > 0)
    p_low, p_high = _averaged_tails(newest, newest_size, mean, np.minimum(_RHO + error, 0.9), posterior, tested)
    return Expectation(
        rate=np.where(tested, (posterior * mean).sum(axis=1), np.nan),
        rho=np.where(tested, (posterior * _RHO).sum(axis=1), np.nan),
        p_low=p_low,
        p_high=p_high,
        tested=tested,
    )


def _profile(users: Floats, size: Floats) -> tuple[Floats, Floats, Floats]:
    """For each group and rho: weight of the history, its weighted mean, and the profile log-likelihood of rho."""
    n, x = size[:, :, None], users[:, :, None]
    weights = n / (1.0 + (n - 1.0) * _RHO)
    rate = x / np.maximum(n, 1.0)
    weight = weights.sum(axis=1)
    mean = ((weights * rate).sum(axis=1) + _HALF) / (weight + 2 * _HALF)
    strength = (1.0 - _RHO) / _RHO
    a, b = (mean * strength)[:, None, :], ((1.0 - mean) * strength)[:, None, :]
    there = n > 0
    terms = np.where(there, betaln(x + a, n - x + b) - betaln(a, b), 0.0)
    # Half the log of the mean's information is what its estimation costs (a restricted likelihood).
    return weight, mean, terms.sum(axis=1) - 0.5 * np.log(np.maximum(weight, 1.0) / (mean * (1.0 - mean)))


def _posterior(likelihood: Floats, cells: Any) -> Floats:
    """Own likelihood of rho, and the other groups' raised to the power that makes them worth a bounded history."""
    own_worth = np.maximum(cells - 1.0, 0.0)
    informative = np.where((cells > 1)[:, None], likelihood, 0.0)
    others = informative.sum(axis=0) - informative
    others_worth = own_worth.sum() - own_worth
    power = np.minimum(1.0, _BORROWED_CELLS / np.maximum(others_worth, 1.0))
    log = _LOG_PRIOR + informative + power[:, None] * others
    dense = np.exp(log - log.max(axis=1, keepdims=True))
    return dense / dense.sum(axis=1, keepdims=True)


def _between_groups(mean: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Mean over groups and relative variance between them (in units of mean * (1 - mean)), at each rho."""
    if len(mean) < 2:
        return np.full(len(_RHO), 0.5), np.ones(len(_RHO))
    pooled = mean.mean(axis=0)
    unit = pooled * (1.0 - pooled)
    within = (1.0 / np.maximum(weight, _HALF)).mean(axis=0)
    between = mean.var(axis=0, ddof=1) / unit - within
    # A few groups that happen to be alike do not prove that all are: never less than their own error.
    return pooled, np.maximum(between, within) * (1.0 + 1.0 / len(mean))


def _averaged_tails(
    newest: Floats, newest_size: Floats, mean: Floats, rho: Floats, posterior: Floats, tested: Any
) -> tuple[Floats, Floats]:
    group, node = np.nonzero((posterior > 1e-5) & tested[:, None])
    low, high = beta_binomial_tails(newest[group], newest_size[group], mean[group, node], rho[group, node])
    share = posterior[group, node]
    total = np.bincount(group, share, minlength=len(newest))
    sums = [np.bincount(group, share * tail, minlength=len(newest)) for tail in (low, high)]
    p_low, p_high = (np.where(tested, each / np.where(total > 0, total, 1.0), np.nan) for each in sums)
    return p_low, p_high


def beta_binomial_tails(x: Floats, n: Floats, mean: Floats, rho: Floats) -> tuple[Floats, Floats]:
    """P(X <= x) and P(X >= x) for X beta-binomial of n, with this mean and correlation, element by element.

    Exact (a normalised recurrence) up to n = 5,000, a beta of the same mean and variance beyond.

    Examples:
        >>> low, high = beta_binomial_tails(np.array([2.0]), np.array([10.0]), np.array([0.4]), np.array([1e-9]))
        >>> low.round(4).tolist(), high.round(4).tolist()
        ([0.1673], [0.9536])
    """
    x, n, mean, rho = (np.asarray(each, dtype=np.float64) for each in (x, n, mean, rho))
    low, high = np.empty(len(x)), np.empty(len(x))
    strength = (1.0 - rho) / rho
    a, b = mean * strength, (1.0 - mean) * strength
    large = n > _EXACT_UP_TO
    if large.any():
        low[large], high[large] = _beta_tails(x[large], n[large], mean[large], rho[large])
    order = np.flatnonzero(~large)
    order = order[np.argsort(n[order], kind="stable")]
    while len(order):
        # Smallest first, as many rows at once as keep the matrix small.
        width = n[order].astype(np.int64) + 1
        rows = max(1, int(np.searchsorted(width * np.arange(1, len(width) + 1), _CHUNK, side="right")))
        now, order = order[:rows], order[rows:]
        low[now], high[now] = _exact_tails(x[now], n[now], a[now], b[now])
    return low, high


def _exact_tails(x: Floats, n: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    k = np.arange(int(n.max()), dtype=np.float64)
    left = n[:, None] - k
    inside = left > 0
    top = np.where(inside, left * (a[:, None] + k), 1.0)
    bottom = np.where(inside, (k + 1.0) * (b[:, None] + left - 1.0), 1.0)
    steps = np.where(inside, np.log(top / bottom), -np.inf)
    log = np.concatenate([np.zeros((len(n), 1)), np.cumsum(steps, axis=1)], axis=1)
    chance = np.exp(log - log.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    at = np.arange(chance.shape[1])
    low: Floats = np.where(at <= x[:, None], chance, 0.0).sum(axis=1)
    high: Floats = np.where(at >= x[:, None], chance, 0.0).sum(axis=1)
    return np.minimum(low, 1.0), np.minimum(high, 1.0)


def _beta_tails(x: Floats, n: Floats, mean: Floats, rho: Floats) -> tuple[Floats, Floats]:
    spread = (1.0 + (n - 1.0) * rho) / n
    strength = 1.0 / spread - 1.0
    a, b = mean * strength, (1.0 - mean) * strength
    low = np.asarray(betainc(a, b, np.clip((x + 0.5) / n, 0.0, 1.0)), dtype=np.float64)
    below = np.asarray(betainc(a, b, np.clip((x - 0.5) / n, 0.0, 1.0)), dtype=np.float64)
    return low, 1.0 - below
