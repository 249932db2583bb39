"""How many itemsets there would be, before they are listed: random descents into the search tree.

A descent follows one random child at a time; the product of the numbers of children on its way, summed over the levels,
is an unbiased estimate of the size of the tree (Knuth, "Estimating the efficiency of backtrack programs", Mathematics
of Computation 1975). Items and pairs are counted exactly; descents begin at random pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from commlife.basket._numpy import bitmaps_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["estimated_size"]

_DESCENTS = 100


def estimated_size(matrix: sp.csr_matrix, min_count: int, max_len: int | None, n_first: int) -> float:
    """About how many itemsets are frequent; the error is large, the order of magnitude mostly right.

    Args:
        matrix: Baskets x frequent items, in the order of the search.
        min_count: Least number of baskets.
        max_len: Most items.
        n_first: Itemsets begin with one of so many first columns.
    """
    columns = matrix.tocsc()
    pairs = sp.triu(matrix.T @ matrix, k=1).tocsr()[:n_first]
    pairs.data[pairs.data < min_count] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()
    if max_len == 1 or pairs.nnz == 0:
        return float(n_first)
    if max_len == 2:
        return float(n_first + pairs.nnz)
    rng = np.random.default_rng(0)  # the seed makes the message repeatable
    chosen = np.sort(rng.integers(0, pairs.nnz, _DESCENTS))
    below = 0.0
    for place in chosen:
        first = int(np.searchsorted(pairs.indptr, place, side="right")) - 1
        partners = pairs.indices[place : pairs.indptr[first + 1]]
        rows = columns.indices[columns.indptr[first] : columns.indptr[first + 1]]
        below += _descend(bitmaps_over(matrix, rows, partners), min_count, (max_len or partners.size + 2) - 2, rng)
    return n_first + pairs.nnz * (1 + below / _DESCENTS)


def _descend(bits: NDArray[np.uint64], min_count: int, room: int, rng: np.random.Generator) -> float:
    """Estimated number of itemsets below the first bitmap, that the others extend."""
    weight, total = 1.0, 0.0
    while len(bits) > 1 and room > 0:
        common = bits[1:] & bits[0]
        bits = common[np.bitwise_count(common).sum(axis=1) >= min_count]
        weight *= len(bits)
        total += weight
        if len(bits):
            bits = bits[rng.integers(len(bits)) :]
        room -= 1
    return total
