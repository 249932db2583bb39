"""Appending baskets equals mining all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.basket import _append as appending
from commlife.basket import frequent_itemsets
from commlife.errors import ConfigError
from commlife.orders import OrderLog

baskets_strategy = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6), min_size=1, max_size=20)
week_strategy = st.lists(st.lists(st.sampled_from("bcdefghi"), max_size=6), min_size=1, max_size=8)


@given(
    past=baskets_strategy,
    weeks=st.lists(week_strategy, min_size=1, max_size=3),
    threshold=st.integers(1, 5) | st.sampled_from([0.05, 0.2, 0.5, 1.0]),
    keep=st.sampled_from(["all", "closed", "maximal"]),
    max_len=st.none() | st.integers(1, 4),
)
def test_weeks_one_by_one_equal_a_full_run(past, weeks, threshold, keep, max_len):
    asked = {"min_support": threshold} if isinstance(threshold, float) else {"min_count": threshold}
    asked |= {"keep": keep, "max_len": max_len}
    sets = frequent_itemsets(past, appendable=True, **asked)
    before = sets.to_frame()
    grown = sets
    for week in weeks:
        grown = grown.update(week)
    full = frequent_itemsets([*past, *(basket for week in weeks for basket in week)], **asked)
    pd.testing.assert_frame_equal(grown.to_frame(), full.to_frame())
    assert (grown.n_baskets, grown.n_entries, grown.min_count) == (full.n_baskets, full.n_entries, full.min_count)
    assert len(grown) == len(full)
    pd.testing.assert_frame_equal(sets.to_frame(), before)


def test_a_week_whose_items_come_before_all_known_ones_keeps_every_name():
    past, week = [["pear", "plum"], ["plum"]], [["apple", "plum"], ["apple"], ["kiwi"]]
    grown = frequent_itemsets(past, appendable=True, min_count=1).update(week)
    counts = {tuple(sorted(items)): n for items, n in grown.to_frame()[["itemset", "count"]].to_numpy()}
    assert counts == {
        ("apple",): 2, ("kiwi",): 1, ("pear",): 1, ("plum",): 3, ("pear", "plum"): 1, ("apple", "plum"): 1,
    }  # fmt: skip


def test_a_larger_week_without_mining_the_past_again(monkeypatch):
    rng = np.random.default_rng(3)
    matrix = rng.random((2_000, 30)) < rng.choice([0.05, 0.2, 0.4], 30)
    sets = frequent_itemsets(matrix[:1_800], min_support=0.02, appendable=True)
    mined = []
    search = appending.search
    monkeypatch.setattr(appending, "search", lambda rows, *rest: mined.append(rows.n) or search(rows, *rest))
    pd.testing.assert_frame_equal(
        sets.update(matrix[1_800:]).to_frame(), frequent_itemsets(matrix, min_support=0.02).to_frame()
    )
    assert mined == [200]


def log_of(rows):
    frame = pd.DataFrame(rows, columns=["user", "order", "sku", "paid", "march"])
    frame["at"] = pd.to_datetime("2025-03-01") + pd.to_timedelta(frame["march"] - 1, unit="D")
    return OrderLog.from_frame(frame, user_id="user", order_id="order", ordered_at="at", amount="paid", item_id="sku")


ROWS = [("u", n, item, 1.0, 1 + n % 14) for n in range(40) for item in ("abc", "ab", "bc", "d")[n % 4]]


def test_a_new_week_of_a_log():
    log = log_of(ROWS)
    sets = frequent_itemsets(log, as_of="2025-03-08", min_support=0.1, appendable=True)
    grown = sets.update(log, since="2025-03-08", as_of="2025-03-15")
    full = frequent_itemsets(log, as_of="2025-03-15", min_support=0.1)
    pd.testing.assert_frame_equal(grown.to_frame(), full.to_frame())


def test_a_late_refund_asks_for_a_full_run():
    sets = frequent_itemsets(log_of(ROWS), as_of="2025-03-08", min_support=0.1, appendable=True)
    refunded = log_of([*ROWS, ("u", 1, "a", -1.0, 10)])
    with pytest.raises(ConfigError, match=r"mine again"):
        sets.update(refunded, since="2025-03-08", as_of="2025-03-15")


def test_what_cannot_be_appended_is_told():
    sets = frequent_itemsets([["a"]], min_count=1, appendable=True)
    with pytest.raises(ConfigError, match="appendable=True"):
        frequent_itemsets([["a"]], min_count=1).update([["a"]])
    with pytest.raises(ConfigError, match="need an OrderLog"):
        sets.update([["a"]], since="2025-03-08")
    with pytest.raises(ConfigError, match="since"):
        sets.update(log_of(ROWS), as_of="2025-03-15")
    with pytest.raises(ConfigError, match="a day before as_of"):
        sets.update(log_of(ROWS), since="2025-03-15", as_of="2025-03-15")
    assert sets.nbytes == frequent_itemsets([["a"]], min_count=1).nbytes == 12 + 4 + 2 * 4
    assert frequent_itemsets([["a"]], min_count=1, keep="closed").nbytes == 12
