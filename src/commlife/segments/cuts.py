"""Cuts: quantiles from value counts, and scores by frozen cuts. Equal values always get equal scores."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quantile_cuts", "score_expression", "score_of", "scores_of_values"]


def quantile_cuts(values: NDArray[Any], rows: NDArray[np.int64], n_bins: int) -> tuple[float, ...]:
    """The ``n_bins - 1`` inner quantiles (type 7 of Hyndman & Fan 1996), from value counts.

    The position of a quantile, ``(n - 1) * k / n_bins``, is a ratio of integers and is never rounded; the point
    between two neighbours is computed in exact rationals of the values as they are written and rounded to a float once.

    Examples:
        >>> quantile_cuts(np.array([1, 2, 10]), np.array([7, 2, 1]), 5)
        (1.0, 1.0, 1.0, 2.0)
    """
    ends = np.cumsum(rows)
    n = int(ends[-1])
    cuts = []
    for k in range(1, n_bins):
        whole, rest = divmod((n - 1) * k, n_bins)
        low, high = np.searchsorted(ends, [whole, min(whole + 1, n - 1)], side="right")
        below, above = Fraction(repr(values[low].item())), Fraction(repr(values[high].item()))
        cuts.append(float(below + (above - below) * Fraction(rest, n_bins)))
    return tuple(cuts)


def score_expression(value: nw.Expr, cuts: Sequence[float] | Sequence[nw.Expr], *, reverse: bool) -> nw.Expr:
    """Scores as a column expression: 1 + the cuts strictly below the value; reversed, n_bins minus them."""
    below = reduce(add, ((value > cut).cast(nw.Int64) for cut in cuts))
    return (len(cuts) + 1 - below) if reverse else (below + 1)


def score_of(value: float, cuts: Sequence[float], *, reverse: bool) -> int:
    """The score of one value."""
    below = bisect_left(cuts, value)
    return len(cuts) + 1 - below if reverse else below + 1


def scores_of_values(values: NDArray[Any], cuts: Sequence[float], *, reverse: bool) -> NDArray[np.int64]:
    """The scores of many values."""
    below = np.searchsorted(np.asarray(cuts, dtype=np.float64), values.astype(np.float64), side="left")
    return (len(cuts) + 1 - below if reverse else below + 1).astype(np.int64)
