"""K factor: how many new users each new user brings, and how long that takes, from a log of invitations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._figures.fonts import written
from commlife._stats.wilson import wilson_interval
from commlife._text import check_language
from commlife._text.notebook import in_notebook
from commlife.errors import ConfigError, InsufficientDataError
from commlife.metrics._arguments import Faults, whole_number
from commlife.metrics._host import MICROSECONDS_A_DAY, read_events
from commlife.metrics._intervals import bootstrap_ratios
from commlife.orders import OrderLog
from commlife.orders.calendar import (
    Duration,
    Period,
    Timestamp,
    complete_until,
    day_number,
    day_text,
    days_to_datetime64,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KFactor", "k_factor"]

#: Stands for "never joined": later than any time, and exact as a float64 too.
_NEVER = 2**62
_WAY_OUT = "Ask for it by parts of the communities: an invitation and both of its users belong together."
_REASONS = (
    ("self_invitation", "inviter and invitee are one user"),
    ("repeated", "the same inviter had invited the same user before"),
    ("inviter_no_user", "the inviter had not joined yet, or never did"),
    ("already_a_user", "the invitee had joined before"),
)


@dataclass(frozen=True, slots=True, eq=False)
class KFactor:
    """How many users each cohort of new users brought.

    Attributes:
        table: A row a cohort, the users who joined in one period: ``period`` (its first day); ``complete`` (everybody
            had the whole window; else all that follows is null); ``users``; ``inviters`` among them; ``invitations``
            (sound ones, sent within the window after joining); ``accepted`` (invitees who joined within it);
            ``invitations_per_user``; ``conversion`` = accepted / invitations with its 95% Wilson interval
            (``conversion_low``, ``conversion_high``); ``k`` = accepted / users, the product of the two, with a
            bootstrap over users (``k_low``, ``k_high``); and the cycle, days from a user's joining to that of those
            she brought: ``cycle_days`` (median), ``cycle_q25_days``, ``cycle_q75_days``.
        set_aside: Invitations that are no sound ones: ``reason``, ``rule``, ``rows``; and how many sound ones went to
            somebody whose joining is another, earlier inviter's: ``credited_to_another``.
        period: The grid of cohorts.
        window: The time that each new user had.
        as_of: The local business day before whose midnight everything counts.
    """

    table: pd.DataFrame
    set_aside: pd.DataFrame = field(repr=False)
    period: str
    window: str
    as_of: str

    @property
    def k(self) -> float:
        """Users brought by each user, over all complete cohorts: weighted by their users; NaN where there is none."""
        complete = self.table[self.table["complete"]]
        users = float(complete["users"].sum())
        return float(complete["accepted"].sum()) / users if users else float("nan")

    def __repr__(self) -> str:
        n = int(self.table["complete"].sum())
        aside = int(self.set_aside.loc[self.set_aside["reason"] != "credited_to_another", "rows"].sum())
        return (
            f"KFactor(k={self.k:.3f} over {n} complete cohorts, {self.period}, window={self.window}, "
            f"{aside:,} invitations set aside, as_of={self.as_of})"
        )

    def _repr_html_(self) -> str:
        return in_notebook(self, self.table.tail(12), number="{:.3g}".format)

    def to_frame(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def plot(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """K over the complete cohorts, with its interval and the line at 1.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.metrics.figures import k_lines

        with written(check_language(lang)) as language:
            return k_lines(self, ax=ax, lang=language)


def k_factor(
    invitations: Any,
    joined: OrderLog | Any,
    *,
    as_of: Timestamp,
    period: str = "week",
    window: str = "28D",
    inviter: str = "inviter",
    invitee: str = "invitee",
    time: str = "time",
    timezone: str = "Asia/Shanghai",
    n_boot: int = 500,
    seed: int = 0,
) -> KFactor:
    """Users that each new user brings within a window after joining, cohort by cohort.

    A user joins with the first order that counts, or at the time that a frame says. An invitation is sound if its
    inviter had joined and its invitee had not; one inviter invites the same user once. Who was invited by several is
    brought by the first of them. Where K stays below 1 invitations add a share to other growth; at 1 and above they
    would grow alone.

    Args:
        invitations: A frame with a row an invitation (any kind that an OrderLog takes).
        joined: An OrderLog, or a frame with ``user_id`` and ``time`` of joining (the first of several counts).
        as_of: The local business day before whose midnight invitations and joinings count.
        period: The grid of cohorts: ``"<n>D"``, ``"week"``, ``"month"`` or ``"quarter"``.
        window: The time that each user has to bring others.
        inviter: The column of who invites.
        invitee: The column of who is invited.
        time: The column of the time of the invitation; naive times are local.
        timezone: Of the local clock; with an OrderLog, its own.
        n_boot: Draws of the bootstrap over users; 0 for none.
        seed: Of these draws.

    Raises:
        ConfigError: If arguments have values that are not allowed (all of them at once).
        SchemaError: If a frame is faulty.
        InsufficientDataError: If nobody joined before ``as_of``.

    Examples:
        >>> import pandas as pd
        >>> joined = pd.DataFrame({"user_id": list("abc"), "time": ["2025-01-06", "2025-01-07", "2025-01-20"]})
        >>> sent = pd.DataFrame({"inviter": list("aab"), "invitee": list("cac"),
        ...                      "time": ["2025-01-10", "2025-01-11", "2025-01-12"]})
        >>> result = k_factor(sent, joined, as_of="2025-03-03")
        >>> result
        KFactor(k=0.333 over 4 complete cohorts, week, window=28D, 1 invitations set aside, as_of=2025-03-03)
        >>> result.to_frame()[["users", "invitations", "accepted", "k", "cycle_days"]].head(1)
           users  invitations  accepted    k  cycle_days
        0    2.0          2.0       1.0  0.5        14.0
    """
    faults = Faults("k_factor")
    day = faults.take(lambda: day_number(as_of))
    grid = faults.take(lambda: Period(period))
    span = faults.take(lambda: Duration(window))
    faults.take(lambda: whole_number(n_boot, "n_boot", least=0, most=100_000))
    faults.take(lambda: whole_number(seed, "seed", least=0))
    faults.tell()
    assert day is not None and grid is not None and span is not None  # noqa: S101, PT018  (told above)
    until = day
    if isinstance(joined, OrderLog):
        timezone, until = joined.timezone, complete_until(day, joined.observation.until)
        orders = joined._orders(day).filter(nw.col("counts"))
    else:
        columns = {"user_id": "user_id", "time": "time"}
        orders = read_events(joined, columns, as_of=day, timezone=timezone, what="k_factor: joined")
    joined_at = orders.group_by("user_id").agg(nw.col("us").min(), nw.col("day").min())
    users = _engine.collect_rows(joined_at, call="k_factor", way_out=_WAY_OUT)
    if users.empty:
        raise InsufficientDataError(f"k_factor: nobody joined before {day_text(day)}. Use a later as_of.")
    names = {"inviter": inviter, "invitee": invitee, "time": time}
    read = read_events(invitations, names, as_of=day, timezone=timezone, what="k_factor: invitations")
    sent = _engine.collect_rows(read.select("inviter", "invitee", "us"), call="k_factor", way_out=_WAY_OUT)
    _check_ids(sent, users)
    sound, aside = _sound(sent, users)
    credited = _credited(sound)
    sound = sound[sound["us"] - sound["inviter_us"] < span.days * MICROSECONDS_A_DAY]
    in_time = credited["invitee_us"] - credited["inviter_us"] < span.days * MICROSECONDS_A_DAY
    aside.append(("credited_to_another", "another inviter was first", _credited_elsewhere(sound, credited)))
    table = _cohorts(users, sound, credited[in_time], grid, day, until, span.days, n_boot, seed)
    return KFactor(
        table=table,
        set_aside=pd.DataFrame(aside, columns=["reason", "rule", "rows"]),
        period=str(grid),
        window=str(span),
        as_of=day_text(day),
    )


def _check_ids(sent: pd.DataFrame, users: pd.DataFrame) -> None:
    number = pd.api.types.is_numeric_dtype(users["user_id"].dtype)
    for name in ("inviter", "invitee"):
        if len(sent) and pd.api.types.is_numeric_dtype(sent[name].dtype) != number:
            raise ConfigError(
                f"k_factor: {name} is of type {sent[name].dtype} and user_id of type {users['user_id'].dtype}: "
                "nobody would be found. Convert one of them."
            )


def _sound(sent: pd.DataFrame, users: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str, int]]]:
    """Sound invitations with when both joined, and how many are not sound, by the first reason that holds."""
    counts = []
    first = sent.sort_values("us", kind="stable")
    joined = users.set_index("user_id")["us"]
    first = first.assign(
        inviter_us=joined.reindex(first["inviter"]).fillna(_NEVER).to_numpy(np.int64),
        invitee_us=joined.reindex(first["invitee"]).fillna(_NEVER).to_numpy(np.int64),
    )
    for reason, rule in _REASONS:
        if reason == "self_invitation":
            broken = (first["inviter"] == first["invitee"]).to_numpy(bool)
        elif reason == "repeated":
            broken = first.duplicated(["inviter", "invitee"]).to_numpy()
        elif reason == "inviter_no_user":
            broken = (first["inviter_us"] > first["us"]).to_numpy()
        else:
            broken = (first["invitee_us"] < first["us"]).to_numpy()
        counts.append((reason, rule, int(broken.sum())))
        first = first[~broken]
    return first, counts


def _credited(sound: pd.DataFrame) -> pd.DataFrame:
    """For each invitee who joined the invitation that came first; at one instant, the inviter who joined first."""
    brought = sound[sound["invitee_us"] < _NEVER]
    return brought.sort_values(["us", "inviter_us"], kind="stable").drop_duplicates("invitee")


def _credited_elsewhere(sound: pd.DataFrame, credited: pd.DataFrame) -> int:
    chosen = sound.index.isin(credited.index)
    return int((sound["invitee"].isin(credited["invitee"]).to_numpy() & ~chosen).sum())


def _cohorts(
    users: pd.DataFrame,
    sound: pd.DataFrame,
    accepted: pd.DataFrame,
    grid: Period,
    day: int,
    until: int,
    window: int,
    n_boot: int,
    seed: int,
) -> pd.DataFrame:
    index = np.asarray(grid.index_of(users["day"].to_numpy(np.int64), as_of=day))
    first, last = int(index.min()), int(grid.index_of(until - 1, as_of=day))
    n = last - first + 1
    place = pd.Series(index - first, index=users["user_id"].to_numpy())
    sender = place.reindex(sound["inviter"]).to_numpy(np.int64) if len(sound) else np.zeros(0, np.int64)
    bringer = place.reindex(accepted["inviter"]).to_numpy(np.int64) if len(accepted) else np.zeros(0, np.int64)
    inside = index - first < n
    counts = {
        "users": np.bincount((index - first)[inside], minlength=n)[:n],
        "inviters": np.bincount(sender[~sound.duplicated("inviter").to_numpy()], minlength=n)[:n],
        "invitations": np.bincount(sender, minlength=n)[:n],
        "accepted": np.bincount(bringer, minlength=n)[:n],
    }
    ends = np.asarray(grid.start(np.arange(first, last + 1) + 1, as_of=day))
    complete = ends + window <= until
    size, sent, won = (counts[name].astype(np.float64) for name in ("users", "invitations", "accepted"))
    some, any_sent = np.where(size > 0, size, np.nan), np.where(sent > 0, sent, np.nan)
    low, high = wilson_interval(won, sent)
    each = accepted.groupby("inviter", sort=False).size()
    cell = place.reindex(each.index).to_numpy(np.int64) if len(each) else np.zeros(0, np.int64)
    ends_of_k = [(np.full(n, np.nan), np.full(n, np.nan))]
    if n_boot:
        sums = np.stack([each.to_numpy(np.float64), np.ones(len(each))], axis=1)
        idle = (counts["users"] - np.bincount(cell, minlength=n)[:n]).astype(np.int64)
        ends_of_k = bootstrap_ratios(cell, n, sums, [(0, 1)], n_boot=n_boot, seed=seed, idle=idle)
    days = (accepted["invitee_us"] - accepted["inviter_us"]).to_numpy() / MICROSECONDS_A_DAY
    cycle = pd.Series(days).groupby(bringer).quantile(np.array([0.5, 0.25, 0.75])).unstack().reindex(np.arange(n))
    columns = {name: value.astype(np.float64) for name, value in counts.items()} | {
        "invitations_per_user": sent / some,
        "conversion": won / any_sent,
        "conversion_low": low,
        "conversion_high": high,
        "k": won / some,
        "k_low": ends_of_k[0][0],
        "k_high": ends_of_k[0][1],
    }
    for name, at in (("cycle_days", 0.5), ("cycle_q25_days", 0.25), ("cycle_q75_days", 0.75)):
        columns[name] = cycle[at].to_numpy() if at in cycle else np.full(n, np.nan)
    table = pd.DataFrame({name: np.where(complete, value, np.nan) for name, value in columns.items()})
    table.insert(0, "period", days_to_datetime64(grid.start(np.arange(first, last + 1), as_of=day)))
    table.insert(1, "complete", complete)
    return table
