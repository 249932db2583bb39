"""Pareto/NBD: the formulas.

Sources: Schmittlein, Morrison & Colombo (1987); Fader & Hardie (2005, 2014), notes on its implementation; Fader &
Hardie (2007) "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models" for covariates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from commlife.value.estimation import Box
from commlife.value.hypergeometric import log_tail_integral
from commlife.value.kernels import Effect, Parameters, Path, negative_binomial, of_counts

__all__ = ["ParetoNBDKernel"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Nodes of the Gauss-Legendre rule over the time of dropout.
_TIME_NODES = 96
#: Rows handled at a time.
_BLOCK = 4096
_FREE = float("inf")


class ParetoNBDKernel:
    """Pareto/NBD: purchases at a rate ~ Gamma(r, alpha), lives ended at a rate ~ Gamma(s, beta), at any moment."""

    time_parameters: tuple[str, ...] = ("alpha", "beta")
    purchase_effects: tuple[Effect, ...] = (Effect(1, -1.0, "purchases"),)
    dropout_effects: tuple[Effect, ...] = (Effect(3, -1.0, "dropout"),)
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

    def _constant(self, p: Parameters, x: Array) -> tuple[Array, Array]:
        r, alpha, s, beta = p
        gamma = of_counts(lambda n: np.stack([gammaln(r + n) - gammaln(r), digamma(r + n) - digamma(r)]), x, r)
        gradient = np.empty((4, x.size))
        gradient[0] = r * (gamma[1] + np.log(alpha))
        gradient[1], gradient[2], gradient[3] = r, s * np.log(beta), s
        return gamma[0] + r * np.log(alpha) + s * np.log(beta), gradient

    def here(self, p: Parameters, x: Array, T: Array, *, second: bool = False) -> Path:
        """A purchase would come after T, before the dropout: (r + x) G(r + x + 1, s; alpha + T, beta + T).

        The integral by parts of the textbook's two terms: with the path *gone* over all times after t_x it adds up to
        the same likelihood, without a difference.
        """
        del second  # its second derivatives are differenced
        r, alpha, s, beta = p
        m = r + x
        log_g, by_m, by_n, by_a, by_b = log_tail_integral(m + 1.0, s + np.zeros_like(m), alpha + T, beta + T)
        value, gradient = self._constant(p, x)
        gradient += np.stack([r * (by_m + 1.0 / m), alpha * by_a, s * by_n, beta * by_b])
        return Path(value + np.log(m) + log_g, gradient, None)

    def gone(self, p: Parameters, x: Array, t_x: Array, *, second: bool = False) -> Path:
        """The dropout comes after t_x, before the next purchase: s G(r + x, s + 1; alpha + t_x, beta + t_x)."""
        del second
        r, alpha, s, beta = p
        m = r + x
        log_g, by_m, by_n, by_a, by_b = log_tail_integral(m, s + 1.0 + np.zeros_like(m), alpha + t_x, beta + t_x)
        value, gradient = self._constant(p, x)
        gradient += np.stack([r * by_m, alpha * by_a, 1.0 + s * by_n, beta * by_b])
        return Path(value + np.log(s) + log_g, gradient, None)

    def alive(self, p: Parameters, x: Array, T: Array) -> Array:
        """X purchases and no dropout until T."""
        r, alpha, s, beta = p
        value, _ = self._constant(p, x)
        answer: Array = value - (r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return answer

    def purchases(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Rate times the expected part of t that the user is still there."""
        r, alpha, s, beta = p
        grown = np.log1p(t / (beta + T))
        power = np.asarray(s - 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            there = np.where(np.abs(power) < 1e-12, grown, -np.expm1(-power * grown) / power)
        answer: Array = (r + x) / (alpha + T) * (beta + T) * there
        return answer

    def pairs(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Mean squared rate times the mean square of the part of t that the user is still there, 2 y S(y) integrated.

        With ``1 + y / B = e^u`` the integral is ``2 B^2`` times that of ``(e^u - 1) e^u e^(-s u)`` over u.
        """
        r, alpha, s, beta = p
        m, A, B = r + x, alpha + T, beta + T
        node, weight = np.polynomial.legendre.leggauss(32)
        span = np.log1p(t / B)
        grown = span[:, None] * (0.5 * (node + 1.0))[None, :]
        power = np.broadcast_to(np.asarray(s, dtype=np.float64), x.shape)[:, None]
        inside = np.expm1(grown) * np.exp((1.0 - power) * grown)
        squared = 2.0 * B * B * 0.5 * span * np.einsum("ij,j->i", inside, weight)
        answer: Array = m * (m + 1.0) / (A * A) * squared
        return answer

    def any_purchase(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """The first purchase comes within t and before the dropout."""
        r, alpha, s, beta = p
        m, A, B = r + x, alpha + T, beta + T
        same = s + np.zeros_like(m)
        scale = np.log(m) + m * np.log(A) + s * np.log(B)
        ever = log_tail_integral(m + 1.0, same, A, B)[0] + scale
        later = log_tail_integral(m + 1.0, same, A + t, B + t)[0] + scale
        answer: Array = -np.exp(ever) * np.expm1(later - ever)
        return answer

    def counts(self, p: Parameters, x: Array, T: Array, t: Array, most: int) -> Array:
        """Number of purchases in the time until t or until the dropout, whichever is first."""
        r, alpha, s, beta = (np.broadcast_to(np.asarray(each, dtype=np.float64), x.shape) for each in p)
        table = np.empty((x.size, most + 1))
        for start in range(0, x.size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            table[rows] = self._counts_of_block(
                (r + x)[rows, None], (alpha + T)[rows, None], s[rows, None], (beta + T)[rows, None], t[rows], most
            )
        return table

    @staticmethod
    def _counts_of_block(m: Array, A: Array, s: Array, B: Array, t: Array, most: int) -> Array:
        shorter = np.minimum(A, B)
        node, weight = np.polynomial.legendre.leggauss(_TIME_NODES)
        span = np.log1p(t[:, None] / shorter)
        grown = span * (0.5 * (node + 1.0))[None, :]
        y = shorter * np.expm1(grown)
        dropout = np.log(s) - np.log(B) - (s + 1.0) * np.log1p(y / B) + np.log(shorter) + grown
        density = np.exp(dropout) * (0.5 * span * weight[None, :])
        stays = np.exp(-s[:, 0] * np.log1p(t / B[:, 0]))
        table = np.empty((t.size, most + 1))
        for k in range(most + 1):
            count = np.asarray(float(k))
            steady = stays * np.exp(negative_binomial(m[:, 0], A[:, 0], t, count))
            table[:, k] = steady + np.einsum("ij,ij->i", np.exp(negative_binomial(m, A, y, count)), density)
        return table

    def starts(self, rate: float) -> Array:
        """Moderate shapes first, then long and short lives."""
        tries = [(0.5, 2.0, 0.6, 0.5), (1.0, 1.5, 1.5, 3.0), (0.3, 4.0, 0.4, 0.1), (5.0, 1.2, 1.0, 10.0)]
        return np.log([[r, r / (rate * faster), s, beta] for r, faster, s, beta in tries])

    def draw(self, p: Parameters, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
        """A Poisson process until the dropout or the end of observation; the last of x uniform times is the latest."""
        rate = rng.gamma(p[0], 1.0 / p[1], T.size)
        death = rng.gamma(p[2], 1.0 / p[3], T.size)
        with np.errstate(divide="ignore"):
            end = np.minimum(T, rng.exponential(1.0, T.size) / death)
        x = rng.poisson(rate * end).astype(np.float64)
        t_x = np.where(x > 0, end * rng.random(T.size) ** (1.0 / np.maximum(x, 1.0)), 0.0)
        return x, t_x
