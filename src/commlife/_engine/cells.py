"""Cells: a key, a whole number and what was summed there. Steps over them that engines do best in their own ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import spark
from commlife._engine.frames import settle

__all__ = ["first_and_whole", "places_of_keys", "sums_by_cell"]


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
    span = int(at.max()) - low + 1 if len(at) else 1
    cell = places_of_keys(rows[by]) * span + (at - low)
    order = np.argsort(cell)
    cell = cell[order]
    begins = np.flatnonzero(np.concatenate([np.ones(min(len(cell), 1), dtype=bool), cell[1:] != cell[:-1]]))
    first = order[begins]
    summed = {
        name: np.add.reduceat(rows[name].to_numpy(dtype=np.int64)[order], begins) if len(begins) else first
        for name in sums
    }
    keys = rows[by].take(first).reset_index(drop=True)
    return pd.DataFrame({by: keys, index: at[first], **summed}, copy=False)


def places_of_keys(keys: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each key of a pandas column, equal where keys are; whole numbers that lie close are their own."""
    if isinstance(keys.dtype, np.dtype) and keys.dtype.kind == "i" and len(keys):
        low, high = int(keys.min()), int(keys.max())
        if high - low < 4 * len(keys):
            return keys.to_numpy().astype(np.int64) - low
    return pd.factorize(keys, use_na_sentinel=False)[0].astype(np.int64)
