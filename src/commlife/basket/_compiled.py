"""The compiled miner: depth first, one projection an item, every projection in its own small bitmaps.

Imported only where it runs, since importing numba takes longer than most jobs. The idea, from Zaki's Eclat (2000) and
Uno's LCM (2004):

1. Items are ranked by ascending support; a row lists its items in that order. For each item ``i``, its *suffixes* are
   what its rows hold after ``i``. One walk over them counts every pair ``{i, j}``: no matrix of all pairs is needed.
   For the items in most rows it is cheaper to intersect whole columns as bitmaps with the few items that rank higher.
2. The suffixes, filtered to the frequent partners of ``i``, are repacked: a partner is a bitmap over the rows of ``i``
   alone, as short as ``ceil(support(i) / 64)`` words, so that the search below stays in the cache.
3. Where the filtered suffixes are short, all triples ``{i, j, k}`` are counted row by row in a triangle, and bitmaps
   are made only if some branch goes on.
4. Below (``_descent``), the search intersects bitmaps and counts bits. A branch much narrower than its bitmap is
   repacked again.
5. A partner that is in every row of a branch (a *perfect extension*) is taken out of the search; the subsets of the
   perfect extensions are written out beside each itemset, without an intersection.

With a taxonomy, an item and its ancestor are never put together: pairs of relatives are passed over at every step.

The result is a trie: for each itemset its parent (the itemset without the last item), that item, and the count.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

from typing import Any

import numpy as np

from commlife.basket import _descent as at
from commlife.basket._bitmaps import (
    count_common,
    count_triples,
    fill_bitmaps,
    filtered_suffixes,
    repack,
    share,
    some_branch_goes_on,
)
from commlife.basket._descent import descend, group_size, related, write
from commlife.basket._inverted import INTERSECTION, WORD
from commlife.basket._jit import compiled

__all__ = ["empty_arrays", "mine"]

#: Rough costs in nanoseconds: of a pair in a row, of a cell of the triangle, of a bit that is set or moved.
_ROW_PAIR, _CELL, _FILL, _BIT = 1.2, 2.0, 2.0, 3.0


@compiled
def _grown(array, size):
    """The array if it has ``size`` entries, else a copy with room for more."""
    if array.size >= size:
        return array
    larger = np.empty(max(size, 2 * array.size), array.dtype)
    larger[: array.size] = array
    return larger


@compiled
def _sort_by(keys, members, n):
    """Sort ``members[:n]`` by ``keys[member]`` in place (Shell's method: the lists are short)."""
    gap = n // 2
    while gap > 0:
        for x in range(gap, n):
            member = members[x]
            key = keys[member]
            y = x
            while y >= gap and keys[members[y - gap]] > key:
                members[y] = members[y - gap]
                y -= gap
            members[y] = member
        gap //= 2


@compiled
def _pairs_by_columns(columns, first, i, n_words, min_count, pair_count, partners):
    """The frequent partners of ``i`` and their counts, by intersecting whole columns, the first of item ``first``."""
    n_frequent = 0
    for j in range(i + 1, pair_count.size):
        shared = count_common(columns, i - first, j - first, n_words)
        if shared >= min_count:
            pair_count[j] = shared
            partners[n_frequent] = j
            n_frequent += 1
    return n_frequent


@compiled
def _pairs_by_walking(rows, after, end, low, high, min_count, pair_count, partners):
    """The same in one walk over the suffixes of ``i``; a partner is noted when it reaches the threshold."""
    n_frequent = 0
    for k in range(low, high):
        for q in range(after[k], end[k]):
            j = rows[q]
            reached = pair_count[j] + 1
            pair_count[j] = reached
            if reached == min_count:
                partners[n_frequent] = j
                n_frequent += 1
    return n_frequent


@compiled
def _sort_out(i, support, partners, n_frequent, pair_count, perfect, enter, leave):
    """Take the perfect extensions and the relatives out of the partners: members, perfect ones, sum of counts."""
    n_members = 0
    n_perfect = 0
    total = np.int64(0)
    for x in range(n_frequent):
        j = partners[x]
        if enter.size and related(enter, leave, i, j):
            continue
        # Perfect extensions of one itemset may be relatives of each other: with a taxonomy they are members.
        if pair_count[j] == support and not enter.size:
            perfect[n_perfect] = j
            n_perfect += 1
        else:
            partners[n_members] = j
            n_members += 1
            total += pair_count[j]
    return n_members, n_perfect, total


@compiled
def _project(index, i, n_words, local, members, n_members, total, walk, min_count, buffers):
    """Make the bitmaps of the members over the rows of ``i``, or the triangle of their pairs, whichever takes less.

    Returns whether the triangle holds the next counts, the width of the bitmaps in words, and the buffers.
    """
    start, rows, after, end, columns, first_column = index
    codes, row_start, triangle, pool = buffers
    low, high = start[i], start[i + 1]
    support = high - low
    width = (support + 63) >> 6
    square = n_members * n_members
    intersections = square / 2 * (width * WORD + INTERSECTION)
    # By columns the bitmaps are there at once, but span all rows; triples by row are out of question then. What
    # they would take is estimated as if rows were equally long.
    wider = n_members * (n_words * WORD + INTERSECTION) + square / 2 * (n_words - width) * WORD
    triples = np.float64(total) * total / support * _ROW_PAIR / 2 + square * _CELL
    if rows.size == 0 or (i >= first_column and wider < walk + total * _FILL and intersections < triples):
        narrow = width
        width = n_words
        here = (i - first_column) * width
        if pool.size < n_members * width:
            pool = np.empty(4 * n_members * width, np.uint64)
        for x in range(n_members):
            share(columns, here, (np.int64(members[x]) - first_column) * width, pool, x * width, width)
        if square / 2 * (width - narrow) * WORD > total * _BIT + n_members * width * WORD:
            repack(columns, here, pool, 0, n_members, width, narrow)
            width = narrow
        return False, width, (codes, row_start, triangle, pool)
    # The suffixes of i, filtered to the members, in codes by ascending local support.
    if codes.size < total + 1:
        codes = np.empty(2 * total + 1, np.int32)
    if row_start.size < support + 1:
        row_start = np.empty(2 * support + 1, np.int64)
    for x in range(n_members):
        local[members[x]] = x
    pairs = filtered_suffixes(rows, after[low:high], end[low:high], local, codes, row_start)
    for x in range(n_members):
        local[members[x]] = -1
    by_row = pairs * _ROW_PAIR / 2 + square * _CELL < intersections
    bitmaps = n_members > 1
    if by_row:
        if triangle.size < square:
            triangle = np.empty(2 * square, np.int32)
        count_triples(codes, row_start, support, triangle, n_members)
        bitmaps = some_branch_goes_on(triangle, n_members, min_count)
    if bitmaps:
        if pool.size < n_members * width:
            pool = np.empty(4 * n_members * width, np.uint64)
        fill_bitmaps(codes, row_start, support, pool, n_members, width)
    return by_row, width, (codes, row_start, triangle, pool)


@compiled
def mine(index, walks, n_rows, n_first, min_count, max_len, limit, tree, state, found, work, buffers, scratch):
    """Go on with the search for a slice of time; the state tells where it stands, ``state[ITEM]`` how far it has come.

    Args:
        index: ``start, rows, after, end, columns, first_column`` as ``_inverted`` makes them.
        walks: What it takes to walk over each item's suffixes.
        n_rows: Number of rows.
        n_first: The first item of an itemset is below this rank.
        min_count: Least number of rows.
        max_len: Most items, at least 2.
        limit: Most itemsets.
        tree: Places of the items in a walk through a taxonomy, ``enter`` and ``leave``; empty without one.
        state: See ``_descent``. It is all zeros at first, but for ``DEPTH``, which is -1, and ``LEFT``.
        found: ``parent, item, count``; with ``work``, ``buffers`` and ``scratch`` what :func:`empty_arrays` makes.
        work: ``members, supports, pool, perfect, sizes, frames`` of the descent.
        buffers: ``codes, row_start, triangle`` of a projection.
        scratch: ``pair_count, local, partners`` and how the item under way was projected.

    Returns:
        ``found, work, buffers``, perhaps larger, for the next call.
    """
    start, rows, after, end, columns, first_column = index
    enter, leave = tree
    parent, item, count = found
    members, supports, pool, perfect, sizes, frames = work
    codes, row_start, triangle = buffers
    pair_count, local, partners, projected = scratch
    n_items = start.size - 1
    n_words = (n_rows + 63) >> 6
    while True:
        if state[at.DEPTH] >= 0:
            descend(
                state, projected[0], projected[1] > 0, triangle, min_count, max_len, limit, tree,
                (parent, item, count), (members, supports, pool, perfect, sizes, frames),
            )  # fmt: skip
            if state[at.STATUS] == at.TOO_SMALL:
                size = state[at.ROOM]
                parent, item, count = _grown(parent, size), _grown(item, size), _grown(count, size)
                members, supports = _grown(members, state[at.MEMBERS]), _grown(supports, state[at.MEMBERS])
                pool, sizes = _grown(pool, state[at.POOL]), _grown(sizes, 2 * state[at.SIZES])
                continue
            if state[at.STATUS] != at.DONE:
                break
        i = state[at.ITEM]
        if i == n_first:
            state[at.STATUS] = at.DONE
            break
        if state[at.LEFT] <= 0:
            state[at.STATUS] = at.PAUSED
            break
        state[at.ITEM] = i + 1
        low, high = start[i], start[i + 1]
        support = high - low
        by_columns = (n_items - i - 1) * (n_words * WORD + INTERSECTION)
        if i >= first_column and walks[i] > by_columns:
            n_frequent = _pairs_by_columns(columns, first_column, i, n_words, min_count, pair_count, partners)
        else:
            n_frequent = _pairs_by_walking(rows, after, end, low, high, min_count, pair_count, partners)
        n_members, n_perfect, total = _sort_out(i, support, partners, n_frequent, pair_count, perfect, enter, leave)
        state[at.LEFT] -= np.int64(min(walks[i], by_columns) if i >= first_column else walks[i]) + total
        group = group_size(n_perfect, max_len - 1)
        n = state[at.FOUND]
        room = n + group + n_members
        if room > limit:
            state[at.STATUS] = at.OVER_LIMIT
            break
        if room > parent.size:
            parent, item, count = _grown(parent, room), _grown(item, room), _grown(count, room)
        if n_perfect > max_len - 1:
            sizes = _grown(sizes, 2 * group)
        root = n
        n = write(parent, item, count, n, -1, i, support, perfect, n_perfect, max_len - 1, sizes)
        if max_len == 2 or (n_members <= 1 and n_perfect == 0):
            for x in range(n_members):
                parent[n] = root
                item[n] = partners[x]
                count[n] = pair_count[partners[x]]
                n += 1
            pair_count[i:] = 0
            state[at.FOUND] = n
            continue
        _sort_by(pair_count, partners, n_members)
        for x in range(n_members):
            members[x] = partners[x]
            supports[x] = pair_count[partners[x]]
        pair_count[i:] = 0
        by_row, width, (codes, row_start, triangle, pool) = _project(
            index, i, n_words, local, members, n_members, total, walks[i], min_count,
            (codes, row_start, triangle, pool),
        )  # fmt: skip
        projected[0], projected[1] = n_members, by_row
        frames[0, 0], frames[0, 1], frames[0, 2], frames[0, 3] = 0, n_members, 0, root
        frames[0, 4], frames[0, 5], frames[0, 6] = n_perfect, 0, width
        state[at.FOUND] = n
        state[at.DEPTH] = 0
    return (parent, item, count), (members, supports, pool, perfect, sizes, frames), (codes, row_start, triangle)


def empty_arrays(n_items: int) -> tuple[Any, Any, Any, Any]:
    """What :func:`mine` works on: ``found, work, buffers, scratch``; it makes room where there is too little."""

    def some(size, kind=np.int32):
        return np.empty(size, kind)

    found = some(8192), some(8192), some(8192)
    members = 2 * n_items + 64
    work = (
        some(members), some(members), some(8192, np.uint64), some(n_items + 1), some(64), some(at.FRAMES, np.int64)
    )  # fmt: skip
    buffers = some(1024), some(1024, np.int64), some(1024)
    scratch = np.zeros(n_items, np.int32), np.full(n_items, -1, np.int32), some(n_items), np.zeros(2, np.int64)
    return found, work, buffers, scratch
