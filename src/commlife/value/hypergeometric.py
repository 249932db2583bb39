"""Hypergeometric functions that neither overflow nor cancel: continued fractions and quadrature, all terms positive.

Two functions carry the models of this room. The Pareto/NBD likelihood is made of the integrals

    G(m, n; A, B) = integral over w from 0 to infinity of (A + w)^-m (B + w)^-n

for which the literature writes Gauss's 2F1, and the expected purchases of BG/NBD need the mean of
``(1 - (1 + p t / A)^-m) / p`` over a beta distribution of ``p``, for which it writes another. Both are computed here
without a difference of large numbers, for histories of any length.

Sources: Gauss (1812), the continued fraction of 2F1(1, b; c; z); Gragg & Warner (1983) for its truncation error, which
falls at every step by a factor known beforehand; Trefethen & Weideman (2014) for the exponential convergence of the
trapezoidal rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import betaln

__all__ = ["beta_mean_of_pairs", "beta_mean_of_purchases", "gauss_fraction", "log_tail_integral"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Natural log of the truncation error that is aimed at.
_LOG_ERROR = 38.0
#: Most steps of the fraction: enough for full precision where 1 - z is above 5e-6.
_MOST_STEPS = 8192
#: Widest step of the trapezoidal rule in logits: its error, exp(-pi^2 / step), is below 1e-14.
_STEP = 0.3
#: Rows handled at a time: the working set stays in the cache.
_BLOCK = 1024


def gauss_fraction(b: Array, c: Array, z: Array) -> tuple[Array, Array, Array, Array]:
    """Log of 2F1(1, b; c; z) with its derivatives, for 0 <= b <= c and 0 <= z < 1.

    Args:
        b: Second parameter, one value a row.
        c: Third parameter, above 0.
        z: Argument; values very near 1 cost more steps, ``sqrt(1 - z)`` inversely.

    Returns:
        ``log F`` and its partial derivatives with respect to ``b``, ``c`` and ``z``.
    """
    out = np.empty((4, z.size))
    if z.size == 0:
        return out[0], out[1], out[2], out[3]
    root = np.sqrt(1.0 - z)
    # One step takes the error down by (1 - root) / (1 + root); at z = 0 two steps are exact.
    steps = np.minimum(np.ceil(0.5 * _LOG_ERROR / np.arctanh(np.minimum(root, 1.0 - 1e-9))) + 4, _MOST_STEPS)
    effort = np.ceil(2.0 * np.log2(steps))
    for level in np.unique(effort):
        rows = np.flatnonzero(effort == level)
        out[:, rows] = _backward(b[rows], c[rows], z[rows], root[rows], int(steps[rows].max()))
    return out[0], out[1], out[2], out[3]


def _backward(b: Array, c: Array, z: Array, root: Array, steps: int) -> Array:
    """Backward evaluation of 1 / (1 - d1 z / (1 - d2 z / ...)), derivatives carried along."""
    y = 0.5 * (1.0 + root)
    y_b, y_c, y_z = np.zeros_like(z), np.zeros_like(z), -0.25 / root
    for step in range(steps, 1, -1):
        d, d_b, d_c = _coefficient(step, b, c)
        ratio = z / y
        dr = d * ratio
        slope = dr / y
        y_b, y_c, y_z = slope * y_b - d_b * ratio, slope * y_c - d_c * ratio, slope * y_z - d / y
        y = 1.0 - dr
    d = b / c
    ratio = z / y
    dr = d * ratio
    slope = dr / y
    top_b, top_c, top_z = slope * y_b - ratio / c, slope * y_c + dr / c, slope * y_z - d / y
    top = 1.0 - dr
    return np.stack([-np.log(top), -top_b / top, -top_c / top, -top_z / top])


def _coefficient(step: int, b: Array, c: Array) -> tuple[Array, Array, Array]:
    """The coefficient of one step (2 or later) with its derivatives by b and c."""
    k = step // 2
    low, high = c + (step - 2), c + (step - 1)
    scale = 1.0 / (low * high)
    falling = (low + high) * scale
    if step % 2:
        one, other = b + k, c + (k - 1)
        d = one * other * scale
        return d, other * scale, one * scale - d * falling
    gap = c - b + (k - 1)
    d = k * gap * scale
    return d, -k * scale, k * scale - d * falling


def log_tail_integral(m: Array, n: Array, A: Array, B: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Log of G(m, n; A, B), the integral of (A + w)^-m (B + w)^-n over w > 0, with its derivatives.

    Args:
        m: Power of the first factor, above 0.
        n: Power of the second factor, above 0; ``m + n`` must be above 1.
        A: Offset of the first factor, above 0.
        B: Offset of the second factor, above 0.

    Returns:
        ``log G`` and its partial derivatives with respect to ``m``, ``n``, ``A`` and ``B``.

    Examples:
        >>> one = np.ones(1)
        >>> log_tail_integral(2 * one, 3 * one, one, one)[0].round(6)  # 1 / 4
        array([-1.386294])
    """
    swapped = A < B
    if swapped.all() and A.size:
        log_g, by_n, by_m, by_b, by_a = log_tail_integral(n, m, B, A)
        return log_g, by_m, by_n, by_a, by_b
    if swapped.any():
        out = np.empty((5, A.size))
        for rows in (swapped, ~swapped):
            out[:, rows] = log_tail_integral(m[rows], n[rows], A[rows], B[rows])
        return out[0], out[1], out[2], out[3], out[4]
    q = m + n - 1.0
    log_f, f_b, f_c, f_z = gauss_fraction(m, m + n, np.clip((A - B) / A, 0.0, 1.0 - 1e-14))
    log_a, log_b = np.log(A), np.log(B)
    log_g = -m * log_a - (n - 1.0) * log_b - np.log(q) + log_f
    by_m = -log_a - 1.0 / q + f_b + f_c
    by_n = -log_b - 1.0 / q + f_c
    return log_g, by_m, by_n, -m / A + f_z * B / (A * A), -(n - 1.0) / B - f_z / A


def beta_mean_of_purchases(m: Array, A: Array, a: Any, b: Array, t: Array) -> Array:
    """Mean of (1 - (1 + p t / A)^-m) / p over p ~ Beta(a, b): the purchases in ``t`` before and at the dropout.

    The trapezoidal rule in the logit of ``p``, whose integrand is analytic in a strip and decays at both ends: the
    nodes reach to where the integrand is a plain exponential, and the geometric tail beyond is added in closed form.

    Args:
        m: Shape of the rate's gamma distribution, one value a row.
        A: Its rate, one value a row.
        a: First parameter of the beta distribution, one number or one value a row.
        b: Second parameter, one value a row.
        t: Length of the time ahead in the unit of ``A``, one value a row.

    Examples:
        >>> two, three, four = np.array([2.0]), np.array([3.0]), np.array([4.0])
        >>> beta_mean_of_purchases(two, four, 1e-9, three, two).round(6)  # m t / A where p is 0
        array([1.])
    """

    def integrand(p: Array, m: Array, ahead: Array) -> Array:
        inside = np.log1p(p * ahead)
        inside *= -m
        np.expm1(inside, out=inside)
        np.negative(inside, out=inside)
        return inside

    return _beta_mean(integrand, -1, m, A, a, b, t)


def beta_mean_of_pairs(m: Array, A: Array, a: Any, b: Array, t: Array) -> Array:
    """Mean of 2 (1 - p) / p^2 (1 - (1 + (m + 1) W) (1 + W)^-(m + 1)), W = p t / A, over p ~ Beta(a, b).

    That is E[N (N - 1)] of the purchases N in ``t`` until the dropout at the end of one of them. Arguments as in
    :func:`beta_mean_of_purchases`.

    Examples:
        >>> two, three, four = np.array([2.0]), np.array([3.0]), np.array([4.0])
        >>> beta_mean_of_pairs(two, four, 1e-9, three, two).round(6)  # m (m + 1) (t / A)^2 where p is 0
        array([1.5])
    """

    def integrand(p: Array, m: Array, ahead: Array) -> Array:
        W, n = p * ahead, m + 1.0
        small = n * W < 1e-4
        # The logarithms cancel where W is small: their first two terms there.
        series = n * m * W * W * (-0.5 + (n + 1.0) * W / 3.0)
        exponent = np.where(small, series, np.log1p(n * W) - n * np.log1p(W))
        answer: Array = -2.0 * (1.0 - p) * np.expm1(exponent)
        return answer

    return _beta_mean(integrand, -2, m, A, a, b, t)


def _beta_mean(
    integrand: Callable[[Array, Array, Array], Array], power: int, m: Array, A: Array, a: Any, b: Array, t: Array
) -> Array:
    """Mean of p^power times the integrand over p ~ Beta(a, b); rows that share a and b share the nodes."""
    out = np.empty_like(A)
    one_a = np.ndim(a) == 0
    for start in range(0, A.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        if one_a:
            of_b, level = np.unique(b[rows], return_inverse=True)
            of_a = np.full_like(of_b, a)
        else:
            pairs, level = np.unique(np.stack([a[rows], b[rows]]), axis=1, return_inverse=True)
            of_a, of_b, level = pairs[0], pairs[1], level.reshape(-1)
        ahead = t[rows] / A[rows]
        p, weight = _logit_nodes(of_a, of_b, float(np.max(m[rows] * np.maximum(ahead, 1.0))))
        inside = integrand(p[level], m[rows][:, None], ahead[:, None])
        out[rows] = np.einsum("ij,ij->i", inside, (weight * p**power)[level])
    return out


def _logit_nodes(a: Array, b: Array, steepest: float) -> tuple[Array, Array]:
    """Nodes p and weights of the mean over Beta(a, b), one row for each pair of a and b.

    Beyond the first and the last node the integrand is a plain exponential of the logit: either the density is
    negligible there, or the rest of the integrand is constant to double precision.
    """
    spread = 10.0 * np.sqrt(1.0 / a + 1.0 / b)
    peak = np.log(a) - np.log(b)
    left = np.maximum(peak - spread - 36.0 / a, -36.0 - np.log(np.maximum(b, max(steepest, 1.0))))
    right = np.minimum(peak + spread + 36.0 / b, 36.0 + np.log(np.maximum(a, max(steepest, 1.0))))
    reach = right - left
    nodes = 2 + int(np.max(reach / np.minimum(_STEP, 0.06 * spread)))
    logit = left[:, None] + reach[:, None] * np.linspace(0.0, 1.0, nodes)
    step = reach / (nodes - 1)
    log_p, log_q = -np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)
    weight = step[:, None] * np.exp(a[:, None] * log_p + b[:, None] * log_q - betaln(a, b)[:, None])
    weight[:, 0] /= -np.expm1(-a * step)
    weight[:, -1] /= -np.expm1(-b * step)
    return np.exp(log_p), weight
