"""Learning: the whole recipe from labelled rows to a calibrated forest, run once on all users and again on halves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from commlife.churn._progress import watched
from commlife.churn.calibration import AffineMap, fit_affine
from commlife.churn.drivers import Refit
from commlife.churn.forest import Forest, grow
from commlife.churn.panel import row_order

if TYPE_CHECKING:
    from commlife.churn.model import SilenceModel
    from commlife.churn.panel import Snapshot

__all__ = ["Rows", "learn", "refits", "side_by_side", "stack", "usable_cores"]

T = TypeVar("T")
Array = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

#: Users of a refit at most: the spread is scaled to the full number.
_REFIT_USERS = 10_000
#: How often a user of a refit counts at most. Twice makes penalties act on half of the users as on all; beyond, where
#: the users of a refit are many, penalties hardly act.
_HEAVIEST = 2.0


@dataclass(frozen=True)
class Rows:
    """Labelled user-snapshots in an order that ids do not decide.

    Attributes:
        table: Features.
        silent: 1.0 where the user fell silent.
        owner: Number of the user of each row, from 0.
        calibrating: Whether the row belongs to the calibration snapshot.
    """

    table: pd.DataFrame
    silent: Array
    owner: np.ndarray[Any, np.dtype[np.int64]]
    calibrating: Flags

    @property
    def users(self) -> int:
        """Number of users."""
        return int(self.owner.max()) + 1

    def take(self, rows: Flags) -> Rows:
        """Some of the rows."""
        return Rows(self.table[rows], self.silent[rows], self.owner[rows], self.calibrating[rows])


def stack(snapshots: tuple[Snapshot, ...], names: list[str]) -> Rows:
    """The rows of several labelled snapshots."""
    order, owner = row_order(snapshots)
    table = pd.concat([s.features[names] for s in snapshots], ignore_index=True).iloc[order]
    silent = np.concatenate([s.silent for s in snapshots if s.silent is not None])[order]
    roles = np.repeat([s.role == "calibration" for s in snapshots], [len(s) for s in snapshots])
    return Rows(table, silent, owner[order], roles[order])


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(jobs: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """What each job gives, in their order; XGBoost lets go of the interpreter while it grows trees."""
    if min(threads, len(jobs)) <= 1:
        return [job() for job in jobs]
    with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
        return [running.result() for running in [pool.submit(job) for job in jobs]]


def learn(rows: Rows, spec: SilenceModel, *, seed: int, weight: float = 1.0, threads: int = 1) -> Refit:
    """A straight line from a forest that has not seen the calibration snapshot, and the forest that has.

    Where the calibration snapshot holds users of one outcome alone, the log-odds stay as they are. The two forests do
    not need each other: with two threads they grow side by side.
    """
    later = rows.silent[rows.calibrating]
    each = max(1, threads // 2)

    def straightened() -> AffineMap:
        if not later.size or not 0 < later.mean() < 1:
            return AffineMap()
        first = _grow(rows.take(~rows.calibrating), spec, seed, weight, each)
        return fit_affine(first.margin(rows.table[rows.calibrating]), later, source=spec.calibration, weight=weight)

    def grown() -> Forest:
        return _grow(rows, spec, seed, weight, each)

    jobs: list[Callable[[], Any]] = [straightened, grown]
    line, forest = side_by_side(jobs, threads)
    return Refit(forest, line)


def refits(
    rows: Rows, spec: SilenceModel, *, threads: int = 1, users: int | None = None
) -> tuple[tuple[Refit, ...], float]:
    """The whole recipe again on half of the users each (whole users, all their snapshots).

    Each is drawn and grown by itself: however many threads grow them, they are the same.

    Args:
        rows: The rows at hand.
        spec: The recipe.
        threads: Refits that grow side by side.
        users: Number of users that the full fit learned from, where the rows at hand are a sample of theirs.

    Returns:
        The refits, and the factor from their spread to that of the full fit: ``sqrt(m / (n - m))`` for m of n users,
        and ``sqrt(n / N)`` of that for a full fit on N users of whom these n are a sample (a mean over N users has
        n / N of the variance of one over n).
    """
    n = rows.users
    m = max(1, min(n // 2, _REFIT_USERS))
    weight = min(n / m, _HEAVIEST)
    rng = np.random.default_rng([spec.seed, 2])
    drawn = [rng.permutation(n)[:m] for _ in range(spec.refits)]

    def again(number: int) -> Refit:
        chosen = np.zeros(n, dtype=bool)
        chosen[drawn[number]] = True
        return learn(rows.take(chosen[rows.owner]), spec, seed=spec.seed + 1 + number, weight=weight)

    # As many at a time as there are threads, so that the bar moves.
    made: list[Refit] = []
    for start in watched(range(0, spec.refits, max(threads, 1)), "refits to half of the users"):
        numbers = range(start, min(start + max(threads, 1), spec.refits))
        made += side_by_side([partial(again, number) for number in numbers], threads)
    return tuple(made), float(np.sqrt(m / max(n - m, 1) * n / (users or n)))


def _grow(rows: Rows, spec: SilenceModel, seed: int, weight: float, threads: int) -> Forest:
    forest = grow(
        rows.table,
        rows.silent,
        rounds=spec.n_trees,
        depth=spec.max_depth,
        rate=spec.learning_rate,
        seed=seed,
        n_jobs=threads,
        weight=weight,
    )
    forest.booster.set_param({"nthread": spec.n_jobs})
    return replace(forest, n_jobs=spec.n_jobs)
