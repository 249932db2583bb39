"""Cleaning rules: what a trade's export needs before anything is counted, each rule with its account."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field

from commlife import _engine
from commlife._model import Spec
from commlife.errors import ConfigError
from commlife.orders import _boundary, _facts

if TYPE_CHECKING:
    from commlife.orders.log import OrderLog

__all__ = ["CleaningRules", "apply_rules", "empty_audit"]

_WINDOW = re.compile(r"([1-9][0-9]{0,3})([hD])")
_MICROSECONDS = {"h": 3_600_000_000, "D": _boundary.MICROSECONDS_A_DAY}


def _check_window(text: str) -> str:
    if not _WINDOW.fullmatch(text):
        raise ValueError("merge_within is a number of hours or days, such as '6h' or '1D'")
    return text


class CleaningRules(Spec):
    """What to do about the habits of an export; each rule is off until asked for. They run in this order.

    Args:
        exclude_categories: Lines of these categories are set aside (a cleaning service at a hundred times the price
            of a cabbage would decide every money score).
        max_addresses_per_user: Users who order for more addresses than this are set aside with all of their lines
            (proxy buyers: one account that orders for its neighbours).
        drop_zero_amount: Lines of no money (gifts, samples) are set aside.
        merge_within: A user's orders that begin less than this after the first of them become one order, such as
            ``"6h"`` or ``"1D"``: the next order at or after the window's end begins the next one. Rows stay; the
            orders take the first one's id.
        winsorize_amount: A quantile in (0.5, 1): amounts of lines above that quantile of all positive amounts are
            lowered to it (the least amount with at least this share of lines at or below it).

    Examples:
        >>> rules = CleaningRules(exclude_categories=("housekeeping",), max_addresses_per_user=3, merge_within="1D")
        >>> rules.max_addresses_per_user
        3
    """

    exclude_categories: tuple[str | int, ...] = ()
    max_addresses_per_user: Annotated[int, Field(ge=1)] | None = None
    drop_zero_amount: bool = False
    merge_within: Annotated[str, AfterValidator(_check_window)] | None = None
    winsorize_amount: Annotated[float, Field(gt=0.5, lt=1)] | None = None


class _Step(NamedTuple):
    """What one rule did: the lines after it, the lines it set aside, the lines it touched."""

    lines: nw.LazyFrame[Any]
    aside: nw.LazyFrame[Any] | None
    row: dict[str, Any]


def empty_audit() -> pd.DataFrame:
    """The audit of a log that was not cleaned."""
    return pd.DataFrame(
        {
            "rule": pd.Series(dtype="str"),
            "action": pd.Series(dtype="str"),
            "rows": pd.Series(dtype="int64"),
            "orders": pd.Series(dtype="int64"),
            "users": pd.Series(dtype="int64"),
            "amount": pd.Series(dtype="float64"),
        }
    )


def apply_rules(log: OrderLog, rules: CleaningRules) -> Any:
    """The log after the rules; see :meth:`OrderLog.clean`."""
    if not isinstance(rules, CleaningRules):
        raise ConfigError(f"clean takes CleaningRules(...); seen {type(rules).__name__}.")
    steps: list[Callable[[OrderLog], _Step]] = []
    if rules.exclude_categories:
        log.require("category", why="exclude_categories")
        steps.append(lambda each: _set_aside(each, "exclude_categories", "excluded_category", _of_categories(rules)))
    if rules.max_addresses_per_user is not None:
        log.require("address_id", why="max_addresses_per_user")
        most = rules.max_addresses_per_user
        steps.append(lambda each: _set_aside(each, "max_addresses_per_user", "proxy_buyer", _mark_proxies(each, most)))
    if rules.drop_zero_amount:
        steps.append(lambda each: _set_aside(each, "drop_zero_amount", "zero_amount", _of_no_money))
    if rules.merge_within is not None:
        window = _window(rules.merge_within)
        steps.append(lambda each: _merge(each, window))
    if rules.winsorize_amount is not None:
        quantile = rules.winsorize_amount
        steps.append(lambda each: _winsorize(each, quantile))
    told = [] if log._audit is None else [log._audit]
    for step in steps:
        done = step(log)
        told.append(pd.DataFrame([done.row]))
        log = _after(log, done)
    whole = pd.concat([empty_audit(), *told], ignore_index=True) if told else empty_audit()
    return _with_audit(log, whole)


def _of_categories(rules: CleaningRules) -> Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]:
    wanted = list(rules.exclude_categories)
    return lambda lines: lines.with_columns(nw.col("category").is_in(wanted).fill_null(value=False).alias("_aside"))


def _of_no_money(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return lines.with_columns((nw.col("minor") == 0).alias("_aside"))


def _mark_proxies(log: OrderLog, most: int) -> Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]:
    # Distinct pairs first, then a plain count: distinct counts inside a group differ between engines.
    pairs = log._frame.filter(~nw.col("address_id").is_null()).select("user_id", "address_id").unique()
    addresses = pairs.group_by("user_id").agg(nw.len().alias("_addresses"))
    proxies = addresses.filter(nw.col("_addresses") > most).select("user_id", nw.lit(value=True).alias("_aside"))

    def mark(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        joined = lines.join(proxies, on="user_id", how="left")
        return joined.with_columns((~nw.col("_aside").is_null()).alias("_aside"))

    return mark


def _set_aside(log: OrderLog, rule: str, reason: str, mark: Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]) -> _Step:
    marked = _engine.settle(mark(log._frame))
    aside = marked.filter(nw.col("_aside")).drop("_aside")
    kept = marked.filter(~nw.col("_aside")).drop("_aside")
    return _Step(kept, aside.with_columns(nw.lit(reason).alias("reason")), _account(log, rule, "set_aside", aside))


def _account(log: OrderLog, rule: str, action: str, touched: nw.LazyFrame[Any]) -> dict[str, Any]:
    keys = ("user_id", "order_id") if log.has("order_id") else ()
    row = _engine.only_row(touched.select(nw.len().alias("rows"), nw.col("minor").sum().alias("amount")))
    rows = int(row["rows"])
    return {
        "rule": rule,
        "action": action,
        "rows": rows,
        "orders": _facts.count_distinct(touched, *keys) if keys else rows,
        "users": _facts.count_distinct(touched, "user_id"),
        "amount": int(row["amount"] or 0) / log.scale,
    }


def _window(text: str) -> int:
    number, unit = _WINDOW.fullmatch(text).groups()  # type: ignore[union-attr]  # validated when the rules were made
    return int(number) * _MICROSECONDS[unit]


def _merge(log: OrderLog, window: int) -> _Step:
    """Give the orders of one window the first one's id.

    The windows are found in this process from one row an order (user, order, time): the only part of a log that
    cleaning ever collects, since "the next order after the window's end" follows a chain that no engine walks alike.
    """
    lines = log._frame
    if not log.has("order_id"):
        # Rows become orders of their own first: numbered in a canonical order, since rows have none.
        lines = _numbered(lines)
    first = lines.group_by("user_id", "order_id").agg(nw.col("us").min())
    held = _engine.collect_rows(
        first,
        call="clean(merge_within=...)",
        way_out="Clean the log by parts of the users, then bring the parts together.",
    )
    table = held.sort_values(["user_id", "us", "order_id"], ignore_index=True)
    leader = window_leaders(pd.factorize(table["user_id"])[0], table["us"].to_numpy(), window)
    moved = leader != np.arange(len(table))
    new_ids = table["order_id"].to_numpy()[leader]
    renamed = pd.DataFrame(
        {"user_id": table["user_id"][moved], "order_id": table["order_id"][moved], "_merged_id": new_ids[moved]}
    )
    types = {"user_id": "user_id", "order_id": "order_id", "_merged_id": "order_id"}
    mapping = _engine.lazy_like(renamed, lines, types=types)
    joined = _engine.settle(lines.join(mapping, on=["user_id", "order_id"], how="left"))
    is_moved = ~nw.col("_merged_id").is_null()
    touched = joined.filter(is_moved)
    row = {
        "rule": "merge_within",
        "action": "merged",
        "rows": _engine.count_rows(touched),
        "orders": int(moved.sum()),
        "users": int(renamed["user_id"].nunique()),
        "amount": 0.0,
    }
    merged = nw.when(is_moved).then(nw.col("_merged_id")).otherwise(nw.col("order_id"))
    return _Step(joined.with_columns(merged.alias("order_id")).drop("_merged_id"), None, row)


def _numbered(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    if lines.implementation in _engine.EAGER:
        return _engine.numbered(lines, "order_id").with_columns(nw.col("order_id").cast(nw.Int64))
    return lines.with_row_index("order_id", order_by=["user_id", "us", "minor"]).with_columns(
        nw.col("order_id").cast(nw.Int64)
    )


def window_leaders(
    users: np.ndarray[Any, np.dtype[np.int64]], us: np.ndarray[Any, np.dtype[np.int64]], window: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For orders sorted by user and time: the position of the order that begins each order's window.

    Follows, for all users at once, the chain "first order at or after the end of this window"; its length is the
    largest number of windows of one user, not the number of users.
    """
    n = len(us)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    # One axis for all users: each user's times are moved behind those of the user before.
    span = int(us.max() - us.min()) + window + 1
    if int(users.max()) + 1 > (2**62) // span:
        raise ConfigError("merge_within: too many users times too long a log; merge by parts of the users.")
    axis = users.astype(np.int64) * span + (us - us.min())
    following = np.searchsorted(axis, axis + window, side="left")
    is_first = np.r_[True, users[1:] != users[:-1]]
    last = np.searchsorted(users, users, side="right")
    is_leader = is_first.copy()
    here = np.flatnonzero(is_first)
    while here.size:
        reached = following[here]
        here = reached[reached < last[here]]
        is_leader[here] = True
    return np.maximum.accumulate(np.where(is_leader, np.arange(n), 0))


def _winsorize(log: OrderLog, quantile: float) -> _Step:
    lines = log._frame
    positive = lines.filter(nw.col("minor") > 0)
    # From counts of distinct amounts: exact, small, and the same on every engine.
    amounts = positive.group_by("minor").agg(nw.len().alias("lines"))
    counts = _engine.collect_rows(
        amounts, call="clean(winsorize_amount=...)", way_out="Cap the amounts before the log is made."
    ).sort_values("minor")
    if counts.empty:
        touched = lines.head(0)
        return _Step(lines, None, _account(log, "winsorize_amount", "lowered", touched))
    share = counts["lines"].cumsum() / counts["lines"].sum()
    cap = int(counts["minor"].to_numpy()[np.searchsorted(share.to_numpy(), quantile, side="left")])
    above = lines.filter(nw.col("minor") > cap).with_columns((nw.col("minor") - cap).alias("minor"))
    row = _account(log, "winsorize_amount", "lowered", above)
    lowered = nw.when(nw.col("minor") > cap).then(nw.lit(cap)).otherwise(nw.col("minor")).cast(nw.Int64)
    return _Step(lines.with_columns(lowered.alias("minor")), None, row)


def _after(log: OrderLog, step: _Step) -> OrderLog:
    columns = log.columns
    if not log.has("order_id") and "order_id" in step.lines.collect_schema().names():
        columns = ("user_id", "order_id", *(name for name in columns if name != "user_id"))
    aside = log._set_aside
    if step.aside is not None:
        shown = _facts.shown(step.aside, log, extra=("reason",))
        aside = (*aside, shown)
    return log._derived(step.lines, columns=columns, set_aside=aside, audit=log._audit)


def _with_audit(log: OrderLog, audit: pd.DataFrame) -> OrderLog:
    return log._derived(log._frame, columns=log.columns, set_aside=log._set_aside, audit=audit)
