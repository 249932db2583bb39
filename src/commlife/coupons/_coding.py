"""Features as codes: numbers in buckets, texts in a vocabulary, and pairs of both crossed.

Every coding is learned once and frozen: edges and vocabularies are data, a level that was not seen is *other*, a
missing number has a bucket of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = [
    "bucket_codes",
    "bucket_edges",
    "crossed_codes",
    "crossed_pairs",
    "one_hot",
    "vocabulary",
    "vocabulary_codes",
]


def bucket_edges(values: Floats, buckets: int) -> tuple[float, ...]:
    """Inner edges at quantiles, equal ones once; values at an edge lie above it."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return ()
    cuts = np.quantile(known, np.linspace(0, 1, buckets + 1)[1:-1])
    return tuple(float(cut) for cut in np.unique(cuts) if cut > known.min())


def bucket_codes(values: Floats, edges: Sequence[float]) -> NDArray[np.intp]:
    """0 for a missing number, then 1, 2, ... from the lowest bucket up."""
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right") + 1
    return np.where(np.isfinite(values), codes, 0).astype(np.intp)


def vocabulary(texts: pd.Series[Any], *, min_count: int, most: int) -> tuple[str, ...]:
    """The most frequent levels that occur often enough, in the order of the alphabet."""
    counts = texts.dropna().astype(str).value_counts()
    kept = sorted(counts[counts >= min_count].index, key=lambda level: (-counts[level], level))[:most]
    return tuple(sorted(kept))


def vocabulary_codes(texts: pd.Series[Any], levels: Sequence[str]) -> NDArray[np.intp]:
    """0 for other and missing, then 1, 2, ... in the order of the levels."""
    cells = texts.where(texts.notna(), "\0").astype(str)
    return pd.Index(list(levels), dtype=object).get_indexer(pd.Index(cells, dtype=object)) + 1


def crossed_pairs(left: NDArray[np.intp], right: NDArray[np.intp], *, min_count: int) -> tuple[tuple[int, int], ...]:
    """The pairs of codes that occur together often enough."""
    pairs, counts = np.unique(np.stack([left, right], axis=1), axis=0, return_counts=True)
    return tuple((int(a), int(b)) for a, b in pairs[counts >= min_count])


def crossed_codes(
    left: NDArray[np.intp], right: NDArray[np.intp], pairs: Sequence[tuple[int, int]]
) -> NDArray[np.intp]:
    """0 for a pair that is not known, then 1, 2, ... in the order of the pairs."""
    if not pairs:
        return np.zeros(len(left), dtype=np.intp)
    known = pd.MultiIndex.from_tuples(list(pairs))
    return np.asarray(known.get_indexer(pd.MultiIndex.from_arrays([left, right])) + 1, dtype=np.intp)


def one_hot(columns: Sequence[tuple[NDArray[np.intp], int]], rows: int) -> Any:
    """Codes (each with its number of levels) as one sparse matrix of zeros and ones."""
    from scipy import sparse

    parts = [
        sparse.csr_matrix((np.ones(rows, dtype=np.float32), (np.arange(rows), codes)), (rows, size))
        for codes, size in columns
    ]
    return sparse.hstack(parts).tocsr() if parts else sparse.csr_matrix(np.zeros((rows, 0), dtype=np.float32))
