"""Self-sufficiency: itemsets that neither their parts nor their supersets explain.

Source: Webb, "Self-sufficient itemsets: an approach to screening potentially interesting associations between items",
ACM TKDD 2010. Milk and eggs may be bought together only because both belong to a cake: take away the baskets with the
rest of the cake, and nothing is left of the pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.basket._measures import fisher_p, within
from commlife.basket._pruning import implied
from commlife.basket._recount import columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets
    from commlife.basket._splits import Splits
    from commlife.basket.itemsets import FrequentItemsets

__all__ = ["self_sufficient"]

#: Words of bitmap that a block may take, and baskets that are looked at together.
_WORDS, _ROWS = 1 << 20, 1 << 18


def self_sufficient(sets: FrequentItemsets, baskets: Baskets, splits: Splits, max_p: float | None) -> NDArray[np.bool_]:
    """Which itemsets are productive, not redundant, and productive apart from their self-sufficient supersets.

    An itemset is productive if it is in more baskets than each of its partitions into two lets expect. Apart from its
    supersets means: in the baskets that no superset's further items cover. Whether a superset counts is known first, as
    larger itemsets are judged before smaller ones.

    Args:
        sets: Every frequent itemset; supersets are looked for among these.
        baskets: What they were mined from.
        splits: Every split of every itemset.
        max_p: Largest p-value of Fisher's test of each partition; None compares with chance, without a test.
    """
    counts, n = sets._counts, sets.n_baskets
    sufficient = ~implied(sets)
    halves = splits.take(np.flatnonzero((splits.antecedent < splits.consequent) & sufficient[splits.whole]))
    both, a, c = (counts[side] for side in (halves.whole, halves.antecedent, halves.consequent))
    sufficient[halves.whole[~_surpasses(n, both, a, c, max_p)]] = False
    levels = sets._levels
    codes = np.full((len(sets), len(levels)), -1, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum([level.count.size for level in levels])])
    for size, level in enumerate(levels, start=1):
        codes[offsets[size - 1] : offsets[size], :size] = level.codes
    for size in range(len(levels) - 1, 1, -1):
        inside = (splits.antecedent >= offsets[size - 1]) & (splits.antecedent < offsets[size])
        pair = np.flatnonzero(inside & sufficient[splits.whole] & sufficient[splits.antecedent])
        pair = pair[np.argsort(splits.antecedent[pair], kind="stable")]
        own, owner = np.unique(splits.antecedent[pair], return_inverse=True)
        if own.size:
            further = codes[splits.consequent[pair], : len(levels) - size]
            apart = _counts_apart(baskets, codes[own, :size], further, owner)
            sufficient[own[~_is_productive(apart, max_p)]] = False
    return sufficient


def _surpasses(n: Any, both: Any, a: Any, c: Any, max_p: float | None) -> NDArray[np.bool_]:
    """Whether two parts share more baskets than by chance."""
    more: NDArray[np.bool_] = n * both > a * c
    return more if max_p is None else more & within(fisher_p(n, both, a, c), max_p)


def _is_productive(counts: NDArray[np.int64], max_p: float | None) -> NDArray[np.bool_]:
    """Whether every partition of an itemset surpasses chance, from the counts of its subsets."""
    whole = counts.shape[1] - 1
    productive = np.ones(len(counts), dtype=bool)
    for part in range(1, whole // 2 + 1):
        productive &= _surpasses(counts[:, 0], counts[:, whole], counts[:, part], counts[:, whole ^ part], max_p)
    return productive


def _counts_apart(
    baskets: Baskets, own: NDArray[np.int64], further: NDArray[np.int64], owner: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each itemset the counts of its subsets in the baskets that no superset's further items cover.

    Args:
        baskets: Where to count.
        own: Itemsets x items: codes.
        further: Supersets x items: the codes that a superset has beyond the itemset, then -1.
        owner: The itemset of each superset, ascending.

    Returns:
        Itemsets x subsets; bit ``j`` of a subset's number stands for the itemset's ``j``-th item, 0 for no item.
    """
    needed = np.unique(np.concatenate([own.ravel(), further.ravel(), [-1]]))[1:]
    # Where there is no item, the last bitmap is read: all baskets.
    position = np.full(len(baskets.items) + 1, needed.size)
    position[needed] = np.arange(needed.size)
    own, further = position[own], position[further]
    counts = np.zeros((len(own), 1 << own.shape[1]), dtype=np.int64)
    for first in range(0, baskets.n, _ROWS):
        some = baskets.between(first, min(first + _ROWS, baskets.n))
        bits = columns_of(some, needed, np.arange(some.n), (some.n + 63) // 64)
        bits[-1] = np.packbits(np.arange(64 * bits.shape[1]) < some.n, bitorder="little").view(np.uint64)
        block = max(1, _WORDS // bits.shape[1])
        for low in range(0, len(own), block):
            high = min(low + block, len(own))
            outside = bits[-1] & ~_covered(bits, further, owner, low, high, block)
            _add_counts(counts[low:high], outside, bits, own[low:high])
    return counts


def _covered(
    bits: NDArray[np.uint64], further: NDArray[np.int64], owner: NDArray[np.int64], low: int, high: int, block: int
) -> NDArray[np.uint64]:
    """For each of some itemsets the baskets that hold all further items of one of its supersets."""
    covered = np.zeros((high - low, bits.shape[1]), dtype=np.uint64)
    begin, end = np.searchsorted(owner, [low, high])
    for start in range(begin, end, block):
        some = slice(start, min(start + block, end))
        held = bits[further[some, 0]]
        for column in further[some, 1:].T:
            held &= bits[column]
        whose, first = np.unique(owner[some], return_index=True)
        covered[whose - low] |= np.bitwise_or.reduceat(held, first, axis=0)
    return covered


def _add_counts(
    counts: NDArray[np.int64], outside: NDArray[np.uint64], bits: NDArray[np.uint64], own: NDArray[np.int64]
) -> None:
    """Count every subset of each itemset in the baskets outside, depth first: one intersection a subset."""
    stack = [(0, 0, outside)]
    while stack:
        subset, begin, common = stack.pop()
        counts[:, subset] += np.bitwise_count(common).sum(axis=1, dtype=np.int64)
        stack += [(subset | 1 << j, j + 1, common & bits[own[:, j]]) for j in range(begin, own.shape[1])]
