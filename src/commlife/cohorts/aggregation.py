"""Aggregation: a measure of the host's own, from a column of the lines or from an expression over a user's period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import narwhals.stable.v2 as nw
import pandas as pd
from narwhals.exceptions import NarwhalsError

from commlife._model import Spec
from commlife.errors import ConfigError
from commlife.orders.money import major

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from commlife.orders import OrderLog

__all__ = ["Aggregation", "Own", "read_aggregation", "users_of_periods"]

Plan = nw.LazyFrame[Any]
How = Literal["sum", "mean", "min", "max", "distinct", "expression"]

#: Money by its name and the column that holds its minor units.
_MONEY = {"amount": "minor", "cost": "cost_minor", "list_amount": "list_minor", "discount": "discount_minor"}
#: Values that are no money are summed exactly, to six decimals.
_MICRO = 1_000_000
_TAKEN = ("users", "size", "value", "rate", "low", "high", "cohort", "age")
_RULE = (
    'a measure of your own is {name: (column, how)} with how among "sum", "mean", "min", "max", "distinct", or '
    "{name: function of a row's columns}"
)


class Aggregation(Spec):
    """A measure of the host's own, as plain data.

    Args:
        name: What it is called.
        column: The column of the lines, None for an expression.
        how: How lines become a number.
        is_share: Whether it counts users out of users: an expression that is true or false.
    """

    name: str
    column: str | None = None
    how: How = "sum"
    is_share: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Own:
    """A measure of the host's own, ready to be counted.

    Attributes:
        asked: The same as plain data.
        expression: Over the columns of a user's period; None where ``asked`` names a column.
        columns: The columns of the lines that it needs.
        unit: What a counted whole number is divided by.
    """

    asked: Aggregation
    expression: nw.Expr | None
    columns: tuple[str, ...]
    unit: int


class _Row(Mapping[str, nw.Expr]):
    """The columns of a user's period; which of them were asked for is remembered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> nw.Expr:
        if not isinstance(name, str):
            raise ConfigError(f"a row's columns are asked for by name, such as row['orders']; seen {name!r:.40}.")
        if name not in self.asked:
            self.asked.append(name)
        return nw.col(name)

    def __iter__(self) -> Iterator[str]:
        raise ConfigError(
            "a row's columns are asked for by name, such as row['orders']; they cannot be listed. Name them one by one."
        )

    def __len__(self) -> int:
        return len(self.asked)


def read_aggregation(measure: Mapping[Any, Any], log: OrderLog) -> Own:
    """Check a measure of the host's own.

    Raises:
        ConfigError: If it is no such mapping, its column is not in the log or holds no numbers, or its function gives
            no expression.
    """
    if len(measure) != 1:
        raise ConfigError(f"{_RULE}; seen {len(measure)} of them. Ask for one table each.")
    name, how = next(iter(measure.items()))
    if not isinstance(name, str) or not name or name in _TAKEN:
        raise ConfigError(f"{_RULE}; the name is a text other than {', '.join(_TAKEN)}; seen {name!r:.40}.")
    if callable(how):
        return _of_function(name, how, log)
    if not isinstance(how, (tuple, list)) or len(how) != 2 or not all(isinstance(part, str) for part in how):
        raise ConfigError(f"{_RULE}; seen {how!r:.60}.")
    column, by = how
    if by not in get_args(How)[:-1]:
        raise ConfigError.unknown_name(f"measure {name!r}: how", by, get_args(How)[:-1])
    numeric = _check_column(column, name, log, any_type=by == "distinct")
    unit = 1 if by == "distinct" else log.scale if column in _MONEY else 1 if numeric == "whole" else _MICRO
    return Own(Aggregation(name=name, column=column, how=by), None, (column,), unit)


def _of_function(name: str, function: Callable[[Mapping[str, nw.Expr]], Any], log: OrderLog) -> Own:
    row = _Row()
    found = function(row)
    if not isinstance(found, nw.Expr):
        raise ConfigError(
            f"measure {name!r}: the function gets a row's columns and returns an expression of them, such as "
            f"lambda row: row['amount'] / row['orders'] > 50; it returned {type(found).__name__}."
            " Return an expression."
        )
    columns = tuple(column for column in row.asked if column not in ("orders", "lines"))
    for column in columns:
        _check_column(column, name, log)
    # What it makes of no rows at all tells its type, on no engine in particular.
    nothing = nw.from_native(pd.DataFrame({column: pd.Series(dtype="float64") for column in row.asked}))
    try:
        kind = nothing.select(found.alias("own")).schema["own"]
    except (NarwhalsError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"measure {name!r}: the expression cannot be computed ({type(error).__name__}: {error!s:.120})."
            " Use arithmetic and comparisons of the row's columns."
        ) from error
    if kind != nw.Boolean and not kind.is_numeric():
        raise ConfigError(
            f"measure {name!r}: the expression is true or false, or a number; it gives {kind}. Compare or convert it."
        )
    is_share = kind == nw.Boolean
    asked = Aggregation(name=name, how="expression", is_share=is_share)
    return Own(asked, found, columns, 1 if is_share else _MICRO)


def _check_column(column: str, name: str, log: OrderLog, *, any_type: bool = False) -> str:
    """``"whole"``, ``"float"``, or ``"text"`` where that is allowed."""
    known = [*(each for each in log.columns if each not in ("user_id", "order_id", "ordered_at")), *log.keep]
    if column not in known:
        raise ConfigError.unknown_name(
            f"measure {name!r}: the column", column, [*known, *(() if any_type else ("orders", "lines"))]
        )
    if column in _MONEY:
        return "whole"
    kind = log._frame.collect_schema()[column]
    if not kind.is_numeric() and not any_type:
        raise ConfigError(f"measure {name!r}: the column {column!r} holds numbers; it holds {kind}. Name another.")
    return "whole" if kind.is_integer() else "float" if kind.is_numeric() else "text"


def users_of_periods(own: Own, log: OrderLog, as_of: int, dated: Plan) -> Plan:
    """One row a user and period with an order that counts: user_id, index, ``own`` in whole units, ``had`` (lines).

    Args:
        own: The measure.
        log: The log.
        as_of: Day number before whose midnight lines count.
        dated: The orders that count, with ``index``.
    """
    lines = _lines_of(own, log, as_of, dated)
    keys = ("user_id", "index")
    how = own.asked.how
    if own.expression is not None:
        return _expressed(own, own.expression, log, dated, lines)
    (column,) = own.columns
    # What is no number (nan is null on some engines and a value on others) is not there.
    is_float = how != "distinct" and column not in _MONEY and own.unit != 1
    known = lines.filter(~nw.col(column).is_null())
    known = known.filter(nw.col(column).is_finite()) if is_float else known
    if how == "distinct":
        different = known.select(*keys, column).unique()
        return different.group_by(*keys).agg(nw.len().alias("own")).with_columns(nw.col("own").cast(nw.Int64))
    whole = known.with_columns(_whole(column, own.unit).alias("own"))
    if how == "sum":
        summed = whole.group_by(*keys).agg(nw.col("own").sum())
    elif how == "mean":
        summed = whole.group_by(*keys).agg(nw.col("own").sum(), nw.len().alias("had"))
        return summed.with_columns(nw.col("own", "had").cast(nw.Int64))
    else:
        summed = whole.group_by(*keys).agg(nw.col("own").min() if how == "min" else nw.col("own").max())
    return summed.with_columns(nw.col("own").cast(nw.Int64))


def _lines_of(own: Own, log: OrderLog, as_of: int, dated: Plan) -> Plan:
    """The lines of the orders that count, with the period of their order; without order_id each line is an order."""
    wanted = [_MONEY.get(column, column) for column in own.columns]
    if not log.has("order_id"):
        lines = log._lines(as_of, *dict.fromkeys(["user_id", "day", "minor", *wanted])).filter(nw.col("minor") >= 0)
        days = dated.select("day", "index").unique()
        lines = lines.join(days, on="day", how="inner")
    else:
        keys = ["user_id", "order_id"]
        lines = log._lines(as_of, *dict.fromkeys([*keys, *wanted]))
        lines = lines.join(dated.select(*keys, "index"), on=keys, how="inner")
    named = [nw.col(_MONEY.get(column, column)).alias(column) for column in own.columns]
    return lines.select("user_id", "index", *named)


def _whole(column: str, unit: int) -> nw.Expr:
    """A column as whole numbers of its unit: money is minor already."""
    if column in _MONEY or unit == 1:
        return nw.col(column).cast(nw.Int64)
    return (nw.col(column).cast(nw.Float64) * unit).round(0).cast(nw.Int64)


def _expressed(own: Own, value: nw.Expr, log: OrderLog, dated: Plan, lines: Plan) -> Plan:
    """The expression over each user's period: orders, lines, net of the orders, and sums of the columns asked for."""
    keys = ["user_id", "index"]
    rows = dated.group_by(*keys).agg(nw.len().alias("orders"))
    sums = []
    for column in own.columns:
        known = nw.col(column).fill_null(0)
        if column not in _MONEY:
            number = known.cast(nw.Float64)
            known = (nw.when(number.is_finite()).then(number).otherwise(nw.lit(0.0)) * _MICRO).round(0)
        sums.append(known.cast(nw.Int64).alias(column))
    counted = lines.with_columns(*sums) if sums else lines
    counted = counted.group_by(*keys).agg(nw.len().alias("lines"), *(nw.col(column).sum() for column in own.columns))
    shown = [
        major(nw.col(column).cast(nw.Int64), log.scale if column in _MONEY else _MICRO).alias(column)
        for column in own.columns
    ]
    rows = rows.join(counted, on=keys, how="left").with_columns(nw.col("orders", "lines").cast(nw.Float64), *shown)
    if not own.asked.is_share:
        number = value.cast(nw.Float64)
        # A ratio without a denominator is no number, and counts as nothing.
        value = (nw.when(number.is_finite()).then(number).otherwise(nw.lit(0.0)) * _MICRO).round(0)
    return rows.with_columns(value.cast(nw.Int64).fill_null(0).alias("own")).select(*keys, "own")
