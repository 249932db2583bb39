"""Which miner runs, in how many calls, and with which thresholds."""

from __future__ import annotations

import sys
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

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


def test_an_interrupt_stops_the_kernel_and_leaves_nothing_behind(matrix, expected, monkeypatch):
    """A dense job of many seconds; Ctrl-C comes at the first look at the worker."""
    many = np.random.default_rng(0).random((3_000, 60)) < 0.9
    looked = []

    class Interrupted(threading.Thread):
        def join(self, timeout=None):
            super().join(timeout)
            if timeout is not None and not looked:
                looked.append(self.is_alive())
                raise KeyboardInterrupt

    frequent_itemsets(matrix, min_count=12, algorithm="compiled")  # compiled before the clock starts
    monkeypatch.setattr(mining.threading, "Thread", Interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        frequent_itemsets(many, min_count=300, algorithm="compiled", max_itemsets=2**31 - 2)
    assert looked == [True]
    assert threading.active_count() == before
    pd.testing.assert_frame_equal(frequent_itemsets(matrix, min_count=12, algorithm="compiled").to_frame(), expected)


def test_the_limit_is_heard_within_the_kernel(matrix):
    with pytest.raises(ConfigError, match=r"max_itemsets=500 itemsets \(about 2,000 by random descents\)"):
        frequent_itemsets(matrix, min_count=12, algorithm="compiled", max_itemsets=500)


def test_the_estimate_is_of_the_right_size(matrix, expected):
    from commlife.basket._estimate import estimated_size

    counts = matrix.sum(axis=0)
    ordered = sp.csr_matrix(matrix[:, np.argsort(counts)[(counts < 12).sum() :]].astype(np.int32))
    n = ordered.shape[1]
    assert len(expected) / 3 < estimated_size(ordered, 12, None, n) < len(expected) * 3
    for most in (1, 2):
        assert estimated_size(ordered, 12, most, n) == (expected["length"] <= most).sum()


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
