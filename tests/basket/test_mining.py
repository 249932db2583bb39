"""Which miner runs, in how many calls, and with which thresholds."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from commlife.basket import _mining as mining
from commlife.basket import _numpy as numpy_miner
from commlife.basket import frequent_itemsets
from commlife.basket._thresholds import exact_fraction
from commlife.errors import ConfigError


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(7)
    return rng.random((600, 40)) < rng.choice([0.02, 0.1, 0.5], 40)


@pytest.fixture(scope="module")
def expected(matrix):
    return frequent_itemsets(matrix, min_count=12, algorithm="numpy").to_frame()


def test_many_short_calls_of_the_kernel_join_up(matrix, expected, monkeypatch):
    """Ctrl-C is heard between calls: one item a call must give the same trie."""
    monkeypatch.setattr(mining, "_PATIENCE", 0)
    pd.testing.assert_frame_equal(frequent_itemsets(matrix, min_count=12, algorithm="compiled").to_frame(), expected)
    with pytest.raises(ConfigError, match="max_itemsets=500"):
        frequent_itemsets(matrix, min_count=12, algorithm="compiled", max_itemsets=500)


def test_small_blocks_of_the_numpy_miner_join_up(matrix, expected, monkeypatch):
    monkeypatch.setattr(numpy_miner, "_CANDIDATES", 3)
    monkeypatch.setattr(numpy_miner, "_WORDS", 5)
    pd.testing.assert_frame_equal(frequent_itemsets(matrix, min_count=12, algorithm="numpy").to_frame(), expected)


def test_auto_goes_on_with_the_kernel_past_the_budget(matrix, expected, monkeypatch):
    monkeypatch.delitem(sys.modules, "commlife.basket._compiled", raising=False)
    small = frequent_itemsets(matrix, min_count=12)
    assert small.algorithm == "numpy"
    monkeypatch.setattr(mining, "_BUDGET", 10)
    monkeypatch.delitem(sys.modules, "commlife.basket._compiled", raising=False)
    large = frequent_itemsets(matrix, min_count=12)
    assert large.algorithm == "compiled"
    pd.testing.assert_frame_equal(small.to_frame(), expected)
    pd.testing.assert_frame_equal(large.to_frame(), expected)


def test_without_numba(matrix, expected, monkeypatch):
    monkeypatch.setattr(mining, "has_compiler", lambda: False)
    monkeypatch.setattr(mining, "_BUDGET", 10)
    monkeypatch.delitem(sys.modules, "commlife.basket._compiled", raising=False)
    sets = frequent_itemsets(matrix, min_count=12)
    assert sets.algorithm == "numpy"
    pd.testing.assert_frame_equal(sets.to_frame(), expected)
    with pytest.raises(ConfigError, match="needs numba"):
        frequent_itemsets(matrix, min_count=12, algorithm="compiled")


def test_more_items_than_the_limit(matrix):
    with pytest.raises(ConfigError, match="max_itemsets=5 itemsets"):
        frequent_itemsets(matrix, min_count=1, max_itemsets=5)


def test_a_fraction_is_what_was_written():
    assert exact_fraction(0.1, "x") == exact_fraction(Decimal("0.1"), "x") == Fraction(1, 10)
    assert exact_fraction(np.float32(0.1), "x") == Fraction(1, 10)
    assert exact_fraction(1, "x") == 1
    assert exact_fraction(0, "x", zero=True) == 0
    for wrong in (Decimal("NaN"), Decimal(2), 0, None, np.bool_(True)):
        with pytest.raises(ConfigError):
            exact_fraction(wrong, "x")
