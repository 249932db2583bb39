"""Rules that say no more than others, against trying every generalisation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.basket import _sufficiency, association_rules, frequent_itemsets, mining
from commlife.errors import ConfigError

baskets_strategy = st.lists(st.lists(st.sampled_from("abcde"), max_size=5), min_size=1, max_size=25)


def count(baskets, items):
    return sum(set(items) <= set(basket) for basket in baskets)


def confidence(baskets, antecedent, consequent):
    return Fraction(count(baskets, (*antecedent, *consequent)), count(baskets, antecedent))


def is_productive(baskets, antecedent, consequent):
    own = confidence(baskets, antecedent, consequent)
    return all(
        own > confidence(baskets, some, consequent)
        for size in range(len(antecedent))
        for some in itertools.combinations(antecedent, size)
    )


def is_redundant(baskets, itemset):
    return any(
        count(baskets, part) == count(baskets, [item for item in part if item != implied])
        for size in range(2, len(itemset))
        for part in itertools.combinations(itemset, size)
        for implied in part
    )


def fisher(n, both, a, c):
    """One-sided, exactly."""
    tables = sum(math.comb(a, k) * math.comb(n - a, c - k) for k in range(both, min(a, c) + 1))
    return Fraction(tables, math.comb(n, c))


def step_p(baskets, antecedent, consequent):
    worst = Fraction(0)
    for item in antecedent:
        inside = [basket for basket in baskets if set(antecedent) - {item} <= set(basket)]
        both, a, c = (count(inside, items) for items in ((item, *consequent), (item,), consequent))
        worst = max(worst, fisher(len(inside), both, a, c))
    return worst


@given(baskets=baskets_strategy, min_count=st.integers(1, 3), tenths=st.integers(0, 8))
def test_productive_rules_beat_every_generalisation(baskets, min_count, tenths):
    sets = frequent_itemsets(baskets, min_count=min_count)
    every = association_rules(sets, min_confidence=tenths / 10).to_frame()
    pairs = list(zip(every["antecedent"], every["consequent"], strict=True))
    for prune in ("productive", "nonredundant"):
        found = association_rules(sets, min_confidence=tenths / 10, prune=prune).to_frame()
        assert list(zip(found["antecedent"], found["consequent"], strict=True)) == [
            (a, c)
            for a, c in pairs
            if is_productive(baskets, a, c)
            and (prune == "productive" or not is_redundant(baskets, tuple(sorted((*a, *c)))))
        ]


@given(
    baskets=baskets_strategy, max_p=st.sampled_from([Fraction(1, 5), Fraction(1, 3), Fraction(1, 2), Fraction(1, 20)])
)
def test_every_antecedent_adds_more_than_chance(baskets, max_p):
    """A p-value that equals the threshold passes, whatever its last digits were rounded to."""
    sets = frequent_itemsets(baskets, min_count=1)
    found = association_rules(sets, min_confidence=0, prune="productive", max_p=max_p).to_frame()
    productive = association_rules(sets, min_confidence=0, prune="productive").to_frame()
    expected = {
        (a, c)
        for a, c in zip(productive["antecedent"], productive["consequent"], strict=True)
        if fisher(len(baskets), *(count(baskets, items) for items in ((*a, *c), a, c))) <= max_p
        and step_p(baskets, a, c) <= max_p
    }
    assert set(zip(found["antecedent"], found["consequent"], strict=True)) == expected


def test_a_p_value_of_a_fifth_is_at_most_a_fifth():
    """One basket of five holds both: the chance of that is 1/5, which logarithms of factorials miss by a digit."""
    sets = frequent_itemsets([["a", "b"], [], [], [], []], min_count=1)
    for rounded in (0.2, Fraction(1, 5)):
        assert len(association_rules(sets, max_p=rounded)) == 2
    assert len(association_rules(sets, max_p=0.1999)) == 0


def partitions(itemset):
    """Each way to part it into two, once."""
    first, *others = itemset
    for size in range(len(others)):
        for some in itertools.combinations(others, size):
            yield (first, *some), tuple(item for item in others if item not in some)


def is_productive_itemset(baskets, itemset, max_p):
    """Webb (2010): more frequent than any partition lets expect; tested where a p-value is asked for."""
    n, whole = len(baskets), count(baskets, itemset)
    for one, other in partitions(itemset):
        a, c = count(baskets, one), count(baskets, other)
        if n * whole <= a * c or (max_p is not None and fisher(n, whole, a, c) > max_p):
            return False
    return True


def self_sufficient_itemsets(baskets, itemsets, max_p):
    """The largest first: the self-sufficient supersets of an itemset are known when it is judged."""
    found = []
    for itemset in sorted((each for each in itemsets if len(each) > 1), key=len, reverse=True):
        further = [set(superset) - set(itemset) for superset in found if set(itemset) < set(superset)]
        exclusive = [basket for basket in baskets if not any(items <= set(basket) for items in further)]
        if (
            not is_redundant(baskets, itemset)
            and is_productive_itemset(baskets, itemset, max_p)
            and is_productive_itemset(exclusive, itemset, max_p)
        ):
            found.append(itemset)
    return set(found)


@given(
    baskets=baskets_strategy,
    min_count=st.integers(1, 3),
    max_p=st.sampled_from([None, Fraction(1, 2), Fraction(1, 5)]),
    max_consequent=st.sampled_from([None, 1]),
)
def test_self_sufficient_rules_hold_apart_from_larger_itemsets(baskets, min_count, max_p, max_consequent):
    sets = frequent_itemsets(baskets, min_count=min_count)
    asked = {"min_confidence": 0, "max_p": max_p, "max_consequent": max_consequent}
    every = association_rules(sets, prune="nonredundant", **asked).to_frame()
    found = association_rules(sets, prune="self_sufficient", **asked).to_frame()
    sufficient = self_sufficient_itemsets(baskets, sets.to_frame()["itemset"], max_p)
    assert list(zip(found["antecedent"], found["consequent"], strict=True)) == [
        (a, c)
        for a, c in zip(every["antecedent"], every["consequent"], strict=True)
        if tuple(sorted((*a, *c))) in sufficient
    ]


@pytest.mark.parametrize("max_p", [None, 0.05])
def test_self_sufficiency_is_judged_block_by_block(max_p, monkeypatch):
    """Four patterns in 900 baskets, of three or four items each; blocks of a few words and of 130 baskets."""
    rng = np.random.default_rng(5)
    patterns = ["abcd", "cde", "efg", "agh"]
    baskets = [
        sorted({*(item for item in patterns[rng.integers(4)] if rng.random() < 0.7), *rng.choice(list("abcdefgh"), 2)})
        for _ in range(900)
    ]
    sets = frequent_itemsets(baskets, min_count=9)
    whole = association_rules(sets, min_confidence=0, prune="self_sufficient", max_p=max_p).to_frame()
    monkeypatch.setattr(_sufficiency, "_WORDS", 9)
    monkeypatch.setattr(_sufficiency, "_ROWS", 130)
    pieced = association_rules(sets, min_confidence=0, prune="self_sufficient", max_p=max_p).to_frame()
    pd.testing.assert_frame_equal(pieced, whole)
    shown = {tuple(sorted((*a, *c))) for a, c in zip(whole["antecedent"], whole["consequent"], strict=True)}
    sufficient = self_sufficient_itemsets(baskets, sets.to_frame()["itemset"], max_p and Fraction(1, 20))
    assert shown <= sufficient
    assert ("a", "b", "c", "d") in shown


def test_a_pair_that_lives_on_a_larger_itemset_is_dropped():
    """Flour, eggs and sugar are bought for cakes; flour and eggs without sugar less often than by chance."""
    cakes = [["flour", "eggs", "sugar"]] * 20
    others = [["flour"]] * 10 + [["eggs"]] * 10 + [["flour", "eggs"]] + [["sugar"]] * 5 + [["tea"]] * 53
    sets = frequent_itemsets(cakes + others, min_count=1)
    pair = {"antecedent": ["flour"], "consequent": ["eggs"], "min_confidence": 0.3}
    plain = association_rules(sets, prune="nonredundant", **pair).to_frame()
    found = association_rules(sets, prune="self_sufficient", **pair).to_frame()
    assert (("flour",), ("eggs",)) in set(zip(plain["antecedent"], plain["consequent"], strict=True))
    assert (("flour",), ("eggs",)) not in set(zip(found["antecedent"], found["consequent"], strict=True))


def test_two_pairs_that_meet_by_chance_make_no_rule_of_four_whatever_is_listed():
    """Each item of the four goes with the other three; the two pairs do not go with one another."""
    baskets = [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], []] * 10
    sets = frequent_itemsets(baskets, min_count=1)
    every = association_rules(sets, min_confidence=0, prune="self_sufficient").to_frame()
    single = association_rules(sets, min_confidence=0, prune="self_sufficient", max_consequent=1).to_frame()
    for rules in (every, single):
        assert {(*a, *c) for a, c in zip(rules["antecedent"], rules["consequent"], strict=True)} == {
            ("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"),
        }  # fmt: skip


def test_self_sufficiency_needs_the_baskets(monkeypatch):
    monkeypatch.setattr(mining, "MOST_KEPT", 10)
    with pytest.raises(ConfigError, match=r"did not keep: they come from 4 entries\. Mine them with appendable=True"):
        association_rules(frequent_itemsets([["a", "b"]] * 2, min_count=1), prune="self_sufficient")
    kept = frequent_itemsets([["a", "b"]] * 2 + [["c"]], min_count=1, appendable=True)
    assert len(association_rules(kept, prune="self_sufficient")) == 2


@given(baskets=baskets_strategy, wanted=st.sampled_from("abcde"), top=st.integers(1, 5))
def test_picked_rules_are_those_of_the_whole_list(baskets, wanted, top):
    sets = frequent_itemsets(baskets, min_count=1)
    every = association_rules(sets, min_confidence=0.2).to_frame()
    assert association_rules(sets, min_confidence=0.2, top=top).to_frame().equals(every.head(top))
    if wanted not in sets.items:
        with pytest.raises(ConfigError, match="antecedent: no basket holds"):
            association_rules(sets, antecedent=[wanted])
        return
    for side in ("antecedent", "consequent"):
        found = association_rules(sets, min_confidence=0.2, **{side: [wanted]}).to_frame()
        expected = every[[wanted in items for items in every[side]]].reset_index(drop=True)
        assert found.equals(expected) or (found.empty and expected.empty)


def test_a_rule_that_its_kind_explains_is_dropped():
    """Both milks sell with tea as dairy does; only whole milk goes with cocoa beyond that."""
    rng = np.random.default_rng(0)
    baskets = []
    for _ in range(4_000):
        milk = rng.choice(["whole milk", "skim milk"])
        basket = [milk] if rng.random() < 0.5 else []
        if rng.random() < (0.6 if basket else 0.2):
            basket.append("tea")
        if rng.random() < (0.7 if basket[:1] == ["whole milk"] else 0.1):
            basket.append("cocoa")
        baskets.append(basket)
    kinds = {"whole milk": "dairy", "skim milk": "dairy"}
    sets = frequent_itemsets(baskets, min_support=0.01, level=kinds, max_len=2)
    plain = association_rules(sets, min_confidence=0.05).to_frame()
    found = association_rules(sets, min_confidence=0.05, min_interest=1.3).to_frame()
    shown = set(zip(found["antecedent"], found["consequent"], strict=True))
    assert (("dairy",), ("tea",)) in shown
    assert (("whole milk",), ("cocoa",)) in shown
    assert (("whole milk",), ("tea",)) not in shown
    assert (("whole milk",), ("tea",)) in set(zip(plain["antecedent"], plain["consequent"], strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        {"prune": "empty"},
        {"top": 0},
        {"min_interest": 1.1},
        {"antecedent": "a"},
        {"consequent": ["z"]},
        {"min_interest": -1},
    ],
)
def test_wrong_prunings_are_config_errors(arguments):
    with pytest.raises(ConfigError):
        association_rules(frequent_itemsets([["a", "b"]], min_count=1), **arguments)
