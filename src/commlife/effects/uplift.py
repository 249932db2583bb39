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
from pydantic import Field, model_validator

from commlife._caveats import warn
from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.effects._inputs import (
    Floats,
    check_size,
    column_names,
    in_open_interval,
    label_column,
    number_column,
    place_of,
    wide_frame,
)
from commlife.effects._learners import Shape, Trial, learn_all, n_models, predict_all, text_of
from commlife.effects._nuisance import cross_fitted_propensity, deal_folds
from commlife.effects._trees import read_booster
from commlife.effects.qini import qini
from commlife.effects.top_share import top_uplift
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FittedUplift", "Uplift", "UpliftEstimates"]

WHAT = "Uplift.fit"

#: How arms can have been dealt, beside known chances.
DEALT = ("randomised", "estimated")

#: Estimated chances are kept above this; more than that share of users at it, and it is told.
LEAST_CHANCE, MANY = 0.01, 0.05

#: A text feature may have so many levels; rarer ones count as unseen.
MAX_LEVELS = 50

#: What pulls scores towards the mean effect.
_SHRINKING = ("slope", "mean_score", "mean_effect")


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
        """Learn from a trial, by boosted trees.

        Args:
            frame: One row a user, any kind of frame.
            treatment: Column with the arm; several treatments are allowed.
            control: The arm without a treatment.
            outcome: Column of numbers.
            features: Columns known before the treatment: numbers (missing ones allowed) or texts.
            propensity: ``"randomised"`` (the arms' shares serve), a mapping arm -> probability, a column with the
                probability of the row's own arm where it was dealt by known chances (two arms only), or
                ``"estimated"``: from the features, cross-fitted, which adjusts for what they hold and nothing else.

        Raises:
            ConfigError: If ``propensity`` is not said, a column or the control is not there.
            InsufficientDataError: If an arm has fewer than 20 rows a fold.
        """
        learned = self._learn(
            frame,
            treatment=treatment,
            control=control,
            outcome=outcome,
            features=features,
            propensity=propensity,
            estimator=None,
        )
        return FittedUplift(
            spec=self,
            arms=learned.arms,
            levels=learned.levels,
            models=tuple(text_of(booster) for booster in learned.models),
            quality=learned.quality,
            fitted_on=FittedOn(as_of=None, rows=learned.rows, users=learned.rows, version=library_version()),
        )

    def fit_with(
        self,
        estimator: Any,
        frame: Any,
        *,
        treatment: str,
        control: Any,
        outcome: str,
        features: Sequence[str],
        propensity: str | Mapping[Any, float] | None = None,
    ) -> UpliftEstimates:
        """The same learner over a regressor of your own.

        Args:
            estimator: Anything with scikit-learn's ``fit`` and ``predict``; it is cloned for each model. Missing
                numbers reach it as 0.
            frame: As for :meth:`fit`, and so all others.
            treatment: Column with the arm.
            control: The arm without a treatment.
            outcome: Column of numbers.
            features: Columns known before the treatment.
            propensity: How the arms were dealt.

        Returns:
            :class:`UpliftEstimates`: it predicts and is judged alike, but has no JSON, since foreign models have none.

        Raises:
            ConfigError: As for :meth:`fit`, or if the estimator cannot fit and predict.
            InsufficientDataError: As for :meth:`fit`.
        """
        if not (hasattr(estimator, "fit") and hasattr(estimator, "predict") and hasattr(estimator, "get_params")):
            raise ConfigError(f"estimator has fit, predict and get_params, as in scikit-learn; seen {estimator!r:.60}.")
        return self._learn(
            frame,
            treatment=treatment,
            control=control,
            outcome=outcome,
            features=features,
            propensity=propensity,
            estimator=estimator,
        )

    def _learn(
        self,
        frame: Any,
        *,
        treatment: str,
        control: Any,
        outcome: str,
        features: Sequence[str],
        propensity: str | Mapping[Any, float] | None,
        estimator: Any,
    ) -> UpliftEstimates:
        if propensity is None:
            raise ConfigError(
                f'{WHAT} needs to know how the arms were dealt: propensity="randomised", a mapping arm -> probability, '
                "or a column of logged probabilities. A log of targeted campaigns without them shows who was targeted, "
                "not who was changed: use adjusted_effect, or run a trial."
            )
        features = column_names(features, "features")
        column = [propensity] if isinstance(propensity, str) and propensity not in DEALT else []
        data = wide_frame(frame, [treatment, outcome, *features, *column], WHAT)
        labels, codes = label_column(data, treatment, WHAT)
        first = place_of(control, labels, f"{WHAT}: control")
        order = [first, *(i for i in range(len(labels)) if i != first)]
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
        fold = deal_folds(np.nan_to_num(x), y, arm, self.folds, self.seed)
        if isinstance(propensity, str) and propensity == "estimated":
            chances = _estimated(np.nan_to_num(x), arm, len(order), fold)
        else:
            chances = _chances(data, propensity, [labels[i] for i in order], arm)
        trial = Trial(x, y, arm, chances)
        shape = Shape(self.learner, self.trees, self.depth, self.learning_rate, self.seed, estimator)
        scores = np.empty((len(y), len(arms)))
        for k in range(self.folds):
            inside = fold == k
            models = learn_all(shape, trial.part(~inside), len(arms))
            scores[inside] = predict_all(shape, models, x[inside], len(arms))
        return UpliftEstimates(
            shape=shape,
            arms=arms,
            levels={name: None if known is None else tuple(known) for name, known in levels.items()},
            models=tuple(learn_all(shape, trial, len(arms))),
            quality=tuple(_quality(name, i + 1, trial, scores[:, i]) for i, name in enumerate(arms)),
            rows=len(y),
        )


@dataclass(frozen=True, slots=True, repr=False)
class UpliftEstimates:
    """What :meth:`Uplift.fit_with` learned.

    Attributes:
        arms: Treatments, in the order of the columns of :meth:`predict`.
        levels: Features with the known levels of texts, None for numbers.
        models: The fitted regressors.
        quality: Entries of :attr:`evaluation`.
        rows: Rows of the trial.
        shape: The learner.
    """

    arms: tuple[str, ...]
    levels: dict[str, tuple[str, ...] | None]
    models: tuple[Any, ...]
    quality: tuple[dict[str, str | float], ...]
    rows: int
    shape: Shape

    @property
    def evaluation(self) -> pd.DataFrame:
        """As :attr:`FittedUplift.evaluation`."""
        return pd.DataFrame([dict(row) for row in self.quality])

    def predict(self, frame: Any, *, shrunken: bool = False) -> pd.DataFrame:
        """As :meth:`FittedUplift.predict`."""
        data = wide_frame(frame, list(self.levels), "predict")
        scores = predict_all(self.shape, self.models, _matrix(data, self.levels), len(self.arms))
        return pd.DataFrame(_shrunken(scores, self.quality) if shrunken else scores, columns=list(self.arms))

    def __repr__(self) -> str:
        name = type(self.shape.estimator).__name__
        return f"UpliftEstimates(learner={self.shape.learner!r}, {name}, arms={list(self.arms)}, rows={self.rows:,})"


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

    @model_validator(mode="after")
    def _together(self) -> FittedUplift:
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms are distinct, one or more; seen {list(self.arms)!r:.80}")
        if [row.get("arm") for row in self.quality] != list(self.arms):
            raise ValueError("quality has one entry for each arm, in their order")
        if not all(isinstance(row.get(name), float) for row in self.quality for name in _SHRINKING):
            raise ValueError(f"each entry of quality holds the numbers {', '.join(_SHRINKING)}")
        wanted = n_models(self.spec.learner, len(self.arms))
        if len(self.models) != wanted:
            raise ValueError(f"the learner {self.spec.learner!r} has {wanted} models; seen {len(self.models)}")
        self._boosters()
        return self

    def _boosters(self) -> list[Any]:
        """The models, each checked against the features that it is asked with."""
        width = sum(1 if known is None else len(known) for known in self.levels.values())
        width += len(self.arms) if self.spec.learner == "s" else 0
        return [read_booster(text, features=width, rounds=self.spec.trees) for text in self.models]

    @property
    def evaluation(self) -> pd.DataFrame:
        """How well out-of-fold scores rank, one row a treatment against the control.

        ``arm, users, qini`` (area over users squared, see :func:`~commlife.effects.qini`), ``uplift_top_30`` (observed
        among the 30% with the highest scores), ``uplift_all``, ``share_negative`` (predicted to be harmed), ``slope,
        slope_se`` (by how much what is observed rises with the score: 1 where scores are right, near 0 where they are
        noise). Intervals: :func:`~commlife.effects.rank_quality` on users held out.
        """
        return pd.DataFrame([dict(row) for row in self.quality])

    def predict(self, frame: Any, *, shrunken: bool = False) -> pd.DataFrame:
        """Predicted change of the outcome by each treatment, one row a row of ``frame``, one column a treatment.

        Args:
            frame: Rows with the features.
            shrunken: Pull scores towards the treatment's mean effect by the slope of :attr:`evaluation` (between 0
                and 1): less exciting, nearer to what comes true, and what a plan should be made of.

        Raises:
            ConfigError: If a feature is not there, or a number has become a text.
        """
        data = wide_frame(frame, list(self.levels), "predict")
        spec = self.spec
        shape = Shape(spec.learner, spec.trees, spec.depth, spec.learning_rate, spec.seed)
        scores = predict_all(shape, self._boosters(), _matrix(data, self.levels), len(self.arms))
        return pd.DataFrame(_shrunken(scores, self.quality) if shrunken else scores, columns=list(self.arms))

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
                raise ConfigError(f"feature {name!r} holds numbers; its type is {series.dtype}.")
            values = series.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
            if np.isinf(values).any():
                raise ConfigError(f"feature {name!r} holds infinite values. Cap them, or leave them missing.")
            check_size(values, f"feature {name!r}")
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
            raise ConfigError(
                f"propensity column {propensity!r} lies strictly between 0 and 1; some of it does not."
                " Leave out the users who had no choice."
            )
        first = np.where(arm == 0, own, 1 - own)
        return np.column_stack([first, 1 - first])
    if not isinstance(propensity, Mapping):
        raise ConfigError(f"propensity is 'randomised', a mapping or a column; seen {type(propensity).__name__}.")
    missing = [label for label in labels if label not in propensity]
    if missing:
        raise ConfigError.unknown_name("propensity lacks arm", missing[0], [str(name) for name in propensity])
    row = [in_open_interval(propensity[label], f"propensity[{label!r}]", 0, 1) for label in labels]
    if abs(sum(row) - 1) > 1e-6:
        raise ConfigError(f"the arms' probabilities sum to 1; seen a sum of {sum(row):g}. Divide them by their sum.")
    return np.tile(row, (len(arm), 1))


def _quality(name: str, index: int, trial: Trial, score: Floats) -> dict[str, str | float]:
    rows = (trial.arm == 0) | (trial.arm == index)
    y, t, s = trial.y[rows], trial.arm[rows] == index, score[rows]
    slope, error, mean = _slope(index, trial, score)
    return {
        "arm": name,
        "users": float(rows.sum()),
        "qini": qini(y, t, s),
        "uplift_top_30": top_uplift(y, t, s, 0.3),
        "uplift_all": top_uplift(y, t, s, 1.0),
        "share_negative": float((s < 0).mean()),
        "slope": slope,
        "slope_se": error,
        "mean_score": float(score.mean()),
        "mean_effect": mean,
    }


def _slope(index: int, trial: Trial, score: Floats) -> tuple[float, float, float]:
    """Regression of what is observed on the score (Chernozhukov et al. 2018), by inverse propensities; the mean effect.

    Outcomes are centred and what the score alone explains of them is taken off before they are weighted: both leave
    the slope as it is and take noise out.
    """
    y = trial.y - trial.y.mean()
    centred = score - score.mean()
    spread = float(centred @ centred)
    weight = (trial.arm == index) / trial.chances[:, index] - (trial.arm == 0) / trial.chances[:, 0]
    base = trial.arm == 0
    own = score[base] - score[base].mean()
    within = float(own @ own)
    explained = float(own @ y[base]) / within * centred if within > 0 else 0.0
    change = weight * (y - explained)
    mean = float(change.mean())
    if spread <= 1e-300:
        return 0.0, 0.0, mean
    slope = float(centred @ change) / spread
    rest = change - mean - slope * centred
    return slope, float(np.sqrt((centred**2) @ (rest**2))) / spread, mean


def _shrunken(scores: Floats, quality: Sequence[Mapping[str, str | float]]) -> Floats:
    """Scores pulled towards each treatment's mean effect."""
    columns = []
    for place, row in enumerate(quality):
        slope = min(max(float(row["slope"]), 0.0), 1.0)
        columns.append(float(row["mean_effect"]) + slope * (scores[:, place] - float(row["mean_score"])))
    return np.column_stack(columns)


def _estimated(x: Floats, arm: NDArray[np.intp], arms: int, fold: NDArray[np.intp]) -> Floats:
    """(rows, arms): each arm's probability given the features, by models of the other folds, kept off 0 and 1."""
    spread = x.std(axis=0)
    matrix = (x[:, spread > 0] - x[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    chances = np.column_stack([cross_fitted_propensity(matrix, arm == a, fold) for a in range(arms)])
    chances = np.maximum(chances, LEAST_CHANCE)
    far = float((chances.min(axis=1) <= LEAST_CHANCE).mean())
    warn(
        "propensities were estimated from the features: the uplift is adjusted for these and nothing else"
        + (f"; {far:.0%} of the users had almost no chance of some arm" if far > MANY else "")
        + ". Run a trial where it matters.",
        ModelWarning,
    )
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))
