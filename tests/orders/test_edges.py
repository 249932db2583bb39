"""Edges of a log: names that were nearly right, another engine behind a host's frame, rows set aside twice over."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import commlife as cl
from commlife.features.users import own_attributes

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m"}


def test_a_misspelt_column_of_a_csv_file_is_told_with_the_nearest_one(tmp_path):
    """Only the columns that are named are read, and all of them to tell which was meant."""
    path = tmp_path / "orders.csv"
    pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "paid_amount": [1.0], "other": [2]}).to_csv(path, index=False)
    with pytest.raises(cl.SchemaError, match=r"Did you mean amount=.paid_amount"):
        cl.OrderLog.from_csv(path, user_id="u", ordered_at="t", amount="paid_ammount")


@pytest.mark.parametrize("helper", ["polars", "duckdb"])
def test_rows_set_aside_come_back_from_another_engine(helper):
    frame = pd.DataFrame({"u": ["a", None, "c"], "t": pd.Timestamp("2025-01-01"), "m": [1.0, 2.0, 3.0]})
    aside = {"null_user_id": "set_aside"}
    plain = cl.OrderLog.from_frame(frame, **NAMES, on_fault=aside)
    helped = cl.OrderLog.from_frame(frame, **NAMES, on_fault=aside, engine=helper)
    assert helped.set_aside["reason"].tolist() == plain.set_aside["reason"].tolist() == ["null_user_id"]
    assert helped.set_aside["amount"].tolist() == [2.0]


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_rows_set_aside_as_given_and_by_a_rule_stand_in_one_frame(make):
    """At the boundary a time is still a text; a cleaning rule sees it read."""
    frame = pd.DataFrame({"u": ["a", "b", "c"], "t": ["2025-01-01", "helo", "2025-01-02"], "m": [1.0, 2.0, 0.0]})
    log = cl.OrderLog.from_frame(make(frame), **NAMES, on_fault={"unparseable_time": "set_aside"})
    held = nw.from_native(log.clean(cl.CleaningRules(drop_zero_amount=True)).set_aside, eager_only=True)
    assert sorted(held["user_id"].to_list()) == ["b", "c"]


def test_a_log_without_equal_lines_has_no_fault_to_tell():
    frame = pd.DataFrame({"u": ["a", "a"], "t": ["2025-01-01", "2025-01-02"], "m": [1.0, 1.0]})
    assert cl.OrderLog.from_frame(frame, **NAMES, on_fault={"duplicate_line": "keep"}).faults.empty
    twice = cl.OrderLog.from_frame(pd.concat([frame, frame]), **NAMES, on_fault={"duplicate_line": "keep"})
    assert twice.faults[["fault", "rows", "policy"]].to_numpy().tolist() == [["duplicate_line", 2, "keep"]]


def test_a_question_of_a_column_that_was_not_named_is_refused_whoever_asks():
    log = cl.OrderLog.from_frame(pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [1.0]}), **NAMES)
    with pytest.raises(cl.ConfigError, match=r"this question needs the column channel.*OrderLog.from_frame\(channel="):
        own_attributes(log, 20_200, "channel")


def test_a_log_that_is_asked_of_many_days_does_not_grow_with_them():
    days = pd.date_range("2025-01-01", periods=40)
    log = cl.OrderLog.from_frame(pd.DataFrame({"u": range(40), "t": days, "m": 1.0}), **NAMES)
    for day in days[5:]:
        cl.purchase_summary(log, as_of=str(day.date()))
    assert len(log._memory) < 20
