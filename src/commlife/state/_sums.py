"""Sums over users: those of some users are taken away and added again, and the rest of the history is not looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.cohorts import CohortQuestion, CohortTable
from commlife.cohorts._cells import Asked, Cells, count_cells, group_columns
from commlife.cohorts.table import table_of_cells
from commlife.errors import ConfigError
from commlife.features.flows import activity_runs, count_runs, flows_of_counts, tells_existing
from commlife.orders.calendar import Period, day_text
from commlife.segments.lifecycle import FittedLifecycle, Lifecycle, fitted_of_flows, newest_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["CohortSums", "LifecycleSums", "sums_of"]

#: Measures whose cell of an untouched user changes as time goes by: they ask about all that came later.
_NOT_SUMS = ("unbounded", "streak")


def sums_of(question: Any) -> LifecycleSums | CohortSums:
    """The empty sums of a question.

    Raises:
        ConfigError: If it cannot be followed.
    """
    if isinstance(question, Lifecycle):
        return LifecycleSums(question)
    if not isinstance(question, CohortQuestion):
        raise ConfigError(f"follow takes Lifecycle(...) and CohortQuestion(...); seen {type(question).__name__}.")
    if question.measure in _NOT_SUMS or question.cohort == "given":
        raise ConfigError(
            f"LogState does not follow measure={question.measure!r} with cohort={question.cohort!r}: such cells of "
            "users who did not order change as well. Ask cohort_table of the whole log."
        )
    return CohortSums(question)


def moved_periods(period: Period, before: int, after: int) -> int:
    """Periods by which a grid that counts back from as_of moves.

    Raises:
        ConfigError: If it would be another grid.
    """
    if period in Period.CALENDAR:
        return 0
    days = int(period[:-1])
    if (after - before) % days:
        raise ConfigError(
            f"period={str(period)!r} counts back from as_of: from {day_text(before)} it can be followed to days that "
            f"are a multiple of {days} later; seen {day_text(after)}. Use those, or a calendar period such as 'week'."
        )
    return (after - before) // days


def _added(total: pd.DataFrame | None, old: pd.DataFrame | None, new: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The total less the old plus the new, by keys; a row that holds nothing any more goes."""
    sums = [name for name in new.columns if name not in keys]
    gone = None if old is None else old.assign(**{name: -old[name] for name in sums})
    parts = [part for part in (total, gone, new) if part is not None and len(part)]
    whole = pd.concat(parts or [new], ignore_index=True)
    grouped = whole.groupby(keys, dropna=False, sort=True, as_index=False)[sums].sum()
    return grouped[(grouped[sums] != 0).any(axis=1)].reset_index(drop=True)


@dataclass(frozen=True)
class LifecycleSums:
    """Runs of users by group, period, how they came and what followed; and of each user the newest run.

    Attributes:
        spec: What is asked.
        cells: See :func:`~commlife.features.flows.count_runs`.
        refunds: Likewise.
        users: user (its number), own attributes, newest, entered; runs in a period that is not complete included.
    """

    spec: Lifecycle
    cells: pd.DataFrame | None = None
    refunds: pd.DataFrame | None = None
    users: pd.DataFrame | None = None

    @property
    def question(self) -> Lifecycle:
        """What is asked."""
        return self.spec

    def updated(self, old: OrderLog | None, new: OrderLog, touched: NDArray[np.int64], number: Any, as_of: int) -> Self:
        """The sums after some users' past changed from one log (None: they had none) to another."""
        spec, keys = self.spec, [*self.spec.by, "index"]
        was = None if old is None else count_runs(self._runs(old, as_of), by=spec.by)
        runs = self._runs(new, as_of)
        cells, refunds = count_runs(runs, by=spec.by)
        newest = _engine.collect_rows(newest_runs(runs, spec), call="LogState.update")
        newest.insert(0, "user", number(newest.pop("user_id")))
        kept = None if self.users is None else self.users[~np.isin(self.users["user"], touched)]
        return replace(
            self,
            cells=_added(self.cells, None if was is None else was[0], cells, [*keys, "entry", "exit"]),
            refunds=_added(self.refunds, None if was is None else was[1], refunds, keys),
            users=newest if kept is None else pd.concat([kept, newest], ignore_index=True),
        )

    def moved(self, before: int, after: int) -> Self:
        """The same on the grid of another day."""
        shift = moved_periods(self.spec.period, before, after)
        if not shift or self.cells is None or self.refunds is None or self.users is None:
            return self
        entered = self.users["entered"].to_numpy()
        return replace(
            self,
            cells=self.cells.assign(index=self.cells["index"] - shift),
            refunds=self.refunds.assign(index=self.refunds["index"] - shift),
            users=self.users.assign(
                newest=self.users["newest"] - shift, entered=np.where(entered > 0, entered - 8 * shift, entered)
            ),
        )

    def answer(self, log: OrderLog, as_of: int, past: Callable[[NDArray[np.int64]], OrderLog], ids: Any) -> Any:
        """The fitted lifecycle; ``log`` tells what is observed, ``past`` is the past of some users."""
        spec = self.spec
        runs = activity_runs(
            log, as_of, period=spec.period, silent_after=spec.silent_after, churned_after=spec.churned_after,
            washout=spec.washout, by=spec.by, warn=False,
        )  # fmt: skip
        assert self.cells is not None  # noqa: S101  (a state is made with a first update)
        assert self.refunds is not None  # noqa: S101
        assert self.users is not None  # noqa: S101
        flows = flows_of_counts(
            self.cells, self.refunds, last=runs.last, tells_existing=tells_existing(log, washout=spec.washout),
            period=spec.period, as_of=as_of, silent_after=spec.silent_after, churned_after=spec.churned_after,
            by=spec.by, what="a lifecycle",
        )  # fmt: skip
        ahead = self.users["newest"].to_numpy() > runs.last
        behind = self.users[~ahead]
        newest = behind.assign(user_id=ids[behind["user"].to_numpy()]).drop(columns="user")
        if ahead.any():
            # Whoever ordered in the period that is not complete has an earlier run that tells the state: few users.
            some = past(np.sort(self.users["user"].to_numpy()[ahead]))
            theirs = _engine.collect_rows(
                newest_runs(self._runs(some, as_of, incomplete=False), spec), call="LogState.lifecycle"
            )
            newest = pd.concat([newest, theirs[newest.columns]], ignore_index=True)
        made: FittedLifecycle = fitted_of_flows(
            log, spec, nw.from_native(newest).lazy(), flows, as_of=as_of, last=runs.last
        )
        return made

    def _runs(self, log: OrderLog, as_of: int, *, incomplete: bool = True) -> Any:
        spec = self.spec
        return activity_runs(
            log, as_of, period=spec.period, silent_after=spec.silent_after, churned_after=spec.churned_after,
            washout=spec.washout, by=spec.by, warn=False, incomplete=incomplete,
        )  # fmt: skip


@dataclass(frozen=True)
class CohortSums:
    """Cohorts and what became of them, by group, cohort and age.

    Attributes:
        asked: What is asked, with the day of the state.
        sizes: Groups, cohort, size.
        counts: Groups, cohort, age, and the columns that the measure needs.
        existing: Users whose life began before.
    """

    asked: CohortQuestion
    sizes: pd.DataFrame | None = None
    counts: pd.DataFrame | None = None
    existing: int = 0

    @property
    def question(self) -> CohortQuestion:
        """What is asked."""
        return self.asked

    def updated(self, old: OrderLog | None, new: OrderLog, touched: NDArray[np.int64], number: Any, as_of: int) -> Self:
        """The sums after some users' past changed from one log (None: they had none) to another."""
        del touched, number
        question = _on(self.asked, as_of)
        was = None if old is None else _cohort_sums(old, question)
        sizes, counts, existing = _cohort_sums(new, question)
        keys = [*group_columns(question), "cohort"]
        return replace(
            self,
            asked=question,
            sizes=_added(self.sizes, None if was is None else was[0], sizes, keys),
            counts=_added(self.counts, None if was is None else was[1], counts, [*keys, "age"]),
            existing=self.existing - (0 if was is None else was[2]) + existing,
        )

    def moved(self, before: int, after: int) -> Self:
        """The same on the grid of another day."""
        shift = moved_periods(self.asked.period, before, after)
        asked = _on(self.asked, after)
        if not shift or self.sizes is None or self.counts is None:
            return replace(self, asked=asked)
        return replace(
            self,
            asked=asked,
            sizes=self.sizes.assign(cohort=self.sizes["cohort"] - shift),
            counts=self.counts.assign(cohort=self.counts["cohort"] - shift),
        )

    def answer(self, log: OrderLog, as_of: int, past: Any, ids: Any) -> CohortTable:
        """The table; ``log`` tells what is observed."""
        del past, ids
        question = _on(self.asked, as_of)
        assert self.sizes is not None  # noqa: S101  (a state is made with a first update)
        assert self.counts is not None  # noqa: S101
        by, keys = group_columns(question), [*group_columns(question), "cohort"]
        asked = Asked(log, question)
        sizes = self.sizes.sort_values(keys, ignore_index=True)
        if not by:
            every = pd.DataFrame(
                {"cohort": np.arange(int(sizes["cohort"].min() if len(sizes) else 0), asked.newest + 1)}
            )
            sizes = every.merge(sizes, on="cohort", how="left").fillna({"size": 0}).astype({"size": "int64"})
        rows = sizes[keys].assign(row=np.arange(len(sizes)))
        counts = self.counts.merge(rows, on=keys, how="inner").drop(columns=keys)
        return table_of_cells(Cells(sizes, counts, self.existing), asked)


def _on(question: CohortQuestion, as_of: int) -> CohortQuestion:
    return CohortQuestion(**{**question.model_dump(), "as_of": day_text(as_of)})


def _cohort_sums(log: OrderLog, question: CohortQuestion) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The cells of some users under the names of their cohorts: sizes, counts, existing users."""
    cells = count_cells(Asked(log, question))
    keys = [*group_columns(question), "cohort"]
    named = cells.sizes[keys].assign(row=np.arange(len(cells.sizes)))
    counts = cells.counts.merge(named, on="row", how="inner").drop(columns="row")
    return cells.sizes[cells.sizes["size"] > 0][[*keys, "size"]], counts, cells.existing_users
