"""BG/NBD and MBG/NBD: the formulas.

Sources: Fader, Hardie & Lee (2005) "Counting your customers the easy way" for BG/NBD; Batislam, Denizel & Filiztekin
(2007) and Hoppe & Wagner (2007) for MBG/NBD; Fader & Hardie (2007) "Incorporating time-invariant covariates into the
Pareto/NBD and BG/NBD models" for covariates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaln, digamma, gammaln, zeta

from commlife.value.estimation import Box
from commlife.value.hypergeometric import beta_mean_of_pairs, beta_mean_of_purchases
from commlife.value.kernels import Effect, Parameters, Path, negative_binomial, of_counts

__all__ = ["BetaGeoKernel"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_FREE = float("inf")


class BetaGeoKernel:
    """BG/NBD, and MBG/NBD where a user may already drop out at the first purchase.

    Purchases come at a rate ~ Gamma(r, alpha); after each of them the user leaves with a probability ~ Beta(a, b).

    Args:
        at_first: 1 where the first purchase is followed by a chance to leave too (MBG/NBD), else 0 (BG/NBD).
    """

    time_parameters: tuple[str, ...] = ("alpha",)
    purchase_effects: tuple[Effect, ...] = (Effect(1, -1.0, "purchases"),)
    dropout_effects: tuple[Effect, ...] = (Effect(2, 1.0, "dropout (a)"), Effect(3, 1.0, "dropout (b)"))
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

    def here(self, p: Parameters, x: Array, T: Array, *, second: bool = False) -> Path:
        """E[(1 - p)^k] over the beta distribution, k chances survived."""
        a, b = p[2], p[3]

        def stayed(n: Array) -> Array:
            k = n + self.at_first
            rows = [gammaln(b + k) - gammaln(b) + gammaln(a + b) - gammaln(a + b + k)]
            both = digamma(a + b) - digamma(a + b + k)
            rows += [a * both, b * (both + digamma(b + k) - digamma(b))]
            if second:
                both2 = zeta(2.0, a + b) - zeta(2.0, a + b + k)
                own = zeta(2.0, b + k) - zeta(2.0, b)
                rows += [rows[1] + a * a * both2, a * b * both2, rows[2] + b * b * (both2 + own)]
            return np.stack(rows)

        return self._joined(p, x, T, of_counts(stayed, x, a, b), second=second)

    def gone(self, p: Parameters, x: Array, t_x: Array, *, second: bool = False) -> Path:
        """E[p (1 - p)^(k - 1)]: left at the last of k chances."""
        a, b = p[2], p[3]

        def left(n: Array) -> Array:
            k = n + self.at_first
            last = np.maximum(k - 1.0, 0.0)
            log_mean = np.log(a) + gammaln(b + last) - gammaln(b) + gammaln(a + b) - gammaln(a + b + k)
            both = digamma(a + b) - digamma(a + b + k)
            rows = [np.where(k == 0, -np.inf, log_mean), 1.0 + a * both, b * (both + digamma(b + last) - digamma(b))]
            if second:
                both2 = zeta(2.0, a + b) - zeta(2.0, a + b + k)
                own = zeta(2.0, b + last) - zeta(2.0, b)
                rows += [a * both + a * a * both2, a * b * both2, rows[2] + b * b * (both2 + own)]
            return np.stack(rows)

        return self._joined(p, x, t_x, of_counts(left, x, a, b), second=second)

    @staticmethod
    def _joined(p: Parameters, x: Array, t: Array, beta: Array, *, second: bool) -> Path:
        """Purchases at a gamma rate over t, and what the beta distribution says of leaving."""
        r, alpha = p[0], p[1]

        def bought(n: Array) -> Array:
            rows = [gammaln(r + n) - gammaln(r), digamma(r + n) - digamma(r)]
            if second:
                rows.append(zeta(2.0, r + n) - zeta(2.0, r))
            return np.stack(rows)

        log_grown = np.log1p(t / alpha)
        gamma = of_counts(bought, x, r)
        near = alpha / (alpha + t)
        gradient = np.empty((4, x.size))
        gradient[0] = r * (gamma[1] - log_grown)
        gradient[1] = r - (r + x) * near
        gradient[2:] = beta[1:3]
        value = gamma[0] - x * np.log(alpha) - (r + x) * log_grown + beta[0]
        if not second:
            return Path(value, gradient, None)
        curvature = {
            (0, 0): gradient[0] + r * r * gamma[2],
            (0, 1): r * (1.0 - near),
            (1, 1): -(r + x) * near * (1.0 - near),
            (2, 2): beta[3],
            (2, 3): beta[4],
            (3, 3): beta[5],
        }
        return Path(value, gradient, curvature)

    def alive(self, p: Parameters, x: Array, T: Array) -> Array:
        """The same as the path *here*: who has not left after a purchase is alive until the next."""
        return self.here(p, x, T).value

    def purchases(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Mean of (1 - exp(-rate q t)) / q over rate ~ Gamma(r + x, alpha + T) and q ~ Beta(a, b + k)."""
        return beta_mean_of_purchases(p[0] + x, p[1] + T, p[2], p[3] + x + self.at_first, t)

    def pairs(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """As above, of ``2 (1 - q) rate^2`` integrated over ``u exp(-rate q u)`` from 0 to t."""
        return beta_mean_of_pairs(p[0] + x, p[1] + T, p[2], p[3] + x + self.at_first, t)

    def any_purchase(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Who is alive stays until the next purchase."""
        answer: Array = -np.expm1(-(p[0] + x) * np.log1p(t / (p[1] + T)))
        return answer

    def counts(self, p: Parameters, x: Array, T: Array, t: Array, most: int) -> Array:
        """Survived k chances and k purchases in t, or left at the k-th of more that would have come."""
        a = np.broadcast_to(np.asarray(p[2], dtype=np.float64), x.shape)[:, None]
        b = (p[3] + x + self.at_first)[:, None]
        k = np.arange(most + 1.0)[None, :]
        plain = np.exp(negative_binomial((p[0] + x)[:, None], (p[1] + T)[:, None], t[:, None], k))
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

    def draw(self, p: Parameters, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
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
