"""Cells of a user and a period, equal rows, and tables that an engine holds for a while."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife import _engine
from commlife._engine import frames

KINDS = ("pandas", "polars", "pyarrow", "duckdb")


def _plan(table: pd.DataFrame, kind: str) -> nw.LazyFrame[Any]:
    if kind == "pandas":
        return nw.from_native(table).lazy()
    if kind == "duckdb":
        import duckdb

        return nw.from_native(duckdb.connect().from_df(table))
    return nw.from_dict({name: table[name].to_numpy() for name in table}, backend=kind).lazy()


def _sorted(plan: nw.LazyFrame[Any], *keys: str) -> pd.DataFrame:
    return _engine.collect(plan).sort_values(list(keys), ignore_index=True)


@st.composite
def rows(draw: st.DrawFn) -> pd.DataFrame:
    """Users, days before and after 1970, and money of either sign."""
    n = draw(st.integers(1, 30))
    column = st.lists(st.integers(-5, 5), min_size=n, max_size=n)
    users = draw(st.lists(st.sampled_from([-(2**60), -3, 0, 1, 2**62]), min_size=n, max_size=n))
    return pd.DataFrame({"user_id": users, "day": draw(column), "net": draw(column)}, dtype=np.int64)


@pytest.mark.parametrize("kind", KINDS)
@given(table=rows())
def test_cells_sum_what_a_plain_group_sums(kind: str, table: pd.DataFrame) -> None:
    cells = _engine.sums_by_cell(_plan(table, kind), by="user_id", index="day", sums=["net"])
    expected = table.groupby(["user_id", "day"], as_index=False)["net"].sum()
    pd.testing.assert_frame_equal(_sorted(cells, "user_id", "day"), expected)
    bare = _engine.sums_by_cell(_plan(table, kind), by="user_id", index="day", sums=[])
    pd.testing.assert_frame_equal(_sorted(bare, "user_id", "day"), expected[["user_id", "day"]])


@pytest.mark.parametrize("kind", KINDS)
@given(table=rows())
def test_the_first_cell_and_the_whole_come_together(kind: str, table: pd.DataFrame) -> None:
    cells = table.groupby(["user_id", "day"], as_index=False)["net"].sum()
    told = _engine.first_and_whole(_plan(cells, kind), by="user_id", index="day", value="net", rows=0)
    expected = cells.groupby("user_id", as_index=False).agg(
        first=("day", "min"),
        last=("day", "max"),
        cells=("day", "size"),
        whole=("net", "sum"),
        at_first=("net", "first"),
    )
    pd.testing.assert_frame_equal(_sorted(told, "user_id"), expected)


@given(table=rows(), texts=st.lists(st.sampled_from(["a", "b", None]), min_size=30, max_size=30))
def test_equal_rows_are_found_whatever_their_columns_hold(table: pd.DataFrame, texts: list[str | None]) -> None:
    table = table.assign(text=texts[: len(table)], at=table["day"].to_numpy().astype("datetime64[us]"))
    for names in (list(table.columns), ["text"], ["user_id", "text"], ["at"]):
        marked = _engine.collect(_engine.mark_repeats(_plan(table, "pandas"), names, into="again"))
        assert marked["again"].tolist() == table.duplicated(subset=names).tolist()


def test_what_is_held_for_a_question_is_dropped_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.setattr(frames, "MOST_ROWS_HELD", 2)
    connection = duckdb.connect()
    plan = nw.from_native(connection.sql("SELECT i AS user_id FROM range(5) t(i)"))

    def tables() -> int:
        return len(connection.sql("SELECT table_name FROM duckdb_tables()").fetchall())

    with _engine.scope():
        held = _engine.settle(plan, rows=5, for_now=True)
        assert tables() == 1
        assert _engine.count_rows(held) == 5
    assert tables() == 0
    # Where nothing says until when it is wanted, nothing is left behind.
    assert _engine.count_rows(_engine.settle(plan, rows=5, for_now=True)) == 5
    assert tables() == 0


def test_large_logs_on_duckdb_give_the_same_answers_through_its_own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("duckdb")
    import commlife as cl

    community = cl.datasets.make_community(n_users=200, seed=4)
    names = {name: name for name in ("user_id", "ordered_at", "amount", "order_id")}
    frame = community.log.to_native()

    def answers(engine: str) -> tuple[Any, ...]:
        log = cl.OrderLog.from_frame(frame, engine=engine, **names)
        life = cl.Lifecycle(period="7D", washout="28D").fit(log, as_of=community.as_of)
        table = cl.cohort_table(log, as_of=community.as_of, period="week", washout="28D")
        growth = cl.growth_accounting(log, as_of=community.as_of, washout="28D")
        return life.states, life.counts, table.to_frame(), growth

    ours = answers("pandas")
    monkeypatch.setattr(frames, "MOST_ROWS_HELD", 2)
    for one, other in zip(ours, answers("duckdb"), strict=True):
        pd.testing.assert_frame_equal(one, other)
