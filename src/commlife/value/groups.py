"""What a fitted model learned beside its common parameters: each group's own, or the coefficients of covariates."""

from __future__ import annotations

from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import model_validator

from commlife._model import Spec
from commlife.errors import SchemaError
from commlife.value.histories import Index, Summary

__all__ = ["CovariateEffects", "GroupParameters", "Label", "labels_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Label = bool | int | str


class GroupParameters(Spec):
    """Parameters of each group, shrunk towards the typical one.

    Attributes:
        by: The column that names a user's group.
        labels: The groups, sorted.
        users: Users of each group that were fitted.
        params: Parameters of each group, in the order of the model's.
        log_covariance: Covariance of their logarithms, given the typical group and the spread.
        borrowed: Part of each group's mean purchase rate that comes from the whole, in [0, 1].
        typical: Parameters of the typical group.
        spread: Standard deviation between groups of the logarithm of each working parameter, by its meaning.
    """

    by: str
    labels: tuple[Label, ...]
    users: tuple[int, ...]
    params: tuple[tuple[float, ...], ...]
    log_covariance: tuple[tuple[tuple[float, ...], ...], ...]
    borrowed: tuple[float, ...]
    typical: dict[str, float]
    spread: dict[str, float]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Parameters for every label, all positive and finite."""
        values = np.array(self.params, dtype=np.float64)
        n = len(self.labels)
        if {len(self.users), len(self.params), len(self.log_covariance), len(self.borrowed)} != {n} or n == 0:
            raise ValueError("groups need as many labels as parameters, and at least one")
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError("the groups' params are positive and finite")
        return self

    def code(self, summary: Summary) -> Index:
        """The position of each user's group; the number of groups where it was not seen, or is null."""
        codes, labels = labels_of(summary, self.by)
        known = {label: place for place, label in enumerate(self.labels)}
        place = np.array([known.get(label, len(known)) for label in labels] + [len(known)], dtype=np.intp)
        return place[codes]


class CovariateEffects(Spec):
    """Coefficients of covariates, in the order: purchases, then dropout.

    Attributes:
        values: The coefficients.
        covariance: Covariance of the log parameters and the coefficients together.
    """

    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not np.isfinite(self.values).all():
            raise ValueError("coefficients are finite")
        return self


def labels_of(summary: Summary, by: str) -> tuple[Index, list[Label]]:
    """The groups of a summary, sorted, and the position of each user's (-1 where it is null).

    Raises:
        SchemaError: If the column holds anything but text, whole numbers and booleans.
    """
    column = summary.frame[by]
    dtype = column.dtype
    if dtype.is_numeric() and not dtype.is_integer():
        values = np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
        seen = values[~np.isnan(values)]
        if np.isinf(seen).any() or (seen != np.floor(seen)).any():
            _refuse(by, len(summary), str(dtype))
        codes, whole = pd.factorize(values, sort=True, use_na_sentinel=True)
        return codes.astype(np.intp), [int(value) for value in whole]
    if isinstance(dtype, (nw.Datetime, nw.Date, nw.Duration, nw.List, nw.Struct)):
        _refuse(by, len(summary), str(dtype))
    native = [None if value is None or value != value else value for value in column.to_list()]  # noqa: PLR0124 - NaN
    if not all(value is None or isinstance(value, (str, int)) for value in native):
        _refuse(by, len(summary), str(dtype))
    codes, labels = pd.factorize(np.array(native, dtype=object), use_na_sentinel=True)
    told: list[Label] = list(labels)
    order = sorted(range(len(told)), key=lambda place: (type(told[place]).__name__, told[place]))
    rank = np.empty(len(told) + 1, dtype=np.intp)
    rank[order] = np.arange(len(told))
    rank[-1] = -1
    return rank[codes], [told[place] for place in order]


def _refuse(by: str, rows: int, seen: str) -> None:
    fix = "A group is named by text or a whole number: convert the column."
    fault = {"fault": "not_a_label", "column": by, "rows": rows, "policy": "raise", "example": seen, "fix": fix}
    raise SchemaError(f"1 fault in a purchase summary.\n  {by}  not_a_label, {seen}. {fix}", pd.DataFrame([fault]))
