"""Figures of baskets: what they draw, and what they refuse."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from commlife.basket import association_rules, frequent_itemsets, plot_contrast, plot_heat
from commlife.errors import ConfigError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    mpl.pyplot.close("all")


@pytest.fixture(scope="module")
def rules():
    baskets = [["milk", "bread"], ["milk", "bread", "eggs"], ["eggs"], ["milk"], ["tea", "sugar"], ["tea", "sugar"]]
    return association_rules(frequent_itemsets(baskets, min_count=1, max_len=2), min_confidence=0.3)


def test_the_scatter_shows_every_rule_and_names_the_highest_lifts(rules):
    ax = rules.plot(label=2)
    offsets = np.sort(np.asarray(ax.collections[0].get_offsets()), axis=0)
    expected = np.sort(np.stack([rules.measure("support"), rules.measure("confidence")], axis=1), axis=0)
    np.testing.assert_allclose(offsets, expected)
    told = ax.texts[-1].get_text()
    assert "tea → sugar" in told
    assert told.count("\n") == 1
    assert f"{len(rules)} rules" in ax.get_title(loc="left")


def test_the_network_draws_each_item_once(rules):
    ax = rules.plot("network", label=4)
    names = [text.get_text() for text in ax.texts]
    assert names.count("tea") == names.count("sugar") == 1
    assert sum(name.endswith("%") for name in names) == 4


def test_the_pareto_curve_says_how_few_items_make_the_most():
    heat = pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "item": list("abc"),
            "amount": [80.0, 15.0, 5.0],
            "cumulative_share": [0.8, 0.95, 1.0],
            "abc_class": list("ABC"),
        }
    )
    ax = plot_heat(heat)
    assert ax.get_title(loc="left") == "1 of 3 items make 80% of money"
    assert plot_heat(heat, lang="zh").get_title(loc="left") == "3 个商品中的 1 个贡献了金额的 80%"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0, 0.8, 0.95, 1.0])


def test_the_contrast_shows_only_what_stands_out():
    frame = pd.DataFrame(
        {"group": ["East", "West"], "itemset": [("a", "b"), ("c", "d")], "support": [0.3, 0.2], "rest_support": [0.1, 0.19],
         "difference": [0.2, 0.01], "p_adjusted": [0.001, 0.4]}
    )  # fmt: skip
    ax = plot_contrast(frame)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["East: a + b"]
    assert plot_contrast(frame, max_q=0.0001).get_title(loc="left") == "no difference stands out at q = 0.0001"


def test_what_cannot_be_drawn_is_told(rules):
    nothing = association_rules(frequent_itemsets([["a"], ["b"]], min_count=1))
    longer = association_rules(
        frequent_itemsets([["a", "b", "c"]] * 2, min_count=1), min_confidence=0, antecedent=["a"]
    )
    for call in (
        nothing.plot,
        lambda: rules.plot("pie"),
        lambda: rules.plot(lang="fr"),
        lambda: plot_heat(rules.to_frame()),
        lambda: plot_contrast(rules),
    ):
        with pytest.raises(ConfigError):
            call()
    assert longer.plot("network")
