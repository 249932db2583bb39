"""Lives: users' periods with an order, each coded by what came before it and what came after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine.cells import places_of_keys, sums_by_cell
from commlife._engine.frames import settle
from commlife._engine.sorting import begins_of_stretches, bits_of, in_order, sums_of_stretches
from commlife._engine.windows import NONE_BEFORE, with_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "CHURNS",
    "EXISTING",
    "FROM_CHURNED",
    "FROM_SILENT",
    "IDLE",
    "KEPT",
    "LAPSES",
    "NEVER",
    "NEW",
    "NEXT",
    "Thresholds",
    "coded_lives",
]

#: How a user came to be in the base in a period with an order: for the first time, for the first time that the log
#: shows, without having been away, after a silence, after a long one.
NEW, EXISTING, KEPT, FROM_SILENT, FROM_CHURNED = range(5)
#: What follows on a period with an order: an order in the next one, a pause within the base, a silence that ends or
#: may end before it is long, a long silence.
NEXT, IDLE, LAPSES, CHURNS = range(4)
#: Stands for "no silence is ever called long", and for an end that is not known.
NEVER = 2**30


@dataclass(frozen=True)
class Thresholds:
    """Periods without an order after which a user is silent, and after which the silence is long."""

    silent_after: int
    churned_after: int


def coded_lives(
    orders: nw.LazyFrame[Any],
    thresholds: Thresholds,
    *,
    refunds: bool,
    rows: int,
    join: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]],
) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Periods of users with an order that counts, and those with nothing but refunds; settled.

    Args:
        orders: user_id, index (Int64), net (Int64), and, where ``refunds``, counts.
        thresholds: When a user is silent.
        refunds: Whether some orders may not count.
        rows: Lines of the log behind the plan.
        join: Adds what is wanted of the users; it keeps the rows.

    Returns:
        A row a user and period with an order that counts: user_id, index, net, entry (never :data:`EXISTING`), exit,
        until (periods to the next one, :data:`NEVER` where none is known), up and down (what a user spends more or
        less than in the period before, where that has an order). And a row a user and period with refunds alone:
        user_id, index, net. Both with what was joined.
    """
    kind = orders.implementation
    if kind is nw.Implementation.PANDAS:
        made = _pandas_lives(nw.to_native(orders), thresholds, refunds=refunds)
        active, alone = (join(nw.from_native(frame).lazy()) for frame in made)
        return active, alone
    if kind is nw.Implementation.DUCKDB:
        return _duckdb_lives(orders, thresholds, refunds=refunds, rows=rows, join=join)
    if not refunds:
        cells = sums_by_cell(orders, by="user_id", index="index", sums=["net"])
        coded = _coded(with_neighbours(cells, "index", by="user_id", carry="net"), thresholds)
        held = _widened(settle(join(coded), rows=rows, for_now=True))
        return held, held.head(0)
    counted = orders.with_columns(nw.col("counts").cast(nw.Int64).alias("orders"))
    cells = sums_by_cell(counted, by="user_id", index="index", sums=["orders", "net"])
    # Asked for two things: who was active, and who had nothing but refunds.
    cells = settle(cells, rows=rows, for_now=True)
    active = cells.filter(nw.col("orders") > 0).select("user_id", "index", "net")
    coded = _coded(with_neighbours(active, "index", by="user_id", carry="net"), thresholds)
    alone = cells.filter(nw.col("orders") == 0).select("user_id", "index", "net")
    return _widened(settle(join(coded), rows=rows, for_now=True)), join(alone)


#: Columns of lives that smaller numbers hold, and which: rows of lives are most of DuckDB's memory, and of what goes
#: to disk beyond it.
_NARROW = {"index": nw.Int32, "entry": nw.Int8, "exit": nw.Int8, "until": nw.Int32}


def _duckdb_lives(
    orders: nw.LazyFrame[Any],
    thresholds: Thresholds,
    *,
    refunds: bool,
    rows: int,
    join: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]],
) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Refunds alone are lives of their own beside the user's: one query, whose rows are held once and in few bytes."""
    keys, held = ["user_id", "index"], [nw.col("net").sum()]
    small = orders.with_columns(nw.col("index").cast(nw.Int32))
    if refunds:
        small = small.with_columns(nw.col("counts").cast(nw.Int8).alias("active"))
        held.append(nw.col("active").max())
    cells = small.group_by(*keys).agg(*held).with_columns(nw.col("net").cast(nw.Int64))
    by = ("user_id", "active") if refunds else ("user_id",)
    coded = _coded(with_neighbours(cells, "index", by=by, carry="net"), thresholds)
    coded = coded.with_columns(*(nw.col(name).cast(dtype) for name, dtype in _NARROW.items()))
    lives = _widened(settle(join(coded), rows=rows, for_now=True))
    if not refunds:
        return lives, lives.head(0)
    active, alone = (lives.filter(nw.col("active") == whether).drop("active") for whether in (1, 0))
    return active, alone


def _widened(lives: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """With up and down in the place of more."""
    more = nw.col("more")
    up = nw.when(more > 0).then(more).otherwise(nw.lit(0)).cast(nw.Int64)
    widened = lives.with_columns(nw.col(*_NARROW).cast(nw.Int64), up.alias("up"))
    return widened.with_columns((nw.col("up") - more).alias("down")).drop("more")


def _coded(lives: nw.LazyFrame[Any], thresholds: Thresholds) -> nw.LazyFrame[Any]:
    """Add entry, exit, until and more in the place of previous, next and before."""
    silent_after, churned_after = thresholds.silent_after, thresholds.churned_after
    since = nw.col("index") - nw.col("previous")
    until = nw.col("next") - nw.col("index")
    kept = KEPT + _one(since > silent_after) + _one(since > churned_after)
    entry = nw.when(nw.col("previous") == NONE_BEFORE).then(nw.lit(NEW)).otherwise(kept)
    # What the user spent in the period before; nothing where the row before lies further back.
    spent = nw.when(since == 1).then(nw.col("before")).otherwise(nw.lit(0))
    return lives.with_columns(
        nw.when(until > NEVER).then(nw.lit(NEVER)).otherwise(until).cast(nw.Int64).alias("until"),
        entry.cast(nw.Int64).alias("entry"),
        (_one(until > 1) + _one(until > silent_after) + _one(until > churned_after)).cast(nw.Int64).alias("exit"),
        (nw.col("net") - spent).cast(nw.Int64).alias("more"),
    ).drop("previous", "next", "before")


def _one(condition: nw.Expr) -> nw.Expr:
    return condition.cast(nw.Int64)


#: Rows that are coded at a time: what is made on the way stays in the processor's caches.
_BLOCK = 2**16
#: A distance to a period that does not exist: above every threshold, NEVER too.
_NO_END = 2**31 - 1


def _pandas_lives(orders: Any, thresholds: Thresholds, *, refunds: bool) -> tuple[Any, Any]:
    """One sort of one number a row: the user's place, the period, and whether the order does not count."""
    index = orders["index"].to_numpy(dtype=np.int64)
    low = int(index.min()) if len(index) else 0
    bits = bits_of(int(index.max()) - low + 1 if len(index) else 1)
    key = places_of_keys(orders["user_id"])
    key <<= bits
    key |= index - low
    if refunds:
        key <<= 1
        key |= ~orders["counts"].to_numpy(dtype=bool)
    order, key = in_order(key)
    begins = begins_of_stretches(key >> 1 if refunds else key)
    net = sums_of_stretches(orders["net"].to_numpy(dtype=np.int64)[order], begins)
    first, key = order[begins], key[begins]
    del order, begins
    alone = np.zeros(0, dtype=np.int64)
    if refunds:
        # Orders that count come first in their period: where the first one does not, none does.
        is_alone = (key & 1).astype(bool)
        key >>= 1
        alone = np.flatnonzero(is_alone)
    index = (key & ((1 << bits) - 1)) + low
    users = orders["user_id"]
    none = pd.DataFrame(
        {"user_id": users.take(first[alone]).reset_index(drop=True), "index": index[alone], "net": net[alone]},
        copy=False,
    )
    if len(alone):
        first, key, index, net = (values[~is_alone] for values in (first, key, index, net))
    codes = _codes(key >> bits, index, net, thresholds)
    return pd.DataFrame(
        {"user_id": users.take(first).reset_index(drop=True), "index": index, "net": net, **codes}, copy=False
    ), none


def _codes(
    places: NDArray[np.int64], index: NDArray[np.int64], net: NDArray[np.int64], thresholds: Thresholds
) -> dict[str, NDArray[Any]]:
    """entry, exit, until, up and down of rows in the order of user and period."""
    n = len(index)
    # The distance to the row before; that of the row after stands one further on.
    gap = np.full(n + 1, _NO_END, dtype=np.int32)
    if n:
        np.subtract(index[1:], index[:-1], out=gap[1:n], casting="unsafe", where=places[1:] == places[:-1])
    entry, leaves = (np.empty(n, dtype=np.int8) for _ in range(2))
    up, down = (np.empty(n, dtype=np.int64) for _ in range(2))
    for begin in range(0, n, _BLOCK):
        part = slice(begin, min(begin + _BLOCK, n))
        since, until = gap[part], gap[part.start + 1 : part.stop + 1]
        entry[part] = _steps(since, thresholds) + np.int8(KEPT)
        entry[part][since == _NO_END] = NEW
        leaves[part] = _steps(until, thresholds) + (until > 1)
        more = net[part].copy()
        followers = np.flatnonzero(since == 1)
        more[followers] -= net[followers + (begin - 1)]
        np.maximum(more, 0, out=up[part])
        np.subtract(up[part], more, out=down[part])
    return {"entry": entry, "exit": leaves, "until": np.minimum(gap[1:], NEVER), "up": up, "down": down}


def _steps(periods: NDArray[np.int32], thresholds: Thresholds) -> NDArray[np.int8]:
    """How many of the two thresholds a number of periods lies above."""
    return np.add(periods > thresholds.silent_after, periods > thresholds.churned_after, dtype=np.int8)
