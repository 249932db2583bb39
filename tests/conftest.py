"""Shared fixtures: Hypothesis profiles and the folder of shared data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, settings

from commlife._engine import collect

settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("nightly", parent=settings.get_profile("dev"), max_examples=1000)
# A mutant needs to be told dead, not to be explained: few examples, no shrinking.
settings.register_profile(
    "mutation",
    parent=settings.get_profile("ci"),
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
    database=None,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not beside this checkout")
    return folder


def _as_pandas(frame: pd.DataFrame) -> object:
    return frame


def _as_polars(frame: pd.DataFrame) -> object:
    return pl.from_pandas(frame)


def _as_polars_lazy(frame: pd.DataFrame) -> object:
    return pl.from_pandas(frame).lazy()


def _as_pyarrow(frame: pd.DataFrame) -> object:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _as_duckdb(frame: pd.DataFrame) -> object:
    # A connection of its own: no test sees another's tables.
    return duckdb.connect().from_df(frame)


ENGINES: dict[str, Callable[[pd.DataFrame], object]] = {
    "pandas": _as_pandas,
    "polars": _as_polars,
    "polars_lazy": _as_polars_lazy,
    "pyarrow": _as_pyarrow,
    "duckdb": _as_duckdb,
}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], object]:
    """From a pandas frame to each engine's kind of frame in turn."""
    return ENGINES[request.param]


def to_pandas(native: object) -> pd.DataFrame:
    """Any engine's frame as pandas, sorted by its first column, for comparing."""
    wrapped = nw.from_native(native)
    table = collect(wrapped)
    first = table.columns[0]
    return table.sort_values(first, kind="stable", ignore_index=True)


@pytest.fixture(scope="session")
def as_pandas() -> Callable[[object], pd.DataFrame]:
    """From any engine's frame to pandas, sorted by its first column."""
    return to_pandas
