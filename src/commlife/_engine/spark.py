"""Spark's own ways, gathered here since none of them runs without a JVM: ``make test-engines`` tries each (slow/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife.errors import EngineError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "add_datetime",
    "add_local_microsecond",
    "at_first",
    "first_and_whole",
    "held",
    "map_parts",
    "mark_repeats",
    "table_beside",
]


def add_local_microsecond(
    frame: nw.LazyFrame[Any], column: str, *, missing: int, timezone: str, into: str
) -> nw.LazyFrame[Any]:
    """Add ``into``: microseconds since 1970-01-01 on the local clock, ``missing`` where there is none."""
    from pyspark.sql import functions as sql

    dtype = frame.collect_schema()[column]
    if dtype == nw.String:
        raise EngineError(
            f"text timestamps are not read on PySpark; column {column!r} is text. "
            "Use to_timestamp_ntz(column, format) in Spark first."
        )
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        # A TIMESTAMP reads on the session's clock: move it to the shop's.
        whole = (
            "datediff(MICROSECOND, timestamp_ntz'1970-01-01 00:00:00', "
            f"convert_timezone(current_timezone(), '{timezone}', cast(`{column}` as timestamp_ntz)))"
        )
    else:
        whole = f"datediff(MICROSECOND, timestamp_ntz'1970-01-01 00:00:00', cast(`{column}` as timestamp_ntz))"
    filled = sql.coalesce(sql.expr(whole), sql.lit(missing)).cast("bigint")
    return nw.from_native(nw.to_native(frame).withColumn(into, filled))


def add_datetime(frame: nw.LazyFrame[Any], column: str, *, into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: the local microseconds of ``column`` as naive timestamps."""
    from pyspark.sql import functions as sql

    made = sql.expr(f"cast(timestamp_micros(`{column}`) as timestamp_ntz)")
    return nw.from_native(nw.to_native(frame).withColumn(into, made))


def mark_repeats(frame: nw.LazyFrame[Any], columns: Sequence[str], *, into: str) -> nw.LazyFrame[Any]:
    """Add the boolean ``into``: whether an equal row (over ``columns``) stands before this one."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    quoted = [_quoted(name) for name in columns]
    alike = Window.partitionBy(*quoted).orderBy(quoted[0])
    return nw.from_native(nw.to_native(frame).withColumn(into, sql.row_number().over(alike) > 1))


def first_and_whole(cells: nw.LazyFrame[Any], *, by: str, index: str, value: str) -> nw.LazyFrame[Any]:
    """One row a key over its cells, in one pass: first, last, cells, whole, at_first."""
    from pyspark.sql import functions as sql

    aggregates = [sql.min(index).alias("first"), sql.max(index).alias("last"), sql.count("*").alias("cells")]
    aggregates += [sql.sum(value).alias("whole"), sql.min_by(value, index).alias("at_first")]
    return nw.from_native(nw.to_native(cells).groupBy(by).agg(*aggregates))


def at_first(frame: nw.LazyFrame[Any], *, keys: Sequence[str], time: str, names: Sequence[str]) -> nw.LazyFrame[Any]:
    """One shuffle: the least of (time, is null, value). A join on the time would move every row once more."""
    from pyspark.sql import functions as sql

    leasts = []
    for name in names:
        value = sql.col(_quoted(name))
        row = sql.struct(sql.col(_quoted(time)).alias("t"), value.isNull().alias("n"), value.alias("v"))
        leasts.append(sql.min(row).getField("v").alias(name))
    keyed = nw.to_native(frame).groupBy(*(sql.col(_quoted(key)) for key in keys))
    return nw.from_native(keyed.agg(*leasts))


def held(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """A plan whose rows are kept once computed, and whose steps so far are never planned again.

    A cached plan would still be planned from its first step each time something is built on it, which costs more than
    the rows; a checkpoint is not. Without a checkpoint directory its rows lie with the executors alone.
    """
    native = nw.to_native(frame)
    if native.sparkSession.sparkContext.getCheckpointDir() is None:
        return nw.from_native(native.localCheckpoint(eager=False))
    return nw.from_native(native.checkpoint(eager=False))


def table_beside(table: pd.DataFrame, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """A small table of this process in the session of ``frame``."""
    return nw.from_native(nw.to_native(frame).sparkSession.createDataFrame(table))


def map_parts(
    frame: nw.LazyFrame[Any],
    make: Callable[[Any, pd.DataFrame], pd.DataFrame],
    model: Any,
    *,
    keep: Sequence[str],
    columns: Mapping[str, str],
) -> nw.LazyFrame[Any]:
    """A plan that runs ``make(model, rows)`` on each part; the model goes to each worker once, by broadcast.

    Args:
        frame: The plan.
        make: From rows as pandas to rows as pandas; importable by the workers.
        model: What ``make`` needs beside the rows.
        keep: Columns of ``frame`` that ``make`` hands on in their own type, first.
        columns: The other columns that it gives: ``"float"``, ``"int"`` or ``"text"`` each.
    """
    from pyspark.sql import types

    native = nw.to_native(frame)
    there = {"float": types.DoubleType(), "int": types.LongType(), "text": types.StringType()}
    fields = [native.schema[name] for name in keep]
    fields += [types.StructField(name, there[kind]) for name, kind in columns.items()]
    names = [field.name for field in fields]
    sent = native.sparkSession.sparkContext.broadcast(model)

    def each(batches: Iterator[Any]) -> Iterator[Any]:
        # Through Arrow and not Spark's own pandas frames, whose types change between versions of pandas.
        import pyarrow as pa

        for batch in batches:
            made = make(sent.value, pa.Table.from_batches([batch]).to_pandas())[names]
            given = {field.name: field.type for field in batch.schema}
            ours = {"float": pa.float64(), "int": pa.int64(), "text": pa.string()}
            kinds = [given[name] if name in given and name in keep else ours[columns[name]] for name in names]
            schema = pa.schema(list(zip(names, kinds, strict=True)))
            yield from pa.Table.from_pandas(made, schema=schema, preserve_index=False).to_batches()

    return nw.from_native(native.mapInArrow(each, types.StructType(fields)))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
