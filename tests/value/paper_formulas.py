"""The likelihoods as printed in the papers, in 60 digits, with Gauss's 2F1 from mpmath.

Another way than the library's, which has neither 2F1 nor a difference.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

DIGITS = 60
#: Four orders of magnitude of every parameter.
LOW, HIGH = (0.01, 0.05, 0.01, 0.05), (100.0, 500.0, 100.0, 500.0)


def beta_geo(p: Any, x: int, t_x: Any, T: Any, at_first: int) -> Any:
    """Fader, Hardie & Lee (2005), equation 6; Batislam, Denizel & Filiztekin (2007), equation 10."""
    r, alpha, a, b = p
    shared = mp.gamma(r + x) * alpha**r / mp.gamma(r) / mp.beta(a, b)
    k = x + at_first
    still = mp.beta(a, b + k) * (alpha + T) ** -(r + x)
    left = mp.beta(a + 1, b + k - 1) * (alpha + t_x) ** -(r + x) if k > 0 else 0
    return mp.log(shared * (still + left))


def pareto(p: Any, x: int, t_x: Any, T: Any) -> Any:
    """Schmittlein, Morrison & Colombo (1987), as in Fader & Hardie (2005), equations 2 and 3."""
    r, alpha, s, beta = p
    q = r + s + x

    def part(t: Any) -> Any:
        if alpha >= beta:
            return mp.hyp2f1(q, s + 1, q + 1, (alpha - beta) / (alpha + t)) / (alpha + t) ** q
        return mp.hyp2f1(q, r + x, q + 1, (beta - alpha) / (beta + t)) / (beta + t) ** q

    shared = mp.gamma(r + x) * alpha**r * beta**s / mp.gamma(r)
    still = (alpha + T) ** -(r + x) * (beta + T) ** -s
    return mp.log(shared * (still + s / q * (part(t_x) - part(T))))


def likelihood(model: str, p: Any, x: int, t_x: float, T: float) -> float:
    """The log-likelihood of one history, computed in 60 digits."""
    with mp.workdps(DIGITS):
        values = [mp.mpf(float(v)) for v in p]
        if model == "ParetoNBD":
            answer = pareto(values, x, mp.mpf(t_x), mp.mpf(T))
        else:
            answer = beta_geo(values, x, mp.mpf(t_x), mp.mpf(T), int(model == "ModifiedBetaGeo"))
        return float(answer)


def points(seed: int, n: int) -> Any:
    """Parameters, x, t_x and T of each point."""
    rng = np.random.default_rng(seed)
    for place in range(n):
        extreme = place % 10 == 0
        share = rng.choice([0.0, 1.0], 4) if extreme else rng.random(4)
        p = np.exp(np.log(LOW) + share * (np.log(HIGH) - np.log(LOW)))
        x = int(
            rng.choice([0, 1, 500]) if extreme else rng.integers(0, 501) if rng.random() < 0.5 else rng.integers(0, 6)
        )
        T = 1825.0 if extreme else float(rng.uniform(1, 1825))
        t_x = T * float(rng.choice([0.001, 0.5, 1.0]) if extreme else rng.uniform(0.01, 1)) if x else 0.0
        yield p.tolist(), x, t_x, T
