"""Where the subsets of an itemset stand: each itemset without one of its items, exactly, in a few array reads.

An itemset's key is the sum (modulo 2**64) of a random odd number for each item, so that the key of a subset is a
difference. Keys of one length are checked to be distinct when the table is built and drawn again if they are not; as
every subset of a frequent itemset is frequent, a lookup can then only find the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.basket._trie import Level

__all__ = ["without_one"]


def without_one(levels: list[Level], n_items: int, required: Sequence[int] = ()) -> list[NDArray[np.int32]]:
    """For each length from 2: itemsets x length, the row at the length below that lacks the j-th item.

    Where each itemset holds one of the ``required`` codes, -1 stands for a subset that would hold none.
    """
    needed = np.zeros(n_items, dtype=np.int64)
    needed[list(required)] = 1
    seed = 0
    while True:
        # The seed plays no part in the answer.
        numbers = np.random.default_rng(seed).integers(1, 2**63, size=n_items, dtype=np.uint64) * np.uint64(2)
        tables = _tables(levels, numbers + np.uint64(1), needed if len(required) else None)
        if tables is not None:
            return tables
        seed += 1


def _tables(
    levels: list[Level], numbers: NDArray[np.uint64], needed: NDArray[np.int64] | None
) -> list[NDArray[np.int32]] | None:
    tables = []
    below: _Lookup | None = None
    for number, level in enumerate(levels):
        keys = numbers[level.codes]
        whole = keys.sum(axis=1, dtype=np.uint64)
        if number:
            assert below is not None  # noqa: S101 (for the type checker)
            rest = whole[:, None] - keys
            table = np.full(keys.shape, -1, dtype=np.int32)
            there = np.ones(keys.shape, dtype=bool)
            if needed is not None:
                there = needed[level.codes].sum(axis=1, keepdims=True) > needed[level.codes]
            table[there] = below.find(rest[there])
            tables.append(table)
        below = _Lookup(whole)
        if not below.distinct:
            return None
    return tables


class _Lookup:
    """Sorted keys, found through their leading bits: the keys are uniform."""

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self.order = np.argsort(keys).astype(np.int32)
        self.keys = keys[self.order]
        self.distinct = bool((self.keys[1:] != self.keys[:-1]).all())
        bits = max(1, int(2 * keys.size).bit_length())
        self.shift = np.uint64(64 - bits)
        sizes = np.bincount((self.keys >> self.shift).astype(np.int64), minlength=1 << bits)
        self.start = (np.cumsum(sizes) - sizes).astype(np.int32)

    def find(self, wanted: NDArray[Any]) -> NDArray[np.int32]:
        """Rows of keys that are known to be there."""
        place = self.start[(wanted >> self.shift).astype(np.int64)]
        missed = np.flatnonzero(self.keys[place] != wanted)
        while missed.size:
            place[missed] += 1
            missed = missed[self.keys[place[missed]] != wanted[missed]]
        return self.order[place]
