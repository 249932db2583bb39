"""One question, every engine, one answer: each relational public call on each embedded kind of frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import commlife as cl
import every_call

ENGINES = [
    "pandas_arrow",
    "pandas_by_polars",
    "pandas_by_duckdb",
    "polars",
    "polars_lazy",
    "pyarrow",
    "duckdb",
    "duckdb_parquet",
    "polars_parquet",
]


@cache
def export(name: str) -> every_call.Export:
    return every_call.EXPORTS[name]()


@cache
def wanted(name: str, call: str) -> every_call.Answer:
    """The answer on pandas with NumPy's types."""
    return every_call.ask(call, log_on_pandas(name), export(name))


@cache
def log_on_pandas(name: str) -> cl.OrderLog:
    return export(name).log(export(name).frame)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


NATIVE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas_arrow": lambda frame: _arrow(frame).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_pandas,
    "polars_lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": _arrow,
    "duckdb": lambda frame: duckdb.connect().from_arrow(_arrow(frame)),
}
LOGS: dict[tuple[str, str], cl.OrderLog] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parquet")


def log_on(engine: str, name: str, folder: Path) -> cl.OrderLog:
    """The log of an export on an engine, made once."""
    if (engine, name) not in LOGS:
        given = export(name)
        if engine.startswith("pandas_by"):
            LOGS[engine, name] = cl.OrderLog.from_frame(given.frame, **given.columns, engine=engine.rsplit("_", 1)[1])
        elif engine in NATIVE:
            LOGS[engine, name] = given.log(NATIVE[engine](given.frame))
        else:
            # Two files: what is out of core comes in parts.
            half = len(given.frame) // 2
            parts = [folder / f"{name}-{engine}-{part}.parquet" for part in (0, 1)]
            given.frame.iloc[:half].to_parquet(parts[0])
            given.frame.iloc[half:].to_parquet(parts[1])
            LOGS[engine, name] = cl.OrderLog.from_parquet(
                parts, engine=engine.split("_", maxsplit=1)[0], **given.columns
            )
    return LOGS[engine, name]


CASES = [
    (engine, name, call)
    for engine in ENGINES
    for name, call in every_call.cases()
    # Models take seconds: what is read from files is the same plan.
    if call not in every_call.LONG or not engine.endswith("_parquet")
]


@pytest.mark.parametrize(("engine", "name", "call"), CASES)
def test_every_call_gives_the_same_on(engine: str, name: str, call: str, folder: Path) -> None:
    seen = every_call.ask(call, log_on(engine, name, folder), export(name))
    every_call.assert_equal(seen, wanted(name, call))


@pytest.mark.parametrize("call", sorted(every_call.CALLS))
def test_the_question_has_an_answer(call: str) -> None:
    """Equal empty tables would show nothing."""
    answer = wanted(next(export for export, asked in every_call.cases() if asked == call), call)
    assert {name for name, frame in answer.items() if len(every_call.plain(frame)) == 0} <= {"faults"}


@pytest.mark.parametrize("engine", sorted(NATIVE))
def test_coupon_logs_are_checked_alike_on(engine: str) -> None:
    days = pd.to_datetime(["2025-01-03", "2025-01-09", "2025-01-04", "2025-01-05", "2025-02-01"]).astype(
        "datetime64[us]"
    )
    used = pd.DataFrame({"user_id": list("aab甲c"), "coupon_id": ["c", "c", "c", "d", "x"], "day": days})
    used["amount"] = [30.0, 30.0, 12.0, 50.0, 9.0]
    issued = pd.DataFrame({"user_id": list("ab甲"), "coupon_id": ["c", "c", "d"], "issued": days[:3]})
    coupons = [
        cl.Coupon(coupon_id="c", amount=5, minimum_spend=20, valid_days=7, per_user_limit=1),
        cl.Coupon(coupon_id="d", amount=3, valid_days=2),
    ]
    seen = cl.audit_redemptions(NATIVE[engine](used), NATIVE[engine](issued), coupons)
    pd.testing.assert_frame_equal(seen, cl.audit_redemptions(used, issued, coupons))
    assert seen["sound"].tolist() == [True, False, False, True, False]
