"""Offers: one clear offer or an error, windows, words, JSON."""

from __future__ import annotations

import pytest

from commlife.coupons import Campaign, Coupon
from commlife.errors import ConfigError, PersistenceError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either amount or percent"),
        ({"amount": 5, "percent": 10}, "either amount or percent"),
        ({"amount": 0}, "greater than 0"),
        ({"amount": float("nan")}, "amount"),
        ({"amount": float("inf")}, "amount"),
        ({"percent": 120}, "100"),
        ({"percent": 12.345}, "two digits"),
        ({"amount": 5, "max_discount": 3}, "max_discount"),
        ({"amount": 5, "minimum_spend": 3}, "below the amount"),
        ({"amount": 5, "valid_from": "2025-02-01", "valid_until": "2025-01-01"}, "before valid_from"),
        ({"amount": 5, "valid_from": "1 Feb"}, "local business day"),
        ({"amount": 5, "valid_days": 0}, "valid_days"),
        ({"amount": 5, "stacking": "sometimes"}, "stacking"),
        ({"amount": 5, "minimum_spent": 30}, "Did you mean 'minimum_spend'"),
    ],
)
def test_an_unclear_offer_is_refused(fields, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Coupon(coupon_id="c", **fields)


def test_an_amount_may_be_as_large_as_the_least_spend() -> None:
    assert Coupon(coupon_id="c", amount=5, minimum_spend=5).describe()


def test_windows() -> None:
    fixed = Coupon(coupon_id="a", amount=5, valid_from="2025-01-10", valid_until="2025-01-20")
    assert [fixed.valid_on(f"2025-01-{day}") for day in ("09", "10", "20", "21")] == [False, True, True, False]
    rolling = Coupon(coupon_id="b", amount=5, valid_days=3, valid_until="2025-01-20")
    assert rolling.window(issued="2025-01-10") == ("2025-01-10", "2025-01-12")
    assert rolling.window(issued="2025-01-19") == ("2025-01-19", "2025-01-20")
    assert rolling.valid_on("2025-01-12", issued="2025-01-10")
    with pytest.raises(ConfigError, match="give issued="):
        rolling.valid_on("2025-01-12")
    assert Coupon(coupon_id="c", amount=5).valid_on("2025-01-01")


def test_what_a_redemption_takes_off() -> None:
    assert Coupon.from_threshold("a", "30:5").expected_discount(10) == 5
    assert Coupon(coupon_id="a", amount=5).expected_discount(3) == 3
    assert Coupon(coupon_id="a", percent=20).expected_discount(50) == 10
    assert Coupon(coupon_id="a", percent=20, max_discount=8).expected_discount(50) == 8
    assert Coupon(coupon_id="a", percent=20, minimum_spend=100).expected_discount(50) == 20
    assert Coupon(coupon_id="a", percent=20).largest_discount is None
    assert Coupon(coupon_id="a", amount=5).largest_discount == 5


def test_offers_in_words() -> None:
    assert Coupon.from_threshold("a", "30:5").describe() == "5 off from 30"
    assert Coupon.from_threshold("a", "30:5").describe("zh") == "满30减5"
    assert Coupon(coupon_id="a", amount=5, categories=("蔬菜",)).describe("zh") == "蔬菜立减5"
    percent = Coupon(coupon_id="a", percent=20, max_discount=8, minimum_spend=10)
    assert percent.describe("zh") == "满10享8折，最多减8"
    assert Coupon(coupon_id="a", percent=15).describe("zh") == "8.5折"
    assert Coupon(coupon_id="a", amount=5, items=("x1", "x2")).describe() == "5 off x1 or x2"
    assert percent.describe() == "20% off from 10, at most 8"
    assert percent.model_copy(update={"label": "Sale"}).describe() == "Sale"


def test_campaigns_hold_distinct_coupons() -> None:
    one = Coupon.from_threshold("a", "30:5")
    campaign = Campaign(campaign_id="spring", coupons=(one,), budget=100)
    assert Campaign.from_json(campaign.to_json()) == campaign
    with pytest.raises(ConfigError, match="allowed: a"):
        campaign.coupon("b")
    assert campaign.coupon("a") is one
    for fields, message in (
        ({"coupons": ()}, "at least one"),
        ({"coupons": (one, one)}, "distinct"),
        ({"coupons": (one,), "valid_from": "2025-02-01", "valid_until": "2025-01-01"}, "before"),
        ({"coupons": (one,), "budget": -1}, "budget"),
    ):
        with pytest.raises(ConfigError, match=message):
            Campaign(campaign_id="spring", **fields)
    with pytest.raises(PersistenceError):
        Campaign.from_json(one.to_json())
