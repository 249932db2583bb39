"""Does a host's adapter, from its raw rows to an OrderLog, lose, merge, shift, round or change anything?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import collect
from commlife.errors import CommlifeError, ConfigError
from commlife.orders import OrderLog, to_minor
from commlife.orders._arguments import check_zone
from commlife.testing._examples import as_code
from commlife.testing._raw import COLUMNS, mixed_rows, raw_trials, turning_points

__all__ = ["check_adapter"]


def check_adapter(
    adapter: Callable[[pd.DataFrame], OrderLog],
    *,
    columns: Mapping[str, str] | None = None,
    zones: Sequence[str] = ("UTC", "America/New_York"),
) -> None:
    """Try an adapter on raw rows that careless code loses, merges, shifts, rounds or changes.

    It is tried on:

    - raw rows with one danger each (equal lines, refunds, free orders, look-alike ids, cents, midnights, ...): every
      row arrives as it was, in its own order;
    - the same rows a second time, and on what it made of them: the same log again;
    - the same moments as naive local times and with a zone, at midnights and where clocks change: the same log, or a
      refusal (:class:`~commlife.CommlifeError`, ``TypeError`` or ``ValueError``), never shifted times;
    - columns in another order and further columns that it does not know: nothing changes;
    - each column missing, or under another name: an error that names the column, never a log without it.

    Args:
        adapter: Takes a pandas frame with ``user_id`` (text), ``order_id`` (text), ``ordered_at`` (timestamps: naive
            ones are local) and ``amount`` (major units, two digits), and returns an :class:`~commlife.OrderLog`.
        columns: The names under which the adapter reads them, where they are others:
            ``{"user_id": "phone", "amount": "paid"}``. The frames then have those names.
        zones: Zones in which times are tried; none for an adapter that is only ever given naive local times.

    Raises:
        AssertionError: At the first raw rows that do not arrive as they were, with those rows as code to paste.
        ConfigError: ``columns`` or ``zones`` has a name that is unknown.

    Examples:
        >>> import commlife as cl
        >>> names = {name: name for name in ("user_id", "order_id", "ordered_at", "amount")}
        >>> check_adapter(lambda frame: cl.OrderLog.from_frame(frame, **names))
        >>> check_adapter(lambda frame: cl.OrderLog.from_frame(frame.drop_duplicates(), **names))
        Traceback (most recent call last):
        AssertionError: two equal lines of one order (two cabbages): 2 rows went in, 1 came out ...
        >>> check_adapter(
        ...     lambda frame: cl.OrderLog.from_frame(
        ...         frame, user_id="phone", ordered_at="paid_at", amount="paid", order_id="order_id"
        ...     ),
        ...     columns={"user_id": "phone", "ordered_at": "paid_at", "amount": "paid"},
        ... )
    """
    names = _names(columns)
    for zone in zones:
        check_zone(zone)
    for trial in _trials(adapter, names, zones):
        fault, error = trial.fault(trial.raw)
        if fault:
            fewest = trial.fewest()
            # An adapter with a memory may not fail again on the same rows.
            fault = trial.fault(fewest)[0] or fault
            raise AssertionError(f"{trial.title}: {fault}\n\nThe rows:\n{as_code(trial.given(fewest))}") from error


def _names(columns: Mapping[str, str] | None) -> dict[str, str]:
    names = {name: name for name in COLUMNS}
    for name, host in (columns or {}).items():
        if name not in names:
            raise ConfigError.unknown_name("columns: the name", name, COLUMNS)
        names[name] = host
    if len(set(names.values())) < len(names):
        raise ConfigError(
            f"columns give two things one name; seen {sorted(names.values())!r}. Give each of them a name of its own."
        )
    return names


@dataclass(frozen=True)
class _Trial:
    """Rows, how they are given to the adapter, and what is to become of them.

    Attributes:
        given: From the rows to the frame that the adapter gets.
        wanted: From the rows to the lines that the log is to hold.
        refused: What is wrong with this refusal; empty where the adapter may refuse so.
        twice: Whether the adapter is called a second time.
    """

    title: str
    adapter: Callable[[pd.DataFrame], OrderLog]
    raw: pd.DataFrame
    given: Callable[[pd.DataFrame], pd.DataFrame]
    wanted: Callable[[pd.DataFrame], pd.DataFrame]
    refused: Callable[[Exception], str]
    twice: bool = False

    def fault(self, raw: pd.DataFrame) -> tuple[str, Exception | None]:
        """What the adapter does wrong with these rows (empty if nothing), and the error that it raised."""
        given = self.given(raw)
        kept = given.copy()
        try:
            log = self.adapter(given)
            again = self.adapter(self.given(raw)) if self.twice else log
        except Exception as error:  # noqa: BLE001  (somebody else's code: it may fail in its own way)
            return self.refused(error), error
        if not isinstance(log, OrderLog):
            return f"the adapter returned a {type(log).__name__}, not an OrderLog", None
        if not given.equals(kept):
            return "the adapter changed the frame that it was given", None
        fault = _difference(self.wanted(raw), log)
        if not fault and self.twice:
            told = _difference(_arrived(log), again)
            fault = f"called twice, the adapter gives two answers: {told}" if told else ""
        return fault, None

    def fewest(self) -> pd.DataFrame:
        """Few of the rows that are still at fault."""
        rows, at = self.raw, 0
        while at < len(rows):
            less = pd.concat([rows.iloc[:at], rows.iloc[at + 1 :]])
            if len(less) and self.fault(less)[0]:
                rows = less
            else:
                at += 1
        return rows


def _trials(
    adapter: Callable[[pd.DataFrame], OrderLog], names: dict[str, str], zones: Sequence[str]
) -> Iterator[_Trial]:
    """Every trial, the plainest first: a later one relies on what the earlier ones have shown."""

    def named(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.rename(columns=names)

    def same(rows: pd.DataFrame) -> pd.DataFrame:
        return rows

    for title, raw in raw_trials().items():
        yield _Trial(title, adapter, raw, named, same, _failed, twice=True)
    mixed = mixed_rows()
    yield _Trial("what came out, put in again", adapter, mixed, lambda raw: _back(adapter, raw, names), same, _failed)
    yield _Trial("further columns in front", adapter, mixed, lambda raw: _beside(named(raw)), same, _failed)
    at_the_end = [*names.values(), *_BESIDE]
    yield _Trial(
        "further columns at the end", adapter, mixed, lambda raw: _beside(named(raw))[at_the_end], same, _failed
    )
    yield from _time_trials(adapter, named, zones)
    for host in names.values():

        def without(rows: pd.DataFrame, host: str = host) -> pd.DataFrame:
            return named(rows).drop(columns=host)

        def renamed(rows: pd.DataFrame, host: str = host) -> pd.DataFrame:
            return named(rows).rename(columns={host: f"{host}_old"})

        refused = partial(_unnamed, host)
        yield _Trial(f"the column {host} is missing", adapter, mixed, without, same, refused)
        yield _Trial(f"the column {host} comes as {host}_old", adapter, mixed, renamed, same, refused)


def _time_trials(
    adapter: Callable[[pd.DataFrame], OrderLog],
    named: Callable[[pd.DataFrame], pd.DataFrame],
    zones: Sequence[str],
) -> Iterator[_Trial]:
    """The same moments as naive local times, and with each zone."""
    own = adapter(named(mixed_rows())).timezone
    moments = turning_points(own)

    def local(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(ordered_at=rows["ordered_at"].dt.tz_convert(own).dt.tz_localize(None))

    def aware(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
        return named(rows.assign(ordered_at=rows["ordered_at"].dt.tz_convert(zone)))

    yield _Trial(f"local times of {own}", adapter, moments, lambda rows: named(local(rows)), local, _failed)
    for zone in zones:
        title = f"the same moments with the zone {zone} (the log's days are those of {own})"
        yield _Trial(title, adapter, moments, partial(aware, zone=zone), local, _unzoned)


def _failed(error: Exception) -> str:
    if isinstance(error, CommlifeError):
        return f"the adapter refused them: {error}"
    return f"the adapter failed: {type(error).__name__}: {error}"


def _unzoned(error: Exception) -> str:
    """An adapter for naive local times may refuse others, if it says so."""
    return "" if isinstance(error, CommlifeError | TypeError | ValueError) else _failed(error)


def _unnamed(column: str, error: Exception) -> str:
    """A refusal that names the column is what one wishes for."""
    if column in str(error):
        return ""
    return f"the adapter does not name it: {type(error).__name__}: {error}"


#: Columns that exports have and adapters do not know: a note, a saved index, a number that looks like money.
_BESIDE = ("Unnamed: 0", "note", "出库仓", "net_weight")


def _beside(frame: pd.DataFrame) -> pd.DataFrame:
    n = len(frame)
    beside = [range(n), [f"n{i}" for i in range(n)], ["东"] * n, [0.5 + i for i in range(n)]]
    new = pd.DataFrame(dict(zip(_BESIDE, beside, strict=True)), index=frame.index)
    return pd.concat([new, frame], axis=1)


def _back(adapter: Callable[[pd.DataFrame], OrderLog], rows: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """The lines of the adapter's own log as it reads them."""
    return _arrived(adapter(rows.rename(columns=names))).rename(columns=names)


def _arrived(log: OrderLog) -> pd.DataFrame:
    """The log's lines as raw rows."""
    table = collect(nw.from_native(log.to_native()))
    if "order_id" not in table.columns:
        table["order_id"] = [f"row {i}" for i in range(len(table))]
    table["ordered_at"] = pd.to_datetime(table["ordered_at"]).astype("datetime64[us]")
    return table[["user_id", "order_id", "ordered_at", "amount"]]


def _difference(raw: pd.DataFrame, log: OrderLog) -> str:
    """What did not arrive as it was; empty where everything did."""
    seen = _arrived(log)
    if len(seen) != len(raw):
        return f"{len(raw)} rows went in, {len(seen)} came out"
    for column, words in (("user_id", "users"), ("ordered_at", "times"), ("amount", "amounts")):
        wanted, found = _values(raw[column]), _values(seen[column])
        if wanted != found:
            lost = [value for value in wanted if value not in found] or wanted
            new = [value for value in found if value not in wanted] or found
            gone, came = (value / 10**4 if column == "amount" else value for value in (lost[0], new[0]))
            return f"{words} changed: {gone} is gone, {came} came instead"
    if _whole(raw) != _whole(seen):
        return "each value arrived, but not in its own row: columns were sorted or joined apart"
    if _orders(raw) != _orders(seen):
        return f"{len(_orders(raw))} orders went in, {len(_orders(seen))} came out, or lines changed their order"
    return ""


def _values(column: pd.Series[Any]) -> list[Any]:
    if column.name == "amount":
        return sorted(to_minor(column.to_numpy(), digits=4).tolist())
    return sorted(str(value) for value in column)


def _rows(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    minor = to_minor(frame["amount"].to_numpy(), digits=4).tolist()
    return list(zip(frame["user_id"].astype(str), frame["ordered_at"].astype(str), minor, strict=True))


def _whole(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    return sorted(_rows(frame))


def _orders(frame: pd.DataFrame) -> list[list[tuple[str, str, int]]]:
    """The lines of each order; what an order is called may change, what it holds may not."""
    held: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for key, row in zip(
        zip(frame["user_id"].astype(str), frame["order_id"].astype(str), strict=True), _rows(frame), strict=True
    ):
        held.setdefault(key, []).append(row)
    return sorted(sorted(lines) for lines in held.values())
