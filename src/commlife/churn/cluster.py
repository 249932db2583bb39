"""Cluster: the panel of a Spark or Dask log stays in parts there, and XGBoost learns from it where it lies.

What is measured rather than learned (calibration, evaluation, baselines, refits, driver tables) comes from the panel of
some users who are brought here, drawn by a hash of their histories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.churn import _facts, _features, _trainers
from commlife.churn._progress import watched
from commlife.churn._sample import users_drawn
from commlife.churn.calibration import AffineMap, fit_affine
from commlife.churn.drivers import Refit
from commlife.churn.forest import Forest, settings
from commlife.churn.panel import Panel, Snapshot
from commlife.errors import ConfigError, EngineError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number, day_text

if TYPE_CHECKING:
    from commlife.churn.catalogue import Feature
    from commlife.churn.learning import Rows
    from commlife.churn.model import SilenceModel
    from commlife.churn.panel import Role, SilencePanel
    from commlife.orders import OrderLog

__all__ = [
    "SpreadPanel",
    "Training",
    "build",
    "grow_there",
    "learn_there",
    "need_cluster",
]

Plan = nw.LazyFrame[Any]


@dataclass(frozen=True)
class Training:
    """Where a model learned, if not in one process.

    Attributes:
        engine: ``PySpark`` or ``Dask``.
        workers: Number of XGBoost's workers.
        users: Users whom the log held before ``as_of``.
        users_here: Users of them who were brought into this process: calibration, evaluation and its intervals,
            baselines, refits and driver tables are theirs.
    """

    engine: str
    workers: int
    users: int
    users_here: int

    def __str__(self) -> str:
        return (
            f"learned on {self.engine} by {self.workers} workers; calibrated, judged and explained on a sample of "
            f"{self.users_here:,} of {self.users:,} users"
        )


@dataclass(frozen=True)
class SpreadPanel:
    """A panel in parts, and the same panel of the users who are brought here.

    Attributes:
        panel: Snapshots of the drawn users.
        log: The log of the drawn users.
        drawn: Their number.
        users: Number of users whom they were drawn from.
        learning: Role and rows (``user_id``, the features, ``silent``) of the fit and calibration snapshots.
        active: Users active now, of all and not only of those drawn.
    """

    panel: Panel
    log: OrderLog
    drawn: int
    users: int
    learning: tuple[tuple[Role, Plan], ...]
    active: int

    @property
    def engine(self) -> str:
        """What the cluster is called."""
        return _engine.KINDS[self.learning[0][1].implementation]

    @property
    def stands_for(self) -> float:
        """How many active users each of those brought here stands for."""
        (now,) = self.panel.of("now")
        return self.active / len(now)

    def training(self, workers: int) -> Training:
        """The record of a training by so many workers."""
        return Training(self.engine, workers, self.users, self.drawn)

    def counted(self) -> tuple[int, int]:
        """User-snapshots that are learned from, and their users."""
        rows = nw.concat([plan.select("user_id") for _, plan in self.learning])
        return _engine.count_rows(rows), _engine.count_rows(rows.unique())


@dataclass(frozen=True)
class _Maker:
    """What a worker needs to make features from facts."""

    names: tuple[str, ...]
    day: int
    observed: int
    scale: int


def need_cluster(log: OrderLog) -> None:
    """Refuse a log that lies in this process.

    Raises:
        EngineError: If its engine is neither Spark nor Dask.
    """
    kind = log._frame.implementation
    if kind not in _engine.SPREAD:
        raise EngineError(
            f'SilenceModel(training="distributed") learns on Spark or Dask; this log is on {_engine.KINDS[kind]}. '
            "Leave training out, or give a Spark or Dask frame."
        )


def build(spec: SilencePanel, log: OrderLog, *, as_of: Timestamp, users_here: int, seed: int) -> SpreadPanel:
    """The panel of :meth:`SilencePanel.build`, its rows left where they are.

    Raises:
        InsufficientDataError: If the log has no room for the snapshots, or nobody who is drawn is active at one.
    """
    today = day_number(as_of)
    plan: list[tuple[Role, int]] = [*spec._plan(log, today), ("now", today)]
    chosen = spec._chosen(log)
    sample, drawn, users = users_drawn(log, users_here, as_of=as_of, seed=seed)
    snapshots: list[Snapshot] = []
    learning: list[tuple[Role, Plan]] = []
    active = 0
    for k in watched(range(len(plan)), "snapshots"):
        role, day = plan[k]
        rows = _engine.settle(_rows(spec, log, role, day, chosen))
        snapshots.append(_brought(rows, drawn, role, day, chosen))
        if not len(snapshots[-1]):
            raise InsufficientDataError(
                f"SilencePanel: none of the {len(drawn):,} users who were drawn ordered within {spec.active_within} "
                f"before {day_text(day)}. Use a larger active_within or users_here, or another as_of."
            )
        if role in ("fit", "calibration"):
            learning.append((role, rows))
        if role == "now":
            active = _engine.count_rows(rows)
    panel = Panel(spec=spec, as_of=day_text(today), snapshots=tuple(snapshots), features=chosen)
    return SpreadPanel(panel, sample, len(drawn), users, tuple(learning), active)


def _rows(spec: SilencePanel, log: OrderLog, role: Role, day: int, chosen: tuple[Feature, ...]) -> Plan:
    """One snapshot: ``user_id``, ``silent`` where it is known, ``own_community`` where there is one, the features."""
    facts = _facts.facts_plan(log, day, spec.active_within.days)
    keep = ["user_id"]
    if role != "now":
        start = day + spec.gap_days
        came = _facts.label_plan(log, start, start + spec.horizon.days).with_columns(nw.lit(1.0).alias("came"))
        facts = facts.join(came, on="user_id", how="left").with_columns(
            (1.0 - nw.col("came").fill_null(0.0)).cast(nw.Float64).alias("silent")
        )
        keep.append("silent")
    if log.has("community"):
        keep.append("own_community")
    names = tuple(feature.name for feature in chosen)
    maker = _Maker(names, day, day - log.observation.first, log.scale)
    return _engine.map_parts(facts, _with_features, maker, keep=tuple(keep), columns=dict.fromkeys(names, "float"))


def _with_features(maker: _Maker, facts: pd.DataFrame) -> pd.DataFrame:
    values = _features.feature_values(facts, maker.names, day=maker.day, observed=maker.observed, scale=maker.scale)
    kept = [name for name in ("user_id", "silent", "own_community") if name in facts.columns]
    return pd.concat([facts[kept], pd.DataFrame(values, columns=list(maker.names), index=facts.index)], axis=1)


def _brought(rows: Plan, drawn: pd.DataFrame, role: Role, day: int, chosen: tuple[Feature, ...]) -> Snapshot:
    """The snapshot of the drawn users, as one made here."""
    theirs = rows.join(_engine.lazy_like(drawn, rows, types={"user_id": "user_id"}), on="user_id", how="semi")
    table = _engine.collect_rows(theirs, call='SilenceModel(training="distributed").fit', way_out="Lower users_here.")
    table = table.sort_values("user_id", kind="stable", ignore_index=True)
    names = [feature.name for feature in chosen]
    return Snapshot(
        day=day_text(day),
        role=role,
        users=table["user_id"],
        features=table[names].astype(np.float64),
        silent=None if role == "now" else table["silent"].to_numpy(dtype=np.float64),
        community=table.get("own_community"),
    )


# -- learning ---------------------------------------------------------------------------------------------------------


def learn_there(there: SpreadPanel, rows: Rows, spec: SilenceModel) -> tuple[Refit, int]:
    """The recipe of :func:`~commlife.churn.learning.learn`, its forests grown on the cluster.

    Args:
        there: The panel in parts.
        rows: Labelled rows of the drawn users: the line through the log-odds is learned from theirs.
        spec: The recipe.

    Returns:
        Forest and line, and how many workers there were.
    """
    names = tuple(map(str, rows.table.columns))
    later = rows.silent[rows.calibrating]
    line = AffineMap()
    if later.size and 0 < later.mean() < 1:
        first, _ = _grow([plan for role, plan in there.learning if role == "fit"], names, spec)
        line = fit_affine(first.margin(rows.table[rows.calibrating]), later, source=spec.calibration)
    forest, workers = _grow([plan for _, plan in there.learning], names, spec)
    return Refit(forest, line), workers


def _grow(plans: list[Plan], names: tuple[str, ...], spec: SilenceModel) -> tuple[Forest, int]:
    rows = _engine.settle(nw.concat([plan.select(*names, "silent") for plan in plans]))
    told = _engine.collect(rows.select(nw.len().alias("rows"), nw.col("silent").sum()))
    n, fell = int(told["rows"].iloc[0]), float(told["silent"].iloc[0])
    asked = settings(rows=n, share=fell / n, depth=spec.max_depth, rate=spec.learning_rate, seed=spec.seed)
    booster, workers = grow_there(rows, names, asked, rounds=spec.n_trees, workers=spec.workers)
    booster.feature_names = list(names)
    booster.set_param({"nthread": spec.n_jobs})
    return Forest(booster, names, spec.n_trees, spec.n_jobs), workers


def grow_there(
    rows: Plan, names: tuple[str, ...], asked: dict[str, Any], *, rounds: int, workers: int | None
) -> tuple[Any, int]:
    """XGBoost's own training on the cluster: a booster, and the number of its workers.

    Raises:
        EngineError: If the cluster cannot train.
        ConfigError: If workers are told for Dask, whose client has its own.
    """
    native = nw.to_native(rows)
    if _engine.KINDS[rows.implementation] == "Dask":
        if workers is not None:
            raise ConfigError(
                f"SilenceModel(workers={workers}) is for Spark; on Dask the workers are those of the client. "
                "Leave workers out."
            )
        return _trainers.on_dask(native, names, asked, rounds=rounds)
    return _trainers.on_spark(native, names, asked, rounds=rounds, workers=workers)
