"""The fitted silence model: forecasts, reasons, drivers, and its own record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from commlife._model import FittedOn
from commlife.churn import drift, spread, storage
from commlife.churn._explained import Forecast, explain, shap_format
from commlife.churn._progress import watched
from commlife.churn.calibration import AffineMap
from commlife.churn.catalogue import CATALOGUE, Feature
from commlife.churn.cluster import Training
from commlife.churn.drivers import Measured, Population, Refit, driver_table, measure_drivers
from commlife.churn.evaluation import Evaluation
from commlife.churn.forest import Forest
from commlife.churn.holdout import Holdout, Profit, positive
from commlife.churn.reasons import (
    Reasons,
    check_mode,
    check_reasons,
    find_reasons,
    pushing,
    reason_table,
    riskiest,
    sentences,
)
from commlife.churn.reference import Reference
from commlife.churn.shapley import MOST_PLAYERS
from commlife.churn.single import SingleExplanation, feature_row
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from commlife.churn.figures import SilencePlots
    from commlife.churn.host import HostFeatures
    from commlife.churn.model import SilenceModel
    from commlife.churn.panel import SilencePanel, Snapshot
    from commlife.orders import OrderLog

__all__ = ["FittedSilenceModel", "Reference", "Refit", "SingleExplanation", "Training"]

Array = np.ndarray[Any, np.dtype[np.float64]]
LANGUAGES = ("en", "zh")
#: Users whose reasons are worked out at once: what is kept of each is three sentences.
_TOLD_AT_ONCE = 50_000
_OURS = {feature.name for feature in CATALOGUE}


@dataclass(frozen=True, eq=False)
class FittedSilenceModel:
    """A fitted :class:`SilenceModel`. Nothing in it changes; it is safe to share between threads.

    Attributes:
        spec: The spec that was fitted.
        fitted_on: as_of, user-snapshots, users, version of commlife.
        features: The features that it uses.
        forest: The trees.
        calibration: The straight line through the log-odds.
        committee: Refits to half of the users each, for intervals.
        committee_scale: Factor from their spread to that of a full fit.
        groups: Correlated features, explained together.
        evaluation_result: Scores, paired differences and verdict.
        reference: The users on which driver tables are made.
        profile: Deciles of the features learned from, for :meth:`drift`.
        test_day: The snapshot of the evaluation.
        holdout: Forecasts and outcomes of the test snapshot's users, in bins.
        training: Where it learned and on which sample it was judged, if on a cluster; None for this process.
    """

    spec: SilenceModel
    fitted_on: FittedOn
    features: tuple[Feature, ...]
    forest: Forest
    calibration: AffineMap
    committee: tuple[Refit, ...]
    committee_scale: float
    groups: tuple[tuple[str, ...], ...]
    evaluation_result: Evaluation = field(repr=False)
    reference: Reference = field(repr=False)
    profile: dict[str, dict[str, list[float]]] = field(repr=False)
    test_day: str
    holdout: Holdout = field(repr=False)
    training: Training | None = None

    def __repr__(self) -> str:
        auc = float(self.evaluation_result.frame["value"].iloc[0])
        return (
            f"FittedSilenceModel(horizon={self.spec.horizon}, {len(self.features)} features in {len(self.groups)} "
            f"groups, {self.fitted_on.rows:,} user-snapshots before {self.fitted_on.as_of}, ROC-AUC {auc:.3f} at "
            f"{self.test_day}" + ("" if self.training is None else f", {self.training}") + ")"
        )

    @property
    def evaluation(self) -> pd.DataFrame:
        """``model, metric, value, low, high`` on the test snapshot: the model and its baselines, 95% intervals."""
        return self.evaluation_result.frame.copy()

    @property
    def verdict(self) -> str:
        """Whether the model adds anything to the best baseline, in a sentence."""
        return self.evaluation_result.verdict

    @property
    def verdict_zh(self) -> str:
        """The verdict in Chinese."""
        return self.evaluation_result.verdict_zh

    @property
    def reliability(self) -> pd.DataFrame:
        """``tenth, users, p_silent, silent``: mean forecast and share that fell silent on the test snapshot."""
        return self.holdout.tenths()

    def lift(self) -> pd.DataFrame:
        """How much likelier the riskiest users of the test snapshot fell silent than all.

        Returns:
            ``share`` of the users, ``users``, ``found`` (share of all who fell silent), ``lift`` with its 95% interval
            ``low, high`` (bootstrap over users), and ``cap``, which no forecast can pass.
        """
        return self.holdout.lift(self.spec.seed)

    def profit(self, *, value_of_keeping: float, share_kept: float, cost_of_contact: float) -> Profit:
        """What contacting the riskiest users would bring, by your own costs: nothing is assumed for you.

        Each contact costs ``cost_of_contact``; each contacted user who would have fallen silent is worth
        ``value_of_keeping`` times ``share_kept``. Contacting somebody who stays anyway brings nothing. Outcomes are
        those of the test snapshot, which the model has not seen.

        Args:
            value_of_keeping: What one user kept is worth to you, in your money.
            share_kept: Share of the contacted users about to fall silent whom the contact keeps, in (0, 1]. It comes
                from a trial (:func:`commlife.compare`), not from this model.
            cost_of_contact: What one contact costs, in the same money.

        Raises:
            ConfigError: If a number is not above 0, or ``share_kept`` above 1.
        """
        return self.holdout.profit(
            value=positive(value_of_keeping, "value_of_keeping"),
            kept=positive(share_kept, "share_kept", most=1.0),
            cost=positive(cost_of_contact, "cost_of_contact"),
            seed=self.spec.seed,
            day=self.test_day,
        )

    @property
    def plot(self) -> SilencePlots:
        """Figures: ``beeswarm, waterfall(features), calibration, lift, ranks, dependence(feature)``, each with lang."""
        from commlife.churn.figures import SilencePlots

        return SilencePlots(self)

    # -- forecasts ----------------------------------------------------------------------------------------------------

    def predict(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> Any:
        """Probability of silence of the users active before ``as_of``.

        Args:
            log: An order log with the columns that the features need.
            as_of: The local business day from which the horizon runs.
            host: The host's own features, if the model was fitted with them.

        Returns:
            A frame in the input's own kind, sorted by user_id: ``user_id, p_silent``. For a DuckDB log pandas; for a
            Spark or Dask log a frame of theirs that scores each part where it lies, the model sent to the workers.

        Raises:
            ConfigError: If the log lacks a column, or the host's features are not given.
        """
        need_log(log, "FittedSilenceModel.predict")
        if (there := self._scorer(log, as_of, host)) is not None:
            return log.give(spread.forecast_plan(there, log, self.spec.panel.active_within.days))
        snapshot = self._snapshot(log, as_of, host)
        p = self._forecast(snapshot.features)
        return log.give_table(pd.DataFrame({"user_id": snapshot.users, "p_silent": p}))

    def feature_table(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> Any:
        """What the model sees of each active user at ``as_of``: ``user_id`` and one column a feature."""
        need_log(log, "FittedSilenceModel.feature_table")
        if (there := self._scorer(log, as_of, host)) is not None:
            return log.give(spread.feature_plan(there, log, self.spec.panel.active_within.days))
        snapshot = self._snapshot(log, as_of, host)
        return log.give_table(pd.concat([snapshot.users, snapshot.features[list(self.forest.names)]], axis=1))

    def _snapshot(self, log: OrderLog, as_of: Timestamp, host: HostFeatures | None) -> Snapshot:
        foreign = self._foreign(host)
        return self._panel().now(log, as_of=as_of, host=host if foreign else None)

    def _foreign(self, host: HostFeatures | None) -> list[str]:
        """The host's own features that the model needs."""
        foreign = [feature.name for feature in self.features if feature.name not in _OURS]
        if foreign and (host is None or not set(foreign) <= set(host.names)):
            raise ConfigError(
                f"this model was fitted with the host's features {foreign}; give them as host=HostFeatures(...)."
            )
        return foreign

    def _panel(self) -> SilencePanel:
        ours = tuple(feature.name for feature in self.features if feature.name in _OURS)
        return self.spec.panel.model_copy(update={"features": ours, "kinds": ("state", "lever", "context")})

    def _scorer(self, log: OrderLog, as_of: Timestamp, host: HostFeatures | None) -> spread.Scorer | None:
        """What scores the users of a Spark or Dask log where they are; None where they are brought here."""
        if not spread.is_spread(log) or self._foreign(host):
            return None
        day = day_number(as_of)
        self._panel()._chosen(log)  # a column that is missing is told now, and not by a worker
        return spread.Scorer.of(self, log, day)

    # -- reasons ------------------------------------------------------------------------------------------------------

    def reasons(
        self,
        log: OrderLog,
        *,
        as_of: Timestamp,
        k: int = 3,
        lang: str = "en",
        users: float | None = None,
        mode: str = "fast",
        host: HostFeatures | None = None,
    ) -> Any:
        """Why each active user is likely (or not) to fall silent.

        The fast mode takes exact Shapley values of the log-odds and scales them to probability,
        ``contribution * (p - p_base) / (log-odds - base log-odds)``: they add up, and approximate those of the
        probability itself (their sentences say "about"). The exact mode takes Shapley values of the probability, with
        the user's k leading groups and all others together as players, and a sample of today's users as what is usual;
        it costs some milliseconds a user, and is meant for the list of users at risk. Both are associations, not
        causes.

        Args:
            log: The order log.
            as_of: The local business day.
            k: Reasons a user; correlated features are one reason, told by the one that weighs most.
            lang: ``"en"`` or ``"zh"``.
            users: Share of the users with the highest probability, such as 0.05; None gives all.
            mode: ``"fast"`` or ``"exact"``.
            host: The host's own features, if the model was fitted with them.

        Returns:
            A frame in the input's own kind (as for :meth:`predict`), k + 1 rows a user, sorted by user_id:
            ``user_id, p_silent, p_base,
            reason_rank`` (the largest first, k + 1 for "other"), ``driver`` (a feature, or ``other``), ``value`` of
            the driver in its own unit, ``contribution_pp`` (in the unit of p_silent: 0.05 is five points),
            ``sentence``.
            ``p_base`` plus a user's contributions is ``p_silent``. ``p_base`` is the probability at the base of the
            log-odds in the fast mode, the mean probability of today's users in the exact one.

        Raises:
            ConfigError: If ``k``, ``lang``, ``users`` or ``mode`` is out of range.
        """
        need_log(log, "FittedSilenceModel.reasons")
        _check_language(lang)
        exact = check_mode(mode)
        if (there := self._scorer(log, as_of, host)) is not None:
            check_reasons(k, len(self.groups), exact=exact)
            there = replace(there, k=k, lang=lang, background=self.reference.background() if exact else None)
            within = self.spec.panel.active_within.days
            return log.give(spread.reason_plan(there, log, within, users=users), sort=("user_id", "reason_rank"))
        snapshot = self._snapshot(log, as_of, host)
        table = snapshot.features[list(self.forest.names)]
        owners = snapshot.users
        if users is not None:
            chosen = riskiest(self._forecast(table), users)
            table, owners = table.iloc[chosen], owners.iloc[chosen]
        told = self._reasons(table.to_numpy(), k, exact=exact)
        made = reason_table(owners, told, features=self.features, typical=self.reference.typical, lang=lang)
        return log.give_table(made)

    def _pushing(self, log: OrderLog, *, as_of: Timestamp, k: int, among: int, lang: str) -> pd.DataFrame:
        """Each active user's forecast and what pushes it up most, for tables of a row a user: no row a reason is made.

        Returns:
            ``user_id, p_silent, reason_1`` to ``reason_<k>`` (sentences, null where there are not so many among the
            ``among`` reasons that weigh most).
        """
        snapshot = self._snapshot(log, as_of, None)
        X = snapshot.features[list(self.forest.names)].to_numpy()
        p: list[Array] = [np.empty(0)]
        said: list[list[Any]] = [[] for _ in range(k)]
        for start in watched(range(0, len(X), _TOLD_AT_ONCE), "reasons"):
            told = self._reasons(X[start : start + _TOLD_AT_ONCE], min(among, len(self.groups)), exact=False)
            up, there = pushing(told, k)
            words = sentences(up, self.features, self.reference.typical, lang)
            words[~there] = None
            p.append(told.p)
            for rank, column in enumerate(said):
                column.append(pd.Series(words[:, rank], dtype="str"))
        table = pd.DataFrame({"user_id": snapshot.users, "p_silent": np.concatenate(p)})
        for rank, column in enumerate(said):
            table[f"reason_{rank + 1}"] = pd.concat(column, ignore_index=True) if column else pd.Series(dtype="str")
        return table

    def explain_one(
        self, features: Mapping[str, float | None], *, lang: str = "en", mode: str = "fast"
    ) -> SingleExplanation:
        """One user's forecast from the features alone, for a service.

        Args:
            features: A value for each feature of the model (see :meth:`feature_table`), None where there is none.
            lang: ``"en"`` or ``"zh"``.
            mode: ``"fast"`` (all groups) or ``"exact"`` (the 8 leading ones, and the rest as ``other``); see
                :meth:`reasons`.

        Raises:
            ConfigError: If a feature is missing, unknown, or no number.
        """
        _check_language(lang)
        exact = check_mode(mode)
        k = min(len(self.groups), MOST_PLAYERS) if exact else len(self.groups)
        told = self._reasons(np.array([feature_row(features, self.forest.names)]), k, exact=exact)
        return SingleExplanation(
            p_silent=float(told.p[0]),
            p_base=told.p_base,
            drivers=tuple(self.features[place].name for place in told.which[0].tolist()),
            values=tuple(told.values[0].tolist()),
            contributions=tuple(told.points[0].tolist()),
            sentences=tuple(sentences(told, self.features, self.reference.typical, lang)[0].tolist()),
            rest=float(told.rest[0]) if exact else 0.0,
            mode=mode,
        )

    def _reasons(self, X: Array, k: int, *, exact: bool) -> Reasons:
        return find_reasons(
            X,
            forest=self.forest,
            calibration=self.calibration,
            features=self.features,
            groups=self.groups,
            k=k,
            background=self.reference.background() if exact else None,
        )

    @property
    def _forecast(self) -> Forecast:
        return Forecast(self.forest, self.calibration)

    def to_shap(
        self,
        log: OrderLog | None = None,
        *,
        as_of: Timestamp | None = None,
        host: HostFeatures | None = None,
        lang: str = "en",
    ) -> Any:
        """The contributions as a ``shap.Explanation``, for the plots of the package shap.

        Args:
            log: The order log whose active users at ``as_of`` are explained; None takes the reference sample of the
                fit.
            as_of: The local business day, with ``log``.
            host: The host's own features, if the model was fitted with them.
            lang: Language of the feature names.

        Returns:
            An explanation with ``values`` (calibrated log-odds, users x features), ``base_values``, ``data`` and
            ``feature_names``: base plus values is the log-odds of silence.

        Raises:
            ConfigError: If only one of ``log`` and ``as_of`` is given.
        """
        _check_language(lang)
        if (log is None) != (as_of is None):
            raise ConfigError("to_shap takes a log together with its as_of, or neither of them. Give both.")
        X = self.reference.X
        if log is not None and as_of is not None:
            X = self._snapshot(log, as_of, host).features[list(self.forest.names)].to_numpy()
        explained = explain(self.forest, self.calibration, X)
        return shap_format(explained, X, [feature.label(lang) for feature in self.features])

    # -- drivers ------------------------------------------------------------------------------------------------------

    def drivers(self, by: Any = None, lang: str = "en") -> pd.DataFrame:
        """What goes together with falling silent among the users active at the fit's ``as_of``.

        Correlated features are grouped first (rank correlation above .6 on average); a row is a group, with its
        features under it.

        Args:
            by: None for all users; ``"community"`` for each own community too; or a frame with ``user_id`` and one
                more column (a segment).
            lang: ``"en"`` or ``"zh"``.

        Returns:
            ``scope`` ("all", or a part such as "community: A"), ``level`` (group, feature), ``group``, ``driver``,
            ``label``, ``kind`` (state, lever, context), ``rank`` with ``rank_low, rank_high`` (90% over refits to half
            of the users), ``tier`` (within one, drivers cannot be told apart from its first), ``direction`` (up,
            down, mixed, none: of silence with the feature), ``mean_abs_shap`` (log-odds), ``effect_pp`` with
            ``effect_low, effect_high``, ``sign_stability`` (share of refits that agree on the sign),
            ``share_pushed_up`` and ``users_pushed_up`` (users at risk, the riskiest fifth, to whom it adds half a
            point or more), ``n`` (users of the scope), ``horizon``, ``as_of``, ``sentence``. The effect is the change
            of the probability from the 10th to the 90th percentile (0.05 is five points): accumulated local effects
            for features, a joint move along the leading feature for groups; its interval says where a model refitted
            to as many other users would put it, 95 times of 100. Effects are associations, not causes.

        Raises:
            ConfigError: If ``by`` or ``lang`` is unknown, or ``by`` needs ids that a loaded model does not hold.
        """
        _check_language(lang)
        parts = self.reference.parts(by)
        told = [self._drivers_of_all, *map(self._measure, parts)]
        tables = [
            driver_table(
                measured,
                features=self.features,
                groups=self.groups,
                horizon=self.spec.horizon,
                as_of=str(self.fitted_on.as_of),
                lang=lang,
            )
            for measured in told
        ]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def _drivers_of_all(self) -> Measured:
        """Kept, since tables, figures and pages in either language ask for the same numbers."""
        return self._measure(self.reference.all())

    def _measure(self, population: Population) -> Measured:
        return measure_drivers(
            population,
            forest=self.forest,
            committee=self.committee,
            committee_scale=self.committee_scale,
            calibration=self.calibration,
            names=tuple(feature.name for feature in self.features),
            groups=self.groups,
        )

    def driver_report(self, path: str | Path, *, lang: str = "en") -> Path:
        """Write the drivers of silence on one page for an operator: one HTML file that needs nothing else.

        What the model is worth, the drivers with their intervals and in how many users at risk they show, two figures,
        and what to do with it. It names no user. It prints on one sheet of A4.

        Args:
            path: Where to write the file; an older one is replaced.
            lang: ``"en"`` or ``"zh"``.

        Returns:
            The path.

        Raises:
            ConfigError: If the path cannot be a file.
            PersistenceError: If it cannot be written.
            EngineError: If matplotlib is not installed.
        """
        from commlife._files import file_to_write, write_whole
        from commlife.churn.page import driver_page

        _check_language(lang)
        target = file_to_write(path)
        write_whole(target, driver_page(self, lang=lang).encode("utf-8"))
        return target

    # -- its own record -----------------------------------------------------------------------------------------------

    def drift(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> drift.Drift:
        """How far the users of ``as_of`` are from those that the model learned from, and whether to refit."""
        need_log(log, "FittedSilenceModel.drift")
        snapshot = self._snapshot(log, as_of, host)
        p = self._forecast(snapshot.features)
        auc = float(self.evaluation_result.frame["value"].iloc[0])
        return drift.drift_table(self.profile, snapshot.features, p, auc)

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder: trees as XGBoost's UBJ, the rest as JSON, and a manifest of checksums.

        No pickle, no user ids; the folder appears whole or not at all. Checksums tell damage, not malice: load only
        what you trust.
        """
        storage.save(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            PersistenceError: If a file is missing, changed, foreign, or from a newer version.
        """
        model: Self = storage.load(folder)
        return model


def _check_language(lang: str) -> None:
    if lang not in LANGUAGES:
        raise ConfigError.unknown_name("lang", lang, LANGUAGES)
