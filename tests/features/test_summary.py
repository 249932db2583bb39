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
