"""History: one row a cohort and community, with what was done there and what came of it; checked, in arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from commlife.cohorts.table import CohortTable
from commlife.errors import ConfigError, InsufficientDataError

__all__ = ["History", "read_history"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class History:
    """Rows sorted by group and cohort: group codes and names, cohorts, counts, and the covariates as given."""

    group: np.ndarray[Any, np.dtype[np.int64]]
    names: tuple[str, ...]
    cohort: np.ndarray[Any, Any]
    new_payers: Floats
    retained: Floats
    covariates: Floats


def read_history(
    history: Any, *, group: str | None, covariates: Sequence[str], age: int, what: str, new_payers: str, retained: str
) -> History:
    """Take a history in: a frame, or a cohort table with covariates beside it.

    Raises:
        ConfigError: If columns are missing or hold what cannot be.
        InsufficientDataError: If no row is complete.
    """
    frame = _frame_of(history, age, new_payers, retained, what)
    keys = ["cohort"] if group is None else [group, "cohort"]
    missing = [name for name in (*keys, new_payers, retained, *covariates) if name not in frame.columns]
    if missing:
        raise ConfigError(
            f"{what}: the history needs {', '.join(missing)}; it has {list(frame.columns)!r:.160}. Add what is missing."
        )
    if frame[keys].isna().to_numpy().any():
        raise ConfigError(f"{what}: {' or '.join(keys)} is null in some rows of the history. Leave them out.")
    if frame.duplicated(keys).any():
        raise ConfigError(
            f"{what}: the history has one row for each of {' and '.join(keys)}; some stand twice. Keep one of them."
        )
    frame = frame.sort_values(keys, ignore_index=True)
    numbers = {name: _numbers(frame[name], name, what) for name in (new_payers, retained, *covariates)}
    for name in (new_payers, *covariates):
        if np.isnan(numbers[name]).any():
            raise ConfigError(f"{what}: {name} is null in {int(np.isnan(numbers[name]).sum())} rows: leave them out.")
    if (
        (numbers[retained] > numbers[new_payers]).any()
        or (numbers[new_payers] < 0).any()
        or (numbers[retained] < 0).any()
    ):
        raise ConfigError(
            f"{what}: 0 <= {retained} <= {new_payers} holds in every row; in some it does not. Check the counts."
        )
    if not (~np.isnan(numbers[retained]) & (numbers[new_payers] > 0)).any():
        raise InsufficientDataError(
            f"{what}: no row of the history has new payers whose return is known yet. Use a longer history."
        )
    codes, names = (np.zeros(len(frame), dtype=np.int64), ("all",)) if group is None else _codes(frame[group])
    return History(
        group=codes,
        names=names,
        cohort=frame["cohort"].to_numpy(),
        new_payers=numbers[new_payers],
        retained=numbers[retained],
        covariates=np.column_stack([numbers[name] for name in covariates]),
    )


def _frame_of(history: Any, age: int, new_payers: str, retained: str, what: str) -> pd.DataFrame:
    if isinstance(history, CohortTable):
        if history.question.measure != "retention" or history.covariates is None:
            raise ConfigError(
                f'{what} takes a cohort table of measure="retention" with covariates=... beside it.'
                " Give both, or a frame."
            )
        beside = history.beside(ages=(age,)).dropna(subset=["size"])
        rate = beside[f"rate_{age}"]
        return beside.assign(**{new_payers: beside["size"], retained: (rate * beside["size"]).round()})
    if not isinstance(history, pd.DataFrame):
        raise ConfigError(f"{what} takes a pandas frame or a CohortTable; seen {type(history).__name__}.")
    if history.empty:
        raise InsufficientDataError(f"{what}: the history is empty. Give one row a cohort.")
    return history


def _numbers(column: pd.Series[Any], name: str, what: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        raise ConfigError(f"{what}: {name} holds numbers; its dtype is {column.dtype}.")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise ConfigError(f"{what}: {name} is infinite in {int(np.isinf(values).sum())} rows. Leave those rows out.")
    return values


def _codes(column: pd.Series[Any]) -> tuple[np.ndarray[Any, np.dtype[np.int64]], tuple[str, ...]]:
    codes, names = pd.factorize(column, sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)


def check_evidence(evidence: Mapping[str, tuple[float, float]], allowed: Sequence[str], what: str) -> None:
    """What experiments found: only for what is in the model, with a standard error above 0."""
    for name, (_, error) in evidence.items():
        if name not in allowed:
            raise ConfigError.unknown_name(f"{what}: evidence for", name, allowed)
        if not error > 0:
            raise ConfigError(f"{what}: the standard error of evidence for {name!r} is above 0; seen {error!r}.")
