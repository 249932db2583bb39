"""Counts of given itemsets in other baskets, group by group: columns as bitmaps, intersected block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets

__all__ = ["columns_of", "recount"]

#: Words of bitmap that a block may take, and columns that are packed at a time.
_WORDS, _COLUMNS = 1 << 20, 64


def recount(
    baskets: Baskets, itemsets: list[NDArray[np.int64]], group: NDArray[np.int64], n_groups: int
) -> list[NDArray[np.int64]]:
    """Number of baskets of each group that hold each itemset.

    Args:
        baskets: Where to count.
        itemsets: A table a length: itemsets x length, codes of ``baskets``; -1 is an item that no basket holds.
        group: Group of each basket, from 0.
        n_groups: Number of groups; each has a basket.

    Returns:
        For each table: itemsets x groups.
    """
    needed = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(table.ravel() for table in itemsets)]))
    needed = needed[needed >= 0]
    # Each group begins in a word of its own.
    sizes = np.bincount(group, minlength=n_groups)
    first_word = np.concatenate([[0], np.cumsum((sizes + 63) // 64)])
    order = np.argsort(group, kind="stable")
    place = np.empty(baskets.n, dtype=np.int64)
    within = np.arange(baskets.n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place[order] = 64 * first_word[group[order]] + within
    bits = columns_of(baskets, needed, place, int(first_word[-1]))
    position = np.full(len(baskets.items) + 1, needed.size)
    position[needed] = np.arange(needed.size)
    block = max(1, _WORDS // max(1, bits.shape[1]))
    counts = []
    for table in itemsets:
        parts = [np.zeros((0, n_groups), dtype=np.int64)]
        for begin in range(0, len(table), block):
            rows = position[table[begin : begin + block]]
            common = bits[rows[:, 0]]
            for column in rows.T[1:]:
                common &= bits[column]
            ones = np.bitwise_count(common)
            parts.append(np.add.reduceat(ones, first_word[:-1], axis=1, dtype=np.int64))
        counts.append(np.concatenate(parts))
    return counts


def columns_of(baskets: Baskets, needed: NDArray[np.int64], place: NDArray[Any], n_words: int) -> NDArray[np.uint64]:
    """A bitmap for each needed item, and an empty one for items that no basket holds.

    Args:
        baskets: Where the items are.
        needed: Their codes.
        place: The bit of each basket.
        n_words: Words of a bitmap.
    """
    row = place[np.repeat(np.arange(baskets.n), np.diff(baskets.indptr))]
    ones = np.ones(row.size, dtype=np.uint8)
    matrix = sp.csc_matrix((ones, (row, baskets.indices)), shape=(64 * n_words, max(1, len(baskets.items))))
    bits = np.zeros((needed.size + 1, n_words), dtype=np.uint64)
    for begin in range(0, needed.size, _COLUMNS):
        some = needed[begin : begin + _COLUMNS]
        flags = np.ascontiguousarray(matrix[:, some].toarray().T)
        bits[begin : begin + some.size] = np.packbits(flags, axis=1, bitorder="little").view(np.uint64)
    return bits
