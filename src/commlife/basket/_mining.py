"""Which miner runs, and how: NumPy for small jobs, the compiled one where it pays."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp

from commlife.basket import _numpy
from commlife.basket._estimate import estimated_size
from commlife.basket._trie import OverBudgetError, OverLimitError, Trie
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets

__all__ = ["ALGORITHMS", "MOST_ITEMSETS", "find_itemsets", "search"]

#: Miners that may be asked for.
ALGORITHMS = ("auto", "compiled", "numpy")
#: Itemsets are numbered in 32 bits.
MOST_ITEMSETS = 2**31 - 2
#: Work (words intersected) up to which NumPy is at most about as long as importing numba and loading the kernel.
_BUDGET = 3e8
#: What the kernel does between two looks at how far it has come, in nanoseconds, roughly.
_SLICE = 50_000_000
#: How often the range in which a feasible threshold lies is halved.
_HALVINGS = 4
_COMPILED = "commlife.basket._compiled"


@dataclass(frozen=True, slots=True)
class _Job:
    """Baskets with their frequent items ranked: those that every itemset must have one of first, then by support.

    Attributes:
        by_rank: Code of each rank.
        rank: Rank of each code, -1 for an item that is not frequent.
        support: Number of baskets (or their weight) by rank.
        n_first: Itemsets begin with an item below this rank.
        enter: Place of each rank in a walk through the taxonomy; empty without one.
        leave: Place where what lies below it ends.
    """

    by_rank: NDArray[np.int32]
    rank: NDArray[np.int32]
    support: NDArray[np.int64]
    n_first: int
    enter: NDArray[np.int32]
    leave: NDArray[np.int32]


def find_itemsets(
    baskets: Baskets, min_count: int, max_len: int | None, limit: int, algorithm: str, required: tuple[int, ...] = ()
) -> tuple[Trie, Literal["compiled", "numpy"]]:
    """All frequent itemsets and the name of the miner that ran.

    Args:
        baskets: Where to count; with weights, ``min_count`` is the least weight.
        min_count: Least number of baskets.
        max_len: Most items.
        limit: Most itemsets.
        algorithm: One of ``ALGORITHMS``.
        required: Codes of which each itemset holds at least one; none for any.

    Raises:
        ConfigError: If there are more than ``limit``, with a count that gives fewer.
    """
    try:
        return search(baskets, min_count, max_len, limit, algorithm, required)
    except OverLimitError:
        pass
    about = ""
    if baskets.weight is None:
        job = _job(baskets, min_count, required, baskets.supports())
        size = max(limit, estimated_size(_matrix(baskets, job), min_count, max_len, job.n_first))
        about = f" (about {float(f'{size:.1g}'):,.0f} by random descents)"
    total = baskets.n if baskets.weight is None else int(baskets.weight.sum())
    higher = _feasible_count(baskets, min_count, total, max_len, limit, algorithm, required)
    fewer = ""
    if higher is not None:
        count, found = higher
        fewer = f"; min_count={count} (min_support={count / total:.6g}) gives {found:,}"
    raise ConfigError(
        f"min_count={min_count} ({min_count / total:.4%} of {total:,} baskets) gives more than "
        f"max_itemsets={limit:,} itemsets{about}{fewer}. Raise the threshold, set max_len, exclude the items that are "
        "in most baskets, or raise max_itemsets (12 bytes each, about 200 as a frame)."
    )


def _feasible_count(
    baskets: Baskets,
    min_count: int,
    total: int,
    max_len: int | None,
    limit: int,
    algorithm: str,
    required: tuple[int, ...],
) -> tuple[int, int] | None:
    """A count above ``min_count`` that gives few enough itemsets, not far from the least such; None if there is none.

    Returns:
        The count, and how many itemsets it gives.
    """

    def size(count: int) -> int | None:
        try:
            return int(search(baskets, count, max_len, limit, algorithm, required)[0].parent.size)
        except OverLimitError:
            return None

    low, high, found = min_count, min_count, None
    while found is None:
        if high == total:
            return None
        low, high = high, min(2 * high, total)
        found = size(high)
    for _ in range(_HALVINGS):
        middle = (low + high) // 2
        fewer = size(middle) if middle > low else found
        if fewer is None:
            low = middle
        else:
            high, found = max(middle, low + 1), fewer
    return high, found


def search(
    baskets: Baskets, min_count: int, max_len: int | None, limit: int, algorithm: str, required: tuple[int, ...] = ()
) -> tuple[Trie, Literal["compiled", "numpy"]]:
    """As :func:`find_itemsets`, but lets :class:`OverLimitError` through."""
    ran: Literal["compiled", "numpy"]
    ran = "compiled" if algorithm == "compiled" or (algorithm == "auto" and _COMPILED in sys.modules) else "numpy"
    if baskets.weight is not None:
        ran = "numpy"
    if ran == "compiled" and not has_compiler():
        raise ConfigError("algorithm='compiled' needs numba, which is not installed. Use algorithm='auto'.")
    job = _job(baskets, min_count, required, _supports(baskets, ran))
    n_items = job.by_rank.size
    most = min(max_len or n_items, n_items)
    if job.n_first > limit:
        raise OverLimitError
    if most <= 1 and baskets.weight is None:
        return _single_items(job), ran
    trie: Trie | None = None
    if ran == "numpy":
        bounded = algorithm == "auto" and baskets.weight is None and has_compiler()
        with contextlib.suppress(OverBudgetError):
            trie = _run_numpy(baskets, job, min_count, most, limit, _BUDGET if bounded else float("inf"))
    if trie is None:
        ran, trie = "compiled", _run_compiled(baskets, job, min_count, most, limit)
    return Trie(trie.parent, job.by_rank[trie.item], trie.count, trie.weight), ran


def _supports(baskets: Baskets, ran: str) -> NDArray[np.int64]:
    """Number of baskets of each item, or their weight, as the miner that runs counts the fastest."""
    if ran == "numpy":
        return baskets.supports()
    from commlife.basket import _inverted

    counts: NDArray[np.int64] = _inverted.count_items(baskets.indices, len(baskets.items))
    return counts


def _single_items(job: _Job) -> Trie:
    """The itemsets of one item: their counts are known."""
    return Trie(
        np.full(job.n_first, -1, dtype=np.int32),
        job.by_rank[: job.n_first],
        job.support[: job.n_first].astype(np.int32),
    )


def has_compiler() -> bool:
    """Whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def _job(baskets: Baskets, min_count: int, required: tuple[int, ...], support: NDArray[np.int64]) -> _Job:
    frequent = np.flatnonzero(support >= min_count)
    free = np.ones(support.size, dtype=bool)
    free[list(required)] = False
    by_rank = frequent[np.lexsort((support[frequent], free[frequent]))].astype(np.int32)
    rank = np.full(support.size, -1, dtype=np.int32)
    rank[by_rank] = np.arange(by_rank.size, dtype=np.int32)
    n_first = int((~free[by_rank]).sum()) if required else by_rank.size
    nothing = np.zeros(0, dtype=np.int32)
    tree = baskets.tree
    enter, leave = (nothing, nothing) if tree is None else (tree.enter[by_rank], tree.leave[by_rank])
    return _Job(by_rank, rank, support[by_rank], n_first, enter, leave)


def _matrix(baskets: Baskets, job: _Job) -> sp.csr_matrix:
    """Baskets x frequent items by rank."""
    item = job.rank[baskets.indices]
    row = np.repeat(np.arange(baskets.n, dtype=np.int32), np.diff(baskets.indptr))
    kept = item >= 0
    ones = np.ones(int(kept.sum()), dtype=np.int32)
    matrix = sp.csr_matrix((ones, (row[kept], item[kept])), shape=(baskets.n, job.by_rank.size))
    matrix.sort_indices()
    return matrix


def _bar(total: int) -> Any:
    """A bar on a terminal, for work of more than a few seconds."""
    from tqdm import tqdm

    return tqdm(total=total, desc="itemsets by first item", delay=3, leave=False, disable=not sys.stderr.isatty())


def _run_numpy(baskets: Baskets, job: _Job, min_count: int, max_len: int, limit: int, budget: float) -> Trie:
    tree = (job.enter, job.leave) if job.enter.size else None
    with _bar(job.n_first) as bar:
        return _numpy.mine(
            _matrix(baskets, job), min_count, max_len, limit, budget,
            n_first=job.n_first, tree=tree, weight=baskets.weight, step=bar.update,
        )  # fmt: skip


def _run_compiled(baskets: Baskets, job: _Job, min_count: int, max_len: int, limit: int) -> Trie:
    from commlife.basket import _compiled, _descent, _inverted

    support = job.support
    kernel: Any = _compiled  # its types are numba's
    index, walks = _inverted.invert(baskets.indptr, baskets.indices, job.rank, support)
    job_of_kernel = index, walks, baskets.n, job.n_first, min_count, max_len, limit, (job.enter, job.leave)
    state = np.zeros(_descent.STATE, dtype=np.int64)
    state[_descent.DEPTH] = -1
    found, work, buffers, scratch = kernel.empty_arrays(support.size)
    with contextlib.ExitStack() as shown:
        bar: Any = None
        while True:
            state[_descent.LEFT] = _SLICE
            # Between two slices Python hears Ctrl-C.
            found, work, buffers = kernel.mine(*job_of_kernel, state, found, work, buffers, scratch)
            if state[_descent.STATUS] != _descent.PAUSED:
                break
            if bar is None:
                bar = shown.enter_context(_bar(job.n_first))
            bar.update(int(state[_descent.ITEM]) - bar.n)
            bar.set_postfix_str(f"{int(state[_descent.FOUND]):,} found", refresh=False)
    if state[_descent.STATUS] == _descent.OVER_LIMIT:
        raise OverLimitError
    n = int(state[_descent.FOUND])
    parent, item, count = (array[:n].copy() for array in found)
    return Trie(parent, item, count)
