"""Redemptions checked against issues: each fault, and sound ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from commlife.coupons import Coupon, audit_redemptions
from commlife.errors import ConfigError

COUPONS = [
    Coupon.from_threshold("week", "30:5", valid_days=7, per_user_limit=1),
    Coupon(coupon_id="spring", percent=10, valid_from="2025-03-10", valid_until="2025-03-31"),
]
ISSUED = pd.DataFrame(
    [("a", "week", "2025-03-01"), ("a", "week", "2025-03-20"), ("b", "spring", "2025-03-01")],
    columns=["user_id", "coupon_id", "issued"],
)


def used(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "coupon_id", "day", "amount"])


def test_each_fault_is_seen() -> None:
    frame = used(
        ("a", "week", "2025-03-22", 40.0),
        ("a", "week", "2025-03-07", 40.0),
        ("a", "week", "2025-03-08", 29.99),
        ("b", "week", "2025-03-02", 30.0),
        ("b", "spring", "2025-03-09", 1.0),
        ("b", "spring", "2025-03-31", 1.0),
        ("c", "autumn", "2025-03-31", 1.0),
    )
    table = audit_redemptions(frame, ISSUED, COUPONS)
    faults = [sorted(name for name in table.columns[3:-1] if row[name]) for _, row in table.iterrows()]
    assert faults == [
        ["over_limit"],
        [],
        ["below_minimum_spend", "outside_window", "over_limit"],
        ["untargeted"],
        ["outside_window"],
        [],
        ["unknown_coupon"],
    ]
    assert table["sound"].tolist() == [not names for names in faults]
    assert len(frame) == len(table)


def test_rows_may_come_in_any_order_and_any_frame() -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2025-03-01", periods=30).strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {
            "user_id": rng.choice(["a", "b", "c"], 40),
            "coupon_id": rng.choice(["week", "spring"], 40),
            "day": rng.choice(days, 40),
        }
    ).drop_duplicates()
    table = audit_redemptions(frame, ISSUED, COUPONS)
    assert not table["below_minimum_spend"].any()
    order = rng.permutation(len(frame))
    shuffled = audit_redemptions(frame.iloc[order], ISSUED.iloc[::-1], COUPONS)
    pd.testing.assert_frame_equal(shuffled, table.iloc[order].reset_index(drop=True))
    other = audit_redemptions(pl.DataFrame(frame.to_dict("list")), pl.DataFrame(ISSUED.to_dict("list")), COUPONS)
    pd.testing.assert_frame_equal(other, table)


def test_bad_input_is_told() -> None:
    frame = used(("a", "week", "2025-03-22", 40.0))
    with pytest.raises(ConfigError, match="'day'"):
        audit_redemptions(frame.drop(columns="day"), ISSUED, COUPONS)
    with pytest.raises(ConfigError, match="no day"):
        audit_redemptions(frame.assign(day="x"), ISSUED, COUPONS)
    with pytest.raises(ConfigError, match="list of Coupon"):
        audit_redemptions(frame, ISSUED, ["week"])
