"""Columns whose type a frame does not tell: pandas' objects and categories, made plain before anything else."""

from __future__ import annotations

import decimal
from typing import Any

import narwhals.stable.v2 as nw

__all__ = ["plain_columns"]


def plain_columns(frame: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], dict[str, str]]:
    """The frame with categories as their values and objects as what they hold, and the columns of mixed types.

    Times of pandas with a zone become the same moments in UTC: Narwhals does not read every zone's name off a dtype
    (``America/New_York`` has an underscore).

    Returns:
        The frame, and for each column that holds several types what it holds.
    """
    schema = frame.collect_schema()
    categories = [name for name, dtype in schema.items() if dtype in {nw.Categorical, nw.Enum}]
    mixed: dict[str, str] = {}
    if frame.implementation is nw.Implementation.PANDAS:
        import pandas as pd

        native = nw.to_native(frame)
        replaced: dict[str, Any] = {}
        for name in categories:
            replaced[name] = native[name].astype(native[name].dtype.categories.dtype)
        for name in [name for name in native.columns if isinstance(native[name].dtype, pd.DatetimeTZDtype)]:
            replaced[name] = native[name].dt.tz_convert("UTC")
        for name in [
            name for name in native.columns if native[name].dtype.kind == "O" and native[name].dtype.name == "object"
        ]:
            held = pd.api.types.infer_dtype(native[name], skipna=True)
            if held.startswith("mixed") or held in {"complex", "bytes"}:
                mixed[name] = held
            elif held == "decimal":
                if any(map(_is_signaling, native[name])):
                    mixed[name] = "decimal with signaling NaN"
                else:
                    replaced[name] = native[name].astype("float64")
            elif held == "integer":
                replaced[name] = _whole_numbers(native[name])
            elif held in {"datetime", "datetime64", "date"}:
                times = _times(native[name])
                if times is None:
                    mixed[name] = "times of several zones"
                else:
                    replaced[name] = times
            elif held == "floating":
                replaced[name] = native[name].where(native[name].notna(), float("nan")).astype("float64")
            elif held == "boolean":
                replaced[name] = native[name].astype("boolean")
            elif held == "empty" or (held == "string" and native[name].isna().any()):
                replaced[name] = _text(native[name])
        if replaced:
            frame = nw.from_native(native.assign(**replaced)).lazy()
    elif categories:
        frame = frame.with_columns(nw.col(*categories).cast(nw.String))
    if frame.implementation is nw.Implementation.PYARROW:
        # A column of nothing but nulls has a type of its own, which older versions do not join.
        empty = [field.name for field in nw.to_native(frame).schema if str(field.type) == "null"]
        frame = frame.with_columns(nw.col(*empty).cast(nw.String)) if empty else frame
    return frame, mixed


def _text(column: Any) -> Any:
    """Texts with nulls as pandas' own texts: sums over objects stumble on a null."""
    import pandas as pd

    # Before pandas 3 "str" is Python's and would write a null out.
    return column.astype("string" if int(pd.__version__.partition(".")[0]) < 3 else "str")


def _times(column: Any) -> Any:
    """Dates and times as timestamps, None where they lie in several zones or only some of them in one."""
    import pandas as pd

    try:
        times = pd.to_datetime(column, errors="coerce")
    except ValueError:
        return None
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return times.dt.tz_convert("UTC")
    return None if times.dtype == object else times


def _is_signaling(value: Any) -> bool:
    """Whether a decimal refuses every conversion: Python raises where it should give NaN."""
    return isinstance(value, decimal.Decimal) and value.is_snan()


def _whole_numbers(column: Any) -> Any:
    """Python integers as int64 where they fit; larger ones as floats, whose size the caller checks."""
    if column.isna().any():
        return column.astype("float64")
    largest = max(abs(int(column.max())), abs(int(column.min())))
    return column.astype("int64" if largest < 2**63 else "float64")
