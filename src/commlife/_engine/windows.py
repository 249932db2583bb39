"""Windows over time within a key: the one relational step that engines do in different ways."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NONE_BEFORE", "with_previous"]

#: Stands for "there is no row before this one": whole numbers stay whole on every engine.
NONE_BEFORE = -(2**40)


def with_previous(frame: nw.LazyFrame[Any], column: str, *, by: str | Sequence[str], into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: the value of ``column`` (Int64, unique within ``by``) in the row before, in its own order.

    The first row of each key gets :data:`NONE_BEFORE`. Rows may come back in another order.
    """
    keys = [by] if isinstance(by, str) else list(by)
    if frame.implementation is nw.Implementation.DASK:
        return _with_previous_dask(frame, column, by=keys, into=into)
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
        return part.assign(**{into: before.where(same, NONE_BEFORE).astype("int64")})

    meta = native._meta.assign(**{into: native._meta[column].astype("int64")})
    return nw.from_native(native.map_partitions(shift, meta=meta))
