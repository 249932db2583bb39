"""Firsts: what stands in the earliest rows of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife._engine import spark

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["at_first"]


def at_first(
    frame: nw.LazyFrame[Any],
    first: nw.LazyFrame[Any],
    *,
    keys: Sequence[str],
    time: str,
    names: Sequence[str],
) -> nw.LazyFrame[Any]:
    """One row a key: the least value of each of ``names`` (nulls last) in the rows of the key's least ``time``.

    Args:
        frame: The rows.
        first: One row a key: the keys and ``first_<time>``, the least time. Spark finds it on its way.
        keys: What makes a key.
        time: The column that orders the rows.
        names: The columns wanted.
    """
    if frame.implementation is nw.Implementation.PYSPARK:
        return spark.at_first(frame, keys=keys, time=time, names=names)
    held = frame.join(first, on=list(keys), how="inner").filter(nw.col(time) == nw.col(f"first_{time}"))
    return held.group_by(*keys).agg(*(nw.col(name).min() for name in names))
