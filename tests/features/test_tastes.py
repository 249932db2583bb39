"""Favourite category and price band, by hand and on every engine."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife._engine import collect
from commlife.features.tastes import (
    bought_categories,
    discounted_lines,
    favourite_category,
    ordered_categories,
    price_band,
    priced_lines,
)

ROWS = pd.DataFrame(
    [
        ("ann", 1, "2025-01-01", 3.0, "veg"), ("ann", 1, "2025-01-01", 3.0, "veg"), ("ann", 1, "2025-01-01", 6.0, "fruit"),
        ("ann", 2, "2025-01-05", 7.0, "fruit"), ("ann", 3, "2025-01-06", 4.0, "veg"),
        ("bob", 4, "2025-01-02", 6.0, "veg"), ("bob", 5, "2025-01-03", 12.0, "fruit"), ("bob", 5, "2025-01-03", 5.0, None),
        ("cat", 6, "2025-01-03", 5.0, "tea"), ("cat", 7, "2025-01-03", 50.0, "tea"), ("cat", 7, "2025-01-09", -50.0, "tea"),
    ],
    columns=["user_id", "order_id", "ordered_at", "amount", "category"],
)  # fmt: skip
NAMES = {name: name for name in ROWS.columns}


def by_user(plan, column):
    return collect(plan).set_index("user_id")[column].to_dict()


def test_a_favourite_is_in_most_orders_then_has_most_money(engine):
    log = cl.OrderLog.from_frame(engine(ROWS), **NAMES)
    assert by_user(favourite_category(log, 20_200), "favourite_category") == {
        "ann": "fruit",
        "bob": "fruit",
        "cat": "tea",
    }
    tea = collect(bought_categories(log, 20_200)).query("user_id == 'cat'")
    assert tea[["orders", "spend"]].to_numpy().tolist() == [[1, 500]], "the refunded order does not count"


def test_a_price_band_compares_like_with_like(engine):
    log = cl.OrderLog.from_frame(engine(ROWS), **NAMES)
    # veg lines cost 4 on average, fruit 8.33, tea 27.5.
    assert by_user(price_band(log, 20_200), "price_band") == {"ann": "low", "bob": "high", "cat": "middle"}


def test_a_usual_price_is_that_of_the_category_and_the_quantity(engine):
    """rice: 10 + 14 for 1 + 3 units is 6 a unit; milk: 5 a line. List prices are asked, paid ones where there is none."""
    rows = pd.DataFrame(
        [
            ("ann", "rice", 9.0, 10.0, 1.0), ("ben", "rice", 14.0, None, 3.0), ("ann", "milk", 4.0, 6.0, None),
            ("ben", "milk", 4.0, 4.0, -2.0), ("ann", None, 7.0, 7.0, 1.0), ("ben", "rice", -3.0, 9.0, 1.0),
        ],
        columns=["user_id", "category", "amount", "list_amount", "quantity"],
    ).assign(ordered_at="2025-01-01")  # fmt: skip
    log = cl.OrderLog.from_frame(engine(rows), **{name: name for name in rows.columns})
    lines = collect(priced_lines(log, 20_200)).sort_values(["user_id", "paid"])
    assert lines[["user_id", "paid", "usual"]].to_numpy().tolist() == [
        ["ann", 600, 500], ["ann", 1000, 600], ["ben", 400, 500], ["ben", 1400, 1800],
    ]  # fmt: skip


def test_lines_at_a_discount_are_those_that_say_so(engine):
    """Below the list price, with money taken off, or with a coupon: any of them; refunds are no purchases."""
    rows = pd.DataFrame(
        [
            ("list", 9.0, 10.0, 0.0, None), ("off", 9.0, 9.0, 1.0, None), ("coupon", 9.0, 9.0, 0.0, "C1"),
            ("plain", 9.0, 9.0, 0.0, None), ("unknown", 9.0, None, None, None), ("back", -9.0, 10.0, 1.0, "C1"),
            ("free", 0.0, 9.0, 0.0, None),
        ],
        columns=["user_id", "amount", "list_amount", "discount", "coupon_id"],
    ).assign(ordered_at="2025-01-01")  # fmt: skip
    log = cl.OrderLog.from_frame(engine(rows), **{name: name for name in rows.columns})
    plan = discounted_lines(log, 20_200)
    assert plan is not None
    table = collect(plan)
    assert table.set_index("user_id")["hits"].to_dict() == {
        "list": 1, "off": 1, "coupon": 1, "plain": 0, "unknown": 0, "free": 1,
    }  # fmt: skip
    assert (table["of"] == 1).all()
    bare = cl.OrderLog.from_frame(ROWS, **NAMES)
    assert discounted_lines(bare, 20_200) is None


def test_without_orders_and_categories(engine):
    frame = ROWS[["user_id", "ordered_at", "amount"]]
    log = cl.OrderLog.from_frame(engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount")
    assert set(by_user(price_band(log, 20_200), "price_band").values()) <= {"low", "middle", "high"}
    kept = ROWS.drop(columns="order_id")
    log = cl.OrderLog.from_frame(engine(kept), **{k: v for k, v in NAMES.items() if k != "order_id"})
    assert by_user(favourite_category(log, 20_200), "favourite_category")["ann"] == "veg", "each row is an order"


def test_a_column_that_is_missing_is_named_with_what_needs_it():
    log = cl.OrderLog.from_frame(
        ROWS[["user_id", "ordered_at", "amount"]], user_id="user_id", ordered_at="ordered_at", amount="amount"
    )
    for level, told in (("category", "a favourite category needs the column category"), ("item_id", "this question")):
        with pytest.raises(cl.ConfigError, match=told):
            ordered_categories(log, 20_200, level=level)
