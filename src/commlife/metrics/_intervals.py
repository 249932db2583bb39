"""Intervals of rates: Wilson for counts out of counts, a bootstrap over users for ratios of sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bootstrap_ratios"]

#: A cell with more users than this is dealt by chance into so many blocks, which are drawn in their stead.
BLOCKS = 2_000
_QUANTILES = (0.025, 0.975)


def bootstrap_ratios(
    cell: NDArray[np.int64],
    n_cells: int,
    sums: NDArray[np.float64],
    pairs: list[tuple[int, int]],
    *,
    n_boot: int,
    seed: int,
    idle: NDArray[np.int64] | None = None,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Percentile intervals of ratios of sums, users being drawn with replacement within each cell.

    Drawing m users out of m is drawing Poisson(1) weights for them, but for their sum. Users stand in the order of
    their values and not of their ids, so that neither the order of rows nor the names of users change the answer.

    Args:
        cell: The cell (period and group) of each row, a user in a cell.
        n_cells: Number of cells.
        sums: A row a user, a column a sum.
        pairs: For each ratio the columns above and below.
        n_boot: Number of draws.
        seed: Of the draws.
        idle: Users of each cell who have no row: they add 1 to the last column of ``sums`` and nothing else.

    Returns:
        For each pair the low and the high end, a value a cell; NaN for a cell with fewer than two users.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), 13.3; Poisson weights: Hanley & MacGibbon,
        "Creating non-parametric bootstrap samples using Poisson frequencies" (2006).
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((*sums.T[::-1], cell)) if len(cell) else np.zeros(0, np.int64)
    cell, sums = cell[order], sums[order]
    begin = np.searchsorted(cell, np.arange(n_cells + 1))
    size = np.diff(begin)
    weights = rng.poisson(1.0, (n_boot, int(min(size.max(initial=0), BLOCKS)))).astype(np.float64)
    ends = np.full((len(pairs), 2, n_cells), np.nan)
    for at in range(n_cells):  # cells are few: periods x groups
        rows = slice(begin[at], begin[at + 1])
        if size[at] == 0 or size[at] + (0 if idle is None else idle[at]) < 2:
            continue  # one user says nothing of how users differ
        held = sums[rows]
        if size[at] > BLOCKS:
            # The same draws for each cell, so that a cell's interval does not depend on the cells beside it.
            block = np.random.default_rng((seed, 1)).integers(0, BLOCKS, size[at])
            held = np.stack([np.bincount(block, column, BLOCKS) for column in held.T], axis=1)
        drawn = weights[:, : len(held)] @ held
        if idle is not None:
            drawn[:, -1] += np.random.default_rng((seed, 2)).poisson(float(idle[at]), n_boot)
        with np.errstate(divide="ignore", invalid="ignore"):
            for which, (above, below) in enumerate(pairs):
                ratio = np.where(drawn[:, below] > 0, drawn[:, above] / drawn[:, below], np.nan)
                ratio = ratio[np.isfinite(ratio)]
                if len(ratio):
                    ends[which, :, at] = _quantiles(ratio)
    return [(low, high) for low, high in ends]


def _quantiles(values: NDArray[np.float64]) -> Any:
    return np.quantile(values, _QUANTILES)
