"""Learning: the whole recipe from labelled rows to a calibrated forest, run once on all users and again on halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

__all__ = ["Rows", "learn", "refits", "stack"]

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


def learn(rows: Rows, spec: SilenceModel, *, seed: int, weight: float = 1.0) -> Refit:
    """A straight line from a forest that has not seen the calibration snapshot, then the forest that has.

    Where the calibration snapshot holds users of one outcome alone, the log-odds stay as they are.
    """
    later = rows.silent[rows.calibrating]
    line = AffineMap()
    if later.size and 0 < later.mean() < 1:
        first = _grow(rows.take(~rows.calibrating), spec, seed, weight)
        line = fit_affine(first.margin(rows.table[rows.calibrating]), later, source=spec.calibration, weight=weight)
    return Refit(_grow(rows, spec, seed, weight), line)


def refits(rows: Rows, spec: SilenceModel) -> tuple[tuple[Refit, ...], float]:
    """The whole recipe again on half of the users each (whole users, all their snapshots).

    Returns:
        The refits, and the factor from their spread to that of the full fit, ``sqrt(m / (n - m))`` for m of n users.
    """
    n = rows.users
    m = max(1, min(n // 2, _REFIT_USERS))
    weight = min(n / m, _HEAVIEST)
    rng = np.random.default_rng([spec.seed, 2])
    made = []
    for number in watched(range(spec.refits), "refits to half of the users"):
        chosen = np.zeros(n, dtype=bool)
        chosen[rng.permutation(n)[:m]] = True
        made.append(learn(rows.take(chosen[rows.owner]), spec, seed=spec.seed + 1 + number, weight=weight))
    return tuple(made), float(np.sqrt(m / max(n - m, 1)))


def _grow(rows: Rows, spec: SilenceModel, seed: int, weight: float) -> Forest:
    return grow(
        rows.table,
        rows.silent,
        rounds=spec.n_trees,
        depth=spec.max_depth,
        rate=spec.learning_rate,
        seed=seed,
        n_jobs=spec.n_jobs,
        weight=weight,
    )
