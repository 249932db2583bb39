"""PriceGuard: denied columns, floors that hold at the till, original prices that were really paid."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.coupons import Coupon, Policy, PriceGuard, SecondOrder, best_combination, price
from commlife.errors import ConfigError
from commlife.orders import OrderLog


def log() -> OrderLog:
    rows = [
        ("2025-01-01", "milk", 12.0, 1),
        ("2025-01-20", "milk", 20.0, 2),
        ("2025-01-25", "milk", 8.0, 1),
        ("2025-01-26", "eggs", 30.0, 3),
        ("2025-02-01", "eggs", 90.0, 1),
    ]
    frame = pd.DataFrame(rows, columns=["ordered_at", "item_id", "amount", "quantity"])
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"])
    frame["user_id"] = range(len(frame))
    names = ("user_id", "ordered_at", "amount", "item_id", "quantity")
    return OrderLog.from_frame(frame, **{name: name for name in names})


def test_an_original_price_must_have_been_paid_within_the_look_back() -> None:
    """12 was paid too long ago, 90 on the day of the offer itself: neither counts."""
    offers = pd.DataFrame(
        {
            "item_id": ["milk", "milk", "milk", "eggs", "tea"],
            "original_price": [12.0, 10.0, 8.0, 90.0, 5.0],
            "payable_price": [7.0, 7.0, 3.0, 9.0, 4.0],
        }
    )
    table = PriceGuard(floor_share=0.5, lookback="20D").audit_prices(log(), offers, as_of="2025-02-01")
    assert table["lowest"].tolist()[:4] == [8.0, 8.0, 8.0, 10.0]
    assert np.isnan(table["lowest"][4])
    assert table["transacted"].tolist() == [False, True, True, False, False]
    assert table["is_lowest"].tolist() == [False, False, True, False, False]
    assert table["lines_at_original"].tolist() == [0, 1, 2, 0, 0]
    assert table["above_floor"].tolist() == [True, True, False, False, True]
    assert table["sound"].tolist() == [False, True, False, False, False]


def test_the_floor_is_the_cost_where_asked_for() -> None:
    offers = pd.DataFrame({"item_id": ["milk"], "original_price": [10.0], "payable_price": [6.0], "unit_cost": [6.5]})
    table = PriceGuard(above_cost=True).audit_prices(log(), offers, as_of="2025-02-01")
    assert table["floor"].tolist() == [6.5]
    assert not table["sound"][0]
    with pytest.raises(ConfigError, match="needs costs"):
        PriceGuard(above_cost=True).floors([1.0])


@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=6),
    st.floats(0, 1),
    st.integers(1, 6_000),
    st.integers(1, 100),
)
def test_no_line_falls_below_its_floor_and_sums_stay_exact(cells, share, off, percent) -> None:
    amounts = np.array(cells) / 100
    floors = PriceGuard(floor_share=share).floors(amounts)
    assert (floors <= amounts).all()
    coupons = [Coupon(coupon_id="a", amount=off / 100), Coupon(coupon_id="p", percent=percent)]
    for result in (price({"amount": amounts, "floor": floors}, coupons), best_combination({"amount": amounts, "floor": floors}, coupons)):  # fmt: skip
        minor = np.rint(result.lines["payable"].to_numpy() * 100)
        assert (minor >= np.rint(floors * 100)).all()
        assert minor.sum() == round(result.payable * 100)
        assert round(result.payable * 100) + round(result.discount * 100) == round(result.total * 100)


def test_a_floor_of_zero_changes_nothing() -> None:
    coupons = [Coupon.from_threshold("t", "30:5"), Coupon(coupon_id="p", percent=33)]
    basket = {"amount": [20.0, 15.5, 7.25]}
    plain, floored = price(basket, coupons), price(basket | {"floor": [0.0, 0.0, 0.0]}, coupons)
    assert plain.payable == floored.payable
    with pytest.raises(ConfigError, match="a floor lies"):
        price(basket | {"floor": [30.0, 0.0, 0.0]}, coupons)


def test_a_policy_refuses_a_table_with_a_denied_column() -> None:
    users = pd.DataFrame({"user_id": [1], "frequency": [1], "recency_days": [3], "monetary": [20.0]})
    coupon = Coupon.from_threshold("c", "30:5")
    policy = Policy(rules=[SecondOrder(coupon=coupon)], holdout=0, salt="w", guard=PriceGuard(deny=("monetary",)))
    with pytest.raises(ConfigError, match="'monetary': PriceGuard denies"):
        policy.plan(users)
    assert Policy.from_json(policy.to_json()) == policy


def test_a_gift_is_no_price_that_was_paid() -> None:
    frame = pd.DataFrame(
        {"u": [1, 2, 3], "t": ["2025-01-20", "2025-01-21", "2025-01-22"], "m": [8.0, 0.0, 10.0], "i": "milk"}
    )
    given_away = OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", item_id="i")
    offers = pd.DataFrame({"item_id": ["milk"], "original_price": [8.0], "payable_price": [6.0]})
    table = PriceGuard(floor_share=0.5, lookback="20D").audit_prices(given_away, offers, as_of="2025-02-01")
    assert table[["lowest", "is_lowest"]].to_numpy().tolist() == [[8.0, True]]
