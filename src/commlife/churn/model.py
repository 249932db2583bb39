"""Silence model: who is about to fall silent, measured against what simpler forecasts already say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from commlife._model import FittedOn, Given, Spec, default, library_version
from commlife.churn import baselines, cluster, drift, learning
from commlife.churn._canon import canonical_order, row_hashes
from commlife.churn._sample import sample_of_users
from commlife.churn.calibration import AffineMap, fit_affine
from commlife.churn.evaluation import Evaluation, evaluate
from commlife.churn.fitted import FittedSilenceModel
from commlife.churn.groups import correlation_groups
from commlife.churn.holdout import Holdout
from commlife.churn.panel import Panel, SilencePanel, Snapshot
from commlife.churn.reference import Reference
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import DayField, Duration, Timestamp
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.churn.forest import Forest
    from commlife.churn.host import HostFeatures
    from commlife.orders import OrderLog

__all__ = ["SilenceModel"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Users of the reference sample, on which driver tables are made.
_REFERENCE = 4_000
#: Fewest users of either outcome from which a model is learned, and on which it is judged.
_LEAST = 20


class SilenceModel(Spec):
    """Probability that an active user places no order within the horizon, with reasons that add up.

    Boosted trees (XGBoost) on features strictly before each snapshot, beside three baselines: recency alone, a logistic
    regression on RFM and tenure, and BG/NBD (with ``gap="0D"``). All are learned from the fit snapshots, calibrated on
    the next one, learned again with that one added, and judged on the last matured snapshot, whose users' future
    nobody has seen. Outcomes are never weighted by class. What the model finds is associated with silence; it does
    not say what causes it.

    Args:
        horizon: Length of the silence.
        active_within: Users count as active if their last order lies within it before the snapshot.
        gap: Days between the snapshot and the label window.
        seed: Decides every draw.
        max_depth: Depth of the trees.
        n_jobs: Threads.
        n_trees: Number of trees.
        learning_rate: Weight of each tree.
        snapshots: Number of fit snapshots at most, or the days themselves (see :class:`SilencePanel`).
        step: Days between fit snapshots; None takes half the horizon.
        min_history: The log must have been seen this long before the first snapshot; None takes 90 days where the log
            has room for them, else ``active_within`` (and leaves out features of windows that are not whole then).
        calibration: ``last``, ``season`` or ``none``: the snapshot from which the log-odds are straightened.
        features: Names of features to keep; None keeps all that the log's columns allow.
        kinds: Kinds of feature to keep; leave out ``state`` for a view of levers without what they work through.
        refits: Number of refits to half of the users, from which the intervals of driver tables come.
        resamples: Number of bootstrap resamples of users for the evaluation.
        max_users: Learn from (about) so many users at most, drawn by a hash of their histories; None takes all.
            Forecasts and reasons are for everybody in any case.
        training: ``here``, in this process; or ``distributed``, for a Spark or Dask log: XGBoost learns on the cluster
            from everybody's rows, which stay there. Its forests are near to those learned here, not equal to them.
        workers: With ``distributed`` on Spark, the number of XGBoost's workers; None takes the default parallelism.
        users_here: With ``distributed``, (about) so many users are brought here, drawn by a hash of their histories
            and the seed, for all that is measured and not learned: calibration, evaluation, baselines, refits, and
            the reference of driver tables.

    Examples:
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=300, seed=1)
        >>> model = SilenceModel(n_trees=40, refits=2, resamples=50).fit(community.log, as_of=community.as_of)
        >>> model.predict(community.log, as_of=community.as_of).columns.tolist()
        ['user_id', 'p_silent']
    """

    horizon: Given[Duration, str] = default(Duration("28D"))
    active_within: Given[Duration, str] = default(Duration("56D"))
    gap: str = "0D"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    max_depth: Annotated[int, Field(ge=1, le=10)] = 3
    n_jobs: Annotated[int, Field(ge=1, le=1024)] = 1
    n_trees: Annotated[int, Field(ge=1, le=5_000)] = 200
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    snapshots: Annotated[int, Field(ge=1, le=200)] | tuple[DayField, ...] = 6
    step: Given[Duration | None, str | None] = default(None)
    min_history: Given[Duration | None, str | None] = default(None)
    calibration: Literal["last", "season", "none"] = "last"
    features: tuple[str, ...] | None = None
    kinds: tuple[Literal["state", "lever", "context"], ...] = ("state", "lever", "context")
    refits: Annotated[int, Field(ge=0, le=200)] = 10
    resamples: Annotated[int, Field(ge=1, le=10_000)] = 200
    max_users: Annotated[int, Field(ge=1_000)] | None = None
    training: Literal["here", "distributed"] = "here"
    workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    users_here: Annotated[int, Field(ge=100)] = 100_000

    @field_validator(
        "seed", "max_depth", "n_jobs", "n_trees", "refits", "resamples", "snapshots", "max_users", "workers",
        "users_here", mode="before",
    )  # fmt: skip
    @classmethod
    def _counts_are_no_booleans(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("a whole number, not a boolean")
        return value

    def model_post_init(self, context: Any, /) -> None:
        """What concerns the panel is checked by the panel, when the model is made."""
        del context
        _ = self.panel
        if self.training == "distributed" and self.max_users is not None:
            raise ConfigError(
                f'SilenceModel(training="distributed", max_users={self.max_users}): on a cluster everybody is learned '
                "from, and users_here says how many are brought here. Leave one of the two out."
            )
        if self.training == "here" and self.workers is not None:
            raise ConfigError(
                f'SilenceModel(workers={self.workers}) belongs to training="distributed"; here n_jobs counts threads. '
                "Leave workers out."
            )

    @property
    def panel(self) -> SilencePanel:
        """The panel that the model learns from."""
        names = SilencePanel.model_fields
        return SilencePanel(**{name: getattr(self, name) for name in names})

    def fit(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> FittedSilenceModel:
        """Learn from the snapshots before ``as_of``, and judge on the last of them.

        Args:
            log: The order log.
            as_of: The local business day from which one looks back; nothing at or after it is used.
            host: The host's own features, joined as of each snapshot.

        Raises:
            InsufficientDataError: If the log has no room for the snapshots, or too few users fell silent or stayed.
            ConfigError: If a host feature carries later information, or a snapshot told by day is immature.
            EngineError: If ``training="distributed"`` is asked of a log that lies here, or the cluster cannot train.
        """
        need_log(log, "SilenceModel.fit")
        return self._fit(log, as_of=as_of, host=host, threads=self.n_jobs)

    def _fit(
        self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None, threads: int
    ) -> FittedSilenceModel:
        """As :meth:`fit`, with so many forests growing side by side; their number changes nothing but the time."""
        if self.training == "distributed":
            return self._fit_there(log, as_of=as_of, host=host, threads=threads)
        sample, stands_for = sample_of_users(log, self.max_users, as_of=as_of)
        panel = self.panel._build(sample, as_of=as_of, host=host, stands_for=stands_for)
        fitted = self._learn(panel, log=sample, threads=threads)
        return fitted if stands_for == 1 else replace(fitted, reference=fitted.reference.standing_for(stands_for))

    def fit_panel(self, panel: Panel, *, log: OrderLog | None = None) -> FittedSilenceModel:
        """Learn from a panel that stands already.

        Args:
            panel: What :meth:`SilencePanel.build` made with this model's own settings.
            log: The log it was made from: BG/NBD is among the baselines only with it.

        Raises:
            ConfigError: If the panel was made with other settings, or its rows were dealt to roles anew.
            InsufficientDataError: If too few users fell silent or stayed.
        """
        if panel.spec != self.panel:
            raise ConfigError(
                f"SilenceModel.fit_panel: the panel was made by {panel.spec!r}, this model needs {self.panel!r}."
                " Build it with that panel."
            )
        if self.training == "distributed":
            raise ConfigError(
                "SilenceModel.fit_panel learns here, from a panel that lies here. Use "
                'fit(log, as_of=...) with a Spark or Dask log for training="distributed".'
            )
        return self._learn(panel, log=log, threads=self.n_jobs)

    def _fit_there(
        self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None, threads: int
    ) -> FittedSilenceModel:
        """Learn from a panel that stays on the cluster."""
        cluster.need_cluster(log)
        if host is not None:
            raise ConfigError(
                'SilenceModel(training="distributed") takes no features of the host: they are joined in one process. '
                "Leave host out, or fit here with max_users."
            )
        there = cluster.build(self.panel, log, as_of=as_of, users_here=self.users_here, seed=self.seed)
        fitted = self._learn(there.panel, log=there.log, threads=threads, there=there)
        return replace(fitted, reference=fitted.reference.standing_for(there.stands_for))

    def _learn(
        self, panel: Panel, *, log: OrderLog | None, threads: int, there: cluster.SpreadPanel | None = None
    ) -> FittedSilenceModel:
        """Learn from a panel, or from one in parts of which ``panel`` is a sample."""
        panel.check()
        fits, calibrating, (test,), (now,) = (panel.of(role) for role in ("fit", "calibration", "test", "now"))
        known = (*fits, *calibrating)
        _require_both(known, "learn from")
        _require_both((test,), "be judged on")
        names = _varying(known)
        rows = learning.stack(known, names)
        n_rows, users, training = len(rows.silent), rows.users, None
        if there is None:
            learned = learning.learn(rows, self, seed=self.seed, threads=threads)
        else:
            learned, workers = cluster.learn_there(there, rows, self)
            (n_rows, users), training = there.counted(), there.training(workers)
        calibration, forest = learned.calibration, learned.forest
        evaluation = self._evaluate(forest, calibration, fits, calibrating, test, log)
        committee, scale = learning.refits(rows, self, threads=threads, users=users)
        groups = correlation_groups(rows.table)
        reference = _reference(now, forest, calibration)
        features = tuple(feature for feature in panel.features if feature.name in names)
        scores = calibration.probability(forest.margin(rows.table))
        return FittedSilenceModel(
            spec=self,
            fitted_on=FittedOn(as_of=panel.as_of, rows=n_rows, users=users, version=library_version()),
            features=features,
            forest=forest,
            calibration=calibration,
            committee=committee,
            committee_scale=scale,
            groups=groups,
            evaluation_result=evaluation,
            reference=reference,
            profile=drift.profile(rows.table, scores),
            test_day=test.day,
            holdout=Holdout.of(calibration.probability(forest.margin(test.features)), _known(test)),
            training=training,
        )

    def _evaluate(
        self,
        forest: Forest,
        calibration: AffineMap,
        fits: tuple[Snapshot, ...],
        calibrating: tuple[Snapshot, ...],
        test: Snapshot,
        log: OrderLog | None,
    ) -> Evaluation:
        forecasts = {"xgboost": calibration.probability(forest.margin(test.features))}
        known = (*fits, *calibrating)
        for name, columns in (("recency", ("recency_days",)), ("logistic_rfm", baselines.RFM_COLUMNS)):
            if not set(columns) <= set(test.features.columns):
                continue
            line = baselines.fit_columns(known, columns)
            straight = AffineMap()
            if calibrating:
                before = baselines.fit_columns(fits, columns)
                straight = fit_affine(before.log_odds(calibrating[0]), _known(calibrating[0]), source="last")
            forecasts[name] = straight.probability(line.log_odds(test))
        if log is not None and self.gap == "0D":
            told = baselines.bg_nbd_log_odds(log, test, self.horizon)
            earlier = baselines.bg_nbd_log_odds(log, calibrating[0], self.horizon) if calibrating else None
            if told is not None:
                straight = AffineMap()
                if earlier is not None:
                    straight = fit_affine(earlier, _known(calibrating[0]), source="last")
                forecasts["bg_nbd"] = straight.probability(told)
        if len(forecasts) == 1:
            forecasts["base_rate"] = np.full(len(test), np.concatenate([_known(s) for s in known]).mean())
        rng = np.random.default_rng([self.seed, 1])
        return evaluate(forecasts, _known(test), resamples=self.resamples, rng=rng, day=test.day, horizon=self.horizon)


def _known(snapshot: Snapshot) -> Array:
    assert snapshot.silent is not None  # noqa: S101  (every role but "now" is labelled)
    return snapshot.silent


def _require_both(snapshots: tuple[Snapshot, ...], what: str) -> None:
    silent = np.concatenate([_known(s) for s in snapshots])
    fell, stayed = int(silent.sum()), int(len(silent) - silent.sum())
    if min(fell, stayed) < _LEAST:
        raise InsufficientDataError(
            f"SilenceModel needs at least {_LEAST} users who fell silent and {_LEAST} who stayed to {what}; at "
            f"{', '.join(s.day for s in snapshots)} there are {fell:,} and {stayed:,}. Use another horizon or "
            "active_within, more snapshots, or a larger log."
        )


def _varying(snapshots: tuple[Snapshot, ...]) -> list[str]:
    """Names of the features that are not the same for everybody."""
    table = pd.concat([s.features for s in snapshots], ignore_index=True)
    # What one snapshot lacks altogether (a window that was not whole) would tell snapshots apart, not users.
    lacking = {str(name) for s in snapshots for name in s.features.columns[s.features.isna().all()]}
    varying = [str(name) for name in table.columns if name not in lacking and table[name].nunique(dropna=False) > 1]
    if not varying:
        raise InsufficientDataError(
            "SilenceModel: every feature is the same for all users; there is nothing to learn. "
            "Use a longer log, or name more of its columns."
        )
    return varying


def _reference(now: Snapshot, forest: Forest, calibration: AffineMap) -> Reference:
    """Users of today, evenly along their risk."""
    p = calibration.probability(forest.margin(now.features))
    table = now.features[list(forest.names)].to_numpy()
    order = canonical_order(p, row_hashes(table))
    stride = np.unique(np.linspace(0, len(order) - 1, min(len(order), _REFERENCE)).round().astype(np.int64))
    rows = order[stride]
    median = {name: float(np.nanmedian(table[:, k])) if np.isfinite(table[:, k]).any() else float("nan")
              for k, name in enumerate(forest.names)}  # fmt: skip
    return Reference(
        X=table[rows],
        users=len(now),
        community=None if now.community is None else tuple(map(str, now.community.iloc[rows])),
        community_users={}
        if now.community is None
        else {str(k): int(v) for k, v in now.community.value_counts().items()},
        ids=now.users.iloc[rows].reset_index(drop=True),
        at_risk=float(np.quantile(p, 0.8, method="inverted_cdf")),
        typical=median,
    )
