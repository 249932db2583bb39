"""CSV that a spreadsheet shows and never runs."""

from __future__ import annotations

import pandas as pd

__all__ = ["to_csv"]

#: A cell that begins with one of these is a formula to a spreadsheet (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "=", "+", "-", "@")


def to_csv(table: pd.DataFrame) -> str:
    r"""The table as CSV text; texts that a spreadsheet would take for a formula get an apostrophe before them.

    Numbers are left alone: -5 is a number, "-5+cmd" is not.

    Examples:
        >>> to_csv(pd.DataFrame({"user_id": ["=1+1", "ann"], "spend": [-5.0, 2.5]}))
        "user_id,spend\n'=1+1,-5.0\nann,2.5\n"
    """
    safe = table.copy()
    safe.columns = pd.Index([_safe(str(name)) for name in table.columns])
    for position, dtype in enumerate(safe.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)):
            column = safe.iloc[:, position].map(_safe, na_action="ignore")
            safe.isetitem(position, column.to_numpy())
    return safe.to_csv(index=False, lineterminator="\n")


def _safe(value: object) -> object:
    if isinstance(value, (list, tuple)):
        value = " + ".join(str(each) for each in value)
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
