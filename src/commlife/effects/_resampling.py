"""Resampled trials: users drawn again and again, a chunk of trials at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from commlife.effects._inputs import Floats

__all__ = ["from_the_top", "poisson_weights", "running_sums"]

#: Cells (draws x users) resampled at a time.
CELLS = 2_000_000


def from_the_top(y: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
    """Users from the highest score down, and where each distinct score ends.

    Contents alone decide the order, so that the order of the rows given does not.
    """
    order = np.lexsort((y, t, -s))
    y, t, s = y[order], t[order], s[order]
    return y, t, s, np.append(np.flatnonzero(np.diff(s)), len(s) - 1)


def poisson_weights(draws: int, users: int, seed: int) -> Iterator[Floats]:
    """Chunks (trials, users) of how often each user is drawn (Poisson bootstrap)."""
    rng = np.random.default_rng(seed)
    chunk = max(1, CELLS // users)
    for first in range(0, draws, chunk):
        yield rng.poisson(1.0, (min(chunk, draws - first), users)).astype(np.float64)


def running_sums(weight: Floats, y: Floats, t: Floats, ends: NDArray[np.intp]) -> list[Floats]:
    """Treated, controls and their summed outcomes down to each end, (trials, ends) each."""
    return [np.cumsum(weight * column, axis=1)[:, ends] for column in (t, 1 - t, y * t, y * (1 - t))]
