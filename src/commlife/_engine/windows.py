"""Windows over time within a key: the one relational step that engines do in different ways."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife._engine.cells import places_of_keys
from commlife._engine.sorting import bits_of, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NONE_AFTER", "NONE_BEFORE", "with_neighbours", "with_previous"]

#: Stands for "there is no row before this one": whole numbers stay whole on every engine.
NONE_BEFORE = -(2**40)
#: Likewise for the row after.
NONE_AFTER = 2**40


def with_previous(frame: nw.LazyFrame[Any], column: str, *, by: str | Sequence[str], into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: the value of ``column`` (Int64, unique within ``by``) in the row before, in its own order.

    The first row of each key gets :data:`NONE_BEFORE`. Rows may come back in another order.
    """
    keys = [by] if isinstance(by, str) else list(by)
    if frame.implementation is nw.Implementation.DASK:
        return _with_previous_dask(frame, column, by=keys, into=into)
    if frame.implementation is nw.Implementation.PANDAS and len(keys) == 1:
        return nw.from_native(_pandas_previous(nw.to_native(frame), column, by=keys[0], into=into)).lazy()
    if frame.implementation in {nw.Implementation.PANDAS, nw.Implementation.PYARROW}:
        # PyArrow has no windows and pandas' grouped shift is slow: after one sort the row before is a plain shift.
        ordered = nw.from_native(nw.to_native(frame), eager_only=True).sort(*keys, column)
        same_key = reduce(and_, map(_as_before, keys))
        earlier = ordered.with_columns(nw.col(column).shift(1).alias(into), same_key.alias("_same_key"))
        same = nw.col("_same_key").fill_null(value=False)
        return (
            earlier.with_columns(
                nw.when(same).then(nw.col(into)).otherwise(nw.lit(NONE_BEFORE)).cast(nw.Int64).alias(into)
            )
            .drop("_same_key")
            .lazy()
        )
    previous = nw.col(column).shift(1).over(*keys, order_by=column)
    return frame.with_columns(previous.fill_null(NONE_BEFORE).cast(nw.Int64).alias(into))


def _as_before(key: str) -> nw.Expr:
    """Whether a key is that of the row before; a null is a key like any other."""
    here, before = nw.col(key), nw.col(key).shift(1)
    return (here == before).fill_null(value=False) | (here.is_null() & before.is_null())


def _with_previous_dask(frame: nw.LazyFrame[Any], column: str, *, by: list[str], into: str) -> nw.LazyFrame[Any]:
    """Dask has no shift over an order: bring each key into one partition, then shift there."""
    native = nw.to_native(frame).shuffle(on=by)

    def shift(part: Any) -> Any:
        part = part.sort_values([*by, column])
        before = part[column].shift(1)
        earlier = part[by].shift(1)
        same = ((part[by] == earlier) | (part[by].isna() & earlier.isna())).all(axis=1)
        # Nothing stands before the first row of a part, whatever its keys.
        return part.assign(**{into: before.where(same & before.notna(), NONE_BEFORE).astype("int64")})

    meta = native._meta.assign(**{into: native._meta[column].astype("int64")})
    return nw.from_native(native.map_partitions(shift, meta=meta))


def with_neighbours(frame: nw.LazyFrame[Any], column: str, *, by: str | Sequence[str], carry: str) -> nw.LazyFrame[Any]:
    """Add previous and next, the values of ``column`` (Int64, unique within ``by``) in the rows before and after.

    Also ``before``, the value of ``carry`` in the row before. One sort serves all three; where there is no such row
    they are :data:`NONE_BEFORE`, :data:`NONE_AFTER` and 0. Rows may come back in another order. Several keys are for
    engines with windows (DuckDB, PySpark).
    """
    if not isinstance(by, str):
        return _by_windows(frame, column, by=by, carry=carry)
    kind, native = frame.implementation, nw.to_native(frame)
    if kind is nw.Implementation.PANDAS:
        return nw.from_native(_pandas_neighbours(native, column, by=by, carry=carry)).lazy()
    if kind is nw.Implementation.DASK:
        whole = native.shuffle(on=[by])
        meta = _pandas_neighbours(native._meta, column, by=by, carry=carry)
        return nw.from_native(whole.map_partitions(_pandas_neighbours, column, by=by, carry=carry, meta=meta))
    if kind is nw.Implementation.POLARS:
        import polars as pl

        shifted = native.sort(by, column).with_columns(
            pl.col(by).eq_missing(pl.col(by).shift(1)).fill_null(value=False).alias("_after_one"),
            pl.col(by).eq_missing(pl.col(by).shift(-1)).fill_null(value=False).alias("_before_one"),
            pl.col(column).shift(1).alias("previous"),
            pl.col(column).shift(-1).alias("next"),
            pl.col(carry).shift(1).alias("before"),
        )
        # The ends of the frame have nobody beside them, whatever their key.
        after, before = pl.col("_after_one") & pl.col("previous").is_not_null(), pl.col("_before_one")
        told = shifted.with_columns(
            pl.when(after).then("previous").otherwise(NONE_BEFORE).cast(pl.Int64).alias("previous"),
            pl.when(before & pl.col("next").is_not_null())
            .then("next")
            .otherwise(NONE_AFTER)
            .cast(pl.Int64)
            .alias("next"),
            pl.when(after).then("before").otherwise(0).cast(pl.Int64).alias("before"),
        )
        return nw.from_native(told.drop("_after_one", "_before_one"))
    if kind is nw.Implementation.PYARROW:
        ordered = nw.from_native(native, eager_only=True).sort(by, column)
        marked = ordered.with_columns(
            _as_before(by).alias("_after_one"),
            nw.col(column).shift(1).alias("previous"),
            nw.col(column).shift(-1).alias("next"),
            nw.col(carry).shift(1).alias("before"),
        ).with_columns(nw.col("_after_one").shift(-1).alias("_before_one"))
        follows = nw.col("_after_one").fill_null(value=False) & ~nw.col("previous").is_null()
        leads = nw.col("_before_one").fill_null(value=False)
        told = marked.with_columns(
            nw.when(follows).then(nw.col("previous")).otherwise(nw.lit(NONE_BEFORE)).cast(nw.Int64).alias("previous"),
            nw.when(leads).then(nw.col("next")).otherwise(nw.lit(NONE_AFTER)).cast(nw.Int64).alias("next"),
            nw.when(follows).then(nw.col("before")).otherwise(nw.lit(0)).cast(nw.Int64).alias("before"),
        )
        return told.drop("_after_one", "_before_one").lazy()
    return _by_windows(frame, column, by=[by], carry=carry)


def _by_windows(frame: nw.LazyFrame[Any], column: str, *, by: Sequence[str], carry: str) -> nw.LazyFrame[Any]:
    here = nw.col(column)
    return frame.with_columns(
        here.shift(1).over(*by, order_by=column).fill_null(NONE_BEFORE).cast(nw.Int64).alias("previous"),
        here.shift(-1).over(*by, order_by=column).fill_null(NONE_AFTER).cast(nw.Int64).alias("next"),
        nw.col(carry).shift(1).over(*by, order_by=column).fill_null(0).cast(nw.Int64).alias("before"),
    )


def _pandas_previous(part: Any, column: str, *, by: str, into: str) -> Any:
    """The same for the row before alone."""
    import numpy as np

    part, places, values = _in_order(part, column, by=by)
    before = np.full(len(values), NONE_BEFORE, dtype=np.int64)
    before[1:] = np.where(places[1:] == places[:-1], values[:-1], NONE_BEFORE)
    return part.assign(**{into: before})


def _in_order(part: Any, column: str, *, by: str) -> tuple[Any, Any, Any]:
    """Rows by key and value after one sort of one number a row; the places of their keys; the values."""
    import numpy as np

    places = places_of_keys(part[by])
    values = part[column].to_numpy(dtype=np.int64)
    low = int(values.min()) if len(values) else 0
    bits = bits_of(int(values.max()) - low + 1 if len(values) else 1)
    key = (places << bits) | (values - low)
    if not (key[1:] < key[:-1]).any():
        return part, places, values
    order, key = in_order(key)
    return part.take(order), key >> bits, (key & ((1 << bits) - 1)) + low


def _pandas_neighbours(part: Any, column: str, *, by: str, carry: str) -> Any:
    """One sort of one number a row: the key's place and the value beside it."""
    import numpy as np

    part, places, values = _in_order(part, column, by=by)
    carried = part[carry].to_numpy(dtype=np.int64)
    same = places[1:] == places[:-1]
    return part.assign(
        previous=np.concatenate([[NONE_BEFORE][: len(values)], np.where(same, values[:-1], NONE_BEFORE)]).astype(
            np.int64
        ),
        next=np.concatenate([np.where(same, values[1:], NONE_AFTER), [NONE_AFTER][: len(values)]]).astype(np.int64),
        before=np.concatenate([[0][: len(values)], np.where(same, carried[:-1], 0)]).astype(np.int64),
    )
