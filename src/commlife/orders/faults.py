"""Faults of an export: what can be wrong with a line, what may be done about it, and how it is told."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from commlife.errors import ConfigError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "FAULTS",
    "FaultKind",
    "FoundFault",
    "Policies",
    "Policy",
    "faults_frame",
    "schema_error",
]

Policy = Literal["raise", "set_aside", "keep", "round"]


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        name: Its name, the key of ``on_fault``.
        rule: What it breaks.
        fix: What to do about it at the source.
        allowed: The policies that it may get; the first is its default.
    """

    name: str
    rule: str
    fix: str
    allowed: tuple[Policy, ...] = ("raise", "set_aside")


_KINDS = (
    FaultKind("missing_column", "there is no such column", "Name a column that the frame has.", ("raise",)),
    FaultKind(
        "not_a_timestamp",
        "integers, booleans and the like are no timestamps",
        "Convert the column to a datetime first.",
        ("raise",),
    ),
    FaultKind(
        "not_a_number",
        "text and booleans are no amounts",
        "Convert the column to a number first.",
        ("raise",),
    ),
    FaultKind("not_an_id", "an id is text or a whole number", "Convert the column to text first.", ("raise",)),
    FaultKind(
        "mixed_types",
        "one column holds values of several types",
        "Convert the column to one type first.",
        ("raise",),
    ),
    FaultKind("null_user_id", "a line without a user belongs to nobody", "Fill the id in at the source."),
    FaultKind(
        "null_order_id",
        "a line without its order would merge with others",
        "Fill the id in, or leave order_id out so that each row is an order.",
    ),
    FaultKind("null_ordered_at", "a line without a time is in no period", "Fill the time in at the source."),
    FaultKind(
        "unparseable_time", "not an ISO 8601 date or time (year first)", "Parse the column with its own format before."
    ),
    FaultKind(
        "year_out_of_range", "outside the years 1970 to 2100", "Look for placeholders such as 1900-01-01 or 9999-12-31."
    ),
    FaultKind("after_observed_until", "at or after observed_until", "Move observed_until, or take the rows out."),
    FaultKind("null_amount", "missing, NaN or infinite", "Fill the amount in; a free line is 0."),
    FaultKind(
        "amount_out_of_range",
        "too large to be exact to the minor unit",
        "Check the unit and the digits of the currency.",
    ),
    FaultKind(
        "sub_unit_amount",
        "finer than the currency's digits",
        "Round before, or set currency_digits.",
        ("raise", "set_aside", "round"),
    ),
    FaultKind("bad_quantity", "quantities are finite", "Leave an unknown quantity null."),
    FaultKind("unknown_status", "the status is not in status_map", "Add it to status_map."),
    FaultKind(
        "duplicate_line",
        "equal to an earlier line in every named column",
        "Two equal lines may be two cabbages: check the export, name order_id and item_id.",
        ("keep", "set_aside", "raise"),
    ),
)

FAULTS: dict[str, FaultKind] = {kind.name: kind for kind in _KINDS}
"""Every kind of fault by name, in the order in which they are told."""


class Policies:
    """What to do about each kind of fault, from the argument ``on_fault``."""

    def __init__(self, on_fault: str | Mapping[str, str]) -> None:
        self._chosen: dict[str, Policy] = {name: kind.allowed[0] for name, kind in FAULTS.items()}
        if isinstance(on_fault, str):
            if on_fault not in {"raise", "set_aside"}:
                raise ConfigError(
                    f"on_fault is 'raise', 'set_aside' or a mapping such as {{'null_user_id': 'set_aside'}}; "
                    f"seen {on_fault!r}."
                )
            if on_fault == "set_aside":
                for name, kind in FAULTS.items():
                    # Equal lines are no fault by themselves: they are set aside only when asked for by name.
                    if "set_aside" in kind.allowed and name != "duplicate_line":
                        self._chosen[name] = "set_aside"
            return
        if not isinstance(on_fault, Mapping):
            raise ConfigError(f"on_fault is a str or a mapping; seen {type(on_fault).__name__}.")
        for name, policy in on_fault.items():
            if name not in FAULTS:
                raise ConfigError.unknown_name("on_fault: the fault", name, FAULTS)
            if policy not in FAULTS[name].allowed:
                raise ConfigError(f"on_fault: {name} takes {' or '.join(FAULTS[name].allowed)}; seen {policy!r}.")
            self._chosen[name] = policy

    def __getitem__(self, fault: str) -> Policy:
        return self._chosen[fault]


@dataclass(frozen=True)
class FoundFault:
    """A kind of fault that a column has.

    Attributes:
        fault: Name of its kind.
        column: The canonical column.
        rows: Number of rows that have it (0 where the whole column is missing).
        policy: What was done.
        example: The first value, masked where it is personal.
        at: Its row, where rows have an order.
        fix: What to do.
    """

    fault: str
    column: str
    rows: int
    policy: Policy
    example: str
    at: int | None
    fix: str


def faults_frame(found: Iterable[FoundFault]) -> pd.DataFrame:
    """The frame of faults that ``log.faults`` and ``SchemaError.faults`` show."""
    columns = ("fault", "column", "rows", "policy", "example", "fix")
    return pd.DataFrame([{name: getattr(fault, name) for name in columns} for fault in found], columns=list(columns))


def did_you_mean(wanted: str, argument: str, present: Sequence[str]) -> str:
    """The hint for a misspelt column."""
    close = difflib.get_close_matches(wanted, present, n=1, cutoff=0.6)
    if close:
        return f'Did you mean {argument}="{close[0]}"? There is no column "{wanted}".'
    return f'There is no column "{wanted}" for {argument}; the frame has: {", ".join(present)[:200]}.'


def schema_error(found: Sequence[FoundFault], *, rows: int, faulty_rows: int) -> SchemaError:
    """All faults in one error that a person can act on."""
    count = f"{len(found)} fault{'s' if len(found) != 1 else ''}"
    lines = [f"{count} in {faulty_rows:,} of {rows:,} rows (all of them in .faults)."]
    hints = []
    for fault in found:
        if fault.fault == "missing_column":
            hints.append(fault.fix)
            continue
        rule = FAULTS[fault.fault].rule
        where = f" at row {fault.at}" if fault.at is not None else ""
        seen = f"{fault.rows:,} row{'s' if fault.rows != 1 else ''}, first {fault.example}{where}"
        lines.append(f"  {fault.column:<12}{fault.fault:<20}  {seen}: {rule}. {fault.fix}{_way_out(fault)}")
    return SchemaError("\n".join(lines + hints), faults_frame(found))


def _way_out(fault: FoundFault) -> str:
    others = [policy for policy in FAULTS[fault.fault].allowed if policy != "raise"]
    return f' Or on_fault={{"{fault.fault}": "{others[-1]}"}}.' if others else ""
