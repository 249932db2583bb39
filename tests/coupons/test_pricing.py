"""Pricing: exact sums, stacking, scopes, the best combination."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.coupons import Coupon, best_combination, price
from commlife.errors import CommlifeError, ConfigError

MILK = Coupon(coupon_id="milk", percent=50, categories=("milk",))
FIVE = Coupon.from_threshold("five", "30:5")
ALONE = Coupon.from_threshold("alone", "30:8", stacking="exclusive")
BASKET = {"amount": [20.0, 15.0], "category": ["milk", "noodles"], "item_id": ["m1", "n1"]}


@st.composite
def tills(draw):
    amounts = draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
    kinds = draw(st.lists(st.sampled_from(["milk", "noodles"]), min_size=len(amounts), max_size=len(amounts)))
    coupons = []
    for index in range(draw(st.integers(0, 4))):
        scope = draw(st.sampled_from([(), ("milk",), ("noodles",)]))
        off = draw(
            st.sampled_from(
                [{"amount": 3.5}, {"percent": 12.5}, {"percent": 33, "max_discount": 4.0}, {"percent": 100}]
            )
        )
        minimum = draw(st.sampled_from([0.0, 30.0, 80.0]))
        stacking = draw(st.sampled_from(["stackable", "exclusive"]))
        coupons.append(Coupon(coupon_id=f"c{index}", categories=scope, minimum_spend=minimum, stacking=stacking, **off))
    return {"amount": np.array(amounts) / 100, "category": kinds}, coupons


@given(tills(), st.sampled_from(["rules", "all", "one"]))
def test_every_cent_is_accounted_for(till, stacking) -> None:
    basket, coupons = till
    result = price(basket, coupons, stacking=stacking)
    cents = (result.lines[["amount", "discount", "payable"]].to_numpy() * 100).round().astype(int)
    assert (cents[:, 0] == cents[:, 1] + cents[:, 2]).all()
    assert (cents >= 0).all()
    assert cents[:, 2].sum() == round(result.payable * 100)
    assert round(sum(result.applied.values()) * 100) == round(result.discount * 100)
    assert result.applied.keys() | result.rejected.keys() == {coupon.coupon_id for coupon in coupons}
    if stacking == "one":
        assert len(result.applied) <= 1
    if stacking == "rules" and len(result.applied) > 1:
        assert all(c.stacking == "stackable" for c in coupons if c.coupon_id in result.applied)


@given(tills(), st.sampled_from(["rules", "all", "one"]))
def test_no_subset_is_cheaper_than_the_best(till, stacking) -> None:
    basket, coupons = till
    best = best_combination(basket, coupons, stacking=stacking)
    for size in range(len(coupons) + 1):
        for some in itertools.combinations(coupons, size):
            assert best.payable <= price(basket, list(some), stacking=stacking).payable + 1e-9
    assert best.applied.keys() | best.rejected.keys() == {coupon.coupon_id for coupon in coupons}


def test_the_minimum_spend_is_judged_before_any_discount() -> None:
    result = price(BASKET, [MILK, FIVE])
    assert result.applied == {"five": 5.0, "milk": pytest.approx(8.57)}
    assert result.payable == pytest.approx(21.43)


def test_priority_comes_before_the_identifier() -> None:
    first = MILK.model_copy(update={"priority": -1})
    assert list(price(BASKET, [FIVE, first]).applied) == ["milk", "five"]


def test_an_exclusive_coupon_stands_alone() -> None:
    result = price(BASKET, [FIVE, ALONE])
    assert result.applied == {"alone": 8.0}
    assert "exclusive" in result.rejected["five"]
    assert price(BASKET, [FIVE, ALONE], stacking="all").discount == 13
    assert best_combination(BASKET, [FIVE, ALONE]).rejected == {
        "five": "exclusive: it does not combine with another coupon"
    }
    assert best_combination(BASKET, [FIVE, MILK, ALONE]).rejected["alone"]


def test_reasons_name_what_is_missing() -> None:
    assert "4.5 is missing" in price({"amount": [25.5]}, [FIVE]).rejected["five"]
    assert "scope" in price({"amount": [25.5], "category": ["eggs"]}, [MILK]).rejected["milk"]
    assert "one coupon" in price(BASKET, [FIVE, MILK], stacking="one").rejected["milk"]
    late = Coupon(coupon_id="late", amount=1, valid_from="2025-05-01")
    assert "not valid" in price(BASKET, [late], on="2025-04-30").rejected["late"]
    assert price(BASKET, [late], on="2025-05-01").applied == {"late": 1.0}
    gift = Coupon(coupon_id="gift", amount=50)
    assert (
        "nothing is left" in price({"amount": [5.0]}, [gift, gift.model_copy(update={"coupon_id": "z"})]).rejected["z"]
    )


def test_a_percentage_rounds_half_up() -> None:
    assert price({"amount": [0.05]}, [Coupon(coupon_id="h", percent=50)]).discount == 0.03


def test_scopes_by_item_and_frames_of_other_kinds() -> None:
    one = Coupon(coupon_id="one", amount=3, items=("n1",), categories=("none",))
    for basket in (BASKET, pd.DataFrame(BASKET), pl.DataFrame(BASKET)):
        assert price(basket, [one]).to_frame()["discount"].tolist() == [0.0, 3.0]
    assert "payable=32" in repr(price(BASKET, [one]))


@pytest.mark.parametrize(
    ("basket", "coupons", "message"),
    [
        ({"amount": [1.0, 2.0], "category": ["a"]}, [], "differ in length"),
        ({"amount": [-1.0]}, [], "at least 0"),
        ({"amount": [float("nan")]}, [], "finite"),
        ({"amount": ["a"]}, [], "numbers"),
        ({"sum": [1.0]}, [], "unknown"),
        ({"amount": []}, [], "no rows"),
        ({"amount": [1.0]}, [MILK], "no such column"),
        (BASKET, [FIVE, FIVE], "distinct"),
        (BASKET, FIVE, "list of Coupon"),
        (BASKET, ["30:5"], "list of Coupon"),
        ([1.0], [], "data frame"),
    ],
)
def test_bad_input_is_told(basket, coupons, message) -> None:
    with pytest.raises(CommlifeError, match=message):
        price(basket, coupons)


def test_too_many_coupons_and_unknown_stacking() -> None:
    many = [Coupon(coupon_id=f"c{i}", amount=1) for i in range(13)]
    with pytest.raises(ConfigError, match="at most 12"):
        best_combination(BASKET, many)
    with pytest.raises(ConfigError, match="stacking"):
        price(BASKET, [], stacking="some")  # type: ignore[arg-type]
