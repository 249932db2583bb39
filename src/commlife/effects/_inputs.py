"""Columns of any frame as checked NumPy arrays: where foreign frames enter the measuring of effects."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import bounded
from commlife.errors import ConfigError, InsufficientDataError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Floats",
    "array_of",
    "check_size",
    "column_names",
    "design_matrix",
    "fault",
    "float_vector",
    "identifiers",
    "in_open_interval",
    "label_column",
    "label_vector",
    "number_column",
    "one_of",
    "place_of",
    "plain_float",
    "whole_number",
    "wide_frame",
]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: More levels than this in a text covariate is an identifier, not a covariate.
MAX_LEVELS = 200

#: Numbers beyond this are no measurements: trees count in 32 bits, and squares must stay finite.
LARGEST = 1e30


def fault(what: str, column: str, kind: str, *, rows: int, example: object, fix: str) -> SchemaError:
    """A SchemaError about one column, with its one-row frame of faults."""
    faults = pd.DataFrame(
        {
            "fault": [kind],
            "column": [column],
            "rows": [rows],
            "policy": ["raise"],
            "example": [str(example)[:60]],
            "fix": [fix],
        }
    )
    return SchemaError(
        f"{what}: column {column!r} has {rows:,} rows with {kind} (first: {example!s:.60}). {fix}", faults
    )


def wide_frame(
    frame: Any, needed: Sequence[str], what: str, *, optional: Sequence[str] = (), may_be_empty: bool = False
) -> nw.DataFrame[Any]:
    """The named columns of a frame of any kind, collected; ``optional`` ones where the frame has them.

    Raises:
        ConfigError: If ``frame`` is no data frame, a name is not a string, or a column is not there.
        InsufficientDataError: If the frame has no rows, and may not be empty.
    """
    try:
        native = nw.from_native(frame)
        columns = native.collect_schema().names()
    except TypeError:
        raise ConfigError(
            f"{what} takes a data frame (pandas, Polars, PyArrow, DuckDB, ...); seen {type(frame).__name__}."
        ) from None
    except nw.exceptions.DuplicateError:
        raise ConfigError(f"{what}: two columns of the frame have one name. Rename or drop one of them.") from None
    for name in needed:
        if not isinstance(name, str):
            raise ConfigError(f"{what}: a column is named by a string; seen {name!r:.60}.")
        if name not in columns:
            raise ConfigError.unknown_name(f"{what}: column", name, [str(c) for c in columns])
    chosen = native.select(list(dict.fromkeys([*needed, *(name for name in optional if name in columns)])))
    data = bounded(chosen, call=what).collect() if isinstance(chosen, nw.LazyFrame) else chosen
    if len(data) == 0 and not may_be_empty:
        raise InsufficientDataError(f"{what}: the frame has no rows. Check the filter that made it.")
    return data


def number_column(data: nw.DataFrame[Any], name: str, what: str) -> Floats:
    """A column of finite numbers (booleans count 0 and 1) as float64."""
    series = data[name]
    if series.dtype == nw.Object:
        values = series.to_list()
        kinds = {type(v).__name__ for v in values if not isinstance(v, int | float | np.number)}
        if kinds:
            raise ConfigError(f"{what}: column {name!r} holds numbers; seen {', '.join(sorted(kinds))}.")
        array = np.array(values, dtype=np.float64)
    else:
        if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
            raise ConfigError(f"{what}: column {name!r} holds numbers; its type is {series.dtype}.")
        missing = int(series.is_null().sum())
        if missing:
            raise fault(what, name, "missing values", rows=missing, example="null", fix="Fill them or drop the rows.")
        array = series.cast(nw.Float64).to_numpy().astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        kind, rows = "NaN or infinite values", int(bad.sum())
        raise fault(what, name, kind, rows=rows, example=array[bad][0], fix="Fill them or drop the rows.")
    check_size(array, f"{what}: column {name!r}")
    return array


def check_size(array: Floats, what: str) -> None:
    """Refuse numbers that no measurement gives; NaN passes."""
    far = np.abs(array) > LARGEST
    if far.any():
        raise ConfigError(
            f"{what} holds numbers beyond {LARGEST:.0e}: {int(far.sum()):,} of them, first {array[far][0]:g}. "
            "Check its unit, or cap it."
        )


def label_column(data: nw.DataFrame[Any], name: str, what: str) -> tuple[list[Any], NDArray[np.intp]]:
    """Distinct labels of a column, in the order of their text, and each row's index among them."""
    series = data[name]
    missing = int(series.is_null().sum())
    if missing:
        raise fault(what, name, "missing labels", rows=missing, example="null", fix="Label each row, or drop the rows.")
    return label_vector(series.to_numpy(), f"{what}: column {name!r}")


def label_vector(values: Any, what: str) -> tuple[list[Any], NDArray[np.intp]]:
    """Distinct labels of an array, in the order of their text, and each row's index among them."""
    try:
        codes, uniques = pd.factorize(array_of(values, what))
    except TypeError:
        raise ConfigError(
            f"{what}: labels are texts, numbers or days; some are lists or the like. Convert them to texts."
        ) from None
    if (codes < 0).any():
        raise ConfigError(f"{what}: {int((codes < 0).sum()):,} labels are missing. Give each row a label.")
    labels = [u.item() if isinstance(u, np.generic) else u for u in uniques]
    order = sorted(range(len(labels)), key=lambda i: (str(labels[i]), type(labels[i]).__name__))
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return [labels[i] for i in order], rank[codes]


def array_of(values: Any, name: str) -> NDArray[Any]:
    """An array-like as an array, or an error where its rows differ in length."""
    try:
        return np.asarray(values)
    except ValueError:
        raise ConfigError(f"{name} is no array: its rows differ in length. Give one entry a row.") from None


def column_names(given: Any, name: str, *, may_be_empty: bool = False) -> list[str]:
    """Names of columns, as a list."""
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise ConfigError(f"{name} is a list of columns; seen {given!r:.60}.")
    names = list(given)
    if not names and not may_be_empty:
        raise ConfigError(f"{name} is a list of at least one column; seen {given!r:.60}.")
    return names


def one_of(given: Any, name: str, allowed: Iterable[str]) -> None:
    """Refuse what is not one of these texts."""
    allowed = list(allowed)
    if not (isinstance(given, str) and given in allowed):
        raise ConfigError.unknown_name(name, given, allowed)


def place_of(label: Any, labels: Sequence[Any], what: str) -> int:
    """Where a label stands among those seen."""
    places = {known: place for place, known in enumerate(labels)}
    if not isinstance(label, Hashable) or label not in places:
        raise ConfigError.unknown_name(what, label, [str(known) for known in labels])
    return places[label]


def identifiers(data: nw.DataFrame[Any], name: str, what: str) -> pd.Series[Any]:
    """A column of identifiers as Python's own objects, which can be compared."""
    ids = pd.Series(data[name].to_list(), dtype=object)
    try:
        pd.factorize(ids)
    except TypeError:
        raise ConfigError(
            f"{what}: column {name!r} holds lists or the like; an identifier is a text or a whole number. Convert it."
        ) from None
    return ids


def float_vector(values: Any, name: str, *, length: int | None = None) -> Floats:
    """A one-dimensional array-like of finite numbers as float64."""
    array = array_of(values, name)
    if array.ndim != 1:
        raise ConfigError(f"{name} is one-dimensional; seen shape {array.shape}.")
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(f"{name} holds numbers; seen {array[0]!r:.60} among others.") from None
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"{name} holds numbers; its type is {array.dtype}.")
    if length is not None and len(array) != length:
        raise ConfigError(
            f"{name} has one entry a row: {length:,} rows, {len(array):,} entries. Give each row its own."
        )
    if len(array) == 0:
        raise ConfigError(f"{name} is empty. Give at least one entry.")
    with np.errstate(over="ignore"):
        result = array.astype(np.float64)
    bad = ~np.isfinite(result)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ConfigError(
            f"{name} is finite: {int(bad.sum()):,} entries are not, first {result[first]} at {first}. Drop or cap them."
        )
    check_size(result, name)
    return result


def plain_float(value: float | np.number[Any]) -> float:
    """A real number as a float; one that is too large for it as infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def in_open_interval(value: Any, name: str, low: float, high: float) -> float:
    """A real number strictly between two others."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ConfigError(f"{name} is a number between {low} and {high}; seen {value!r:.60}.")
    number = plain_float(value)
    if not (math.isfinite(number) and low < number < high):
        raise ConfigError(f"{name} lies strictly between {low} and {high}; seen {value!r:.60}.")
    return number


def whole_number(value: Any, name: str, low: int) -> int:
    """An integer (no boolean) of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ConfigError(f"{name} is a whole number of at least {low}; seen {value!r:.60}.")
    return int(value)


def design_matrix(data: nw.DataFrame[Any], covariates: Sequence[str], what: str) -> tuple[Floats, list[str]]:
    """Covariates as standardised numbers: text is one-hot coded, a missing number becomes the mean and a flag.

    Returns:
        The (rows, features) matrix and the features' names. Constant features are left out.
    """
    columns: list[Floats] = []
    names: list[str] = []
    for name in covariates:
        series = data[name]
        if series.dtype.is_numeric() or series.dtype == nw.Boolean:
            missing = series.is_null().to_numpy().astype(bool)
            array = series.cast(nw.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
            missing |= np.isnan(array)
            if np.isinf(array).any():
                rows = int(np.isinf(array).sum())
                raise fault(what, name, "infinite values", rows=rows, example="inf", fix="Cap them or drop the rows.")
            if missing.any():
                known = array[~missing]
                array = np.where(missing, known.mean() if len(known) else 0.0, array)
                columns.append(missing.astype(np.float64))
                names.append(f"{name} is missing")
            check_size(array, f"{what}: column {name!r}")
            columns.append(array)
            names.append(name)
        else:
            labels, codes = label_column(data, name, what)
            if len(labels) > MAX_LEVELS:
                raise ConfigError(
                    f"{what}: covariate {name!r} has {len(labels):,} levels, more than {MAX_LEVELS}: "
                    "an identifier cannot be adjusted for. Group its levels, or leave it out."
                )
            for index in range(1, len(labels)):
                columns.append((codes == index).astype(np.float64))
                names.append(f"{name} = {labels[index]}")
    rows = len(data)
    matrix = np.column_stack(columns) if columns else np.empty((rows, 0))
    spread = matrix.std(axis=0)
    keep = spread > 0
    matrix = (matrix[:, keep] - matrix[:, keep].mean(axis=0)) / spread[keep]
    return matrix, [name for name, kept in zip(names, keep, strict=True) if kept]
