"""Steps that engines do in different ways: the rows beside a row, what is brought into the process and what is refused."""

from __future__ import annotations

import logging

import duckdb
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
import every_call
from commlife import _engine
from commlife._engine import frames


@given(
    rows=st.lists(st.tuples(st.sampled_from("aB甲é"), st.integers(-40, 40)), max_size=30, unique=True),
    kind=st.sampled_from(["pandas", "polars", "pyarrow", "duckdb"]),
)
def test_neighbours_are_those_of_a_plain_walk(rows, kind):
    import polars as pl
    import pyarrow as pa

    frame = pd.DataFrame(
        {
            "user_id": pd.Series([user for user, _ in rows], dtype="str"),
            "index": np.array([index for _, index in rows], dtype=np.int64),
            "net": np.arange(len(rows), dtype=np.int64) * 7 - 20,
        }
    )
    # Without rows pandas 2 does not say that ids are text.
    schema = pa.schema([("user_id", pa.string()), ("index", pa.int64()), ("net", pa.int64())])
    arrow = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    native = {"pandas": lambda: frame, "polars": lambda: pl.from_arrow(arrow), "pyarrow": lambda: arrow,
              "duckdb": lambda: duckdb.connect().from_arrow(arrow)}[kind]()  # fmt: skip
    made = _engine.with_neighbours(_engine.from_host(native), "index", by="user_id", carry="net")
    seen = _engine.collect(made)[["user_id", "index", "net", "previous", "next", "before"]]
    wanted = []
    for user, group in frame.groupby("user_id"):
        ordered = group.sort_values("index")
        for place, row in enumerate(ordered.itertuples()):
            earlier = ordered.iloc[place - 1] if place else None
            later = ordered.iloc[place + 1] if place + 1 < len(ordered) else None
            wanted.append((user, row[2], row.net,
                           _engine.NONE_BEFORE if earlier is None else earlier["index"],
                           _engine.NONE_AFTER if later is None else later["index"],
                           0 if earlier is None else earlier["net"]))  # fmt: skip
    assert sorted(map(tuple, seen.to_numpy().tolist())) == sorted(tuple(row) for row in wanted)


FRAME = pd.DataFrame(
    {"u": ["a", "a", "b"], "o": [1, 2, 3], "t": pd.to_datetime(["2025-01-01 08:00", "2025-01-01 09:00", "2025-01-02 08:00"]),
     "m": [1.0, 2.0, 3.0]}
)  # fmt: skip
NAMES = {"user_id": "u", "order_id": "o", "ordered_at": "t", "amount": "m"}


def test_a_collect_that_is_needed_is_told_without_user_data(caplog):
    log = cl.OrderLog.from_frame(duckdb.connect().from_df(FRAME), **NAMES)
    with caplog.at_level(logging.INFO, logger="commlife"):
        log.clean(cl.CleaningRules(merge_within="1D"))
    assert [record.getMessage() for record in caplog.records] == [
        "clean(merge_within=...) brings 3 rows of DuckDB into this process"
    ]


def test_a_collect_that_is_too_large_names_the_call_the_engine_and_the_way_out(monkeypatch):
    monkeypatch.setattr(frames, "MOST_COLLECTED", 2)
    log = cl.OrderLog.from_frame(duckdb.connect().from_df(FRAME), **NAMES)
    with pytest.raises(cl.EngineError, match=r"clean\(merge_within=...\).*3 rows of DuckDB.*by parts of the users"):
        log.clean(cl.CleaningRules(merge_within="1D"))
    # A frame whose rows are here already is not refused.
    assert len(cl.OrderLog.from_frame(FRAME, **NAMES).clean(cl.CleaningRules(merge_within="1D"))) == 3


def test_a_polars_plan_is_counted_told_and_bounded_too(tmp_path, monkeypatch, caplog):
    import polars as pl

    path = tmp_path / "orders.parquet"
    pl.from_pandas(FRAME).write_parquet(path)
    log = cl.OrderLog.from_parquet(path, engine="polars", **NAMES)
    with caplog.at_level(logging.INFO, logger="commlife"):
        log.clean(cl.CleaningRules(merge_within="1D"))
    assert "clean(merge_within=...) brings 3 rows of Polars into this process" in caplog.messages
    monkeypatch.setattr(frames, "MOST_COLLECTED", 2)
    with pytest.raises(cl.EngineError, match=r"clean\(merge_within=...\).*3 rows of Polars here"):
        log.clean(cl.CleaningRules(merge_within="1D"))


def test_frames_of_the_host_are_bounded_like_any_other(monkeypatch):
    """Values from a warehouse beside a log of ours: a lazy frame is no small one because a host handed it in."""
    monkeypatch.setattr(frames, "MOST_COLLECTED", 2)
    there = duckdb.connect().from_df(FRAME)
    with pytest.raises(cl.EngineError, match=r"HostFeatures.from_history .*3 rows of DuckDB"):
        cl.HostFeatures.from_history(there.project("u AS user_id, t AS known, m"), known_at="known")
    assert cl.HostFeatures.from_history(
        FRAME.rename(columns={"u": "user_id"})[["user_id", "t", "m"]], known_at="t"
    ).names == ("m",)


def test_the_example_of_a_fault_leaves_a_polars_plan_a_plan(tmp_path):
    """The row's place is told, and the file is not held for it."""
    import polars as pl

    path = tmp_path / "orders.parquet"
    pl.from_pandas(FRAME.assign(m=[1.0, float("nan"), 3.0])).write_parquet(path)
    with pytest.raises(cl.SchemaError, match="at row 1"):
        cl.OrderLog.from_parquet(path, engine="polars", **NAMES)
    numbered = _engine.numbered(nw.from_native(pl.scan_parquet(path)), "row")
    assert "SCAN" in nw.to_native(numbered).explain()


def test_a_large_plan_is_left_to_the_engine(monkeypatch):
    """Above a size DuckDB computes again, and goes to disk, where this process would hold the rows: equal answers."""
    log = cl.OrderLog.from_frame(duckdb.connect().from_df(FRAME), **NAMES)
    wanted = cl.growth_accounting(log, as_of="2025-02-01")
    monkeypatch.setattr(frames, "MOST_ROWS_HELD", 1)
    large = cl.OrderLog.from_frame(duckdb.connect().from_df(FRAME), **NAMES)
    pd.testing.assert_frame_equal(cl.growth_accounting(large, as_of="2025-02-01"), wanted)
    table, small = (cl.cohort_table(each, as_of="2025-02-01").to_frame() for each in (large, log))
    pd.testing.assert_frame_equal(table, small)


@pytest.fixture(scope="module")
def many_users():
    export = every_call.EXPORTS["fallen_retention"]()
    return export, export.log(duckdb.connect().from_df(export.frame))


@pytest.mark.parametrize(
    "call",
    ["features", "rfm", "lifecycle", "indices", "calls", "cohorts", "metrics", "revenue", "state", "tags", "panel"],
)
def test_nothing_as_long_as_the_users_is_brought_here_untold(call, many_users, monkeypatch, caplog):
    """A table that was taken for a small one and grows with the users would be told as a warning."""
    export, log = many_users
    monkeypatch.setattr(frames, "MOST_SMALL", log.n_users // 2)
    with caplog.at_level(logging.INFO, logger="commlife"):
        every_call.ask(call, log, export)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_small_table_that_is_none_is_told(caplog, monkeypatch):
    monkeypatch.setattr(frames, "MOST_SMALL", 2)
    with caplog.at_level(logging.WARNING, logger="commlife"):
        assert len(_engine.collect(_engine.from_host(duckdb.connect().from_df(FRAME)))) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "a table of 3 rows of DuckDB was brought into this process"
    ]


@pytest.mark.parametrize(
    ("call", "ask"),
    [
        (r"counting baskets", lambda log: cl.frequent_itemsets(log, as_of="2025-02-01", level="item_id", min_count=1)),
        (r"BetaGeo", lambda log: cl.BetaGeo().fit(log, as_of="2025-02-01")),
        (r"RFM\.fit", lambda log: cl.RFM(n_bins=2).fit(log, as_of="2025-02-01")),
        (r"clean\(winsorize_amount", lambda log: log.clean(cl.CleaningRules(winsorize_amount=0.9))),
        (r"LogState", lambda log: cl.LogState.start(log, as_of="2025-02-01")),
        (r"funnel", lambda log: cl.funnel(log, steps=["first_order", "order"], as_of="2025-02-01")),
    ],
)
def test_each_step_that_cannot_stay_names_itself_the_engine_and_the_way_out(call, ask, monkeypatch):
    monkeypatch.setattr(frames, "MOST_COLLECTED", 0)
    frame = FRAME.assign(item_id=["x", "y", "x"])
    log = cl.OrderLog.from_frame(duckdb.connect().from_df(frame), **NAMES, item_id="item_id")
    with pytest.raises(cl.EngineError, match=rf"(?s){call}.*rows of DuckDB here.*\. [A-Z]"):
        ask(log)
