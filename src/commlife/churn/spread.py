"""Spread: forecasts and reasons made where the rows of a cluster lie, by the same functions as here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.churn import _facts, _features
from commlife.churn._explained import Forecast
from commlife.churn.reasons import COLUMNS, check_share, find_reasons, reason_table

if TYPE_CHECKING:
    from commlife.churn.calibration import AffineMap
    from commlife.churn.catalogue import Feature
    from commlife.churn.fitted import FittedSilenceModel
    from commlife.churn.forest import Forest
    from commlife.orders import OrderLog

__all__ = ["Scorer", "feature_plan", "forecast_plan", "is_spread", "reason_plan"]

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Scorer:
    """What a worker needs to score the users of its part.

    Attributes:
        forest: The trees.
        calibration: The line through their log-odds.
        features: The features, in the trees' order.
        groups: Correlated features, explained together.
        typical: The usual value of each feature, for sentences.
        background: Users that stand for everybody in the exact mode of reasons; None for the fast one.
        day: The snapshot.
        observed: Days that the log had seen before it.
        scale: Minor units in a major one.
        k: Reasons a user.
        lang: Their language.
    """

    forest: Forest
    calibration: AffineMap
    features: tuple[Feature, ...]
    groups: tuple[tuple[str, ...], ...]
    typical: dict[str, float]
    day: int
    observed: int
    scale: int
    background: Array | None = None
    k: int = 3
    lang: str = "en"

    @classmethod
    def of(cls, model: FittedSilenceModel, log: OrderLog, day: int) -> Scorer:
        """What of a model, and of what the log knows as a whole, goes to the workers."""
        return cls(
            forest=model.forest,
            calibration=model.calibration,
            features=model.features,
            groups=model.groups,
            typical=model.reference.typical,
            day=day,
            observed=day - log.observation.first,
            scale=log.scale,
        )

    def __getstate__(self) -> dict[str, Any]:
        """One thread a worker: a cluster hands out its cores itself."""
        return self.__dict__ | {"forest": replace(self.forest, n_jobs=1)}

    def values(self, facts: pd.DataFrame) -> Array:
        """The features of some users from their facts."""
        names = self.forest.names
        return _features.feature_values(facts, names, day=self.day, observed=self.observed, scale=self.scale)


def is_spread(log: OrderLog) -> bool:
    """Whether the log's rows lie in parts on a cluster."""
    return log._frame.implementation in _engine.SPREAD


def forecast_plan(scorer: Scorer, log: OrderLog, active_within: int) -> nw.LazyFrame[Any]:
    """``user_id, p_silent`` of the active users."""
    facts = _facts.facts_plan(log, scorer.day, active_within)
    return _engine.map_parts(facts, _forecasts, scorer, keep=("user_id",), columns={"p_silent": "float"})


def feature_plan(scorer: Scorer, log: OrderLog, active_within: int) -> nw.LazyFrame[Any]:
    """``user_id`` and one column a feature of the active users."""
    facts = _facts.facts_plan(log, scorer.day, active_within)
    columns = dict.fromkeys(scorer.forest.names, "float")
    return _engine.map_parts(facts, _feature_rows, scorer, keep=("user_id",), columns=columns)


def reason_plan(scorer: Scorer, log: OrderLog, active_within: int, *, users: float | None) -> nw.LazyFrame[Any]:
    """The table of reasons of the active users, or of the share of them with the highest probability."""
    table = feature_plan(scorer, log, active_within)
    if users is not None:
        share = check_share(users)
        forecast = _engine.map_parts(table, _again, scorer, keep=("user_id",), columns={"p_silent": "float"})
        forecast = _engine.settle(forecast)
        wanted = ceil(share * _engine.count_rows(forecast))
        # Settled before a column is dropped: Dask would take the column away before it sorts by it.
        chosen = _engine.settle(forecast.sort("p_silent", "user_id", descending=[True, False]).head(wanted))
        table = table.join(chosen.select("user_id"), on="user_id", how="inner")
    kinds = dict.fromkeys(COLUMNS[1:], "float") | {"reason_rank": "int", "driver": "text", "sentence": "text"}
    return _engine.map_parts(table, _reason_rows, scorer, keep=("user_id",), columns=kinds)


def _forecasts(scorer: Scorer, facts: pd.DataFrame) -> pd.DataFrame:
    return _with_p(scorer, facts, scorer.values(facts))


def _again(scorer: Scorer, table: pd.DataFrame) -> pd.DataFrame:
    return _with_p(scorer, table, table[list(scorer.forest.names)].to_numpy(dtype=np.float64))


def _with_p(scorer: Scorer, rows: pd.DataFrame, X: Array) -> pd.DataFrame:
    return rows[["user_id"]].assign(p_silent=Forecast(scorer.forest, scorer.calibration)(X))


def _feature_rows(scorer: Scorer, facts: pd.DataFrame) -> pd.DataFrame:
    values = pd.DataFrame(scorer.values(facts), columns=list(scorer.forest.names), index=facts.index)
    return pd.concat([facts[["user_id"]], values], axis=1)


def _reason_rows(scorer: Scorer, table: pd.DataFrame) -> pd.DataFrame:
    told = find_reasons(
        table[list(scorer.forest.names)].to_numpy(dtype=np.float64),
        forest=scorer.forest,
        calibration=scorer.calibration,
        features=scorer.features,
        groups=scorer.groups,
        k=scorer.k,
        background=scorer.background,
    )
    return reason_table(
        table["user_id"], told, features=scorer.features, typical=scorer.typical, lang=scorer.lang
    ).astype({"reason_rank": np.int64})
