"""Reminders before expiry: windows, quiet hours, caps."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from commlife.coupons import Coupon, ExpiryReminders
from commlife.errors import ConfigError

COUPONS = [
    Coupon(coupon_id="week", amount=5, valid_days=7),
    Coupon(coupon_id="spring", percent=10, valid_until="2025-03-31"),
    Coupon(coupon_id="ever", amount=1),
]


def issued(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "coupon_id", "issued"])


def test_what_is_about_to_expire_is_due() -> None:
    frame = issued(
        ("a", "week", "2025-03-01"),
        ("b", "week", "2025-03-04"),
        ("c", "week", "2025-02-20"),
        ("d", "ever", "2025-03-01"),
    )
    due = ExpiryReminders(lead_days=3).due(frame, COUPONS, now="2025-03-05T10:00")
    assert due["user_id"].tolist() == ["a"]
    assert due["days_left"].tolist() == [2]
    assert due["last_day"].astype(str).tolist() == ["2025-03-07"]
    assert due["message"][0] == "your coupon (5 off) expires in 2 days"
    assert "还有2天到期" in ExpiryReminders().due(frame, COUPONS, now="2025-03-05T10:00", lang="zh")["message"][0]


def test_used_and_reminded_coupons_are_left_alone() -> None:
    frame = issued(("a", "week", "2025-03-01"), ("b", "week", "2025-03-01"), ("c", "week", "2025-03-01"))
    frame["redeemed"], frame["reminded"] = ["2025-03-02", None, None], [None, dt.date(2025, 3, 4), None]
    assert ExpiryReminders().due(frame, COUPONS, now="2025-03-05T10:00")["user_id"].tolist() == ["c"]


@pytest.mark.parametrize(
    ("now", "quiet", "sent"),
    [
        ("2025-03-05T23:30", (21, 8), "2025-03-06 08:00:00"),
        ("2025-03-05T03:00", (21, 8), "2025-03-05 08:00:00"),
        ("2025-03-05T20:59", (21, 8), "2025-03-05 20:59:00"),
        ("2025-03-05T13:10", (12, 14), "2025-03-05 14:00:00"),
        ("2025-03-05T03:00", (0, 0), "2025-03-05 03:00:00"),
    ],
)
def test_nobody_is_disturbed_in_quiet_hours(now, quiet, sent) -> None:
    rule = ExpiryReminders(quiet_from=quiet[0], quiet_until=quiet[1])
    due = rule.due(issued(("a", "week", "2025-03-01")), COUPONS, now=now)
    assert due["send_at"].astype(str).tolist() == [sent]


def test_what_expires_in_the_night_is_not_sent() -> None:
    frame = issued(("a", "week", "2025-03-01"))
    assert len(ExpiryReminders().due(frame, COUPONS, now="2025-03-07T20:00")) == 1
    assert len(ExpiryReminders().due(frame, COUPONS, now="2025-03-07T22:00")) == 0


def test_a_user_gets_the_most_urgent_one() -> None:
    frame = issued(("a", "spring", "2025-03-01"), ("a", "week", "2025-03-24"), ("a", "week", "2025-03-25"))
    due = ExpiryReminders(lead_days=5).due(frame, COUPONS, now=dt.datetime(2025, 3, 28, 10))
    assert due["coupon_id"].tolist() == ["week"]
    assert due["days_left"].tolist() == [2]
    many = ExpiryReminders(lead_days=5, per_user_cap=2).due(frame, COUPONS, now="2025-03-28T10:00")
    assert many["coupon_id"].tolist() == ["week", "week"]


@pytest.mark.parametrize(
    ("change", "now", "message"),
    [
        ({"coupon_id": "weak"}, "2025-03-05T10:00", "Did you mean 'week'"),
        ({"issued": "soon"}, "2025-03-05T10:00", "no day"),
        ({"issued": 20250301}, "2025-03-05T10:00", "holds numbers"),
        ({"issued": pd.Timestamp("2025-03-01", tz="Asia/Shanghai")}, "2025-03-05T10:00", "time zone"),
        ({"issued": None}, "2025-03-05T10:00", "no day"),
        ({}, "morning", "local time"),
        ({}, "2025-03-05T10:00+08:00", "without a zone"),
        ({}, 5, "local time"),
    ],
)
def test_bad_input_is_told(change, now, message) -> None:
    with pytest.raises(ConfigError, match=message):
        ExpiryReminders().due(issued(("a", "week", "2025-03-01")).assign(**change), COUPONS, now=now)


def test_coupons_are_a_list_of_distinct_coupons() -> None:
    frame = issued(("a", "week", "2025-03-01"))
    for coupons, message in (([], "list of Coupon"), ("week", "list of Coupon"), (COUPONS[:1] * 2, "distinct")):
        with pytest.raises(ConfigError, match=message):
            ExpiryReminders().due(frame, coupons, now="2025-03-05T10:00")
    mixed = issued(("a", "week", "2025-03-01"), ("b", "week", "2025-03-01T00:00+08:00"))
    with pytest.raises(ConfigError, match=r"time zone|no day"):
        ExpiryReminders().due(mixed, COUPONS, now="2025-03-05T10:00")
