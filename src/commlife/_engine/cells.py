"""Cells: a key, a whole number and what was summed there. Steps over them that engines do best in their own ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import spark
from commlife._engine.frames import settle
from commlife._engine.sorting import begins_of_stretches, bits_of, in_order, sums_of_stretches

__all__ = ["first_and_whole", "greatest_by_key", "places_of_keys", "sums_by_cell", "sums_by_codes"]


def first_and_whole(cells: nw.LazyFrame[Any], *, by: str, index: str, value: str, rows: int) -> nw.LazyFrame[Any]:
    """One row a key over cells of ``by`` and ``index`` (unique together, Int64), in one pass where an engine can.

    Args:
        cells: The plan of the cells.
        by: The key.
        index: Where in the key's life a cell lies.
        value: What was summed there (Int64).
        rows: Lines of the log behind the cells.

    Returns:
        ``by``; ``first`` and ``last``, the least and the greatest index; ``cells``, how many; ``whole``, the sum of
        the values; ``at_first``, the value of the first cell.
    """
    native = nw.to_native(cells)
    if cells.implementation is nw.Implementation.DUCKDB:
        told = (
            f'"{by}", min("{index}") AS "first", max("{index}") AS "last", count(*)::BIGINT AS "cells", '
            f'sum("{value}")::BIGINT AS "whole", arg_min("{value}", "{index}") AS "at_first"'
        )
        return nw.from_native(native.aggregate(told, f'"{by}"'))
    if cells.implementation is nw.Implementation.POLARS:
        import polars as pl

        at, worth = pl.col(index), pl.col(value)
        users = native.group_by(by).agg(
            at.min().alias("first"),
            at.max().alias("last"),
            pl.len().cast(pl.Int64).alias("cells"),
            worth.sum().alias("whole"),
            worth.sort_by(at).first().alias("at_first"),
        )
        return nw.from_native(users)
    if cells.implementation is nw.Implementation.PYSPARK:
        return spark.first_and_whole(cells, by=by, index=index, value=value)
    # Used twice: computed once.
    cells = settle(cells, rows=rows)
    users = cells.group_by(by).agg(
        nw.col(index).min().alias("first"),
        nw.col(index).max().alias("last"),
        nw.len().alias("cells"),
        nw.col(value).sum().alias("whole"),
    )
    firsts = cells.select(by, nw.col(index).alias("first"), nw.col(value).alias("at_first"))
    return users.join(firsts, on=[by, "first"], how="inner").with_columns(
        nw.col("first", "last", "cells", "whole", "at_first").cast(nw.Int64)
    )


def sums_by_cell(frame: nw.LazyFrame[Any], *, by: str, index: str, sums: Sequence[str]) -> nw.LazyFrame[Any]:
    """One row for each ``by`` and ``index`` (Int64) that occur together, with sums of columns (Int64), if any."""
    if frame.implementation is nw.Implementation.PANDAS:
        return nw.from_native(_pandas_sums(nw.to_native(frame), by=by, index=index, sums=sums)).lazy()
    if not sums:
        return frame.select(by, index).unique()
    cells = frame.group_by(by, index).agg(*(nw.col(name).sum() for name in sums))
    return cells.with_columns(nw.col(*sums).cast(nw.Int64))


def _pandas_sums(rows: Any, *, by: str, index: str, sums: Sequence[str]) -> Any:
    """One sort of one number a row: several times faster than pandas' groups of two keys; sorted by key and index."""
    at = rows[index].to_numpy(dtype=np.int64)
    low = int(at.min()) if len(at) else 0
    bits = bits_of(int(at.max()) - low + 1 if len(at) else 1)
    places, cell = in_order((places_of_keys(rows[by]) << bits) | (at - low))
    begins = begins_of_stretches(cell)
    first = places[begins]
    summed = {name: sums_of_stretches(rows[name].to_numpy(dtype=np.int64)[places], begins) for name in sums}
    keys = rows[by].take(first).reset_index(drop=True)
    return pd.DataFrame({by: keys, index: (cell[begins] & ((1 << bits) - 1)) + low, **summed}, copy=False)


def sums_by_codes(frame: nw.LazyFrame[Any], *keys: str, sums: Sequence[str], into: str) -> nw.LazyFrame[Any]:
    """One row for each combination of ``keys`` that occurs: how many rows (``into``), and sums of columns (Int64).

    For keys of few values each. Where they are whole numbers pandas' rows are counted in one table of all combinations.
    """
    if frame.implementation is nw.Implementation.PANDAS:
        rows = nw.to_native(frame)
        ranges = _ranges(rows, keys)
        if ranges is not None:
            return nw.from_native(_counted(rows, ranges, sums=sums, into=into)).lazy()
    counted = frame.group_by(*keys).agg(nw.len().alias(into), *(nw.col(name).sum() for name in sums))
    return counted.with_columns(nw.col(into, *sums).cast(nw.Int64))


#: Combinations of codes for which a table is made.
_MOST_COMBINATIONS = 1_000_000


def _ranges(rows: Any, keys: Sequence[str]) -> dict[str, tuple[int, int]] | None:
    """The least value of each key and how many there may be; None where a table of all would be none to make."""
    ranges: dict[str, tuple[int, int]] = {}
    combinations = 1
    for name in keys:
        if not len(rows) or not isinstance(rows[name].dtype, np.dtype) or rows[name].dtype.kind != "i":
            return None
        low = int(rows[name].min())
        ranges[name] = low, int(rows[name].max()) - low + 1
        combinations *= ranges[name][1]
    return ranges if combinations <= min(_MOST_COMBINATIONS, 4 * len(rows) + 1024) else None


def _counted(rows: Any, ranges: Mapping[str, tuple[int, int]], *, sums: Sequence[str], into: str) -> Any:
    """Counts and sums of all combinations of codes, those that occur kept; sorted by the codes."""
    shape = tuple(span for _, span in ranges.values())
    code = np.zeros(len(rows), dtype=np.int64)
    for name, (low, span) in ranges.items():
        code *= span
        code += rows[name].to_numpy()
        code -= low
    size = int(np.prod(shape))
    users = np.bincount(code, minlength=size)
    there = np.flatnonzero(users)
    told = {name: at + low for (name, (low, _)), at in zip(ranges.items(), np.unravel_index(there, shape), strict=True)}
    summed = {name: _sums_of_codes(code, rows[name].to_numpy(dtype=np.int64), size)[there] for name in sums}
    return pd.DataFrame({**told, into: users[there], **summed})


def _sums_of_codes(code: Any, values: Any, size: int) -> Any:
    """Sums of whole numbers by code: in floats where those hold every sum, which is several times as fast."""
    chosen = np.flatnonzero(values)
    if 2 * len(chosen) < len(values):
        code, values = code[chosen], values[chosen]
    most = max(abs(int(values.max())), abs(int(values.min()))) if len(values) else 0
    if most * len(values) < 2**53:
        return np.bincount(code, weights=values, minlength=size).astype(np.int64)
    summed = np.zeros(size, dtype=np.int64)
    np.add.at(summed, code, values)
    return summed


def greatest_by_key(
    frame: nw.LazyFrame[Any], by: str, *, greatest: Sequence[str], own: Sequence[str] = ()
) -> nw.LazyFrame[Any]:
    """One row a key: the greatest value of columns of whole numbers, and columns ``own`` that never differ in a key."""
    if frame.implementation is nw.Implementation.PANDAS:
        rows = nw.to_native(frame)
        keys = rows[by]
        if len(rows) and isinstance(keys.dtype, np.dtype) and keys.dtype.kind == "i":
            values = keys.to_numpy()
            if (values[1:] >= values[:-1]).all():
                begins = begins_of_stretches(values)
                held = rows[[by, *own]].take(begins).reset_index(drop=True)
                most = {name: np.maximum.reduceat(rows[name].to_numpy(), begins) for name in greatest}
                return nw.from_native(held.assign(**most)).lazy()
    return frame.group_by(by, *own).agg(*(nw.col(name).max() for name in greatest))


def places_of_keys(keys: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each key of a pandas column, equal where keys are; whole numbers that lie close are their own."""
    if isinstance(keys.dtype, np.dtype) and keys.dtype.kind == "i" and len(keys):
        low, high = int(keys.min()), int(keys.max())
        if high - low < 4 * len(keys):
            return keys.to_numpy().astype(np.int64) - low
    return pd.factorize(keys, use_na_sentinel=False)[0].astype(np.int64)
