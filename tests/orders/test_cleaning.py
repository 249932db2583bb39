"""Cleaning: each rule does what it says, tells of it, and loses no row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
from commlife._engine import collect
from commlife.orders.cleaning import window_leaders

HOUR = 3_600_000_000


def log_of(rows, **extra):
    frame = pd.DataFrame(rows, columns=["user_id", "order_id", "ordered_at", "amount", "category", "address_id"])
    names = {name: name for name in frame.columns}
    return cl.OrderLog.from_frame(frame, **names, **extra)


@pytest.fixture
def log():
    return log_of(
        [
            ("ann", 1, "2025-01-01 09:00", 10.0, "veg", "1A"),
            ("ann", 1, "2025-01-01 09:00", 0.0, "gift", "1A"),
            ("ann", 2, "2025-01-01 20:00", 5.0, "veg", "1A"),
            ("ann", 3, "2025-01-02 09:00", 7.0, "veg", "1A"),
            ("bob", 4, "2025-01-03 09:00", 900.0, "housekeeping", "2B"),
            ("bob", 5, "2025-01-03 10:00", 20.0, "veg", "2B"),
            ("pat", 6, "2025-01-04 09:00", 9.0, "veg", "3C"),
            ("pat", 7, "2025-01-04 09:00", 9.0, "veg", "4D"),
            ("pat", 8, "2025-01-05 09:00", -9.0, "veg", "5E"),
        ]
    )


def told(log):
    return {row.rule: (row.action, row.rows, row.orders, row.users, row.amount) for row in log.audit.itertuples()}


def test_each_rule_is_accounted_for(log):
    clean = log.clean(
        cl.CleaningRules(
            exclude_categories=("housekeeping",), max_addresses_per_user=2, drop_zero_amount=True, merge_within="1D"
        )
    )
    assert told(clean) == {
        "exclude_categories": ("set_aside", 1, 1, 1, 900.0),
        "max_addresses_per_user": ("set_aside", 3, 3, 1, 9.0),
        "drop_zero_amount": ("set_aside", 1, 1, 1, 0.0),
        "merge_within": ("merged", 1, 1, 1, 0.0),
    }
    assert clean.set_aside["reason"].value_counts().to_dict() == {
        "proxy_buyer": 3, "excluded_category": 1, "zero_amount": 1,
    }  # fmt: skip
    assert (clean.n_rows, clean.n_orders, clean.n_users) == (4, 3, 2)
    assert log.n_rows == 9, "the log that was cleaned stays what it was"
    assert log.audit.empty


def test_the_window_opens_with_its_first_order(log):
    """09:00, 20:00 and 09:00 of the next day: the third lies a whole day after the first and begins a new order."""
    clean = log.clean(cl.CleaningRules(merge_within="1D"))
    orders = collect(clean._orders(30_000)).query("user_id == 'ann'").sort_values("us")
    assert orders["net"].tolist() == [1500, 700]
    hourly = log.clean(cl.CleaningRules(merge_within="6h"))
    assert len(collect(hourly._orders(30_000)).query("user_id == 'ann'")) == 3


def test_an_order_without_an_id_gets_one_when_merged():
    frame = pd.DataFrame(
        {"u": ["a", "a", "b"], "t": ["2025-01-01 09:00", "2025-01-01 10:00", "2025-01-01"], "m": [1.0, 2.0, 3.0]}
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    clean = log.clean(cl.CleaningRules(merge_within="6h"))
    assert clean.has("order_id")
    assert clean.n_orders == 2
    assert sorted(collect(clean._orders(30_000))["net"]) == [300, 300]


def test_winsorizing_lowers_to_an_amount_that_was_paid():
    amounts = [*range(1, 100), 5000]
    log = log_of([("u", i, "2025-01-01", float(x), "veg", "1") for i, x in enumerate(amounts)])
    clean = log.clean(cl.CleaningRules(winsorize_amount=0.95))
    assert clean.to_native()["amount"].max() == 95.0
    assert told(clean)["winsorize_amount"] == ("lowered", 5, 5, 1, 1 + 2 + 3 + 4 + 4905.0)
    assert log.clean(cl.CleaningRules(winsorize_amount=0.999)).to_native()["amount"].max() == 5000


def test_winsorizing_refunds_alone_does_nothing():
    log = log_of([("u", 1, "2025-01-01", -5.0, "veg", "1")])
    assert told(log.clean(cl.CleaningRules(winsorize_amount=0.9)))["winsorize_amount"][1] == 0


def test_rules_can_follow_rules(log):
    twice = log.clean(cl.CleaningRules(drop_zero_amount=True)).clean(cl.CleaningRules(exclude_categories=("veg",)))
    assert twice.audit["rule"].tolist() == ["drop_zero_amount", "exclude_categories"]
    assert twice.n_rows + len(twice.set_aside) == 9


def test_the_window_of_observation_stays(log):
    """Lines set aside do not move the day on which the log began to see."""
    clean = log.clean(cl.CleaningRules(exclude_categories=("veg", "gift")))
    assert clean.observation.first == log.observation.first


@pytest.mark.parametrize(
    "rule",
    [
        {"merge_within": "1 day"}, {"merge_within": "0h"}, {"max_addresses_per_user": 0}, {"winsorize_amount": 0.3},
        {"winsorize_amount": 1.0}, {"exclude_category": ("x",)}, {"drop_zero_amount": "perhaps"},
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_when_it_is_made(rule):
    with pytest.raises(cl.ConfigError):
        cl.CleaningRules(**rule)


def test_a_rule_that_needs_a_column_says_so():
    frame = pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [1.0]})
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    with pytest.raises(cl.ConfigError, match="category"):
        log.clean(cl.CleaningRules(exclude_categories=("x",)))
    with pytest.raises(cl.ConfigError, match="address_id"):
        log.clean(cl.CleaningRules(max_addresses_per_user=3))
    with pytest.raises(cl.ConfigError, match="CleaningRules"):
        log.clean({"drop_zero_amount": True})


def leaders_one_by_one(users, us, window):
    leader, begin = [], 0
    for i in range(len(us)):
        if i == 0 or users[i] != users[i - 1] or us[i] >= us[begin] + window:
            begin = i
        leader.append(begin)
    return leader


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 200)), max_size=40),
    st.integers(1, 60),
)
def test_windows_of_all_users_at_once_are_those_of_one_by_one(rows, window):
    rows = sorted(rows)
    users = np.array([user for user, _ in rows], dtype=np.int64)
    users = np.unique(users, return_inverse=True)[1] if len(users) else users
    us = np.array([time for _, time in rows], dtype=np.int64)
    assert window_leaders(users, us, window).tolist() == leaders_one_by_one(users, us, window)
