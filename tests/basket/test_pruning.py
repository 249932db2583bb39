"""Rules that say no more than others, against trying every generalisation."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife.basket import association_rules, frequent_itemsets
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


def step_p(baskets, antecedent, consequent):
    worst = 0.0
    for item in antecedent:
        inside = [basket for basket in baskets if set(antecedent) - {item} <= set(basket)]
        cells = [
            [sum((item in b) == x and (set(consequent) <= set(b)) == y for b in inside) for y in (1, 0)] for x in (1, 0)
        ]
        worst = max(worst, stats.fisher_exact(cells, alternative="greater").pvalue)
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


@given(baskets=baskets_strategy)
def test_every_antecedent_adds_more_than_chance(baskets):
    """No p-value of so few baskets is .2003: its denominator would need 5 to the fourth."""
    sets = frequent_itemsets(baskets, min_count=1)
    found = association_rules(sets, min_confidence=0, prune="productive", max_p=0.2003).to_frame()
    productive = association_rules(sets, min_confidence=0, prune="productive").to_frame()
    expected = {
        (a, c)
        for a, c, p in zip(productive["antecedent"], productive["consequent"],
                           association_rules(sets, min_confidence=0, prune="productive", p_values=True).to_frame()["fisher_p_value"], strict=True)
        if p <= 0.2003 and step_p(baskets, a, c) <= 0.2003
    }  # fmt: skip
    assert set(zip(found["antecedent"], found["consequent"], strict=True)) == expected


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
