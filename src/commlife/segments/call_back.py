"""Whom to call back: the silent, by what their return is worth; and the three lists of a week."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._stats.wilson import wilson_interval
from commlife._text.notebook import Shown
from commlife.errors import ConfigError
from commlife.features.flows import NEW, NEXT, activity_runs
from commlife.features.users import payers
from commlife.orders.calendar import Timestamp, complete_until, day_number, days_to_datetime64
from commlife.orders.log import need_log
from commlife.segments.lifecycle import STATES, Lifecycle
from commlife.segments.returns import return_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog

__all__ = ["ContactLists", "call_back_list", "contact_lists"]


def call_back_list(
    log: OrderLog,
    *,
    as_of: Timestamp,
    lifecycle: Lifecycle | None = None,
    states: Sequence[str] = ("silent",),
    within: int = 4,
    cost_per_call: float = 0.0,
    top: int | None = None,
) -> Any:
    """Rank silent users by what their return is worth.

    The worth is the chance that a user who has been silent for so long orders within the next ``within`` periods, as
    the log has shown it, times the user's own mean net spend an order, less the cost of the call. It tells for whom a
    return is likely and large. It is not the effect of the call: some return without one. Leave a random part of the
    list uncalled to learn that.

    Args:
        log: The order log.
        as_of: The local business day of the list.
        lifecycle: How states are told; by default periods of 7 days, silent after 1, churned after 8.
        states: Users in these states are listed.
        within: Periods within which a return counts.
        cost_per_call: In major units of money; users not worth it are left out.
        top: Length of the list; None for all.

    Returns:
        A frame in the input's own kind (pandas for lazy kinds), best first: ``rank, user_id, state, since,
        periods_silent, p_return, mean_order`` (major units), ``expected_value, frequency, next_action``.

    Raises:
        ConfigError: If an argument is not allowed.
        InsufficientDataError: If the log is too short to tell who returns.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import call_back_list
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> calls = call_back_list(log, as_of="2025-06-30", lifecycle=Lifecycle(washout="28D"), top=5)
        >>> calls["rank"].tolist(), bool(calls["expected_value"].is_monotonic_decreasing)
        ([1, 2, 3, 4, 5], True)
    """
    need_log(log, "call_back_list")
    spec = Lifecycle() if lifecycle is None else lifecycle
    wanted = _checked_states(states)
    _check_number("cost_per_call", cost_per_call)
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise ConfigError(f"top is a whole number from 1, or None; seen {top!r:.40}.")
    day = day_number(as_of)
    life = spec.fit(log, as_of=as_of)
    curve = return_curve(log, as_of=as_of, period=spec.period, within=within)
    chosen = log.plan_of(life.states).filter(nw.col("state").is_in(wanted))
    users = chosen.join(payers(log, day), on="user_id", how="inner")
    wanted_columns = ("user_id", "state", "since", "next_action", "frequency", "spend", "last_day")
    table = _engine.collect_rows(users.select(*wanted_columns), call="call_back_list")
    newest = spec.period.last_complete(as_of=day, until=complete_until(day, log.observation.until))
    last_order = spec.period.index_of(table["last_day"].to_numpy(dtype=np.int64), as_of=day)
    gaps = np.maximum(newest - last_order, 0)
    # Beyond the longest silence that could be followed the chance is that of the longest one.
    known = curve.table
    rate = np.interp(gaps, known["gap"], known["rate"])
    mean_order = table["spend"].to_numpy() / np.maximum(table["frequency"].to_numpy(), 1) / log.scale
    table = table.assign(
        periods_silent=gaps, p_return=rate, mean_order=mean_order, expected_value=rate * mean_order - cost_per_call
    )
    table = table[table["expected_value"] > 0] if cost_per_call > 0 else table
    # Between equals by what they did; the id decides only where users are alike in all of this.
    order = ["expected_value", "periods_silent", "frequency", "mean_order", "state", "user_id"]
    table = table.sort_values(order, ascending=[False, True, False, False, True, True], ignore_index=True).iloc[:top]
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    columns = [
        "rank", "user_id", "state", "since", "periods_silent", "p_return", "mean_order", "expected_value", "frequency",
        "next_action",
    ]  # fmt: skip
    return log.give_table(table[columns])


#: What to do with last period's newcomers, by whether they came back.
NEWCOMER_ACTIONS = {
    True: {"en": "Came back: thank; recommend a second category.", "zh": "已复购：致谢；推荐第二品类。"},
    False: {"en": "Did not come back: call; ask how the first order was.", "zh": "未复购：致电询问首单体验。"},
}
_LISTS = {
    "new": {"en": "new", "zh": "新付费用户"},
    "active": {"en": "active", "zh": "活跃用户"},
    "silent": {"en": "silent", "zh": "沉默用户"},
    "back": {"en": "newcomers who came back", "zh": "上期新客：已复购"},
    "away": {"en": "newcomers who did not", "zh": "上期新客：未复购"},
}


@dataclass(frozen=True)
class ContactLists(Shown):
    """The lists of a period's routine, each in the input's own kind of frame.

    Attributes:
        new: Users who ordered for the first time in the newest complete period: ``user_id, state, since,
            next_action``; likewise ``active`` (returned and existing ones too) and ``silent``.
        newcomers: The new payers of the period before: ``user_id, came_back`` (ordered in the newest period),
            ``next_action``.
        table: A row a list: ``list, users``, with the newcomers who came back and who did not.
        second_period: A row a period, the newest last: ``period`` (of the first order), ``newcomers, came_back``
            (ordered in the period after), ``rate, low, high`` (95% Wilson). The last row is that of ``newcomers``.
    """

    new: Any
    active: Any
    silent: Any
    newcomers: Any
    table: pd.DataFrame
    second_period: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The sizes of the lists."""
        return self.table.copy()

    def __repr__(self) -> str:
        told = ", ".join(f"{row.users:,} {row.list}" for row in self.table.itertuples())
        return f"ContactLists({told})"


def contact_lists(log: OrderLog, *, as_of: Timestamp, lifecycle: Lifecycle | None = None) -> ContactLists:
    """The operator's routine: new payers, active and silent users with what to do, and which newcomers came back.

    Args:
        log: The order log.
        as_of: The local business day of the lists.
        lifecycle: How states are told, and the language; by default periods of 7 days, silent after 1, churned after 8.

    Raises:
        InsufficientDataError: If no complete period holds an order that counts.

    Examples:
        >>> import commlife as cl
        >>> from commlife.segments import contact_lists
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> lists = contact_lists(log, as_of="2025-06-30", lifecycle=Lifecycle(washout="28D"))
        >>> lists.table["list"].tolist()
        ['new', 'active', 'silent', 'newcomers who came back', 'newcomers who did not']
    """
    need_log(log, "contact_lists")
    spec = Lifecycle() if lifecycle is None else lifecycle
    day = day_number(as_of)
    life = spec.fit(log, as_of=as_of)
    states = _engine.from_host(life.states)
    chosen = {"new": ["new"], "active": ["active", "returned", "existing"], "silent": ["silent"]}
    plans = {name: states.filter(nw.col("state").is_in(held)) for name, held in chosen.items()}
    runs = activity_runs(
        log, day, period=spec.period, silent_after=1, churned_after=spec.churned_after, washout=spec.washout, by=(),
        warn=False,
    )  # fmt: skip
    came = runs.active.filter(nw.col("entry") == NEW, nw.col("index") < runs.last)
    came = _engine.settle(came.select("user_id", "index", (nw.col("exit") == NEXT).alias("came_back")))
    said = {back: texts[spec.lang] for back, texts in NEWCOMER_ACTIONS.items()}
    action = nw.when(nw.col("came_back")).then(nw.lit(said[True])).otherwise(nw.lit(said[False]))
    newcomers = came.filter(nw.col("index") == runs.last - 1).with_columns(action.alias("next_action"))
    newcomers = _engine.settle(newcomers.select("user_id", "came_back", "next_action"))
    sizes = {name: _count(plan) for name, plan in plans.items()}
    sizes["back"] = _count(newcomers.filter(nw.col("came_back")))
    sizes["away"] = _count(newcomers.filter(~nw.col("came_back")))
    table = pd.DataFrame({"list": [_LISTS[name][spec.lang] for name in sizes], "users": list(sizes.values())})
    return ContactLists(
        **{name: log.give(plan) for name, plan in plans.items()},
        newcomers=log.give(newcomers),
        table=table,
        second_period=_second_period(came, spec, day, runs.last),
    )


def _second_period(came: nw.LazyFrame[Any], spec: Lifecycle, day: int, last: int) -> pd.DataFrame:
    """Of the newcomers of each period, how many ordered in the next one; null where nobody was new."""
    counted = came.with_columns(nw.col("came_back").cast(nw.Int64)).group_by("index")
    table = _engine.collect(counted.agg(nw.len().alias("newcomers"), nw.col("came_back").sum())).set_index("index")
    first = int(table.index.min()) if len(table) else last
    table = table.reindex(range(first, last), fill_value=0)
    hits, of = table["came_back"].to_numpy(dtype=np.int64), table["newcomers"].to_numpy(dtype=np.int64)
    low, high = wilson_interval(hits, of)
    starts = spec.period.start(np.arange(first, last, dtype=np.int64), as_of=day)
    rate = np.where(of > 0, hits / np.maximum(of, 1), np.nan)
    return pd.DataFrame(
        {
            "period": days_to_datetime64(starts), "newcomers": of, "came_back": hits, "rate": rate, "low": low,
            "high": high,
        }
    )  # fmt: skip


def _count(plan: nw.LazyFrame[Any]) -> int:
    return _engine.count_rows(plan)


def _checked_states(states: Sequence[str]) -> list[str]:
    names = [states] if isinstance(states, str) else list(states)
    for name in names:
        if name not in STATES:
            raise ConfigError.unknown_name("states: the state", name, STATES)
    if not names:
        raise ConfigError('states names at least one state, such as ["silent"]. Name one.')
    return names


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ConfigError(f"{name} is a finite number from 0; seen {value!r:.40}.")
