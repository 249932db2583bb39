"""The S-, T-, X- and DR-learner, over boosted trees or any regressor.

References:
    Kuenzel, Sekhon, Bickel & Yu (2019), PNAS 116 (S, T, X); Kennedy (2023), Electronic Journal of Statistics 17 (DR).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.effects._nuisance import deal_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from commlife.effects._inputs import Floats

__all__ = ["Shape", "Trial", "learn_all", "n_models", "predict_all", "text_of"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a learner sees: features, outcome, arm (0 is the control) and the probability of each arm."""

    x: Floats
    y: Floats
    arm: NDArray[np.intp]
    chances: Floats

    def part(self, rows: NDArray[Any]) -> Trial:
        """Some of the rows."""
        return Trial(self.x[rows], self.y[rows], self.arm[rows], self.chances[rows])


@dataclass(frozen=True, slots=True)
class Shape:
    """Which learner over which models."""

    learner: str
    trees: int
    depth: int
    learning_rate: float
    seed: int
    estimator: Any = None

    def grow(self, x: Floats, y: Floats) -> Any:
        """One regression: boosted trees, or a clone of the estimator."""
        if self.estimator is not None:
            from sklearn.base import clone

            return clone(self.estimator).fit(np.nan_to_num(x), y)
        import xgboost

        settings = {
            "max_depth": self.depth,
            "eta": self.learning_rate,
            "min_child_weight": 10,
            "nthread": 1,
            "tree_method": "hist",
            "seed": self.seed,
            "base_score": float(y.mean()),
        }
        return xgboost.train(settings, xgboost.DMatrix(x, label=y, nthread=1), num_boost_round=self.trees)


def say(model: Any, x: Floats) -> Floats:
    """A model's predictions."""
    if not hasattr(model, "save_raw"):
        return np.asarray(model.predict(np.nan_to_num(x)), dtype=np.float64)
    import xgboost

    return np.asarray(model.predict(xgboost.DMatrix(x, nthread=1)), dtype=np.float64)


def text_of(booster: Any) -> str:
    """A booster as XGBoost's own JSON."""
    return str(bytes(booster.save_raw(raw_format="json")).decode("utf-8"))


def learn_all(spec: Shape, trial: Trial, arms: int) -> list[Any]:
    """The models of a learner, in an order that :func:`predict_all` knows."""
    learn: dict[str, Callable[[Shape, Trial, int], list[Any]]] = {
        "s": _learn_s,
        "t": _learn_t,
        "x": _learn_x,
        "dr": _learn_dr,
    }
    return learn[spec.learner](spec, trial, arms)


def n_models(learner: str, arms: int) -> int:
    """How many models :func:`learn_all` gives for so many treatments."""
    return {"s": 1, "t": arms + 1, "x": 3 * arms, "dr": arms}[learner]


def _learn_s(spec: Shape, trial: Trial, arms: int) -> list[Any]:
    flags = (trial.arm[:, None] == np.arange(1, arms + 1)).astype(np.float64)
    return [spec.grow(np.hstack([flags, trial.x]), trial.y)]


def _learn_t(spec: Shape, trial: Trial, arms: int) -> list[Any]:
    return [spec.grow(trial.x[trial.arm == a], trial.y[trial.arm == a]) for a in range(arms + 1)]


def _learn_x(spec: Shape, trial: Trial, arms: int) -> list[Any]:
    """For each treatment: gains of the treated, gains of the controls, and the share treated (as a model)."""
    plain = _learn_t(spec, trial, arms)
    control = trial.arm == 0
    result = []
    for a in range(1, arms + 1):
        mine = trial.arm == a
        both = mine | control
        share = trial.chances[both, a] / (trial.chances[both, a] + trial.chances[both, 0])
        result.append(spec.grow(trial.x[mine], trial.y[mine] - say(plain[0], trial.x[mine])))
        result.append(spec.grow(trial.x[control], say(plain[a], trial.x[control]) - trial.y[control]))
        result.append(spec.grow(trial.x[both], share))
    return result


def _learn_dr(spec: Shape, trial: Trial, arms: int) -> list[Any]:
    """Doubly robust scores, their outcome models fitted on the other half, regressed on the features."""
    half = deal_folds(np.nan_to_num(trial.x), trial.y, trial.arm, 2, spec.seed + 1)
    means = np.empty((len(trial.y), arms + 1))
    for k in range(2):
        models = _learn_t(spec, trial.part(half != k), arms)
        means[half == k] = np.column_stack([say(model, trial.x[half == k]) for model in models])
    inverse = (trial.arm[:, None] == np.arange(arms + 1)) / trial.chances
    scores = means + inverse * (trial.y[:, None] - means)
    return [spec.grow(trial.x, scores[:, a] - scores[:, 0]) for a in range(1, arms + 1)]


def predict_all(spec: Shape, boosters: Sequence[Any], x: Floats, arms: int) -> Floats:
    """(rows, treatments) changes, from the models of :func:`learn_all`."""
    if spec.learner == "dr":
        return np.column_stack([say(booster, x) for booster in boosters])
    if spec.learner == "t":
        means = np.column_stack([say(booster, x) for booster in boosters])
        return np.asarray(means[:, 1:] - means[:, :1])
    if spec.learner == "s":
        none = np.zeros((len(x), arms))
        base = say(boosters[0], np.hstack([none, x]))
        columns = []
        for a in range(arms):
            flags = none.copy()
            flags[:, a] = 1.0
            columns.append(say(boosters[0], np.hstack([flags, x])) - base)
        return np.column_stack(columns)
    columns = []
    for a in range(arms):
        treated, controls, share = (say(booster, x) for booster in boosters[3 * a : 3 * a + 3])
        weight = np.clip(share, 0.0, 1.0)
        columns.append(weight * controls + (1 - weight) * treated)
    return np.column_stack(columns)
