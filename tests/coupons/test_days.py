"""Days and identifiers of coupons: read alike from every kind of column, a log at a time."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from commlife.coupons import Coupon, ExpiryReminders, audit_redemptions
from commlife.coupons._days import coupon_texts, day_column
from commlife.effects._inputs import wide_frame
from commlife.errors import ConfigError

DAYS = [dt.date(2025, 1, 1), None, dt.date(1969, 12, 31), dt.date(2025, 1, 31)]
NUMBERS = [20_089.0, float("nan"), -1.0, 20_119.0]
NOON = [None if day is None else dt.datetime.combine(day, dt.time(12, 30)) for day in DAYS]
TEXTS = [None if day is None else day.isoformat() for day in DAYS]

COLUMNS = {
    "pandas dates": pd.DataFrame({"day": DAYS}),
    "pandas texts": pd.DataFrame({"day": TEXTS}),
    "pandas objects": pd.DataFrame({"day": pd.Series([*TEXTS[:3], NOON[3]], dtype=object)}),
    "pandas moments": pd.DataFrame({"day": pd.to_datetime(pd.Series(NOON))}),
    "pandas seconds": pd.DataFrame({"day": pd.to_datetime(pd.Series(NOON)).astype("datetime64[s]")}),
    "Polars dates": pl.DataFrame({"day": DAYS}),
    "Polars moments": pl.DataFrame({"day": NOON}).with_columns(pl.col("day").cast(pl.Datetime("ns"))),
    "Polars texts, lazily": pl.LazyFrame({"day": TEXTS}),
    "Arrow dates": pa.table({"day": pa.array(DAYS, pa.date32())}),
    "Arrow moments": pa.table({"day": pa.array(NOON, pa.timestamp("ms"))}),
    "Arrow texts": pa.table({"day": TEXTS}),
}


def read(frame, **options):
    return day_column(wide_frame(frame, ["day"], "here"), "day", "here", **options)


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column_gives_the_same_days(kind: str) -> None:
    assert np.array_equal(read(COLUMNS[kind], nulls=True), NUMBERS, equal_nan=True)
    with pytest.raises(ConfigError, match=r"1 cells that are no day, first .* at row 1\. Give dates"):
        read(COLUMNS[kind])


def test_duckdb_gives_the_same_days() -> None:
    table = COLUMNS["Arrow dates"]  # noqa: F841 -- read by the query
    assert np.array_equal(read(duckdb.sql("select * from 'table'"), nulls=True), NUMBERS, equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (pd.Series([1, 2]), "holds numbers"),
        (pd.Series([True, False]), "holds numbers"),
        (pd.Series([dt.date(2025, 1, 1), 3], dtype=object), "holds numbers"),
        (pd.Series(["2025-01-01", np.float64(3)], dtype=object), "holds numbers"),
        (pd.Series(["2025-01-01", np.bool_(True)], dtype=object), "holds numbers"),
        (pd.Series(["2025-01-01", "tomorrow"]), "no day, first 'tomorrow' at row 1"),
        (pd.Series([["2025-01-01"], "2025-01-01"], dtype=object), "no day"),
        (pd.to_datetime(pd.Series(["2025-01-01"])).dt.tz_localize("Asia/Shanghai"), "time zone; give local days"),
        (pd.Series(["2025-01-01T10:00+08:00"]), "time zone; give local days"),
        (pd.Series(["2025-01-01T10:00+08:00", "2025-01-01"], dtype=object), "time zone; give local days"),
    ],
)
def test_what_is_no_local_day_is_told(cells, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(pd.DataFrame({"day": cells}))


def test_identifiers_are_texts_and_missing_ones_stay_missing() -> None:
    data = wide_frame(pd.DataFrame({"coupon_id": pd.Series([7, "a", None, 7], dtype=object)}), ["coupon_id"], "here")
    assert coupon_texts(data, "here").tolist() == ["7", "a", None, "7"]


def test_a_redemption_without_a_coupon_is_of_an_unknown_one() -> None:
    """It was called "None", and would have been sound had a coupon of that name been issued."""
    coupon = Coupon(coupon_id="None", amount=5)
    issued = {"user_id": ["u"], "coupon_id": ["None"], "issued": ["2025-01-01"]}
    used = pd.DataFrame({"user_id": ["u", "u"], "coupon_id": [None, "None"], "day": ["2025-01-02"] * 2})
    assert audit_redemptions(used, pd.DataFrame(issued), [coupon])["unknown_coupon"].tolist() == [True, False]


@pytest.mark.parametrize("build", [pd.DataFrame, pl.DataFrame, pa.table])
def test_numbers_serve_as_identifiers_on_every_frame(build) -> None:
    coupon = Coupon(coupon_id="7", amount=5, valid_days=7)
    issued = build({"user_id": [1], "coupon_id": [7], "issued": [dt.date(2025, 1, 1)]})
    used = build({"user_id": [1, 2], "coupon_id": [7, 7], "day": [dt.date(2025, 1, 3)] * 2, "amount": [None, 1.0]})
    assert audit_redemptions(used, issued, [coupon])["sound"].tolist() == [True, False]
    due = ExpiryReminders(lead_days=2).due(issued, [coupon], now="2025-01-06T10:00")
    assert due["coupon_id"].tolist() == [7]
