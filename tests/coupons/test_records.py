"""Records: there and back, in audits and reminders, and a plan's reasons kept."""

from __future__ import annotations

import pandas as pd
import pytest

from commlife.coupons import (
    Coupon,
    ExpiryReminders,
    Issuance,
    Policy,
    Redemption,
    Reminder,
    SecondOrder,
    audit_redemptions,
)
from commlife.errors import ConfigError

COUPON = Coupon.from_threshold("c", "30:5", valid_days=7)


def test_records_go_to_json_and_to_frames_and_back() -> None:
    given = Issuance(user_id=7, coupon_id="c", issued="2025-01-01", plan="w1", rule="second_order", reason="one order")
    assert Issuance.from_json(given.to_json()) == given
    used = [Redemption(user_id=7, coupon_id="c", day="2025-01-03", amount=40.0), Redemption(user_id=8, coupon_id="c", day="2025-01-03")]  # fmt: skip
    assert Redemption.from_frame(Redemption.to_frame(used)) == tuple(used)
    sent = Reminder(user_id="a", coupon_id="c", send_at="2025-01-06T08:00", last_day="2025-01-07", days_left=1)
    assert Reminder.from_json(sent.to_json()) == sent
    assert Reminder.from_frame(Reminder.to_frame([sent])) == (sent,)
    with pytest.raises(Exception, match="frozen"):
        sent.days_left = 3  # type: ignore[misc]


def test_audits_and_reminders_take_records() -> None:
    given = [Issuance(user_id="u1", coupon_id="c", issued="2025-01-01")]
    used = [
        Redemption(user_id="u1", coupon_id="c", day="2025-01-03", amount=20.0),
        Redemption(user_id="u2", coupon_id="c", day="2025-01-03"),
    ]
    table = audit_redemptions(used, given, [COUPON])
    assert table["below_minimum_spend"].tolist() == [True, False]
    assert table["untargeted"].tolist() == [False, True]
    due = ExpiryReminders(lead_days=2).due(given, [COUPON], now="2025-01-06T10:00")
    assert Reminder.from_frame(due)[0].user_id == "u1"


def test_a_plan_keeps_the_reason_of_each_coupon_and_later_plans_count_them() -> None:
    users = pd.DataFrame(
        {"user_id": [1, 2, 3], "frequency": [1, 1, 4], "recency_days": 3, "monetary": [20.0, 30.0, 90.0]}
    )
    policy = Policy(rules=[SecondOrder(coupon=COUPON)], holdout=0, salt="w1", most_coupons=2, rest_days=5, cap_days=28)
    history: list[Issuance] = []
    seen = []
    for day in ("2025-01-01", "2025-01-03", "2025-01-08", "2025-01-20", "2025-02-06"):
        plan = policy.plan(users, issued=history, on=day)
        seen.append(plan.users["outcome"].tolist())
        history += Issuance.from_frame(plan.issuances(issued=day))
    given, resting, capped = ["given", "given"], ["resting", "resting"], ["capped", "capped"]
    assert [outcome[:2] for outcome in seen] == [given, resting, given, capped, given]
    assert history[0].reason.startswith("one order so far")
    assert (history[0].plan, history[0].rule) == ("w1", "second_order")
    assert all(outcome[2] == "no_rule" for outcome in seen)


def test_bad_records_are_told() -> None:
    with pytest.raises(ConfigError, match="needs the columns"):
        Issuance.from_frame(pd.DataFrame({"user_id": [1]}))
    with pytest.raises(ConfigError, match="list of Issuance"):
        audit_redemptions([], [Redemption(user_id=1, coupon_id="c", day="2025-01-01")], [COUPON])
    with pytest.raises(ConfigError, match="local time"):
        Reminder(user_id=1, coupon_id="c", send_at="noon", last_day="2025-01-07", days_left=1)
    with pytest.raises(ConfigError, match="without a zone"):
        Reminder(user_id=1, coupon_id="c", send_at="2025-01-07T10:00+08:00", last_day="2025-01-07", days_left=1)
    users = pd.DataFrame({"user_id": [1], "frequency": [1], "recency_days": [3], "monetary": [20.0]})
    policy = Policy(rules=[SecondOrder(coupon=COUPON)], holdout=0, salt="w1", most_coupons=2)
    with pytest.raises(ConfigError, match="given together"):
        policy.plan(users, issued=[])
    with pytest.raises(ConfigError, match="recent_coupons"):
        policy.plan(users)
