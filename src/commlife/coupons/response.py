"""Response: how likely a user redeems a coupon of this face value. Not what the coupon changes: that is uplift."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.coupons._coding import (
    bucket_codes,
    bucket_edges,
    crossed_codes,
    crossed_pairs,
    one_hot,
    vocabulary,
    vocabulary_codes,
)
from commlife.coupons._days import day_column
from commlife.effects._inputs import float_vector, identifiers, number_column, wide_frame
from commlife.effects._trees import read_booster
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = ["CouponResponse", "FittedCouponResponse"]

WHAT = "CouponResponse.fit"

#: Fewest issues that were redeemed, and that were not.
LEAST = 30

#: The figures that a model shows of itself.
_SHOWN = (("response", "auc"), ("response", "brier"), ("rate by face", "brier"))


class CouponResponse(Spec):
    """A model of redemption: coded features into boosted trees, never falling as the face value rises.

    Numbers are cut into buckets, texts are coded by a vocabulary, and pairs of both are crossed; the face value stays
    a number, and trees may only rise with it. Probabilities are calibrated on users (or later days) that the trees did
    not see.

    It tells how likely a coupon is redeemed: what it will cost, and the ``redemption`` of
    :func:`~commlife.coupons.allocate`. Who redeems may have bought anyway: for what a coupon changes take
    :class:`~commlife.effects.Uplift`, from a trial.

    Args:
        numbers: Columns of numbers, put into buckets.
        texts: Columns of texts, coded by a vocabulary.
        crosses: Pairs of columns (of either kind) that are crossed.
        n_buckets: Buckets of a number.
        min_count: Fewest rows of a level or a crossed pair.
        trees: Trees.
        depth: Depth of a tree.
        learning_rate: Shrinkage of a tree.
        folds: Folds over users, where no days are given.
        holdout: Share of the rows, the latest days, on which the model is judged where days are given.
        seed: Seed of the folds.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> log = pd.DataFrame({"user_id": range(2_000), "face": rng.choice([3.0, 5.0, 8.0], 2_000),
        ...                     "frequency": rng.poisson(3, 2_000), "estate": rng.choice(["north", "south"], 2_000)})
        >>> chance = 0.02 + 0.02 * log["face"] * (log["estate"] == "north")
        >>> log["redeemed"] = rng.random(2_000) < chance
        >>> model = CouponResponse(numbers=("frequency",), texts=("estate",), trees=40).fit(log)
        >>> new = pd.DataFrame({"face": [3.0, 8.0], "frequency": 2, "estate": "north"})
        >>> bool(np.diff(model.predict(new))[0] > 0)
        True
    """

    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    crosses: tuple[tuple[str, str], ...] = ()
    n_buckets: Annotated[int, Field(ge=2, le=100)] = 10
    min_count: Annotated[int, Field(ge=1)] = 20
    trees: Annotated[int, Field(ge=1, le=5_000)] = 150
    depth: Annotated[int, Field(ge=1, le=12)] = 3
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _known(self) -> CouponResponse:
        names = [*self.numbers, *self.texts]
        if len(set(names)) < len(names):
            raise ValueError(f"a column is named once; seen {names}")
        for pair in self.crosses:
            strangers = [name for name in pair if name not in names]
            if strangers:
                raise ValueError(f"a cross names columns of numbers or texts; {strangers[0]!r} is neither")
        return self

    def fit(
        self,
        frame: Any,
        *,
        redeemed: str = "redeemed",
        face: str = "face",
        user_id: str = "user_id",
        day: str | None = None,
    ) -> FittedCouponResponse:
        """Learn from a log of issued coupons.

        Args:
            frame: One row an issued coupon, any kind of frame; features as they were known at the issue.
            redeemed: Column of 0 and 1 (or booleans).
            face: Column with the coupon's face value (or its largest discount), in major units.
            user_id: Column of identifiers: a user's coupons lie in one fold.
            day: Column with the local day of issue. Then the model is judged on the latest days, fitted on the others:
                that is what planning ahead looks like. None: on held-out users.

        Raises:
            ConfigError: If a column is missing or of the wrong kind.
            InsufficientDataError: If fewer than 30 coupons were redeemed, or fewer than 30 were not.
        """
        names = [redeemed, face, user_id, *self.numbers, *self.texts, *([] if day is None else [day])]
        data = wide_frame(frame, names, WHAT)
        y = number_column(data, redeemed, WHAT)
        if not np.isin(y, (0.0, 1.0)).all():
            raise ConfigError(f"{WHAT}: column {redeemed!r} holds 0 and 1; seen {y[~np.isin(y, (0.0, 1.0))][0]:g}.")
        if min(y.sum(), (1 - y).sum()) < LEAST:
            raise InsufficientDataError(
                f"{WHAT} needs {LEAST} coupons that were redeemed and {LEAST} that were not; seen {y.sum():.0f} and "
                f"{(1 - y).sum():.0f}. Collect more campaigns, or plan with a rate."
            )
        faces = _faces(number_column(data, face, WHAT))
        # Contents decide the order, so that the order of rows does not matter.
        user = pd.factorize(_known_users(data, user_id).astype(str), sort=True)[0]
        when = np.zeros(len(y)) if day is None else day_column(data, day, WHAT)
        coding = _Coding.learn(self, data)
        x = coding.matrix(data, faces)
        order = np.lexsort((*(x[:, column].toarray().ravel() for column in range(min(x.shape[1], 60))), y, faces, when))
        fold, judged = self._split(user, when, day is not None)
        score = np.full(len(y), np.nan)
        for k in np.unique(fold[fold >= 0]):
            inside = fold == k
            train = order[~inside[order]]
            score[inside] = _margins(_grow(self, x[train], y[train]), x[inside])
        seen = np.isfinite(score)
        platt = _platt(score[seen], y[seen])
        chance = np.full(len(y), np.nan)
        # What judges must not have calibrated: each half of the users by the other half.
        for half in (0, 1):
            rows, others = judged & (user % 2 == half), judged & (user % 2 != half)
            chance[rows] = _chance(score[rows], _platt(score[others], y[others]) if others.any() else platt)
        known = ~judged if day else judged
        quality = _quality(y[judged], chance[judged], faces[judged], y[known], faces[known])
        return FittedCouponResponse(
            spec=self,
            face=face,
            edges=coding.edges,
            levels=coding.levels,
            pairs=coding.pairs,
            model=_text(_grow(self, x[order], y[order])),
            platt=platt,
            quality=tuple(quality),
            judged_on="later days" if day else "held-out users",
            fitted_on=FittedOn(as_of=None, rows=len(y), users=len(np.unique(user)), version=library_version()),
        )

    def _split(
        self,
        user: NDArray[np.intp],
        when: Floats,
        by_day: bool,  # noqa: FBT001
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Each row's fold (-1: never predicted), and the rows that the model is judged on."""
        if by_day:
            cut = np.quantile(when, 1 - self.holdout, method="higher")
            late = when >= cut
            if late.all() or not late.any():
                raise InsufficientDataError(f"{WHAT}: all coupons were issued on one day. Leave day= out.")
            return np.where(late, 0, -1).astype(np.intp), late
        if int(user.max()) + 1 < self.folds:
            raise InsufficientDataError(f"{WHAT} needs at least {self.folds} users; seen {int(user.max()) + 1}.")
        dealt = np.random.default_rng(self.seed).permutation(int(user.max()) + 1) % self.folds
        return dealt[user].astype(np.intp), np.ones(len(user), dtype=bool)


class _Coding:
    """Learned edges, vocabularies and pairs."""

    def __init__(
        self,
        spec: CouponResponse,
        edges: dict[str, tuple[float, ...]],
        levels: dict[str, tuple[str, ...]],
        pairs: tuple[tuple[tuple[int, int], ...], ...],
    ) -> None:
        self.spec, self.edges, self.levels, self.pairs = spec, edges, levels, pairs

    @classmethod
    def learn(cls, spec: CouponResponse, data: nw.DataFrame[Any]) -> _Coding:
        """Cut points, vocabularies and frequent pairs of the records learned from."""
        edges = {name: bucket_edges(_numbers(data, name), spec.n_buckets) for name in spec.numbers}
        levels = {name: vocabulary(_texts(data, name), min_count=spec.min_count, most=200) for name in spec.texts}
        coding = cls(spec, edges, levels, ())
        codes = coding.codes(data)
        pairs = tuple(
            crossed_pairs(codes[left][0], codes[right][0], min_count=spec.min_count) for left, right in spec.crosses
        )
        return cls(spec, edges, levels, pairs)

    def codes(self, data: nw.DataFrame[Any]) -> dict[str, tuple[NDArray[np.intp], int]]:
        """Each feature's codes, and how many codes it can have."""
        coded = {name: (bucket_codes(_numbers(data, name), e), len(e) + 2) for name, e in self.edges.items()}
        return coded | {
            name: (vocabulary_codes(_texts(data, name), known), len(known) + 1) for name, known in self.levels.items()
        }

    @property
    def sizes(self) -> dict[str, int]:
        """Number of codes of each feature."""
        sizes = {name: len(edges) + 2 for name, edges in self.edges.items()}
        return sizes | {name: len(known) + 1 for name, known in self.levels.items()}

    @property
    def width(self) -> int:
        """Number of columns of :meth:`matrix`."""
        return 1 + sum(self.sizes.values()) + sum(len(pairs) + 1 for pairs in self.pairs)

    def matrix(self, data: nw.DataFrame[Any], faces: Floats) -> Any:
        """The face value first, then zeros and ones."""
        from scipy import sparse

        codes = self.codes(data)
        columns = list(codes.values())
        for (left, right), pairs in zip(self.spec.crosses, self.pairs, strict=True):
            columns.append((crossed_codes(codes[left][0], codes[right][0], pairs), len(pairs) + 1))
        return sparse.hstack([sparse.csr_matrix(faces[:, None]), one_hot(columns, len(faces))]).tocsr()


class FittedCouponResponse(Fitted):
    """A fitted model of redemption: data, from JSON and back.

    Attributes:
        spec: The specification.
        face: Column with the face value.
        edges: Inner edges of each number's buckets.
        levels: Vocabulary of each text.
        pairs: Crossed pairs of codes, in the order of ``spec.crosses``.
        model: The trees, in XGBoost's own JSON.
        platt: Intercept and slope of the calibration, on log-odds.
        quality: Entries of :attr:`evaluation`.
        judged_on: ``"later days"`` or ``"held-out users"``.
    """

    spec: CouponResponse
    face: str
    edges: dict[str, tuple[float, ...]]
    levels: dict[str, tuple[str, ...]]
    pairs: tuple[tuple[tuple[int, int], ...], ...]
    model: str
    platt: tuple[float, float]
    quality: tuple[dict[str, str | float], ...]
    judged_on: str

    @model_validator(mode="after")
    def _together(self) -> FittedCouponResponse:
        spec = self.spec
        if (set(self.edges), set(self.levels)) != (set(spec.numbers), set(spec.texts)):
            raise ValueError("edges and levels are those of the features that the spec names")
        for name, edges in self.edges.items():
            if not all(map(math.isfinite, edges)) or any(after <= before for before, after in pairwise(edges)):
                raise ValueError(f"the edges of {name!r} ascend and are finite")
        for name, known in self.levels.items():
            if len(set(known)) < len(known):
                raise ValueError(f"the levels of {name!r} are distinct")
        sizes = self._coding.sizes
        if len(self.pairs) != len(spec.crosses):
            raise ValueError(f"{len(spec.crosses)} pairs of features are crossed; seen {len(self.pairs)}")
        for (left, right), pairs in zip(spec.crosses, self.pairs, strict=True):
            if len(set(pairs)) < len(pairs) or not all(
                0 <= a < sizes[left] and 0 <= b < sizes[right] for a, b in pairs
            ):
                raise ValueError(f"the crossed codes of {left!r} and {right!r} are distinct, and codes of them")
        if not all(map(math.isfinite, self.platt)):
            raise ValueError("the calibration is two finite numbers")
        if any(set(row) != {"model", "metric", "value"} for row in self.quality):
            raise ValueError("each entry of quality has a model, a metric and a value")
        told = {(row["model"], row["metric"]): row["value"] for row in self.quality}
        # JSON has no NaN: the figure of a model that nobody could judge comes back as that word.
        if not set(_SHOWN) <= set(told) or not all(isinstance(v, float) or v == "NaN" for v in told.values()):
            raise ValueError("quality lacks the figures by which the model is judged")
        self._booster()
        return self

    @property
    def _coding(self) -> _Coding:
        return _Coding(self.spec, self.edges, self.levels, self.pairs)

    def _booster(self) -> Any:
        return read_booster(self.model, features=self._coding.width, rounds=self.spec.trees)

    @property
    def evaluation(self) -> pd.DataFrame:
        """How well it does on rows that it has not seen, beside two baselines: ``model, metric, value``.

        Models: ``response``, ``rate by face`` (the share redeemed of each face value), ``overall rate``. Metrics:
        ``auc``, ``brier``, ``log_loss``, ``calibration_error`` (mean gap over ten groups of equal size), ``rows`` and
        ``redeemed``.
        """
        return pd.DataFrame([dict(row) for row in self.quality])

    def predict(self, frame: Any) -> Floats:
        """The chance that each row's coupon is redeemed.

        Raises:
            ConfigError: If a column is missing or of the wrong kind.
        """
        data = wide_frame(frame, [self.face, *self.edges, *self.levels], "predict")
        return self._of(data, _faces(number_column(data, self.face, "predict")))

    def by_face(self, frame: Any, faces: Sequence[float]) -> pd.DataFrame:
        """The chance of redemption of each user (row) under each face value (column), never falling along a row."""
        data = wide_frame(frame, [*self.edges, *self.levels] or [self.face], "by_face")
        values = _faces(float_vector(faces, "faces"))
        columns = {f"{value:g}": self._of(data, np.full(len(data), value)) for value in values}
        return pd.DataFrame(columns)

    def _of(self, data: nw.DataFrame[Any], faces: Floats) -> Floats:
        return _chance(_margins(self._booster(), self._coding.matrix(data, faces)), self.platt)

    def __repr__(self) -> str:
        found = {(row["model"], row["metric"]): float(row["value"]) for row in self.quality}
        return (
            f"FittedCouponResponse({self.fitted_on.rows:,} coupons, on {self.judged_on}: "
            f"AUC {found['response', 'auc']:.3f}, Brier {found['response', 'brier']:.4f} "
            f"(by face {found['rate by face', 'brier']:.4f}))"
        )


def _faces(values: Floats) -> Floats:
    if values.min() <= 0:
        raise ConfigError(f"a face value lies above 0; seen {values.min():g}.")
    return values


def _numbers(data: nw.DataFrame[Any], name: str) -> Floats:
    series = data[name]
    if not (series.dtype.is_numeric() or series.dtype.is_decimal() or series.dtype == nw.Boolean):
        raise ConfigError(f"feature {name!r} holds numbers; its type is {series.dtype}. Name it in texts=.")
    return series.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _known_users(data: nw.DataFrame[Any], name: str) -> pd.Series[Any]:
    ids = identifiers(data, name, WHAT)
    if ids.isna().any():
        raise ConfigError(
            f"{WHAT}: column {name!r} misses {int(ids.isna().sum()):,} users. Fill them in, or drop the rows."
        )
    return ids


def _texts(data: nw.DataFrame[Any], name: str) -> pd.Series[Any]:
    return pd.Series(data[name].to_list(), dtype=object)


def _grow(spec: CouponResponse, x: Any, y: Floats) -> Any:
    import xgboost

    settings = {
        "objective": "binary:logistic",
        "max_depth": spec.depth,
        "eta": spec.learning_rate,
        "min_child_weight": 5,
        "lambda": 5.0,
        "nthread": 1,
        "tree_method": "hist",
        "seed": spec.seed,
        "base_score": float(np.clip(y.mean(), 1e-6, 1 - 1e-6)),
        "monotone_constraints": "(" + ",".join(["1"] + ["0"] * (x.shape[1] - 1)) + ")",
    }
    return xgboost.train(settings, xgboost.DMatrix(x, label=y, nthread=1), num_boost_round=spec.trees)


def _margins(booster: Any, x: Any) -> Floats:
    import xgboost

    return np.asarray(booster.predict(xgboost.DMatrix(x, nthread=1), output_margin=True), dtype=np.float64)


def _text(booster: Any) -> str:
    return str(bytes(booster.save_raw(raw_format="json")).decode("utf-8"))


def _platt(score: Floats, y: Floats) -> tuple[float, float]:
    """Intercept and slope of a logistic regression on the score (Platt 1999), the slope not negative."""
    a, b = 0.0, 1.0
    # Two pseudo-rows keep a perfect separation finite.
    s, t = np.append(score, [score.min() - 1, score.max() + 1]), np.append(y, [1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(a + b * s)))
        w = np.maximum(p * (1 - p), 1e-12)
        gradient = np.array([(t - p).sum(), ((t - p) * s).sum()])
        hessian = np.array([[w.sum(), (w * s).sum()], [(w * s).sum(), (w * s * s).sum() + 1e-9]])
        step = np.linalg.solve(hessian, gradient)
        a, b = a + float(np.clip(step[0], -2, 2)), b + float(np.clip(step[1], -2, 2))
        if np.abs(step).max() < 1e-10:
            break
    if b < 0:
        rate = float(np.clip(y.mean(), 1e-6, 1 - 1e-6))
        return float(np.log(rate / (1 - rate))), 0.0
    return a, b


def _chance(score: Floats, platt: tuple[float, float]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(platt[0] + platt[1] * score))))


def _quality(
    y: Floats, chance: Floats, faces: Floats, known: Floats, known_faces: Floats
) -> list[dict[str, str | float]]:
    rate = float(known.mean())
    by_face = pd.Series(known).groupby(known_faces).mean()
    models = {
        "response": chance,
        "rate by face": pd.Series(faces).map(by_face).fillna(rate).to_numpy(dtype=np.float64),
        "overall rate": np.full(len(y), rate),
    }
    rows: list[dict[str, str | float]] = []
    for model, p in models.items():
        safe = np.clip(p, 1e-9, 1 - 1e-9)
        figures = {
            "auc": _auc(y, p),
            "brier": float(((p - y) ** 2).mean()),
            "log_loss": float(-(y * np.log(safe) + (1 - y) * np.log1p(-safe)).mean()),
            "calibration_error": _calibration_error(y, p),
            "rows": float(len(y)),
            "redeemed": float(y.sum()),
        }
        rows += [{"model": model, "metric": metric, "value": value} for metric, value in figures.items()]
    return rows


def _auc(y: Floats, p: Floats) -> float:
    """Chance that a redeemed coupon ranks above one that was not, ties half."""
    ranks = pd.Series(p).rank().to_numpy()
    ones = float(y.sum())
    others = len(y) - ones
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * others)) if ones and others else float("nan")


def _calibration_error(y: Floats, p: Floats) -> float:
    order = np.lexsort((y, p))
    parts = [part for part in np.array_split(order, 10) if len(part)]
    return float(sum(abs(y[part].mean() - p[part].mean()) * len(part) for part in parts) / len(y))
