"""Results straight to a Parquet file: computed while they are written, never whole in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._engine.frames import KINDS
from commlife._files import file_to_write, filled_beside
from commlife.errors import EngineError

__all__ = ["write_parquet"]


def write_parquet(frame: Any, path: str | Path) -> Path:
    """Write a result to a Parquet file; a DuckDB relation or a Polars plan is run as it is written, out of core.

    The file appears whole or not at all.

    Args:
        frame: What a call gave: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
        path: Where to write; the folder must exist.

    Returns:
        The path.

    Raises:
        ConfigError: If the folder does not exist, or ``path`` is one.
        PersistenceError: If the file cannot be written; what stood there before still stands.
        EngineError: If the frame is of a kind that is not taken, or pyarrow is missing where pandas needs it.

    Examples:
        >>> import tempfile
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=50, seed=1).log
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = cl.write_parquet(cl.purchase_summary(log, as_of="2025-06-30"), f"{folder}/summary.parquet")
        ...     made.name, made.stat().st_size > 0
        ('summary.parquet', True)
    """
    target = file_to_write(path)
    native = nw.to_native(_engine.from_host(frame))
    kind = _engine.from_host(frame).implementation
    if kind in {nw.Implementation.DASK, nw.Implementation.PYSPARK}:
        way = "frame.to_parquet(folder)" if kind is nw.Implementation.DASK else "frame.write.parquet(folder)"
        raise EngineError(f"write_parquet writes one file; a {KINDS[kind]} frame writes a folder of them. Use {way}.")
    with filled_beside(target) as beside:
        _write(native, kind, str(beside))
    return target


def _write(native: Any, kind: nw.Implementation, name: str) -> None:
    if kind is nw.Implementation.DUCKDB:
        import duckdb

        try:
            native.write_parquet(name)
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
    elif kind is nw.Implementation.POLARS:
        _sink(native, name)
    elif kind is nw.Implementation.PYARROW:
        import pyarrow.parquet as pq

        pq.write_table(native, name)
    else:
        try:
            native.to_parquet(name, index=False)
        except ImportError:
            raise EngineError('Parquet files with pandas need pyarrow: pip install "commlife[parquet]".') from None


def _sink(native: Any, name: str) -> None:
    import polars as pl

    try:
        native.sink_parquet(name)
    except pl.exceptions.ComputeError as error:
        if "IO error" not in str(error):
            raise
        raise OSError(str(error)) from error
