"""Rows that stand in a frame twice, to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife._engine import spark

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["mark_repeats"]


def mark_repeats(frame: nw.LazyFrame[Any], columns: Sequence[str], *, into: str) -> nw.LazyFrame[Any]:
    """Add the boolean ``into``: whether an equal row (over ``columns``) stands before this one.

    Equal rows cannot be told apart, so which of them counts as the first does not matter.
    """
    names = list(columns)
    native = nw.to_native(frame)
    if frame.implementation is nw.Implementation.PANDAS:
        return nw.from_native(native.assign(**{into: _pandas_repeats(native, names)})).lazy()
    if frame.implementation is nw.Implementation.POLARS:
        import polars as pl

        return nw.from_native(native.with_columns((~pl.struct(names).is_first_distinct()).alias(into)))
    if frame.implementation is nw.Implementation.PYARROW:
        eager = nw.from_native(native, eager_only=True)
        first = eager.with_row_index("_row").group_by(names).agg(nw.col("_row").min())["_row"].to_numpy()
        repeated = eager.with_row_index("_row")["_row"].is_in(first.tolist())
        return eager.with_columns((~repeated).alias(into)).lazy()
    if frame.implementation is nw.Implementation.DUCKDB:
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        return nw.from_native(native.project(f'*, row_number() OVER (PARTITION BY {listed}) > 1 AS "{into}"'))
    if frame.implementation is nw.Implementation.DASK:
        whole = native.shuffle(on=names)
        meta = whole._meta.assign(**{into: False})
        return nw.from_native(
            whole.map_partitions(lambda part: part.assign(**{into: part.duplicated(subset=names)}), meta=meta)
        )
    return spark.mark_repeats(frame, names, into=into)


def _pandas_repeats(native: Any, names: list[str]) -> Any:
    """Only rows whose numbers stand in another row too are looked at whole: they are few, and texts are slow."""
    import numpy as np

    mixed = np.zeros(len(native), dtype=np.uint64)
    for name in names:
        dtype = native[name].dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "iM" and dtype.itemsize == _WORD:
            mixed = (mixed ^ native[name].to_numpy().view(np.uint64)) * np.uint64(_ODD)
            mixed ^= mixed >> np.uint64(29)
    order = np.sort(mixed)
    twice = np.unique(order[1:][order[1:] == order[:-1]])
    if not len(twice):
        return np.zeros(len(native), dtype=bool)
    suspect = twice[np.minimum(np.searchsorted(twice, mixed), len(twice) - 1)] == mixed
    repeated = np.zeros(len(native), dtype=bool)
    repeated[suspect] = native[suspect].duplicated(subset=names).to_numpy()
    return repeated


#: Spreads sums of numbers over 64 bits; any odd number does, since what looks equal is compared in full.
_ODD, _WORD = 0x9E3779B97F4A7C15, 8
