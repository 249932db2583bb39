"""Rows and bitmaps of one projection: what is counted row by row, and what by intersecting words."""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from commlife.basket._jit import bit_count, compiled

__all__ = [
    "count_common",
    "count_triples",
    "fill_bitmaps",
    "filtered_suffixes",
    "intersect",
    "repack",
    "share",
    "some_branch_goes_on",
]


@compiled
def filtered_suffixes(rows, after, end, local, codes, row_start):
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


@compiled
def count_triples(codes, row_start, n_rows, triangle, n_members):
    """Count every pair of members row by row, above the diagonal of a square."""
    triangle[: n_members * n_members] = 0
    for t in range(n_rows):
        for x in range(row_start[t], row_start[t + 1]):
            a = np.int64(codes[x])
            for y in range(x + 1, row_start[t + 1]):
                b = np.int64(codes[y])
                triangle[min(a, b) * n_members + max(a, b)] += 1


@compiled
def some_branch_goes_on(triangle, n_members, min_count):
    """Whether some member has two or more frequent triples: only then are bitmaps needed."""
    for a in range(n_members):
        frequent = 0
        for b in range(a + 1, n_members):
            frequent += triangle[a * n_members + b] >= min_count
        if frequent > 1:
            return True
    return False


@compiled
def fill_bitmaps(codes, row_start, n_rows, pool, n_members, width):
    """One bitmap a member, over the rows of the projection."""
    pool[: n_members * width] = 0
    for t in range(n_rows):
        word = t >> 6
        bit = np.uint64(1) << np.uint64(t & 63)
        for x in range(row_start[t], row_start[t + 1]):
            pool[np.int64(codes[x]) * width + word] |= bit


@compiled
def intersect(pool, a, b, out, width):
    """``pool[out:] = pool[a:] & pool[b:]`` over ``width`` words; the number of bits."""
    total = np.uint64(0)
    for w in range(np.uint64(width)):
        both = pool[np.uint64(a) + w] & pool[np.uint64(b) + w]
        pool[np.uint64(out) + w] = both
        total += bit_count(both)
    return np.int64(total)


@compiled
def repack(masks, mask, pool, source, n_members, width, narrow):
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
                position = before + bit_count(inside & (lowest - one))
                packed[np.int64(position >> np.uint64(6))] |= one << (position & np.uint64(63))
                bits ^= lowest
            before += bit_count(inside)
        for w in range(narrow):
            pool[source + m * narrow + w] = packed[w]


@compiled
def share(columns, a, b, pool, out, width):
    """``pool[out:]`` is what two columns share."""
    for w in range(np.uint64(width)):
        pool[np.uint64(out) + w] = columns[np.uint64(a) + w] & columns[np.uint64(b) + w]


@compiled
def count_common(columns, a, b, n_words):
    """Number of rows that two columns share."""
    total = np.uint64(0)
    for w in range(np.uint64(n_words)):
        total += bit_count(columns[np.uint64(a * n_words) + w] & columns[np.uint64(b * n_words) + w])
    return np.int32(total)
