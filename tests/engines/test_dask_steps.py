"""The steps that Dask does part by part give what pandas gives on the whole, whichever rows share a part."""

from __future__ import annotations

from typing import Any

import dask.dataframe as dd
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife import _engine
from commlife._engine.times import NOT_A_TIME

# Narwhals announces that Dask moves to a package of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Dask support:FutureWarning")


def in_parts(table: pd.DataFrame) -> nw.LazyFrame[Any]:
    return nw.from_native(dd.from_pandas(table, npartitions=3, sort=False)).lazy()


def whole(table: pd.DataFrame) -> nw.LazyFrame[Any]:
    return nw.from_native(table).lazy()


def rows_of(plan: nw.LazyFrame[Any]) -> list[tuple[Any, ...]]:
    table = _engine.collect(plan)
    return sorted(table[sorted(table.columns)].itertuples(index=False, name=None), key=repr)


@st.composite
def visits(draw: st.DrawFn) -> pd.DataFrame:
    """Users and days, each pair once, a value beside it and a letter."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9)), min_size=1, max_size=20, unique=True))
    users, days = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    net = np.arange(len(pairs), dtype=np.int64) * 3 - 5
    return pd.DataFrame({"user_id": users, "order_id": users % 2, "day": days, "net": net})


@settings(max_examples=10)
@given(table=visits())
def test_the_row_before_and_after_are_those_of_the_whole(table: pd.DataFrame) -> None:
    for by in ("user_id", ["order_id", "user_id"]):
        there, here = (_engine.with_previous(plan(table), "day", by=by, into="earlier") for plan in (in_parts, whole))
        assert rows_of(there) == rows_of(here)
    there, here = (_engine.with_neighbours(plan(table), "day", by="user_id", carry="net") for plan in (in_parts, whole))
    assert rows_of(there) == rows_of(here)


@settings(max_examples=10)
@given(table=visits())
def test_the_first_row_and_the_whole_of_a_user_are_those_of_the_whole(table: pd.DataFrame) -> None:
    there, here = (
        _engine.first_and_whole(plan(table), by="user_id", index="day", value="net", rows=len(table))
        for plan in (in_parts, whole)
    )
    assert rows_of(there) == rows_of(here)


def test_a_row_that_stands_again_in_another_part_is_marked() -> None:
    table = pd.DataFrame({"user_id": list("abcabd"), "day": [1, 2, 3, 1, 5, 6], "net": 0})
    marked = _engine.collect(_engine.mark_repeats(in_parts(table), ["user_id", "day", "net"], into="again"))
    assert marked.groupby(["user_id", "day"])["again"].sum().to_dict() == {
        ("a", 1): 1, ("b", 2): 0, ("c", 3): 0, ("b", 5): 0, ("d", 6): 0,
    }  # fmt: skip


def test_texts_are_read_as_times_part_by_part() -> None:
    texts = ["2025-01-01 08:00:00", "2025-01-01T00:00:00Z", "01/02/2025", "2025-02-30", "1969-12-31"]
    table = pd.DataFrame({"row": range(len(texts)), "t": pd.Series(texts, dtype="str")})
    read = _engine.add_local_microsecond(in_parts(table), "t", timezone="Asia/Shanghai", into="us")
    eight = 20_089 * 86_400_000_000 + 8 * 3_600_000_000  # 2025-01-01 is day 20,089
    assert _engine.collect(read).sort_values("row")["us"].tolist() == [
        eight, eight, NOT_A_TIME, NOT_A_TIME, -86_400_000_000,
    ]  # fmt: skip


def test_a_small_table_joins_a_frame_of_parts() -> None:
    table = pd.DataFrame({"user_id": [1, 2, 3], "day": 0, "net": 1})
    small = pd.DataFrame({"user_id": [2, 3], "group": [7, 8]})
    joined = in_parts(table).join(
        _engine.lazy_like(small, in_parts(table), types={"user_id": "user_id"}), on="user_id", how="inner"
    )
    assert rows_of(joined.select("user_id", "group")) == [(7, 2), (8, 3)]
