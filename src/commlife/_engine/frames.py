"""Frames in and out: which kinds are taken, how a plan is settled, how a small result is collected."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import spark
from commlife.errors import ConfigError, EngineError

__all__ = [
    "EAGER",
    "KINDS",
    "bounded",
    "collect",
    "collect_rows",
    "count_rows",
    "frame_like",
    "from_host",
    "hold_lines",
    "is_eager",
    "is_sorted",
    "lazy_like",
    "moved_to",
    "numbered",
    "only_row",
    "pandas_types",
    "rows_before",
    "scope",
    "settle",
    "told_as_ours",
]

#: The kinds of frame that commlife takes, and what each is called in messages.
KINDS = {
    nw.Implementation.PANDAS: "pandas",
    nw.Implementation.POLARS: "Polars",
    nw.Implementation.PYARROW: "PyArrow",
    nw.Implementation.DUCKDB: "DuckDB",
    nw.Implementation.DASK: "Dask",
    nw.Implementation.PYSPARK: "PySpark",
}
#: Kinds whose frames hold their rows in this process, in an order.
EAGER = {nw.Implementation.PANDAS, nw.Implementation.POLARS, nw.Implementation.PYARROW}
#: Those of them that are never a plan: their rows are in memory already.
_AT_HAND = {nw.Implementation.PANDAS, nw.Implementation.PYARROW}


def from_host(frame: Any) -> nw.LazyFrame[Any]:
    """Wrap a host's frame; an EngineError names the kinds that are taken."""
    try:
        wrapped = nw.from_native(frame)
    except TypeError:
        raise EngineError(
            f"commlife takes frames of {', '.join(KINDS.values())}; seen {type(frame).__module__}."
            f"{type(frame).__qualname__}. Build a frame first, for example pandas.DataFrame(rows)."
        ) from None
    except nw.exceptions.DuplicateError as error:
        raise EngineError(f"the frame has a column name twice: {' '.join(str(error).split())}. Rename one.") from None
    if wrapped.implementation not in KINDS:
        raise EngineError(
            f"commlife takes frames of {', '.join(KINDS.values())}; frames of {wrapped.implementation} are not tested. "
            "Convert to one of these first."
        )
    return wrapped.lazy()


@contextlib.contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Turn what an engine raises while it reads a host's frame into an EngineError that says what to do."""
    try:
        yield
    except _errors_of_engines() as error:
        raise EngineError(
            f"{what}: {type(error).__module__.partition('.')[0].strip('_')} could not read the frame "
            f"({type(error).__name__}). Give each column one plain type (text, number, timestamp), or convert the "
            "frame to pandas first: its faults are then told one by one."
        ) from error


def _errors_of_engines() -> tuple[type[Exception], ...]:
    """The errors of the engines that are loaded: no other one can have made a frame."""
    homes = {
        "duckdb": "Error",
        "polars.exceptions": "PolarsError",
        "pyarrow": "ArrowException",
        "pyspark.errors": "PySparkException",
    }
    return tuple(getattr(sys.modules[home], name) for home, name in homes.items() if home in sys.modules)


#: Engines that may work for a pandas host, and what installs each.
HELPERS = ("polars", "duckdb")


def pandas_types(frame: nw.LazyFrame[Any], engine: str) -> dict[str, Any] | None:
    """The types of a pandas frame's columns, for results to come back in; None where pandas itself is to work.

    Raises:
        ConfigError: If the engine is unknown.
        EngineError: If the frame is not pandas: other kinds are their own engine.
    """
    if engine not in ("pandas", *HELPERS):
        raise ConfigError.unknown_name("engine", engine, ("pandas", *HELPERS))
    if frame.implementation is not nw.Implementation.PANDAS:
        raise EngineError(
            f"engine={engine!r} runs a pandas frame on another engine; a {KINDS[frame.implementation]} frame is its "
            "own. Leave engine out, or give a pandas frame."
        )
    return None if engine == "pandas" else dict(nw.to_native(frame).dtypes)


def moved_to(frame: nw.LazyFrame[Any], engine: str) -> nw.LazyFrame[Any]:
    """A pandas frame's rows as a plan of ``engine``, which reads the same memory where it can."""
    native = nw.to_native(frame)
    try:
        if engine == "polars":
            import polars as pl

            return nw.from_native(pl.from_pandas(native).lazy())
        import duckdb

        return nw.from_native(duckdb.connect().from_df(native))
    except ImportError as error:
        wanted = "pyarrow" if "pyarrow" in str(error).lower() else engine
        raise EngineError(f'engine={engine!r} needs {wanted}: pip install "commlife[{engine},parquet]".') from None


def is_eager(frame: nw.LazyFrame[Any] | nw.DataFrame[Any]) -> bool:
    """Whether the rows are at hand in this process (a Polars plan counts: its rows come by one collect)."""
    return frame.implementation in EAGER


def is_sorted(frame: nw.LazyFrame[Any], column: str) -> bool:
    """Whether the rows of a pandas frame ascend in ``column``; False where rows have no order to rely on."""
    if frame.implementation is not nw.Implementation.PANDAS:
        return False
    return bool(nw.to_native(frame)[column].is_monotonic_increasing)


def numbered(frame: nw.LazyFrame[Any], into: str) -> nw.LazyFrame[Any]:
    """The rows of a frame that is eager, or a Polars plan, with their places from 0: a plan stays one."""
    if frame.implementation is nw.Implementation.POLARS:
        return nw.from_native(nw.to_native(frame).with_row_index(into))
    return frame.collect().with_row_index(into).lazy()


def rows_before(frame: nw.LazyFrame[Any], column: str, value: int, *, is_sorted: bool) -> nw.LazyFrame[Any]:
    """Rows with ``column`` below ``value``: a slice without a copy where the rows are sorted, a filter elsewhere."""
    if is_sorted:
        native = nw.to_native(frame)
        return nw.from_native(native.iloc[: int(native[column].searchsorted(value))]).lazy()
    return frame.filter(nw.col(column) < value)


#: A DuckDB plan over more lines than this is not held in this process but by the engine, which goes to disk when its
#: memory is full; where nothing says until when it is wanted, it is computed again where it is used again.
MOST_ROWS_HELD = 20_000_000
_scopes: contextvars.ContextVar[list[tuple[Any, str]] | None] = contextvars.ContextVar("commlife_scopes", default=None)


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """Within it large plans that are settled with ``for_now`` lie in tables of the engine, dropped at its end."""
    held: list[tuple[Any, str]] = []
    token = _scopes.set(held)
    try:
        yield
    finally:
        _scopes.reset(token)
        # The later ones were made from the earlier.
        for relation, name in reversed(held):
            relation.query("_none", f'DROP TABLE IF EXISTS "{name}"')


def settle(frame: nw.LazyFrame[Any], *, rows: int = 0, for_now: bool = False) -> nw.LazyFrame[Any]:
    """Compute a plan once, so that what is built on it twice is not computed twice.

    Args:
        frame: The plan.
        rows: Lines of the log behind a plan that has almost as many rows itself; 0 for one of a row a user or less.
        for_now: Whether nothing that is built on it outlives the :func:`scope` around the call.
    """
    kind = frame.implementation
    native = nw.to_native(frame)
    if rows > MOST_ROWS_HELD and kind is nw.Implementation.DUCKDB:
        held = _scopes.get() if for_now else None
        return frame if held is None else _table_of_engine(native, held)
    if kind is nw.Implementation.POLARS:
        return frame.collect().lazy()
    if kind is nw.Implementation.DUCKDB:
        return nw.from_native(native.materialize())
    if kind is nw.Implementation.DASK:
        # Dask fuses steps one pair after the other, and each time names the whole plan anew: of a plan of some hundred
        # steps that took ten times as long as all else (71 and 4 CPU seconds for the facts of a silence model).
        return nw.from_native(native.persist(fuse=False))
    if kind is nw.Implementation.PYSPARK:
        return spark.held(frame)
    return frame


def hold_lines(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The lines of a log, which every call begins with: Spark keeps them (in memory, then on disk) once they are read.

    Other engines read them again, column by column, at little cost; they would hold them in this process.
    """
    return settle(frame) if frame.implementation is nw.Implementation.PYSPARK else frame


def _table_of_engine(native: Any, held: list[tuple[Any, str]]) -> nw.LazyFrame[Any]:
    """The rows of a relation as a temporary table of its own connection."""
    name = f"_commlife_{uuid.uuid4().hex}"
    native.query("_plan", f'CREATE TEMPORARY TABLE "{name}" AS SELECT * FROM _plan')  # noqa: S608  (our own name)
    held.append((native, name))
    return nw.from_native(native.query("_none", f'SELECT * FROM "{name}"'))  # noqa: S608


def count_rows(frame: nw.LazyFrame[Any]) -> int:
    """Number of rows of a plan."""
    return int(_run(frame.select(nw.len())).item())


def _run(frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    # Dask would fuse the steps of the plan before it computes it: see settle.
    return (settle(frame) if frame.implementation is nw.Implementation.DASK else frame).collect()


def only_row(frame: nw.LazyFrame[Any]) -> dict[str, Any]:
    """The row of a plan that has one, such as of sums over everything; Python's own values by name."""
    row = _run(frame)
    return {name: row[name].to_list()[0] for name in row.columns}


#: A table of more rows than this is none that a lazy engine should give up in silence.
MOST_SMALL = 1_000_000


def collect(frame: nw.LazyFrame[Any] | nw.DataFrame[Any]) -> pd.DataFrame:
    """A small result as pandas: whole numbers as int64, text as pandas' own text, the same from each engine.

    For tables that are small by construction (a row a period, a cohort, an item); whatever grows with users or orders
    goes through :func:`collect_rows`. ``tests/house/test_collects.py`` keeps the list of who calls it, and why.
    """
    table = _as_pandas(frame)
    kind = frame.implementation
    if len(table) > MOST_SMALL and isinstance(frame, nw.LazyFrame) and kind not in _AT_HAND:
        _log.warning("a table of %d rows of %s was brought into this process", len(table), KINDS.get(kind, str(kind)))
    return table


def _as_pandas(frame: nw.LazyFrame[Any] | nw.DataFrame[Any]) -> pd.DataFrame:
    schema = frame.collect_schema()
    casts = [nw.col(name).cast(nw.Int64) for name, dtype in schema.items() if dtype.is_integer() and dtype != nw.Int64]
    casts += [nw.col(name).cast(nw.Float64) for name, dtype in schema.items() if isinstance(dtype, nw.Decimal)]
    if casts:
        frame = frame.with_columns(*casts)
    eager = _run(frame) if isinstance(frame, nw.LazyFrame) else frame
    if eager.implementation is nw.Implementation.PANDAS:
        there: pd.DataFrame = nw.to_native(eager).reset_index(drop=True)
        return there
    # Through NumPy and not Arrow: it asks for no further package and lands on pandas' own dtypes.
    return pd.DataFrame({name: _writable(eager[name].to_numpy()) for name in eager.columns})


#: Most rows that a call brings from a lazy engine into this process: some ten gigabytes of ids and times.
MOST_COLLECTED = 200_000_000
_log = logging.getLogger("commlife")


def collect_rows(
    frame: nw.LazyFrame[Any], *, call: str, way_out: str = "Ask for it by parts of the users."
) -> pd.DataFrame:
    """A table that is not small, where an engine cannot finish a step itself: told in the log of the process, bounded.

    Raises:
        EngineError: If a lazy engine holds more rows than a process should take.
    """
    return _as_pandas(bounded(frame, call=call, way_out=way_out))


def bounded(
    frame: nw.LazyFrame[Any] | nw.DataFrame[Any], *, call: str, way_out: str = "Ask for it by parts of the users."
) -> nw.LazyFrame[Any]:
    """The same plan, before it is brought into this process: its rows are counted, told, and refused if too many.

    Frames whose rows are here already (pandas, PyArrow, any eager one) are not counted. A Polars plan is computed in
    this process in any case, and refused before its rows are made into another kind of table. (Asked for the first of
    its rows alone, groups of few rows end the process on Polars 1.20.)

    Raises:
        EngineError: If a lazy engine holds more rows than a process should take.
    """
    kind = frame.implementation
    if isinstance(frame, nw.DataFrame) or kind in _AT_HAND:
        return frame.lazy()
    frame = settle(frame)
    rows, name = count_rows(frame), KINDS.get(kind, str(kind))
    if rows > MOST_COLLECTED:
        raise EngineError(
            f"{call} is finished in this process, and would bring {rows:,} rows of {name} here; at most "
            f"{MOST_COLLECTED:,} are taken. {way_out}"
        )
    _log.info("%s brings %d rows of %s into this process", call, rows, name)
    return frame


def _writable(values: Any) -> Any:
    """A view of another engine's memory is read-only: what is handed out is the caller's own."""
    return values if values.flags.writeable else values.copy()


def frame_like(table: pd.DataFrame, kind: nw.Implementation) -> Any:
    """A result made in NumPy, as the eager kind of frame that the host works with.

    Lazy kinds (DuckDB, Dask, Spark) get pandas: the rows are in this process already.
    """
    if kind in {nw.Implementation.POLARS, nw.Implementation.PYARROW}:
        columns = {name: _plain(table[name]) for name in table.columns}
        return nw.to_native(nw.from_dict(columns, backend=kind))
    return table


def lazy_like(table: pd.DataFrame, frame: nw.LazyFrame[Any], *, types: Mapping[str, str]) -> nw.LazyFrame[Any]:
    """A small table made in this process, as a plan that can be joined with ``frame``.

    Args:
        table: The rows.
        frame: The plan whose engine they should join.
        types: For columns of ``table`` the column of ``frame`` whose exact type they must have.
    """
    kind = frame.implementation
    if kind is nw.Implementation.DUCKDB:
        # The relation's own connection must read it: DuckDB finds it by the name of this variable.
        small = table  # noqa: F841  (the query reads it by its name)
        made = nw.from_native(nw.to_native(frame).query("_frame", "SELECT * FROM small").materialize())
    elif kind is nw.Implementation.DASK:
        import dask.dataframe as dd

        made = nw.from_native(dd.from_pandas(table, npartitions=1))  # type: ignore[no-untyped-call]
    elif kind is nw.Implementation.PYSPARK:
        made = spark.table_beside(table, frame)
    else:
        made = nw.from_native(frame_like(table, kind)).lazy()
    if kind is nw.Implementation.PYARROW:
        # PyArrow knows two kinds of text and joins only equal ones.
        import pyarrow as pa

        given, there = nw.to_native(made), nw.to_native(frame).schema
        fields = [
            pa.field(name, there.field(types[name]).type if name in types else given.schema.field(name).type)
            for name in given.column_names
        ]
        return nw.from_native(given.cast(pa.schema(fields))).lazy()
    schema = frame.collect_schema()
    return made.with_columns(*(nw.col(name).cast(schema[like]) for name, like in types.items()))


def _plain(column: pd.Series[Any]) -> Any:
    """Values that other frames read without pandas' own missing markers."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_extension_array_dtype(column.dtype):
        return column.to_numpy()
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return column.to_numpy().astype("datetime64[us]").astype(object).tolist()
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)]
