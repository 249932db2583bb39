"""Rules counted again in later baskets, and itemsets compared between groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from commlife.basket import _recount as recounting
from commlife.basket import (
    association_rules,
    attach_rate,
    contrast_itemsets,
    frequent_itemsets,
    holdout_rules,
)
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders import OrderLog

baskets_strategy = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=20)


def log_of(baskets, days=None, estates=None, **columns):
    rows = [
        (f"u{number % 3}", number, item, days[number] if days else 1, estates[number] if estates else "East")
        for number, basket in enumerate(baskets)
        for item in sorted(set(basket))
    ]
    frame = pd.DataFrame(rows, columns=["user", "order", "sku", "march", "estate"])
    frame["at"] = pd.to_datetime("2025-03-01") + pd.to_timedelta(frame["march"] - 1, unit="D")
    frame["paid"] = 1.0
    named = {"order_id": "order", "item_id": "sku", "community": "estate"} | columns
    return OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", **named)


@given(past=baskets_strategy, later=baskets_strategy)
def test_holdout_counts_by_hand(past, later):
    rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0.4)
    frame = holdout_rules(rules, later)
    learned = rules.to_frame()
    pd.testing.assert_frame_equal(frame[["antecedent", "consequent", "confidence", "lift"]],
                                  learned[["antecedent", "consequent", "confidence", "lift"]])  # fmt: skip
    for rule in frame.itertuples():
        with_antecedent = [basket for basket in later if set(rule.antecedent) <= set(basket)]
        with_both = [basket for basket in with_antecedent if set(rule.consequent) <= set(basket)]
        assert (rule.holdout_antecedents, rule.holdout_count) == (len(with_antecedent), len(with_both))
        if with_antecedent:
            assert rule.holdout_confidence == len(with_both) / len(with_antecedent)
            assert rule.low <= rule.holdout_confidence <= rule.high
        else:
            assert np.isnan(rule.holdout_confidence)
            assert np.isnan(rule.low)


def test_the_training_baskets_give_the_learned_confidence():
    past = [["a", "b"], ["a", "b"], ["a"], ["b", "c"]] * 50
    rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0)
    frame = holdout_rules(rules, past)
    np.testing.assert_array_equal(frame["holdout_confidence"], frame["confidence"])
    np.testing.assert_allclose(frame["holdout_lift"], frame["lift"], rtol=1e-15)


def test_luck_does_not_hold():
    """Rules picked from noise for their confidence fall back to the base rate."""
    rng = np.random.default_rng(0)
    past, later = rng.random((300, 25)) < 0.25, rng.random((5_000, 25)) < 0.25
    rules = association_rules(frequent_itemsets(past, min_count=8, max_len=3), min_confidence=0.5)
    assert len(rules) > 5
    frame = holdout_rules(rules, later)
    assert frame["confidence"].mean() > 0.5
    assert frame["holdout_confidence"].mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("order_id", ["order", None])
def test_holdout_of_a_log_takes_the_days_since(order_id):
    baskets, days = [["a", "b"], ["a", "b"], ["a"], ["a", "b"]], [1, 2, 3, 9]
    log = log_of(baskets, days, order_id=order_id)
    rules = association_rules(frequent_itemsets(baskets[:2], min_count=1), min_confidence=0)
    frame = holdout_rules(rules, log, since="2025-03-02", as_of="2025-03-09")
    by_rule = frame[frame["antecedent"] == ("a",)].iloc[0]
    assert by_rule["holdout_antecedents"] == 2
    assert by_rule["holdout_count"] == (1 if order_id else 0)
    with pytest.raises(InsufficientDataError):
        holdout_rules(rules, log, since="2025-03-05", as_of="2025-03-09")


@pytest.mark.parametrize(
    "arguments",
    [
        {"baskets": [["a"]], "as_of": "2025-03-09"},
        {"since": "2025-03-02"},
        {"since": "2025-03-09", "as_of": "2025-03-02"},
        {"since": "2025-03-01", "as_of": "2025-03-09", "level": "sku"},
        {"rules": "a -> b", "baskets": [["a"]]},
    ],
)
def test_wrong_holdouts_are_config_errors(arguments):
    rules = association_rules(frequent_itemsets([["a", "b"]], min_count=1))
    given_arguments = {"rules": rules, "baskets": log_of([["a"]])} | arguments
    with pytest.raises(ConfigError):
        holdout_rules(**given_arguments)


@settings(max_examples=10)
@given(data=st.lists(st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.sampled_from("EWS")), min_size=2, max_size=20))  # fmt: skip
def test_contrast_by_hand(data):
    baskets, estates = [set(basket) for basket, _ in data], [estate for _, estate in data]
    log = log_of(baskets, estates=estates)
    if len(set(estates)) < 2:
        with pytest.raises(InsufficientDataError, match="two groups"):
            contrast_itemsets(log, as_of="2025-04-01", min_count=1)
        return
    frame = contrast_itemsets(log, as_of="2025-04-01", min_count=2, min_len=1, max_len=None)
    sets = frequent_itemsets(baskets, min_count=2)
    assert len(frame) == len(sets) * len(set(estates))
    for row in frame.itertuples():
        here = [
            set(row.itemset) <= basket for basket, estate in zip(baskets, estates, strict=True) if estate == row.group
        ]
        rest = [
            set(row.itemset) <= basket for basket, estate in zip(baskets, estates, strict=True) if estate != row.group
        ]
        assert (row.count, row.orders) == (sum(here), len(here))
        assert row.support == np.mean(here)
        assert row.rest_support == pytest.approx(np.mean(rest))
        square = [[sum(here), len(here) - sum(here)], [sum(rest), len(rest) - sum(rest)]]
        assert row.p_value == pytest.approx(stats.fisher_exact(square, alternative="greater").pvalue, rel=1e-9)
    if len(frame):
        np.testing.assert_allclose(frame["p_adjusted"], stats.false_discovery_control(frame["p_value"]), rtol=1e-12)
        assert frame["p_adjusted"].is_monotonic_increasing


@pytest.mark.parametrize("more", ["East", "West"])
def test_of_equal_adjusted_p_values_the_group_with_more_comes_first(more):
    """Two of three orders against one of three: .5 and .95, and .95 both times when adjusted for each other."""
    other = {"East": "West", "West": "East"}[more]
    pair, one = ["rice", "tea"], ["rice"]
    log = log_of([pair, pair, one, pair, one, one], estates=[more] * 3 + [other] * 3)
    frame = contrast_itemsets(log, as_of="2025-04-01", min_count=1)
    assert frame["p_adjusted"].tolist() == pytest.approx([0.95, 0.95])
    assert frame["group"].tolist() == [more, other]


def test_contrast_finds_the_planted_pair_and_nothing_else():
    rng = np.random.default_rng(4)
    estates = rng.choice(["East", "North", "West"], 1_500)
    matrix = rng.random((1_500, 10)) < 0.25
    planted = (estates == "West") & (rng.random(1_500) < 0.3)
    matrix[planted, 3] = matrix[planted, 7] = True
    baskets = [{f"i{k}" for k in np.flatnonzero(row)} or {"none"} for row in matrix]
    frame = contrast_itemsets(log_of(baskets, estates=list(estates)), as_of="2025-04-01", min_count=40, max_len=2)
    found = frame[frame["p_adjusted"] < 0.01]
    assert (found["group"] == "West").all()
    assert found.iloc[0]["itemset"] == ("i3", "i7")
    assert all({"i3", "i7"} & set(itemset) for itemset in found["itemset"])


def test_orders_without_a_group_are_in_the_rest():
    baskets, estates = [["a", "b"], ["a", "b"], ["a"], ["a", "b"]], ["East", "East", "West", None]
    frame = contrast_itemsets(log_of(baskets, estates=estates), as_of="2025-04-01", min_count=1)
    east = frame[frame["group"] == "East"].iloc[0]
    assert (east["count"], east["orders"], east["rest_support"]) == (2, 2, 0.5)
    assert set(frame["group"]) == {"East", "West"}


def test_contrast_without_a_frequent_itemset_is_empty():
    frame = contrast_itemsets(log_of([["a"], ["b"]], estates=["E", "W"]), as_of="2025-04-01", min_count=2)
    assert frame.empty
    assert "p_adjusted" in frame


@pytest.mark.parametrize(
    "arguments",
    [
        {"by": "channel"},
        {"by": 3},
        {"adjust": "fdr"},
        {"min_len": 0},
        {"max_len": 1},
        {"min_count": None},
        {"level": "x"},
    ],
)
def test_wrong_contrasts_are_config_errors(arguments):
    log = log_of([["a"], ["b"]], estates=["E", "W"])
    with pytest.raises(ConfigError):
        contrast_itemsets(log, **({"as_of": "2025-04-01", "min_count": 1} | arguments))


def test_recount_in_several_blocks(monkeypatch):
    past = [["a", "b", "c"], ["a", "b"], ["c"]] * 30
    rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0)
    whole = holdout_rules(rules, past[:40])
    monkeypatch.setattr(recounting, "_WORDS", 1)
    monkeypatch.setattr(recounting, "_COLUMNS", 2)
    pd.testing.assert_frame_equal(holdout_rules(rules, past[:40]), whole)


def test_attach_rate_is_the_confidence_of_its_rule():
    baskets = [["a", "b"], ["a"], ["a", "b"], ["b"]]
    rate = attach_rate(log_of(baskets), as_of="2025-04-01", anchor="a", addon="b")
    rules = association_rules(frequent_itemsets(baskets, min_count=1), min_confidence=0).to_frame()
    rule = rules[(rules["antecedent"] == ("a",)) & (rules["consequent"] == ("b",))].iloc[0]
    assert (rate.rate, rate.lift) == (rule["confidence"], pytest.approx(rule["lift"]))
