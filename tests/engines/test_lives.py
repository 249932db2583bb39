"""Users' periods coded by what came before and after, and the sorts and sums of NumPy behind them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife import _engine
from commlife._engine import cells as _cells
from commlife._engine.lives import NEVER, Thresholds, coded_lives
from commlife._engine.sorting import begins_of_stretches, in_order, sums_of_stretches

KINDS = ("pandas", "polars", "pyarrow", "duckdb")
COLUMNS = ["user_id", "index", "net", "entry", "exit", "until", "up", "down"]


def _plan(table: pd.DataFrame, kind: str) -> nw.LazyFrame[Any]:
    if kind == "pandas":
        return nw.from_native(table).lazy()
    if kind == "duckdb":
        import duckdb

        return nw.from_native(duckdb.connect().from_df(table))
    return nw.from_dict({name: table[name].tolist() for name in table}, backend=kind).lazy()


@st.composite
def orders(draw: st.DrawFn) -> pd.DataFrame:
    """Users of any number, weeks before and after 0, money of either sign: refunds do not count."""
    n = draw(st.integers(1, 40))
    users = draw(st.lists(st.sampled_from([-(2**60), -3, 0, 1, 2**62]), min_size=n, max_size=n))
    weeks = draw(st.lists(st.integers(-20, 5), min_size=n, max_size=n))
    net = draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    table = pd.DataFrame({"user_id": users, "index": weeks, "net": net}, dtype=np.int64)
    return table.assign(counts=table["net"] >= 0)


def _by_hand(table: pd.DataFrame, silent_after: int, churned_after: int) -> tuple[list[Any], list[Any]]:
    """One user after the other, one period after the other."""
    active, alone = [], []
    for user, lines in table.groupby("user_id"):
        weeks: dict[int, int] = lines.groupby("index")["net"].sum().to_dict()
        counting = sorted(lines.loc[lines["counts"], "index"].unique())
        alone += [(user, week, net) for week, net in weeks.items() if week not in counting]
        gaps = [None, *(after - before for before, after in pairwise(counting)), None]
        for place, week in enumerate(counting):
            since, until = gaps[place], gaps[place + 1]
            entry = 0 if since is None else 2 + (since > silent_after) + (since > churned_after)
            leaves = 3 if until is None else 0 if until == 1 else 1 + (until > silent_after) + (until > churned_after)
            more = weeks[week] - (weeks[week - 1] if since == 1 else 0)
            told = (entry, leaves, NEVER if until is None else until, max(more, 0), max(-more, 0))
            active.append((user, week, weeks[week], *told))
    return sorted(active), sorted(alone)


def _rows(plan: nw.LazyFrame[Any], columns: list[str]) -> list[Any]:
    table = _engine.collect(plan.select(*columns))
    return sorted(table.itertuples(index=False, name=None))


@pytest.mark.parametrize("kind", KINDS)
@given(table=orders(), silent_after=st.integers(1, 3), longer=st.integers(1, 6), refunds=st.booleans())
def test_each_period_is_coded_as_by_hand(
    kind: str, table: pd.DataFrame, silent_after: int, longer: int, refunds: bool
) -> None:
    table = table if refunds else table[table["counts"]]
    if table.empty:
        return
    thresholds = Thresholds(silent_after, silent_after + longer)
    active, alone = coded_lives(_plan(table, kind), thresholds, refunds=refunds, rows=0, join=lambda plan: plan)
    expected, refunded = _by_hand(table, silent_after, silent_after + longer)
    assert _rows(active, COLUMNS) == expected
    assert _rows(alone, COLUMNS[:3]) == refunded


@pytest.mark.parametrize("n", [2**16 - 1, 2**16 + 1])
def test_where_a_block_of_rows_ends_nothing_is_lost(n: int) -> None:
    table = pd.DataFrame({"user_id": np.zeros(n, dtype=np.int64), "index": np.arange(n), "net": np.arange(n) % 7})
    active, _ = coded_lives(_plan(table, "pandas"), Thresholds(1, 8), refunds=False, rows=n, join=lambda plan: plan)
    told = _engine.collect(active)
    assert told["entry"].tolist() == [0] + [2] * (n - 1)
    assert told["exit"].tolist() == [0] * (n - 1) + [3]
    assert (told["up"] - told["down"]).tolist() == [0, *np.diff(table["net"])]


def test_a_silence_that_is_never_long_still_ends_somewhere() -> None:
    """NEVER stands for a threshold and for an end that is not known: the second lies above the first."""
    table = pd.DataFrame({"user_id": [1, 1], "index": [0, 5], "net": [1, 1]})
    for kind in KINDS:
        plan = _plan(table, kind)
        active, _ = coded_lives(plan, Thresholds(1, NEVER), refunds=False, rows=2, join=lambda plan: plan)
        assert [row[3:6] for row in _rows(active, COLUMNS)] == [(0, 2, 5), (3, 3, NEVER)], kind


@given(st.lists(st.integers(0, 9) | st.integers(2**62 - 3, 2**62), max_size=40))
def test_numbers_come_into_order_and_equal_ones_stay_as_they_stood(numbers: list[int]) -> None:
    key = np.array(numbers, dtype=np.int64)
    places, ordered = in_order(key)
    assert places.tolist() == np.argsort(key, kind="stable").tolist()
    assert ordered.tolist() == sorted(numbers)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**62), 2**62)), max_size=40))
def test_sums_of_stretches_are_exact_even_where_their_running_sum_runs_over(pairs: list[tuple[int, int]]) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    key = np.array([number for number, _ in pairs], dtype=np.int64)
    begins = begins_of_stretches(key)
    assert key[begins].tolist() == sorted(set(key.tolist()))
    seen = sums_of_stretches(np.array([value for _, value in pairs], dtype=np.int64), begins)
    wrapped = [sum(v for k, v in pairs if k == number) for number in sorted(set(key.tolist()))]
    assert seen.tolist() == [(total + 2**63) % 2**64 - 2**63 for total in wrapped]


@pytest.mark.parametrize("kind", KINDS)
@given(table=orders(), large=st.booleans())
def test_codes_are_counted_as_a_plain_group_counts_them(kind: str, table: pd.DataFrame, large: bool) -> None:
    table = table.assign(net=table["net"] * (2**55 if large else 1), text=table["index"].astype("str"))
    for keys in (["index", "counts"], ["index", "text"], ["user_id", "index"]):
        held = table.assign(counts=table["counts"].astype(np.int64))
        seen = _engine.collect(_engine.sums_by_codes(_plan(held, kind), *keys, sums=["net"], into="users"))
        expected = held.groupby(keys, as_index=False).agg(users=("net", "size"), net=("net", "sum"))
        pd.testing.assert_frame_equal(seen.sort_values(keys, ignore_index=True), expected)


def test_a_table_of_all_combinations_is_not_made_where_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pd.DataFrame({"a": [0, 10**9], "b": [0, 10**9]})
    assert _cells._ranges(rows, ["a", "b"]) is None
    assert _cells._ranges(rows.assign(a=[0, 1], b=[5, 6]), ["a", "b"]) == {"a": (0, 2), "b": (5, 2)}
    monkeypatch.setattr(_cells, "_MOST_COMBINATIONS", 3)
    assert _cells._ranges(rows.assign(a=[0, 1], b=[5, 6]), ["a", "b"]) is None


@pytest.mark.parametrize("kind", KINDS)
@given(table=orders(), is_sorted=st.booleans())
def test_the_greatest_of_each_key_is_found(kind: str, table: pd.DataFrame, is_sorted: bool) -> None:
    table = table.assign(own=(table["user_id"] % 5).astype("str"))
    table = table.sort_values("user_id", ignore_index=True) if is_sorted else table
    seen = _engine.greatest_by_key(_plan(table, kind), "user_id", greatest=["index", "net"], own=["own"])
    expected = table.groupby(["user_id", "own"], as_index=False)[["index", "net"]].max()
    pd.testing.assert_frame_equal(_engine.collect(seen).sort_values("user_id", ignore_index=True), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_stand_where_their_numbers_stood(kind: str) -> None:
    table = pd.DataFrame({"code": [2, 0, 2]}, index=[5, 3, 9] if kind == "pandas" else None)
    seen = _engine.with_labels(_plan(table, kind), "code", {"en": ["a", "b", "c"], "zh": ["甲", "乙", "丙"]})
    told = _engine.collect(seen)
    assert (told["en"].tolist(), told["zh"].tolist()) == (["c", "a", "c"], ["丙", "甲", "丙"])
