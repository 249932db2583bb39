"""Results go to Parquet from every kind of frame, whole or not at all; another engine works for a pandas host."""

from __future__ import annotations

import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import commlife as cl

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m"}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    at = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 60, 80), unit="D")
    return pd.DataFrame(
        {"u": rng.integers(0, 9, 80).astype("int32"), "t": at.as_unit("us"), "m": rng.integers(-99, 999, 80) / 100}
    )


def test_every_kind_is_written(engine, frame, tmp_path):
    log = cl.OrderLog.from_frame(engine(frame), **NAMES)
    made = cl.write_parquet(cl.purchase_summary(log, as_of="2025-02-20"), tmp_path / "out.parquet")
    wanted = cl.purchase_summary(cl.OrderLog.from_frame(frame, **NAMES), as_of="2025-02-20")
    seen = pd.read_parquet(made).sort_values("user_id", ignore_index=True)
    pd.testing.assert_frame_equal(seen, wanted, check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_failed_write_leaves_the_former_file(tmp_path):
    target = tmp_path / "out.parquet"
    target.write_bytes(b"former")
    broken = pl.LazyFrame({"a": ["x"]}).select(pl.col("a").cast(pl.Int64))
    with pytest.raises(pl.exceptions.PolarsError):
        cl.write_parquet(broken, target)
    assert target.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_wrong_targets_are_refused(tmp_path):
    with pytest.raises(cl.ConfigError, match="no folder"):
        cl.write_parquet(pd.DataFrame({"a": [1]}), tmp_path / "nowhere" / "x.parquet")
    with pytest.raises(cl.ConfigError, match="is a folder"):
        cl.write_parquet(pd.DataFrame({"a": [1]}), tmp_path)
    with pytest.raises(cl.EngineError):
        cl.write_parquet([1, 2], tmp_path / "x.parquet")


@pytest.mark.parametrize("helper", ["polars", "duckdb"])
def test_another_engine_gives_pandas_back_with_the_hosts_ids(frame, helper):
    log = cl.OrderLog.from_frame(frame, **NAMES, engine=helper)
    plain = cl.OrderLog.from_frame(frame, **NAMES)
    seen, wanted = (cl.purchase_summary(each, as_of="2025-02-20") for each in (log, plain))
    pd.testing.assert_frame_equal(seen, wanted)
    assert seen["user_id"].dtype == np.dtype("int32")
    pd.testing.assert_frame_equal(
        log.to_native().sort_values(["user_id", "ordered_at", "amount"], ignore_index=True),
        plain.to_native().sort_values(["user_id", "ordered_at", "amount"], ignore_index=True),
    )


def test_a_frame_that_is_its_own_engine_needs_no_other(frame):
    pd.testing.assert_frame_equal(
        cl.purchase_summary(cl.OrderLog.from_frame(frame, **NAMES, engine="pandas"), as_of="2025-02-20"),
        cl.purchase_summary(cl.OrderLog.from_frame(frame, **NAMES), as_of="2025-02-20"),
    )
    with pytest.raises(cl.EngineError, match="Leave engine out"):
        cl.OrderLog.from_frame(duckdb.connect().from_df(frame), **NAMES, engine="polars")
    with pytest.raises(cl.ConfigError, match="Did you mean 'polars'"):
        cl.OrderLog.from_frame(frame, **NAMES, engine="polar")


@pytest.mark.parametrize(
    ("engine", "absent"), [("pandas", "pyarrow.dataset"), ("polars", "polars"), ("duckdb", "duckdb")]
)
def test_a_package_that_is_not_there_is_named_with_the_way_to_get_it(frame, tmp_path, monkeypatch, engine, absent):
    path = tmp_path / "orders.parquet"
    frame.to_parquet(path)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(cl.EngineError, match=r"pip install .commlife\[(parquet|polars|duckdb)\]"):
        cl.OrderLog.from_parquet(path, engine=engine, **NAMES)


def test_no_file_is_no_log():
    with pytest.raises(cl.ConfigError, match="at least one file"):
        cl.OrderLog.from_parquet([], **NAMES)


def test_the_memory_of_duckdb_can_be_bounded(frame, tmp_path):
    path = tmp_path / "orders.parquet"
    frame.to_parquet(path)
    log = cl.OrderLog.from_parquet(path, engine="duckdb", memory_limit="300MB", **NAMES)
    assert log.n_rows == 80
    for engine, limit in (("polars", "1GB"), ("duckdb", "lots"), ("duckdb", "1GB'; DROP TABLE x")):
        with pytest.raises(cl.ConfigError, match="memory_limit"):
            cl.OrderLog.from_parquet(path, engine=engine, memory_limit=limit, **NAMES)
