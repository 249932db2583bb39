"""Rows that stand in a frame twice, to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

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
        return nw.from_native(native.assign(**{into: native.duplicated(subset=names).to_numpy()})).lazy()
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
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    alike = Window.partitionBy(*quoted).orderBy(quoted[0])
    return nw.from_native(native.withColumn(into, sql.row_number().over(alike) > 1))
