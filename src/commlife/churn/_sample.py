"""A sample of users to learn from: beyond some ten thousand more users change a forest less than its seed does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from commlife import _engine
from commlife.churn._canon import row_hashes
from commlife.orders.calendar import Timestamp, day_number

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders import OrderLog

__all__ = ["sample_of_users", "users_drawn"]

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
    users = _engine.collect_rows(_marks(log, as_of), call="SilenceModel(max_users=...)")
    if len(users) <= most:
        return log, 1.0
    hashes = row_hashes(np.column_stack([_piece(users[name], place) for name in _MARKS for place in range(3)]))
    chosen = users.loc[hashes <= np.partition(hashes, most - 1)[most - 1], ["user_id"]].reset_index(drop=True)
    return log._derived(_lines_of(log, chosen), columns=log.columns, set_aside=(), audit=None), len(users) / len(chosen)


def users_drawn(log: OrderLog, most: int, *, as_of: Timestamp, seed: int) -> tuple[OrderLog, pd.DataFrame, int]:
    """About ``most`` users of a log in parts, drawn where they lie, by a hash of the same marks and of a seed.

    No row of a user who is not drawn comes here: a threshold on the hash stands in for the rank.

    Returns:
        The log of the drawn users, their ids, and the number of users that they were drawn from.
    """
    marks = _engine.settle(_marks(log, as_of))
    users = _engine.count_rows(marks)
    place = nw.lit(seed % _PRIME)
    for name in _MARKS:
        # The remainder of a negative number has either sign, by engine: the second one makes it the same.
        place = (place + (nw.col(name) % _PRIME + _PRIME) % _PRIME) % _PRIME
        place = (place * _SPREAD + 11) % _PRIME
        place = (place * place + place) % _PRIME
    below = _PRIME if users <= most else round(most / users * _PRIME)
    drawn = marks.with_columns(place.alias("place")).filter(nw.col("place") < below).select("user_id")
    ids = _engine.collect_rows(drawn, call="the sample of users that a model is judged on")
    ids = ids.sort_values("user_id", kind="stable", ignore_index=True)
    return log._derived(_lines_of(log, ids), columns=log.columns, set_aside=(), audit=None), ids, users


#: Products of two remainders by it are whole numbers of 64 bits; a generator of its multiplicative group.
_PRIME, _SPREAD = 2**31 - 1, 48_271


def _marks(log: OrderLog, as_of: Timestamp) -> nw.LazyFrame[Any]:
    """By what users are told apart whatever they are called."""
    plan = (
        log._orders(day_number(as_of))
        .group_by("user_id")
        .agg(
            nw.col("us").min().alias("first"),
            nw.col("us").max().alias("last"),
            nw.col("net").sum(),
            nw.len().alias("orders"),
        )
    )
    return plan.with_columns(nw.col("net", "orders").cast(nw.Int64))


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
