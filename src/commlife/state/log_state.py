"""LogState: features, cohorts and lifecycle of a growing log, each night from the day's lines alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.cohorts import CohortQuestion, CohortTable
from commlife.errors import ConfigError
from commlife.features.summary import shown_summary, summary_facts
from commlife.orders import OrderLog
from commlife.orders.calendar import Timestamp, day_number, day_text
from commlife.orders.log import need_log
from commlife.segments import FittedLifecycle, Lifecycle
from commlife.state._lines import Shop, Users, short_lines, taken, with_segment
from commlife.state._sums import CohortSums, LifecycleSums, sums_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LogState"]

#: Cleaning rules that look at more than the lines at hand.
_NOT_BY_THE_DAY = ("max_addresses_per_user", "merge_within", "winsorize_amount")


@dataclass(frozen=True, repr=False)
class LogState:
    """What a nightly job keeps of a log: :meth:`update` takes the new lines, the answers are those of the whole log.

    Every answer equals that of a full run over all lines given so far, exactly: also when a refund cancels an old
    order, when an order's lines lie on both sides of a night, and when lines come late. For that the state keeps, of
    each order, one or two short lines (user, order, instant, money, attributes), sorted by user, and sums over users
    for each question that it follows. A night takes the users with new lines out of the sums, and adds them again with
    all of their past: it costs the new lines and the past of those users, and one pass over a row a user.

    A state never changes; :meth:`update` gives a new one.

    Attributes:
        as_of: The local business day before whose midnight lines are in, as an ISO day.
        questions: What it follows, in the order given.
    """

    as_of: str
    _shop: Shop
    _users: Users
    _segments: tuple[pd.DataFrame, ...]
    _facts: pd.DataFrame
    _sums: tuple[LifecycleSums | CohortSums, ...]
    _first: int
    _seen_from: int
    _told_first: bool
    _until: int | None

    @classmethod
    def start(cls, log: OrderLog, *, as_of: Timestamp, follow: Sequence[Lifecycle | CohortQuestion] = ()) -> LogState:
        """Begin with a whole log.

        Args:
            log: All lines so far, in any kind of frame.
            as_of: The local business day before whose midnight lines count; later ones are to be given later.
            follow: The questions that are kept up to date: ``Lifecycle(...)`` and ``CohortQuestion(...)`` (whose own
                ``as_of`` is replaced by the state's). The purchase summary is always there.

        Raises:
            ConfigError: If a question cannot be followed, or the log cannot: one with ``first_ordered_at``, or cleaned
                by a rule that looks at more than the lines at hand.

        Examples:
            >>> import commlife as cl
            >>> log = cl.datasets.make_community(n_users=200, seed=1).log
            >>> state = cl.LogState.start(log, as_of="2025-06-02", follow=[cl.Lifecycle(period="week")])
            >>> state
            LogState(before 2025-06-02, 168 users, 1,156 short lines, follows 1 question)
            >>> state.lifecycle().counts.columns.tolist()
            ['period', 'state', 'users']
        """
        need_log(log, "LogState.start")
        day = day_number(as_of)
        _check_log(log)
        empty = cls(
            as_of=day_text(day),
            _shop=Shop.of(log),
            _users=Users(pd.Index([])),
            _segments=(),
            _facts=pd.DataFrame(),
            _sums=tuple(_with_columns(sums_of(question), log) for question in follow),
            _first=log.observation.first,
            _seen_from=log.observation.first if log.first_day is None else day_number(log.first_day),
            _told_first=log._observed[0] is not None,
            _until=log.observation.until,
        )
        lines = short_lines(log, day, empty._shop.attributes)
        if lines.empty:
            raise ConfigError(
                f"LogState.start needs a paid line before {day_text(day)}; the log holds none. Use a later as_of."
            )
        return empty._with(lines, day)

    def update(self, week: OrderLog, *, as_of: Timestamp, late: Literal["raise", "take"] = "raise") -> LogState:
        """The state after further lines.

        Args:
            week: The new lines, with the columns of the first log: those dated from the state's ``as_of`` on. Refunds
                of older orders, and later lines of an order that was begun before, are new lines like others.
            as_of: The new day, not before the old one. Lines at or after it do not enter: give them again later.
            late: What to do about lines dated before the state's own ``as_of``: ``"raise"``, since they often mean
                that a file is given twice; ``"take"`` adds them, and the answers are those of a log that held them.

        Raises:
            ConfigError: If lines are late and not taken, a day lies before the one at which the log began to be seen,
                columns, zone or currency differ, ``as_of`` goes back, or a period that counts back from ``as_of``
                would come to lie on another grid.
        """
        before, day = day_number(self.as_of), day_number(as_of)
        if day < before:
            raise ConfigError(
                f"as_of={day_text(day)} lies before the state's own, {self.as_of}; a state goes forward."
                " Use a later as_of, or an older copy of the state."
            )
        if late not in ("raise", "take"):
            raise ConfigError.unknown_name("late", late, ("raise", "take"))
        _check_log(week)
        if Shop.of(week) != self._shop:
            raise ConfigError(
                f"the new lines have {Shop.of(week)}, the state {self._shop}: name the same columns, zone and currency."
            )
        self._check_days(week, before, late)
        moved = replace(
            self,
            as_of=day_text(day),
            _sums=tuple(each.moved(before, day) for each in self._sums),
            _until=week.observation.until,
            _seen_from=self._seen_from if week.first_day is None else min(self._seen_from, day_number(week.first_day)),
        )
        lines = short_lines(week, day, self._shop.attributes)
        return moved if lines.empty else moved._with(lines, day)

    # -- answers ----------------------------------------------------------------------------------------------------

    def purchase_summary(self) -> pd.DataFrame:
        """As :func:`commlife.purchase_summary` of the whole log, as pandas."""
        facts = self._facts.assign(user_id=self._users.ids[self._facts["user"].to_numpy()])
        plan = shown_summary(nw.from_native(facts).lazy(), day_number(self.as_of), scale=10**self._shop.currency_digits)
        return _engine.collect_rows(plan, call="LogState.purchase_summary").sort_values("user_id", ignore_index=True)

    def lifecycle(self, which: int = 0) -> FittedLifecycle:
        """As ``Lifecycle(...).fit`` of the whole log.

        Args:
            which: Which of the lifecycles that the state follows, counted from 0.

        Raises:
            ConfigError: If it follows none such.
            InsufficientDataError: If no complete period holds an order that counts.
        """
        made: FittedLifecycle = self._answer(LifecycleSums, which, "Lifecycle")
        return made

    def cohort_table(self, which: int = 0) -> CohortTable:
        """As :func:`commlife.cohort_table` of the whole log.

        Args:
            which: Which of the cohort questions that the state follows, counted from 0.

        Raises:
            ConfigError: If it follows none such.
            InsufficientDataError: If nobody has an order that counts, or all are existing.
        """
        made: CohortTable = self._answer(CohortSums, which, "CohortQuestion")
        return made

    @property
    def questions(self) -> tuple[Lifecycle | CohortQuestion, ...]:
        """What the state follows."""
        return tuple(each.question for each in self._sums)

    @cached_property
    def log(self) -> OrderLog:
        """An order log of the short lines, on pandas: for questions about orders that the state does not follow.

        Whatever looks at orders alone (RFM, call lists, growth accounting, purchase summaries) has the answer of the
        whole log there, at the price of a full run over the short lines. What looks at single lines (metrics dated by
        line, baskets, units) does not: ask the lines themselves.
        """
        every = np.arange(len(self._users.ids), dtype=np.int64)
        return self._shop.log(taken(self._segments, self._users, every), first=self._first, until=self._until)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write the state as Parquet files beside a JSON manifest; the folder is replaced whole, or not at all.

        Raises:
            PersistenceError: If the folder cannot be written.
            EngineError: If pyarrow is not installed.
        """
        from commlife.state.storage import save

        save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> LogState:
        """Read what :meth:`save` wrote.

        Raises:
            PersistenceError: If it is damaged, foreign, or from a newer version.
            EngineError: If pyarrow is not installed.
        """
        from commlife.state.storage import load

        return load(Path(folder))

    def __repr__(self) -> str:
        n = len(self._sums)
        lines = sum(len(segment) for segment in self._segments)
        told = f"{len(self._users.ids):,} users, {lines:,} short lines, follows {n} question{'' if n == 1 else 's'}"
        return f"LogState(before {self.as_of}, {told})"

    # -- inside -----------------------------------------------------------------------------------------------------

    def _with(self, lines: pd.DataFrame, day: int) -> LogState:
        """Take the users of new lines out of the sums, and add them with all of their past."""
        users, numbers = self._users.numbered(lines["user_id"])
        added = lines.drop(columns="user_id").assign(user=numbers)
        touched = np.unique(numbers)
        segments = with_segment(self._segments, added)
        past = taken(self._segments, users, touched) if self._segments else lines.iloc[:0]
        old = self._log(past) if len(past) else None
        new = self._log(taken(segments, users, touched))

        def number(ids: pd.Series[Any]) -> NDArray[np.int64]:
            return users.numbered(ids)[1]

        facts = _engine.collect_rows(summary_facts(new, day), call="LogState.update")
        facts.insert(0, "user", number(facts.pop("user_id")))
        if len(self._facts):
            facts = pd.concat([self._facts[~np.isin(self._facts["user"], touched)], facts], ignore_index=True)
        sums = tuple(each.updated(old, new, touched, number, day) for each in self._sums)
        return replace(self, _users=users, _segments=segments, _facts=facts, _sums=sums)

    def _log(self, lines: pd.DataFrame) -> OrderLog:
        return self._shop.log(lines, first=self._first, until=self._until)

    def _past(self, numbers: NDArray[np.int64]) -> OrderLog:
        return self._log(taken(self._segments, self._users, numbers))

    def _answer(self, kind: type, which: int, name: str) -> Any:
        held = [each for each in self._sums if isinstance(each, kind)]
        if isinstance(which, bool) or not isinstance(which, int) or not 0 <= which < len(held):
            raise ConfigError(
                f"the state follows {len(held)} questions of the kind {name}; seen which={which!r:.20}. Name them in "
                f"LogState.start(..., follow=[{name}(...)])."
            )
        # One line stands for what the log as a whole is known to see.
        one = self._segments[0].iloc[:1]
        seen = one.drop(columns="user").assign(user_id=self._users.ids[one["user"].to_numpy()])
        told = self._log(seen.assign(day=self._seen_from, us=self._seen_from * 86_400_000_000))
        return held[which].answer(told, day_number(self.as_of), self._past, self._users.ids)

    def _check_days(self, week: OrderLog, before: int, late: str) -> None:
        if week.first_day is None:
            return
        first = day_number(week.first_day)
        if first < before and late == "raise":
            rows = _engine.count_rows(week._lines(before, "day"))
            raise ConfigError(
                f"{rows:,} paid lines lie before {self.as_of}, up to which the state has been told (the first on "
                f'{week.first_day}). Give each line once; late="take" adds lines that came late.'
            )
        if first < self._first and not self._told_first:
            raise ConfigError(
                f"a line on {week.first_day} lies before {day_text(self._first)}, where the log began: who is new "
                "would change for everybody. Start again from the whole log, or name observed_from."
            )


def _check_log(log: Any) -> None:
    if not isinstance(log, OrderLog):
        raise ConfigError(f"LogState takes an OrderLog; seen {type(log).__name__}. Make one with OrderLog.from_frame.")
    if log.has("first_ordered_at"):
        raise ConfigError("LogState does not follow first_ordered_at; leave the column out and use a washout.")
    used = [rule for rule in log.audit["rule"] if rule in _NOT_BY_THE_DAY]
    if used:
        raise ConfigError(
            f"the log was cleaned by {', '.join(used)}, which look at more than the lines at hand: a day cleaned alone "
            "is not the whole log cleaned. Follow the log before these rules."
        )


def _with_columns(sums: LifecycleSums | CohortSums, log: OrderLog) -> LifecycleSums | CohortSums:
    question = sums.question
    names = list(question.by)
    if isinstance(question, CohortQuestion) and question.cohort not in ("first_order", "active"):
        names.append(question.cohort)
    if names:
        needed = ["coupon_id" if name == "subsidised" else name for name in names]
        log.require(*needed, why=f"a question by {', '.join(names)}")
    return sums
