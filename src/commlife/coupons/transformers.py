"""The codings of :class:`~commlife.coupons.CouponResponse` as scikit-learn transformers, for pipelines of your own.

This module imports scikit-learn; nothing else in the library imports this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from commlife.coupons._coding import (
    bucket_codes,
    bucket_edges,
    crossed_codes,
    crossed_pairs,
    one_hot,
    vocabulary,
    vocabulary_codes,
)
from commlife.errors import ConfigError

__all__ = ["Buckets", "Crossed", "Vocabulary"]


def _frame(given: Any) -> pd.DataFrame:
    if isinstance(given, pd.DataFrame):
        return given
    array = np.asarray(given)
    if array.ndim != 2:
        raise ConfigError(f"a transformer takes a table, rows by columns; seen shape {array.shape}.")
    return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])


if TYPE_CHECKING:

    class _Transformer:
        """What scikit-learn's bases give, with types; they have none themselves."""

        def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...  # noqa: FBT001, FBT002  (scikit-learn's own)
        def set_params(self, **params: Any) -> Self: ...
        def set_output(self, *, transform: str | None = None) -> Self: ...

else:

    class _Transformer(TransformerMixin, BaseEstimator):
        """scikit-learn's own bases."""


class _Coded(_Transformer, ABC):
    """Codes of each column, as zeros and ones."""

    feature_names_in_: Any

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the coding."""
        del y
        frame = _frame(X)
        self.feature_names_in_ = np.array([str(name) for name in frame.columns], dtype=object)
        self._learn(frame)
        return self

    def transform(self, X: Any) -> Any:
        """A sparse matrix of zeros and ones."""
        check_is_fitted(self, "feature_names_in_")
        frame = _frame(X)
        if frame.shape[1] != len(self.feature_names_in_):
            raise ConfigError(f"fitted on {len(self.feature_names_in_)} columns; seen {frame.shape[1]}.")
        return one_hot(self._codes(frame), len(frame))

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """One name a column of the result."""
        del input_features
        check_is_fitted(self, "feature_names_in_")
        return np.array(self._names(), dtype=object)

    @abstractmethod
    def _learn(self, frame: pd.DataFrame) -> None:
        """Learn the coding of each column."""

    @abstractmethod
    def _codes(self, frame: pd.DataFrame) -> list[tuple[Any, int]]:
        """Each column's codes, and how many codes it can have."""

    @abstractmethod
    def _names(self) -> list[str]:
        """A name for each column of the result."""


class Buckets(_Coded):
    """Numbers in buckets between quantiles; missing ones have their own.

    Args:
        n_buckets: Buckets of each column, fewer where values tie.

    Examples:
        >>> Buckets(n_buckets=2).fit_transform([[1.0], [2.0], [3.0], [float("nan")]]).toarray().tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, n_buckets: int = 10) -> None:
        self.n_buckets = n_buckets

    def _learn(self, frame: pd.DataFrame) -> None:
        self.edges_: list[Any] = [
            bucket_edges(frame[name].to_numpy(np.float64), self.n_buckets) for name in frame.columns
        ]

    def _codes(self, frame: pd.DataFrame) -> list[tuple[Any, int]]:
        columns = (frame[name].to_numpy(np.float64) for name in frame.columns)
        return [(bucket_codes(column, e), len(e) + 2) for column, e in zip(columns, self.edges_, strict=True)]

    def _names(self) -> list[str]:
        names = []
        for name, edges in zip(self.feature_names_in_, self.edges_, strict=True):
            ends = ["", *(f"{edge:g}" for edge in edges), ""]
            names += [f"{name} missing", *(f"{name} [{a}, {b})" for a, b in pairwise(ends))]
        return names


class Vocabulary(_Coded):
    """Texts as levels of a vocabulary; rare, unseen and missing ones are *other*.

    Args:
        min_count: Fewest rows of a level.
        max_levels: Most levels of a column, the most frequent ones.

    Examples:
        >>> coded = Vocabulary(min_count=2).fit([["a"], ["a"], ["b"]])
        >>> coded.get_feature_names_out().tolist(), coded.transform([["a"], ["z"]]).toarray().tolist()
        (['x0 other', 'x0 = a'], [[0.0, 1.0], [1.0, 0.0]])
    """

    def __init__(self, min_count: int = 10, max_levels: int = 200) -> None:
        self.min_count = min_count
        self.max_levels = max_levels

    def _learn(self, frame: pd.DataFrame) -> None:
        self.levels_: list[Any] = [
            vocabulary(frame[name].astype(object), min_count=self.min_count, most=self.max_levels)
            for name in frame.columns
        ]

    def _codes(self, frame: pd.DataFrame) -> list[tuple[Any, int]]:
        columns = (frame[name].astype(object) for name in frame.columns)
        return [(vocabulary_codes(c, levels), len(levels) + 1) for c, levels in zip(columns, self.levels_, strict=True)]

    def _names(self) -> list[str]:
        pairs = zip(self.feature_names_in_, self.levels_, strict=True)
        return [text for name, levels in pairs for text in (f"{name} other", *(f"{name} = {one}" for one in levels))]


class Crossed(_Coded):
    """Two columns of codes (whole numbers from 0) crossed: one column a pair that occurs often enough.

    Args:
        min_count: Fewest rows of a pair; all others are *other*.

    Examples:
        >>> Crossed(min_count=1).fit_transform([[0, 1], [1, 1], [0, 1]]).toarray().tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, min_count: int = 10) -> None:
        self.min_count = min_count

    def _learn(self, frame: pd.DataFrame) -> None:
        if frame.shape[1] != 2:
            raise ConfigError(f"Crossed takes two columns of codes; seen {frame.shape[1]}.")
        left, right = (frame[name].to_numpy(np.intp) for name in frame.columns)
        self.pairs_: Any = crossed_pairs(left, right, min_count=self.min_count)

    def _codes(self, frame: pd.DataFrame) -> list[tuple[Any, int]]:
        left, right = (frame[name].to_numpy(np.intp) for name in frame.columns)
        return [(crossed_codes(left, right, self.pairs_), len(self.pairs_) + 1)]

    def _names(self) -> list[str]:
        one, other = self.feature_names_in_
        return [f"{one} x {other} other", *(f"{one} {a} x {other} {b}" for a, b in self.pairs_)]
