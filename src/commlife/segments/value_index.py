"""Value index: one number from the three scores of RFM, by given weights or by their first principal component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import narwhals.stable.v2 as nw
import numpy as np
from pydantic import Field, model_validator

from commlife import _engine
from commlife._model import Fitted, Spec
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log
from commlife.segments.fitted_rfm import SCORES, FittedRFM
from commlife.segments.rfm import RFM

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["FittedValueIndex", "ValueIndex"]

Dimension = Literal["recency", "frequency", "monetary"]
Weights = dict[Dimension, Annotated[float, Field(ge=0, allow_inf_nan=False)]]


def _all_alike() -> dict[Dimension, float]:
    return {"recency": 1.0, "frequency": 1.0, "monetary": 1.0}


class ValueIndex(Spec):
    """The value of a user as a weighted sum of RFM scores, between 0 (all scores lowest) and 1 (all highest).

    Args:
        rfm: The scores to build on.
        method: ``"weighted"`` by ``weights``, or ``"pca"``: the loadings of the first principal component of the
            three scores, which is the one number that keeps most of their variance.
        weights: Weights of the dimensions for ``"weighted"``; all alike by default.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import RFM, ValueIndex
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> value = ValueIndex(rfm=RFM(n_bins=3, cuts={"frequency": [1, 3]}), method="pca").fit(log, as_of="2025-06-30")
        >>> sorted(value.loadings), 0.5 < value.explained < 1
        (['frequency', 'monetary', 'recency'], True)
        >>> value.transform(log, as_of="2025-06-30").columns.tolist()
        ['user_id', 'value_index']
    """

    rfm: RFM = RFM()
    method: Literal["weighted", "pca"] = "weighted"
    weights: Weights = Field(default_factory=_all_alike)

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if sum(self.weights.values()) <= 0:
            raise ConfigError("at least one of the weights is above 0; seen none. Raise one.")
        return self

    def fit(self, log: OrderLog, *, as_of: Timestamp) -> FittedValueIndex:
        """Learn the cuts of the scores and, for ``"pca"``, the loadings.

        Raises:
            InsufficientDataError: If nobody has an order that counts, or (``"pca"``) all users have equal scores.
        """
        need_log(log, "ValueIndex.fit")
        rfm = self.rfm.fit(log, as_of=as_of)
        scored = rfm._scored(log, day_number(as_of))
        columns = list(SCORES.values())
        # Counts of the few combinations of scores hold the whole covariance, exactly.
        cells = _engine.collect(scored.group_by(*columns).agg(nw.len().alias("users"))).sort_values(columns)
        # One layout in memory, so that engines agree to the last bit.
        scores, users = np.array(cells[columns], dtype=np.int64, order="C"), cells["users"].to_numpy(dtype=np.int64)
        n, first, second = users.sum(), users @ scores, scores.T @ (users[:, None] * scores)
        covariance = np.ascontiguousarray(n * second - np.outer(first, first)) / float(n) ** 2
        total = float(np.trace(covariance))
        if self.method == "pca":
            if total <= 0:
                raise InsufficientDataError(
                    "a principal component needs users with different scores; all are equal. Give weights instead."
                )
            vector = np.linalg.eigh(covariance)[1][:, -1]
            vector = vector * (1.0 if vector.sum() > 0 else -1.0)
        else:
            weights: dict[str, float] = dict(self.weights.items())
            given = np.array([weights.get(name, 0.0) for name in SCORES])
            vector = given / np.linalg.norm(given)
        explained = float(vector @ covariance @ vector) / total if total > 0 else 0.0
        return FittedValueIndex(
            rfm=rfm,
            method=self.method,
            loadings=dict(zip(SCORES, vector.tolist(), strict=True)),
            explained=explained,
            spec=self,
            fitted_on=rfm.fitted_on,
        )


class FittedValueIndex(Fitted):
    """Frozen loadings over frozen scores.

    Attributes:
        rfm: The scores.
        method: How the loadings were found.
        loadings: Weight of each score, a vector of length 1.
        explained: Share of the scores' variance that the index keeps.
        spec: The spec that found them, None in a file of commlife 0.1.
    """

    rfm: FittedRFM
    method: Literal["weighted", "pca"]
    loadings: dict[str, float]
    explained: float
    spec: ValueIndex | None = None

    # Format 1 did not keep the spec: its files load, with None.
    format_version: ClassVar[int] = 2

    def transform(self, log: OrderLog, *, as_of: Timestamp) -> Any:
        """The index of every payer.

        Returns:
            A frame in the input's own kind: ``user_id, value_index`` (0 to 1).
        """
        need_log(log, "FittedValueIndex.transform")
        scored = self.rfm._scored(log, day_number(as_of))
        span = float(self.rfm.n_bins - 1)
        size = sum(abs(loading) for loading in self.loadings.values())
        # A score with a negative loading counts from the other end, so that the index runs from 0 to 1 all the same.
        index: Any = nw.lit(0.0)
        for name, loading in self.loadings.items():
            step = (nw.col(SCORES[name]) - 1) if loading >= 0 else (self.rfm.n_bins - nw.col(SCORES[name]))
            index = index + step.cast(nw.Float64) * (abs(loading) / size / span)
        return log.give(scored.with_columns(index.alias("value_index")).select("user_id", "value_index"))

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {loading:.2f}" for name, loading in self.loadings.items())
        return f"FittedValueIndex({self.method}: {told}; keeps {self.explained:.0%} of the variance)"

    __str__ = __repr__
