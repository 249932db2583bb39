"""The same miner in NumPy alone: nobody waits for a compiler on a small job.

Pairs come from one sparse product. Then, for each first item, its partners are packed into bitmaps over the rows of
that item, and whole blocks of candidates are intersected and counted at a time. Blocks are taken depth first, so
that memory stays at one block a length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from commlife.basket._trie import OverBudgetError, OverLimitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]
    Longs = NDArray[np.int64]

__all__ = ["mine"]

#: Candidates that are intersected at a time, and words of bitmap that they may take together.
_CANDIDATES, _WORDS = 1 << 18, 1 << 20
#: What a candidate and a first item cost beside their words, in words.
_PER_CANDIDATE, _PER_ITEM = 12, 20_000


@dataclass(slots=True)
class _Found:
    """The trie so far: parent, last item (by rank) and count of each itemset."""

    limit: int
    budget: float
    size: int = 0
    work: float = 0.0
    parents: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    counts: list[Any] = field(default_factory=list)

    def add(self, parent: NDArray[Any], item: NDArray[Any], count: NDArray[Any]) -> Longs:
        """Take itemsets in; their numbers."""
        numbers = np.arange(self.size, self.size + item.size)
        self.size += int(item.size)
        if self.size > self.limit:
            raise OverLimitError
        self.parents.append(parent.astype(np.int32))
        self.items.append(item.astype(np.int32))
        self.counts.append(count.astype(np.int32))
        return numbers

    def spend(self, words: float) -> None:
        """Count work; stop where it passes the budget."""
        self.work += words
        if self.work > self.budget:
            raise OverBudgetError


@dataclass(frozen=True, slots=True)
class _Block:
    """Itemsets of one length: classes of siblings lie together.

    Attributes:
        bits: One bitmap an itemset, over the rows of the first item.
        item: Last item, as a local code.
        node: Number in the trie.
        stop: Where the class of each itemset ends.
    """

    bits: NDArray[np.uint64]
    item: Longs
    node: Longs
    stop: Longs


def mine(
    matrix: sp.csr_matrix, min_count: int, max_len: int, limit: int, budget: float = float("inf")
) -> tuple[Ints, Ints, Ints]:
    """List the frequent itemsets of a matrix whose columns are frequent items by ascending support.

    Returns:
        ``parent, item, count`` of each itemset; items are columns.

    Raises:
        OverLimitError: If there are more than ``limit`` itemsets.
        OverBudgetError: If it takes more work than ``budget``, in words intersected.
    """
    found = _Found(limit, budget)
    _search(matrix, min_count, max_len, found)
    return np.concatenate(found.parents), np.concatenate(found.items), np.concatenate(found.counts)


def _search(matrix: sp.csr_matrix, min_count: int, max_len: int, found: _Found) -> None:
    n_items = matrix.shape[1]
    columns = matrix.tocsc()
    supports = np.diff(columns.indptr)
    found.add(np.full(n_items, -1), np.arange(n_items), supports)
    if max_len == 1:
        return
    lengths = np.diff(matrix.indptr).astype(np.float64)
    found.spend(2 * float(lengths @ lengths))
    pairs = sp.triu(matrix.T @ matrix, k=1).tocsr()
    pairs.data[pairs.data < min_count] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()
    n_partners = np.diff(pairs.indptr)
    widths = (supports + 63) // 64
    # Work that is certain: the packing, and the triples of every first item.
    triples = n_partners.astype(np.float64) * (n_partners - 1) / 2
    if max_len > 2:
        found.spend(float(triples @ (widths + _PER_CANDIDATE)) + _PER_ITEM * np.count_nonzero(n_partners > 1))
    local = np.full(n_items, -1, dtype=np.int64)
    for i in np.flatnonzero(n_partners):
        where = slice(pairs.indptr[i], pairs.indptr[i + 1])
        partners = pairs.indices[where]
        nodes = found.add(np.full(partners.size, i), partners, pairs.data[where])
        if partners.size == 1 or max_len == 2:
            continue
        rows = columns.indices[columns.indptr[i] : columns.indptr[i + 1]]
        local[partners] = np.arange(partners.size)
        bits = _bitmaps(matrix, rows, local, partners.size)
        local[partners] = -1
        block = _Block(bits, np.arange(partners.size), nodes, np.full(partners.size, partners.size))
        _descend(block, partners, min_count, max_len, found)


def _bitmaps(matrix: sp.csr_matrix, rows: Ints, local: Longs, n_partners: int) -> NDArray[np.uint64]:
    """Partners x words: which of ``rows`` hold a partner."""
    begin, length = matrix.indptr[rows].astype(np.int64), np.diff(matrix.indptr)[rows].astype(np.int64)
    row = np.repeat(np.arange(rows.size), length)
    within = np.arange(row.size) - np.repeat(np.cumsum(length) - length, length)
    code = local[matrix.indices[begin[row] + within]]
    kept = code >= 0
    flags = np.zeros((n_partners, (rows.size + 63) // 64 * 64), dtype=np.uint8)
    flags[code[kept], row[kept]] = 1
    return np.packbits(flags, axis=1, bitorder="little").view(np.uint64)


def _descend(block: _Block, partners: Ints, min_count: int, max_len: int, found: _Found) -> None:
    """Everything below a block of pairs."""
    stack = [(block, 2, 0)]
    while stack:
        block, length, begin = stack.pop()
        siblings = block.stop - np.arange(block.stop.size) - 1
        end = _chunk_end(siblings, begin, block.bits.shape[1])
        if end < siblings.size:
            stack.append((block, length, end))
        left = np.repeat(np.arange(begin, end), siblings[begin:end])
        if not left.size:
            continue
        ends = np.cumsum(siblings[begin:end])
        right = left + 1 + np.arange(left.size) - np.repeat(ends - siblings[begin:end], siblings[begin:end])
        found.spend(left.size * (block.bits.shape[1] + _PER_CANDIDATE) if length > 2 else 0.0)
        bits = block.bits[left]
        bits &= block.bits[right]
        count = np.bitwise_count(bits).sum(axis=1, dtype=np.int32)
        kept = np.flatnonzero(count >= min_count)
        if not kept.size:
            continue
        left, right = left[kept], right[kept]
        node = found.add(block.node[left], partners[block.item[right]], count[kept])
        if length + 1 < max_len and kept.size > 1:
            # Children of one itemset are a class; it ends where the next parent begins.
            stop = np.searchsorted(left, left, side="right")
            stack.append((_Block(bits[kept], block.item[right], node, stop), length + 1, 0))


def _chunk_end(siblings: Longs, begin: int, width: int) -> int:
    """How far to go from ``begin``, so that the candidates fit in a chunk; at least one itemset."""
    room = max(1, min(_CANDIDATES, _WORDS // width))
    total = np.cumsum(siblings[begin:])
    return begin + max(1, int(np.searchsorted(total, room, side="right")))
