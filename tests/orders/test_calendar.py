"""Days and periods in integers, against Python's own calendar."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
from commlife.orders import Duration, Period
from commlife.orders.calendar import LAST_DAY, complete_until, day_number, day_text, days_to_datetime64

EPOCH = dt.date(1970, 1, 1)
days = st.integers(0, LAST_DAY - 1)
periods = st.sampled_from(["1D", "7D", "28D", "week", "month", "quarter"]).map(Period)


@pytest.mark.parametrize(
    "when",
    [
        "2017-12-18",
        dt.date(2017, 12, 18),
        dt.datetime(2017, 12, 18),
        np.datetime64("2017-12-18"),
        pd.Timestamp("2017-12-18"),
    ],
)
def test_a_day_is_taken_in_each_form(when):
    assert day_text(day_number(when)) == "2017-12-18"


@pytest.mark.parametrize(
    "when",
    [
        "18/12/2017", "2017-12", "helo", "", 20171218, 1.5, None, True, pd.NaT, np.datetime64("NaT"), "2017-12-18T10:00",
        dt.datetime(2017, 12, 18, 10), pd.Timestamp("2017-12-18 00:00:00.000000001"), pd.Timestamp("2017-12-18", tz="UTC"),
        "1969-12-31", "2101-02-01", dt.time(1), "2017-02-30",
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused(when):
    with pytest.raises(cl.ConfigError, match="as_of"):
        day_number(when)


@given(days)
def test_months_and_quarters_match_pythons_calendar(day):
    date = EPOCH + dt.timedelta(days=day)
    month, quarter = Period("month"), Period("quarter")
    index = month.index_of(day, as_of=0)
    assert index == date.year * 12 + date.month - 1
    assert day_text(month.start(index, as_of=0)) == date.replace(day=1).isoformat()
    assert quarter.index_of(day, as_of=0) == date.year * 4 + (date.month - 1) // 3


def test_no_month_of_a_century_is_missed():
    """Every day of 1970 to 2100, with its twenty-ninths of February, against NumPy's months."""
    every = np.arange(0, 47_847)
    months = every.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 12 * 1970
    assert (Period("month").index_of(every, as_of=0) == months).all()
    assert (Period("quarter").index_of(every, as_of=0) == months // 3).all()


@given(days)
def test_weeks_begin_on_monday(day):
    week = Period("week")
    start = week.start(week.index_of(day, as_of=0), as_of=0)
    assert (EPOCH + dt.timedelta(days=start)).weekday() == 0
    assert 0 <= day - start < 7


@given(periods, days, days)
def test_a_day_lies_in_its_period(period, day, as_of):
    index = period.index_of(day, as_of=as_of)
    assert period.start(index, as_of=as_of) <= day < period.start(index + 1, as_of=as_of)


@given(st.integers(1, 60), days)
def test_the_newest_counted_period_ends_at_as_of(n, as_of):
    period = Period(f"{n}D")
    assert period.start(0, as_of=as_of) == as_of
    assert period.index_of(as_of - 1, as_of=as_of) == -1
    assert period.last_complete(as_of=as_of, until=as_of) == -1


@given(periods, days, st.lists(days, min_size=1, max_size=20))
def test_arrays_and_numbers_agree(period, as_of, some):
    array = period.index_of(np.array(some), as_of=as_of)
    assert array.tolist() == [period.index_of(day, as_of=as_of) for day in some]


@given(periods, days, days)
def test_last_complete_and_first_whole_touch_their_day(period, as_of, day):
    last = period.last_complete(as_of=as_of, until=day)
    assert period.start(last + 1, as_of=as_of) <= day < period.start(last + 2, as_of=as_of)
    first = period.first_whole(day, as_of=as_of)
    assert period.start(first - 1, as_of=as_of) < day <= period.start(first, as_of=as_of)


def test_starts_lists_first_days():
    month = Period("month")
    january = month.index_of(day_number("2025-01-15"), as_of=0)
    assert np.datetime_as_string(month.starts(january, january + 2, as_of=0), unit="D").tolist() == [
        "2025-01-01", "2025-02-01", "2025-03-01",
    ]  # fmt: skip
    assert days_to_datetime64([0]).dtype == "datetime64[us]"


def test_lengths():
    assert (Period("week").days, Period("7D").days, Period("month").days, Duration("28D").days) == (7, 7, None, 28)


@pytest.mark.parametrize("text", ["0D", "7d", "-7D", "7", "weekly", "", None, 7, "100000D", "7D "])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(cl.ConfigError):
        Period(text)
    with pytest.raises(cl.ConfigError):
        Duration(text)


def test_completeness_is_the_earlier_of_both():
    assert (complete_until(10, None), complete_until(10, 5), complete_until(5, 10)) == (10, 5, 5)
