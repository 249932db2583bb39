"""Cells: the relational half of a cohort table, written once for every engine.

From runs of activity (a row a user and active period) to one row a group, cohort and age: whatever the number of
orders, a few thousand rows leave the engine, and NumPy finishes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife._engine import collect, settle, with_previous
from commlife.cohorts.question import CohortQuestion
from commlife.features.activity import NONE_BEFORE
from commlife.features.periods import with_period_index
from commlife.features.users import own_attributes, warn_if_left_truncated, with_existing
from commlife.orders.calendar import complete_until, day_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog, Period

__all__ = [
    "Cells",
    "Times",
    "active_runs",
    "count_cells",
    "group_columns",
    "own_values",
    "starters",
    "warn_of_truncation",
]

Plan = nw.LazyFrame[Any]

#: Later than any period: stands for "the streak never broke".
_NEVER = 2**40
#: Ages that a table of all active users has unless max_age says otherwise.
_ACTIVE_AGES = 12


@dataclass(frozen=True, slots=True)
class Times:
    """The grid of a question: newest period that has begun before as_of, last one that is complete."""

    period: Period
    as_of: int
    until: int
    newest: int
    last: int

    @classmethod
    def of(cls, log: OrderLog, question: CohortQuestion) -> Times:
        """The grid of ``question`` on ``log``."""
        day = question.day
        until = complete_until(day, log.observation.until)
        return cls(
            period=question.period,
            as_of=day,
            until=until,
            newest=int(question.period.index_of(day - 1, as_of=day)),
            last=question.period.last_complete(as_of=day, until=until),
        )


@dataclass(frozen=True, slots=True)
class Cells:
    """What left the engine: ``sizes`` (by, cohort, size), ``counts`` (by, cohort, age, and what the measure needs)."""

    sizes: pd.DataFrame
    counts: pd.DataFrame
    existing_users: int


def count_cells(log: OrderLog, question: CohortQuestion, times: Times, labels: Plan | None = None) -> Cells:
    """Count users, orders and money by group, cohort and age.

    Args:
        log: The order log.
        question: What is asked.
        times: The grid of the question.
        labels: user_id and ``cohort_label`` for cohorts that the caller made; only these users count.
    """
    active = active_runs(log, times)
    if question.cohort == "active":
        return _count_active(log, question, times, active)
    members, existing = starters(log, question, times, active)
    if labels is not None:
        members = members.join(labels, on="user_id", how="inner")
    by = group_columns(question)
    counts = _COUNTS.get(question.measure, _count_base)(log, question, times, active, members, by)
    sizes = collect(members.group_by(*by, "cohort").agg(nw.len().alias("size")))
    return Cells(sizes, counts, existing)


def active_runs(log: OrderLog, times: Times) -> Plan:
    """One row a user and period with an order that counts: user_id, index, orders, net, previous; computed once."""
    counting = log._orders(times.as_of).filter(nw.col("counts"))
    dated = with_period_index(counting, log, times.period, as_of=times.as_of)
    active = dated.group_by("user_id", "index").agg(nw.len().alias("orders"), nw.col("net").sum())
    whole = active.with_columns(nw.col("orders", "net").cast(nw.Int64))
    return settle(with_previous(whole, "index", by="user_id", into="previous"))


def group_columns(question: CohortQuestion) -> list[str]:
    """Columns by which users are grouped, an attribute that makes the cohorts among them."""
    if question.cohort == "given":
        return ["cohort_label", *question.by]
    if question.cohort not in ("first_order", "active"):
        return [question.cohort, *question.by]
    return list(question.by)


def starters(log: OrderLog, question: CohortQuestion, times: Times, active: Plan) -> tuple[Plan, int]:
    """One row a payer who is not existing: user_id, cohort (index of the first active period), own attributes."""
    members = active.filter(nw.col("previous") == NONE_BEFORE).select("user_id", nw.col("index").alias("cohort"))
    members, existing = _without_existing(members, log, question, times)
    attributes = [name for name in group_columns(question) if name != "cohort_label"]
    if attributes:
        members = members.join(own_values(log, times.as_of, attributes), on="user_id", how="inner")
    return members, existing


def own_values(log: OrderLog, day: int, names: Sequence[str]) -> Plan:
    """One row a payer: own attributes, ``subsidised`` made of the first order's coupon."""
    needed = tuple(dict.fromkeys("coupon_id" if name == "subsidised" else name for name in names))
    log.require(*needed, why=f"a cohort table by {', '.join(names)}")
    own = own_attributes(log, day, *needed)
    if "subsidised" in names:
        organic = nw.col("coupon_id").is_null()
        own = own.with_columns(
            nw.when(organic).then(nw.lit("organic")).otherwise(nw.lit("subsidised")).alias("subsidised")
        )
    return own.select("user_id", *names)


def _without_existing(members: Plan, log: OrderLog, question: CohortQuestion, times: Times) -> tuple[Plan, int]:
    if question.washout is None and not log.has("first_ordered_at") and _sees_all(log):
        return members, 0
    known = with_existing(_firsts(log, times.as_of), log, washout=question.washout)
    existing = known.filter(nw.col("existing"))
    n_existing = int(collect(existing.select(nw.len().alias("n")))["n"].iloc[0])
    new = known.filter(~nw.col("existing")).select("user_id")
    return members.join(new, on="user_id", how="inner"), n_existing


def warn_of_truncation(log: OrderLog, question: CohortQuestion) -> None:
    """Warn where the log seems to begin in the middle of lives; called from a public function, at its caller."""
    if question.washout is None and question.cohort != "active" and not log.has("first_ordered_at"):
        warn_if_left_truncated(_firsts(log, question.day), log, question.day, washout=None)


def _firsts(log: OrderLog, day: int) -> Plan:
    counting = log._orders(day).filter(nw.col("counts"))
    return counting.group_by("user_id").agg(nw.col("day").min().alias("first_day"))


def _sees_all(log: OrderLog) -> bool:
    """Whether no order lies before the day from which the log observes."""
    return log.first_day is None or log.observation.first <= day_number(log.first_day)


def _grouped(rows: Plan, by: list[str], **sums: str) -> pd.DataFrame:
    """Number of rows and sums of columns by group, cohort and age."""
    aggregates = [nw.col(column).sum().alias(name) for name, column in sums.items()]
    return collect(rows.group_by(*by, "cohort", "age").agg(nw.len().alias("users"), *aggregates))


def _aged(active: Plan, members: Plan) -> Plan:
    """Active periods of members, with their age."""
    rows = active.join(members, on="user_id", how="inner")
    return rows.with_columns((nw.col("index") - nw.col("cohort")).alias("age"))


def _count_base(
    log: OrderLog, question: CohortQuestion, times: Times, active: Plan, members: Plan, by: list[str]
) -> pd.DataFrame:
    """Active users by age, and of them what the measure asks about."""
    del log, times
    rows = active.join(members, on="user_id", how="inner").with_columns(
        (nw.col("index") - nw.col("cohort")).alias("age")
    )
    if question.measure in ("churn", "recall"):
        kept = (nw.col("index") - nw.col("previous") == 1).cast(nw.Int64)
        return _grouped(rows.with_columns(kept.alias("kept")), by, kept="kept")
    if question.measure == "repurchase":
        return _grouped(rows.with_columns((nw.col("orders") >= 2).cast(nw.Int64).alias("twice")), by, twice="twice")
    if question.measure in ("orders", "frequency"):
        return _grouped(rows, by, orders="orders")
    if question.measure == "aov":
        return _grouped(rows, by, orders="orders", net="net")
    return _grouped(rows, by)


def _count_last(
    log: OrderLog, question: CohortQuestion, times: Times, active: Plan, members: Plan, by: list[str]
) -> pd.DataFrame:
    """Users by the last age at which they are counted: last order (unbounded), end of the first run (streak)."""
    del log
    seen = active.filter(nw.col("index") <= times.last)
    if question.measure == "streak":
        broke = (nw.col("previous") != NONE_BEFORE) & (nw.col("index") - nw.col("previous") > 1)
        marked = seen.with_columns(nw.when(broke).then(nw.col("previous")).otherwise(nw.lit(_NEVER)).alias("run_end"))
        users = marked.group_by("user_id").agg(nw.col("index").max(), nw.col("run_end").min())
        ended = nw.col("run_end") < nw.col("index")
        users = users.with_columns(nw.when(ended).then(nw.col("run_end")).otherwise(nw.col("index")).alias("index"))
    else:
        users = seen.group_by("user_id").agg(nw.col("index").max())
    rows = users.join(members, on="user_id", how="inner")
    return _grouped(rows.with_columns((nw.col("index") - nw.col("cohort")).cast(nw.Int64).alias("age")), by)


def _count_brackets(
    log: OrderLog, question: CohortQuestion, times: Times, active: Plan, members: Plan, by: list[str]
) -> pd.DataFrame:
    """Users with an order anywhere in a bracket of ages; the age is the bracket's first."""
    del log, times
    edges = question.brackets or ()
    rows = active.join(members, on="user_id", how="inner").with_columns(
        (nw.col("index") - nw.col("cohort")).alias("age")
    )
    rows = rows.filter((nw.col("age") >= edges[0]) & (nw.col("age") < edges[-1]))
    bracket = nw.lit(edges[0])
    for edge in edges[1:-1]:
        bracket = nw.when(nw.col("age") >= edge).then(nw.lit(edge)).otherwise(bracket)
    rows = rows.with_columns(bracket.cast(nw.Int64).alias("age"))
    return _grouped(rows.select("user_id", *by, "cohort", "age").unique(), by)


def _count_windows(
    log: OrderLog, question: CohortQuestion, times: Times, active: Plan, members: Plan, by: list[str]
) -> pd.DataFrame:
    """Users with an order in each window of N days counted from their own first order."""
    del active
    days = question.window.days if question.window is not None else 1
    counting = log._orders(times.as_of).filter(nw.col("counts")).select("user_id", "day")
    firsts = counting.group_by("user_id").agg(nw.col("day").min().alias("first_day"))
    rows = counting.join(firsts.join(members, on="user_id", how="inner"), on="user_id", how="inner")
    age = times.period.__class__(f"{days}D").index_of(nw.col("day") - nw.col("first_day"), as_of=0)
    rows = rows.with_columns(age.cast(nw.Int64).alias("age"))
    return _grouped(rows.select("user_id", *by, "cohort", "age").unique(), by)


def _count_money(
    log: OrderLog, question: CohortQuestion, times: Times, active: Plan, members: Plan, by: list[str]
) -> pd.DataFrame:
    """Net money by age, refunds in the period in which they were given; the active users beside it."""
    users = _count_base(log, question, times, active, members, by)
    dated = with_period_index(log._orders(times.as_of), log, times.period, as_of=times.as_of)
    spent = dated.group_by("user_id", "index").agg(nw.col("net").sum())
    rows = spent.join(members, on="user_id", how="inner")
    # A refund before the first order that counts belongs to the user's beginning: money has to close.
    before = nw.col("index") < nw.col("cohort")
    age = nw.when(before).then(nw.lit(0)).otherwise(nw.col("index") - nw.col("cohort"))
    rows = rows.with_columns(age.cast(nw.Int64).alias("age"), nw.col("net").cast(nw.Int64))
    money = _grouped(rows, by, net="net").drop(columns="users")
    merged = users.merge(money, on=[*by, "cohort", "age"], how="outer")
    counted = ["users", "net"]
    return merged.assign(**{name: merged[name].fillna(0).astype("int64") for name in counted})


_COUNTS = {
    "unbounded": _count_last,
    "streak": _count_last,
    "bracket": _count_brackets,
    "rolling": _count_windows,
    "revenue": _count_money,
    "cumulative_revenue": _count_money,
}


def _count_active(log: OrderLog, question: CohortQuestion, times: Times, active: Plan) -> Cells:
    """Everybody active in a period is a member of it: one narrow join an age, never all pairs at once."""
    by = list(question.by)
    members = active.select("user_id", nw.col("index").alias("cohort"))
    if by:
        members = members.join(own_values(log, times.as_of, by), on="user_id", how="inner")
    sizes = collect(members.group_by(*by, "cohort").agg(nw.len().alias("size")))
    oldest = int(sizes["cohort"].min()) if len(sizes) else times.newest
    most = min(times.newest - oldest, _ACTIVE_AGES if question.max_age is None else question.max_age)
    later = active.select("user_id", "index")
    parts = [sizes.rename(columns={"size": "users"}).assign(age=0)]
    for age in range(1, most + 1):
        there = members.with_columns((nw.col("cohort") + age).alias("index"))
        rows = there.join(later, on=["user_id", "index"], how="inner").with_columns(nw.lit(age).alias("age"))
        parts.append(_grouped(rows, by))
    return Cells(sizes, pd.concat(parts, ignore_index=True), 0)
