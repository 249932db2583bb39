"""Whatever a frame holds: a log, with every row kept or set aside, or an error of ours. Never an engine's own."""

from __future__ import annotations

import datetime as dt
import decimal

import duckdb
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife._engine import collect
from commlife.testing import in_engine

_DAYS = ["2025-01-01", "2025-02-01 10:00", "2025-03-01T00:00:00+08:00"]
_ODD = ["2025-13-01", "01/02/2025", "1,000", "1e400", "-5", "NaN", "∞", "٣", "1970-01-01", "9999-12-31", " ", ""]
_CELLS = [
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.decimals(),
    st.timedeltas(),
    st.just(pd.NaT),
    st.just(pd.NA),
    st.lists(st.integers(), max_size=2),
    st.complex_numbers(),
    st.sampled_from(_DAYS + _ODD),
]
_PLAIN = [
    st.integers(-5, 5),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=5),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.booleans(),
    st.dates(),
    st.decimals(),
    st.timedeltas(),
    st.sampled_from(_DAYS),
]
_NAMES = ("user", "time", "money", "order", "number", "word", "first")


@st.composite
def frames(draw):
    """A frame of up to five rows whose columns hold anything, with a column or two that are sound more often."""
    n = draw(st.integers(0, 5))
    columns = {}
    for name in _NAMES:
        cells = st.one_of(_CELLS) if draw(st.integers(0, 3)) == 0 else draw(st.sampled_from(_PLAIN))
        columns[name] = draw(st.lists(cells, min_size=n, max_size=n))
    sound = {
        "user": [f"u{i}" for i in range(n)],
        "time": [f"2025-01-{i + 1:02d}" for i in range(n)],
        "money": [float(i) for i in range(n)],
    }
    columns |= {name: sound[name] for name in draw(st.sets(st.sampled_from(sorted(sound))))}
    try:
        return pd.DataFrame(columns)
    except (OverflowError, ValueError, decimal.InvalidOperation):
        assume(condition=False)


#: What engines say of values that they have no column for.
_CANNOT_HOLD = (
    pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error, OverflowError, ValueError, TypeError,
    decimal.InvalidOperation,
)  # fmt: skip


def _to_engine(frame, engine):
    """The frame on an engine, if that engine can hold it at all."""
    try:
        return in_engine(frame, engine)
    except _CANNOT_HOLD:
        assume(condition=False)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning", "ignore::FutureWarning")
@given(
    frames(),
    st.sampled_from(["pandas", "pandas", "polars", "pyarrow", "duckdb"]),
    st.sampled_from(["raise", "set_aside"]),
    st.sets(st.sampled_from(["order_id", "quantity", "category", "first_ordered_at", "discount", "community"])),
)
@settings(suppress_health_check=list(HealthCheck))
def test_rows_are_kept_set_aside_or_refused_in_our_words(frame, engine, on_fault, more):
    homes = {
        "order_id": "order", "quantity": "number", "category": "word", "community": "word", "discount": "number",
        "first_ordered_at": "first",
    }  # fmt: skip
    native = _to_engine(frame, engine)
    try:
        log = cl.OrderLog.from_frame(
            native, user_id="user", ordered_at="time", amount="money", on_fault=on_fault,
            **{name: homes[name] for name in more},
        )  # fmt: skip
    except cl.CommlifeError:
        return
    assert log.n_rows + len(collect(nw.from_native(log.set_aside))) == len(frame)
    assert (log.n_orders, log.n_users) <= (log.n_rows, log.n_rows)
    assert set(log.faults["policy"]) <= {"set_aside", "keep", "round"}
    assert repr(log)


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool", "object", "timedelta64[ns]", "datetime64[ns, UTC]"])
def test_a_frame_without_rows_is_an_empty_log_whatever_its_types(dtype, engine):
    frame = pd.DataFrame({name: pd.Series([], dtype=dtype) for name in ("user", "time", "money", "order")})
    log = cl.OrderLog.from_frame(engine(frame), user_id="user", ordered_at="time", amount="money", order_id="order")
    assert (log.n_rows, log.n_orders, log.n_users, log.first_day) == (0, 0, 0, None)
    with pytest.raises(cl.CommlifeError):
        cl.RFM().fit(log, as_of="2025-01-01")


def _one(**columns):
    frame = pd.DataFrame({"user": ["a", "b"], "time": ["2025-01-01", "2025-01-02"], "money": [1.0, 2.0]} | columns)
    return cl.OrderLog.from_frame(frame, user_id="user", ordered_at="time", amount="money")


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("money", [decimal.Decimal("sNaN"), decimal.Decimal(1)]),
        ("money", [decimal.Decimal("Infinity"), decimal.Decimal(1)]),
        ("money", pd.Series([1, np.nan], dtype=object)),
        ("money", [2**70, 1]),
        ("time", [dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.datetime(2025, 1, 1)]),
        ("time", [dt.datetime(2025, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=h))) for h in (1, 2)]),
        ("time", [pd.Timestamp("2025-01-01"), 20_250_101]),
        ("user", [dt.date(2025, 1, 1), dt.date(2025, 1, 2)]),
        ("user", [["a"], ["b"]]),
    ],
)
def test_what_once_raised_an_engines_own_error(column, cells):
    with pytest.raises(cl.SchemaError) as caught:
        _one(**{column: cells})
    assert column in str(caught.value) or len(caught.value.faults) == 1


def test_an_engine_that_cannot_read_its_own_frame_is_told_in_our_words():
    """DuckDB guesses the type of a pandas column from its first values and fails on a later one."""
    frame = pd.DataFrame({"user": [1, False], "time": ["2025-01-01"] * 2, "money": [1.0, 2.0]})
    with pytest.raises(cl.CommlifeError):
        cl.OrderLog.from_frame(in_engine(frame, "duckdb"), user_id="user", ordered_at="time", amount="money").n_rows  # noqa: B018
