"""Tails and quantiles of the usual distributions, from scipy.special alone: scipy.stats costs 45 MB to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy import special

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "chi_square_quantile",
    "chi_square_tail",
    "normal_pvalue",
    "normal_quantile",
    "normal_tail",
    "student_pvalue",
    "student_quantile",
]


def normal_tail(z: float) -> float:
    """P(Z > z).

    Examples:
        >>> round(normal_tail(1.959964), 6)
        0.025
    """
    return float(special.ndtr(-z))


def normal_quantile(share: float) -> float:
    """The z with P(Z <= z) = share."""
    return float(special.ndtri(share))


def normal_pvalue(z: ArrayLike) -> NDArray[np.float64]:
    """P(abs(Z) > abs(z)), two-sided."""
    import numpy as np

    return np.asarray(2 * special.ndtr(-np.abs(np.asarray(z, dtype=np.float64))))


def student_quantile(share: float, degrees: float) -> float:
    """The t with P(T <= t) = share; infinite degrees of freedom are the normal distribution."""
    return float(special.stdtrit(degrees, share)) if degrees < 1e12 else normal_quantile(share)


def student_pvalue(t: float, degrees: float) -> float:
    """P(abs(T) > abs(t)), two-sided.

    Examples:
        >>> round(student_pvalue(2.0, 10.0), 6)
        0.073388
    """
    return float(2 * special.stdtr(degrees, -abs(t))) if degrees < 1e12 else float(normal_pvalue(t))


def chi_square_quantile(share: float, degrees: float) -> float:
    """The x with P(X <= x) = share.

    Examples:
        >>> round(chi_square_quantile(0.95, 3), 6)
        7.814728
    """
    return float(2.0 * special.gammaincinv(degrees / 2.0, share))


def chi_square_tail(statistic: float, degrees: float) -> float:
    """P(X > statistic)."""
    return float(special.chdtrc(degrees, statistic))
