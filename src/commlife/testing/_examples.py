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
            columns.append(f"    {name!r}: pd.to_datetime({[str(value) for value in column]!r}, format='ISO8601'),")
        else:
            columns.append(f"    {name!r}: [{', '.join(map(_cell, column.tolist()))}],")
    index = "" if list(frame.index) == list(range(len(frame))) else f", index={list(frame.index)!r}"
    return "pd.DataFrame({\n" + "\n".join(columns) + f"\n}}{index})"


def _cell(value: Any) -> str:
    """A cell as Python writes it: a pasted ``nan`` would be a name that nobody has."""
    if value is None or value is pd.NaT or value is pd.NA:
        return "None"
    return f"float({str(value)!r})" if isinstance(value, float) and not math.isfinite(value) else repr(value)
