"""Cross-sell against reading the rules one by one."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.basket import association_rules, cross_sell, cross_sell_many, frequent_itemsets
from commlife.errors import ConfigError

baskets_strategy = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=20)


def read_the_rules(rules, basket, k, by):
    """Each item by its best rule: the measure, then the order of the frame."""
    frame = rules.to_frame().sort_values(by, ascending=False, kind="stable")
    offers = {}
    for rule in frame.itertuples():
        (item, *more) = rule.consequent
        if not more and item not in basket and item not in offers and set(rule.antecedent) <= set(basket):
            offers[item] = (item, rule.confidence, rule.lift, rule.count, rule.antecedent)
    return list(offers.values())[:k]


@given(
    past=baskets_strategy,
    live=st.lists(st.lists(st.sampled_from("abcdefz"), max_size=6), max_size=8),
    k=st.integers(1, 4),
    by=st.sampled_from(["confidence", "lift", "leverage", "support"]),
    tenths=st.integers(0, 8),
)
def test_equals_reading_the_rules(past, live, k, by, tenths):
    rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=tenths / 10)
    many = cross_sell_many(rules, live, k, by=by)
    for number, basket in enumerate(live):
        expected = read_the_rules(rules, basket, k, by)
        one = cross_sell(rules, basket, k, by=by)
        assert (
            list(one[["item", "confidence", "lift", "count", "antecedent"]].itertuples(index=False, name=None))
            == expected
        )
        assert one["rank"].tolist() == list(range(1, len(expected) + 1))
        assert rules.suggest(basket, k, by=by) == one["item"].tolist()
        same = many[many["basket"] == number].drop(columns="basket").reset_index(drop=True)
        pd.testing.assert_frame_equal(one, same)


def test_many_baskets_in_several_chunks(monkeypatch):
    import importlib

    module = importlib.import_module("commlife.basket.cross_sell")
    rules = association_rules(frequent_itemsets([["a", "b"], ["a", "b", "c"], ["c"]], min_count=1), min_confidence=0)
    baskets = [["a"], [], ["b", "c"], ["z"], ["c"], ["a", "b", "c"], ["b"]]
    whole = cross_sell_many(rules, baskets)
    monkeypatch.setattr(module, "_CELLS", 1)
    pd.testing.assert_frame_equal(cross_sell_many(rules, baskets), whole)
    assert whole["basket"].unique().tolist() == [0, 2, 4, 6]


def test_nothing_to_offer():
    sets = frequent_itemsets([["a"], ["b"]], min_count=1)
    rules = association_rules(sets)
    assert len(rules) == 0
    assert cross_sell(rules, ["a"]).empty
    assert list(cross_sell(rules, []).columns) == ["rank", "item", "confidence", "lift", "count", "antecedent"]
    nothing = association_rules(frequent_itemsets([["a"], ["b"]], min_count=2))
    assert cross_sell(nothing, ["a"]).empty


@pytest.mark.parametrize(
    ("basket", "arguments"),
    [("milk", {}), (None, {}), ({"a": 1}, {}), ([["a"]], {}), (["a"], {"k": 0}), (["a"], {"by": "lfit"})],
)
def test_wrong_arguments_are_config_errors(basket, arguments):
    rules = association_rules(frequent_itemsets([["a", "b"]], min_count=1))
    with pytest.raises(ConfigError):
        cross_sell(rules, basket, **arguments)


def test_rules_and_baskets_are_checked():
    rules = association_rules(frequent_itemsets([["a", "b"]], min_count=1))
    with pytest.raises(ConfigError, match="association_rules returns"):
        cross_sell(rules.to_frame(), ["a"])
    with pytest.raises(ConfigError, match="each basket"):
        cross_sell_many(rules, ["a", "b"])
