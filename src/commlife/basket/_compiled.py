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

The result is a trie: for each itemset its parent (the itemset without the last item), that item, and the count.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import warnings

import numpy as np
from numba import njit, types
from numba.core.errors import NumbaWarning
from numba.extending import intrinsic

__all__ = ["invert", "mine"]

#: Rough costs in nanoseconds, from which the kernel chooses between counting triples by row and by bitmap.
_ROW_PAIR, _CELL, _WORD, _INTERSECTION = 1.2, 2.0, 0.25, 6.0
#: ... and between counting pairs by walking over suffixes and by whole columns as bitmaps.
_STEP, _VISIT, _FILL, _SORT, _BIT = 1.5, 4.0, 2.0, 6.0, 3.0
#: Most words that the bitmaps of all columns may take together (32 MB).
_MOST_WORDS = 1 << 22
#: A branch is repacked if that at least halves its bitmaps and it has this many members.
_REPACK_FROM = 8
#: Deepest search: an itemset of this length has more subsets than any limit allows.
_MAX_DEPTH = 60
_TOO_MANY = np.int64(1) << np.int64(60)


def _compile(function):
    """Compile with numba's cache on disk; without it where no folder can be written (NUMBA_CACHE_DIR names one)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NumbaWarning)
            return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available": nowhere to put the cache
        return njit(nogil=True)(function)


@intrinsic
def _bit_count(typing_context, word):
    del typing_context, word

    def generate(context, builder, signature, arguments):
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@_compile
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
    sorting = size > _MOST_WORDS or size * _WORD * n_items / 2 > kept * _SORT
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


@_compile
def _grown(array, size):
    """A copy with room for at least ``size`` entries."""
    larger = np.empty(max(size, 2 * array.size), array.dtype)
    larger[: array.size] = array
    return larger


@_compile
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


@_compile
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


@_compile
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


@_compile
def _suffixes(rows, after, end, local, codes, row_start):
    """The filtered suffixes in local codes, one after the other, and the number of ordered pairs within them."""
    n = np.int64(0)
    pairs = np.int64(0)
    for k in range(after.size):
        row_start[k] = n
        begin = n
        for q in range(after[k], end[k]):
            code = local[rows[q]]
            codes[n] = max(code, 0)
            n += code >= 0
        pairs += (n - begin) * (n - begin - 1)
    row_start[after.size] = n
    return pairs


@_compile
def _count_triples(codes, row_start, n_rows, triangle, n_members):
    """Count every pair of members row by row, above the diagonal of a square."""
    triangle[: n_members * n_members] = 0
    for t in range(n_rows):
        for x in range(row_start[t], row_start[t + 1]):
            a = np.int64(codes[x])
            for y in range(x + 1, row_start[t + 1]):
                b = np.int64(codes[y])
                triangle[min(a, b) * n_members + max(a, b)] += 1


@_compile
def _some_branch_goes_on(triangle, n_members, min_count):
    """Whether some member has two or more frequent triples: only then are bitmaps needed."""
    for a in range(n_members):
        frequent = 0
        for b in range(a + 1, n_members):
            frequent += triangle[a * n_members + b] >= min_count
        if frequent > 1:
            return True
    return False


@_compile
def _fill_bitmaps(codes, row_start, n_rows, pool, n_members, width):
    pool[: n_members * width] = 0
    for t in range(n_rows):
        word = t >> 6
        bit = np.uint64(1) << np.uint64(t & 63)
        for x in range(row_start[t], row_start[t + 1]):
            pool[np.int64(codes[x]) * width + word] |= bit


@_compile
def _intersect(pool, a, b, out, width):
    """``pool[out:] = pool[a:] & pool[b:]`` over ``width`` words; the number of bits."""
    total = np.uint64(0)
    for w in range(np.uint64(width)):
        both = pool[np.uint64(a) + w] & pool[np.uint64(b) + w]
        pool[np.uint64(out) + w] = both
        total += _bit_count(both)
    return np.int64(total)


@_compile
def _repack(masks, mask, pool, source, n_members, width, narrow):
    """Keep of each bitmap from ``source`` on the places that the mask has, in ``narrow`` words, in place."""
    one = np.uint64(1)
    packed = np.empty(narrow, np.uint64)
    for m in range(n_members):
        packed[:] = 0
        before = np.uint64(0)
        for w in range(width):
            inside = masks[mask + w]
            bits = pool[source + m * width + w]
            while bits:
                lowest = bits & (~bits + one)
                position = before + _bit_count(inside & (lowest - one))
                packed[np.int64(position >> np.uint64(6))] |= one << (position & np.uint64(63))
                bits ^= lowest
            before += _bit_count(inside)
        for w in range(narrow):
            pool[source + m * narrow + w] = packed[w]


@_compile
def _share(columns, a, b, pool, out, width):
    """``pool[out:]`` is what two columns share."""
    for w in range(np.uint64(width)):
        pool[np.uint64(out) + w] = columns[np.uint64(a) + w] & columns[np.uint64(b) + w]


@_compile
def _columns(start, row_of, after, end, n_words, walks):
    """Every column as a bitmap over all rows if that saves more than it costs, else nothing; fills in ``walks``.

    ``walks[i]`` is what it takes to walk over the suffixes of ``i``.
    """
    n_items = start.size - 1
    saved = 0.0
    for i in range(n_items):
        steps = np.int64(0)
        for k in range(start[i], start[i + 1]):
            steps += end[k] - after[k]
        walks[i] = steps * _STEP + (start[i + 1] - start[i]) * _VISIT
        saved += max(0.0, walks[i] - (n_items - i - 1) * (n_words * _WORD + _INTERSECTION))
    size = n_items * n_words
    if size > _MOST_WORDS or saved < size * _WORD + row_of.size * _FILL:
        return np.empty(0, np.uint64)
    columns = np.zeros(size, np.uint64)
    for i in range(n_items):
        for k in range(start[i], start[i + 1]):
            columns[i * n_words + (row_of[k] >> 6)] |= np.uint64(1) << np.uint64(row_of[k] & 63)
    return columns


@_compile
def _count_common(columns, a, b, n_words):
    """Number of rows that two columns share."""
    total = np.uint64(0)
    for w in range(np.uint64(n_words)):
        total += _bit_count(columns[np.uint64(a * n_words) + w] & columns[np.uint64(b * n_words) + w])
    return np.int32(total)


@_compile
def mine(start, rows, row_of, after, end, columns, n_rows, first, min_count, max_len, limit, patience):
    """List the frequent itemsets whose rarest item is ``first`` or a later one.

    Takes at least one item, and stops after the one at which ``patience`` (in words intersected and rows walked) is
    used up, so that the caller can react to Ctrl-C and go on, or as soon as there are more than ``limit`` itemsets.

    Returns ``parent, item, count, next`` where ``next`` is the item to go on with, or -1 if the limit is passed.
    """
    n_items = start.size - 1
    parent, item, count = np.empty(8192, np.int32), np.empty(8192, np.int32), np.empty(8192, np.int32)
    n = np.int64(0)
    work = np.int64(0)
    pair_count = np.zeros(n_items, np.int32)
    local = np.full(n_items, -1, np.int32)
    partners = np.empty(n_items, np.int32)
    perfect = np.empty(n_items + 1, np.int32)
    sizes = np.empty(64, np.int32)
    codes = np.empty(1024, np.int32)
    row_start = np.empty(1024, np.int64)
    triangle = np.empty(1024, np.int32)
    pool = np.empty(8192, np.uint64)
    members = np.empty(2 * n_items + 64, np.int32)
    supports = np.empty(2 * n_items + 64, np.int32)
    walks = np.full(n_items, np.inf)
    n_words = (n_rows + 63) >> 6
    if columns.size == 0:
        columns = _columns(start, row_of, after, end, n_words, walks)
    frames = np.empty((_MAX_DEPTH + 2, 7), np.int64)
    for i in range(first, n_items):
        if i > first and work > patience:
            return parent[:n].copy(), item[:n].copy(), count[:n].copy(), i
        low, high = start[i], start[i + 1]
        support = high - low
        # Every pair {i, j}, by columns or in one walk; there, a partner is noted when it reaches the threshold.
        n_frequent = 0
        if columns.size and walks[i] > (n_items - i - 1) * (n_words * _WORD + _INTERSECTION):
            for j in range(i + 1, n_items):
                shared = _count_common(columns, i, j, n_words)
                if shared >= min_count:
                    pair_count[j] = shared
                    partners[n_frequent] = j
                    n_frequent += 1
            work += (n_items - i) * n_words
        else:
            for k in range(low, high):
                for q in range(after[k], end[k]):
                    j = rows[q]
                    reached = pair_count[j] + 1
                    pair_count[j] = reached
                    if reached == min_count:
                        partners[n_frequent] = j
                        n_frequent += 1
                work += end[k] - after[k]
        n_members = 0
        n_perfect = 0
        total = np.int64(0)
        for x in range(n_frequent):
            j = partners[x]
            if pair_count[j] == support:
                perfect[n_perfect] = j
                n_perfect += 1
            else:
                partners[n_members] = j
                n_members += 1
                total += pair_count[j]
        group = _group_size(n_perfect, max_len - 1)
        if n + group + n_members > limit:
            return parent[:0], item[:0], count[:0], -1
        if n + group + n_members > parent.size:
            room = n + group + n_members
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
        width = (support + 63) >> 6
        square = n_members * n_members
        intersections = square / 2 * (width * _WORD + _INTERSECTION)
        by_row = False
        # By columns the bitmaps are there at once, but span all rows; triples by row are out of question then. What
        # they would take is estimated as if rows were equally long.
        wider = n_members * (n_words * _WORD + _INTERSECTION) + square / 2 * (n_words - width) * _WORD
        triples = np.float64(total) * total / support * _ROW_PAIR / 2 + square * _CELL
        if rows.size == 0 or (columns.size and wider < walks[i] + total * _FILL and intersections < triples):
            narrow = width
            width = n_words
            if pool.size < n_members * width:
                pool = np.empty(4 * n_members * width, np.uint64)
            for x in range(n_members):
                _share(columns, i * width, np.int64(members[x]) * width, pool, x * width, width)
            if square / 2 * (width - narrow) * _WORD > total * _BIT + n_members * width * _WORD:
                _repack(columns, i * width, pool, 0, n_members, width, narrow)
                width = narrow
        else:
            # The suffixes of i, filtered to the partners, in codes by ascending local support.
            if codes.size < total + 1:
                codes = np.empty(2 * total + 1, np.int32)
            if row_start.size < support + 1:
                row_start = np.empty(2 * support + 1, np.int64)
            for x in range(n_members):
                local[members[x]] = x
            pairs = _suffixes(rows, after[low:high], end[low:high], local, codes, row_start)
            for x in range(n_members):
                local[members[x]] = -1
            by_row = pairs * _ROW_PAIR / 2 + square * _CELL < intersections
            bitmaps = n_members > 1
            if by_row:
                if triangle.size < square:
                    triangle = np.empty(2 * square, np.int32)
                _count_triples(codes, row_start, support, triangle, n_members)
                bitmaps = _some_branch_goes_on(triangle, n_members, min_count)
            if bitmaps:
                if pool.size < n_members * width:
                    pool = np.empty(4 * n_members * width, np.uint64)
                _fill_bitmaps(codes, row_start, support, pool, n_members, width)
        # Depth first. A frame: first member, last + 1, next, node, perfect extensions, its bitmaps, their width.
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
            begin = frames[depth, 0]
            width = frames[depth, 6]
            base = frames[depth, 5] - begin * width
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
                        if shared == support:
                            perfect[n_perfect] = members[b]
                            n_perfect += 1
                        elif shared >= min_count:
                            members[top] = b
                            supports[top] = shared
                            top += 1
                    if pool.size < free + (top - stop) * width:
                        pool = _grown(pool, free + (top - stop) * width)
                    for x in range(stop, top):
                        b = np.int64(members[x])
                        members[x] = members[b]
                        if top - stop > 1:
                            _intersect(pool, base + a * width, base + b * width, free + (x - stop) * width, width)
                    work += n_members
                else:
                    if pool.size < free + (stop - a) * width:
                        pool = _grown(pool, free + (stop - a) * width)
                    out = free
                    for b in range(a + 1, stop):
                        shared = _intersect(pool, base + a * width, base + b * width, out, width)
                        members[top] = members[b]
                        supports[top] = shared
                        if shared == support:
                            perfect[n_perfect] = members[b]
                            n_perfect += 1
                        elif shared >= min_count:
                            top += 1
                            out += width
                    work += (stop - a) * width
            group = _group_size(n_perfect, max_len - depth - 2)
            if n + group > limit:
                return parent[:0], item[:0], count[:0], -1
            if n + group > parent.size:
                parent, item, count = _grown(parent, n + group), _grown(item, n + group), _grown(count, n + group)
            if n_perfect > max_len - depth - 2 and group > sizes.size:
                sizes = np.empty(2 * group, np.int32)
            node = n
            n = _write(
                parent,
                item,
                count,
                n,
                frames[depth, 3],
                members[a],
                support,
                perfect,
                n_perfect,
                max_len - depth - 2,
                sizes,
            )
            if top > stop:
                if depth == _MAX_DEPTH or np.int64(1) << np.int64(depth + 3) > limit + 1:  # its subsets alone
                    return parent[:0], item[:0], count[:0], -1
                narrow = (support + 63) >> 6
                if top - stop >= _REPACK_FROM and 2 * narrow <= width:
                    _repack(pool, base + a * width, pool, free, top - stop, width, narrow)
                    width = narrow
                depth += 1
                frames[depth, 0], frames[depth, 1], frames[depth, 2], frames[depth, 3] = stop, top, stop, node
                frames[depth, 4], frames[depth, 5], frames[depth, 6] = n_perfect, free, width
    return parent[:n].copy(), item[:n].copy(), count[:n].copy(), n_items
