"""The result of a miner as a prefix trie, and as one sorted table for each length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOTHING", "Level", "OverBudgetError", "OverLimitError", "Trie", "canonical", "levels_of", "trie_of"]


class OverLimitError(Exception):
    """More itemsets than the limit; the caller turns it into an error that suggests a support."""


class OverBudgetError(Exception):
    """More work than the budget; the caller goes on with the compiled miner."""


@dataclass(frozen=True, slots=True)
class Trie:
    """Itemsets in 12 bytes each.

    Attributes:
        parent: The itemset without its last item (an earlier position), -1 for a single item.
        item: Its last item, as a code into the sorted labels.
        count: Number of baskets that hold it.
        weight: Their weight, in whole numbers; None where baskets count alike.
    """

    parent: NDArray[np.int32]
    item: NDArray[np.int32]
    count: NDArray[np.int32]
    weight: NDArray[np.int64] | None = None

    def lengths(self) -> NDArray[np.int32]:
        """Number of items of each itemset."""
        lengths = np.ones(self.parent.size, dtype=np.int32)
        node = np.flatnonzero(self.parent >= 0)
        above = self.parent[node]
        while node.size:
            lengths[node] += 1
            above = self.parent[above]
            going_on = above >= 0
            node, above = node[going_on], above[going_on]
        return lengths


_NONE = np.zeros(0, dtype=np.int32)
#: The trie of no itemset.
NOTHING = Trie(_NONE, _NONE, _NONE)


@dataclass(frozen=True, slots=True)
class Level:
    """All itemsets of one length, the most frequent (or heaviest) first, then by their items.

    Attributes:
        codes: Itemsets x length; codes ascend in each row.
        count: Number of baskets that hold each.
        weight: Their weight; None where baskets count alike.
    """

    codes: NDArray[np.int32]
    count: NDArray[np.int64]
    weight: NDArray[np.int64] | None = None

    @property
    def mass(self) -> NDArray[np.int64]:
        """What supports are made of: the weight where there is one, else the count."""
        return self.count if self.weight is None else self.weight

    def take(self, kept: NDArray[Any]) -> Level:
        """Some of them, in the same order."""
        return Level(self.codes[kept], self.count[kept], None if self.weight is None else self.weight[kept])


def levels_of(trie: Trie, n_items: int) -> list[Level]:
    """One table a length, in the canonical order; the order in which a miner found them plays no part."""
    lengths = trie.lengths()
    levels = []
    for length in range(1, int(lengths.max(initial=0)) + 1):
        node = np.flatnonzero(lengths == length).astype(np.int32)
        count = trie.count[node].astype(np.int64)
        weight = None if trie.weight is None else trie.weight[node]
        codes = np.empty((node.size, length), dtype=np.int32)
        for column in range(length - 1, -1, -1):
            codes[:, column] = trie.item[node]
            node = trie.parent[node]
        codes.sort(axis=1)
        levels.append(canonical(Level(codes, count, weight), n_items))
    return levels


def canonical(level: Level, n_items: int) -> Level:
    """The same itemsets in the canonical order."""
    return level.take(_canonical_order(level.codes, level.mass, n_items))


def trie_of(levels: list[Level], n_items: int) -> Trie:
    """Itemsets as a trie: the parent of each is the itemset without its last item."""
    from commlife.basket._subsets import without_one  # which knows levels itself

    if not levels:
        return NOTHING
    begin, parents = 0, [np.full(levels[0].count.size, -1, dtype=np.int32)]
    for level, table in zip(levels, without_one(levels, n_items), strict=False):
        parents.append(table[:, -1] + np.int32(begin))
        begin += level.count.size
    items = np.concatenate([level.codes[:, -1] for level in levels]).astype(np.int32)
    counts = np.concatenate([level.count for level in levels]).astype(np.int32)
    return Trie(np.concatenate(parents), items, counts)


def _canonical_order(codes: NDArray[np.int32], count: NDArray[np.int64], n_items: int) -> NDArray[np.int64]:
    """By count, high to low, then by items; as few keys as their bits allow."""
    fields = [(max(1, int(count.max(initial=0)).bit_length()), count.max(initial=0) - count)]
    fields += [(max(1, int(n_items - 1).bit_length()), codes[:, column]) for column in range(codes.shape[1])]
    keys: list[NDArray[np.uint64]] = []
    used = 64
    for bits, field in fields:
        if used + bits > 64:
            keys.append(np.zeros(count.size, dtype=np.uint64))
            used = 0
        keys[-1] <<= np.uint64(bits)
        keys[-1] |= field.astype(np.uint64)
        used += bits
    # No two itemsets are equal, so that a single key needs no stable sort.
    return np.argsort(keys[0]) if len(keys) == 1 else np.lexsort(keys[::-1])
