"""Files of orders: only what the named columns need is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commlife.errors import ConfigError, EngineError
from commlife.orders._boundary import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_csv", "scan_parquet"]


def scan_parquet(
    path: str | Path | Sequence[str | Path],
    engine: str,
    columns: Mapping[str, Any],
    *,
    memory_limit: str | None = None,
) -> Any:
    """One or several Parquet files as a frame of ``engine``."""
    if memory_limit is not None and engine != "duckdb":
        raise ConfigError(f'memory_limit is for engine="duckdb"; seen engine={engine!r}. Leave it out.')
    several = path if isinstance(path, Sequence) and not isinstance(path, (str, bytes)) else [path]
    paths = [str(_existing(each)) for each in several]
    if not paths:
        raise ConfigError("from_parquet needs at least one file; seen an empty list.")
    if engine == "pandas":
        import pandas as pd

        wanted = _wanted(columns)
        try:
            import pyarrow.dataset as ds
        except ImportError:
            raise EngineError('Parquet files with pandas need pyarrow: pip install "commlife[parquet]".') from None
        import pyarrow as pa

        try:
            dataset = ds.dataset(paths, format="parquet")
            present = [name for name in wanted if name in dataset.schema.names]
            # Where a name is misspelt the whole file is read, so that the error can say what there is.
            table = dataset.to_table(columns=present if len(present) == len(wanted) else None)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(paths, error) from None
        frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
        return frame
    if engine == "polars":
        try:
            import polars as pl
        except ImportError:
            raise EngineError('engine="polars" needs Polars: pip install "commlife[polars]".') from None
        plan = pl.scan_parquet(paths)
        try:
            plan.collect_schema()
        except pl.exceptions.PolarsError as error:
            raise _unreadable(paths, error) from None
        return plan
    if engine == "duckdb":
        try:
            import duckdb
        except ImportError:
            raise EngineError('engine="duckdb" needs DuckDB: pip install "commlife[duckdb]".') from None
        try:
            # The order of rows means nothing to a log; keeping it would hold whole files in memory.
            connection = duckdb.connect(config={"preserve_insertion_order": False})
            if memory_limit is not None:
                _limit(connection, memory_limit)
            return connection.read_parquet(paths)
        except duckdb.Error as error:
            raise _unreadable(paths, error) from None
    raise ConfigError.unknown_name("engine", engine, ("pandas", "polars", "duckdb"))


_SIZE = re.compile(r"[1-9][0-9]{0,5}(\.[0-9]{1,3})? ?(MB|GB|TB|MiB|GiB|TiB)")


def _limit(connection: Any, memory_limit: str) -> None:
    if not isinstance(memory_limit, str) or not _SIZE.fullmatch(memory_limit):
        raise ConfigError(f"memory_limit is a size such as '500MB' or '2GB'; seen {memory_limit!r:.40}.")
    connection.execute(f"SET memory_limit = '{memory_limit}'")


def read_csv(path: str | Path, columns: Mapping[str, Any]) -> Any:
    """A CSV file with pandas: the named columns, ids and codes as text."""
    import pandas as pd

    wanted = _wanted(columns)
    texts = {str(columns[name]): "str" for name in COLUMNS if name in columns and name not in _NUMBERS}
    file = _existing(path)
    try:
        present = list(pd.read_csv(file, nrows=0).columns)
        return pd.read_csv(
            file,
            usecols=[name for name in present if name in wanted] if set(wanted) <= set(present) else None,
            dtype={name: kind for name, kind in texts.items() if name in present},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        if "out of memory" in str(error):  # the file may be sound
            raise MemoryError(f"{file.name} does not fit into memory") from None
        raise ConfigError(f"{file.name} is not read as CSV: {error}. Save it as UTF-8 with a header line.") from None


_NUMBERS = {"amount", "quantity", "cost", "list_amount", "discount"}


def _wanted(columns: Mapping[str, Any]) -> list[str]:
    named = [columns[name] for name in COLUMNS if isinstance(columns.get(name), str)]
    return list(dict.fromkeys([*named, *columns.get("keep", ())]))


def _unreadable(paths: Sequence[str], error: Exception) -> ConfigError:
    return ConfigError(
        f"not read as Parquet: {', '.join(paths)[:300]} ({' '.join(str(error).split())[:300]}). Name Parquet files, or "
        "use OrderLog.from_csv."
    )


def _existing(path: str | Path) -> Path:
    if not isinstance(path, (str, Path)) or "\0" in str(path):
        raise ConfigError(f"a file is named by text or a pathlib.Path; seen {path!r:.60}.")
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no file {str(file)!r}. Name one that is there, by its whole path if in doubt.")
    return file
