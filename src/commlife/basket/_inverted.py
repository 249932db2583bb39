"""The baskets the other way round: the rows of each item, and where each row goes on after it.

Sorting is by counting, without a comparison. Where few items are in many rows, whole columns are kept as bitmaps.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from commlife.basket._jit import compiled

__all__ = ["INTERSECTION", "WORD", "bitmap_columns", "invert"]

#: Rough costs in nanoseconds: a word of an intersection, and what an intersection takes beside its words.
WORD, INTERSECTION = 0.25, 6.0
#: ... an entry that is walked over, a row that is visited, a bit that is set, an entry that is sorted.
_STEP, _VISIT, _FILL, _SORT = 1.5, 4.0, 2.0, 6.0
#: Most words that the bitmaps of all columns may take together (32 MB).
_MOST_WORDS = 1 << 22


@compiled
def invert(indptr, indices, rank, support):
    """Sort the rows by rank without comparing: columns first, then the rows out of the columns.

    Returns ``start`` (where the rows of an item begin), ``rows`` (all rows, one after the other), and for each entry
    of ``start``'s ranges: ``row_of`` (its row), ``after`` (where that goes on) and ``end`` (where it ends). Where it
    takes less to intersect all columns than to sort the rows, these stay empty, and there are ``columns``: one bitmap
    an item over all rows.
    """
    n_rows = indptr.size - 1
    n_items = support.size
    start = np.zeros(n_items + 1, np.int64)
    for r in range(n_items):
        start[r + 1] = start[r] + support[r]
    kept = start[n_items]
    n_words = (n_rows + 63) >> 6
    size = n_items * n_words
    sorting = size > _MOST_WORDS or size * WORD * n_items / 2 > kept * _SORT
    columns = np.zeros(0 if sorting else size, np.uint64)
    rows = np.empty(kept if sorting else 0, np.int32)
    row_of = np.empty(rows.size, np.int32)
    after = np.empty(rows.size, np.int32)
    end = np.empty(rows.size, np.int32)
    if not sorting:
        for t in range(n_rows):
            word = t >> 6
            bit = np.uint64(1) << np.uint64(t & 63)
            for k in range(indptr[t], indptr[t + 1]):
                r = np.int64(rank[indices[k]])
                if r >= 0:
                    columns[r * n_words + word] |= bit
        return start, rows, row_of, after, end, columns
    fill = start.copy()
    row_start = np.empty(n_rows + 1, np.int32)
    reached = 0
    for t in range(n_rows):
        row_start[t] = reached
        for k in range(indptr[t], indptr[t + 1]):
            r = rank[indices[k]]
            if r >= 0:
                row_of[fill[r]] = t
                fill[r] += 1
                reached += 1
    row_start[n_rows] = reached
    filled = row_start.copy()
    for r in range(n_items):
        for k in range(start[r], start[r + 1]):
            t = row_of[k]
            p = filled[t]
            rows[p] = r
            filled[t] = p + 1
            after[k] = p + 1
            end[k] = row_start[t + 1]
    return start, rows, row_of, after, end, columns


@compiled
def bitmap_columns(start, row_of, after, end, n_words):
    """Every column as a bitmap over all rows if that saves more than it costs, else nothing.

    Returns the columns, and for each item what it takes to walk over its suffixes.
    """
    n_items = start.size - 1
    walks = np.empty(n_items, np.float64)
    saved = 0.0
    for i in range(n_items):
        steps = np.int64(0)
        for k in range(start[i], start[i + 1]):
            steps += end[k] - after[k]
        walks[i] = steps * _STEP + (start[i + 1] - start[i]) * _VISIT
        saved += max(0.0, walks[i] - (n_items - i - 1) * (n_words * WORD + INTERSECTION))
    size = n_items * n_words
    if size > _MOST_WORDS or saved < size * WORD + row_of.size * _FILL:
        return np.empty(0, np.uint64), walks
    columns = np.zeros(size, np.uint64)
    for i in range(n_items):
        for k in range(start[i], start[i + 1]):
            columns[i * n_words + (row_of[k] >> 6)] |= np.uint64(1) << np.uint64(row_of[k] & 63)
    return columns, walks
