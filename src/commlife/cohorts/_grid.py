"""Grid: the finishing half of a cohort table, in NumPy on the small grouped result.

Every cell that has begun gets a row; a complete one without activity is 0, one that is not complete is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from commlife._stats.wilson import wilson_interval
from commlife.cohorts._cells import ACTIVE_AGES, Asked, Cells, group_columns
from commlife.cohorts.aggregation import Aggregation
from commlife.cohorts.question import CohortQuestion
from commlife.orders.calendar import days_to_datetime64

__all__ = ["finish", "with_rates"]

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Cells of all cohorts end to end: where each cohort begins, and each cell's place in its cohort."""

    begun: Ints  # cells that have begun, a cohort
    complete: Ints  # and of them those that are complete
    ages: Ints  # label of the k-th cell

    @property
    def starts(self) -> Ints:
        return np.cumsum(self.begun) - self.begun

    @property
    def row(self) -> Ints:
        return np.repeat(np.arange(len(self.begun)), self.begun)

    @property
    def place(self) -> Ints:
        return np.arange(int(self.begun.sum())) - self.starts[self.row]

    @property
    def is_complete(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.place < self.complete[self.row]

    def running(self, values: Ints) -> Ints:
        """Sums up to and with each cell, within its cohort."""
        before = np.concatenate([[0], np.cumsum(values)])
        return before[1:] - before[self.starts][self.row]

    def onward(self, values: Ints) -> Ints:
        """Sums from each cell on, within its cohort."""
        before = np.concatenate([[0], np.cumsum(values)])
        return before[self.starts + self.begun][self.row] - before[:-1]

    def before(self, values: Ints) -> Ints:
        """The value one age earlier; 0 at the first."""
        return np.where(self.place > 0, np.concatenate([[0], values[:-1]]), 0)


def finish(cells: Cells, asked: Asked) -> pd.DataFrame:
    """The long table: group, cohort, age, users, size, value where the measure has one, rate, low, high."""
    question = asked.question
    scale = asked.log.scale if asked.own_measure is None else asked.own_measure.unit
    by = group_columns(question)
    sizes = cells.sizes
    layout = _layout(sizes, asked)
    dense = _scatter(cells.counts, layout)
    size = sizes["size"].to_numpy()[layout.row]
    numerator, denominator, value = _measured(question.measure, dense, size, layout, scale)
    known = layout.is_complete & (denominator >= 0)
    starts = np.asarray(asked.period.start(sizes["cohort"].to_numpy(), as_of=asked.as_of))
    table = sizes.loc[layout.row, by].reset_index(drop=True)
    table["cohort"] = days_to_datetime64(starts)[layout.row]
    table["age"] = layout.ages[layout.place]
    table["users"] = np.where(known, numerator, np.nan)
    table["size"] = np.where(known, denominator, np.nan)
    if value is not None:
        table["value"] = np.where(known, value, np.nan)
    if by == list(question.by):
        return with_rates(table, question)
    return with_rates(_pooled_by_label(table, by[0], question), question)


def with_rates(table: pd.DataFrame, question: CohortQuestion) -> pd.DataFrame:
    """Add rate, low and high: Wilson's interval for users out of users, none for money and orders."""
    size = table["size"].to_numpy(dtype=np.float64)
    is_share = question.is_share
    top = table["users" if is_share else "value"].to_numpy(dtype=np.float64)
    rate = top / np.where(size > 0, size, np.nan)
    low, high = wilson_interval(top, size) if is_share else (np.full(len(table), np.nan), np.full(len(table), np.nan))
    return table.assign(rate=rate, low=low, high=high)


def _layout(sizes: pd.DataFrame, asked: Asked) -> _Layout:
    question = asked.question
    cohort = sizes["cohort"].to_numpy()
    begun, complete = asked.newest - cohort + 1, np.maximum(asked.last - cohort + 1, 0)
    if question.brackets is not None:
        edges = np.asarray(question.brackets, dtype=np.int64)
        begun = np.searchsorted(edges[:-1], begun)
        complete = np.searchsorted(edges[1:], complete, side="right")
        return _Layout(np.where(sizes["size"] > 0, begun, 0), complete, edges[:-1])
    if question.window is not None:
        days = question.window.days
        first = np.asarray(asked.period.start(cohort, as_of=asked.as_of))
        after = np.asarray(asked.period.start(cohort + 1, as_of=asked.as_of))
        begun = -((first - asked.as_of) // days)
        complete = np.maximum((asked.until - after + 1) // days, 0)
    if question.max_age is not None:
        begun = np.minimum(begun, question.max_age + 1)
    elif question.cohort == "active":
        begun = np.minimum(begun, ACTIVE_AGES + 1)
    begun = np.where(sizes["size"] > 0, begun, 0)  # a period in which nobody came is no cohort
    return _Layout(begun, np.minimum(complete, begun), np.arange(int(begun.max(initial=0))))


def _scatter(counts: pd.DataFrame, layout: _Layout) -> dict[str, Ints]:
    """Each counted column over all cells, 0 where nothing was counted."""
    row, age = counts["row"].to_numpy(), counts["age"].to_numpy()
    place = np.minimum(np.searchsorted(layout.ages, age), len(layout.ages) - 1)
    inside = (layout.ages[place] == age) & (place < layout.begun[row])
    at = layout.starts[row[inside]] + place[inside]
    dense: dict[str, Ints] = {}
    for name in counts.columns.difference(["row", "age"]):
        dense[name] = np.zeros(int(layout.begun.sum()), dtype=np.int64)
        dense[name][at] = counts[name].to_numpy()[inside]
    return dense


def _measured(
    measure: str | Aggregation, dense: dict[str, Ints], size: Ints, layout: _Layout, scale: int
) -> tuple[Ints, Ints, Floats | Ints | None]:
    """Numerator (users), denominator (-1: not asked at this age) and value of a measure over all cells."""
    users = dense["users"]
    if isinstance(measure, Aggregation):
        return _own(measure, dense, size, scale)
    if measure in ("unbounded", "streak"):
        return layout.onward(users), size, None
    if measure in ("churn", "recall"):
        earlier = layout.before(users)
        first = layout.place == 0
        if measure == "churn":
            return earlier - dense["kept"], np.where(first, -1, earlier), None
        return users - dense["kept"], np.where(first, -1, size - earlier), None
    if measure == "repurchase":
        return dense["twice"], users, None
    if measure == "orders":
        return users, size, dense["orders"]
    if measure == "frequency":
        return users, users, dense["orders"]
    if measure == "aov":
        return users, dense["orders"], dense["net"] / scale
    if measure == "revenue":
        return users, size, dense["net"] / scale
    if measure == "cumulative_revenue":
        return users, size, layout.running(dense["net"]) / scale
    return users, size, None


def _own(
    measure: Aggregation, dense: dict[str, Ints], size: Ints, scale: int
) -> tuple[Ints, Ints, Floats | Ints | None]:
    """The same for a measure of the host's own."""
    if measure.is_share:
        return dense["own"], size, None
    of = {"sum": size, "expression": size, "mean": dense.get("had", size)}.get(measure.how, dense["users"])
    return dense["users"], of, dense["own"] / scale


def _pooled_by_label(table: pd.DataFrame, label: str, question: CohortQuestion) -> pd.DataFrame:
    """Cohorts that are no dates: at each age, all of their users for whom that age is complete."""
    counted = [name for name in ("users", "size", "value") if name in table]
    keys = [*question.by, label, "age"]
    pooled = table.groupby(keys, dropna=False, sort=True)[counted].sum(min_count=1).reset_index()
    return pooled.rename(columns={label: "cohort"})
