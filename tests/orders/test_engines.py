"""The boundary gives the same log on every engine: times, money, faults, cleaning, orders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife._engine import collect
from commlife.orders.calendar import day_number

NAMES = {
    "user_id": "phone", "order_id": "order_no", "ordered_at": "paid_at", "amount": "paid", "quantity": "pieces",
    "discount": "off", "category": "class", "community": "estate", "address_id": "door", "item_id": "sku",
}  # fmt: skip


def export(seed: int = 0, n: int = 400) -> pd.DataFrame:
    """A dirty but sound export: ties in time, refunds, gifts, odd Unicode, nulls where nulls are allowed."""
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, 90 * 24 * 6, n) * 10
    order = rng.integers(0, n // 2, n)
    frame = pd.DataFrame(
        {
            "phone": np.array(["甲", "乙", "ß", "ss", "é", "é", "a", "A", "z z", "😀"])[order % 10],
            "order_no": order,
            "paid_at": pd.Timestamp("2025-01-01") + pd.to_timedelta(minutes, unit="min"),
            "paid": rng.integers(-500, 5000, n) / 100,
            "pieces": rng.integers(1, 5, n).astype(float),
            "off": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 300, n) / 100),
            "class": np.array(["veg", "fruit", "housekeeping", None], dtype=object)[rng.integers(0, 4, n)],
            "estate": np.array(["east", "west"])[rng.integers(0, 2, n)],
            "door": rng.integers(0, 40, n).astype(str),
            "sku": rng.integers(0, 30, n),
        }
    )
    frame.loc[rng.random(n) < 0.1, "paid"] = 0.0
    # Orders share one time now and then, so that "the earliest line" has ties.
    frame.loc[rng.random(n) < 0.3, "paid_at"] = pd.Timestamp("2025-02-03 08:00")
    return frame


RULES = cl.CleaningRules(
    exclude_categories=("housekeeping",),
    max_addresses_per_user=38,
    drop_zero_amount=True,
    merge_within="1D",
    winsorize_amount=0.95,
)


@pytest.fixture(scope="module")
def expected() -> cl.OrderLog:
    return cl.OrderLog.from_frame(export(), **NAMES)


def test_lines_are_equal(engine, as_pandas, expected):
    log = cl.OrderLog.from_frame(engine(export()), **NAMES)
    assert (log.n_rows, log.n_orders, log.n_users) == (expected.n_rows, expected.n_orders, expected.n_users)
    assert (log.first_day, log.last_day) == (expected.first_day, expected.last_day)
    keys = ["user_id", "order_id", "ordered_at", "amount", "item_id", "address_id", "quantity", "community"]
    given, wanted = as_pandas(log.to_native()), as_pandas(expected.to_native())
    given["ordered_at"] = given["ordered_at"].astype("datetime64[us]")
    wanted["ordered_at"] = wanted["ordered_at"].astype("datetime64[us]")
    pd.testing.assert_frame_equal(
        given.sort_values(keys, ignore_index=True).fillna({"category": "-"}),
        wanted.sort_values(keys, ignore_index=True).fillna({"category": "-"}),
        check_dtype=False,
    )


def test_orders_are_equal(engine, expected):
    log = cl.OrderLog.from_frame(engine(export()), **NAMES)
    columns = ["user_id", "order_id", "us", "day", "net", "counts", "community", "category"]
    given, wanted = (
        collect(each._orders(20_130, "community", "category"))[columns]
        .sort_values(["user_id", "order_id"], ignore_index=True)
        .fillna({"category": "-"})
        for each in (log, expected)
    )
    pd.testing.assert_frame_equal(given, wanted, check_dtype=False)


def test_cleaning_is_equal(engine, as_pandas, expected):
    log = cl.OrderLog.from_frame(engine(export()), **NAMES).clean(RULES)
    wanted = expected.clean(RULES)
    pd.testing.assert_frame_equal(log.audit, wanted.audit)
    aside, wanted_aside = as_pandas(log.set_aside), as_pandas(wanted.set_aside)
    assert log.n_rows + len(aside) == len(export())
    assert aside.groupby("reason").size().to_dict() == wanted_aside.groupby("reason").size().to_dict()
    orders, wanted_orders = (
        collect(each._orders(21_000))[["user_id", "order_id", "us", "net", "counts"]].sort_values(
            ["user_id", "us", "order_id"], ignore_index=True
        )
        for each in (log, wanted)
    )
    pd.testing.assert_frame_equal(orders, wanted_orders, check_dtype=False)


TIMES = [
    "2025-03-01",
    "2025-03-01 23:59:59.999999",
    "2025-03-01T12:30",
    "2025-03-09T16:30:00Z",
    "2025-03-09 16:30:00+0000",
]
DAYS = [20_148, 20_148, 20_148, 20_157, 20_157]  # half past midnight of the 10th in Shanghai


def test_texts_are_read_alike(engine):
    frame = pd.DataFrame({"u": list("abcde"), "t": TIMES, "m": [1.0] * 5})
    log = cl.OrderLog.from_frame(engine(frame), user_id="u", ordered_at="t", amount="m")
    days = collect(log._lines(30_000).select("user_id", "day")).sort_values("user_id")["day"].tolist()
    assert days == DAYS


def test_zones_are_converted_alike(engine):
    """A DST night in New York: 01:30 stands twice on the clock, the days stay right."""
    utc = pd.to_datetime(["2025-11-02 05:30", "2025-11-02 06:30", "2025-11-03 04:59", "2025-11-03 05:00"], utc=True)
    frame = pd.DataFrame({"u": list("abcd"), "t": utc, "m": [1.0] * 4})
    log = cl.OrderLog.from_frame(engine(frame), user_id="u", ordered_at="t", amount="m", timezone="America/New_York")
    rows = collect(log._lines(30_000).select("user_id", "day", "us")).sort_values("user_id")
    assert (rows["day"] - 20_394).tolist() == [0, 0, 0, 1]
    assert rows["us"].iloc[0] == rows["us"].iloc[1]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Ho_Chi_Minh", "Etc/GMT+8"])
def test_a_zone_of_any_name_is_the_same_moments(engine, zone):
    """An underscore, a sign or digits in the zone's name: Narwhals does not know such a pandas column for times."""
    utc = pd.Series(pd.to_datetime(["2025-03-09 06:59:59", "2025-03-10 03:59:59", "2025-03-10 04:00:00"], utc=True))
    frame = pd.DataFrame({"u": list("abc"), "t": utc.dt.tz_convert(zone), "m": [1.0] * 3})
    log = cl.OrderLog.from_frame(engine(frame), user_id="u", ordered_at="t", amount="m", timezone="America/New_York")
    rows = collect(log._lines(30_000).select("user_id", "day")).sort_values("user_id")
    assert (rows["day"] - day_number("2025-03-09")).tolist() == [0, 0, 1]


def test_answers_come_in_the_kind_of_frame_that_went_in(engine):
    """Lazy in, lazy out: nothing is collected behind the host's back."""
    given = engine(
        pd.DataFrame({"u": ["a", "a", "b"], "t": ["2025-01-01", "2025-01-03", "2025-01-02"], "m": [1.0] * 3})
    )
    log = cl.OrderLog.from_frame(given, user_id="u", ordered_at="t", amount="m")
    assert type(cl.purchase_summary(log, as_of="2025-01-31")) is type(given)
    assert type(log.to_native()) is type(given)


FAULTY = pd.DataFrame(
    {
        "u": ["a", None, "", "d", "e", "f", "g", "h"],
        "t": ["2025-01-01", "2025-01-02", "2025-01-03", "helo", None, "1900-01-01", "2025-02-30", "2025-01-08"],
        "m": [1.0, 2.0, 3.0, float("nan"), float("inf"), 1e300, 12.345, 7.5],
    }
)


def test_faults_are_equal(engine):
    kwargs = {"user_id": "u", "ordered_at": "t", "amount": "m"}
    with pytest.raises(cl.SchemaError) as caught:
        cl.OrderLog.from_frame(engine(FAULTY), **kwargs)
    found = {(row.fault, row.column): row.rows for row in caught.value.faults.itertuples()}
    assert found == {
        ("null_user_id", "user_id"): 2,
        ("null_ordered_at", "ordered_at"): 1,
        ("unparseable_time", "ordered_at"): 2,
        ("year_out_of_range", "ordered_at"): 1,
        ("null_amount", "amount"): 2,
        ("amount_out_of_range", "amount"): 1,
        ("sub_unit_amount", "amount"): 1,
    }
    log = cl.OrderLog.from_frame(engine(FAULTY), **kwargs, on_fault="set_aside")
    aside = collect(__import__("narwhals").stable.v2.from_native(log.set_aside))
    assert (log.n_rows, len(aside)) == (2, 6)
    assert sorted(aside["reason"]) == [
        "null_ordered_at", "null_user_id", "null_user_id", "unparseable_time", "unparseable_time", "year_out_of_range",
    ]  # fmt: skip


@pytest.mark.parametrize("policy", ["keep", "set_aside", "raise"])
def test_equal_lines_are_told_alike(engine, policy):
    frame = pd.DataFrame({"u": ["a", "a", "a", "b"], "t": ["2025-01-01"] * 4, "m": [1.0, 1.0, 1.0, 1.0]})
    kwargs = {"user_id": "u", "ordered_at": "t", "amount": "m", "on_fault": {"duplicate_line": policy}}
    if policy == "raise":
        with pytest.raises(cl.SchemaError, match="duplicate_line"):
            cl.OrderLog.from_frame(engine(frame), **kwargs)
        return
    log = cl.OrderLog.from_frame(engine(frame), **kwargs)
    faults = log.faults
    assert (faults["fault"].tolist(), faults["rows"].tolist()) == (["duplicate_line"], [2])
    assert log.n_rows == (4 if policy == "keep" else 2)


def test_purchase_summary_is_equal(engine, as_pandas, expected):
    log = cl.OrderLog.from_frame(engine(export()), **NAMES)
    given = as_pandas(cl.purchase_summary(log, as_of="2025-03-15"))
    pd.testing.assert_frame_equal(
        given, as_pandas(cl.purchase_summary(expected, as_of="2025-03-15")), check_dtype=False
    )
