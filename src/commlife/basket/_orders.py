"""The baskets of an OrderLog: its orders that count, with the items that were kept."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect
from commlife.basket._baskets import Baskets, codes_of_labels, encode
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders import OrderLog
from commlife.orders.calendar import Timestamp, day_number, day_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEVELS", "baskets_of_orders", "check_level", "is_order_log", "order_items"]

LEVELS = ("item_id", "category")


def is_order_log(data: Any) -> bool:
    """Whether ``data`` is an OrderLog."""
    return isinstance(data, OrderLog)


def check_level(level: str) -> None:
    """Refuse anything but the two columns that name what was bought."""
    if level not in LEVELS:
        raise ConfigError.unknown_name("level", level, LEVELS)


def baskets_of_orders(log: OrderLog, *, as_of: Timestamp | None, level: str) -> Baskets:
    """Encode the orders of a log that count before ``as_of``."""
    check_level(level)
    if as_of is None:
        raise ConfigError("the baskets of an OrderLog need as_of=..., a local business day: lines before it are used.")
    table, n_orders = order_items(log, day_number(as_of), level)
    codes, labels = codes_of_labels(table["item"], level)
    return encode(table["order"].to_numpy(), codes, labels, n_orders)


def order_items(log: OrderLog, day: int, level: str) -> tuple[pd.DataFrame, int]:
    """What each order that counts holds: ``order`` (a number), ``item``; and the number of such orders.

    An item is held if its own lines in the order come to more than nothing, or to nothing without a negative line:
    what was returned within the order is not in the basket. Lines without an item are left out with a warning.
    """
    log.require(level, why=f"a basket of level={level!r}")
    lines = log._lines(day)
    if not log.has("order_id"):
        table = collect(lines.filter(nw.col("minor") >= 0).select(nw.col(level).alias("item")))
        order: NDArray[np.int64] = np.arange(len(table), dtype=np.int64)
        n_orders = len(table)
    else:
        keys = ["user_id", "order_id"]
        orders = log._orders(day).filter(nw.col("counts")).select(*keys)
        negative = lines.select(*keys, nw.col(level).alias("item"), "minor").with_columns(
            (nw.col("minor") < 0).cast(nw.Int64).alias("negative")
        )
        whole = negative.group_by(*keys, "item").agg(nw.col("minor").sum(), nw.col("negative").max())
        kept = whole.filter((nw.col("minor") > 0) | ((nw.col("minor") == 0) & (nw.col("negative") == 0)))
        table = collect(kept.select(*keys, "item").join(orders, on=keys, how="inner"))
        n_orders = int(collect(orders.select(nw.len().alias("n")))["n"].iloc[0])
        order = np.asarray(table.groupby(keys, sort=False).ngroup(), dtype=np.int64)
    if n_orders == 0:
        raise InsufficientDataError.no_payers("A basket", day_text(day))
    known = table["item"].notna().to_numpy()
    if not known.all():
        warnings.warn(
            f"{int((~known).sum()):,} of {len(known):,} order lines have no {level}; they are left out of the baskets, "
            "their orders stay in the denominator. Name them in the export, such as 'unknown', to count them.",
            ModelWarning,
            stacklevel=4,
        )
    return pd.DataFrame({"order": order[known], "item": table["item"].to_numpy()[known]}), n_orders
