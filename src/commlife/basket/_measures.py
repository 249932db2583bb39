"""Measures of a rule, each from four whole numbers, and what they are where a denominator is zero.

``n`` baskets; ``both`` hold antecedent and consequent, ``a`` the antecedent, ``c`` the consequent. Products are made in
64-bit integers and divided once, so that equal rules have equal measures to the last digit.

============== =============================================== =============================================
measure        formula                                         where the denominator is zero
============== =============================================== =============================================
support        both / n
confidence     both / a
lift           n both / (a c)
leverage       (n both - a c) / n^2
conviction     a (n - c) / (n (a - both))                      inf: the rule never fails
zhang          (n both - a c) / max(both (n - a), a (c - both)) 0: antecedent or consequent in every basket
kulczynski     (both / a + both / c) / 2
cosine         both / sqrt(a c)
jaccard        both / (a + c - both)
imbalance      abs(a - c) / (a + c - both)
odds ratio     both (n - a - c + both) / ((a - both)(c - both)) inf; NaN where the numerator is zero too
added value    both / a - c / n
============== =============================================== =============================================

Sources: Agrawal et al. 1993 (support, confidence), Brin et al. 1997 (lift, conviction), Piatetsky-Shapiro 1991
(leverage), Zhang 2000, Wu, Chen & Han 2010 (Kulczynski, imbalance ratio), Tan, Kumar & Srivastava 2004 (the others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Longs = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MEASURES", "chi_squared_p", "fisher_p", "measure", "within"]


#: How far, relatively, a p-value may be from what its table gives: it is made of logarithms of factorials.
_ROUNDING = 1e-9


def _ratio(numerator: Any, denominator: Any, where_zero: float) -> Floats:
    """A quotient; ``where_zero`` where the denominator is zero."""
    result = np.full(np.shape(numerator), where_zero)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def _excess(n: int, both: Longs, a: Longs, c: Longs) -> Longs:
    return n * both - a * c


def _zhang(n: int, both: Longs, a: Longs, c: Longs) -> Floats:
    return _ratio(_excess(n, both, a, c), np.maximum(both * (n - a), a * (c - both)), 0.0)


def _odds_ratio(n: int, both: Longs, a: Longs, c: Longs) -> Floats:
    numerator = both * (n - a - c + both)
    result = _ratio(numerator, (a - both) * (c - both), np.inf)
    result[np.isinf(result) & (numerator == 0)] = np.nan
    return result


MEASURES: dict[str, Callable[[int, Any, Any, Any], Any]] = {
    "support": lambda n, both, _a, _c: both / n,
    "antecedent_support": lambda n, _both, a, _c: a / n,
    "consequent_support": lambda n, _both, _a, c: c / n,
    "confidence": lambda _n, both, a, _c: both / a,
    "lift": lambda n, both, a, c: n * both / (a * c),
    "leverage": lambda n, both, a, c: _excess(n, both, a, c) / (n * n),
    "conviction": lambda n, both, a, c: _ratio(a * (n - c), n * (a - both), np.inf),
    "zhang": _zhang,
    "kulczynski": lambda _n, both, a, c: both * (a + c) / (2 * a * c),
    "cosine": lambda _n, both, a, c: both / np.sqrt(a * c),
    "jaccard": lambda _n, both, a, c: both / (a + c - both),
    "imbalance_ratio": lambda _n, both, a, c: np.abs(a - c) / (a + c - both),
    "odds_ratio": _odds_ratio,
    "added_value": lambda n, both, a, c: _excess(n, both, a, c) / (n * a),
}


def measure(name: str, n: int, both: Longs, a: Longs, c: Longs) -> Floats:
    """One measure of many rules."""
    values: Floats = MEASURES[name](n, both, a, c)
    return values


def chi_squared_p(n: int, both: Longs, a: Longs, c: Longs) -> Floats:
    """Two-sided p-value of Pearson's chi-squared test of the 2 x 2 table, without a continuity correction.

    1 where antecedent or consequent are in every basket: such a table says nothing.
    """
    excess = _excess(n, both, a, c).astype(np.float64)
    statistic = _ratio(n * excess / (a * c.astype(np.float64)) * excess, (n - a) * (n - c).astype(np.float64), 0.0)
    p: Floats = special.erfc(np.sqrt(statistic / 2))
    return p


def fisher_p(n: int | Longs, both: Longs, a: Longs, c: Longs) -> Floats:
    """One-sided p-value of Fisher's exact test: the chance of at least ``both`` if bought independently.

    The tail is summed outward from ``both``, on the side of the mean where terms fall, until they no longer count.
    ``n`` may be another number for each table.
    """
    n = np.broadcast_to(np.asarray(n, dtype=np.int64), both.shape)
    upper = n * both >= a * c
    high = _tail(n, both, a, c, step=1)
    low = _tail(n, both - 1, a, c, step=-1)
    p: Floats = np.clip(np.where(upper, high, 1.0 - low), 0.0, 1.0)
    return p


def within(p: Floats, highest: float) -> NDArray[np.bool_]:
    """Whether p-values are at most ``highest``; one that equals it is, whatever its last digits were rounded to."""
    passed: NDArray[np.bool_] = p <= highest * (1 + _ROUNDING)
    return passed


def _tail(n: Longs, start: Longs, a: Longs, c: Longs, *, step: int) -> Floats:
    """Sum of hypergeometric probabilities from ``start`` on, upwards or downwards, where that is away from the mean."""
    falling = n * start >= a * c if step > 0 else n * start < a * c
    going = np.flatnonzero((start >= np.maximum(0, a + c - n)) & (start <= np.minimum(a, c)) & falling)
    k, side, other, n_of = (values[going].astype(np.float64) for values in (start, a, c, n))
    term = np.exp(_log_choose(other, k) + _log_choose(n_of - other, side - k) - _log_choose(n_of, side))
    total: Floats = np.zeros(start.size)
    while going.size:
        total[going] += term
        # The next term is 0 at the end of the range, so that the sum stops there.
        if step > 0:
            term = term * ((side - k) * (other - k)) / ((k + 1) * (n_of - side - other + k + 1))
        else:
            term = term * (k * (n_of - side - other + k)) / ((side - k + 1) * (other - k + 1))
        k = k + step
        alive = term > total[going] * 1e-17
        going = going[alive]
        k, side, other, n_of, term = (values[alive] for values in (k, side, other, n_of, term))
    return total


def _log_choose(n: Any, k: Any) -> Any:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
