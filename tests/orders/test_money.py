"""Exact money: what rounds, what is refused, what sums to the cent."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
from commlife._engine import collect
from commlife.orders import to_major, to_minor


@given(st.integers(-(10**13), 10**13), st.integers(0, 4))
def test_every_whole_number_of_minor_units_comes_back(minor, digits):
    major = to_major([minor], digits=digits)
    assert to_minor(major, digits=digits).tolist() == [minor]


@given(st.lists(st.integers(-(10**9), 10**9), max_size=50))
def test_float_noise_is_no_fault(cents):
    noisy = np.array(cents, dtype=float) * 0.01  # 3 * 0.01 is 0.03 and a little more
    assert to_minor(noisy, digits=2).tolist() == cents


@pytest.mark.parametrize("value", [12.345, 1e-3, np.nan, np.inf, 1e15])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(cl.ConfigError, match=r"spend .* seen .* position 1"):
        to_minor([1.0, value], digits=2, name="spend")


@pytest.mark.parametrize("values", [[True, False], ["1.0"], [None]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(cl.ConfigError, match="numbers"):
        to_minor(values, digits=2)


@pytest.mark.parametrize("digits", [-1, 5, 2.0, True, "2", None])
def test_digits_are_few(digits):
    frame = pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [1.0]})
    with pytest.raises(cl.ConfigError, match="currency_digits"):
        cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", currency_digits=digits)


def minor_of(native, digits: int) -> list[int]:
    log = cl.OrderLog.from_frame(
        native, user_id="u", ordered_at="t", amount="m", currency_digits=digits, on_fault={"sub_unit_amount": "round"}
    )
    return collect(log._lines(30_000).select("user_id", "minor")).sort_values("user_id")["minor"].tolist()


@pytest.mark.parametrize("text", ["1.005", "1.015", "-1.005", "-1.015", "2.675", "0.125", "12.344999", "12.345001"])
def test_rounding_is_half_even_as_it_stands_in_decimal(engine, text):
    frame = pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [float(text)]})
    wanted = int(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_EVEN) * 100)
    assert minor_of(engine(frame), 2) == [wanted]


def test_major_units_are_the_nearest_floats(engine):
    """Polars multiplies by the reciprocal of a number: 0.29 came back as 0.29000000000000004."""
    cents = np.arange(1, 3000)
    frame = pd.DataFrame({"u": cents, "t": "2025-01-01", "m": cents / 100})
    log = cl.OrderLog.from_frame(engine(frame), user_id="u", ordered_at="t", amount="m")
    shown = collect(nw.from_native(log.to_native())).sort_values("user_id")["amount"].to_numpy()
    assert (shown == cents / 100).all()


def test_whole_numbers_and_decimals_are_major_units(engine):
    whole = pd.DataFrame({"u": ["a", "b"], "t": ["2025-01-01"] * 2, "m": [12, -3]})
    assert minor_of(engine(whole), 2) == [1200, -300]
    yen = whole.assign(m=[1200.0, 5.0])
    assert minor_of(engine(yen), 0) == [1200, 5]


def test_pandas_decimals_are_exact():
    frame = pd.DataFrame({"u": ["a", "b"], "t": ["2025-01-01"] * 2, "m": [Decimal("0.10"), Decimal("19.99")]})
    assert minor_of(frame, 2) == [10, 1999]


def test_huge_whole_numbers_are_told(engine):
    frame = pd.DataFrame({"u": ["a", "b"], "t": ["2025-01-01"] * 2, "m": [2**62, 1]})
    with pytest.raises(cl.SchemaError, match="amount_out_of_range"):
        cl.OrderLog.from_frame(engine(frame), user_id="u", ordered_at="t", amount="m")
    beyond = pd.DataFrame({"u": ["a", "b"], "t": ["2025-01-01"] * 2, "m": [10**30, 1]})
    with pytest.raises(cl.SchemaError, match="amount_out_of_range"):
        cl.OrderLog.from_frame(beyond, user_id="u", ordered_at="t", amount="m")


@given(st.permutations([0.1, 0.2, 0.3, 1e9 + 0.01, -0.6, 7.77]))
def test_sums_do_not_depend_on_the_order_of_rows(amounts):
    frame = pd.DataFrame({"u": ["a"] * 6, "o": [1] * 6, "t": ["2025-01-01"] * 6, "m": amounts})
    log = cl.OrderLog.from_frame(frame, user_id="u", order_id="o", ordered_at="t", amount="m")
    assert collect(log._orders(30_000))["net"].tolist() == [100_000_000_778]
