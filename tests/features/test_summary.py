"""Purchase summary: the known answers of CDNOW, and the laws that it keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import commlife as cl
from commlife import testing
from commlife.testing.strategies import log_of


def test_cdnow_has_the_published_counts(engine, as_pandas, shared):
    """Fader & Hardie: 2,357 customers, 4,814 customer-days, 2,457 repeat days, mean repeat value 35.0778."""
    data = pd.read_parquet(shared / "cdnow_sample.parquet")
    log = cl.OrderLog.from_frame(engine(data), user_id="customer_id", ordered_at="date", amount="dollar_value")
    table = as_pandas(cl.purchase_summary(log, as_of="1997-10-01"))
    assert (len(table), int(table["x"].sum()), int((table["x"] == 0).sum())) == (2_357, 2_457, 1_411)
    assert int((table["x"] + 1).sum()) == 4_814
    assert table["m_x"].mean() == pytest.approx(35.0778, abs=5e-5)
    assert table.loc[table["x"] == 0, "m_x"].isna().all()


def test_orders_of_one_day_are_one_purchase():
    frame = pd.DataFrame(
        {
            "user_id": ["a"] * 4,
            "ordered_at": ["2025-01-01 08:00", "2025-01-01 20:00", "2025-01-11 08:00", "2025-01-11 09:00"],
            "amount": [5.0, 6.0, 7.0, 8.0],
        }
    )
    table = cl.purchase_summary(log_of(frame), as_of="2025-01-21")
    assert table.iloc[0].tolist() == ["a", 1, 10, 19, 15.0]


@given(testing.order_frames())
def test_the_summary_is_the_one_made_by_hand(frame):
    """An independent computation, user by user."""
    table = cl.purchase_summary(log_of(frame), as_of="2025-03-01").set_index("user_id")
    before = frame[frame["ordered_at"] < "2025-03-01"].assign(cents=lambda f: (f["amount"] * 100).round().astype(int))
    wanted = {}
    for user, rows in before.groupby("user_id"):
        days = {}
        for _, order in rows.groupby("order_id"):
            net = order["cents"].sum()
            if net > 0 or (net == 0 and (order["cents"] >= 0).all()):
                day = order["ordered_at"].min().normalize()
                days[day] = days.get(day, 0) + net
        if days:
            first, last, x = min(days), max(days), len(days) - 1
            m = sum(net for day, net in days.items() if day != first) / x / 100 if x else np.nan
            wanted[user] = (x, (last - first).days, (pd.Timestamp("2025-02-28") - first).days, m)
    assert set(table.index) == set(wanted)
    for user, row in wanted.items():
        np.testing.assert_allclose(table.loc[user, ["x", "t_x", "T", "m_x"]].astype(float), row, rtol=1e-12)


def test_the_summary_is_a_sound_pipeline():
    assert testing.check_pipeline(cl.purchase_summary) is None


def _steady_and_old(old: int) -> pd.DataFrame:
    """Users who begin evenly over 200 days, and some who were there before the log: they all come in its first week."""
    rng = np.random.default_rng(2)
    first = np.concatenate([rng.integers(0, 200, 300), rng.integers(0, 7, old)])
    rows = [(f"u{i:03d}", day + step) for i, day in enumerate(first) for step in (0, 20)]
    frame = pd.DataFrame(rows, columns=["user_id", "day"])
    return frame.assign(ordered_at=pd.Timestamp("2025-01-01") + pd.to_timedelta(frame["day"], unit="D"), amount=1.0)


def test_a_log_that_begins_in_the_middle_of_lives_is_told():
    with pytest.warns(cl.LeftTruncatedWarning, match="in the middle of lives"):
        table = cl.purchase_summary(log_of(_steady_and_old(200).drop(columns="day")), as_of="2025-09-01")
    assert list(table.columns) == ["user_id", "x", "t_x", "T", "m_x"]
    assert len(cl.purchase_summary(log_of(_steady_and_old(0).drop(columns="day")), as_of="2025-09-01")) == 300


def test_a_washout_tells_users_apart_who_existed_before(engine, as_pandas):
    frame = _steady_and_old(200)
    log = cl.OrderLog.from_frame(engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount")
    table = as_pandas(cl.purchase_summary(log, as_of="2025-09-01", washout="28D"))
    first = frame.groupby("user_id")["day"].min()
    assert table.set_index("user_id")["existing"].astype(bool).to_dict() == (first < first.min() + 28).to_dict()


def test_the_hosts_word_tells_users_apart(engine, as_pandas):
    frame = _steady_and_old(5).assign(known_since=lambda f: f["ordered_at"].where(f["user_id"] != "u007"))
    frame["known_since"] = frame["known_since"].fillna(pd.Timestamp("2024-03-01"))
    log = cl.OrderLog.from_frame(
        engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount", first_ordered_at="known_since"
    )
    table = as_pandas(cl.purchase_summary(log, as_of="2025-09-01")).set_index("user_id")
    assert table.index[table["existing"].astype(bool)].tolist() == ["u007"]


def test_own_attributes_are_those_of_the_first_order(engine, as_pandas):
    frame = _steady_and_old(0).sort_values("day").assign(estate=lambda f: np.where(f["day"] < 60, "north", "south"))
    log = cl.OrderLog.from_frame(
        engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount", community="estate"
    )
    table = as_pandas(cl.purchase_summary(log, as_of="2025-09-01", attributes=("community",)))
    first = frame.groupby("user_id")["day"].min()
    assert (table.set_index("user_id")["community"] == "north").to_dict() == (first < 60).to_dict()
    with pytest.raises(cl.ConfigError, match="channel"):
        cl.purchase_summary(log, as_of="2025-09-01", attributes=("channel",))
