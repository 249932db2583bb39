"""Baskets on Spark without a JVM: what surrounds MLlib's count is tried with a plain count in its place.

That MLlib counts the same is tried where it runs: slow/test_spark_baskets.py.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.basket import _fpgrowth, mining
from commlife.errors import ConfigError, EngineError, InsufficientDataError

DAY = "2025-06-30"


def plain_itemsets(lines, *, in_orders, dropped, count, longest, limit):
    """What ``_fpgrowth.itemsets_of`` promises, by brute force over pandas rows."""
    excluded = int(lines["item"].isin(dropped).sum())
    kept = lines[~lines["item"].isin(dropped)]
    keys = ["user_id", "order_id"] if in_orders else [np.arange(len(kept))]
    counts = Counter()
    for _, items in kept.groupby(keys)["item"]:
        held = sorted(set(items))
        for size in range(1, len(held) + 1 if longest is None else min(len(held), longest) + 1):
            counts.update(combinations(held, size))
    found = [(items, n) for items, n in counts.items() if n >= count]
    if len(found) > limit:
        raise ConfigError(f"{len(found)} itemsets, more than {limit}")
    return found[::-1], excluded


@pytest.fixture
def counted_here(monkeypatch):
    """Logs of pandas take the way of logs on Spark."""
    monkeypatch.setattr(_fpgrowth, "labels_of", lambda lines: lines["item"].drop_duplicates().tolist()[::-1])
    monkeypatch.setattr(_fpgrowth, "itemsets_of", plain_itemsets)
    monkeypatch.setattr(mining, "on_spark", lambda _: True)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, 400),
            "order_id": rng.integers(0, 3, 400),
            "item_id": rng.choice(["milk", "eggs", "tea", "rice", "oil", "salt"], 400),
            "ordered_at": pd.Timestamp("2025-05-01"),
            "amount": 1.0,
        }
    )


def log_of(frame):
    return cl.OrderLog.from_frame(frame, **{name: name for name in frame.columns})


ASKED = [
    {"min_support": 0.1, "min_count": None},
    {"min_count": 12, "max_len": 2},
    {"min_count": 12, "keep": "closed", "max_len": 2},
    {"min_count": 10, "keep": "maximal"},
    {"min_count": 12, "exclude": ["milk", "tea"]},
    {"min_count": 10_000},
]


@pytest.mark.parametrize("by_order", [True, False])
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_counts_from_elsewhere_make_the_same_itemsets(frame, monkeypatch, asked, by_order):
    log = log_of(frame if by_order else frame.drop(columns="order_id"))
    here = cl.frequent_itemsets(log, as_of=DAY, **asked)
    with monkeypatch.context() as patched:
        patched.setattr(_fpgrowth, "labels_of", lambda lines: lines["item"].drop_duplicates().tolist()[::-1])
        patched.setattr(_fpgrowth, "itemsets_of", plain_itemsets)
        patched.setattr(mining, "on_spark", lambda _: True)
        there = cl.frequent_itemsets(log, as_of=DAY, **asked)
    assert there.algorithm == "spark"
    pd.testing.assert_frame_equal(there.to_frame(), here.to_frame())
    assert (there.n_baskets, there.n_entries, there.min_count, there.items) == (
        here.n_baskets, here.n_entries, here.min_count, here.items,
    )  # fmt: skip


@pytest.mark.usefixtures("counted_here")
def test_what_mllib_cannot_count_is_refused_by_name(frame):
    log = log_of(frame)
    with pytest.raises(EngineError, match=r"include, level as a taxonomy: not on Spark.*to pandas first"):
        cl.frequent_itemsets(log, as_of=DAY, min_count=5, include=["milk"], level={"milk": "dairy"})
    with pytest.raises(ConfigError, match=r"exclude: no basket holds 'beer'"):
        cl.frequent_itemsets(log, as_of=DAY, min_count=5, exclude=["milk", "beer"])
    with pytest.raises(InsufficientDataError, match="2025-05-01"):
        cl.frequent_itemsets(log, as_of="2025-05-01", min_count=5)
    with pytest.raises(ConfigError, match="more than 3"):
        cl.frequent_itemsets(log, as_of=DAY, min_count=1, max_itemsets=3)


@pytest.mark.usefixtures("counted_here")
def test_lines_without_an_item_are_told(frame):
    frame = frame.assign(item_id=frame["item_id"].where(frame.index % 2 == 0))
    entries = frame.drop_duplicates(["user_id", "order_id", "item_id"])["item_id"]
    with pytest.warns(cl.CommlifeWarning, match=f"{entries.isna().sum()} of {len(entries)} entries have no item_id"):
        found = cl.frequent_itemsets(log_of(frame), as_of=DAY, min_count=5)
    assert found.n_entries == entries.notna().sum()
