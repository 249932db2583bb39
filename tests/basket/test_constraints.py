"""Include, taxonomies, weights and groups, each against counting by hand."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.basket import association_rules, frequent_itemsets, holdout_rules
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders import OrderLog

ALGORITHMS = ("numpy", "compiled")
baskets_strategy = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=20)
#: e and f are both kinds and things that are bought.
KINDS = {"a": "e", "b": "e", "e": "top", "c": "f", "d": "f"}


def ancestors(item):
    while item in KINDS:
        item = KINDS[item]
        yield item


def subsets(baskets, weights=None):
    """Baskets (or their weight) of every subset of every basket."""
    counts = Counter()
    for number, basket in enumerate(baskets):
        items = sorted(set(basket))
        for length in range(1, len(items) + 1):
            for itemset in itertools.combinations(items, length):
                counts[itemset] += 1 if weights is None else weights[number]
    return counts


def as_dict(sets, value="count"):
    frame = sets.to_frame()
    return dict(zip(frame["itemset"], frame[value], strict=True))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(
    baskets=baskets_strategy,
    min_count=st.integers(1, 4),
    include=st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3),
    keep=st.sampled_from(["all", "closed", "maximal"]),
    max_len=st.none() | st.integers(1, 4),
)
def test_include_lists_what_holds_one_of_them(baskets, min_count, include, keep, max_len, algorithm):
    known = {item for basket in baskets for item in basket}
    if not include <= known:
        with pytest.raises(ConfigError, match="include: no basket holds"):
            frequent_itemsets(baskets, min_count=min_count, include=sorted(include))
        return
    sets = frequent_itemsets(
        baskets, min_count=min_count, include=sorted(include), keep=keep, max_len=max_len, algorithm=algorithm
    )
    every = as_dict(frequent_itemsets(baskets, min_count=min_count, keep=keep, max_len=max_len))
    assert as_dict(sets) == {itemset: count for itemset, count in every.items() if set(itemset) & include}
    assert sets.required == tuple(sorted(include))
    assert len(sets) == len(sets.to_frame())


def test_rules_of_included_itemsets_say_what_is_missing():
    sets = frequent_itemsets([["a", "b"], ["a", "c"]], min_count=1, include=["a"])
    with pytest.raises(ConfigError, match="Mine without include"):
        association_rules(sets)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(baskets=baskets_strategy, min_count=st.integers(1, 5), max_len=st.none() | st.integers(1, 4))
def test_a_taxonomy_counts_kinds_and_never_an_item_beside_its_own(baskets, min_count, max_len, algorithm):
    if not any(set(basket) & set(KINDS) for basket in baskets):
        with pytest.raises(ConfigError, match="names none of the items"):
            frequent_itemsets(baskets, min_count=min_count, level=KINDS)
        return
    sets = frequent_itemsets(baskets, min_count=min_count, level=KINDS, max_len=max_len, algorithm=algorithm)
    extended = [{*basket, *(kind for item in basket for kind in ancestors(item))} for basket in baskets]
    expected = {
        itemset: count
        for itemset, count in subsets(extended).items()
        if count >= min_count
        and len(itemset) <= (max_len or 9)
        and not any(kind in itemset for item in itemset for kind in ancestors(item))
    }
    assert as_dict(sets) == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_taxonomy_on_larger_data(seed, algorithm):
    """Triangles, bitmaps and columns all pass over relatives."""
    rng = np.random.default_rng(seed)
    n_items = int(rng.choice([12, 40]))
    matrix = rng.random((int(rng.integers(100, 500)), n_items)) < rng.choice([0.02, 0.1, 0.3], n_items)
    tree = {code: f"kind {code % 5}" for code in range(n_items)} | {f"kind {k}": f"top {k % 2}" for k in range(5)}
    sets = frequent_itemsets(matrix, min_count=8, max_len=3, level=tree, algorithm=algorithm)
    baskets = [[(code), tree[code], tree[tree[code]]] for code in range(n_items)]
    extended = [sorted({str(label) for code in np.flatnonzero(row) for label in baskets[code]}) for row in matrix]
    plain = as_dict(frequent_itemsets(extended, min_count=8, max_len=3))
    above = {str(item): {str(kind), str(tree.get(kind))} for item, kind in tree.items()}
    expected = {
        tuple(sorted(itemset)): count
        for itemset, count in plain.items()
        if not any(above.get(item, set()) & set(itemset) for item in itemset)
    }
    assert {tuple(sorted(map(str, itemset))): count for itemset, count in as_dict(sets).items()} == expected


@pytest.mark.parametrize(
    "taxonomy",
    [{}, {"x": "y"}, {"a": "a"}, {"a": "b", "b": "a"}, {"a": ["k"]}, {"a": True}, {"a": ("k", "l")}, None, 3],
)
def test_wrong_taxonomies_are_config_errors(taxonomy):
    with pytest.raises(ConfigError, match="taxonomy"):
        frequent_itemsets([["a", "b"]], min_count=1, level=taxonomy)


def test_exclude_takes_items_out_before_kinds_are_counted():
    baskets = [["a"], ["b"], ["a", "c"]]
    assert as_dict(frequent_itemsets(baskets, min_count=1, level=KINDS, exclude=["a", "f"])) == {
        ("b",): 1, ("c",): 1, ("e",): 1, ("top",): 1}  # fmt: skip


@pytest.mark.parametrize("keep", ["all", "closed", "maximal"])
@given(data=st.data(), baskets=baskets_strategy, tenths=st.integers(1, 10), max_len=st.none() | st.integers(1, 4))
def test_weights_by_hand(data, baskets, tenths, max_len, keep):
    weights = data.draw(st.lists(st.integers(0, 2**40), min_size=len(baskets), max_size=len(baskets)))
    total = sum(weights)
    if total == 0:
        with pytest.raises(InsufficientDataError, match="all zero"):
            frequent_itemsets(baskets, min_support=tenths / 10, weight=weights)
        return
    sets = frequent_itemsets(baskets, min_support=tenths / 10, weight=weights, max_len=max_len, keep=keep)
    heavy, counts = subsets(baskets, weights), subsets(baskets)
    frequent = {itemset for itemset, mass in heavy.items() if mass * 10 >= tenths * total and mass > 0}
    if keep != "all":
        frequent = {
            itemset
            for itemset in frequent
            if not any(
                set(itemset) < set(other) and (keep == "maximal" or counts[other] == counts[itemset])
                for other in frequent
            )
        }
    frequent = {itemset for itemset in frequent if len(itemset) <= (max_len or 9)}
    assert as_dict(sets, "weight") == {itemset: heavy[itemset] for itemset in frequent}
    assert as_dict(sets) == {itemset: counts[itemset] for itemset in frequent}
    assert sets.to_frame()["support"].tolist() == [w / total for w in sets.to_frame()["weight"]]
    assert sets.total_weight == total


@given(baskets=baskets_strategy, tenths=st.integers(1, 10))
def test_equal_weights_change_nothing(baskets, tenths):
    plain = frequent_itemsets(baskets, min_support=tenths / 10)
    heavy = frequent_itemsets(baskets, min_support=tenths / 10, weight=[300] * len(baskets))
    pd.testing.assert_frame_equal(heavy.to_frame().drop(columns="weight"), plain.to_frame())
    rules = association_rules(plain, min_confidence=0.3).to_frame()
    pd.testing.assert_frame_equal(association_rules(heavy, min_confidence=0.3).to_frame(), rules, rtol=1e-12)


def log_of(rows, **named):
    frame = pd.DataFrame(rows, columns=["user", "order", "sku", "paid", "pieces", "march", "estate"])
    frame["at"] = pd.to_datetime("2025-03-01") + pd.to_timedelta(frame["march"] - 1, unit="D")
    columns = {"order_id": "order", "item_id": "sku", "quantity": "pieces", "community": "estate"} | named
    return OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", **columns)


ROWS = [
    ("u1", 1, "rice", 5.0, 2, 1, "East"),
    ("u1", 1, "eggs", 3.0, 1, 1, "East"),
    ("u2", 2, "rice", 5.0, 1, 8, "West"),
    ("u2", 3, "tea", 27.0, 4, 15, "West"),
    ("u3", 4, "rice", -5.0, 1, 15, "West"),
    ("u3", 5, "rice", 0.0, 1, 15, None),
]


def test_money_units_and_age_of_orders():
    log = log_of(ROWS)
    money = as_dict(frequent_itemsets(log, as_of="2025-03-16", min_support=0.2, weight="amount"), "weight")
    assert money == {("rice",): 13.0, ("tea",): 27.0, ("eggs",): 8.0, ("eggs", "rice"): 8.0}
    units = frequent_itemsets(log, as_of="2025-03-16", min_support=0.3, weight="quantity")
    assert as_dict(units, "weight") == {("rice",): 5.0, ("tea",): 4.0, ("eggs",): 3.0, ("eggs", "rice"): 3.0}
    assert units.total_weight == 9.0
    decayed = frequent_itemsets(log, as_of="2025-03-16", min_support=0.05, half_life="7D")
    assert as_dict(decayed, "weight") == {("rice",): 1.75, ("tea",): 1.0, ("eggs",): 0.25, ("eggs", "rice"): 0.25}
    assert decayed.total_weight == 2.75
    both = frequent_itemsets(log, as_of="2025-03-16", min_support=0.05, weight="amount", half_life="7D")
    assert as_dict(both, "weight") == {("tea",): 27.0, ("rice",): 4.5, ("eggs",): 2.0, ("eggs", "rice"): 2.0}
    assert repr(both) == "FrequentItemsets(4 itemsets in at least 0.05 of the amount of 4 baskets, up to 2 items)"
    rows_alone = log_of(ROWS, order_id=None)
    alone = frequent_itemsets(rows_alone, as_of="2025-03-16", min_support=0.1, weight="quantity")
    assert as_dict(alone, "weight") == {("rice",): 4.0, ("tea",): 4.0, ("eggs",): 1.0}


def test_half_a_kilogram_weighs_half_and_what_came_back_nothing():
    rows = [
        ("u1", 1, "tea", 5.0, 0.5, 1, "East"),
        ("u2", 2, "tea", 5.0, 2, 1, "East"),
        ("u3", 3, "rice", 0.0, 0, 1, "East"),
    ]
    units = frequent_itemsets(log_of(rows), as_of="2025-03-16", min_support=0.01, weight="quantity")
    assert as_dict(units, "weight") == {("tea",): 2.5}
    assert units.total_weight == 2.5


def test_weighted_rules_have_no_p_values_and_no_holdout():
    sets = frequent_itemsets([["a", "b"], ["a"]], min_support=0.1, weight=[3, 1])
    rules = association_rules(sets, metrics=["confidence", "lift"])
    assert rules.to_frame()["confidence"].tolist() == [1.0, 0.75]
    assert rules.to_frame()["count"].tolist() == [1, 1]
    with pytest.raises(ConfigError, match="count alike"):
        association_rules(sets, p_values=True)
    with pytest.raises(ConfigError, match="without weights"):
        holdout_rules(rules, [["a"]])


@pytest.mark.parametrize("level", ["item_id", {"rice": "dry", "tea": "dry"}])
def test_each_community_apart(level):
    log = log_of(ROWS)
    groups = frequent_itemsets(log, as_of="2025-03-16", by="community", min_support=0.5, level=level)
    assert list(groups) == ["East", "West"]
    assert (len(groups), groups.n_nameless, groups["West"].n_baskets) == (2, 1, 2)
    frame = groups.to_frame()
    assert list(frame.columns) == ["community", "baskets", "itemset", "length", "count", "support"]
    for name in groups:
        rows = [row for row in ROWS if row[6] == name]
        alone = frequent_itemsets(log_of(rows), as_of="2025-03-16", min_support=0.5, level=level).to_frame()
        part = frame[frame["community"] == name].drop(columns=["community", "baskets"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone)
    with pytest.raises(ConfigError, match="Did you mean 'West'"):
        groups["Wesst"]
    assert repr(groups).startswith("ItemsetsByGroup(2 groups by community, 1 baskets without one; ")
    with pytest.raises(dataclasses.FrozenInstanceError):
        groups.n_nameless = 0


def test_segments_are_a_frame_of_users():
    segments = pd.DataFrame({"user_id": ["u1", "u2"], "segment": ["Champions", "Lost"]})
    groups = frequent_itemsets(log_of(ROWS), as_of="2025-03-16", by=segments, min_count=1)
    assert groups.by == "segment"
    assert {name: groups[name].n_baskets for name in groups} == {"Champions": 1, "Lost": 2}
    contrast = cl.contrast_itemsets(log_of(ROWS), as_of="2025-03-16", by=segments, min_count=1, min_len=1)
    assert set(contrast["group"]) == {"Champions", "Lost"}


def test_groups_of_lists_are_a_label_each():
    groups = frequent_itemsets([["a"], ["a", "b"], ["b"]], by=["x", "y", None], min_count=1)
    assert as_dict(groups["y"]) == {("a",): 1, ("b",): 1, ("a", "b"): 1}
    assert groups.n_nameless == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"by": "channel"},
        {"by": {"u1": "a"}},
        {"by": 3},
        {"by": pd.DataFrame({"user_id": ["u1"], "a": [1], "b": [2]})},
        {"by": pd.DataFrame({"user_id": ["u1", "u1"], "a": [1, 2]})},
        {"by": pd.DataFrame({"user_id": ["u1", None], "a": [1, 2]})},
        {"by": pd.DataFrame({"user_id": ["somebody"], "a": [1]})},
        {"weight": "money", "min_count": None, "min_support": 0.1},
        {"weight": [1, 2], "min_count": None, "min_support": 0.1},
        {"weight": "amount"},
        {"half_life": "28D"},
        {"half_life": "a month", "min_count": None, "min_support": 0.1},
        {"appendable": True, "by": "community"},
        {"appendable": 1},
        {"include": "rice"},
        {"include": ["rise"]},
        {"exclude": [["rice"]]},
    ],
)
def test_wrong_arguments_with_a_log_are_config_errors(arguments):
    with pytest.raises(ConfigError):
        frequent_itemsets(log_of(ROWS), **({"as_of": "2025-03-16", "min_count": 1} | arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"half_life": "28D"},
        {"weight": [1]},
        {"weight": [1.5, 2.0]},
        {"weight": [True, False]},
        {"weight": [-1, 2]},
        {"weight": "amount"},
        {"weight": [2**61, 2**61]},
        {"by": "community"},
        {"by": ["a"]},
    ],
)
def test_wrong_arguments_with_lists_are_config_errors(arguments):
    with pytest.raises(ConfigError):
        frequent_itemsets([["a"], ["b"]], min_support=0.1, **arguments)


def test_a_long_frame_takes_neither_groups_nor_weights():
    frame = pd.DataFrame({"basket": [1, 2], "item": ["a", "b"]})
    for arguments in ({"by": ["x", "y"]}, {"weight": [1, 2]}):
        with pytest.raises(ConfigError, match="long frame"):
            frequent_itemsets(frame, min_support=0.1, **arguments)


def test_groups_without_a_label_are_no_groups():
    with pytest.raises(InsufficientDataError, match="no basket has a group"):
        frequent_itemsets([["a"]], by=[None], min_count=1)
