"""The boundary: a host's columns under canonical names, every fault found in one pass, rows kept or set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._engine import MICROSECONDS_A_DAY
from commlife._engine.columns import plain_columns
from commlife._engine.times import NOT_A_TIME
from commlife._masks import mask, mask_numbers
from commlife.orders import money
from commlife.orders.calendar import LAST_DAY
from commlife.orders.faults import FAULTS, FoundFault, Policies, did_you_mean, schema_error

__all__ = ["COLUMNS", "MICROSECONDS_A_DAY", "Kept", "read"]

#: The canonical columns, in the order in which they are shown.
COLUMNS = (
    "user_id", "order_id", "ordered_at", "amount", "quantity", "cost", "list_amount", "discount", "item_id", "category",
    "community", "channel", "coupon_id", "address_id", "status", "first_ordered_at",
)  # fmt: skip
IDS = ("user_id", "order_id")
TIMES = ("ordered_at", "first_ordered_at")
MONEY = {"amount": "minor", "cost": "cost_minor", "list_amount": "list_minor", "discount": "discount_minor"}
PERSONAL = {"user_id", "address_id", "order_id"}
STATUSES = ("placed", "paid", "cancelled")


@dataclass(frozen=True)
class Kept:
    """What the boundary made of the host's frame.

    Attributes:
        lines: The rows kept: canonical columns as given, plus us, day, minor and its like.
        set_aside: The rows not kept, as given, with ``reason``; None where there are none.
        found: Every fault that was found.
        rows: Number of rows given.
        summary: Rows, first and last day of the rows kept, where the pass that looked for faults saw them all.
        refunds: Whether a line may be negative.
        is_plain: Whether the lines are the host's own with times and amounts as numbers: cheap to derive again.
    """

    lines: nw.LazyFrame[Any]
    set_aside: nw.LazyFrame[Any] | None
    found: tuple[FoundFault, ...]
    rows: int
    summary: Mapping[str, int | None] | None = None
    refunds: bool = True
    is_plain: bool = False


@dataclass(frozen=True)
class _Check:
    fault: str
    column: str
    broken: nw.Expr


def read(
    frame: nw.LazyFrame[Any],
    columns: Mapping[str, str],
    *,
    keep: Sequence[str],
    timezone: str,
    digits: int,
    until: int | None,
    status_map: Mapping[Any, str] | None,
    policies: Policies,
) -> Kept:
    """Take the host's frame in.

    Raises:
        SchemaError: If there are faults whose policy is ``raise``; it tells of all faults at once.
    """
    present = frame.collect_schema().names()
    found = [
        FoundFault("missing_column", name, 0, "raise", host, None, did_you_mean(host, name, present))
        for name, host in [*columns.items(), *((f"keep: {extra}", extra) for extra in keep)]
        if host not in present
    ]
    named = {name: host for name, host in columns.items() if host in present}
    if not named:
        raise schema_error(found, rows=_engine.count_rows(frame) if present else 0, faulty_rows=0)
    lines = frame.select(
        *(nw.col(host).alias(name) for name, host in named.items()),
        *(nw.col(extra) for extra in keep if extra in present),
    )
    lines, mixed = plain_columns(lines)
    ill_typed = _column_faults(lines, named, mixed)
    if ill_typed and _engine.count_rows(lines) == 0:
        # A frame without rows has no type to be wrong: whatever it says, it is an empty log.
        lines = lines.with_columns(nw.lit(None, _plain_type(fault.column)).alias(fault.column) for fault in ill_typed)
        ill_typed = []
    found += ill_typed
    ill = {fault.column for fault in found}
    lines, checks = _derive(
        lines, set(named) - ill, timezone=timezone, digits=digits, until=until, status_map=status_map
    )
    if policies["duplicate_line"] != "keep" and not ill:
        lines = _engine.mark_repeats(lines, [*named, *keep], into="_repeat")
        checks.append(_Check("duplicate_line", "*", nw.col("_repeat")))
    counts = _counts(lines, checks, [name for name in MONEY if name in named and name not in ill and name != "amount"])
    found += _row_faults(lines, checks, counts, policies)
    if any(fault.policy == "raise" for fault in found):
        faulty = _faulty_rows(lines, [check for check in checks if counts[_key(check)]])
        raise schema_error(found, rows=counts["rows"], faulty_rows=faulty)
    return _split(lines, named, keep, checks, counts, policies, found, digits=digits)


def _column_faults(lines: nw.LazyFrame[Any], named: Mapping[str, str], mixed: Mapping[str, str]) -> list[FoundFault]:
    """Faults of whole columns: a type that can never be right."""
    schema = lines.collect_schema()
    found = []
    for name in named:
        dtype = schema[name]
        fault = None
        if name in mixed:
            fault, seen = "mixed_types", mixed[name]
        elif name in TIMES and not (dtype == nw.String or isinstance(dtype, (nw.Datetime, nw.Date))):
            fault, seen = "not_a_timestamp", str(dtype)
        elif (name in MONEY or name == "quantity") and not (dtype.is_numeric()):
            fault, seen = "not_a_number", str(dtype)
        elif name in IDS and (dtype == nw.Boolean or dtype.is_nested() or dtype.is_temporal()):
            fault, seen = "not_an_id", str(dtype)
        if fault is not None:
            rows = _engine.count_rows(lines)
            found.append(FoundFault(fault, name, rows, "raise", seen, None, FAULTS[fault].fix))
    return found


def _plain_type(name: str) -> nw.dtypes.DType:
    return nw.Float64() if name in MONEY or name == "quantity" else nw.String()


def _derive(
    lines: nw.LazyFrame[Any],
    names: set[str],
    *,
    timezone: str,
    digits: int,
    until: int | None,
    status_map: Mapping[Any, str] | None,
) -> tuple[nw.LazyFrame[Any], list[_Check]]:
    """Whole numbers for time and money, and the checks of every row."""
    schema = lines.collect_schema()
    checks: list[_Check] = []
    for name in IDS:
        if name in names:
            missing = _is_missing(name, schema[name])
            checks.append(_Check(f"null_{name}", name, missing))
    if "ordered_at" in names:
        lines = _engine.add_local_microsecond(lines, "ordered_at", timezone=timezone, into="us")
        lines = _engine.add_day(lines, "us", into="day")
        is_null, us, day = nw.col("ordered_at").is_null(), nw.col("us"), nw.col("day")
        checks.append(_Check("null_ordered_at", "ordered_at", is_null))
        checks.append(_Check("unparseable_time", "ordered_at", ~is_null & (us == NOT_A_TIME)))
        checks.append(_Check("year_out_of_range", "ordered_at", (us != NOT_A_TIME) & ((us < 0) | (day >= LAST_DAY))))
        if until is not None:
            checks.append(_Check("after_observed_until", "ordered_at", (day >= until) & (day < LAST_DAY)))
    if "first_ordered_at" in names:
        lines = _engine.add_local_microsecond(lines, "first_ordered_at", timezone=timezone, into="first_us")
        first_day = nw.col("first_us") // MICROSECONDS_A_DAY
        lines = lines.with_columns(nw.when(nw.col("first_us") >= 0).then(first_day).alias("first_day")).drop("first_us")
        unread = ~nw.col("first_ordered_at").is_null() & nw.col("first_day").is_null()
        checks.append(_Check("unparseable_time", "first_ordered_at", unread))
    for name, minor in MONEY.items():
        if name in names:
            lines = money.add_minor(lines, name, digits=digits, into=minor)
            told = nw.col(f"{minor}_fault")
            if name == "amount":
                checks.append(_Check("null_amount", name, told == money.NOT_FINITE))
            checks.append(_Check("amount_out_of_range", name, told == money.TOO_LARGE))
            checks.append(_Check("sub_unit_amount", name, told == money.SUB_UNIT))
    if "quantity" in names and schema["quantity"].is_float():
        checks.append(_Check("bad_quantity", "quantity", nw.col("quantity").abs() == float("inf")))
    if "status" in names and status_map is not None:
        checks.append(
            _Check("unknown_status", "status", ~nw.col("status").is_in(list(status_map)) | nw.col("status").is_null())
        )
    return lines, checks


def _is_missing(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    column = nw.col(name)
    if dtype.is_float():
        return column.is_null() | column.is_nan()
    if dtype == nw.String:
        # An empty text is no id: exports write it where a guest ordered.
        return column.is_null() | (column == "")
    return column.is_null()


def _key(check: _Check) -> str:
    return f"{check.fault} {check.column}"


def _counts(lines: nw.LazyFrame[Any], checks: Sequence[_Check], optional_money: Sequence[str]) -> dict[str, int]:
    """How many rows break each check, optional money unknown in how many, and the log's extremes: one pass."""
    broken = {_key(check): check.broken.fill_null(value=False) for check in checks}
    broken |= {f"unknown {name}": nw.col(f"{MONEY[name]}_fault") == money.NOT_FINITE for name in optional_money}
    sums = [expression.cast(nw.Int8).sum().alias(key) for key, expression in broken.items()]
    names = lines.collect_schema().names()
    if "day" in names:
        sums += [nw.col("day").min().alias(_FIRST), nw.col("day").max().alias(_LAST)]
    if MONEY["amount"] in names:
        minor = nw.col(MONEY["amount"])
        sums += [minor.min().alias(_LEAST), minor.max().alias(_MOST)]
    row = _engine.only_row(lines.select(nw.len().alias("rows"), *sums))
    if not row["rows"]:
        return dict.fromkeys(row, 0)
    return {name: int(value or 0) for name, value in row.items()}


#: What the pass for faults tells beside them, if there are rows.
_FIRST, _LAST, _LEAST, _MOST = "first day", "last day", "least amount", "most amount"


def _row_faults(
    lines: nw.LazyFrame[Any], checks: Sequence[_Check], counts: Mapping[str, int], policies: Policies
) -> list[FoundFault]:
    found = []
    broken = [check for check in checks if counts[_key(check)]]
    if broken and _engine.is_eager(lines):
        lines = _engine.numbered(lines, "_row")
    for check in broken:
        column = "ordered_at" if check.column == "*" else check.column
        wanted = [nw.col(column)] + ([nw.col("_row")] if _engine.is_eager(lines) else [])
        first = _engine.only_row(lines.filter(check.broken).select(*wanted).head(1))
        value = first[column]
        is_null = value is None or value != value  # noqa: PLR0124  (NaN)
        example = "null" if is_null else mask(value) if check.column in PERSONAL else mask_numbers(f"{value!s:.40}")
        at = int(first["_row"]) if "_row" in first else None
        fault = FAULTS[check.fault]
        found.append(
            FoundFault(check.fault, check.column, counts[_key(check)], policies[check.fault], example, at, fault.fix)
        )
    return found


def _faulty_rows(lines: nw.LazyFrame[Any], broken: Sequence[_Check]) -> int:
    if not broken:
        return 0
    any_broken = nw.any_horizontal(*(check.broken.fill_null(value=False) for check in broken), ignore_nulls=True)
    return _engine.count_rows(lines.filter(any_broken))


def _split(
    lines: nw.LazyFrame[Any],
    named: Mapping[str, str],
    keep: Sequence[str],
    checks: Sequence[_Check],
    counts: Mapping[str, int],
    policies: Policies,
    found: Sequence[FoundFault],
    *,
    digits: int,
) -> Kept:
    """Rows kept and rows set aside; together they are all the rows given."""
    is_sound = not any(counts[_key(check)] for check in checks if check.column in {"ordered_at", "amount"})
    given = [*named, *keep]
    aside = [check for check in checks if counts[_key(check)] and policies[check.fault] == "set_aside"]
    set_aside = None
    if aside:
        reason = nw.lit("")
        for check in reversed(aside):  # the first check of a row gives its reason
            reason = nw.when(check.broken.fill_null(value=False)).then(nw.lit(check.fault)).otherwise(reason)
        lines = lines.with_columns(reason.alias("reason"))
        set_aside = lines.filter(nw.col("reason") != "").select(*given, "reason")
        lines = lines.filter(nw.col("reason") == "")
    schema = lines.collect_schema()
    if not (isinstance(schema["ordered_at"], nw.Datetime) and schema["ordered_at"].time_zone is None):
        lines = _engine.microsecond_as_datetime(lines.drop("ordered_at"), "us", into="ordered_at")
    for name, minor in MONEY.items():
        if counts.get(f"unknown {name}"):
            unknown = nw.col(f"{minor}_fault") == money.NOT_FINITE
            lines = lines.with_columns(nw.when(~unknown).then(nw.col(minor)).alias(minor))
    if is_sound and max(-counts[_LEAST], counts[_MOST]) < money.ALL_TELL_HALVES:
        lines = money.with_sound_minor(lines, "amount", digits=digits, into=MONEY["amount"])
    derived = ["us", "day", *(MONEY[name] for name in MONEY if name in named)]
    derived += ["first_day"] if "first_ordered_at" in named else []
    plain = [name for name in COLUMNS if name in named and name not in MONEY and name != "first_ordered_at"]
    summary = {"rows": counts["rows"], "first": counts[_FIRST], "last": counts[_LAST]}
    return Kept(
        lines.select(*plain, *keep, *derived),
        set_aside,
        tuple(found),
        counts["rows"],
        summary=summary if set_aside is None and counts["rows"] else None,
        refunds=not is_sound or counts[_LEAST] < 0,
        is_plain=schema["ordered_at"] != nw.String and set_aside is None,
    )
