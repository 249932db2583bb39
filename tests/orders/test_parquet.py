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


class _Refusing:
    """Stands for a disk that fails while a file is written."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *args: object, **kwargs: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("duckdb.DuckDBPyRelation.write_parquet", duckdb.IOException("IO Error: No space left on device")),
        ("polars.LazyFrame.sink_parquet", pl.exceptions.ComputeError("IO error: No space left on device")),
        ("pandas.DataFrame.to_parquet", OSError(28, "No space left on device")),
        ("tempfile.mkstemp", OSError(30, "Read-only file system")),
    ],
    ids=["duckdb", "polars", "pandas", "folder"],
)
def test_a_disk_that_fails_is_told_and_the_former_file_stands(frame, tmp_path, monkeypatch, target, error):
    kind = target.split(".")[0]
    frames = {"duckdb": duckdb.connect().from_df(frame), "polars": pl.from_pandas(frame).lazy()}
    path = tmp_path / "out.parquet"
    path.write_bytes(b"former")
    refusing = _Refusing(error)
    if kind == "duckdb":
        # A class of C takes no attribute: the writer is handed a relation that refuses.
        monkeypatch.setattr(
            "commlife.orders.parquet.nw.to_native", lambda _: type("R", (), {"write_parquet": refusing})()
        )
    else:
        monkeypatch.setattr(target, refusing)
    with pytest.raises(cl.PersistenceError, match=r"out\.parquet"):
        cl.write_parquet(frames.get(kind, frame), path)
    assert path.read_bytes() == b"former"
    assert [each.name for each in tmp_path.iterdir()] == ["out.parquet"]


def test_what_polars_cannot_compute_is_not_called_a_full_disk(frame, tmp_path, monkeypatch):
    monkeypatch.setattr("polars.LazyFrame.sink_parquet", _Refusing(pl.exceptions.ComputeError("cannot cast")))
    with pytest.raises(pl.exceptions.ComputeError, match="cannot cast"):
        cl.write_parquet(pl.from_pandas(frame).lazy(), tmp_path / "x.parquet")


def test_arrow_tables_are_written_and_pandas_says_what_it_needs(frame, tmp_path, monkeypatch):
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    made = cl.write_parquet(table, tmp_path / "arrow.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(made), frame)
    monkeypatch.setattr("pandas.DataFrame.to_parquet", _Refusing(ImportError("pyarrow")))
    with pytest.raises(cl.EngineError, match=r"pip install .commlife\[parquet\]"):
        cl.write_parquet(frame, tmp_path / "x.parquet")


@pytest.mark.filterwarnings("ignore:Dask support:FutureWarning")
def test_frames_of_parts_are_not_written_as_one_file(frame, tmp_path):
    import dask.dataframe as dd

    with pytest.raises(cl.EngineError, match=r"a Dask frame writes a folder.*frame.to_parquet\(folder\)"):
        cl.write_parquet(dd.from_pandas(frame, npartitions=1), tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())
