"""Payers, their own attributes, who existed before the log, on every engine."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife._engine import collect
from commlife.features.users import early_users, own_attributes, payers, warn_if_left_truncated, with_existing
from commlife.orders import Duration

ROWS = pd.DataFrame(
    [
        ("ann", 1, "2025-01-01", 5.0, "east"), ("ann", 2, "2025-02-01", 7.0, "west"), ("ann", 3, "2025-02-10", -2.0, "west"),
        ("bob", 4, "2025-02-20", 9.0, "west"), ("bob", 4, "2025-02-20", 1.0, "east"), ("cat", 5, "2025-01-05", -5.0, "east"),
    ],
    columns=["user_id", "order_id", "ordered_at", "amount", "community"],
)  # fmt: skip
NAMES = {name: name for name in ROWS.columns}


def log_of(native, **extra):
    return cl.OrderLog.from_frame(native, **NAMES, **extra)


def test_payers_have_an_order_that_counts(engine):
    table = collect(payers(log_of(engine(ROWS)), 20_200)).set_index("user_id").sort_index()
    assert table.to_dict("index") == {
        "ann": {"first_day": 20_089, "last_day": 20_120, "frequency": 2, "spend": 1000},
        "bob": {"first_day": 20_139, "last_day": 20_139, "frequency": 1, "spend": 1000},
    }


def test_own_attributes_are_those_of_the_first_order(engine):
    table = collect(own_attributes(log_of(engine(ROWS)), 20_200, "community")).set_index("user_id")["community"]
    assert table.to_dict() == {"ann": "east", "bob": "east"}, (
        "at one instant the least value, whatever the order of rows"
    )


def existing(log, washout):
    plan = with_existing(payers(log, 20_200), log, washout=washout)
    return collect(plan).set_index("user_id")["existing"].to_dict()


def test_who_existed_is_told_by_washout_or_host(engine):
    log = log_of(engine(ROWS), observed_from="2025-01-01")
    assert existing(log, None) == {"ann": False, "bob": False}
    assert existing(log, Duration("28D")) == {"ann": True, "bob": False}
    told = ROWS.assign(first=["2025-01-01"] * 3 + ["2020-06-01"] * 2 + ["2025-01-05"])
    log = log_of(engine(told), first_ordered_at="first")
    assert existing(log, None) == {"ann": False, "bob": True}


def crowd(early: int, late: int) -> pd.DataFrame:
    days = np.r_[np.zeros(early), np.linspace(7, 120, late)].astype(int)
    return pd.DataFrame(
        {
            "user_id": np.arange(early + late),
            "ordered_at": pd.Timestamp("2025-01-01") + pd.to_timedelta(days, unit="D"),
            "amount": 1.0,
        }
    )


def test_a_log_of_fewer_than_a_hundred_users_or_four_weeks_is_too_small_to_tell():
    def told(users: int, day: int) -> tuple[int, int] | None:
        log = cl.OrderLog.from_frame(crowd(users, 0), user_id="user_id", ordered_at="ordered_at", amount="amount")
        return early_users(log, log.observation.first + day)

    assert told(100, 28) == (100, 100)
    assert told(99, 28) is None
    assert told(100, 27) is None


def test_a_log_that_begins_in_the_middle_of_lives_is_told():
    cut = cl.OrderLog.from_frame(crowd(300, 200), user_id="user_id", ordered_at="ordered_at", amount="amount")
    assert early_users(cut, 20_300) == (300, 500)
    with pytest.warns(cl.LeftTruncatedWarning, match='300 of 500 users .* washout="28D"'):
        warn_if_left_truncated(cut, 20_300, washout=None)
    whole = cl.OrderLog.from_frame(crowd(20, 400), user_id="user_id", ordered_at="ordered_at", amount="amount")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_left_truncated(cut, 20_300, washout=Duration("28D"))
        warn_if_left_truncated(whole, 20_300, washout=None)
        warn_if_left_truncated(cut, 20_100, washout=None)
