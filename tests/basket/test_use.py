"""Bundles, what hot items pull, and whether recommendations hit: against counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from commlife.basket import (
    association_rules,
    bundles,
    cross_sell,
    evaluate_cross_sell,
    frequent_itemsets,
    hot_pulls,
    product_heat,
)
from commlife.datasets import make_community
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders import OrderLog

baskets_strategy = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=4), min_size=2, max_size=25)
SINCE, AS_OF = "2025-03-11", "2025-03-21"


def log_of(past, later=(), named_cost="cost"):
    rows = [
        (f"u{number % 4}", number, item, day)
        for number, (basket, day) in enumerate([*((b, 1) for b in past), *((b, 11) for b in later)])
        for item in sorted(set(basket))
    ]
    frame = pd.DataFrame(rows, columns=["user", "order", "sku", "march"])
    frame["at"] = pd.to_datetime("2025-03-01") + pd.to_timedelta(frame["march"] - 1, unit="D")
    frame["paid"] = 1.0 + frame["sku"].map(ord) - ord("a")
    frame["cost"] = 0.5
    columns = {"order_id": "order", "item_id": "sku", "cost": named_cost}
    return OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", **columns)


def holding(baskets, *items):
    return sum(set(items) <= set(basket) for basket in baskets)


@settings(max_examples=25)
@given(past=baskets_strategy, later=baskets_strategy, min_count=st.integers(1, 3))
def test_bundles_by_hand(past, later, min_count):
    frame = bundles(log_of(past, later), since=SINCE, as_of=AS_OF, min_count=min_count, max_q=1, top=None)
    expected, p_values = {}, []
    items = sorted({item for basket in past for item in basket})
    for i, a in enumerate(items):
        for b in items[i + 1 :]:
            both = holding(past, a, b)
            if both < min_count:
                continue
            x, y = (a, b) if holding(past, a) <= holding(past, b) else (b, a)
            square = [[both, holding(past, x) - both], [holding(past, y) - both, 0]]
            square[1][1] = len(past) - sum(map(sum, square))
            p_values.append(stats.fisher_exact(square, alternative="greater").pvalue)
            expected[x, y] = both * len(past) / (holding(past, x) * holding(past, y))
    found = {pair: lift for pair, lift in expected.items() if lift > 1}
    assert set(zip(frame["anchor"], frame["addon"], strict=True)) == set(found)
    q_of = dict(zip(expected, stats.false_discovery_control(p_values) if p_values else [], strict=True))
    for row in frame.itertuples():
        assert row.lift == pytest.approx(found[row.anchor, row.addon])
        assert row.q_value == pytest.approx(q_of[row.anchor, row.addon], rel=1e-9)
        anchors, both = holding(later, row.anchor), holding(later, row.anchor, row.addon)
        assert row.holdout_anchors == anchors
        margin = 1.0 + ord(row.addon) - ord("a") - 0.5
        assert row.addon_margin == pytest.approx(margin)
        if anchors:
            assert row.holdout_attach == both / anchors
            assert row.low <= row.holdout_attach <= row.high
            assert row.expected_margin == pytest.approx(both / anchors * margin)
        else:
            assert math.isnan(row.holdout_attach)
    shown = frame["expected_margin"].dropna()
    assert shown.is_monotonic_decreasing


def test_planted_pairs_are_the_bundles():
    world = make_community(n_users=600, seed=7)
    frame = bundles(world.log, since="2025-06-02", as_of=world.as_of, min_support=0.005, top=None)
    found = {frozenset(pair) for pair in zip(frame["anchor"], frame["addon"], strict=True)}
    planted = {
        frozenset(pair) for pair in zip(world.truth.pairs["antecedent"], world.truth.pairs["consequent"], strict=True)
    }
    assert planted <= found
    strongest = frame.nlargest(4, "holdout_lift")
    assert {frozenset(pair) for pair in zip(strongest["anchor"], strongest["addon"], strict=True)} == planted


def test_twenty_pairs_are_listed_unless_more_are_asked_for():
    past = [[chr(200 + 2 * pair), chr(201 + 2 * pair)] for pair in range(22) for _ in range(2)]
    log = log_of(past, past)
    ask = {"since": SINCE, "as_of": AS_OF, "min_count": 1, "max_q": 1.0}
    every = bundles(log, **ask, top=None)
    assert len(every) == 22
    pd.testing.assert_frame_equal(bundles(log, **ask), every.head(20))


def test_noise_makes_no_bundle():
    rng = np.random.default_rng(1)
    baskets = [[f"{chr(97 + k)}" for k in np.flatnonzero(rng.random(12) < 0.3)] or ["z"] for _ in range(900)]
    assert len(bundles(log_of(baskets[:600], baskets[600:]), since=SINCE, as_of=AS_OF, min_count=5, max_q=0.01)) == 0


def test_without_a_cost_attach_ranks_and_pulls_are_refused():
    past, later = [["a", "b"]] * 9 + [["c"]] * 9, [["a", "b"], ["a"]]
    log = log_of(past, later, named_cost=None)
    frame = bundles(log, since=SINCE, as_of=AS_OF, min_count=3)
    assert "expected_margin" not in frame
    assert frame["holdout_attach"].tolist() == [0.5]
    with pytest.raises(ConfigError, match="cost"):
        hot_pulls(log, as_of=AS_OF)


def test_hot_items_pull_profitable_ones():
    past = [["a", "e"]] * 6 + [["a"]] * 6 + [["b"]] * 8 + [["b", "e"]] * 1 + [["c"]] * 3
    log = log_of(past)
    heat = product_heat(log, as_of=AS_OF, by="orders", top=2)
    frame = hot_pulls(log, as_of=AS_OF, hot=2, profitable=1)
    assert set(frame["anchor"]) == set(heat["item"]) == {"a", "b"}
    first = frame.iloc[0]
    assert (first["anchor"], first["addon"], first["count"], first["anchors"]) == ("a", "e", 6, 12)
    assert first["lift"] == pytest.approx(6 / 12 / (7 / 24))
    assert first["expected_margin"] == pytest.approx(0.5 * 4.5)
    assert first["low"] < 0.5 < first["high"]


def rank_by_hand(scores, items, rest, target, *, needs_score=True):
    own = scores[target]
    if needs_score and own <= 0:
        return math.inf
    order = sorted((item for item in items if item not in rest), key=lambda item: (-scores[item], item))
    return order.index(target) + 1


@settings(max_examples=15)
@given(past=baskets_strategy, later=baskets_strategy, k=st.integers(1, 3))
def test_recommendations_by_hand(past, later, k):
    log = log_of(past, later)
    rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0.1)
    if not any(len(set(basket)) > 1 for basket in later):
        with pytest.raises(InsufficientDataError, match="two items"):
            evaluate_cross_sell(rules, log, since=SINCE, as_of=AS_OF)
        return
    result = evaluate_cross_sell(rules, log, since=SINCE, as_of=AS_OF, k=k, n_bootstrap=100)
    items = sorted({item for basket in past for item in basket})
    count = {item: holding(past, item) for item in items}
    ranks = {model: [] for model in ("rules", "rules, then popular", "popular", "item-item cosine")}
    for basket in later:
        for target in sorted(set(basket)) if len(set(basket)) > 1 else []:
            rest = set(basket) - {target}
            if target not in count:
                for model in ranks.values():
                    model.append(math.inf)
                continue
            offered = cross_sell(rules, sorted(rest), k)["item"].tolist()
            named = {item: k - offered.index(item) if item in offered else 0 for item in items}
            cosine = {
                item: sum(
                    holding(past, item, other) / math.sqrt(count[item] * count[other])
                    for other in rest
                    if other in count
                )
                for item in items
            }
            cosine = {item: round(value, 9) for item, value in cosine.items()}
            both = {item: named[item] + 1_000 if named[item] else count[item] for item in items}
            for model, scores in zip(ranks, (named, both, count, cosine), strict=True):
                ranks[model].append(rank_by_hand(scores, items, rest, target))
    table = result.to_frame().set_index(["metric", "model"])
    for model, places in ranks.items():
        if model == "item-item cosine":
            continue  # equal sums of square roots may differ in the last bit
        assert table.loc[("hit_rate", model), "value"] == pytest.approx(np.mean([rank <= k for rank in places]))
        gains = [1 / math.log2(1 + rank) if rank <= k else 0 for rank in places]
        assert table.loc[("ndcg", model), "value"] == pytest.approx(np.mean(gains))
    assert (table["low"] <= table["value"] + 1e-12).all()
    assert (table["value"] <= table["high"] + 1e-12).all()
    assert result.cases == len(places)


def test_planted_pairs_beat_the_popular_and_the_interval_says_so():
    world = make_community(n_users=400, seed=7)
    sets = frequent_itemsets(world.log, as_of="2025-06-02", min_count=5, max_len=2)
    rules = association_rules(sets, min_confidence=0.02)
    result = evaluate_cross_sell(rules, world.log, since="2025-06-02", as_of=world.as_of, n_bootstrap=300)
    again = evaluate_cross_sell(rules, world.log, since="2025-06-02", as_of=world.as_of, n_bootstrap=300)
    pd.testing.assert_frame_equal(result.to_frame(), again.to_frame())
    row = result.to_frame().set_index(["metric", "model"]).loc[("hit_rate", "rules")]
    assert row["ahead_low"] > 0
    assert row["low"] < row["value"] < row["high"]
    assert repr(result).startswith("CrossSellEvaluation(hit rate of ")


@pytest.mark.parametrize(
    "arguments", [{"since": AS_OF}, {"k": 0}, {"rules": "a"}, {"by": "lfit"}, {"n_bootstrap": 5}, {"log": [["a"]]}]
)
def test_wrong_evaluations_are_config_errors(arguments):
    past = [["a", "b"]] * 3
    rules = association_rules(frequent_itemsets(past, min_count=1))
    asked = {"rules": rules, "log": log_of(past, past), "since": SINCE, "as_of": AS_OF} | arguments
    with pytest.raises(ConfigError):
        evaluate_cross_sell(**asked)


@pytest.mark.parametrize(
    "arguments", [{"since": AS_OF}, {"min_count": None}, {"max_q": 2}, {"top": 0}, {"level": "sku"}]
)
def test_wrong_bundles_are_config_errors(arguments):
    with pytest.raises(ConfigError):
        bundles(log_of([["a"]], [["a"]]), **({"since": SINCE, "as_of": AS_OF, "min_count": 1} | arguments))
