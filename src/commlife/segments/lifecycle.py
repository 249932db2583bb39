"""Lifecycle: the state of every user at the end of every period, and the flows between states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from commlife import _engine
from commlife._model import FittedOn, Given, Spec, default, library_version
from commlife._text import check_language, labels
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError
from commlife.features.flows import (
    FROM_SILENT,
    KEPT,
    Flows,
    Runs,
    activity_runs,
    attribute_names,
    stocks_and_flows,
)
from commlife.orders.calendar import Duration, Period, Timestamp, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["ACTIONS", "STATES", "FittedLifecycle", "Lifecycle", "fitted_of_flows", "newest_runs"]

#: The states, in the order of a life; the first four make the base.
STATES = ("new", "existing", "active", "returned", "silent", "churned")
"""The states of a lifecycle, in the order of a life; the first four make the base."""
#: Their places in it. A new user's and an existing one's are those of the codes NEW and EXISTING.
_ACTIVE, _RETURNED, _SILENT, _CHURNED = (STATES.index(state) for state in ("active", "returned", "silent", "churned"))
State = Literal["new", "existing", "active", "returned", "silent", "churned"]

#: What to do with the users in a state, in English and Chinese.
ACTIONS: dict[str, dict[str, str]] = {
    "new": {"en": "Welcome; help with the second order this week.", "zh": "欢迎；本周促成第二单。"},
    "existing": {"en": "Treat as active: their first order lies before the log.", "zh": "按活跃维护：首单早于日志。"},
    "active": {"en": "Keep: recommend a further category.", "zh": "保持：推荐更多品类。"},
    "returned": {"en": "Thank for coming back; ask what had been missing.", "zh": "感谢回归；询问此前的不满。"},
    "silent": {"en": "Call back now, while a return is likely.", "zh": "趁可能回归，立即回访。"},
    "churned": {"en": "Broad campaigns only; no calls.", "zh": "仅随大促触达，不投入人工。"},
}
"""What to do with the users in each state: from state to language (``"en"``, ``"zh"``) to sentence."""

_DAY = 86_400_000_000  # microseconds
#: Makes every index of a period positive, so that engines which truncate a division and engines which floor it agree.
_SHIFT = 2**30


class Lifecycle(Spec):
    """Sort users into new, active, returned, silent and churned, with stocks and flows that close.

    At the end of each complete period, from the gap ``g`` in periods to a user's last order that counts: ``new``
    (first order in this period), ``returned`` (ordered now after having been silent or churned), ``active``
    (``g < silent_after``, neither new nor returned), ``silent`` (``silent_after <= g < churned_after``) and
    ``churned`` (``g >= churned_after``). Users whose life began before the log shows it are ``existing`` where they
    would be new: in the period in which they are first seen; after that they are active, returned, silent or churned
    like everybody. The base is new + existing + active + returned.

    Args:
        period: Grid of time: ``"7D"`` (counted back from ``as_of``), ``"week"``, ``"month"``, ``"quarter"``.
        silent_after: Periods without an order after which a user is silent.
        churned_after: Periods without an order after which a silence is called long; above ``silent_after``.
        washout: Users first seen within it are existing, not new, such as ``"28D"``.
        by: Attributes of users (those of the first order that counts) to split all tables by: ``"community"``,
            ``"channel"``, ..., or columns of the host's own that the log carries (``keep``).
        lang: Language of ``next_action``, ``"en"`` or ``"zh"``.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import Lifecycle
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> life = Lifecycle(period="7D", washout="28D").fit(log, as_of="2025-06-30")
        >>> life.states.columns.tolist()
        ['user_id', 'state', 'since', 'next_action']
        >>> life.counts.columns.tolist(), life.transitions.columns.tolist()
        (['period', 'state', 'users'], ['period', 'from_state', 'to_state', 'users'])
    """

    period: Given[Period, str] = default(Period("7D"))
    silent_after: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    churned_after: Annotated[int, Field(ge=2, le=100_000, strict=True)] = 8
    washout: Given[Duration | None, str | None] = default(None)
    by: Annotated[tuple[str, ...], BeforeValidator(attribute_names)] = ()
    lang: Literal["en", "zh"] = "en"

    @model_validator(mode="after")
    def _long_silence_is_longer(self) -> Self:
        if self.churned_after <= self.silent_after:
            raise ConfigError(
                f"churned_after lies above silent_after; seen {self.churned_after} and {self.silent_after}."
            )
        return self

    def fit(self, log: OrderLog, *, as_of: Timestamp) -> FittedLifecycle:
        """Follow every payer through the complete periods before ``as_of``.

        Args:
            log: The order log.
            as_of: The local business day before whose midnight orders count.

        Raises:
            InsufficientDataError: If no complete period holds an order that counts.
            ConfigError: If the host did not name a column of ``by``.

        Warns:
            LeftTruncatedWarning: If the log begins in the middle of lives and there is no washout.
        """
        need_log(log, "Lifecycle.fit")
        day = day_number(as_of)
        with _engine.scope():
            runs = activity_runs(
                log,
                day,
                period=self.period,
                silent_after=self.silent_after,
                churned_after=self.churned_after,
                washout=self.washout,
                by=self.by,
            )
            flows = stocks_and_flows(
                runs,
                period=self.period,
                as_of=day,
                silent_after=self.silent_after,
                churned_after=self.churned_after,
                by=self.by,
                what="a lifecycle",
            )
            return fitted_of_flows(log, self, newest_runs(runs, self), flows, as_of=day, last=runs.last)


@dataclass(frozen=True)
class FittedLifecycle:
    """States of users, and stocks and flows of states.

    These are results at ``as_of``, one row a user among them, and no learned state: there is no ``to_json`` here. Keep
    ``spec.to_json()`` and fit it again; the same log and ``as_of`` give the same tables. Thresholds that were learned
    (:meth:`ReturnCurve.lifecycle`) are in the spec.

    Attributes:
        spec: What was asked.
        states: A row a payer at the end of the newest complete period, in the input's own kind of frame: ``user_id,
            state, since`` (first day of the period in which the user came into this state), ``next_action``, and the
            attributes of ``by``. Users whose first order lies in the period that is not complete are not in it.
        counts: ``[by...], period`` (its first day), ``state, users``: all six states of every period, in the order of
            a life; ``existing`` is 0 where nobody may have lived before the log.
        transitions: ``[by...], period, from_state, to_state, users``: from the end of the period before to the end of
            this one, pairs that occur; who comes is from null.
        growth: The same flows as ``growth_accounting`` tells them, with the base of this lifecycle. With
            ``silent_after`` above 1 a user stops spending before he lapses: that money is in ``revenue_contraction``.
        fitted_on: When, and on how many users.
    """

    spec: Lifecycle
    states: Any
    counts: pd.DataFrame
    transitions: pd.DataFrame
    growth: pd.DataFrame
    fitted_on: FittedOn

    def to_frame(self) -> pd.DataFrame:
        """The counts."""
        return self.counts.copy()

    def wide(self, lang: str | None = None) -> pd.DataFrame:
        """Periods down, states across; with ``by`` the groups before the periods.

        Args:
            lang: ``"en"`` or ``"zh"`` puts labels in the place of the states' names.

        Raises:
            ConfigError: If the language is none of ours.
        """
        keys = [*self.spec.by, "period"]
        wide = self.counts.pivot_table(
            index=keys, columns="state", values="users", sort=False, dropna=False, observed=True
        )
        whole = wide[list(STATES)].astype(np.int64)
        return whole if lang is None else whole.rename(columns=labels(check_language(lang)))

    def plot(self, ax: Any = None, *, kind: Literal["stocks", "flows"] = "stocks") -> Any:
        """The stocks over time, base above and silence below the line, or the flows into and out of the base.

        Raises:
            ConfigError: If ``kind`` is neither.
        """
        from commlife.segments.figures_over_time import draw_flows, draw_lifecycle

        if kind not in ("stocks", "flows"):
            raise ConfigError.unknown_name("kind", kind, ("stocks", "flows"))
        return draw_lifecycle(self, ax) if kind == "stocks" else draw_flows(self, ax)

    def _repr_html_(self) -> str:
        return in_notebook(self, self.wide().tail(8), index=True)

    def __repr__(self) -> str:
        newest = self.counts[self.counts["period"] == self.counts["period"].max()].groupby("state")["users"].sum()
        told = ", ".join(f"{newest[state]:,} {state}" for state in STATES if newest[state])
        return f"FittedLifecycle({self.fitted_on.users:,} users before {self.fitted_on.as_of}: {told})"


def fitted_of_flows(
    log: OrderLog, spec: Lifecycle, newest: nw.LazyFrame[Any], flows: Flows, *, as_of: int, last: int
) -> FittedLifecycle:
    """The fitted lifecycle from the newest run of each user and the flows of all."""
    users = _engine.settle(_states(newest, spec, as_of, first=flows.first, last=last))
    n_users = _engine.count_rows(users)
    return FittedLifecycle(
        spec=spec,
        states=log.give(users.select("user_id", "state", "since", "next_action", *spec.by)),
        counts=_counts(flows),
        transitions=_transitions(flows),
        growth=flows.growth(scale=log.scale),
        fitted_on=FittedOn(as_of=day_text(as_of), rows=n_users, users=n_users, version=library_version()),
    )


def newest_runs(runs: Runs, spec: Lifecycle) -> nw.LazyFrame[Any]:
    """One row a user: own attributes, newest (index of the last run), entered (code of the last entry into the base).

    The code holds the index and how the user came, never negative: the greatest one is that of the newest entry.
    """
    coded = (nw.col("index") + _SHIFT) * 8 + nw.col("entry")
    entered = nw.when(nw.col("entry") == KEPT).then(nw.lit(0)).otherwise(coded).cast(nw.Int64)
    marked = runs.active.with_columns(entered.alias("entered"))
    users = _engine.greatest_by_key(marked, "user_id", greatest=["index", "entered"], own=spec.by)
    return users.rename({"index": "newest"})


def _states(users: nw.LazyFrame[Any], spec: Lifecycle, day: int, *, first: int, last: int) -> nw.LazyFrame[Any]:
    """The state of each user at the end of the newest complete period, and the period it began in."""
    users = users.with_columns((nw.col("entered") // 8).cast(nw.Int64).alias("shifted"))
    users = users.with_columns(
        (nw.col("shifted") - _SHIFT).alias("run"),
        (nw.col("entered") - nw.col("shifted") * 8).alias("how"),
        (last - nw.col("newest")).alias("gap"),
    )
    gap, newest, how = nw.col("gap"), nw.col("newest"), nw.col("how")
    just_came = nw.col("run") == last
    # Places in STATES: whoever came from a silence has returned.
    came = nw.when(how >= FROM_SILENT).then(nw.lit(_RETURNED)).otherwise(how)
    away = nw.when(gap >= spec.churned_after).then(nw.lit(_CHURNED)).otherwise(nw.lit(_SILENT))
    here = nw.when(just_came).then(came).otherwise(nw.lit(_ACTIVE))
    state = nw.when(gap >= spec.silent_after).then(away).otherwise(here)
    since = (
        nw.when(gap >= spec.churned_after)
        .then(newest + spec.churned_after)
        .otherwise(
            nw.when(gap >= spec.silent_after)
            .then(newest + spec.silent_after)
            .otherwise(nw.when(just_came).then(nw.col("run")).otherwise(nw.col("run") + 1))
        )
    )
    users = users.with_columns(state.cast(nw.Int64).alias("state_code"), since.cast(nw.Int64).alias("since_index"))
    # The first days of the few periods that occur are joined: engines would repeat the calendar's formula many times.
    indices = np.arange(first, last + 1)
    days = pd.DataFrame({"since_index": indices, "since_us": spec.period.start(indices, as_of=day) * _DAY})
    users = users.join(
        _engine.lazy_like(days, users, types={"since_index": "since_index"}), on="since_index", how="left"
    )
    users = _engine.microsecond_as_datetime(users, "since_us", into="since")
    actions = [ACTIONS[name][spec.lang] for name in STATES]
    return _engine.with_labels(users, "state_code", {"state": STATES, "next_action": actions})


def _counts(flows: Flows) -> pd.DataFrame:
    """All states of every group and period, states in the order of a life."""
    stocks = {
        "new": flows.new,
        "existing": flows.existing,
        "active": flows.kept,
        "returned": flows.returned,
        "silent": flows.silent,
        "churned": flows.churned,
    }
    return _stacked(flows, {(state,): users for state, users in stocks.items()}, ("state",))


def _transitions(flows: Flows) -> pd.DataFrame:
    """The flows between states that occur."""
    came = (
        ("new", flows.new, flows.new_lapsed),
        ("existing", flows.existing, flows.existing_lapsed),
        ("returned", flows.returned, flows.returned_lapsed),
    )
    moves: dict[tuple[Any, Any], Any] = {(None, "new"): flows.new, (None, "existing"): flows.existing}
    for state, entered, lapsed in came:
        moves[state, "active"] = _later(entered) - lapsed
        moves[state, "silent"] = lapsed
    lapsed_at_once = reduce(np.add, (lapsed for _, _, lapsed in came))
    stayed = reduce(np.add, (moves[state, "active"] for state, _, _ in came))
    moves |= {
        ("active", "active"): flows.kept - stayed,
        ("active", "silent"): flows.lapsed - lapsed_at_once,
        ("silent", "silent"): _later(flows.silent) - flows.to_churned - flows.from_silent,
        ("silent", "churned"): flows.to_churned,
        ("silent", "returned"): flows.from_silent,
        ("churned", "churned"): _later(flows.churned) - flows.from_churned,
        ("churned", "returned"): flows.from_churned,
    }
    table = _stacked(flows, moves, ("from_state", "to_state"))
    return table[table["users"] != 0].reset_index(drop=True)


def _later(users: Any) -> Any:
    """The stock of the period before."""
    moved = np.zeros_like(users)
    moved[:, 1:] = users[:, :-1]
    return moved


def _stacked(flows: Flows, tables: dict[tuple[Any, ...], Any], names: Sequence[str]) -> pd.DataFrame:
    """Tables by group and period as one long frame: groups, period, names, users."""
    keys = flows.table({})
    n, k = len(keys), len(tables)
    stacked = keys.iloc[np.repeat(np.arange(n), k)].reset_index(drop=True)
    for position, name in enumerate(names):
        stacked[name] = pd.Series([labels[position] for labels in tables] * n, dtype=object)
    stacked["users"] = np.stack([users.ravel() for users in tables.values()], axis=1).ravel()
    return stacked
