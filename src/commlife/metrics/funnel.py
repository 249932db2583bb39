"""Funnel: how far users come on the way from a visit to a second order and a referral, and where they get lost."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._caveats import warn
from commlife._figures.fonts import written
from commlife._stats.wilson import wilson_interval
from commlife._text import check_language
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.features.users import own_attributes
from commlife.metrics._arguments import Faults, check_group
from commlife.metrics._host import MICROSECONDS_A_DAY, beside, read_events, same_ids
from commlife.orders import OrderLog
from commlife.orders.calendar import Duration, Timestamp, complete_until, day_number, day_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["LOG_STEPS", "Funnel", "funnel"]

#: Steps that an order log tells: a user's first and second order that counts, and any order after the step before.
LOG_STEPS = ("first_order", "second_order", "order")
#: Stands for "not done" among microseconds: later than any time that a log may hold.
_NEVER = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Funnel:
    """Who came how far, of the users whose time was up.

    Attributes:
        table: A row a step (in each group, the largest first): the group; ``step``; ``users`` who came so far, in order
            and in time; ``rate`` out of the step before and ``rate_of_first`` out of those who entered, each with its
            95% Wilson interval (``low``, ``high``, ``low_of_first``, ``high_of_first``); ``lost`` since the step
            before, of these ``early`` (did it before the one it should follow) and ``late`` (after the window); days
            since the step before of those who came so far: ``median_days``, ``q25_days``, ``q75_days``; and
            ``maturing``: users who came so far but whose time is not yet up, and who are in no rate.
        unentered: Users who did a later step and never the first, a row a step: ``step``, ``users``.
        steps: The steps, in order.
        window: The time that a user has: from the first step, or for each step since the one before.
        by: The column of the groups, None for one group.
        as_of: The local business day before whose midnight events count.
    """

    table: pd.DataFrame
    unentered: pd.DataFrame = field(repr=False)
    steps: tuple[str, ...]
    window: str | dict[str, str]
    by: str | None
    as_of: str

    def __repr__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        counts = self.table.groupby("step", sort=False)[["users", "maturing"]].sum()
        way = " > ".join(f"{step} {int(counts['users'][step]):,}" for step in self.steps)
        return f"Funnel({way}{by}, window={self.window}, {counts['maturing'].iloc[0]:,} maturing, as_of={self.as_of})"

    def _repr_html_(self) -> str:
        return in_notebook(self, self.table, number="{:.3g}".format)

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def plot(self, *, group: Any = None, ax: Axes | None = None, lang: str = "en") -> Axes:
        """A bar a step, with the share of the step before.

        Args:
            group: The group to show where there are several; None: all together.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.metrics.figures import funnel_bars

        with written(check_language(lang)) as language:
            return funnel_bars(self, group, ax=ax, lang=language)


def funnel(
    events: Any,
    *,
    steps: Sequence[str],
    as_of: Timestamp,
    log: OrderLog | None = None,
    window: str | Mapping[str, str] = "28D",
    by: str | None = None,
    user_id: str = "user_id",
    event: str = "event",
    time: str = "time",
    timezone: str = "Asia/Shanghai",
    since: Timestamp | None = None,
) -> Funnel:
    """Follow users through steps in order, each within its time.

    A user enters with the first time that she does the first step, and has done a step if she did it at or after the
    step before and in time. Who entered too late for her time to be up by ``as_of`` is maturing: counted apart, and in
    no rate. The steps ``first_order``, ``second_order`` and ``order`` (any order that counts, later than an order
    before it) come from ``log`` where one is given; all others are values of the column ``event``.

    Args:
        events: A frame with a row an event (any kind that an OrderLog takes), or an OrderLog where all steps are
            orders. Equal events need not be taken out.
        steps: Two or more steps, such as ``["visit", "register", "first_order", "second_order", "refer"]``.
        as_of: The local business day before whose midnight events and orders count.
        log: The order log, for the steps of orders.
        window: The time from the first step to the last, ``"28D"``, or for each step but the first the time since the
            step before: ``{"register": "7D", "first_order": "28D"}``.
        by: A column of ``events`` (that of the user's entry) whose values make groups; where the first step is an
            order, an attribute of the log.
        user_id: The column of the user.
        event: The column of the step.
        time: The column of the time; naive times are local.
        timezone: Of the local clock; with a log, the log's own.
        since: Only users who entered on or after this day; who entered before is still known to have entered.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once).
        SchemaError: If ``events`` is faulty.
        InsufficientDataError: If nobody entered.

    Warns:
        ModelWarning: If a step occurs nowhere, or if nobody's time is up.

    Examples:
        >>> import pandas as pd
        >>> events = pd.DataFrame({
        ...     "user_id": list("aabbc"), "event": ["visit", "register", "visit", "visit", "visit"],
        ...     "time": ["2025-01-01 10:00", "2025-01-02 10:00", "2025-01-03", "2025-01-04", "2025-01-30"]})
        >>> way = funnel(events, steps=["visit", "register"], as_of="2025-02-01", window="7D")
        >>> way
        Funnel(visit 2 > register 1, window=7D, 1 maturing, as_of=2025-02-01)
        >>> way.to_frame()[["step", "users", "rate", "median_days", "maturing"]]
               step  users  rate  median_days  maturing
        0     visit      2   1.0          NaN         1
        1  register      1   0.5          1.0         0
    """
    if isinstance(events, OrderLog):
        if log is not None:
            raise ConfigError("funnel: events is an order log, and log too; give the log once.")
        events, log = None, events
    asked = _checked(events, steps, as_of, log, window, by, since)
    if log is not None:
        timezone = log.timezone
    names = {"user_id": user_id, "event": event, "time": time}
    if by is not None and asked.steps[0] not in asked.from_log:
        names[by] = by
    seen = None if events is None else _events(events, names, asked, timezone, log)
    done, unentered = _follow(asked, seen, log)
    until = asked.day if log is None else complete_until(asked.day, log.observation.until)
    table = _counted(done, asked, until)
    return Funnel(
        table=table,
        unentered=unentered,
        steps=asked.steps,
        window=str(window) if isinstance(window, str) else {name: str(time) for name, time in window.items()},
        by=by,
        as_of=day_text(asked.day),
    )


@dataclass(frozen=True)
class _Asked:
    steps: tuple[str, ...]
    day: int
    windows: tuple[int, ...]  # microseconds that each step after the first has, since the entry or the step before
    from_entry: bool
    by: str | None
    since: int | None
    from_log: frozenset[str]


def _checked(
    events: Any,
    steps: Sequence[str],
    as_of: Timestamp,
    log: OrderLog | None,
    window: str | Mapping[str, str],
    by: str | None,
    since: Timestamp | None,
) -> _Asked:
    faults = Faults("funnel")
    if log is not None and not isinstance(log, OrderLog):
        faults.add(f"log is an OrderLog; seen {type(log).__name__}.")
    day = faults.take(lambda: day_number(as_of))
    start = None if since is None else faults.take(lambda: day_number(since, name="since"))
    listed = [] if isinstance(steps, str) or not isinstance(steps, Sequence) else list(steps)
    if len(listed) < 2 or not all(isinstance(step, str) for step in listed) or len(set(listed)) < len(listed):
        faults.add(f"steps are two or more different names, in order; seen {steps!r:.100}.")
    from_log = frozenset(step for step in listed if step in LOG_STEPS and log is not None)
    if events is None and set(listed) - from_log:
        wrong = sorted({str(step) for step in listed} - from_log)
        faults.add(
            f"an order log tells the steps {', '.join(LOG_STEPS)}; for {', '.join(wrong)} give a frame of events."
        )
    spans: tuple[int, ...] = ()
    if isinstance(window, Mapping):
        if set(window) != set(listed[1:]):
            faults.add(
                f"window names each step but the first: {', '.join(map(str, listed[1:]))}; seen {list(window)!r:.100}."
            )
        else:
            given = [faults.take(partial(Duration, window[step])) for step in listed[1:]]
            spans = tuple(each.days * MICROSECONDS_A_DAY for each in given if each is not None)
    else:
        whole = faults.take(lambda: Duration(window))
        spans = () if whole is None else (whole.days * MICROSECONDS_A_DAY,) * (len(listed) - 1)
    if by is not None and not isinstance(by, str):
        faults.add(f"by is the name of a column; seen {by!r:.60}.")
    elif log is not None and listed and listed[0] in from_log:
        faults.take(lambda: check_group(log, by))
    elif by in {"user_id", "event", "time", "us", "day"}:
        faults.add(f"by={by!r} is a column that the funnel uses itself; name another.")
    faults.tell()
    assert day is not None  # noqa: S101  (told above)
    return _Asked(tuple(listed), day, spans, not isinstance(window, Mapping), by, start, from_log)


def _events(
    frame: Any, names: Mapping[str, str], asked: _Asked, timezone: str, log: OrderLog | None
) -> nw.LazyFrame[Any]:
    """The events of our steps, in the log's kind of frame where there is one."""
    seen = read_events(frame, names, as_of=asked.day, timezone=timezone, what="funnel: events")
    wanted = [step for step in asked.steps if step not in asked.from_log]
    present = set(_engine.collect(seen.select("event").unique())["event"].tolist())
    for step in wanted:
        if step not in present:
            close = difflib.get_close_matches(step, [str(name) for name in present], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            warn(f"No event before {day_text(asked.day)} is a {step!r}.{hint}", ModelWarning)
    seen = seen.filter(nw.col("event").is_in(wanted))
    if log is None:
        return _engine.settle(seen)
    same_ids(seen, log, ("user_id",), "funnel: events")
    return beside(seen, log)


def _times(step: str, asked: _Asked, seen: nw.LazyFrame[Any] | None, log: OrderLog | None) -> nw.LazyFrame[Any]:
    """user_id and us of everything that is the step."""
    if step not in asked.from_log:
        if seen is None:  # refused before
            raise AssertionError(step)
        return seen.filter(nw.col("event") == step).select("user_id", "us")
    if log is None:
        raise AssertionError(step)
    orders = log._orders(asked.day).filter(nw.col("counts")).select("user_id", "us")
    if step == "order":
        return orders
    first = orders.group_by("user_id").agg(nw.col("us").min().alias("first_us"))
    if step == "first_order":
        return first.rename({"first_us": "us"})
    # The second order may be of the same instant as the first.
    both = orders.join(first, on="user_id", how="inner")
    at_first = (nw.col("us") == nw.col("first_us")).cast(nw.Int64)
    later = nw.when(nw.col("us") > nw.col("first_us")).then(nw.col("us")).otherwise(nw.lit(_NEVER))
    marked = both.with_columns(at_first.alias("at_first"), later.cast(nw.Int64).alias("later"))
    found = marked.group_by("user_id").agg(nw.col("at_first").sum(), nw.col("later").min(), nw.col("first_us").min())
    second = nw.when(nw.col("at_first") > 1).then(nw.col("first_us")).otherwise(nw.col("later"))
    return found.with_columns(second.alias("us")).filter(nw.col("us") < _NEVER).select("user_id", "us")


def _follow(asked: _Asked, seen: nw.LazyFrame[Any] | None, log: OrderLog | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """When each user who entered did each step (``t0``, ``t1``, ...), and who did a later step alone."""
    entered = _times(asked.steps[0], asked, seen, log).group_by("user_id").agg(nw.col("us").min().alias("t0"))
    entered = _engine.settle(entered)
    users = entered
    if asked.since is not None:
        users = users.filter(nw.col("t0") >= asked.since * MICROSECONDS_A_DAY)
    if asked.by is not None:
        users = users.join(_groups(asked, entered, seen, log), on="user_id", how="left")
    users = _engine.settle(users)
    alone = []
    for k, step in enumerate(asked.steps[1:], start=1):
        times = _engine.settle(_times(step, asked, seen, log))
        known = users.select("user_id", "t0", nw.col(f"t{k - 1}").alias("after"))
        held = times.join(known, on="user_id", how="inner")
        start, us = nw.col("after"), nw.col("us")
        limit = nw.col("t0") if asked.from_entry else start
        # An order that follows an order is another one.
        another = step == "order" and asked.steps[k - 1] in asked.from_log
        begun = us > start if another else us >= start
        in_time = us - limit < asked.windows[k - 1]
        reached = start < _NEVER
        held = held.with_columns(
            nw.when(reached & begun & in_time).then(us).otherwise(nw.lit(_NEVER)).cast(nw.Int64).alias(f"t{k}"),
            (reached & ~begun).cast(nw.Int64).alias(f"early{k}"),
            (reached & begun & ~in_time).cast(nw.Int64).alias(f"late{k}"),
        )
        marks = (f"early{k}", f"late{k}")
        found = held.group_by("user_id").agg(nw.col(f"t{k}").min(), *(nw.col(name).max() for name in marks))
        users = users.join(found, on="user_id", how="left")
        filled = [nw.col(f"t{k}").fill_null(_NEVER).cast(nw.Int64)]
        users = users.with_columns(*filled, *(nw.col(name).fill_null(0).cast(nw.Int64) for name in marks))
        users = _engine.settle(users)
        strangers = times.select("user_id").unique().join(entered.select("user_id"), on="user_id", how="anti")
        alone.append({"step": step, "users": _engine.count_rows(strangers)})
    counted = users.select(*(name for name in users.collect_schema().names() if name != "user_id"))
    return _engine.collect_rows(counted, call="funnel"), pd.DataFrame(alone)


def _groups(
    asked: _Asked, entered: nw.LazyFrame[Any], seen: nw.LazyFrame[Any] | None, log: OrderLog | None
) -> nw.LazyFrame[Any]:
    """Each user's own group: that of the entry; at one instant, the least."""
    by = str(asked.by)
    if asked.steps[0] in asked.from_log and log is not None:
        return own_attributes(log, asked.day, by)
    if seen is None:
        raise AssertionError(by)
    entries = seen.filter(nw.col("event") == asked.steps[0]).join(entered, on="user_id", how="inner")
    return entries.filter(nw.col("us") == nw.col("t0")).group_by("user_id").agg(nw.col(by).min())


def _counted(done: pd.DataFrame, asked: _Asked, until: int) -> pd.DataFrame:
    """The table: counts, rates and times of each step, group by group."""
    if done.empty:
        since = "" if asked.since is None else f" on or after {day_text(asked.since)}"
        raise InsufficientDataError(
            f"funnel: nobody did {asked.steps[0]!r}{since} before {day_text(asked.day)}. Look at the names of "
            "the events."
        )
    total = asked.windows[0] if asked.from_entry else sum(asked.windows)
    is_mature = done["t0"].to_numpy() + total <= until * MICROSECONDS_A_DAY
    if not is_mature.any():
        warn(
            f"All {len(done):,} users who entered have more time until {day_text(until)}: no rate yet. Use a shorter "
            "window or a later as_of.",
            ModelWarning,
        )
    if asked.by is None:
        return pd.DataFrame(_rows(done, is_mature, asked))
    code = done.groupby(asked.by, dropna=False, sort=True).ngroup().to_numpy()
    names = [done[asked.by].iloc[np.flatnonzero(code == at)[0]] for at in range(code.max() + 1)]
    size = np.bincount(code[is_mature], minlength=len(names))
    parts = []
    for at in np.argsort(-size, kind="stable"):
        rows = pd.DataFrame(_rows(done[code == at], is_mature[code == at], asked))
        rows.insert(0, asked.by, [names[at]] * len(rows))
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _rows(done: pd.DataFrame, is_mature: NDArray[np.bool_], asked: _Asked) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    times = [done[f"t{k}"].to_numpy() for k in range(len(asked.steps))]
    entered = int(is_mature.sum())
    before = entered
    for k, step in enumerate(asked.steps):
        came = times[k] < _NEVER
        users = int((came & is_mature).sum())
        row: dict[str, Any] = {"step": step, "users": users}
        for suffix, of in (("", before), ("_of_first", entered)):
            low, high = wilson_interval(users, of)
            row |= {f"rate{suffix}": users / of if of else np.nan, f"low{suffix}": float(low)}
            row |= {f"high{suffix}": float(high)}
        row["lost"] = before - users
        missed = is_mature & ~came & (times[k - 1] < _NEVER) if k else np.zeros(len(done), dtype=bool)
        for name in ("early", "late"):
            row[name] = int((missed & (done[f"{name}{k}"].to_numpy() > 0)).sum()) if k else 0
        took = (times[k] - times[k - 1])[came & is_mature] / MICROSECONDS_A_DAY if k else np.zeros(0)
        quantiles = np.quantile(took, [0.5, 0.25, 0.75]) if len(took) else [np.nan] * 3
        row |= dict(zip(("median_days", "q25_days", "q75_days"), map(float, quantiles), strict=True))
        row["maturing"] = int((came & ~is_mature).sum())
        rows.append(row)
        before = users
    return rows
