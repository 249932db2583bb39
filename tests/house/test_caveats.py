"""A caveat points at the host's own line, whichever way led to it."""

from __future__ import annotations

import linecache
import warnings
from pathlib import Path

import pandas as pd
import pytest

import commlife as cl
from commlife import _caveats
from commlife._figures import fonts
from commlife.errors import CommlifeWarning, ModelWarning

SOURCE = Path(cl.__file__).parent


def told_at(act):
    """The lines of the warnings of one act."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    ours = [one for one in caught if issubclass(one.category, CommlifeWarning)]
    assert ours, "the act of this test no longer warns"
    return {(one.filename, linecache.getline(one.filename, one.lineno).strip()) for one in ours}


@pytest.fixture(scope="module")
def log():
    """A log that begins in the middle of lives, with an entry that names no item."""
    days = pd.date_range("2025-01-01", periods=90, freq="D")
    rows = [(f"u{user}", day, 10.0, "a" if user else None) for user in range(140) for day in days[user % 5 :: 7]]
    return cl.OrderLog.from_frame(
        pd.DataFrame(rows, columns=["user_id", "ordered_at", "amount", "item_id"]),
        user_id="user_id",
        ordered_at="ordered_at",
        amount="amount",
        item_id="item_id",
    )


def test_the_same_caveat_by_five_ways_points_at_this_file(log):
    ways = (
        lambda: cl.purchase_summary(log, as_of="2025-03-31"),
        lambda: cl.RFM().fit(log, as_of="2025-03-31"),
        lambda: cl.Lifecycle().fit(log, as_of="2025-03-31"),
        lambda: cl.cohort_table(log, as_of="2025-03-31"),
        lambda: cl.business_metrics(log, as_of="2025-03-31"),
    )
    for way in ways:
        assert {name for name, _ in told_at(way)} == {__file__}


def test_the_line_is_the_one_that_called(log):
    def act():
        cl.frequent_itemsets(log, as_of="2025-03-31", min_support=0.1)

    assert told_at(act) == {(__file__, 'cl.frequent_itemsets(log, as_of="2025-03-31", min_support=0.1)')}


def test_a_context_manager_between_is_passed_over(monkeypatch):
    """The generator behind a ``with`` is called by contextlib, which is not the host."""
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)

    def draw():
        with fonts.written("zh"):
            pass

    assert told_at(draw) == {(__file__, 'with fonts.written("zh"):')}


def test_once_a_line_is_python_s_own_rule():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            _caveats.warn("seen", ModelWarning)
    assert [str(one.message) for one in caught] == ["seen"]


def test_no_level_is_counted_by_hand():
    for path in SOURCE.rglob("*.py"):
        assert "stacklevel" not in path.read_text(encoding="utf-8"), path
