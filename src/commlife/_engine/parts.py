"""Parts: a function of pandas frames, run where the rows of a cluster lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import spark

__all__ = ["SPREAD", "map_parts"]

#: Kinds whose rows lie in parts on several machines, and stay there.
SPREAD = {nw.Implementation.DASK, nw.Implementation.PYSPARK}

#: Types of the columns that a function gives, by name, in pandas' words.
_TYPES = {"float": "float64", "int": "int64", "text": "str"}


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
    if frame.implementation is nw.Implementation.DASK:
        native = nw.to_native(frame)
        meta = native._meta[list(keep)].assign(
            **{name: pd.Series(dtype=_TYPES[kind]) for name, kind in columns.items()}
        )
        return nw.from_native(native.map_partitions(_made, make, model, list(meta.columns), meta=meta))
    return spark.map_parts(frame, make, model, keep=keep, columns=columns)


def _made(
    rows: pd.DataFrame, make: Callable[[Any, pd.DataFrame], pd.DataFrame], model: Any, names: list[str]
) -> pd.DataFrame:
    return make(model, rows)[names]
