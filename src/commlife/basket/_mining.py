"""Which miner runs, and how: NumPy for small jobs, the compiled one where it pays."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp

from commlife.basket import _numpy
from commlife.basket._trie import OverBudgetError, OverLimitError, Trie
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.basket._baskets import Baskets

__all__ = ["ALGORITHMS", "MOST_ITEMSETS", "find_itemsets", "search"]

ALGORITHMS = ("auto", "compiled", "numpy")
#: Itemsets are numbered in 32 bits.
MOST_ITEMSETS = 2**31 - 2
#: Work (words intersected) up to which NumPy is at most about as long as importing numba and loading the kernel.
_BUDGET = 3e8
#: Work of one compiled call, about a second; Ctrl-C is heard between calls.
_PATIENCE = 1 << 30
_COMPILED = "commlife.basket._compiled"


def find_itemsets(
    baskets: Baskets, min_count: int, max_len: int | None, limit: int, algorithm: str
) -> tuple[Trie, Literal["compiled", "numpy"]]:
    """All frequent itemsets and the name of the miner that ran.

    Raises:
        ConfigError: If there are more than ``limit``, with a count that gives fewer.
    """
    try:
        return search(baskets, min_count, max_len, limit, algorithm)
    except OverLimitError:
        pass
    higher = min_count
    while True:
        higher *= 2
        try:
            trie, _ = search(baskets, higher, max_len, limit, algorithm)
        except OverLimitError:
            continue
        raise ConfigError(
            f"min_count={min_count} ({min_count / baskets.n:.4%} of {baskets.n:,} baskets) gives more than "
            f"max_itemsets={limit:,} itemsets; min_count={higher} (min_support={higher / baskets.n:.6g}) gives "
            f"{trie.parent.size:,}. Raise the threshold, set max_len, exclude the items that are in most baskets, "
            "or raise max_itemsets (12 bytes each, about 200 as a frame)."
        )


def search(
    baskets: Baskets, min_count: int, max_len: int | None, limit: int, algorithm: str
) -> tuple[Trie, Literal["compiled", "numpy"]]:
    """As :func:`find_itemsets`, but lets :class:`OverLimitError` through."""
    support = np.bincount(baskets.indices, minlength=len(baskets.items))
    frequent = np.flatnonzero(support >= min_count)
    by_support = frequent[np.argsort(support[frequent], kind="stable")]
    rank = np.full(support.size, -1, dtype=np.int32)
    rank[by_support] = np.arange(by_support.size, dtype=np.int32)
    most = min(max_len or by_support.size, by_support.size)
    if by_support.size > limit:
        raise OverLimitError
    if most <= 1:
        nothing_above = np.full(by_support.size, -1, dtype=np.int32)
        return Trie(nothing_above, by_support.astype(np.int32), support[by_support].astype(np.int32)), "numpy"
    ran: Literal["compiled", "numpy"]
    ran = "compiled" if algorithm == "compiled" or (algorithm == "auto" and _COMPILED in sys.modules) else "numpy"
    if ran == "numpy":
        matrix = _matrix(baskets, rank, by_support.size)
        budget = _BUDGET if algorithm == "auto" and has_compiler() else float("inf")
        try:
            parent, item, count = _numpy.mine(matrix, min_count, most, limit, budget)
        except OverBudgetError:
            ran = "compiled"
    if ran == "compiled":
        parent, item, count = _run_compiled(baskets, rank, support[by_support], min_count, most, limit)
    return Trie(parent, by_support.astype(np.int32)[item], count), ran


def has_compiler() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def _matrix(baskets: Baskets, rank: np.ndarray[Any, Any], n_items: int) -> sp.csr_matrix:
    """Baskets x frequent items in ascending order of support."""
    item = rank[baskets.indices]
    row = np.repeat(np.arange(baskets.n, dtype=np.int32), np.diff(baskets.indptr))
    kept = item >= 0
    ones = np.ones(int(kept.sum()), dtype=np.int32)
    matrix = sp.csr_matrix((ones, (row[kept], item[kept])), shape=(baskets.n, n_items))
    matrix.sort_indices()
    return matrix


def _run_compiled(
    baskets: Baskets,
    rank: np.ndarray[Any, Any],
    support: np.ndarray[Any, Any],
    min_count: int,
    max_len: int,
    limit: int,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    if not has_compiler():
        raise ConfigError("algorithm='compiled' needs numba, which is not installed. Use algorithm='auto'.")
    from commlife.basket import _compiled

    index = _compiled.invert(baskets.indptr, baskets.indices, rank, support)
    parts = []
    first, found = 0, 0
    while first < support.size:
        parent, item, count, first = _compiled.mine(
            *index, baskets.n, first, min_count, max_len, limit - found, _PATIENCE
        )
        if first < 0:
            raise OverLimitError
        parts.append((np.where(parent < 0, parent, parent + np.int32(found)) if found else parent, item, count))
        found += parent.size
    if len(parts) == 1:
        return parts[0]
    parents, items, counts = zip(*parts, strict=True)
    return np.concatenate(parents), np.concatenate(items), np.concatenate(counts)
