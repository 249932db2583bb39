"""Parts: a function of pandas frames, run where the rows of a cluster lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

__all__ = ["SPREAD", "map_parts"]

#: Kinds whose rows lie in parts on several machines, and stay there.
SPREAD = {nw.Implementation.DASK, nw.Implementation.PYSPARK}

#: Types of the columns that a function gives, by name, in Spark's and in pandas' words.
_TYPES = {"float": ("double", "float64"), "int": ("bigint", "int64"), "text": ("string", "str")}


def map_parts(
    frame: nw.LazyFrame[Any],
    make: Callable[[Any, pd.DataFrame], pd.DataFrame],
    model: Any,
    *,
    keep: tuple[str, ...],
    columns: Mapping[str, str],
) -> nw.LazyFrame[Any]:
    """A plan that runs ``make(model, rows)`` on each part of a Spark or Dask frame.

    Rows must not need those of other parts. The model goes to each worker once, as a broadcast variable.

    Args:
        frame: The plan.
        make: From rows as pandas to rows as pandas; importable by the workers.
        model: What ``make`` needs beside the rows.
        keep: Columns of ``frame`` that ``make`` hands on in their own type, first.
        columns: The other columns that it gives: ``"float"``, ``"int"`` or ``"text"`` each.
    """
    native = nw.to_native(frame)
    if frame.implementation is nw.Implementation.DASK:
        meta = native._meta[list(keep)].assign(
            **{name: pd.Series(dtype=_TYPES[kind][1]) for name, kind in columns.items()}
        )
        return nw.from_native(native.map_partitions(_made, make, model, list(meta.columns), meta=meta))
    from pyspark.sql import types

    there = {"float": types.DoubleType(), "int": types.LongType(), "text": types.StringType()}
    fields = [native.schema[name] for name in keep]
    fields += [types.StructField(name, there[kind]) for name, kind in columns.items()]
    names = [field.name for field in fields]
    held = native.sparkSession.sparkContext.broadcast(model)

    def each(batches: Iterator[Any]) -> Iterator[Any]:
        # Through Arrow and not Spark's own pandas frames, whose types change between versions of pandas.
        import pyarrow as pa

        for batch in batches:
            made = _made(pa.Table.from_batches([batch]).to_pandas(), make, held.value, names)
            given = {field.name: field.type for field in batch.schema}
            ours = {"float": pa.float64(), "int": pa.int64(), "text": pa.string()}
            kinds = [given[name] if name in given and name in keep else ours[columns[name]] for name in names]
            schema = pa.schema(list(zip(names, kinds, strict=True)))
            yield from pa.Table.from_pandas(made, schema=schema, preserve_index=False).to_batches()

    return nw.from_native(native.mapInArrow(each, types.StructType(fields)))


def _made(
    rows: pd.DataFrame, make: Callable[[Any, pd.DataFrame], pd.DataFrame], model: Any, names: list[str]
) -> pd.DataFrame:
    return make(model, rows)[names]
