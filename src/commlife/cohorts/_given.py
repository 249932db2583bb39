"""Given cohorts: a host's own frame of users and the cohort of each, brought to the log's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import collect_rows, from_host, lazy_like
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["label_plan"]

_RULE = 'cohort is "first_order", "active", an attribute such as "channel", or a frame with user_id and cohort'


def label_plan(frame: Any, log: OrderLog, day: int) -> nw.LazyFrame[Any]:
    """user_id and ``cohort_label`` as a plan that can be joined with the log's.

    Raises:
        ConfigError: If it is no frame, lacks a column, has nulls, a user twice, or ids of another type than the log.
    """
    try:
        given = nw.from_native(frame)
    except TypeError:
        raise ConfigError(f"{_RULE}; seen {type(frame).__name__}.") from None
    names = given.collect_schema().names()
    if not {"user_id", "cohort"} <= set(names):
        raise ConfigError(f"{_RULE}; the frame has the columns {names!r:.80}. Select two of them.")
    wanted = from_host(frame).select("user_id", nw.col("cohort").alias("cohort_label"))
    table = collect_rows(wanted, call="cohort_table(cohort=...)")
    if table.isna().to_numpy().any():
        raise ConfigError("the frame of cohorts has nulls in user_id or cohort: leave those users out.")
    if table["user_id"].duplicated().any():
        raise ConfigError("the frame of cohorts names a user twice: a user is of one cohort. Keep one row of each.")
    orders = log._orders(day)
    is_number = orders.collect_schema()["user_id"].is_integer()
    if is_number != pd.api.types.is_integer_dtype(table["user_id"].dtype):
        kind = "whole numbers" if is_number else "text"
        raise ConfigError(
            f"the user_id of the frame of cohorts is {kind}, as in the log; seen {table['user_id'].dtype}."
        )
    return lazy_like(table, orders, types={"user_id": "user_id"})
