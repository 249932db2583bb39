"""Purchase histories (x, t_x, T) as arrays: read from a summary or a log, checked whole, equal ones counted once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.exceptions import DuplicateError

from commlife._engine import bounded
from commlife.errors import ConfigError, InsufficientDataError, SchemaError
from commlife.orders.calendar import Timestamp, day_number, day_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Histories", "Index", "Summary", "read_summary"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Index = np.ndarray[Any, np.dtype[np.intp]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_COLUMNS = ("user_id", "x", "t_x", "T", "m_x")
#: More repeat purchase days than this are a counter, not a history.
_LARGEST_X = 1_000_000
#: No life of a customer is longer (about 270 years in days).
_LONGEST_T = 99_999.0


@dataclass(frozen=True)
class Summary:
    """A checked purchase summary.

    Attributes:
        frame: The summary in its own kind of frame, wrapped.
        as_of: The day it was taken at, where that is known.
        x: Repeat purchase days of each user.
        t_x: Days from the first to the last purchase day.
        T: Days from the first purchase day to the last observed day.
        m_x: Mean spend of the repeat days, NaN where x = 0; None where it was not asked for.
        existing: Users whose life began before the log shows it; None where nothing tells.
    """

    frame: nw.DataFrame[Any]
    as_of: str | None
    x: Array
    t_x: Array
    T: Array
    m_x: Array | None = None
    existing: Flags | None = None

    def __len__(self) -> int:
        return int(self.x.size)

    def only(self, rows: Flags) -> Summary:
        """Some of the users."""
        m_x = None if self.m_x is None else self.m_x[rows]
        kept = self.frame.filter(rows.tolist())
        return Summary(kept, self.as_of, self.x[rows], self.t_x[rows], self.T[rows], m_x)

    def give(self, *, extra: Iterable[str] = (), **columns: Array) -> Any:
        """A frame of the summary's own kind: user_id and the columns, NaN as null, rows in the summary's order."""
        backend = self.frame.implementation
        added = [nw.new_series(name, values, backend=backend) for name, values in columns.items()]
        given = self.frame.select("user_id", *extra).with_columns(*added)
        holes = [name for name, values in columns.items() if values.dtype.kind == "f" and np.isnan(values).any()]
        if holes and not backend.is_pandas():
            given = given.with_columns(
                nw.when(~nw.col(name).is_nan()).then(nw.col(name)).otherwise(None).alias(name) for name in holes
            )
        return nw.to_native(given)


def read_summary(
    data: Any,
    *,
    as_of: Timestamp | None = None,
    ids: bool = True,
    spend: bool = False,
    extra: Sequence[str] = (),
    what: str = "a value model",
) -> Summary:
    """Read a purchase summary, or take it from a log, and check every row.

    Args:
        data: An OrderLog, or a pandas, Polars or PyArrow frame with ``user_id, x, t_x, T`` in days (and ``m_x``).
        as_of: Local business day; required with a log.
        ids: Whether the column ``user_id`` is needed.
        spend: Whether ``m_x`` is needed.
        extra: Further columns that are needed; from a log, the users' own attributes.
        what: Who asks, for messages.

    Raises:
        ConfigError: If ``data`` is neither a log nor a frame, or a log comes without ``as_of``.
        SchemaError: If columns are missing or hold impossible values; ``.faults`` lists all of them.
        InsufficientDataError: If there is no row.
    """
    frame = _as_frame(data, as_of, extra, what)
    wanted = [name for name in _COLUMNS if (ids or name != "user_id") and (spend or name != "m_x")]
    schema = frame.schema
    faults = [_column_fault(frame, schema, name) for name in wanted]
    faults += [_missing(frame, name) for name in extra if name not in schema]
    _raise_faults([fault for fault in faults if fault is not None], len(frame))
    if len(frame) == 0:
        raise InsufficientDataError(
            f"{what} needs at least one user; the summary has no row. Check the filter that made it."
        )
    numbers = {name: _numbers(frame, schema, name) for name in wanted if name != "user_id"}
    if not _plainly_sound(numbers) or (ids and bool(frame["user_id"].is_null().any())):
        _raise_faults(_row_faults(numbers, frame), len(frame))
    moment = None if as_of is None else day_text(day_number(as_of))
    existing = None
    if "existing" in schema and schema["existing"] == nw.Boolean:
        existing = np.asarray(frame["existing"].to_numpy(), dtype=bool)
    return Summary(frame, moment, numbers["x"], numbers["t_x"], numbers["T"], numbers.get("m_x"), existing)


def _as_frame(data: Any, as_of: Timestamp | None, extra: Sequence[str], what: str) -> nw.DataFrame[Any]:
    from commlife.orders import OrderLog

    if isinstance(data, OrderLog):
        if as_of is None:
            raise ConfigError(f"{what} takes as_of with a log: the local day before which orders count. Give the day.")
        from commlife.features import purchase_summary

        data = purchase_summary(data, as_of=as_of, attributes=tuple(extra))
    try:
        frame = nw.from_native(data)
    except DuplicateError as error:
        raise ConfigError(
            f"{what}: the summary has two columns of one name. {str(error).rstrip('.')}. Rename one."
        ) from None
    except TypeError:
        frame = None
    if isinstance(frame, nw.LazyFrame):
        frame = bounded(frame, call=what).collect()
    if not isinstance(frame, nw.DataFrame):
        raise ConfigError(
            f"{what} takes an OrderLog or a purchase summary as a frame with user_id, x, t_x, T (pandas, Polars, "
            f"PyArrow); seen {type(data).__name__}."
        )
    if frame.implementation.is_pandas():
        return nw.from_native(nw.to_native(frame).reset_index(drop=True))
    return frame


_Fault = dict[str, Any]


def _missing(frame: nw.DataFrame[Any], name: str) -> _Fault:
    close = difflib.get_close_matches(name, [str(column) for column in frame.columns], n=1)
    if close:
        fix = f"Did you mean the column {close[0]!r}?"
    elif name in _COLUMNS:
        fix = "commlife.purchase_summary(log, as_of=...) makes it."
    else:
        fix = "Join it to the purchase summary by user_id."
    return _fault("missing_column", name, len(frame), None, fix)


def _column_fault(frame: nw.DataFrame[Any], schema: Mapping[str, Any], name: str) -> _Fault | None:
    if name not in schema:
        return _missing(frame, name)
    dtype = schema[name]
    if name == "user_id" or dtype.is_numeric() or len(frame) == 0:
        return None
    if name == "m_x" and (dtype == nw.Unknown or bool(frame[name].is_null().all())):
        return None  # nobody has bought again, so there is no type to see
    return _fault("not_a_number", name, len(frame), str(dtype), "Convert the column to a number first.")


def _numbers(frame: nw.DataFrame[Any], schema: Mapping[str, Any], name: str) -> Array:
    if not schema[name].is_numeric():
        return np.full(len(frame), np.nan)
    values = frame[name].to_numpy()
    if values.dtype.kind not in "iuf":  # nullable columns may come as objects
        values = frame[name].cast(nw.Float64).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _plainly_sound(numbers: dict[str, Array]) -> bool:
    """Whether all rows keep all rules at once: then no fault needs to be looked for."""
    x, t_x, T = numbers["x"], numbers["t_x"], numbers["T"]
    with np.errstate(invalid="ignore"):
        sound = (t_x >= 0) & (t_x <= T) & (x <= _LARGEST_X) & ((x > 0) == (t_x > 0)) & (x == np.floor(x))
        if not (sound.all() and x.min() >= 0 and T.max() <= _LONGEST_T):
            return False
        return "m_x" not in numbers or bool((np.isfinite(numbers["m_x"]) | (x == 0)).all())


def _row_faults(numbers: dict[str, Array], frame: nw.DataFrame[Any]) -> list[_Fault]:
    x, t_x, T = numbers["x"], numbers["t_x"], numbers["T"]
    finite = np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T)
    with np.errstate(invalid="ignore"):
        rules = [
            ("not_finite", name, ~np.isfinite(numbers[name]), "Every user needs a finite x, t_x and T.")
            for name in ("x", "t_x", "T")
        ]
        rules += [
            ("not_a_count", "x", finite & ((x < 0) | (x > _LARGEST_X) | (x != np.floor(x))), "x counts repeat days."),
            ("out_of_range", "T", finite & ((T < 0) | (T > _LONGEST_T)), "T is in days, from 0 to 99999."),
            ("out_of_range", "t_x", finite & ((t_x < 0) | (t_x > T)), "t_x is in days, from 0 to T."),
            ("contradiction", "t_x", finite & (x == 0) & (t_x > 0), "t_x is 0 where x = 0: the last day is the first."),
            (
                "contradiction",
                "t_x",
                finite & (x > 0) & (t_x == 0),
                "Merge purchases of one moment: a repeat is later.",
            ),
        ]
        if "m_x" in numbers:
            m = numbers["m_x"]
            rules.append(("not_finite", "m_x", finite & (x > 0) & ~np.isfinite(m), "m_x is null only where x = 0."))
    if "user_id" in frame.columns:
        missing = np.asarray(frame["user_id"].is_null().to_numpy(), dtype=bool)
        rules.append(("null_user_id", "user_id", missing, "A history belongs to somebody: fill the id in."))
    return [
        _fault(name, column, int(bad.sum()), _example(numbers, column, int(np.argmax(bad))), fix)
        for name, column, bad, fix in rules
        if bad.any()
    ]


def _example(numbers: dict[str, Array], column: str, row: int) -> str:
    if column not in numbers:
        return f"row {row}"
    shown = ", ".join(f"{name}={values[row]:g}" for name, values in numbers.items())
    return f"row {row}: {shown}"


def _fault(name: str, column: str, rows: int, example: str | None, fix: str) -> _Fault:
    return {"fault": name, "column": column, "rows": rows, "policy": "raise", "example": example, "fix": fix}


def _raise_faults(faults: list[_Fault], rows: int) -> None:
    if not faults:
        return
    lines = [
        f"  {fault['column']}  {fault['fault']}  {fault['rows']:,} rows"
        + (f", first {fault['example']}" if fault["example"] else "")
        + f". {fault['fix']}"
        for fault in faults
    ]
    head = (
        f"{len(faults)} fault{'' if len(faults) == 1 else 's'} in a purchase summary of {rows:,} rows "
        "(all of them in .faults)."
    )
    raise SchemaError("\n".join([head, *lines]), pd.DataFrame(faults))


class Histories:
    """Histories in units of time, equal ones counted once, with the tables that likelihoods are made of.

    The likelihood of a history is a sum of two paths: one depends on ``(x, T)`` alone (still here), the other on
    ``(x, t_x)`` alone (gone since), both on the stratum. There are far fewer of such pairs than of users, so
    special functions are computed for pairs and looked up for histories.

    Args:
        x: Repeat purchase days, whole numbers.
        t_x: Days from the first to the last purchase day.
        T: Days from the first purchase day to the last observed day.
        stratum: Which users share their parameters, as numbers from 0; None if all do.
    """

    def __init__(self, x: Array, t_x: Array, T: Array, stratum: Index | None = None) -> None:
        x_values, x_code = _coded(x)
        t_values, t_code = _coded(t_x)
        T_values, T_code = _coded(T)
        #: Number of strata; users of one stratum share their parameters.
        self.strata: int = 1 if stratum is None else int(stratum.max()) + 1
        if stratum is not None:
            x_code = x_code * self.strata + stratum
        here, here_of_user = _distinct(x_code * T_values.size + T_code)
        gone, gone_of_user = _distinct(x_code * t_values.size + t_code)
        both, of_user = _distinct(here_of_user * gone.size + gone_of_user)
        #: Distinct histories: how many users have each, and which one each user has.
        self.counts: Array = np.bincount(of_user, minlength=both.size).astype(np.float64)
        self.of_user: Index = of_user
        #: Pairs (x, T) and the pair of each history.
        self.here_x: Array = x_values[here // (T_values.size * self.strata)]
        self.here_stratum: Index = here // T_values.size % self.strata
        self.here_T: Array = T_values[here % T_values.size]
        self.here: Index = both // gone.size
        #: Pairs (x, t_x) and the pair of each history.
        self.gone_x: Array = x_values[gone // (t_values.size * self.strata)]
        self.gone_stratum: Index = gone // t_values.size % self.strata
        self.gone_t: Array = t_values[gone % t_values.size]
        self.gone: Index = both % gone.size
        self.x: Array = self.here_x[self.here]

    @classmethod
    def of(cls, summary: Summary, stratum: Index | None = None) -> Histories:
        """The histories of a checked summary, in days."""
        return cls(summary.x, summary.t_x, summary.T, stratum)

    @cached_property
    def users(self) -> float:
        """Number of users."""
        return float(self.counts.sum())

    @cached_property
    def purchases(self) -> float:
        """Number of repeat purchase days of all users."""
        return float(self.counts @ self.x)

    @cached_property
    def mean_T(self) -> float:
        """Mean length of observation, in days."""
        return float(self.counts @ self.here_T[self.here]) / self.users

    def without_strata(self) -> Histories:
        """The same users as one stratum."""
        x, t_x, T = self.x, self.gone_t[self.gone], self.here_T[self.here]
        other = Histories(x, t_x, T)
        other.counts = np.bincount(other.of_user, self.counts).astype(np.float64)
        return other

    def weighted(self, counts: Array) -> Histories:
        """The same histories with other numbers of users, for resampling."""
        other = object.__new__(Histories)
        other.__dict__.update(self.__dict__)
        for name in ("users", "purchases", "mean_T"):
            other.__dict__.pop(name, None)  # of the other counts
        other.counts = counts
        return other


def _coded(values: Array) -> tuple[Array, Index]:
    """Sorted distinct values and the position of each row's value among them."""
    if values.max() <= _LARGEST_X and np.array_equal(values, np.floor(values)):
        seen, code = _distinct(values.astype(np.intp))
        return seen.astype(np.float64), code
    distinct, code = np.unique(values, return_inverse=True)
    return distinct, code.astype(np.intp)


def _distinct(keys: Index) -> tuple[Index, Index]:
    """Sorted distinct keys and the position of each row's key: by a table where it is small, else by sorting."""
    top = int(keys.max()) + 1
    if top > 8 * keys.size + 65_536:
        distinct, code = np.unique(keys, return_inverse=True)
        return distinct, code.astype(np.intp)
    present = np.zeros(top, dtype=bool)
    present[keys] = True
    seen = np.flatnonzero(present)
    place = np.empty(top, dtype=np.intp)
    place[seen] = np.arange(seen.size)
    return seen, place[keys]
