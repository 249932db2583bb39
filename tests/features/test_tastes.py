"""Favourite category and price band, by hand and on every engine."""

from __future__ import annotations

import pandas as pd

import commlife as cl
from commlife._engine import collect
from commlife.features.tastes import bought_categories, favourite_category, price_band

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


def test_without_orders_and_categories(engine):
    frame = ROWS[["user_id", "ordered_at", "amount"]]
    log = cl.OrderLog.from_frame(engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount")
    assert set(by_user(price_band(log, 20_200), "price_band").values()) <= {"low", "middle", "high"}
    kept = ROWS.drop(columns="order_id")
    log = cl.OrderLog.from_frame(engine(kept), **{k: v for k, v in NAMES.items() if k != "order_id"})
    assert by_user(favourite_category(log, 20_200), "favourite_category")["ann"] == "veg", "each row is an order"
