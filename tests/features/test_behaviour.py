"""Behaviour: each number of each user by hand, on every engine."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife.features.behaviour import BEHAVIOUR, behaviour_of, behaviours
from commlife.orders.calendar import day_number

AS_OF = day_number("2025-03-03")

# 2025-01-04 is a Saturday, 2025-01-05 a Sunday, 2025-01-06 a Monday, 2025-01-10 a Friday, 2025-03-01 a Saturday.
LINES = pd.DataFrame(
    [
        ("ann", 1, "2025-01-04 10:00", 12.0, 2.0, "rice", 15.0),
        ("ann", 1, "2025-01-04 10:00", 8.0, None, "milk", 8.0),
        ("ann", 2, "2025-01-06 10:00", 10.0, 0.5, "rice", 10.0),
        ("ann", 3, "2025-01-10 23:00", 20.0, 3.0, None, 20.0),
        ("ann", 4, "2025-02-01 10:00", -5.0, 9.0, "fish", 9.0),
        ("ben", 5, "2025-03-01 00:00", 30.0, 4.0, "milk", 40.0),
        ("ben", 6, "2025-03-03 00:00", 99.0, 9.0, "fish", 99.0),
        ("cat", 7, "2025-01-05 12:00", -3.0, 1.0, "fish", 3.0),
    ],
    columns=["u", "o", "t", "m", "q", "c", "l"],
).assign(t=lambda frame: pd.to_datetime(frame["t"]))
NAMES = {"user_id": "u", "order_id": "o", "ordered_at": "t", "amount": "m"}


def test_each_number_by_hand(engine):
    """Ann ordered three times (Saturday, Monday, Friday) and gave 5 back; Ben once; Cat only gave back: no payer."""
    log = cl.OrderLog.from_frame(engine(LINES), **NAMES, quantity="q", category="c", list_amount="l")
    table = behaviours(log, AS_OF, behaviour_of(log)).set_index("user_id")
    assert list(table.index) == ["ann", "ben"]
    assert list(table.columns) == list(BEHAVIOUR)
    weekend, discount = 2 / 4, 2 / 5  # of all orders that count, and of all lines that are not negative
    assert table.attrs["shares"] == {"weekend_share": weekend, "discount_share": discount}
    wanted = {
        "recency_days": (52, 2),
        "orders_per_28d": (3 / 58 * 28, 1.0),
        "mean_order": ((50 - 5) / 3, 30.0),
        "weekend_share": ((1 + 4 * weekend) / (3 + 4), (1 + 4 * weekend) / (1 + 4)),
        "units_per_order": ((2 + 0.5 + 3) / 3, 4.0),
        "categories": (2, 1),
        "discount_share": ((1 + 4 * discount) / (4 + 4), (1 + 4 * discount) / (1 + 4)),
    }
    for name, values in wanted.items():
        assert table[name].tolist() == pytest.approx(values, abs=1e-12), name


def test_whoever_bought_nothing_with_a_category_bought_of_none(engine):
    lines = pd.concat([LINES, LINES[LINES["u"] == "ben"].head(1).assign(u="don", o=8, c=None)], ignore_index=True)
    log = cl.OrderLog.from_frame(engine(lines), **NAMES, category="c")
    table = behaviours(log, AS_OF, ("categories", "recency_days")).set_index("user_id")
    assert table["categories"].to_dict() == {"ann": 2, "ben": 1, "don": 0}


def test_shares_given_from_another_log_are_used_in_place_of_these():
    log = cl.OrderLog.from_frame(LINES, **NAMES, list_amount="l")
    given = {"weekend_share": 1.0, "discount_share": 0.0}
    table = behaviours(log, AS_OF, behaviour_of(log), shares=given).set_index("user_id")
    assert table.loc["ann", "weekend_share"] == pytest.approx((1 + 4 * 1.0) / (3 + 4))
    assert table.loc["ann", "discount_share"] == pytest.approx((1 + 4 * 0.0) / (4 + 4))
    assert table.attrs["shares"] == given


@pytest.mark.parametrize(
    ("told", "more"),
    [
        ({}, ()),
        ({"quantity": "q"}, ("units_per_order",)),
        ({"category": "c"}, ("categories",)),
        ({"list_amount": "l"}, ("discount_share",)),
        ({"discount": "l"}, ("discount_share",)),
        ({"coupon_id": "c"}, ("discount_share",)),
    ],
)
def test_a_log_tells_what_its_columns_tell(told, more):
    log = cl.OrderLog.from_frame(LINES, **NAMES, **told)
    assert behaviour_of(log) == (*tuple(BEHAVIOUR)[:4], *more)
    table = behaviours(log, AS_OF, ("recency_days", *more))
    assert list(table.columns) == ["user_id", "recency_days", *more]
