"""Which miner runs, in how many calls, and with which thresholds."""

from __future__ import annotations

import re
import signal
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from commlife.basket import _compiled as compiled_miner
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


class InterruptedBar:
    """A bar at whose first step somebody presses Ctrl-C."""

    n = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def set_postfix_str(self, *_, **__):
        """A slow machine shows a count before the first step is done."""

    def update(self, _):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_stops_the_kernel_and_leaves_nothing_behind(matrix, expected, monkeypatch):
    """A dense job of many hours, which pauses after a slice of it."""
    # Where tests run in the background Ctrl-C is ignored from the start, and the job would fill the machine.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    many = np.random.default_rng(0).random((3_000, 60)) < 0.9
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(mining, "_bar", lambda _: InterruptedBar())
        try:
            frequent_itemsets(many, min_count=300, algorithm="compiled", max_itemsets=2**31 - 2)
        finally:
            signal.signal(signal.SIGINT, before)
    pd.testing.assert_frame_equal(frequent_itemsets(matrix, min_count=12, algorithm="compiled").to_frame(), expected)


@pytest.mark.parametrize("max_len", [None, 2, 3, 4])
def test_the_kernel_goes_on_where_it_paused(matrix, monkeypatch, max_len):
    """Slices of one step and arrays without room to spare; three items are in the same rows."""
    doubled = np.column_stack([matrix, matrix[:, -1:], matrix[:, -1:]])
    whole = frequent_itemsets(doubled, min_count=12, max_len=max_len, algorithm="numpy")

    def tight(n_items):
        found, work, buffers, scratch = made(n_items)
        members, supports, pool, perfect, sizes, frames = work
        small = members[:n_items].copy(), supports[:n_items].copy(), pool[:1].copy(), perfect, sizes[:1].copy(), frames
        found = tuple(array[:1].copy() for array in found)
        return found, small, tuple(array[:1].copy() for array in buffers), scratch

    made = compiled_miner.empty_arrays
    monkeypatch.setattr(compiled_miner, "empty_arrays", tight)
    monkeypatch.setattr(mining, "_SLICE", 1)
    found = frequent_itemsets(doubled, min_count=12, max_len=max_len, algorithm="compiled")
    pd.testing.assert_frame_equal(found.to_frame(), whole.to_frame())


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


def test_a_suggested_threshold_is_feasible_and_not_far_off(matrix):
    with pytest.raises(ConfigError, match=r"max_itemsets=500 itemsets") as told:
        frequent_itemsets(matrix, min_count=2, max_itemsets=500)
    count, found = (
        int(re.search(pattern, str(told.value))[1]) for pattern in (r"min_count=(\d+) \(min_s", r"gives (\d+)\.")
    )
    assert len(frequent_itemsets(matrix, min_count=count)) == found <= 500
    assert len(frequent_itemsets(matrix, min_count=round(0.8 * count))) > 500
    with pytest.raises(ConfigError, match=r"by random descents\)\. Raise the threshold"):
        frequent_itemsets([["a", "b", "c"]] * 3, min_count=1, max_itemsets=3)


def test_a_fraction_is_what_was_written():
    assert exact_fraction(0.1, "x") == exact_fraction(Decimal("0.1"), "x") == Fraction(1, 10)
    assert exact_fraction(np.float32(0.1), "x") == Fraction(1, 10)
    assert exact_fraction(1, "x") == 1
    assert exact_fraction(0, "x", zero=True) == 0
    for wrong in (Decimal("NaN"), Decimal(2), 0, None, np.bool_(True)):
        with pytest.raises(ConfigError):
            exact_fraction(wrong, "x")


@pytest.mark.parametrize("level", ["category", "kind"])
def test_a_level_of_a_log_is_not_ignored_where_there_is_none(level: str) -> None:
    with pytest.raises(ConfigError, match="level"):
        frequent_itemsets([["a", "b"]], min_count=1, level=level)
