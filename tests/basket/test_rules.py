"""Association rules against exact fractions, brute force and peers."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife._stats.multiplicity import benjamini_hochberg, holm
from commlife.basket import _subsets as subsets
from commlife.basket import association_rules, frequent_itemsets
from commlife.basket._measures import MEASURES, chi_squared_p, fisher_p, measure
from commlife.basket._trie import Level
from commlife.errors import ConfigError

baskets_strategy = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=25)


def every_rule(sets, least, most=None):
    counts = dict(zip(sets.to_frame()["itemset"], sets.to_frame()["count"], strict=True))
    for whole, count in counts.items():
        for size in range(1, len(whole)):
            for antecedent in itertools.combinations(whole, size):
                consequent = tuple(item for item in whole if item not in antecedent)
                sure = Fraction(count, counts[antecedent]) >= least
                if sure and len(consequent) <= (most or len(whole)):
                    yield antecedent, consequent, count, counts[antecedent], counts[consequent]


@given(
    baskets=baskets_strategy,
    min_count=st.integers(1, 4),
    tenths=st.integers(0, 10),
    most=st.none() | st.integers(1, 3),
    max_len=st.none() | st.integers(1, 4),
)
def test_equals_trying_every_split(baskets, min_count, tenths, most, max_len):
    sets = frequent_itemsets(baskets, min_count=min_count, max_len=max_len)
    frame = association_rules(sets, min_confidence=tenths / 10, max_consequent=most).to_frame()
    found = set(zip(frame["antecedent"], frame["consequent"], frame["count"], strict=True))
    assert len(found) == len(frame)
    assert found == {rule[:3] for rule in every_rule(sets, Fraction(tenths, 10), most)}
    order = list(zip(-frame["confidence"], -frame["count"], strict=True))
    assert order == sorted(order)


def exact(n, both, a, c):
    """The measures from their textbook definitions, as fractions where they are rational."""
    s, sa, sc = Fraction(both, n), Fraction(a, n), Fraction(c, n)
    confidence, leverage = s / sa, s - sa * sc
    zhang_bound = max(s * (1 - sa), sa * (sc - s))
    odds = (both * (n - a - c + both), (a - both) * (c - both))
    return {
        "support": s,
        "antecedent_support": sa,
        "consequent_support": sc,
        "confidence": confidence,
        "lift": confidence / sc,
        "leverage": leverage,
        "conviction": (1 - sc) / (1 - confidence) if confidence != 1 else math.inf,
        "zhang": leverage / zhang_bound if zhang_bound else 0,
        "kulczynski": (confidence + s / sc) / 2,
        "cosine": float(s) / math.sqrt(sa * sc),
        "jaccard": s / (sa + sc - s),
        "imbalance_ratio": abs(sa - sc) / (sa + sc - s),
        "odds_ratio": Fraction(*odds) if odds[1] else (math.inf if odds[0] else math.nan),
        "added_value": confidence - sc,
    }


@st.composite
def tables(draw):
    n = draw(st.integers(1, 10**6))
    a, c = draw(st.integers(1, n)), draw(st.integers(1, n))
    both = draw(st.integers(max(1, a + c - n), min(a, c))) if max(1, a + c - n) <= min(a, c) else 1
    return n, both, max(a, both), max(c, both)


@given(table=tables())
def test_measures_equal_their_definitions(table):
    cells = [np.array([value]) for value in table[1:]]
    for name, value in exact(*table).items():
        assert measure(name, table[0], *cells)[0] == pytest.approx(float(value), rel=1e-12, abs=0, nan_ok=True), name


def test_zero_denominators_are_defined():
    """One side in every basket, a rule that never fails, and both."""
    one = np.array([4])
    assert measure("conviction", 8, one, one, np.array([6]))[0] == np.inf
    assert measure("odds_ratio", 8, one, one, np.array([6]))[0] == np.inf
    assert math.isnan(measure("odds_ratio", 4, one, one, one)[0])
    assert measure("zhang", 4, one, one, one)[0] == 0
    assert chi_squared_p(4, one, one, one)[0] == 1
    assert fisher_p(4, one, one, one)[0] == pytest.approx(1)


@given(
    table=st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.integers(1, n), st.data()))
)
def test_p_values_equal_scipy(table):
    n, a, c, data = table
    both = data.draw(st.integers(max(0, a + c - n), min(a, c)))
    cells = [np.array([value]) for value in (both, a, c)]
    square = [[both, a - both], [c - both, n - a - c + both]]
    assert fisher_p(n, *cells)[0] == pytest.approx(stats.fisher_exact(square, alternative="greater").pvalue, rel=1e-9)
    if a < n and c < n:
        expected = stats.chi2_contingency(square, correction=False).pvalue
        assert chi_squared_p(n, *cells)[0] == pytest.approx(expected, rel=1e-9)


def test_fisher_of_large_tables():
    """Hundreds of terms, far out and near the mean."""
    n, a, c = 155_848, 9_000, 12_000
    both = np.array([0, 300, 650, 693, 720, 900, 4_000])
    expected = stats.hypergeom.sf(both - 1, n, c, a)
    ours = fisher_p(n, both, np.full(both.size, a), np.full(both.size, c))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-300)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjustments(p):
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-12)
    ranked = sorted(p)
    steps = [min(1.0, max(ranked[j] * (len(p) - j) for j in range(i + 1))) for i in range(len(p))]
    np.testing.assert_allclose(np.sort(holm(p)), steps, rtol=1e-12)
    assert (holm(p) >= np.array(p)).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(holm(p)[order]) >= 0).all()


def test_adjusted_over_all_rules_not_over_those_that_are_shown():
    rng = np.random.default_rng(0)
    matrix = rng.random((500, 6)) < 0.4
    matrix[:, 1] |= matrix[:, 0] & (rng.random(500) < 0.6)
    sets = frequent_itemsets(matrix, min_count=20)
    every = association_rules(sets, min_confidence=0, p_values=True)
    rules = association_rules(sets, min_confidence=0.5, adjust="bh", max_p=0.05)
    assert rules.n_tested == len(every)
    frame, all_rules = rules.to_frame(), every.to_frame()
    all_rules["p_adjusted"] = stats.false_discovery_control(all_rules["fisher_p_value"])
    expected = all_rules[(all_rules["confidence"] >= 0.5) & (all_rules["p_adjusted"] <= 0.05)].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, expected)
    assert (0,) in frame["antecedent"].tolist()
    plain = association_rules(sets, min_confidence=0, max_p=0.01).to_frame()
    assert len(plain) == (every.to_frame()["fisher_p_value"] <= 0.01).sum()
    assert "p_adjusted" not in plain


def test_holm_finds_nothing_in_noise():
    """Twelve independent items and hundreds of rules: no rule survives."""
    matrix = np.random.default_rng(1).random((2_000, 12)) < 0.3
    rules = association_rules(frequent_itemsets(matrix, min_count=40, max_len=3), adjust="holm", max_p=0.05)
    assert rules.n_tested > 500
    assert len(rules) == 0
    assert rules.to_frame().empty


def test_min_lift_and_metrics():
    sets = frequent_itemsets([["a", "b"], ["a", "b"], ["a", "c"], ["c"], ["a"]], min_count=1)
    frame = association_rules(sets, min_confidence=0, min_lift=1.2, metrics=["lift", "confidence"]).to_frame()
    assert list(frame.columns) == ["antecedent", "consequent", "count", "lift", "confidence"]
    assert (frame["lift"] >= 1.2).all()
    assert frame["antecedent"].tolist() == [("b",), ("a",)]
    everything = association_rules(sets, min_confidence=0)
    assert list(everything.to_frame().columns) == ["antecedent", "consequent", "count", *MEASURES]
    assert repr(everything).startswith(f"AssociationRules({len(everything)} rules of confidence 0 and more from Freq")
    with pytest.raises(ConfigError, match="Did you mean 'lift'"):
        everything.measure("lfit")


def test_the_direction_is_plain():
    """Who buys flour buys milk, and not the reverse."""
    baskets = [["flour", "milk"]] * 9 + [["flour"]] + [["milk"]] * 90
    frame = association_rules(frequent_itemsets(baskets, min_count=5), min_confidence=0.5).to_frame()
    assert list(zip(frame["antecedent"], frame["consequent"], strict=True)) == [(("flour",), ("milk",))]
    assert frame["confidence"].tolist() == [0.9]


@pytest.mark.parametrize("keep", ["closed", "maximal"])
def test_condensed_itemsets_cannot_make_rules(keep):
    """Seen in peers: a KeyError on an itemset frame without the subsets."""
    with pytest.raises(ConfigError, match="keep='all'"):
        association_rules(frequent_itemsets([["a", "b"], ["a"]], min_count=1, keep=keep))


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_confidence": 1.2},
        {"min_confidence": "0.5"},
        {"min_confidence": float("nan")},
        {"min_lift": -1},
        {"min_lift": float("inf")},
        {"min_lift": True},
        {"max_consequent": 0},
        {"metrics": "lift"},
        {"metrics": ["lif"]},
        {"adjust": "bonferoni"},
        {"p_values": 1},
        {"max_p": 2},
        {"max_rules": 1, "min_confidence": 0},
        {"max_rules": 0},
    ],
)
def test_wrong_arguments_are_config_errors(arguments):
    sets = frequent_itemsets([["a", "b"], ["a"]], min_count=1)
    with pytest.raises(ConfigError):
        association_rules(sets, **arguments)


def test_a_frame_of_itemsets_is_refused():
    sets = frequent_itemsets([["a", "b"], ["a"]], min_count=1)
    with pytest.raises(ConfigError, match="what frequent_itemsets returns"):
        association_rules(sets.to_frame())


def test_equal_keys_are_drawn_again(monkeypatch):
    """Two itemsets with one key: the table must notice, not answer."""
    drawn = []

    class Generator:
        def __init__(self, seed):
            self.seed = seed

        def integers(self, low, high, *, size, dtype):
            drawn.append(self.seed)
            if self.seed == 0:
                return np.ones(size, dtype=dtype)
            return np.random.Generator(np.random.PCG64(self.seed)).integers(low, high, size=size, dtype=dtype)

    monkeypatch.setattr(subsets.np.random, "default_rng", Generator)
    codes = np.array([[0], [1], [2]], dtype=np.int32)
    pairs = np.array([[0, 1], [0, 2], [1, 2]], dtype=np.int32)
    count = np.array([3, 2, 1])
    (table,) = subsets.without_one([Level(codes, count), Level(pairs, count)], 3)
    assert drawn == [0, 1]
    assert table.tolist() == [[1, 0], [2, 0], [2, 1]]


def groceries(shared):
    with gzip.open(shared / "groceries.csv.gz", "rt", newline="") as file:
        return list(csv.reader(file))


def test_groceries_known_number_of_rules(shared):
    """5,829 rules with several consequents, 5,668 with one (mlxtend, efficient-apriori, arules)."""
    sets = frequent_itemsets(groceries(shared), min_count=10)
    assert len(association_rules(sets, min_confidence=0.5)) == 5_829
    assert len(association_rules(sets, min_confidence=0.5, max_consequent=1)) == 5_668


def test_groceries_rules_agree_with_peers(shared):
    """mlxtend measure by measure, efficient-apriori rule by rule."""
    efficient_apriori = pytest.importorskip("efficient_apriori")
    frequent_patterns = pytest.importorskip("mlxtend.frequent_patterns")
    baskets = groceries(shared)
    sets = frequent_itemsets(baskets, min_count=40)
    ours = association_rules(sets, min_confidence=0.3).to_frame()
    _, theirs = efficient_apriori.apriori([tuple(b) for b in baskets], 40 / 9_835, min_confidence=0.3, max_length=9)
    assert {(tuple(r.lhs), tuple(r.rhs)) for r in theirs} == set(
        zip(ours["antecedent"], ours["consequent"], strict=True)
    )
    itemsets = sets.to_frame()
    frame = pd.DataFrame({"itemsets": itemsets["itemset"].map(frozenset), "support": itemsets["support"]})
    peer = frequent_patterns.association_rules(frame, num_itemsets=9_835, metric="confidence", min_threshold=0.3)
    peer["key"] = list(zip(peer["antecedents"], peer["consequents"], strict=True))
    ours["key"] = list(zip(ours["antecedent"].map(frozenset), ours["consequent"].map(frozenset), strict=True))
    both = ours.merge(peer, on="key", suffixes=("", "_peer"))
    assert len(both) == len(ours) == len(peer)
    for name, other in {"lift": "lift_peer", "leverage": "leverage_peer", "conviction": "conviction_peer",
                        "zhang": "zhangs_metric", "jaccard": "jaccard_peer", "kulczynski": "kulczynski_peer"}.items():  # fmt: skip
        np.testing.assert_allclose(both[name], both[other].astype(float), rtol=1e-9)
