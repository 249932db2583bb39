"""The group of each basket: a column of its order, a label of its user, or a list of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect_rows, from_host
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["group_attribute", "group_labels", "labels_of_list"]

_RULE = "by names a column of the order, such as 'community', or is a frame of user_id and one more column"


def group_attribute(log: OrderLog, by: Any, call: str) -> tuple[tuple[str, ...], str]:
    """The attribute of the order that is needed (none for a frame of users), and the name of the groups."""
    if isinstance(by, str):
        log.require(by, why=call)
        return (by,), by
    names = _columns(by)
    return (), names[0]


def group_labels(by: Any, orders: pd.DataFrame) -> pd.Series[Any]:
    """The label of each order; null where there is none."""
    if isinstance(by, str):
        return orders[by]
    (name,) = _columns(by)
    table = collect_rows(from_host(by).select("user_id", name), call="the frame of groups")
    if table["user_id"].duplicated().any():
        raise ConfigError("the frame of groups names a user twice: a user is of one group. Keep one row of each.")
    if table["user_id"].isna().any():
        raise ConfigError("the frame of groups has a null user_id: leave that row out.")
    labels = orders["user_id"].map(table.set_index("user_id")[name])
    if len(orders) and labels.isna().all():
        raise ConfigError(
            "the frame of groups names no user of the log: their ids differ, or are of another type."
            " Convert them to the log's type."
        )
    return labels


def _columns(by: Any) -> tuple[str, ...]:
    if isinstance(by, Mapping | Sequence):
        raise ConfigError(f"{_RULE}; seen a {type(by).__name__}.")
    try:
        names = nw.from_native(by).collect_schema().names()
    except TypeError:
        raise ConfigError(f"{_RULE}; seen a {type(by).__name__}.") from None
    others = tuple(name for name in names if name != "user_id")
    if "user_id" not in names or len(others) != 1:
        raise ConfigError(f"{_RULE}; the frame has the columns {names!r:.80}. Select two of them.")
    return others


def labels_of_list(by: Any, n_baskets: int) -> pd.Series[Any]:
    """A label for each basket of a list or matrix."""
    if isinstance(by, str | Mapping) or not isinstance(by, Sequence | np.ndarray | pd.Series | pd.Index):
        raise ConfigError(f"without an OrderLog, by is a list with the group of each basket; seen {by!r:.40}.")
    labels = pd.Series(np.fromiter(by, dtype=object, count=len(by)), dtype=object)
    if len(labels) != n_baskets:
        raise ConfigError(f"by gives {len(labels):,} groups for {n_baskets:,} baskets. Give one for each.")
    return labels
