"""The same miner in NumPy alone: nobody waits for a compiler on a small job.

Pairs come from one sparse product. Then, for each first item, its partners are packed into bitmaps over the rows of
that item, and whole blocks of candidates are intersected and counted at a time. Blocks are taken depth first, so
that memory stays at one block a length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from commlife.basket._trie import OverBudgetError, OverLimitError, Trie

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ints = NDArray[np.int32]
    Longs = NDArray[np.int64]

__all__ = ["bitmaps_over", "mine"]

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
    weights: list[Any] = field(default_factory=list)

    def add(self, parent: NDArray[Any], item: NDArray[Any], count: NDArray[Any], weight: NDArray[Any]) -> Longs:
        """Take itemsets in; their numbers."""
        numbers = np.arange(self.size, self.size + item.size)
        self.size += int(item.size)
        if self.size > self.limit:
            raise OverLimitError
        self.parents.append(parent.astype(np.int32))
        self.items.append(item.astype(np.int32))
        self.counts.append(count.astype(np.int32))
        self.weights.append(weight)
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


class _Measure(Protocol):
    """What decides whether itemsets are frequent: the number of their rows, or the weight of these."""

    def __call__(self, bits: NDArray[np.uint64]) -> Longs: ...


def _count(bits: NDArray[np.uint64]) -> Longs:
    return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


def _weigh_with(weight: Longs) -> _Measure:
    """Sums of weights over the ones of a bitmap: eight rows at a time, from a table of their 256 sums."""
    padded = np.zeros((weight.size + 63) // 64 * 64, dtype=np.int64)
    padded[: weight.size] = weight
    flags = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.int64)
    tables = (flags @ padded.reshape(-1, 8).T).T.ravel()
    offsets = np.arange(padded.size // 8) * 256

    def weigh(bits: NDArray[np.uint64]) -> Longs:
        return tables[bits.view(np.uint8) + offsets].sum(axis=1)

    return weigh


def mine(
    matrix: sp.csr_matrix,
    min_count: int,
    max_len: int,
    limit: int,
    budget: float = float("inf"),
    *,
    n_first: int | None = None,
    tree: tuple[Ints, Ints] | None = None,
    weight: Longs | None = None,
    step: Callable[[int], object] = int,
) -> Trie:
    """List the frequent itemsets of a matrix whose columns are frequent items.

    Args:
        matrix: Baskets x items; the rarer items first are faster.
        min_count: Least number of baskets, or their least weight.
        max_len: Most items.
        limit: Most itemsets.
        budget: Most work, in words intersected.
        n_first: Itemsets begin with one of so many first columns; all by default.
        tree: Where a walk through the taxonomy enters and leaves each column; relatives are not put together.
        weight: Weight of each basket, in whole numbers.
        step: Called with 1 after each first item.

    Returns:
        ``parent, item, count, weight`` of each itemset; items are columns.

    Raises:
        OverLimitError: If there are more than ``limit`` itemsets.
        OverBudgetError: If it takes more work than ``budget``, in words intersected.
    """
    found = _Found(limit, budget)
    _search(matrix, min_count, max_len, found, matrix.shape[1] if n_first is None else n_first, tree, weight, step)
    weights = None if weight is None else np.concatenate(found.weights)
    return Trie(np.concatenate(found.parents), np.concatenate(found.items), np.concatenate(found.counts), weights)


def _search(
    matrix: sp.csr_matrix,
    min_count: int,
    max_len: int,
    found: _Found,
    n_first: int,
    tree: tuple[Ints, Ints] | None,
    weight: Longs | None,
    step: Callable[[int], object],
) -> None:
    columns = matrix.tocsc()
    supports = np.diff(columns.indptr)
    masses = supports if weight is None else matrix.T @ weight
    found.add(np.full(n_first, -1), np.arange(n_first), supports[:n_first], masses[:n_first])
    if max_len <= 1:
        return
    lengths = np.diff(matrix.indptr).astype(np.float64)
    found.spend(2 * float(lengths @ lengths))
    pairs = _pairs(matrix, min_count, n_first, tree, weight)
    n_partners = np.diff(pairs.indptr)
    widths = (supports[:n_first] + 63) // 64
    # Work that is certain: the packing, and the triples of every first item.
    triples = n_partners.astype(np.float64) * (n_partners - 1) / 2
    if max_len > 2:
        found.spend(float(triples @ (widths + _PER_CANDIDATE)) + _PER_ITEM * np.count_nonzero(n_partners > 1))
    for i in range(n_first):
        where = slice(pairs.indptr[i], pairs.indptr[i + 1])
        partners = pairs.indices[where]
        ends = max_len == 2 or partners.size <= 1
        if weight is None and ends:
            found.add(np.full(partners.size, i), partners, pairs.data[where], pairs.data[where])
        elif partners.size:
            rows = columns.indices[columns.indptr[i] : columns.indptr[i + 1]]
            bits = bitmaps_over(matrix, rows, partners)
            nodes = found.add(np.full(partners.size, i), partners, _count(bits), pairs.data[where])
            if not ends:
                measure = _count if weight is None else _weigh_with(weight[rows])
                block = _Block(bits, np.arange(partners.size), nodes, np.full(partners.size, partners.size))
                _descend(block, partners, min_count, max_len, found, tree, measure)
        step(1)


def _pairs(
    matrix: sp.csr_matrix, min_count: int, n_first: int, tree: tuple[Ints, Ints] | None, weight: Longs | None
) -> sp.csr_matrix:
    """The frequent pairs of each first item with an item after it."""
    other = matrix
    if weight is not None:
        heavy = np.repeat(weight, np.diff(matrix.indptr))
        other = sp.csr_matrix((heavy, matrix.indices, matrix.indptr), shape=matrix.shape)
    pairs = sp.triu(matrix.T @ other, k=1).tocsr()[:n_first]
    pairs.data[pairs.data < min_count] = 0
    if tree is not None:
        row = np.repeat(np.arange(n_first), np.diff(pairs.indptr))
        pairs.data[_related(tree, row, pairs.indices)] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs


def _related(tree: tuple[Ints, Ints], a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether one is an ancestor of the other: their places in a walk through the taxonomy are nested."""
    enter, leave = tree
    above: NDArray[np.bool_] = (enter[a] <= enter[b]) & (enter[b] < leave[a])
    below: NDArray[np.bool_] = (enter[b] <= enter[a]) & (enter[a] < leave[b])
    return above | below


def bitmaps_over(matrix: sp.csr_matrix, rows: Ints, partners: Ints) -> NDArray[np.uint64]:
    """Partners x words: which of ``rows`` hold a partner."""
    local = np.full(matrix.shape[1], -1, dtype=np.int64)
    local[partners] = np.arange(partners.size)
    begin, length = matrix.indptr[rows].astype(np.int64), np.diff(matrix.indptr)[rows].astype(np.int64)
    row = np.repeat(np.arange(rows.size), length)
    within = np.arange(row.size) - np.repeat(np.cumsum(length) - length, length)
    code = local[matrix.indices[begin[row] + within]]
    kept = code >= 0
    flags = np.zeros((partners.size, (rows.size + 63) // 64 * 64), dtype=np.uint8)
    flags[code[kept], row[kept]] = 1
    return np.packbits(flags, axis=1, bitorder="little").view(np.uint64)


def _descend(
    block: _Block,
    partners: Ints,
    min_count: int,
    max_len: int,
    found: _Found,
    tree: tuple[Ints, Ints] | None,
    measure: _Measure,
) -> None:
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
        mass = measure(bits)
        frequent = mass >= min_count
        if tree is not None:
            frequent &= ~_related(tree, partners[block.item[left]], partners[block.item[right]])
        kept = np.flatnonzero(frequent)
        if not kept.size:
            continue
        left, right = left[kept], right[kept]
        count = mass[kept] if measure is _count else _count(bits[kept])
        node = found.add(block.node[left], partners[block.item[right]], count, mass[kept])
        if length + 1 < max_len and kept.size > 1:
            # Children of one itemset are a class; it ends where the next parent begins.
            stop = np.searchsorted(left, left, side="right")
            stack.append((_Block(bits[kept], block.item[right], node, stop), length + 1, 0))


def _chunk_end(siblings: Longs, begin: int, width: int) -> int:
    """How far to go from ``begin``, so that the candidates fit in a chunk; at least one itemset."""
    room = max(1, min(_CANDIDATES, _WORDS // width))
    total = np.cumsum(siblings[begin:])
    return begin + max(1, int(np.searchsorted(total, room, side="right")))
