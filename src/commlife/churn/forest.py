"""Forest: boosted trees over named features, their margins and their exact contributions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.churn._contributions import Tabled
from commlife.churn._progress import watched
from commlife.errors import EngineError, PersistenceError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Forest", "grow", "settings"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Rows that are handed to the booster at once: memory stays bounded whatever the number of users.
_CHUNK, _EXPLAINED = 100_000, 20_000
#: Contributions are float32: their sum may miss the margin by no more than this, relative to its size.
_ADDITIVE = 1e-3


@dataclass(frozen=True)
class Forest:
    """Boosted trees.

    Attributes:
        booster: The trees.
        names: The features, in the order in which the trees know them.
        rounds: Number of trees; every prediction and every contribution uses exactly these.
        n_jobs: Threads.
    """

    booster: Any
    names: tuple[str, ...]
    rounds: int
    n_jobs: int = 1

    def margin(self, features: pd.DataFrame | Array) -> Array:
        """Log-odds before calibration."""
        return self._margin(self._matrix(features))

    def _margin(self, X: np.ndarray[Any, Any]) -> Array:
        parts = [
            self._predict(self._data(X[start : start + _CHUNK]), output_margin=True)
            for start in watched(self._starts(X), "forecasts")
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def contributions(self, features: pd.DataFrame | Array) -> tuple[Array, float, Array]:
        """Exact Shapley contributions of each feature to the margin (Lundberg et al. 2020), their base, the margin.

        Trees of up to seven splits are looked up in tables of their answers; larger ones are explained by XGBoost.

        Raises:
            EngineError: If base and contributions do not add up to the margin.
        """
        X = self._matrix(features)
        if not len(X):
            return np.empty((0, len(self.names))), 0.0, np.empty(0)
        whole = np.empty((len(X), len(self.names)))
        for start in watched(range(0, len(X), _EXPLAINED), "contributions"):
            rows = slice(start, start + _EXPLAINED)
            whole[rows] = self._explain(X[rows])
        margin = self._margin(X)
        base = self._base
        off = np.abs(base + whole.sum(axis=1) - margin) / (1.0 + np.abs(margin))
        if off.max() > _ADDITIVE:
            raise EngineError(
                f"contributions miss the margin by {off.max():.2g}: this version of xgboost explains other trees than "
                "it predicts with. Use xgboost 2.1 or later."
            )
        return whole, base, margin

    def importance(self, features: pd.DataFrame | Array) -> Array:
        """Mean absolute contribution of each feature, in log-odds."""
        return np.abs(self.contributions(features)[0]).mean(axis=0)

    def to_bytes(self) -> bytes:
        """The trees in XGBoost's own UBJ format."""
        return bytes(self.booster.save_raw(raw_format="ubj"))

    @classmethod
    def from_bytes(cls, raw: bytes, names: tuple[str, ...], rounds: int, n_jobs: int) -> Forest:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            PersistenceError: If it does not hold such trees.
        """
        import xgboost

        # XGBoost ends the process on an empty text.
        if raw[:2] != b"{L":
            raise PersistenceError(
                "the trees cannot be read: they are not in XGBoost's UBJ format. Save the model again."
            )
        try:
            booster = xgboost.Booster({"nthread": n_jobs}, model_file=bytearray(raw))
        except xgboost.core.XGBoostError as error:
            raise PersistenceError(
                f"the trees cannot be read: {str(error).splitlines()[0]:.200}. Save the model again."
            ) from None
        if tuple(booster.feature_names or ()) != names or booster.num_boosted_rounds() != rounds:
            raise PersistenceError(
                f"the trees know {booster.num_features()} features in {booster.num_boosted_rounds()} rounds, the state "
                f"beside them {len(names)} in {rounds}: the files belong to different models."
                " Save the model again."
            )
        return cls(booster, names, rounds, n_jobs)

    def _matrix(self, features: pd.DataFrame | Array) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The features in the trees' own order, as float32: training and prediction round alike."""
        values = features if isinstance(features, np.ndarray) else features[list(self.names)].to_numpy()
        return np.ascontiguousarray(values, dtype=np.float32)

    @cached_property
    def _tabled(self) -> Tabled | None:
        """The answers of the trees, None where trees are too large for tables of them."""
        return Tabled.of(self.booster, self.rounds)

    @cached_property
    def _base(self) -> float:
        """The margin at which contributions start: the same for every row, so one row without values tells it."""
        nobody = np.full((1, len(self.names)), np.nan, dtype=np.float32)
        return float(self._predict(self._data(nobody), pred_contribs=True)[0, -1])

    def _explain(self, X: np.ndarray[Any, Any]) -> Array:
        if self._tabled is not None:
            return self._tabled.contributions(X)
        return self._predict(self._data(X), pred_contribs=True)[:, :-1]

    def _data(self, X: np.ndarray[Any, Any]) -> Any:
        import xgboost

        return xgboost.DMatrix(X, feature_names=list(self.names), nthread=self.n_jobs)

    def _predict(self, data: Any, **what: bool) -> Array:
        told = self.booster.predict(data, iteration_range=(0, self.rounds), **what)
        return np.asarray(told, dtype=np.float64)

    @staticmethod
    def _starts(X: np.ndarray[Any, Any]) -> range:
        return range(0, len(X), _CHUNK)


def grow(
    features: pd.DataFrame,
    silent: Array,
    *,
    rounds: int,
    depth: int,
    rate: float,
    seed: int,
    n_jobs: int,
    weight: float = 1.0,
) -> Forest:
    """Grow a forest; the order of rows must be canonical, since rows are drawn by position.

    Half of the rows a tree, leaves of at least 20 users (by weight) and a penalty on leaves: shrinkage that holds on a
    few hundred users as on a million. Every tree sees every feature: drawing features too would give half of a true
    driver's effect to whatever is correlated with it. Outcomes are never weighted by class: that leaves the ranking
    alone and ruins the probabilities.

    ``weight`` is how many rows each row stands for (the same for all): half of the users, each counted twice, are
    held back by the penalties exactly as all of them are.
    """
    import xgboost

    names = tuple(str(name) for name in features.columns)
    X = np.ascontiguousarray(features.to_numpy(), dtype=np.float32)
    weights = None if weight == 1 else np.full(len(X), weight, dtype=np.float32)
    data = xgboost.DMatrix(X, label=silent, weight=weights, feature_names=list(names), nthread=n_jobs)
    told = settings(rows=weight * len(X), share=float(silent.mean()), depth=depth, rate=rate, seed=seed)
    booster = xgboost.train(told | {"nthread": n_jobs}, data, num_boost_round=rounds)
    return Forest(booster, names, rounds, n_jobs)


def settings(*, rows: float, share: float, depth: int, rate: float, seed: int) -> dict[str, Any]:
    """What XGBoost is told, wherever it runs: so many rows (by weight), this share of which fell silent."""
    return {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": depth,
        "eta": rate,
        "subsample": 0.5,
        "min_child_weight": min(20.0, max(1.0, rows / 200)),
        "lambda": 10.0,
        "seed": seed,
        "base_score": float(np.clip(share, 1e-6, 1 - 1e-6)),
        "verbosity": 0,
    }
