"""Weights of baskets: money, units and age, in whole numbers, so that sums are exact in every order."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["WEIGHTS", "given_weights", "order_weights"]

#: What an order may weigh.
WEIGHTS = ("amount", "quantity")
#: Finest part of an order, of a unit, and of a unit of money that has decayed.
_ORDER, _UNIT, _DECAYED = 1 << 20, 1_000, 100
_MOST = 2**62


def order_weights(
    log: OrderLog, orders: pd.DataFrame, weight: str | None, half_life: str | None, day: int
) -> tuple[NDArray[np.int64], float]:
    """The weight of each order in whole numbers, and how many of these make one order, unit, or unit of money.

    Money counts in minor units, units in thousandths. With a half-life an order of the last day before ``as_of`` counts
    in full, and one that is a half-life older half: rounded to 2**-20 of an order, or to a hundredth of a minor unit.
    """
    if weight == "amount":
        whole, scale = orders["net"].to_numpy(dtype=np.float64), log.scale
    elif weight == "quantity":
        units = orders["units"].fillna(0).to_numpy(dtype=np.float64)
        whole, scale = np.rint(np.maximum(units, 0) * _UNIT), _UNIT
    else:
        whole, scale = np.full(len(orders), float(_ORDER)), _ORDER
    if half_life is not None:
        age = day - 1 - orders["day"].to_numpy(dtype=np.float64)
        finer = _DECAYED if weight else 1
        whole, scale = np.rint(whole * finer * 0.5 ** (age / Duration(half_life).days)), scale * finer
    _check_sum(float(whole.sum()))
    return whole.astype(np.int64), float(scale)


def given_weights(weight: Any, n_baskets: int) -> NDArray[np.int64]:
    """Weights that the host gives for its lists of items: whole numbers, such as cents."""
    if isinstance(weight, str) or not isinstance(weight, Sequence | np.ndarray | pd.Series):
        raise ConfigError(
            f"weight is 'amount' or 'quantity' for an OrderLog, else a list with the weight of each basket; "
            f"seen {weight!r:.40}."
        )
    if len(weight) != n_baskets:
        raise ConfigError(f"weight gives {len(weight):,} numbers for {n_baskets:,} baskets. Give one for each.")
    wrong = next(
        (w for w in weight if isinstance(w, bool | np.bool_) or not isinstance(w, numbers.Integral) or w < 0), None
    )
    if wrong is not None:
        raise ConfigError(f"a weight is a whole number of 0 or more, such as cents; seen {wrong!r:.40}.")
    values = [int(w) for w in weight]
    _check_sum(sum(values))
    return np.array(values, dtype=np.int64)


def _check_sum(total: float) -> None:
    if total >= _MOST:
        raise ConfigError(f"the weights sum to {total:.3g}, more than 64 bits hold. Give them in larger units.")
    if total <= 0:
        raise InsufficientDataError("the weights are all zero: no share of nothing can be told. Leave weight out.")
