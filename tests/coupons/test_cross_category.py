"""Cross-category coupons by basket rules: what goes together in baskets moves the offer."""

from __future__ import annotations

import pandas as pd
import pytest

from commlife.basket import association_rules, frequent_itemsets
from commlife.coupons import Coupon, CrossCategory, Policy
from commlife.errors import ConfigError

COUPONS = tuple(
    Coupon(coupon_id=name, percent=20, max_discount=8, categories=(name,)) for name in ("bread", "eggs", "wine")
)


def users() -> pd.DataFrame:
    """Milk buyers; by affinity alone wine wins (two of the others have it), in baskets eggs go with noodles."""
    bought = [["milk", "noodles"], ["milk", "wine"], ["milk", "wine"], ["milk", "bread"], ["milk", "eggs", "noodles"]]
    frame = pd.DataFrame({"user_id": range(5), "bought_categories": bought, "favourite_category": "milk"})
    return frame.assign(frequency=3, monetary=60.0)


def offered(rule: CrossCategory) -> str:
    plan = Policy(rules=[rule], holdout=0, salt="w").plan(users())
    return str(plan.users["coupon_id"][0])


def test_basket_rules_move_the_offer_to_what_goes_with_what_was_bought() -> None:
    baskets = [["noodles", "eggs"]] * 6 + [["milk", "wine"]] * 5 + [["milk"]] * 5 + [["bread", "milk"]] * 4
    rules = association_rules(frequent_itemsets(baskets, min_count=3), min_confidence=0.1)
    rule = CrossCategory(coupons=COUPONS)
    with_rules = rule.with_rules(rules)
    assert ("noodles",) in [part.bought for part in with_rules.basket_rules]
    assert all(part.lift > 1 for part in with_rules.basket_rules)
    assert offered(with_rules) == "eggs"
    assert rule.basket_rules == ()
    assert CrossCategory.from_json(with_rules.to_json()) == with_rules


def test_what_was_bought_is_never_offered_whatever_the_rules_say() -> None:
    rule = CrossCategory(coupons=COUPONS, basket_rules=({"bought": ("milk",), "offer": "eggs", "lift": 50.0},))
    plan = Policy(rules=[rule], holdout=0, salt="w").plan(users())
    assert plan.users["coupon_id"][4] != "eggs"
    assert plan.users["coupon_id"][0] == "eggs"
    with pytest.raises(ConfigError, match="lift"):
        CrossCategory(coupons=COUPONS, basket_rules=({"bought": ("milk",), "offer": "eggs", "lift": -1.0},))
