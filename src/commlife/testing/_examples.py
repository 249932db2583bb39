"""A failing example as code that one can paste."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = ["as_code"]


def as_code(frame: pd.DataFrame) -> str:
    """A small frame as the call that makes it."""
    columns = []
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            columns.append(f"    {name!r}: {_times(column)},")
        else:
            columns.append(f"    {name!r}: [{', '.join(map(_cell, column.tolist()))}],")
    index = "" if list(frame.index) == list(range(len(frame))) else f", index={list(frame.index)!r}"
    return "pd.DataFrame({\n" + "\n".join(columns) + f"\n}}{index})"


def _times(column: pd.Series[Any]) -> str:
    """Times as pandas reads them; with a zone by way of UTC, for offsets may differ within the column."""
    zone = getattr(column.dtype, "tz", None)
    texts = [str(value) for value in column]
    if zone is None:
        return f"pd.to_datetime({texts!r}, format='ISO8601')"
    converted = "" if str(zone) == "UTC" else f".tz_convert({str(zone)!r})"
    return f"pd.to_datetime({texts!r}, format='ISO8601', utc=True){converted}"


def _cell(value: Any) -> str:
    """A cell as Python writes it: a pasted ``nan`` would be a name that nobody has."""
    if value is None or value is pd.NaT or value is pd.NA:
        return "None"
    return f"float({str(value)!r})" if isinstance(value, float) and not math.isfinite(value) else repr(value)
