"""Loyalty: how steadily a user buys, recent periods counting more."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import Field

from commlife import _engine
from commlife._model import FittedOn, Given, Spec, default, library_version
from commlife._text.notebook import in_notebook
from commlife.errors import InsufficientDataError
from commlife.features.periods import with_period_index
from commlife.orders.calendar import Period, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["FittedLoyalty", "Loyalty"]

#: Weights are whole numbers over this denominator, so that equal histories compare equal on every engine.
_DENOMINATOR = 2**40


class Loyalty(Spec):
    """Time-weighted share of recent periods in which a user bought.

    The index of a user is ``sum(w[k] * bought[k]) / sum(w[k])`` over the last ``n_periods`` complete periods before
    ``as_of``, with ``w[k] = decay**k`` and ``k = 0`` the newest. It lies in [0, 1]; the churn index is ``1 - loyalty``.
    A user who joined within these periods has not bought in the earlier ones: read it beside the lifecycle.

    Args:
        period: Length of a period, such as ``"7D"``, or ``"week"``, ``"month"``, ``"quarter"``.
        n_periods: Number of complete periods that count.
        decay: Weight of a period relative to the next newer one; 1 counts all alike.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import Loyalty
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> loyalty = Loyalty(period="7D", n_periods=8).fit(log, as_of="2025-06-30")
        >>> loyalty.index.columns.tolist()
        ['user_id', 'loyalty', 'churn_index']
    """

    period: Given[Period, str] = default(Period("7D"))
    n_periods: Annotated[int, Field(ge=1, le=1000, strict=True)] = 8
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8

    def fit(self, log: OrderLog, *, as_of: Timestamp) -> FittedLoyalty:
        """Compute the index of every payer at ``as_of``.

        Raises:
            InsufficientDataError: If the log holds fewer than ``n_periods`` complete periods before ``as_of``.
        """
        need_log(log, "Loyalty.fit")
        day = day_number(as_of)
        last = self.period.last_complete(as_of=day, until=complete_until(day, log.observation.until))
        found = max(last - self.period.first_whole(log.observation.first, as_of=day) + 1, 0)
        if log.n_rows == 0 or found < self.n_periods:
            raise InsufficientDataError(
                f"Loyalty needs {self.n_periods} complete periods ({self.period}) before {day_text(day)}, "
                f"the log holds {found} (it begins on {day_text(log.observation.first)}). "
                f"Use n_periods={max(found, 1)}, a shorter period, or a later as_of."
            )
        counting = log._orders(day).filter(nw.col("counts"))
        cells = with_period_index(counting, log, self.period, as_of=day).select("user_id", "index").unique()
        weights = [round(self.decay**k * _DENOMINATOR) for k in range(self.n_periods)]
        indices = [last - k for k in range(self.n_periods)]
        weight = nw.col("index").replace_strict(indices, weights, default=0, return_dtype=nw.Int64)
        users = cells.with_columns(weight.alias("weight")).group_by("user_id").agg(nw.col("weight").sum())
        # By a column: Polars divides by a number as if it multiplied by its reciprocal, which is off in the last bit.
        whole = (nw.col("weight").cast(nw.Int64) * 0 + sum(weights)).cast(nw.Float64)
        index = nw.col("weight").cast(nw.Int64).cast(nw.Float64) / whole
        users = users.with_columns(index.alias("loyalty")).with_columns((1.0 - nw.col("loyalty")).alias("churn_index"))
        users = _engine.settle(users.select("user_id", "loyalty", "churn_index"))
        n_users = _engine.count_rows(users)
        if n_users == 0:
            raise InsufficientDataError.no_payers("Loyalty", day_text(day))
        return FittedLoyalty(
            spec=self,
            index=log.give(users),
            fitted_on=FittedOn(as_of=day_text(day), rows=n_users, users=n_users, version=library_version()),
        )


@dataclass(frozen=True)
class FittedLoyalty:
    """The index of every payer.

    This is a result at ``as_of`` and no learned state: the weights follow from the spec, so there is no ``to_json``
    here. Keep ``spec.to_json()`` and fit it again; the same log and ``as_of`` give the same index.

    Attributes:
        spec: What was asked.
        index: A row a payer, in the input's own kind of frame: ``user_id, loyalty, churn_index``, both in [0, 1].
        fitted_on: When, and on how many users.
    """

    spec: Loyalty
    index: Any
    fitted_on: FittedOn

    def to_frame(self) -> Any:
        """The index."""
        return self.index

    def _repr_html_(self) -> str:
        # Counted from whole shares, never user by user: ids stay out of notebooks. 0 is a band of its own.
        shares = _engine.from_host(self.index).group_by("loyalty").agg(nw.len().alias("users"))
        counted = _engine.collect(shares)
        index, held = counted["loyalty"].to_numpy(dtype=float), counted["users"].to_numpy(dtype=np.int64)
        edges = [0.0, 0.25, 0.5, 0.75, 1.0]
        band = np.searchsorted(edges, np.minimum(index, 1.0), side="left")
        users = np.bincount(band, weights=held, minlength=len(edges)).astype(np.int64)
        names = ["0", *(f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges))]
        table = pd.DataFrame({"loyalty": names, "users": users, "share": users / max(int(held.sum()), 1)})
        return in_notebook(self, table, number="{:.0%}".format)

    def __repr__(self) -> str:
        return (
            f"FittedLoyalty({self.fitted_on.users:,} users before {self.fitted_on.as_of}, "
            f"{self.spec.n_periods} periods of {self.spec.period})"
        )
