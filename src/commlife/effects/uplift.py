"""Uplift: who is changed by which treatment, and by how much; not who buys anyway.

The treatments must have been dealt at random, or with probabilities that were kept. A model fitted on a log of
targeted campaigns without them learns who was targeted: it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import Field

from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.effects._inputs import Floats, in_open_interval, label_column, number_column, wide_frame
from commlife.effects._nuisance import deal_folds
from commlife.effects.qini import qini, uplift_at
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["FittedUplift", "Uplift"]

WHAT = "Uplift.fit"

#: A text feature may have so many levels; rarer ones count as unseen.
MAX_LEVELS = 50


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a learner sees: features, outcome, arm (0 is the control) and the probability of the row's own arm."""

    x: Floats
    y: Floats
    arm: NDArray[np.intp]
    chances: Floats

    def part(self, rows: NDArray[Any]) -> _Trial:
        return _Trial(self.x[rows], self.y[rows], self.arm[rows], self.chances[rows])


class Uplift(Spec):
    """A model of what each treatment changes, by boosted trees.

    Args:
        learner: ``"s"``: one model with the arm as a feature; ``"t"``: one model an arm; ``"x"``: each arm's gains
            imputed by the other's model, then blended by the propensity (Kuenzel et al. 2019); ``"dr"``: doubly robust
            scores, regressed (Kennedy 2023), the default.
        trees: Trees of each model.
        depth: Depth of a tree.
        learning_rate: Shrinkage of a tree.
        folds: Folds of the out-of-fold scores, on which the model is judged.
        seed: Seed of the folds.

    Examples:
        >>> import numpy as np, pandas as pd
        >>> rng = np.random.default_rng(0)
        >>> trial = pd.DataFrame({"age": rng.random(1_500), "arm": rng.choice(["none", "coupon"], 1_500)})
        >>> trial["spend"] = trial["age"] * (trial["arm"] == "coupon") + rng.normal(0, 0.3, 1_500)
        >>> model = Uplift(trees=30).fit(trial, treatment="arm", control="none", outcome="spend", features=["age"],
        ...                              propensity="randomised")
        >>> new = model.predict(pd.DataFrame({"age": [0.05, 0.95]}))
        >>> bool(new["coupon"][0] < 0.5 < new["coupon"][1])
        True
    """

    learner: Literal["s", "t", "x", "dr"] = "dr"
    trees: Annotated[int, Field(ge=1, le=5_000)] = 100
    depth: Annotated[int, Field(ge=1, le=12)] = 3
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    folds: Annotated[int, Field(ge=2, le=50)] = 3
    seed: Annotated[int, Field(ge=0)] = 0

    def fit(
        self,
        frame: Any,
        *,
        treatment: str,
        control: Any,
        outcome: str,
        features: Sequence[str],
        propensity: str | Mapping[Any, float] | None = None,
    ) -> FittedUplift:
        """Learn from a trial.

        Args:
            frame: One row a user, any kind of frame.
            treatment: Column with the arm; several treatments are allowed.
            control: The arm without a treatment.
            outcome: Column of numbers.
            features: Columns known before the treatment: numbers (missing ones allowed) or texts.
            propensity: ``"randomised"`` (the arms' shares serve), a mapping arm -> probability, or a column with the
                probability of the row's own arm where it was dealt by known chances (two arms only).

        Raises:
            ConfigError: If ``propensity`` is not said, a column or the control is not there.
            InsufficientDataError: If an arm has fewer than 20 rows a fold.
        """
        if propensity is None:
            raise ConfigError(
                f'{WHAT} must be told how the arms were dealt: propensity="randomised", a mapping arm -> probability, '
                "or a column of logged probabilities. A log of targeted campaigns without them shows who was targeted, "
                "not who was changed: use adjusted_effect, or run a trial."
            )
        if isinstance(features, str) or not features:
            raise ConfigError(f"features is a list of at least one column; seen {features!r:.60}.")
        column = [propensity] if isinstance(propensity, str) and propensity != "randomised" else []
        data = wide_frame(frame, [treatment, outcome, *features, *column], WHAT)
        labels, codes = label_column(data, treatment, WHAT)
        if control not in labels:
            raise ConfigError.unknown_name(f"{WHAT}: control", control, [str(label) for label in labels])
        order = [labels.index(control), *(i for i, label in enumerate(labels) if label != control)]
        arm = np.argsort(order)[codes]
        arms = tuple(str(labels[i]) for i in order[1:])
        if not arms or np.bincount(arm, minlength=len(order)).min() < 20 * self.folds:
            raise InsufficientDataError(
                f"{WHAT} needs a control and a treatment with at least {20 * self.folds} rows each; "
                f"seen {dict(zip([labels[i] for i in order], np.bincount(arm).tolist(), strict=True))}."
            )
        y = number_column(data, outcome, WHAT)
        levels = {name: _levels(data, name) for name in features}
        x = _matrix(data, levels)
        chances = _chances(data, propensity, [labels[i] for i in order], arm)
        trial = _Trial(x, y, arm, chances)
        fold = deal_folds(np.nan_to_num(x), y, arm, self.folds, self.seed)
        scores = np.empty((len(y), len(arms)))
        for k in range(self.folds):
            inside = fold == k
            scores[inside] = _predict(self, _learn(self, trial.part(~inside), len(arms)), x[inside], len(arms))
        return FittedUplift(
            spec=self,
            arms=arms,
            levels={name: None if known is None else tuple(known) for name, known in levels.items()},
            models=tuple(_text(booster) for booster in _learn(self, trial, len(arms))),
            quality=tuple(_quality(name, i + 1, trial, scores[:, i]) for i, name in enumerate(arms)),
            fitted_on=FittedOn(as_of=None, rows=len(y), users=len(y), version=library_version()),
        )


class FittedUplift(Fitted):
    """A fitted uplift model: data, from JSON and back.

    Attributes:
        spec: The specification.
        arms: Treatments, in the order of the columns of :meth:`predict`.
        levels: Features with the known levels of texts, None for numbers.
        models: The trees, in XGBoost's own JSON.
        quality: One entry a treatment, see :attr:`evaluation`.
    """

    spec: Uplift
    arms: tuple[str, ...]
    levels: dict[str, tuple[str, ...] | None]
    models: tuple[str, ...]
    quality: tuple[dict[str, str | float], ...]

    @property
    def evaluation(self) -> pd.DataFrame:
        """How well out-of-fold scores rank, one row a treatment against the control.

        ``arm, users, qini`` (area over users squared, see :func:`~commlife.effects.qini`), ``uplift_top_30`` (observed
        among the 30% with the highest scores), ``uplift_all``, ``share_negative`` (predicted to be harmed).
        """
        return pd.DataFrame([dict(row) for row in self.quality])

    def predict(self, frame: Any) -> pd.DataFrame:
        """Predicted change of the outcome by each treatment, one row a row of ``frame``, one column a treatment.

        Raises:
            ConfigError: If a feature is not there, or a number has become a text.
        """
        import xgboost

        data = wide_frame(frame, list(self.levels), "predict")
        boosters = []
        for text in self.models:
            booster = xgboost.Booster(params={"nthread": 1})
            booster.load_model(bytearray(text, "utf-8"))
            boosters.append(booster)
        scores = _predict(self.spec, boosters, _matrix(data, self.levels), len(self.arms))
        return pd.DataFrame(scores, columns=list(self.arms))

    def __repr__(self) -> str:
        return f"FittedUplift(learner={self.spec.learner!r}, arms={list(self.arms)}, rows={self.fitted_on.rows:,})"


def _levels(data: nw.DataFrame[Any], name: str) -> list[str] | None:
    """Known levels of a text feature, at most MAX_LEVELS, the most frequent ones; None for a number."""
    series = data[name]
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        return None
    counts = pd.Series(series.to_list(), dtype=object).dropna().astype(str).value_counts()
    ranked = sorted(counts.index, key=lambda level: (-counts[level], level))
    return sorted(ranked[:MAX_LEVELS])


def _matrix(data: nw.DataFrame[Any], levels: Mapping[str, Sequence[str] | None]) -> Floats:
    columns: list[Floats] = []
    for name, known in levels.items():
        series = data[name]
        if known is None:
            if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
                raise ConfigError(f"feature {name!r} must hold numbers; its type is {series.dtype}.")
            values = series.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
            if np.isinf(values).any():
                raise ConfigError(f"feature {name!r} holds infinite values. Cap them, or leave them missing.")
            columns.append(values)
        else:
            texts = pd.Series(series.to_list(), dtype=object)
            texts = texts.where(texts.isna(), texts.astype(str))
            columns.extend((texts == level).to_numpy().astype(np.float64) for level in known)
    return np.column_stack(columns)


def _chances(data: nw.DataFrame[Any], propensity: Any, labels: list[Any], arm: NDArray[np.intp]) -> Floats:
    """(rows, arms): probability of each arm."""
    if isinstance(propensity, str) and propensity == "randomised":
        share = np.bincount(arm) / len(arm)
        return np.tile(share, (len(arm), 1))
    if isinstance(propensity, str):
        if len(labels) != 2:
            raise ConfigError(
                f"a propensity column serves two arms, seen {len(labels)}: compare one treatment at a time."
            )
        own = number_column(data, propensity, WHAT)
        if (own <= 0).any() or (own >= 1).any():
            raise ConfigError(f"propensity column {propensity!r} must lie strictly between 0 and 1.")
        first = np.where(arm == 0, own, 1 - own)
        return np.column_stack([first, 1 - first])
    if not isinstance(propensity, Mapping):
        raise ConfigError(f"propensity is 'randomised', a mapping or a column; seen {type(propensity).__name__}.")
    missing = [label for label in labels if label not in propensity]
    if missing:
        raise ConfigError.unknown_name("propensity lacks arm", missing[0], [str(name) for name in propensity])
    row = [in_open_interval(propensity[label], f"propensity[{label!r}]", 0, 1) for label in labels]
    if abs(sum(row) - 1) > 1e-6:
        raise ConfigError(f"the arms' probabilities must sum to 1; they sum to {sum(row):g}.")
    return np.tile(row, (len(arm), 1))


def _grow(spec: Uplift, x: Floats, y: Floats) -> Any:
    import xgboost

    settings = {
        "max_depth": spec.depth,
        "eta": spec.learning_rate,
        "min_child_weight": 10,
        "nthread": 1,
        "tree_method": "hist",
        "seed": spec.seed,
        "base_score": float(y.mean()),
    }
    return xgboost.train(settings, xgboost.DMatrix(x, label=y, nthread=1), num_boost_round=spec.trees)


def _say(booster: Any, x: Floats) -> Floats:
    import xgboost

    return np.asarray(booster.predict(xgboost.DMatrix(x, nthread=1)), dtype=np.float64)


def _text(booster: Any) -> str:
    return str(bytes(booster.save_raw(raw_format="json")).decode("utf-8"))


def _learn(spec: Uplift, trial: _Trial, arms: int) -> list[Any]:
    """The boosters of a learner, in an order that :func:`_predict` knows."""
    learn: dict[str, Callable[[Uplift, _Trial, int], list[Any]]] = {
        "s": _learn_s,
        "t": _learn_t,
        "x": _learn_x,
        "dr": _learn_dr,
    }
    return learn[spec.learner](spec, trial, arms)


def _learn_s(spec: Uplift, trial: _Trial, arms: int) -> list[Any]:
    flags = (trial.arm[:, None] == np.arange(1, arms + 1)).astype(np.float64)
    return [_grow(spec, np.hstack([flags, trial.x]), trial.y)]


def _learn_t(spec: Uplift, trial: _Trial, arms: int) -> list[Any]:
    return [_grow(spec, trial.x[trial.arm == a], trial.y[trial.arm == a]) for a in range(arms + 1)]


def _learn_x(spec: Uplift, trial: _Trial, arms: int) -> list[Any]:
    """For each treatment: gains of the treated, gains of the controls, and the share treated (as a model)."""
    plain = _learn_t(spec, trial, arms)
    control = trial.arm == 0
    result = []
    for a in range(1, arms + 1):
        mine = trial.arm == a
        both = mine | control
        share = trial.chances[both, a] / (trial.chances[both, a] + trial.chances[both, 0])
        result.append(_grow(spec, trial.x[mine], trial.y[mine] - _say(plain[0], trial.x[mine])))
        result.append(_grow(spec, trial.x[control], _say(plain[a], trial.x[control]) - trial.y[control]))
        result.append(_grow(spec, trial.x[both], share))
    return result


def _learn_dr(spec: Uplift, trial: _Trial, arms: int) -> list[Any]:
    """Doubly robust scores, their outcome models fitted on the other half, regressed on the features."""
    half = deal_folds(np.nan_to_num(trial.x), trial.y, trial.arm, 2, spec.seed + 1)
    means = np.empty((len(trial.y), arms + 1))
    for k in range(2):
        models = _learn_t(spec, trial.part(half != k), arms)
        means[half == k] = np.column_stack([_say(model, trial.x[half == k]) for model in models])
    inverse = (trial.arm[:, None] == np.arange(arms + 1)) / trial.chances
    scores = means + inverse * (trial.y[:, None] - means)
    return [_grow(spec, trial.x, scores[:, a] - scores[:, 0]) for a in range(1, arms + 1)]


def _predict(spec: Uplift, boosters: Sequence[Any], x: Floats, arms: int) -> Floats:
    if spec.learner == "dr":
        return np.column_stack([_say(booster, x) for booster in boosters])
    if spec.learner == "t":
        means = np.column_stack([_say(booster, x) for booster in boosters])
        return np.asarray(means[:, 1:] - means[:, :1])
    if spec.learner == "s":
        none = np.zeros((len(x), arms))
        base = _say(boosters[0], np.hstack([none, x]))
        columns = []
        for a in range(arms):
            flags = none.copy()
            flags[:, a] = 1.0
            columns.append(_say(boosters[0], np.hstack([flags, x])) - base)
        return np.column_stack(columns)
    columns = []
    for a in range(arms):
        treated, controls, share = (_say(booster, x) for booster in boosters[3 * a : 3 * a + 3])
        weight = np.clip(share, 0.0, 1.0)
        columns.append(weight * controls + (1 - weight) * treated)
    return np.column_stack(columns)


def _quality(name: str, index: int, trial: _Trial, score: Floats) -> dict[str, str | float]:
    rows = (trial.arm == 0) | (trial.arm == index)
    y, t, s = trial.y[rows], trial.arm[rows] == index, score[rows]
    return {
        "arm": name,
        "users": float(rows.sum()),
        "qini": qini(y, t, s),
        "uplift_top_30": uplift_at(y, t, s, share=0.3),
        "uplift_all": uplift_at(y, t, s, share=1.0),
        "share_negative": float((s < 0).mean()),
    }
