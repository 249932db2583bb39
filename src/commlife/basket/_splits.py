"""Splits of itemsets into antecedent and consequent, found array by array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.basket._subsets import without_one
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from commlife.basket.itemsets import FrequentItemsets

__all__ = ["Splits", "all_splits", "least_counts"]


@dataclass(frozen=True, slots=True)
class Splits:
    """Rules as positions in the canonical order of the itemsets.

    Attributes:
        whole: The itemset that is split.
        antecedent: Its one part.
        consequent: Its other part.
    """

    whole: NDArray[np.int32]
    antecedent: NDArray[np.int32]
    consequent: NDArray[np.int32]

    def take(self, order: NDArray[Any]) -> Splits:
        """Some of them, in another order."""
        return Splits(self.whole[order], self.antecedent[order], self.consequent[order])


def least_counts(least: Fraction, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each antecedent the least count of the whole: ``ceil(least * count)``, exactly."""
    distinct, position = np.unique(counts, return_inverse=True)
    exact = [math.ceil(least * int(count)) for count in distinct]
    return np.array(exact, dtype=np.int64)[position]


def all_splits(sets: FrequentItemsets, least: Fraction, max_consequent: int | None, limit: int) -> Splits:
    """Every split whose confidence is at least ``least``.

    A consequent grows item by item. Moving an item from the antecedent to the consequent never makes a rule surer,
    so that a split that is not sure enough is not grown (Agrawal & Srikant's ap-genrules).
    """
    levels = sets._levels
    tables = without_one(levels, len(sets.items))
    sizes = [level.count.size for level in levels]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    needed = least_counts(least, sets._masses)
    needed_at = [needed[offsets[k] : offsets[k + 1]] for k in range(len(levels))]
    parts: list[tuple[Any, Any, Any]] = []
    found = 0
    for length in range(2, len(levels) + 1):
        count = levels[length - 1].mass
        most = min(length - 1, max_consequent or length - 1)
        every = np.arange(count.size, dtype=np.int32)
        # Consequent (positions in the itemset), rows of the itemsets, rows of their antecedents.
        stack: list[tuple[tuple[int, ...], Any, Any]] = [((), every, every)]
        while stack:
            consequent, rows, antecedents = stack.pop()
            size = length - len(consequent)
            for j in range(consequent[-1] + 1 if consequent else 0, length):
                # All of the consequent lies before j, so that j is the (j - len)-th item of the antecedent.
                smaller = tables[size - 2][antecedents, j - len(consequent)]
                sure = np.flatnonzero(count[rows] >= needed_at[size - 2][smaller])
                if not sure.size:
                    continue
                grown = (*consequent, j)
                kept, below = rows[sure], smaller[sure]
                found += sure.size
                if found > limit:
                    raise _too_many(sets, least, max_consequent, limit)
                bought = _part(tables, kept, length, grown)
                parts.append((kept + offsets[length - 1], below + offsets[size - 2], bought + offsets[len(grown) - 1]))
                if len(grown) < most:
                    stack.append((grown, kept, below))
    nothing = np.zeros(0, dtype=np.int32)
    whole, antecedent, consequents = zip(*parts, strict=True) if parts else ([nothing], [nothing], [nothing])
    return Splits(np.concatenate(whole), np.concatenate(antecedent), np.concatenate(consequents))


def _too_many(sets: FrequentItemsets, least: Fraction, max_consequent: int | None, limit: int) -> ConfigError:
    fixes = [f"Mine with a threshold above min_count={sets.min_count:,}, or with max_len"]
    if least > 0:
        fixes.append("raise min_confidence")
    if max_consequent is None:
        fixes.append("set max_consequent=1")
    return ConfigError(
        f"these {len(sets):,} itemsets give more than max_rules={limit:,} rules of confidence {float(least):g}. "
        f"{', '.join(fixes)}, or raise max_rules (12 bytes each, about 150 as a frame)."
    )


def _part(tables: list[NDArray[np.int32]], rows: NDArray[Any], length: int, kept: tuple[int, ...]) -> NDArray[np.int32]:
    """Rows of the itemsets that hold the items at the positions ``kept`` alone: the last of the others go first."""
    for j in range(length - 1, -1, -1):
        if j not in kept:
            rows = tables[length - 2][rows, j]
            length -= 1
    return rows
