"""What a notebook shows of a result: its text, escaped, above its table."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Shown", "in_notebook"]

_ROWS = 20


def in_notebook(
    told: object, table: pd.DataFrame, *, number: Callable[[float], str] = "{:,.4g}".format, index: bool = False
) -> str:
    """The HTML of a result; names that a host chose stand in the text and in the cells, so both are escaped.

    Args:
        told: The result, or a sentence about it.
        table: The rows to show.
        number: How a float is written; missing values stay blank.
        index: Whether the index is shown.

    Examples:
        >>> import pandas as pd
        >>> in_notebook("<b> has 1 user", pd.DataFrame({"users": [1]})).split("<table")[0]
        '<p>&lt;b&gt; has 1 user</p>'
    """
    return f"<p>{html.escape(str(told))}</p>{table.to_html(index=index, float_format=number, na_rep='')}"


class Shown:
    """A result of few rows that a notebook shows as its text above its table.

    It is for tables of groups, periods and features. A table of users stays with its text: identifiers have no place in
    what a notebook saves.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def to_frame(self) -> pd.DataFrame: ...

    def _repr_html_(self) -> str:
        return in_notebook(self, self.to_frame().head(_ROWS))
