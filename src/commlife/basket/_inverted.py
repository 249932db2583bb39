"""The baskets the other way round: the rows of each item, and where each row goes on after it.

Sorting is by counting, without a comparison. Where few items are in many rows, whole columns are kept as bitmaps.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from commlife.basket._jit import compiled

__all__ = ["INTERSECTION", "WORD", "count_items", "invert"]

#: Rough costs in nanoseconds: a word of an intersection, and what an intersection takes beside its words.
WORD, INTERSECTION = 0.25, 6.0
#: ... an entry that is walked over, a row that is visited, a bit that is set, an entry that is sorted.
_STEP, _VISIT, _FILL, _SORT = 1.5, 4.0, 2.0, 6.0
#: Most words that the bitmaps of all columns may take together (32 MB).
_MOST_WORDS = 1 << 22


@compiled
def count_items(indices, n_items):
    """How often each code occurs: four counts at a time, so that equal codes in a row do not wait for each other."""
    a, b = np.zeros(n_items, np.int32), np.zeros(n_items, np.int32)
    c, d = np.zeros(n_items, np.int32), np.zeros(n_items, np.int32)
    quarter = indices.size // 4
    for k in range(quarter):
        a[np.uint32(indices[k])] += 1
        b[np.uint32(indices[k + quarter])] += 1
        c[np.uint32(indices[k + 2 * quarter])] += 1
        d[np.uint32(indices[k + 3 * quarter])] += 1
    for k in range(4 * quarter, indices.size):
        a[np.uint32(indices[k])] += 1
    return (a + b + c + d).astype(np.int64)


@compiled
def _frequent_items(indices, begin, end, rank, ranks):
    """The ranks of what is frequent in a row, in its order, and how many; without a branch that may go either way."""
    n = np.uint64(0)
    for k in range(np.uint64(begin), np.uint64(end)):
        r = rank[np.uint32(indices[k])]
        ranks[n] = r
        n += np.uint64(r >= 0)
    return n


@compiled
def invert(indptr, indices, rank, support):
    """The rows of each item, or bitmaps of all columns where that takes less.

    Returns:
        ``start`` (where the rows of an item begin), ``rows`` (all rows by rank, one after the other), ``after`` and
        ``end`` (for each row of an item where it goes on after that, and where it ends), ``columns`` (bitmaps over all
        rows, of the items from ``first_column`` on), ``first_column``; and what it takes to walk over the suffixes of
        each item. Where it takes less to intersect all columns than to sort the rows, the rows stay empty.
    """
    n_rows = indptr.size - 1
    n_items = support.size
    start = np.zeros(n_items + 1, np.int64)
    for r in range(n_items):
        start[r + 1] = start[r] + support[r]
    kept = start[n_items]
    n_words = (n_rows + 63) >> 6
    size = n_items * n_words
    walks = np.full(n_items, np.inf)
    if size <= _MOST_WORDS and size * WORD * n_items / 2 <= kept * _SORT:
        nothing = np.empty(0, np.int32)
        return (start, nothing, nothing, nothing, _all_columns(indptr, indices, rank, n_items), 0), walks
    rows = np.empty(kept, np.int32)
    after = np.empty(kept, np.int32)
    end = np.empty(kept, np.int32)
    row_start = _sort_rows(indptr, indices, rank, start, rows, after, end, walks)
    first_column = _first_column(start, walks, n_words)
    columns = _columns_from(first_column, n_items, row_start, rows)
    return (start, rows, after, end, columns, first_column), walks


@compiled
def _all_columns(indptr, indices, rank, n_items):
    """Every column as a bitmap over all rows."""
    n_rows = indptr.size - 1
    n_words = np.uint64((n_rows + 63) >> 6)
    columns = np.zeros(n_items * n_words, np.uint64)
    ranks = np.empty(n_items + 1, np.int32)
    for t in range(n_rows):
        word = np.uint64(t >> 6)
        bit = np.uint64(1) << np.uint64(t & 63)
        for x in range(_frequent_items(indices, indptr[t], indptr[t + 1], rank, ranks)):
            columns[np.uint64(ranks[x]) * n_words + word] |= bit
    return columns


@compiled
def _sort_rows(indptr, indices, rank, start, rows, after, end, walks):
    """Sort rows by rank without comparing: columns first, then the rows out of the columns; where rows begin."""
    n_rows = indptr.size - 1
    n_items = start.size - 1
    fill = start.copy()
    row_start = np.empty(n_rows + 1, np.int32)
    ranks = np.empty(n_items + 1, np.int32)
    row_start[0] = 0
    for t in range(n_rows):
        n = _frequent_items(indices, indptr[t], indptr[t + 1], rank, ranks)
        for x in range(n):
            r = np.uint32(ranks[x])
            after[np.uint64(fill[r])] = t  # the row of an entry, until it is known where that goes on
            fill[r] += 1
        row_start[t + 1] = row_start[t] + np.int32(n)
    filled = row_start.copy()
    for r in range(n_items):
        steps = np.int64(0)
        for k in range(start[r], start[r + 1]):
            t = after[k]
            p = filled[t]
            stop = row_start[t + 1]
            rows[p] = r
            filled[t] = p + 1
            after[k] = p + 1
            end[k] = stop
            steps += stop - p - 1
        walks[r] = steps * _STEP + (start[r + 1] - start[r]) * _VISIT
    return row_start


@compiled
def _first_column(start, walks, n_words):
    """The item from which on bitmaps save the most, beyond what they cost; there are none after the last item.

    They may take as much room as the rows do, and no more than all bitmaps may.
    """
    n_items = start.size - 1
    most = min(_MOST_WORDS, start[n_items])
    best, saved, first = 0.0, 0.0, n_items
    for i in range(n_items - 1, -1, -1):
        if (n_items - i) * n_words > most:
            break
        saved += max(0.0, walks[i] - (n_items - i - 1) * (n_words * WORD + INTERSECTION))
        saved -= n_words * WORD + (start[i + 1] - start[i]) * _FILL
        if saved > best:
            best, first = saved, i
    return first


@compiled
def _columns_from(first, n_items, row_start, rows):
    """The columns of the items from ``first`` on, as bitmaps over all rows: the ends of the rows, as these ascend."""
    n_rows = row_start.size - 1
    n_words = (n_rows + 63) >> 6
    columns = np.zeros((n_items - first) * n_words, np.uint64)
    if columns.size:
        for t in range(n_rows):
            bit = np.uint64(1) << np.uint64(t & 63)
            p = row_start[t + 1] - 1
            while p >= row_start[t] and rows[p] >= first:
                columns[(np.int64(rows[p]) - first) * n_words + (t >> 6)] |= bit
                p -= 1
    return columns
