"""Cells: the relational half of a cohort table, written once for every engine.

Each user gets the row of the table that he belongs to, coded in one whole number; a period in which he ordered gives
his row and the age, one number again. Grouped by that number, a few thousand rows leave the engine, whatever the number
of orders, and NumPy finishes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import NONE_BEFORE, collect, count_rows, lazy_like, settle, sums_by_cell, with_previous
from commlife.cohorts.aggregation import Aggregation, Own, users_of_periods
from commlife.cohorts.question import CohortQuestion
from commlife.errors import ConfigError
from commlife.features.periods import with_period_index
from commlife.features.users import warn_if_left_truncated, with_existing
from commlife.orders.calendar import Period, complete_until, day_number

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["Asked", "Cells", "count_cells", "group_columns", "warn_of_truncation"]

Plan = nw.LazyFrame[Any]

#: Later than any period: stands for "the streak never broke".
_NEVER = 2**40
#: Ages that a table of all active users has unless max_age says otherwise.
ACTIVE_AGES = 12
#: Stands for a null in a join, where nulls are equal to nothing: a character that Unicode leaves to private use.
_NULL = "\ue000"


@dataclass(frozen=True)
class Asked:
    """A question put to a log: its grid of time, and the plans that several steps share, each computed once."""

    log: OrderLog
    question: CohortQuestion
    own_measure: Own | None = None

    @cached_property
    def period(self) -> Period:
        """The periods of the question."""
        return self.question.period

    @cached_property
    def as_of(self) -> int:
        """Day number before whose midnight orders count."""
        return self.question.day

    @cached_property
    def until(self) -> int:
        """The day before whose midnight everything has been seen."""
        return complete_until(self.as_of, self.log.observation.until)

    @cached_property
    def newest(self) -> int:
        """The newest period that has begun before as_of."""
        return int(self.period.index_of(self.as_of - 1, as_of=self.as_of))

    @cached_property
    def last(self) -> int:
        """The last period that is complete."""
        return self.period.last_complete(as_of=self.as_of, until=self.until)

    @cached_property
    def firsts(self) -> Plan:
        """One row a payer: user_id, first_day, first_us of the first order that counts."""
        counting = self.counting()
        return settle(
            counting.group_by("user_id").agg(
                nw.col("day").min().alias("first_day"), nw.col("us").min().alias("first_us")
            )
        )

    def counting(self, *attributes: str) -> Plan:
        """The orders that count."""
        return self.log._orders(self.as_of, *attributes).filter(nw.col("counts"))

    def dated(self, orders: Plan) -> Plan:
        """Orders with the index of their period."""
        return with_period_index(orders, self.log, self.period, as_of=self.as_of)

    @cached_property
    def active(self) -> Plan:
        """One row a user and period with an order that counts: user_id, index, and what the measure needs of them."""
        dated = self.dated(self.counting())
        measure = self.question.measure
        if isinstance(measure, Aggregation):
            if self.own_measure is None:
                raise ConfigError(f"the measure {measure.name!r} is your own: ask cohort_table for it again.")
            return settle(users_of_periods(self.own_measure, self.log, self.as_of, dated))
        if measure in ("repurchase", "orders", "frequency"):
            active = dated.group_by("user_id", "index").agg(nw.len().alias("orders"))
        elif measure == "aov":
            active = dated.group_by("user_id", "index").agg(nw.len().alias("orders"), nw.col("net").sum())
        else:
            active = sums_by_cell(dated, by="user_id", index="index", sums=())
            if measure in ("churn", "recall", "streak"):
                active = with_previous(active, "index", by="user_id", into="previous")
        return settle(active, rows=self.log.n_rows, for_now=True)

    @cached_property
    def existing(self) -> Plan | None:
        """user_id of the payers whose life began before the log shows it; None where there can be none."""
        if self.question.washout is None and not self.log.has("first_ordered_at") and self._sees_all():
            return None
        known = with_existing(self.firsts, self.log, washout=self.question.washout)
        return settle(known.filter(nw.col("existing")).select("user_id"))

    def _sees_all(self) -> bool:
        """Whether no order lies before the day from which the log observes."""
        return self.log.first_day is None or self.log.observation.first <= day_number(self.log.first_day)

    @cached_property
    def _begins_with_activity(self) -> bool:
        """Whether every payer is a member, and the plan of active periods holds all of them."""
        own = isinstance(self.question.measure, Aggregation)
        return not own and self.question.cohort != "active" and self.existing is None

    def payers(self) -> int:
        """Number of users with an order that counts."""
        known = self._begins_with_activity and not group_columns(self.question)
        return count_rows(self.members if known else self.firsts)

    @cached_property
    def members(self) -> Plan:
        """One row a new payer: user_id, cohort (index of the period of the first order), own attributes."""
        attributes = [name for name in group_columns(self.question) if name != "cohort_label"]
        if self._begins_with_activity and not attributes:
            # The first period of a user is that of the first order: no second pass over the orders.
            return settle(self.active.group_by("user_id").agg(nw.col("index").min().alias("cohort")))
        firsts = self.firsts
        if self.existing is not None:
            firsts = firsts.join(self.existing, on="user_id", how="anti")
        members = self.dated(firsts.select("user_id", nw.col("first_day").alias("day")))
        members = members.select("user_id", nw.col("index").alias("cohort"))
        return members.join(self.own(attributes), on="user_id", how="inner") if attributes else members

    def own(self, names: Sequence[str]) -> Plan:
        """One row a payer: own attributes (at a tie the least value); ``subsidised`` tells the first order's coupon."""
        needed = tuple(dict.fromkeys("coupon_id" if name == "subsidised" else name for name in names))
        self.log.require(*needed, why=f"a cohort table by {', '.join(names)}")
        held = [name for name in needed if name in ("item_id", "category") and self.log.has("order_id")]
        plain = [name for name in needed if name not in held]
        firsts = self.firsts.select("user_id", "first_us")
        orders = self.counting(*plain).join(firsts, on="user_id", how="inner")
        own = firsts.select("user_id")
        if plain:
            of_first = orders.filter(nw.col("us") == nw.col("first_us"))
            own = of_first.group_by("user_id").agg(*(nw.col(name).min() for name in plain))
        for name in held:
            own = own.join(self._most_bought_first(name), on="user_id", how="left")
        if "subsidised" in names:
            organic = nw.when(nw.col("coupon_id").is_null()).then(nw.lit("organic"))
            own = own.with_columns(organic.otherwise(nw.lit("subsidised")).alias("subsidised"))
        return own.select("user_id", *names)

    def _most_bought_first(self, name: str) -> Plan:
        """user_id and the item or category on which most money of the first order was spent; at a tie the least."""
        held = self.first_orders_hold(name).group_by("user_id", "value").agg(nw.col("minor").sum())
        held = settle(held.with_columns(nw.col("minor").cast(nw.Int64)))
        most = held.group_by("user_id").agg(nw.col("minor").max().alias("most"))
        chosen = held.join(most, on="user_id", how="inner").filter(nw.col("minor") == nw.col("most"))
        return chosen.group_by("user_id").agg(nw.col("value").min().alias(name))

    def first_orders_hold(self, name: str) -> Plan:
        """user_id, value and minor: the lines of a payer's first order that counts, without refunds and nulls."""
        keys = ["user_id", "order_id"] if self.log.has("order_id") else ["user_id", "us"]
        orders = self.counting().join(self.firsts, on="user_id", how="inner")
        orders = orders.filter(nw.col("us") == nw.col("first_us")).select(*keys).unique()
        bought = self.log._lines(self.as_of, *keys, "minor", name).filter(nw.col("minor") >= 0)
        lines = bought.select(*keys, "minor", nw.col(name).alias("value")).join(orders, on=keys, how="inner")
        return lines.filter(~nw.col("value").is_null()).select("user_id", "value", "minor")


@dataclass(frozen=True, slots=True)
class Cells:
    """What left the engine: ``sizes`` (by, cohort, size), sorted, and ``counts`` (row of sizes, age, columns)."""

    sizes: pd.DataFrame
    counts: pd.DataFrame
    existing_users: int


@dataclass(frozen=True, slots=True)
class _Placed:
    """Members with ``base``: a number to which the index of a period is added to give row * width + age."""

    members: Plan
    sizes: pd.DataFrame
    width: int

    def grouped(self, rows: Plan, index: str = "index", **sums: str) -> pd.DataFrame:
        """Number of rows and sums of columns by row of the table and age."""
        keyed = rows.with_columns((nw.col("base") + nw.col(index)).cast(nw.Int64).alias("cell"))
        aggregates = [nw.col(column).sum().alias(name) for name, column in sums.items()]
        counted = collect(keyed.group_by("cell").agg(nw.len().alias("users"), *aggregates))
        cell = counted.pop("cell").to_numpy()
        return counted.assign(row=cell // self.width, age=cell % self.width)


def group_columns(question: CohortQuestion) -> list[str]:
    """Columns by which users are grouped, an attribute that makes the cohorts among them."""
    if question.cohort == "given":
        return ["cohort_label", *question.by]
    if question.cohort not in ("first_order", "active"):
        return [question.cohort, *question.by]
    return list(question.by)


def warn_of_truncation(asked: Asked) -> None:
    """Warn where the log seems to begin in the middle of lives; called from a public function, at its caller."""
    if asked.question.cohort != "active":
        warn_if_left_truncated(asked.log, asked.as_of, washout=asked.question.washout, payers_known=asked.payers)


def count_cells(asked: Asked, labels: Plan | None = None) -> Cells:
    """Count users, orders and money by row of the table and age.

    Args:
        asked: The question and the log.
        labels: user_id and ``cohort_label`` for cohorts that the caller made; only these users count.
    """
    if asked.question.cohort == "active":
        return _count_active(asked)
    members = asked.members if labels is None else asked.members.join(labels, on="user_id", how="inner")
    placed = _place(members, asked)
    measure = asked.question.measure
    counting = _count_base if isinstance(measure, Aggregation) else _COUNTS.get(measure, _count_base)
    counts = counting(asked, placed)
    existing = 0 if asked.existing is None else count_rows(asked.existing)
    return Cells(placed.sizes, counts, existing)


def _place(members: Plan, asked: Asked) -> _Placed:
    """Count the cohorts, number them, and give each member the number of its own."""
    by = group_columns(asked.question)
    names = [f"_key_{place}" for place in range(len(by))]
    if by:
        texts = [nw.col(name).cast(nw.String).fill_null(_NULL).alias(key) for name, key in zip(by, names, strict=True)]
        members = settle(members.with_columns(*texts))
    counted = collect(members.group_by(*by, *names, "cohort").agg(nw.len().alias("size")))
    sizes = counted.sort_values([*by, "cohort"], ignore_index=True)
    _refuse_mixed(counted, by)
    cohort = sizes["cohort"].to_numpy(dtype=np.int64)
    width = asked.newest - int(cohort.min(initial=asked.newest)) + 1
    if by:
        table = sizes[[*names, "cohort"]].assign(base=np.arange(len(sizes), dtype=np.int64) * width - cohort)
        types = {name: name for name in (*names, "cohort")}
        members = members.join(lazy_like(table, members, types=types), on=[*names, "cohort"], how="inner")
    else:
        # One cohort a period: their numbers follow from the period, gaps and all.
        oldest = asked.newest - width + 1
        members = members.with_columns(((nw.col("cohort") - oldest) * width - nw.col("cohort")).alias("base"))
        every = pd.DataFrame({"cohort": np.arange(oldest, asked.newest + 1)})
        sizes = every.merge(sizes, on="cohort", how="left").fillna({"size": 0}).astype({"size": "int64"})
    return _Placed(members.select("user_id", "cohort", "base"), sizes.drop(columns=names), width)


def _refuse_mixed(sizes: pd.DataFrame, by: list[str]) -> None:
    for name in by:
        if (sizes[name].astype(str) == _NULL).any():
            raise ConfigError(f"by={name!r}: the private character U+E000 is no name of a group. Rename it.")


def _count_base(asked: Asked, placed: _Placed) -> pd.DataFrame:
    """Active users by age, and of them what the measure asks about."""
    rows = asked.active.join(placed.members.select("user_id", "base"), on="user_id", how="inner")
    measure = asked.question.measure
    if isinstance(measure, Aggregation):
        return placed.grouped(rows, own="own", **({"had": "had"} if measure.how == "mean" else {}))
    if measure in ("churn", "recall"):
        kept = (nw.col("index") - nw.col("previous") == 1).cast(nw.Int64)
        return placed.grouped(rows.with_columns(kept.alias("kept")), kept="kept")
    if measure == "repurchase":
        return placed.grouped(rows.with_columns((nw.col("orders") >= 2).cast(nw.Int64).alias("twice")), twice="twice")
    if measure in ("orders", "frequency"):
        return placed.grouped(rows, orders="orders")
    if measure == "aov":
        return placed.grouped(rows, orders="orders", net="net")
    return placed.grouped(rows)


def _count_last(asked: Asked, placed: _Placed) -> pd.DataFrame:
    """Users by the last age at which they are counted: last order (unbounded), end of the first run (streak)."""
    seen = asked.active.filter(nw.col("index") <= asked.last)
    if asked.question.measure == "streak":
        broke = (nw.col("previous") != NONE_BEFORE) & (nw.col("index") - nw.col("previous") > 1)
        marked = seen.with_columns(nw.when(broke).then(nw.col("previous")).otherwise(nw.lit(_NEVER)).alias("run_end"))
        users = marked.group_by("user_id").agg(nw.col("index").max(), nw.col("run_end").min())
        ended = nw.col("run_end") < nw.col("index")
        users = users.with_columns(nw.when(ended).then(nw.col("run_end")).otherwise(nw.col("index")).alias("index"))
    else:
        users = seen.group_by("user_id").agg(nw.col("index").max())
    return placed.grouped(users.join(placed.members, on="user_id", how="inner"))


def _count_brackets(asked: Asked, placed: _Placed) -> pd.DataFrame:
    """Users with an order anywhere in a bracket of ages; the age is the bracket's first."""
    edges = asked.question.brackets or ()
    rows = asked.active.join(placed.members, on="user_id", how="inner")
    rows = rows.with_columns((nw.col("index") - nw.col("cohort")).alias("age"))
    rows = rows.filter((nw.col("age") >= edges[0]) & (nw.col("age") < edges[-1]))
    bracket = nw.lit(edges[0])
    for edge in edges[1:-1]:
        bracket = nw.when(nw.col("age") >= edge).then(nw.lit(edge)).otherwise(bracket)
    rows = rows.with_columns((bracket + nw.col("cohort")).cast(nw.Int64).alias("from"))
    return placed.grouped(rows.select("user_id", "base", "from").unique(), "from")


def _count_windows(asked: Asked, placed: _Placed) -> pd.DataFrame:
    """Users with an order in each window of N days counted from their own first order."""
    window = Period(asked.question.window or "1D")
    rows = asked.counting().select("user_id", "day").join(asked.firsts, on="user_id", how="inner")
    age = window.index_of(nw.col("day") - nw.col("first_day"), as_of=0)
    rows = rows.with_columns(age.cast(nw.Int64).alias("age")).select("user_id", "age").unique()
    # There are more windows than periods where they are shorter: a wider code.
    width = asked.as_of + 1
    row = (nw.col("base") + nw.col("cohort")) // placed.width
    members = placed.members.with_columns((row * width).cast(nw.Int64).alias("base"))
    wide = _Placed(members, placed.sizes, width)
    return wide.grouped(rows.join(members, on="user_id", how="inner"), "age")


def _count_money(asked: Asked, placed: _Placed) -> pd.DataFrame:
    """Net money by age, refunds in the period in which they were given; the active users beside it."""
    users = _count_base(asked, placed)
    dated = asked.dated(asked.log._orders(asked.as_of))
    spent = dated.group_by("user_id", "index").agg(nw.col("net").sum())
    rows = spent.join(placed.members, on="user_id", how="inner")
    # A refund before the first order that counts belongs to the user's beginning: money has to close.
    early = nw.col("index") < nw.col("cohort")
    since = nw.when(early).then(nw.col("cohort")).otherwise(nw.col("index"))
    rows = rows.with_columns(since.alias("index"), nw.col("net").cast(nw.Int64))
    money = placed.grouped(rows, net="net").drop(columns="users")
    merged = users.merge(money, on=["row", "age"], how="outer")
    return merged.assign(**{name: merged[name].fillna(0).astype("int64") for name in ("users", "net")})


_COUNTS = {
    "unbounded": _count_last,
    "streak": _count_last,
    "bracket": _count_brackets,
    "rolling": _count_windows,
    "revenue": _count_money,
    "cumulative_revenue": _count_money,
}


def _count_active(asked: Asked) -> Cells:
    """Everybody active in a period is a member of it: one narrow join an age, never all pairs at once."""
    by = list(asked.question.by)
    members = asked.active.select("user_id", nw.col("index").alias("cohort"))
    if by:
        members = members.join(asked.own(by), on="user_id", how="inner")
    placed = _place(members, asked)
    most = min(placed.width - 1, ACTIVE_AGES if asked.question.max_age is None else asked.question.max_age)
    at_once = placed.sizes["size"].to_numpy()
    parts = [pd.DataFrame({"users": at_once, "row": np.arange(len(at_once)), "age": 0})]
    later = asked.active.select("user_id", "index")
    for age in range(1, most + 1):
        there = placed.members.with_columns((nw.col("cohort") + age).cast(nw.Int64).alias("index"))
        parts.append(placed.grouped(there.join(later, on=["user_id", "index"], how="inner")))
    return Cells(placed.sizes, pd.concat(parts, ignore_index=True), 0)
