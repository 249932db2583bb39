"""Pruning: rules that say no more than a more general one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from commlife.basket._measures import fisher_p
from commlife.basket._subsets import without_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._splits import Splits
    from commlife.basket.itemsets import FrequentItemsets

__all__ = ["implied", "interest", "unproductive"]


def _smaller(sets: FrequentItemsets) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """For each length the positions of the subsets that lack one item (-1: the empty set), and where lengths begin."""
    levels = sets._levels
    offsets = np.concatenate([[0], np.cumsum([level.count.size for level in levels])])
    tables = [np.full((levels[0].count.size, 1), -1, dtype=np.int64)] if levels else []
    tables += [table + offsets[number] for number, table in enumerate(without_one(levels, len(sets.items)))]
    return tables, offsets


def unproductive(
    sets: FrequentItemsets, tested: Splits, max_p: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which rules are no surer than one with fewer antecedents, and the p-value of the least certain step.

    A rule is compared with every generalisation, the empty antecedent among them. The p-value is Fisher's, one-sided,
    of the antecedent's last item in the baskets that hold the others: the largest over which item is the last.

    Source: Webb, "Discovering significant patterns", Machine Learning 2007.
    """
    counts, n = sets._counts, sets.n_baskets
    tables, offsets = _smaller(sets)
    key = tested.antecedent.astype(np.int64) << 32 | tested.consequent
    order = np.argsort(key)
    sorted_key = key[order]
    both, a, c = (counts[side] for side in (tested.whole, tested.antecedent, tested.consequent))
    sure = both / a
    best, p = c / n, np.zeros(key.size)
    length = np.searchsorted(offsets, tested.antecedent, side="right")
    for size in range(1, int(length.max(initial=0)) + 1):
        rows = np.flatnonzero(length == size)
        if not rows.size:
            continue
        for below in tables[size - 1][tested.antecedent[rows] - offsets[size - 1]].T:
            if size == 1:
                rest, held = np.full(rows.size, n), c[rows]
            else:
                parent = order[np.searchsorted(sorted_key, below << 32 | tested.consequent[rows])]
                best[rows] = np.maximum(best[rows], np.maximum(best[parent], sure[parent]))
                rest, held = counts[below], both[parent]
            if max_p is not None:
                p[rows] = np.maximum(p[rows], fisher_p(rest, both[rows], a[rows], held))
    return sure <= best, p


def implied(sets: FrequentItemsets) -> NDArray[np.bool_]:
    """Which itemsets hold an item that some of their other items imply: who buys those always buys it.

    Such an itemset says nothing that the one without it does not (redundant in Webb's sense), unless it is itself the
    statement that the item is implied.

    Source: Webb, "Self-sufficient itemsets", ACM TKDD 2010.
    """
    counts = sets._counts
    tables, offsets = _smaller(sets)
    redundant = np.zeros(counts.size, dtype=bool)
    tight = np.zeros(counts.size, dtype=bool)
    for size in range(2, len(tables) + 1):
        here = slice(offsets[size - 1], offsets[size])
        below = tables[size - 1]
        tight[here] = (counts[below] == counts[here][:, None]).any(axis=1)
        redundant[here] = (tight[below] | redundant[below]).any(axis=1)
    return redundant


def interest(sets: FrequentItemsets, rules: Splits, parent: NDArray[np.int32]) -> NDArray[np.float64]:
    """How far each rule goes beyond its nearest more general rules in the taxonomy; inf where there is none.

    For a rule and each of its close ancestors (one item replaced by its parent) both support and confidence are
    divided by what the ancestor lets expect; the larger quotient counts, and of all ancestors the least.

    Source: Srikant & Agrawal, "Mining generalized association rules", VLDB 1995 (their R).
    """
    masses = sets._masses.astype(np.float64)
    levels, n_items = sets._levels, len(sets.items)
    offsets = np.concatenate([[0], np.cumsum([level.count.size for level in levels])])
    single = np.zeros(n_items)
    single[levels[0].codes[:, 0]] = levels[0].mass
    numbers = np.random.default_rng(0).integers(1, 2**62, size=n_items, dtype=np.int64) * 2 + 1
    keys = np.concatenate([numbers[level.codes].sum(axis=1) for level in levels])
    frame = pd.DataFrame({"a": keys[rules.antecedent], "c": keys[rules.consequent], "row": np.arange(rules.whole.size)})
    both, first = masses[rules.whole], masses[rules.antecedent]
    least = np.full(rules.whole.size, np.inf)
    for side, name in ((rules.antecedent, "a"), (rules.consequent, "c")):
        for size, level in enumerate(levels, start=1):
            rows = np.flatnonzero((side >= offsets[size - 1]) & (side < offsets[size]))
            for column in range(size):
                item = level.codes[side[rows] - offsets[size - 1], column]
                above = parent[item]
                some = np.flatnonzero(above >= 0)
                if not some.size:
                    continue
                at, low, high = rows[some], item[some], above[some]
                asked = frame.iloc[at][["a", "c"]].assign(at=at, share=single[low] / np.maximum(single[high], 1))
                asked[name] = asked[name] - numbers[low] + numbers[high]
                met = asked.merge(frame, on=["a", "c"])
                mine, theirs = met["at"].to_numpy(), met["row"].to_numpy()
                share = met["share"].to_numpy()
                support = both[mine] / (both[theirs] * share)
                expected = both[theirs] / first[theirs] * (share if name == "c" else 1.0)
                np.minimum.at(least, mine, np.maximum(support, both[mine] / first[mine] / expected))
    return least
