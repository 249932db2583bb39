"""A sample of users to learn from: beyond some ten thousand more users change a forest less than its seed does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from commlife import _engine
from commlife.churn._canon import row_hashes
from commlife.orders.calendar import Timestamp, day_number

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["sample_of_users"]

#: Whole numbers below it are exact as float32, which is what rows are hashed as.
_EXACT = 2**24
#: What of a user's history is hashed.
_MARKS = ("first", "last", "net", "orders")


def sample_of_users(log: OrderLog, most: int | None, *, as_of: Timestamp) -> tuple[OrderLog, float]:
    """The whole histories of at most about ``most`` users, and how many users each of them stands for.

    Who is drawn is decided by a hash of when a user first and last ordered, how often and for how much before
    ``as_of``, never by ids: renamed users and rows in another order give the same sample. Users with equal histories
    are drawn together.
    """
    if most is None or log.n_users <= most:
        return log, 1.0
    orders = log._orders(day_number(as_of))
    plan = orders.group_by("user_id").agg(
        nw.col("us").min().alias("first"),
        nw.col("us").max().alias("last"),
        nw.col("net").sum(),
        nw.len().alias("orders"),
    )
    users = _engine.collect(plan.with_columns(nw.col("net", "orders").cast(nw.Int64)))
    if len(users) <= most:
        return log, 1.0
    hashes = row_hashes(np.column_stack([_piece(users[name], place) for name in _MARKS for place in range(3)]))
    chosen = users.loc[hashes <= np.partition(hashes, most - 1)[most - 1], ["user_id"]].reset_index(drop=True)
    return log._derived(_lines_of(log, chosen), columns=log.columns, set_aside=(), audit=None), len(users) / len(chosen)


def _piece(values: Any, place: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """24 bits of each whole number."""
    return ((values.to_numpy(dtype=np.int64) >> (24 * place)) % _EXACT).astype(np.float32)


def _lines_of(log: OrderLog, users: Any) -> nw.LazyFrame[Any]:
    lines = log._frame
    if lines.implementation is nw.Implementation.PANDAS:
        native = nw.to_native(lines)
        return nw.from_native(native[native["user_id"].isin(users["user_id"])].reset_index(drop=True)).lazy()
    drawn = lines.join(_engine.lazy_like(users, lines, types={"user_id": "user_id"}), on="user_id", how="semi")
    # Every snapshot reads them several times: the whole log is read once.
    return _engine.settle(drawn)
