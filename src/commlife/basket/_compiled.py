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
4. Below, the search intersects bitmaps and counts bits. A branch much narrower than its bitmap is repacked again.
5. A partner that is in every row of a branch (a *perfect extension*) is taken out of the search; the subsets of the
   perfect extensions are written out beside each itemset, without an intersection.

With a taxonomy, an item and its ancestor are never put together: pairs of relatives are passed over at every step.

The result is a trie: for each itemset its parent (the itemset without the last item), that item, and the count.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from commlife.basket._bitmaps import (
    count_common,
    count_triples,
    fill_bitmaps,
    filtered_suffixes,
    intersect,
    repack,
    share,
    some_branch_goes_on,
)
from commlife.basket._inverted import INTERSECTION, WORD
from commlife.basket._jit import compiled

__all__ = ["OVER_LIMIT", "STOPPED", "mine"]

#: Rough costs in nanoseconds: of a pair in a row, of a cell of the triangle, of a bit that is set or moved.
_ROW_PAIR, _CELL, _FILL, _BIT = 1.2, 2.0, 2.0, 3.0
#: A branch is repacked if that at least halves its bitmaps and it has this many members.
_REPACK_FROM = 8
#: Deepest search: an itemset of this length has more subsets than any limit allows.
_MAX_DEPTH = 60
_TOO_MANY = np.int64(1) << np.int64(60)
#: What the number of itemsets says where there is no result.
OVER_LIMIT, STOPPED = -1, -2


@compiled
def _grown(array, size):
    """A copy with room for at least ``size`` entries."""
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
def _group_size(n_perfect, room):
    """Number of subsets of ``n_perfect`` items that hold at most ``room`` of them."""
    if n_perfect == 0 or room <= 0:
        return np.int64(1)
    if room >= n_perfect:
        return np.int64(1) << np.int64(n_perfect) if n_perfect < 60 else _TOO_MANY
    total = np.int64(1)
    term = 1.0
    for k in range(room):
        term = term * (n_perfect - k) / (k + 1)
        if term > 1e15:
            return _TOO_MANY
        total += np.int64(term + 0.5)
    return min(total, _TOO_MANY)


@compiled
def _write(parent, item, count, n, above, last, support, perfect, n_perfect, room, sizes):
    """Write one itemset, and with it each subset of its perfect extensions that ``room`` allows."""
    first = n
    parent[n] = above
    item[n] = last
    count[n] = support
    n += 1
    if room <= 0:
        return n
    if n_perfect <= room:
        for p in range(n_perfect):
            for g in range(first, n):
                parent[n] = g
                item[n] = perfect[p]
                count[n] = support
                n += 1
        return n
    sizes[0] = 0
    for p in range(n_perfect):
        for g in range(first, n):
            if sizes[g - first] < room:
                sizes[n - first] = sizes[g - first] + 1
                parent[n] = g
                item[n] = perfect[p]
                count[n] = support
                n += 1
    return n


@compiled
def _related(enter, leave, a, b):
    """Whether one is an ancestor of the other: their places in a walk through the taxonomy are nested."""
    return enter[a] <= enter[b] < leave[a] or enter[b] <= enter[a] < leave[b]


@compiled
def _pairs_by_columns(columns, i, n_words, min_count, pair_count, partners):
    """The frequent partners of ``i`` and their counts, by intersecting whole columns."""
    n_frequent = 0
    for j in range(i + 1, pair_count.size):
        shared = count_common(columns, i, j, n_words)
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
        if enter.size and _related(enter, leave, i, j):
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
    start, rows, after, end, columns = index
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
    if rows.size == 0 or (columns.size and wider < walk + total * _FILL and intersections < triples):
        narrow = width
        width = n_words
        if pool.size < n_members * width:
            pool = np.empty(4 * n_members * width, np.uint64)
        for x in range(n_members):
            share(columns, i * width, np.int64(members[x]) * width, pool, x * width, width)
        if square / 2 * (width - narrow) * WORD > total * _BIT + n_members * width * WORD:
            repack(columns, i * width, pool, 0, n_members, width, narrow)
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
def _descend(root, n_members, width, by_row, n_perfect, triangle, min_count, max_len, limit, tree, signal, found, work):
    """Everything below one item, depth first; ``found`` and ``work`` hold arrays that may grow and are handed back."""
    parent, item, count, n = found
    members, supports, pool, perfect, sizes, frames = work
    enter, leave = tree
    has_tree = enter.size > 0
    # A frame: first member, last + 1, next, node, perfect extensions, its bitmaps, their width.
    # Counting the words that are intersected also keeps LLVM from a choice that takes a third longer (numba 0.68).
    steps = np.int64(0)
    depth = 0
    frames[0, 0], frames[0, 1], frames[0, 2], frames[0, 3] = 0, n_members, 0, root
    frames[0, 4], frames[0, 5], frames[0, 6] = n_perfect, 0, width
    while depth >= 0:
        a = frames[depth, 2]
        stop = frames[depth, 1]
        if a >= stop:
            depth -= 1
            continue
        frames[depth, 2] = a + 1
        width = frames[depth, 6]
        base = frames[depth, 5] - frames[depth, 0] * width
        free = base + stop * width
        top = stop
        n_perfect = frames[depth, 4]
        support = np.int64(supports[a])
        if a + 1 < stop and depth + 3 <= max_len:
            if members.size < 2 * stop - a:
                members, supports = _grown(members, 2 * stop - a), _grown(supports, 2 * stop - a)
            if depth == 0 and by_row:
                for b in range(a + 1, stop):
                    shared = triangle[a * n_members + b]
                    if shared < min_count or (has_tree and _related(enter, leave, members[a], members[b])):
                        continue
                    if shared == support and not has_tree:
                        perfect[n_perfect] = members[b]
                        n_perfect += 1
                    else:
                        members[top] = b
                        supports[top] = shared
                        top += 1
                if pool.size < free + (top - stop) * width:
                    pool = _grown(pool, free + (top - stop) * width)
                steps += n_members
                for x in range(stop, top):
                    b = np.int64(members[x])
                    members[x] = members[b]
                    if top - stop > 1:
                        intersect(pool, base + a * width, base + b * width, free + (x - stop) * width, width)
            else:
                if pool.size < free + (stop - a) * width:
                    pool = _grown(pool, free + (stop - a) * width)
                out = free
                for b in range(a + 1, stop):
                    shared = intersect(pool, base + a * width, base + b * width, out, width)
                    members[top] = members[b]
                    supports[top] = shared
                    if shared == support and not has_tree:
                        perfect[n_perfect] = members[b]
                        n_perfect += 1
                    elif shared >= min_count and not (has_tree and _related(enter, leave, members[a], members[b])):
                        top += 1
                        out += width
                steps += (stop - a) * width
        room = max_len - depth - 2
        group = _group_size(n_perfect, room)
        if n + group > limit:
            n = OVER_LIMIT
            break
        if n + group > parent.size:
            parent, item, count = _grown(parent, n + group), _grown(item, n + group), _grown(count, n + group)
        if n_perfect > room and group > sizes.size:
            sizes = np.empty(2 * group, np.int32)
        node = n
        n = _write(parent, item, count, n, frames[depth, 3], members[a], support, perfect, n_perfect, room, sizes)
        if top > stop:
            if depth == _MAX_DEPTH or np.int64(1) << np.int64(depth + 3) > limit + 1:  # its subsets alone
                n = OVER_LIMIT
                break
            narrow = (support + 63) >> 6
            if top - stop >= _REPACK_FROM and 2 * narrow <= width:
                repack(pool, base + a * width, pool, free, top - stop, width, narrow)
                width = narrow
            if signal[0]:
                n = STOPPED
                break
            signal[2] = n
            depth += 1
            frames[depth, 0], frames[depth, 1], frames[depth, 2], frames[depth, 3] = stop, top, stop, node
            frames[depth, 4], frames[depth, 5], frames[depth, 6] = n_perfect, free, width
    signal[3] += steps
    return (parent, item, count, n), (members, supports, pool, perfect, sizes, frames)


@compiled
def mine(start, rows, after, end, columns, walks, n_rows, n_first, min_count, max_len, limit, enter, leave, signal):
    """List the frequent itemsets whose first item by rank is below ``n_first``.

    ``enter`` and ``leave`` are the places of the items in a walk through a taxonomy, empty without one. Another
    thread may set ``signal[0]`` to stop the search, and reads in ``signal[1]`` the item and in ``signal[2]`` the
    number of itemsets that it has come to, and in ``signal[3]`` the number of words intersected.

    Returns ``parent, item, count, n``, where ``n`` is the number of itemsets, ``OVER_LIMIT`` or ``STOPPED``.
    """
    n_items = start.size - 1
    parent, item, count = np.empty(8192, np.int32), np.empty(8192, np.int32), np.empty(8192, np.int32)
    n = np.int64(0)
    pair_count = np.zeros(n_items, np.int32)
    local = np.full(n_items, -1, np.int32)
    partners = np.empty(n_items, np.int32)
    perfect = np.empty(n_items + 1, np.int32)
    sizes = np.empty(64, np.int32)
    buffers = (np.empty(1024, np.int32), np.empty(1024, np.int64), np.empty(1024, np.int32), np.empty(8192, np.uint64))
    members = np.empty(2 * n_items + 64, np.int32)
    supports = np.empty(2 * n_items + 64, np.int32)
    n_words = (n_rows + 63) >> 6
    frames = np.empty((_MAX_DEPTH + 2, 7), np.int64)
    for i in range(n_first):
        signal[1] = i
        if signal[0]:
            return parent[:0], item[:0], count[:0], STOPPED
        low, high = start[i], start[i + 1]
        support = high - low
        if columns.size and walks[i] > (n_items - i - 1) * (n_words * WORD + INTERSECTION):
            n_frequent = _pairs_by_columns(columns, i, n_words, min_count, pair_count, partners)
        else:
            n_frequent = _pairs_by_walking(rows, after, end, low, high, min_count, pair_count, partners)
        n_members, n_perfect, total = _sort_out(i, support, partners, n_frequent, pair_count, perfect, enter, leave)
        group = _group_size(n_perfect, max_len - 1)
        room = n + group + n_members
        if room > limit:
            return parent[:0], item[:0], count[:0], OVER_LIMIT
        if room > parent.size:
            parent, item, count = _grown(parent, room), _grown(item, room), _grown(count, room)
        if n_perfect > max_len - 1 and group > sizes.size:
            sizes = np.empty(2 * group, np.int32)
        root = n
        n = _write(parent, item, count, n, -1, i, support, perfect, n_perfect, max_len - 1, sizes)
        if max_len == 2 or (n_members <= 1 and n_perfect == 0):
            for x in range(n_members):
                parent[n] = root
                item[n] = partners[x]
                count[n] = pair_count[partners[x]]
                n += 1
            pair_count[i:] = 0
            continue
        _sort_by(pair_count, partners, n_members)
        for x in range(n_members):
            members[x] = partners[x]
            supports[x] = pair_count[partners[x]]
        pair_count[i:] = 0
        by_row, width, buffers = _project(
            (start, rows, after, end, columns),
            i,
            n_words,
            local,
            members,
            n_members,
            total,
            walks[i],
            min_count,
            buffers,
        )
        codes, row_start, triangle, pool = buffers
        found, work = _descend(
            root, n_members, width, by_row, n_perfect, triangle, min_count, max_len, limit, (enter, leave), signal,
            (parent, item, count, n), (members, supports, pool, perfect, sizes, frames),
        )  # fmt: skip
        parent, item, count, n = found
        members, supports, pool, perfect, sizes, frames = work
        buffers = (codes, row_start, triangle, pool)
        if n < 0:
            return parent[:0], item[:0], count[:0], n
    return parent[:n].copy(), item[:n].copy(), count[:n].copy(), n
