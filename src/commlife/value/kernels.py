"""The mathematics of each repeat-buying model: two paths of a likelihood and what follows for those still here.

A kernel knows formulas and nothing of frames. Its likelihood of a history is the sum of two paths: *here*, which
depends on ``(x, T)``, and *gone*, which depends on ``(x, t_x)``. Parameters come as an array, times in any one unit.

Sources: Fader, Hardie & Lee (2005) "Counting your customers the easy way" for BG/NBD; Batislam, Denizel & Filiztekin
(2007) and Hoppe & Wagner (2007) for MBG/NBD; Schmittlein, Morrison & Colombo (1987), Fader & Hardie (2005, 2014) for
Pareto/NBD.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from scipy.special import betaln, digamma, gammaln

from commlife.value.estimation import Box
from commlife.value.hypergeometric import beta_mean_of_purchases, log_tail_integral

__all__ = ["BetaGeoKernel", "Kernel", "ParetoNBDKernel"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Nodes of the Gauss-Legendre rule over the time of dropout.
_TIME_NODES = 96
#: Rows handled at a time.
_BLOCK = 4096
_FREE = float("inf")


class Kernel(Protocol):
    """What the fitting and the predictions ask of a model."""

    box: Box
    time_parameters: tuple[str, ...]

    def here(self, p: Array, x: Array, T: Array) -> tuple[Array, Array]:
        """Log of the path of those still here at T, and its gradient (4, n) by the log parameters."""
        ...

    def gone(self, p: Array, x: Array, t_x: Array) -> tuple[Array, Array]:
        """Log of the path of those gone since t_x (-inf where that cannot be), and its gradient."""
        ...

    def alive(self, p: Array, x: Array, T: Array) -> Array:
        """Log of the joint probability of the history and of being alive at T."""
        ...

    def purchases(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """Expected purchases in (T, T + t] of one who is alive at T."""
        ...

    def any_purchase(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """Probability of at least one purchase in (T, T + t] for one who is alive at T."""
        ...

    def counts(self, p: Array, x: Array, T: Array, t: Array, most: int) -> Array:
        """Probability of 0, 1, ..., ``most`` purchases in (T, T + t] for one who is alive at T, shape (n, most + 1)."""
        ...

    def starts(self, rate: float) -> Array:
        """Log parameters to start from, where ``rate`` is the mean purchases a unit of time."""
        ...

    def draw(self, p: Array, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
        """Simulated x and t_x of users observed for T."""
        ...


def _of_counts(function: Callable[[Array], Array], x: Array) -> Array:
    """A function of whole numbers: computed once for each number where rows repeat them."""
    top = x.max(initial=0.0) + 1.0
    if top >= x.size:
        return function(x)
    answer: Array = function(np.arange(top))[..., x.astype(np.intp)]
    return answer


def _negative_binomial(m: Array, A: Array, t: Array, k: Array) -> Array:
    """Log probability of k purchases in t at a rate ~ Gamma(m, A); the arguments broadcast."""
    with np.errstate(divide="ignore", invalid="ignore"):
        busy = np.where(k > 0, k * (np.log(t) - np.log(A + t)), 0.0)
    answer: Array = gammaln(m + k) - gammaln(m) - gammaln(k + 1.0) - m * np.log1p(t / A) + busy
    return answer


class BetaGeoKernel:
    """BG/NBD, and MBG/NBD where a user may already drop out at the first purchase.

    Purchases come at a rate ~ Gamma(r, alpha); after each of them the user leaves with a probability ~ Beta(a, b).

    Args:
        at_first: 1 where the first purchase is followed by a chance to leave too (MBG/NBD), else 0 (BG/NBD).
    """

    time_parameters: tuple[str, ...] = ("alpha",)
    box: Box = Box(
        names=("r", "alpha", "a", "b"),
        matrix=np.array([[1.0, 0, 0, 0], [1.0, -1.0, 0, 0], [0, 0, 1.0, -1.0], [0, 0, 0.5, 0.5]]),
        lower=np.array([-7.0, -14.0, -9.0, -7.0]),
        upper=np.array([7.0, 14.0, 9.0, 7.0]),
        meaning=(
            "r (how alike the users' purchase rates are)",
            "r / alpha (the mean purchase rate)",
            "a / b (the chance to leave after a purchase)",
            "a and b together (how alike the users' chances to leave are)",
        ),
        prior_mean=np.array([-0.5, 0.0, -0.7, 0.5]),
        prior_sd=np.array([1.5, _FREE, 1.5, 1.0]),
    )

    def __init__(self, at_first: int) -> None:
        self.at_first = at_first

    def _rate_terms(self, p: Array, x: Array, t: Array) -> tuple[Array, Array]:
        """Purchases at a gamma rate over t; the gradient has room for a and b."""
        r, alpha = p[0], p[1]
        log_grown = np.log1p(t / alpha)
        gamma = _of_counts(lambda n: np.stack([gammaln(r + n) - gammaln(r), digamma(r + n) - digamma(r)]), x)
        gradient = np.empty((4, x.size))
        gradient[0] = r * (gamma[1] - log_grown)
        gradient[1] = r - (r + x) * alpha / (alpha + t)
        return gamma[0] - x * np.log(alpha) - (r + x) * log_grown, gradient

    def here(self, p: Array, x: Array, T: Array) -> tuple[Array, Array]:
        """E[(1 - p)^k] over the beta distribution, k chances survived."""
        a, b = p[2], p[3]
        value, gradient = self._rate_terms(p, x, T)

        def stayed(n: Array) -> Array:
            k = n + self.at_first
            log_mean = gammaln(b + k) - gammaln(b) + gammaln(a + b) - gammaln(a + b + k)
            both = digamma(a + b) - digamma(a + b + k)
            return np.stack([log_mean, a * both, b * (both + digamma(b + k) - digamma(b))])

        beta = _of_counts(stayed, x)
        gradient[2:] = beta[1:]
        return value + beta[0], gradient

    def gone(self, p: Array, x: Array, t_x: Array) -> tuple[Array, Array]:
        """E[p (1 - p)^(k - 1)]: left at the last of k chances."""
        a, b = p[2], p[3]
        value, gradient = self._rate_terms(p, x, t_x)

        def left(n: Array) -> Array:
            k = n + self.at_first
            last = np.maximum(k - 1.0, 0.0)
            log_mean = np.log(a) + gammaln(b + last) - gammaln(b) + gammaln(a + b) - gammaln(a + b + k)
            both = digamma(a + b) - digamma(a + b + k)
            terms = np.stack([log_mean, 1.0 + a * both, b * (both + digamma(b + last) - digamma(b))])
            terms[0, k == 0] = -np.inf
            return terms

        beta = _of_counts(left, x)
        gradient[2:] = beta[1:]
        return value + beta[0], gradient

    def alive(self, p: Array, x: Array, T: Array) -> Array:
        """The same as the path *here*: who has not left after a purchase is alive until the next."""
        return self.here(p, x, T)[0]

    def purchases(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """Mean of (1 - exp(-rate q t)) / q over rate ~ Gamma(r + x, alpha + T) and q ~ Beta(a, b + k)."""
        return beta_mean_of_purchases(p[0] + x, p[1] + T, float(p[2]), p[3] + x + self.at_first, t)

    def any_purchase(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """Who is alive stays until the next purchase."""
        answer: Array = -np.expm1(-(p[0] + x) * np.log1p(t / (p[1] + T)))
        return answer

    def counts(self, p: Array, x: Array, T: Array, t: Array, most: int) -> Array:
        """Survived k chances and k purchases in t, or left at the k-th of more that would have come."""
        a, b = p[2], (p[3] + x + self.at_first)[:, None]
        k = np.arange(most + 1.0)[None, :]
        plain = np.exp(_negative_binomial((p[0] + x)[:, None], (p[1] + T)[:, None], t[:, None], k))
        or_more = np.maximum(1.0 - np.cumsum(plain, axis=1), 0.0)
        or_more = np.concatenate([np.ones_like(or_more[:, :1]), or_more[:, :-1]], axis=1)
        stayed = np.exp(betaln(a, b + k) - betaln(a, b))
        left = np.where(k > 0, np.exp(betaln(a + 1.0, b + np.maximum(k - 1.0, 0.0)) - betaln(a, b)), 0.0)
        answer: Array = stayed * plain + left * or_more
        return answer

    def starts(self, rate: float) -> Array:
        """Moderate shapes first, then long and short lives."""
        tries = [(0.5, 2.0, 0.8, 2.5), (1.0, 1.5, 0.3, 3.0), (0.3, 4.0, 2.0, 2.0), (5.0, 1.2, 0.1, 2.0)]
        return np.log([[r, r / (rate * faster), a, b] for r, faster, a, b in tries])

    def draw(self, p: Array, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
        """Round by round: each round gives every user still here and still observed one purchase more."""
        rate = rng.gamma(p[0], 1.0 / p[1], T.size)
        leave = rng.beta(p[2], p[3], T.size)
        x, t_x, now = np.zeros(T.size), np.zeros(T.size), np.zeros(T.size)
        going = np.arange(T.size)
        if self.at_first:
            going = going[rng.random(going.size) >= leave[going]]
        while going.size:
            now[going] += rng.exponential(1.0, going.size) / np.maximum(rate[going], 1e-300)
            going = going[now[going] <= T[going]]
            x[going] += 1
            t_x[going] = now[going]
            going = going[rng.random(going.size) >= leave[going]]
        return x, t_x


class ParetoNBDKernel:
    """Pareto/NBD: purchases at a rate ~ Gamma(r, alpha), lives ended at a rate ~ Gamma(s, beta), at any moment."""

    time_parameters: tuple[str, ...] = ("alpha", "beta")
    box: Box = Box(
        names=("r", "alpha", "s", "beta"),
        matrix=np.array([[1.0, 0, 0, 0], [1.0, -1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 1.0, -1.0]]),
        lower=np.array([-7.0, -14.0, -7.0, -9.0]),
        upper=np.array([7.0, 14.0, 7.0, 9.0]),
        meaning=(
            "r (how alike the users' purchase rates are)",
            "r / alpha (the mean purchase rate)",
            "s (how alike the users' dropout rates are)",
            "s / beta (the mean dropout rate)",
        ),
        prior_mean=np.array([-0.5, 0.0, -0.5, 0.0]),
        prior_sd=np.array([1.5, _FREE, 1.0, 2.0]),
    )

    def _constant(self, p: Array, x: Array) -> tuple[Array, Array]:
        r, alpha, s, beta = p
        gamma = _of_counts(lambda n: np.stack([gammaln(r + n) - gammaln(r), digamma(r + n) - digamma(r)]), x)
        gradient = np.empty((4, x.size))
        gradient[0] = r * (gamma[1] + np.log(alpha))
        gradient[1], gradient[2], gradient[3] = r, s * np.log(beta), s
        return gamma[0] + r * np.log(alpha) + s * np.log(beta), gradient

    def here(self, p: Array, x: Array, T: Array) -> tuple[Array, Array]:
        """A purchase would come after T, before the dropout: (r + x) G(r + x + 1, s; alpha + T, beta + T).

        The integral by parts of the textbook's two terms: with the path *gone* over all times after t_x it adds up to
        the same likelihood, without a difference.
        """
        r, alpha, s, beta = p
        m = r + x
        log_g, by_m, by_n, by_a, by_b = log_tail_integral(m + 1.0, np.full_like(m, s), alpha + T, beta + T)
        value, gradient = self._constant(p, x)
        gradient += np.stack([r * (by_m + 1.0 / m), alpha * by_a, s * by_n, beta * by_b])
        return value + np.log(m) + log_g, gradient

    def gone(self, p: Array, x: Array, t_x: Array) -> tuple[Array, Array]:
        """The dropout comes after t_x, before the next purchase: s G(r + x, s + 1; alpha + t_x, beta + t_x)."""
        r, alpha, s, beta = p
        m = r + x
        log_g, by_m, by_n, by_a, by_b = log_tail_integral(m, np.full_like(m, s + 1.0), alpha + t_x, beta + t_x)
        value, gradient = self._constant(p, x)
        gradient += np.stack([r * by_m, alpha * by_a, 1.0 + s * by_n, beta * by_b])
        return value + np.log(s) + log_g, gradient

    def alive(self, p: Array, x: Array, T: Array) -> Array:
        """X purchases and no dropout until T."""
        r, alpha, s, beta = p
        value, _ = self._constant(p, x)
        answer: Array = value - (r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return answer

    def purchases(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """Rate times the expected part of t that the user is still there."""
        r, alpha, s, beta = p
        grown = np.log1p(t / (beta + T))
        there = (beta + T) * (grown if abs(s - 1.0) < 1e-12 else -np.expm1(-(s - 1.0) * grown) / (s - 1.0))
        answer: Array = (r + x) / (alpha + T) * there
        return answer

    def any_purchase(self, p: Array, x: Array, T: Array, t: Array) -> Array:
        """The first purchase comes within t and before the dropout."""
        r, alpha, s, beta = p
        m, A, B = r + x, alpha + T, beta + T
        same = np.full_like(m, s)
        scale = np.log(m) + m * np.log(A) + s * np.log(B)
        ever = log_tail_integral(m + 1.0, same, A, B)[0] + scale
        later = log_tail_integral(m + 1.0, same, A + t, B + t)[0] + scale
        answer: Array = -np.exp(ever) * np.expm1(later - ever)
        return answer

    def counts(self, p: Array, x: Array, T: Array, t: Array, most: int) -> Array:
        """Number of purchases in the time until t or until the dropout, whichever is first."""
        table = np.empty((x.size, most + 1))
        for start in range(0, x.size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            table[rows] = self._counts_of_block(p, x[rows], T[rows], t[rows], most)
        return table

    @staticmethod
    def _counts_of_block(p: Array, x: Array, T: Array, t: Array, most: int) -> Array:
        r, alpha, s, beta = p
        m, A, B = (r + x)[:, None], (alpha + T)[:, None], (beta + T)[:, None]
        shorter = np.minimum(A, B)
        node, weight = np.polynomial.legendre.leggauss(_TIME_NODES)
        span = np.log1p(t[:, None] / shorter)
        grown = span * (0.5 * (node + 1.0))[None, :]
        y = shorter * np.expm1(grown)
        dropout = np.log(s) - np.log(B) - (s + 1.0) * np.log1p(y / B) + np.log(shorter) + grown
        density = np.exp(dropout) * (0.5 * span * weight[None, :])
        stays = np.exp(-s * np.log1p(t / B[:, 0]))
        table = np.empty((x.size, most + 1))
        for k in range(most + 1):
            count = np.asarray(float(k))
            steady = stays * np.exp(_negative_binomial(m[:, 0], A[:, 0], t, count))
            table[:, k] = steady + np.einsum("ij,ij->i", np.exp(_negative_binomial(m, A, y, count)), density)
        return table

    def starts(self, rate: float) -> Array:
        """Moderate shapes first, then long and short lives."""
        tries = [(0.5, 2.0, 0.6, 0.5), (1.0, 1.5, 1.5, 3.0), (0.3, 4.0, 0.4, 0.1), (5.0, 1.2, 1.0, 10.0)]
        return np.log([[r, r / (rate * faster), s, beta] for r, faster, s, beta in tries])

    def draw(self, p: Array, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
        """A Poisson process until the dropout or the end of observation; the last of x uniform times is the latest."""
        rate = rng.gamma(p[0], 1.0 / p[1], T.size)
        death = rng.gamma(p[2], 1.0 / p[3], T.size)
        with np.errstate(divide="ignore"):
            end = np.minimum(T, rng.exponential(1.0, T.size) / death)
        x = rng.poisson(rate * end).astype(np.float64)
        t_x = np.where(x > 0, end * rng.random(T.size) ** (1.0 / np.maximum(x, 1.0)), 0.0)
        return x, t_x
