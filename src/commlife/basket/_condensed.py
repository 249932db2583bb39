"""Closed and maximal itemsets: those that say everything about counts, and those that say everything about which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from commlife.basket._subsets import without_one

if TYPE_CHECKING:
    from commlife.basket._trie import Level

__all__ = ["condense"]


def condense(levels: list[Level], n_items: int, keep: str, required: list[int]) -> list[Level]:
    """Drop the itemsets that have a frequent superset (maximal), or one with the same count (closed).

    It is enough to look at supersets with one item more: counts do not grow with the itemset. Of ``required`` codes, if
    there are any, each itemset holds at least one.
    """
    kept = [np.ones(level.count.size, dtype=bool) for level in levels]
    for number, below in enumerate(without_one(levels, n_items, required)):
        small, large = levels[number], levels[number + 1]
        condensed = below >= 0
        if keep == "closed":
            condensed &= small.count[below] == large.count[:, None]
        kept[number][below[condensed]] = False
    return [level.take(mask) for level, mask in zip(levels, kept, strict=True)]
