"""The descent below one item: bitmaps are intersected and bits counted, depth first.

A search that lists millions of itemsets may not be deaf to Ctrl-C, nor take more room than it needs. So the descent
keeps all that it knows in arrays, and *pauses*: when its slice of work is done, and when an array is too small. Whoever
called it looks around or makes room, and calls again; what was under way is done anew. No array is made or exchanged
for another in here, and functions end in one place: otherwise numba counts references to arrays at every step of the
loop, which took four fifths of the time.
"""

# ruff: noqa: ANN001, ANN202 (numba infers the types of what it compiles)
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from commlife.basket._bitmaps import intersect, repack
from commlife.basket._inverted import INTERSECTION, WORD
from commlife.basket._jit import compiled

__all__ = [
    "DEPTH",
    "DONE",
    "FOUND",
    "FRAMES",
    "ITEM",
    "LEFT",
    "MEMBERS",
    "OVER_LIMIT",
    "PAUSED",
    "POOL",
    "SIZES",
    "STATE",
    "STATUS",
    "TOO_SMALL",
    "descend",
    "group_size",
    "related",
    "write",
]

#: Places in the state: the item that comes next, the depth (-1 between two items), the number of itemsets, what is left
#: of the slice (nanoseconds, roughly), how it stands, ...
ITEM, DEPTH, FOUND, LEFT, STATUS = 0, 1, 2, 3, 4
#: ... and the room that itemsets, members, bitmaps and the subsets of perfect extensions need.
ROOM, MEMBERS, POOL, SIZES = 5, 6, 7, 8
#: How many places there are.
STATE = 9
#: How a search stands.
DONE, PAUSED, TOO_SMALL, OVER_LIMIT = 0, 1, 2, 3
#: A branch is repacked if that at least halves its bitmaps and it has this many members.
_REPACK_FROM = 8
#: Deepest search: an itemset of this length has more subsets than any limit allows.
_MAX_DEPTH = 60
#: Shape of the frames: first member, last + 1, next, node, perfect extensions, its bitmaps, their width.
FRAMES = (_MAX_DEPTH + 2, 7)
_TOO_MANY = np.int64(1) << np.int64(60)


@compiled
def group_size(n_perfect, room):
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
def write(parent, item, count, n, above, last, support, perfect, n_perfect, room, sizes):
    """Write one itemset, and with it each subset of its perfect extensions that ``room`` allows."""
    first = n
    parent[n] = above
    item[n] = last
    count[n] = support
    n += 1
    bounded = n_perfect > room
    sizes[0] = 0
    for p in range(n_perfect):
        for g in range(first, n):
            if bounded:
                if sizes[g - first] >= room:
                    continue
                sizes[n - first] = sizes[g - first] + 1
            parent[n] = g
            item[n] = perfect[p]
            count[n] = support
            n += 1
    return n


@compiled
def related(enter, leave, a, b):
    """Whether one is an ancestor of the other: their places in a walk through the taxonomy are nested."""
    return enter[a] <= enter[b] < leave[a] or enter[b] <= enter[a] < leave[b]


@compiled
def _by_row(triangle, n_members, min_count, a, stop, width, places, has_tree, enter, leave, n_perfect, arrays):
    """Extend a member of the first level: its pairs are counted, what is frequent is intersected."""
    members, supports, pool, perfect = arrays
    base, free = places
    support = np.int64(supports[a])
    top = stop
    for b in range(a + 1, stop):
        shared = triangle[a * n_members + b]
        if shared < min_count or (has_tree and related(enter, leave, members[a], members[b])):
            continue
        if shared == support and not has_tree:
            perfect[n_perfect] = members[b]
            n_perfect += 1
        else:
            members[top] = b
            supports[top] = shared
            top += 1
    for x in range(stop, top):
        b = np.int64(members[x])
        members[x] = members[b]
        if top - stop > 1:
            intersect(pool, base + a * width, base + b * width, free + (x - stop) * width, width)
    return top, n_perfect


@compiled
def _by_bitmap(min_count, a, stop, width, places, has_tree, enter, leave, n_perfect, arrays):
    """Extend a member by each that follows it: the last of the new members + 1, and the perfect extensions."""
    members, supports, pool, perfect = arrays
    base, free = places
    support = np.int64(supports[a])
    top = stop
    out = free
    for b in range(a + 1, stop):
        shared = intersect(pool, base + a * width, base + b * width, out, width)
        members[top] = members[b]
        supports[top] = shared
        if shared == support and not has_tree:
            perfect[n_perfect] = members[b]
            n_perfect += 1
        elif shared >= min_count and not (has_tree and related(enter, leave, members[a], members[b])):
            top += 1
            out += width
    return top, n_perfect


@compiled
def descend(state, n_members, by_row, triangle, min_count, max_len, limit, tree, found, work):
    """Go on below one item until all is listed, the slice is over, or an array is too small; the state tells which."""
    parent, item, count = found
    members, supports, pool, perfect, sizes, frames = work
    enter, leave = tree
    has_tree = enter.size > 0
    arrays = (members, supports, pool, perfect)
    depth = state[DEPTH]
    n = state[FOUND]
    left = state[LEFT]
    status = DONE
    while depth >= 0:
        if left <= 0:
            status = PAUSED
            break
        a = frames[depth, 2]
        stop = frames[depth, 1]
        if a >= stop:
            depth -= 1
            continue
        width = frames[depth, 6]
        base = frames[depth, 5] - frames[depth, 0] * width
        free = base + stop * width
        top = stop
        n_perfect = frames[depth, 4]
        support = np.int64(supports[a])
        if a + 1 < stop and depth + 3 <= max_len:
            if members.size < 2 * stop - a or pool.size < free + (stop - a) * width:
                state[MEMBERS], state[POOL] = 2 * stop - a, free + (stop - a) * width
                status = TOO_SMALL
                break
            left -= np.int64((stop - a) * (width * WORD + INTERSECTION))
            if depth == 0 and by_row:
                top, n_perfect = _by_row(
                    triangle, n_members, min_count, a, stop, width, (base, free), has_tree, enter, leave, n_perfect,
                    arrays,
                )  # fmt: skip
            else:
                top, n_perfect = _by_bitmap(
                    min_count, a, stop, width, (base, free), has_tree, enter, leave, n_perfect, arrays
                )
        room = max_len - depth - 2
        group = group_size(n_perfect, room)
        # Below a member of this depth there is an itemset for each subset of what leads there.
        too_deep = top > stop and (depth == _MAX_DEPTH or np.int64(1) << np.int64(depth + 3) > limit + 1)
        if n + group > limit or too_deep:
            status = OVER_LIMIT
            break
        if n + group > parent.size or (n_perfect > room and group > sizes.size):
            state[ROOM], state[SIZES] = n + group, group
            status = TOO_SMALL
            break
        frames[depth, 2] = a + 1
        node = n
        n = write(parent, item, count, n, frames[depth, 3], members[a], support, perfect, n_perfect, room, sizes)
        if top > stop:
            narrow = (support + 63) >> 6
            if top - stop >= _REPACK_FROM and 2 * narrow <= width:
                repack(pool, base + a * width, pool, free, top - stop, width, narrow)
                width = narrow
            depth += 1
            frames[depth, 0], frames[depth, 1], frames[depth, 2], frames[depth, 3] = stop, top, stop, node
            frames[depth, 4], frames[depth, 5], frames[depth, 6] = n_perfect, free, width
    state[DEPTH] = depth
    state[FOUND] = n
    state[LEFT] = left
    state[STATUS] = status
