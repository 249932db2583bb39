"""Labels: texts in the place of small numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

__all__ = ["with_labels"]


def with_labels(frame: nw.LazyFrame[Any], code: str, labels: Mapping[str, Sequence[str]]) -> nw.LazyFrame[Any]:
    """Add columns of text: that of each row stands in the list of the column at the place ``code`` (Int64, from 0).

    Args:
        frame: The plan.
        code: The column of places, without nulls.
        labels: For each new column its texts.
    """
    if frame.implementation is nw.Implementation.PANDAS:
        rows = nw.to_native(frame)
        places = rows[code].to_numpy()
        told = {name: pd.Series(list(texts)).take(places).set_axis(rows.index) for name, texts in labels.items()}
        return nw.from_native(rows.assign(**told)).lazy()
    at = nw.col(code)
    return frame.with_columns(
        *(
            at.replace_strict(list(range(len(texts))), list(texts), default=None, return_dtype=nw.String).alias(name)
            for name, texts in labels.items()
        )
    )
