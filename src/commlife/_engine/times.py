"""Timestamps to local microseconds: made once at the boundary, whole numbers ever after."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from commlife._engine import spark

__all__ = ["MICROSECONDS_A_DAY", "NOT_A_TIME", "add_day", "add_local_microsecond", "microsecond_as_datetime"]

MICROSECONDS_A_DAY = 86_400_000_000

#: Stands for a time that is null or cannot be read.
NOT_A_TIME = -(2**62)

#: The texts that are read as times: ISO 8601, date first, with or without an offset; never a guess between
#: day-first and month-first.
ISO_TEXT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?$"
ISO_TEXT_WITH_OFFSET = ISO_TEXT[:-1] + r" ?(Z|[+-][0-9]{2}:?[0-9]{2})$"


def add_local_microsecond(frame: nw.LazyFrame[Any], column: str, *, timezone: str, into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: microseconds since 1970-01-01 on the local clock, :data:`NOT_A_TIME` where there is none.

    Naive times are local already; times with a zone or an offset are converted to ``timezone``.
    """
    dtype = frame.collect_schema()[column]
    kind = frame.implementation
    if kind is nw.Implementation.DUCKDB:
        return _add_duckdb(frame, column, dtype, timezone=timezone, into=into)
    if kind is nw.Implementation.PYSPARK:
        return spark.add_local_microsecond(frame, column, missing=NOT_A_TIME, timezone=timezone, into=into)
    if dtype == nw.String:
        if kind is nw.Implementation.POLARS:
            return _add_polars_text(frame, column, timezone=timezone, into=into)
        return _add_pandas_text(frame, column, timezone=timezone, into=into)
    when = nw.col(column)
    if dtype == nw.Date:
        when = when.cast(nw.Datetime("us"))
    elif kind is nw.Implementation.PANDAS and dtype.time_zone is not None:  # type: ignore[attr-defined]
        # Through pandas' own instants: its frames of Arrow forget the zone in another way in each version.
        native = nw.to_native(frame)
        instants = native[column].astype("datetime64[us, UTC]")
        local = instants.dt.tz_convert(timezone).dt.tz_localize(None)
        return nw.from_native(native.assign(**{into: _pandas_microseconds(local)})).lazy()
    elif dtype.time_zone is not None:  # type: ignore[attr-defined]  # a Datetime by the caller's check
        when = when.dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    elif kind is nw.Implementation.PANDAS:
        native = nw.to_native(frame)
        whole = _pandas_microseconds(native[column])
        return nw.from_native(native.assign(**{into: whole})).lazy()
    frame = frame.with_columns(when.dt.timestamp("us").fill_null(NOT_A_TIME).cast(nw.Int64).alias(into))
    if kind is nw.Implementation.PANDAS:
        # NumPy's own integers whatever the frame is made of: those of Arrow have no remainder.
        native = nw.to_native(frame)
        return nw.from_native(native.assign(**{into: native[into].to_numpy(dtype="int64")})).lazy()
    return frame


def add_day(frame: nw.LazyFrame[Any], column: str, *, into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: the local day (1970-01-01 is 0) of the local microseconds in ``column``."""
    if frame.implementation is nw.Implementation.DUCKDB:
        # Its division truncates. A floor by Narwhals' general formula divides five times.
        us, day = _quoted(column), MICROSECONDS_A_DAY
        whole = f"CASE WHEN {us} < 0 THEN ({us} + 1) // {day} - 1 ELSE {us} // {day} END"
        return nw.from_native(nw.to_native(frame).project(f"*, ({whole})::BIGINT AS {_quoted(into)}"))
    return frame.with_columns((nw.col(column) // MICROSECONDS_A_DAY).cast(nw.Int64).alias(into))


def microsecond_as_datetime(frame: nw.LazyFrame[Any], column: str, *, into: str) -> nw.LazyFrame[Any]:
    """Add ``into``: the local microseconds of ``column`` as naive timestamps of the engine."""
    if frame.implementation is nw.Implementation.DUCKDB:
        native = nw.to_native(frame)
        kept = ", ".join(_quoted(name) for name in frame.collect_schema().names() if name != into)
        return nw.from_native(native.project(f"{kept}, make_timestamp({_quoted(column)}) AS {_quoted(into)}"))
    if frame.implementation is nw.Implementation.PYSPARK:
        return spark.add_datetime(frame, column, into=into)
    return frame.with_columns(nw.col(column).cast(nw.Datetime("us")).alias(into))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _pandas_microseconds(column: Any) -> Any:
    """NumPy's own integers of a naive pandas column; a view, without a copy, where the unit is microseconds."""
    import numpy as np

    unit = nw.from_native(column, series_only=True).dtype.time_unit  # a Datetime
    values = column.to_numpy(dtype=f"datetime64[{unit}]").astype("datetime64[us]", copy=False)
    whole = values.view(np.int64)
    missing = np.isnat(values)
    return np.where(missing, NOT_A_TIME, whole) if missing.any() else whole


def _add_pandas_text(frame: nw.LazyFrame[Any], column: str, *, timezone: str, into: str) -> nw.LazyFrame[Any]:
    """Texts by pandas' ISO reader (also for PyArrow, part by part for Dask)."""
    kind = frame.implementation
    if kind is nw.Implementation.PANDAS:
        native = nw.to_native(frame)
        return nw.from_native(native.assign(**{into: _text_microseconds(native[column], timezone)})).lazy()
    if kind is nw.Implementation.PYARROW:
        eager = nw.from_native(nw.to_native(frame), eager_only=True)
        whole = _text_microseconds(eager[column].to_pandas(), timezone)
        return eager.with_columns(nw.new_series(into, whole, nw.Int64, backend=nw.Implementation.PYARROW)).lazy()
    native = nw.to_native(frame)
    meta = native._meta.assign(**{into: 0})
    return nw.from_native(
        native.map_partitions(lambda part: part.assign(**{into: _text_microseconds(part[column], timezone)}), meta=meta)
    )


def _text_microseconds(texts: Any, timezone: str) -> Any:
    import numpy as np
    import pandas as pd

    whole = np.full(len(texts), NOT_A_TIME, dtype=np.int64)
    for pattern, with_offset in ((ISO_TEXT, False), (ISO_TEXT_WITH_OFFSET, True)):
        fits = texts.str.match(pattern).fillna(value=False).to_numpy(dtype=bool)
        if not fits.any():
            continue
        times = pd.to_datetime(texts[fits], format="ISO8601", errors="coerce", utc=with_offset)
        if with_offset:
            times = times.dt.tz_convert(timezone).dt.tz_localize(None)
        whole[fits] = _pandas_microseconds(times)
    return whole


def _add_polars_text(frame: nw.LazyFrame[Any], column: str, *, timezone: str, into: str) -> nw.LazyFrame[Any]:
    import polars as pl

    text = pl.col(column).str.replace(" ", "T", literal=True)
    naive = pl.when(pl.col(column).str.contains(ISO_TEXT)).then(text)
    offset = pl.when(pl.col(column).str.contains(ISO_TEXT_WITH_OFFSET)).then(
        text.str.replace(" ", "", literal=True).str.replace(r"Z$", "+00:00")
    )
    formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
    local = pl.coalesce(*(naive.str.to_datetime(f, time_unit="us", strict=False) for f in formats))
    zoned = pl.coalesce(
        *(
            offset.str.to_datetime(f + "%z", time_unit="us", time_zone="UTC", strict=False)
            .dt.convert_time_zone(timezone)
            .dt.replace_time_zone(None)
            for f in formats[:2]
        )
    )
    whole = pl.coalesce(local, zoned).dt.timestamp("us").fill_null(NOT_A_TIME).cast(pl.Int64)
    return nw.from_native(nw.to_native(frame).with_columns(whole.alias(into)))


def _add_duckdb(
    frame: nw.LazyFrame[Any], column: str, dtype: nw.dtypes.DType, *, timezone: str, into: str
) -> nw.LazyFrame[Any]:
    name, zone = _quoted(column), "'" + timezone.replace("'", "''") + "'"
    if dtype == nw.String:
        # RE2 reads the same patterns; TRY_CAST gives null for dates that do not exist.
        local = (
            f"CASE WHEN regexp_full_match({name}, '{ISO_TEXT[1:-1]}') THEN epoch_us(TRY_CAST({name} AS TIMESTAMP)) END"
        )
        zoned = (
            f"CASE WHEN regexp_full_match({name}, '{ISO_TEXT_WITH_OFFSET[1:-1]}') "
            f"THEN epoch_us(timezone({zone}, TRY_CAST({name} AS TIMESTAMPTZ))) END"
        )
        whole = f"coalesce({local}, {zoned})"
    elif isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        whole = f"epoch_us(timezone({zone}, {name}))"
    else:
        whole = f"epoch_us({name}::TIMESTAMP)"
    native = nw.to_native(frame)
    return nw.from_native(native.project(f"*, coalesce({whole}, {NOT_A_TIME})::BIGINT AS {_quoted(into)}"))
