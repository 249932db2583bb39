"""Outreach: what calls, visits and messages brought, against comparable users who were left alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._caveats import warn
from commlife._engine.columns import plain_columns
from commlife._stats.wilson import Z95, wilson_interval
from commlife._text import check_language
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders.calendar import Duration, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log
from commlife.segments.comparison import History, Matching, Windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog

__all__ = ["OutreachReadout", "outreach_readout"]

_DAY_US = 86_400_000_000
ALL = "all"

_VERDICT = {
    "en": {
        "nobody": "No contact has comparable users who were left alone: nothing can be said about what it brought.",
        "told": "Of {matched:,} contacts with comparable users {rate:.1%} ordered within {days} days, of the "
        "comparable {control:.1%}: {difference:+.1f} points ({low:+.1f} to {high:+.1f}), {how}. Who was contacted was "
        "not dealt at random: associated with it, adjusted for recency, frequency and order value at the time. Leave a "
        "random part uncalled to know.",
        "more": "more", "fewer": "fewer", "unclear": "neither clearly more nor fewer",
    },
    "zh": {
        "nobody": "所有联系都找不到未被联系的可比用户：无法判断联系带来了什么。",
        "told": "{matched:,} 次有可比用户的联系中，{rate:.1%} 在 {days} 天内下单，可比用户为 {control:.1%}：相差 "
        "{difference:+.1f} 个百分点（95% 区间 {low:+.1f} 至 {high:+.1f}），{how}。联系对象并非随机分配：这只是相关，"
        "已按联系当时的最近一次下单、频次和客单价调整。随机留出一部分用户不联系，才能得知联系的效果。",
        "more": "明显更高", "fewer": "明显更低", "unclear": "高低均不明显",
    },
}  # fmt: skip


@dataclass(frozen=True)
class OutreachReadout(Shown):
    """What became of those who were contacted, and of comparable users who were not.

    Attributes:
        table: A row a list and channel, the last one for all: ``list, channel``;

            - ``contacts`` (users a week; several attempts in one week are one contact), ``attempts``, ``pending`` (too
              young to be judged; left out of all that follows but the reach and the cost);
            - ``reached, reach_rate, reach_low, reach_high`` (95% Wilson);
            - ``judged, ordered, order_rate, order_low, order_high``: ordered after the contact, within the window;
            - ``matched`` (contacts with comparable users), ``matched_rate, control_rate, difference,
              difference_low, difference_high``: order rates of the matched and of their controls;
            - ``extra_orders, extra_revenue, revenue_low, revenue_high`` (orders and money of the matched beyond those
              of the controls, major units; what controls spent is taken in units of their own mean order);
            - ``woken, stayed_rate, stayed_low, stayed_high, control_stayed_rate``: of those who ordered, who came
              again, among the contacted and among their controls (null where the time has not come);
            - ``cost``, ``roi`` ((margin of the extra revenue - cost) / cost), ``roi_low, roi_high``.
        balance: A row a fact: ``fact, contacted, controls_raw, controls, difference_raw, difference``; means at the
            time of the contact, and their difference in standard deviations before and after matching.
        within: Days in which an order counts.
        as_of: The day of the readout.
    """

    table: pd.DataFrame
    balance: pd.DataFrame
    within: str
    as_of: str

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    @property
    def verdict(self) -> str:
        """One sentence on all contacts, with what it rests on: ``sentence("en")``."""
        return self.sentence()

    def sentence(self, lang: str = "en") -> str:
        """What followed on all contacts, and what that rests on, in a few words for operators.

        Args:
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If the language is none of ours.
        """
        words, row = _VERDICT[check_language(lang)], self.table.iloc[-1]
        if not row["matched"]:
            return words["nobody"]
        low, high = row["difference_low"] * 100, row["difference_high"] * 100
        how = words["more" if low > 0 else "fewer" if high < 0 else "unclear"]
        return words["told"].format(
            matched=int(row["matched"]),
            rate=row["matched_rate"],
            control=row["control_rate"],
            difference=row["difference"] * 100,
            low=low,
            high=high,
            days=Duration(self.within).days,
            how=how,
        )

    def plot(self, ax: Any = None, *, lang: str = "en") -> Any:
        """What followed on the contacts of each list and channel, with intervals; returns the matplotlib Axes.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.

        Raises:
            ConfigError: If the language is none of ours.
        """
        from commlife.segments.figures import draw_outreach

        return draw_outreach(self, ax, lang=check_language(lang))

    def __repr__(self) -> str:
        return f"OutreachReadout({int(self.table['contacts'].iloc[-1]):,} contacts. {self.verdict})"


def outreach_readout(
    calls: Any,
    log: OrderLog,
    *,
    as_of: Timestamp,
    within: str = "14D",
    stays_within: str = "28D",
    user_id: str = "user_id",
    called_at: str = "called_at",
    channel: str | None = "channel",
    outcome: str | None = "outcome",
    list_name: str | None = None,
    reached: Sequence[str] = ("reached",),
    cost: str | float | Mapping[str, float] | None = None,
    margin: float = 1.0,
    match_community: bool = False,
) -> OutreachReadout:
    """Read out a log of calls, visits and messages: reach, orders, retention, cost and return by list and channel.

    Comparable are users who, on the day of a contact, had the same class of days since the last order, of number of
    orders and of mean order (and, if asked for, the same community), and who were not contacted in the ``within`` days
    before or after. Contacts are compared with them day by day and class by class, which takes out what hangs on
    these facts and on the calendar (coarsened exact matching: Iacus, King & Porro 2012). Where a class has fewer than
    five such users, that of recency and orders is taken, then that of recency; a contact without five is not
    compared. What the caller knew beyond these facts is not taken out: this is no trial. Intervals let the same user
    stand for several controls (clustered by user).

    Args:
        calls: Any kind of frame that commlife takes, a row an attempt.
        log: The order log.
        as_of: The local business day of the readout; later contacts and orders do not count.
        within: Time after a contact in which an order counts.
        stays_within: Time after that order in which a further one, on another day, counts as retained.
        user_id: Column of ``calls``: who; the ids of the log.
        called_at: When (timestamps, naive ones are local).
        channel: Through which channel; None if there is one.
        outcome: What came of it; None if nothing is known of that.
        list_name: Column that names the list that the user was on; None if there is one.
        reached: Outcomes that mean that the user was reached.
        cost: Column with the cost of each attempt, a cost for all, or one by channel; major units.
        margin: Share of revenue that is left for the shop, for the return.
        match_community: Compare within the community only (fewer contacts will find comparable users).

    Raises:
        ConfigError: If a column is missing, or an argument or a time is not allowed.
        InsufficientDataError: If no contact lies before ``as_of``.

    Warns:
        ModelWarning: If half the contacts or more have no comparable users, or the comparison is unbalanced.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=400, seed=1).log
        >>> lists = cl.call_back_list(log, as_of="2025-05-05", lifecycle=cl.Lifecycle(washout="28D"))
        >>> called = lists[["user_id"]].iloc[::2]
        >>> calls = called.assign(called_at="2025-05-06 10:00", channel="phone", outcome="reached")
        >>> readout = cl.outreach_readout(calls, log, as_of="2025-06-30", cost=2.0)
        >>> readout.table["reach_rate"].tolist()
        [1.0, 1.0]
    """
    need_log(log, "outreach_readout")
    day = day_number(as_of)
    until = complete_until(day, log.observation.until)
    _check_share("margin", margin)
    attempts = _attempts(
        calls, log, day, user_id=user_id, called_at=called_at, channel=channel, outcome=outcome, list_name=list_name,
        reached=reached, cost=cost,
    )  # fmt: skip
    if attempts.empty:
        raise InsufficientDataError(
            f"a readout needs a contact before {day_text(day)}; calls holds none."
            " Use a later as_of, or check the filter that made calls."
        )
    windows = Windows(Duration(within).days, Duration(stays_within).days, until)
    history = History.of(log, day, community=match_community)
    contacts = _contacts(attempts, history, windows)
    matching = Matching(history, contacts, windows)
    table = _table(contacts, attempts, matching, margin, log.scale)
    balance = matching.balance(log.scale)
    made = OutreachReadout(table, balance, str(Duration(within)), day_text(day))
    _warn(made)
    return made


def _attempts(
    calls: Any,
    log: OrderLog,
    day: int,
    *,
    user_id: str,
    called_at: str,
    channel: str | None,
    outcome: str | None,
    list_name: str | None,
    reached: Sequence[str],
    cost: Any,
) -> pd.DataFrame:
    """The attempts before as_of: user_id, us, day, list, channel, reached (null: not known), cost (minor, float)."""
    frame = _engine.from_host(calls)
    columns = frame.collect_schema().names()
    named = {"user_id": user_id, "called_at": called_at, "channel": channel, "outcome": outcome, "list": list_name}
    wanted = {name: column for name, column in named.items() if column is not None}
    if isinstance(cost, str):
        wanted["cost"] = cost
    for name, column in wanted.items():
        if column not in columns:
            raise ConfigError.unknown_name(f"calls: {name}, the column", column, columns)
    frame, mixed = plain_columns(frame)
    kind = frame.collect_schema()[called_at]
    if called_at in mixed or not (kind == nw.String or isinstance(kind, (nw.Datetime, nw.Date))):
        raise ConfigError(
            f"calls: column {called_at!r} holds no times but {mixed.get(called_at, kind)}. Convert it to timestamps."
        )
    timed = _engine.add_local_microsecond(frame, called_at, timezone=log.timezone, into="_us")
    names = [*dict.fromkeys(column for name, column in wanted.items() if name != "called_at"), "_us"]
    rows = _engine.collect_rows(timed.select(*names), call="outreach_readout: calls")
    if (rows["_us"] < 0).any():
        raise ConfigError(
            f"calls: {int((rows['_us'] < 0).sum()):,} times of {called_at!r} are missing or no times."
            " Fill them in, or drop the rows."
        )
    if rows[user_id].isna().any():
        raise ConfigError(
            f"calls: {int(rows[user_id].isna().sum()):,} rows have no {user_id!r}. Fill them in, or drop the rows."
        )
    made = pd.DataFrame({"user_id": rows[user_id], "us": rows["_us"].to_numpy(dtype=np.int64)})
    made["day"] = made["us"] // _DAY_US
    for name in ("list", "channel"):
        made[name] = rows[wanted[name]].astype(str) if name in wanted else ALL
    made["reached"] = rows[outcome].isin(list(reached)).to_numpy(dtype=float) if outcome is not None else np.nan
    made["cost"] = _costs(cost, rows, made) * log.scale
    return made[made["day"] < day].reset_index(drop=True)


def _costs(cost: Any, rows: pd.DataFrame, made: pd.DataFrame) -> Any:
    if cost is None:
        return np.zeros(len(made))
    if isinstance(cost, str):
        values = rows[cost].to_numpy(dtype=np.float64)
    elif isinstance(cost, Mapping):
        unknown = sorted(set(made["channel"]) - {str(name) for name in cost})
        if unknown:
            raise ConfigError(f"cost names each channel; it lacks {', '.join(unknown)}. Add what is missing.")
        values = made["channel"].map({str(name): float(each) for name, each in cost.items()}).to_numpy(dtype=np.float64)
    elif isinstance(cost, bool) or not isinstance(cost, (int, float)):
        raise ConfigError(f"cost is a column, a number or a mapping from channels; seen {cost!r:.40}.")
    else:
        values = np.full(len(made), float(cost))
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ConfigError("costs are finite numbers from 0. Correct the others.")
    return values


def _contacts(attempts: pd.DataFrame, history: History, windows: Windows) -> pd.DataFrame:
    """One row a user, list, channel and week: the first moment, whether reached, and what followed."""
    week = (attempts["day"] + 3) // 7
    keys = ["list", "channel", "user_id", "week"]
    grouped = attempts.assign(week=week).groupby(keys, sort=True)
    contacts = grouped.agg(us=("us", "min"), reached=("reached", "max"), attempts=("us", "size")).reset_index()
    contacts["day"] = contacts["us"] // _DAY_US
    contacts["user"] = history.numbers_of(contacts["user_id"])
    return contacts.assign(**windows.outcomes(history, contacts["user"].to_numpy(), contacts["us"].to_numpy()))


def _table(
    contacts: pd.DataFrame, attempts: pd.DataFrame, matching: Matching, margin: float, scale: int
) -> pd.DataFrame:
    groups = [*contacts[["list", "channel"]].drop_duplicates().itertuples(index=False, name=None), (ALL, ALL)]
    if len(groups) == 2 and groups[0] == (ALL, ALL):
        groups = groups[1:]
    rows = []
    for place, (name, channel) in enumerate(groups):
        last = place == len(groups) - 1
        of = np.ones(len(contacts), dtype=bool)
        tried = np.ones(len(attempts), dtype=bool)
        if not last:
            of = ((contacts["list"] == name) & (contacts["channel"] == channel)).to_numpy()
            tried = ((attempts["list"] == name) & (attempts["channel"] == channel)).to_numpy()
        rows.append(
            {"list": name, "channel": channel, **_row(contacts[of], attempts[tried], matching.of(of), margin, scale)}
        )
    return pd.DataFrame(rows)


def _row(contacts: pd.DataFrame, attempts: pd.DataFrame, found: Any, margin: float, scale: int) -> dict[str, Any]:
    """The numbers of one list and channel."""
    judged = contacts[contacts["judged"]]
    settled = judged[judged["settled"]]
    woken = settled[settled["ordered"] == 1]
    known = contacts["reached"].notna()
    n_known, n_reached = int(known.sum()), int(contacts.loc[known, "reached"].sum())
    cost = float(attempts["cost"].sum()) / scale
    reach, order = _rate(n_reached, n_known), _rate(int(judged["ordered"].sum()), len(judged))
    stayed = _rate(int(woken["stayed"].sum()), len(woken))
    money = [value * found.matched / scale for value in (found.money, *_interval(found.money, found.money_error))]
    roi = [(value * margin - cost) / cost if cost > 0 else math.nan for value in money]
    low, high = _interval(found.difference, found.difference_error)
    return {
        "contacts": len(contacts), "attempts": len(attempts), "pending": int((~contacts["judged"]).sum()),
        "reached": n_reached, "reach_rate": reach[0], "reach_low": reach[1], "reach_high": reach[2],
        "judged": len(judged), "ordered": int(judged["ordered"].sum()), "order_rate": order[0], "order_low": order[1],
        "order_high": order[2], "matched": found.matched, "matched_rate": found.rate,
        "control_rate": found.control_rate, "difference": found.difference, "difference_low": low,
        "difference_high": high, "extra_orders": found.difference * found.matched, "extra_revenue": money[0],
        "revenue_low": money[1], "revenue_high": money[2], "woken": len(woken), "stayed_rate": stayed[0],
        "stayed_low": stayed[1], "stayed_high": stayed[2], "control_stayed_rate": found.control_stayed, "cost": cost,
        "roi": roi[0], "roi_low": roi[1], "roi_high": roi[2],
    }  # fmt: skip


def _rate(hits: int, trials: int) -> tuple[float, float, float]:
    low, high = wilson_interval(hits, trials)
    return hits / trials if trials else math.nan, float(low), float(high)


def _interval(value: float, error: float) -> tuple[float, float]:
    return value - Z95 * error, value + Z95 * error


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ConfigError(f"{name} lies above 0 and up to 1; seen {value!r:.40}.")


def _warn(made: OutreachReadout) -> None:
    row = made.table.iloc[-1]
    if row["judged"] and row["matched"] < 0.5 * row["judged"]:
        warn(
            f"{int(row['judged'] - row['matched']):,} of {int(row['judged']):,} contacts have no comparable users who "
            "were left alone: the comparison speaks for the others alone. Leave a random part of each list uncalled.",
            ModelWarning,
        )
    # Money is compared in units of the own mean order: that fact may lie further apart than the others.
    apart = made.balance["difference"].abs() / np.array([1.0, 1.0, 2.5])
    # So far apart, and farther than chance alone puts two samples of this size.
    if row["matched"] and apart.max() > max(0.2, 2.5 / math.sqrt(row["matched"])):
        worst = made.balance["fact"].iloc[int(apart.to_numpy().argmax())]
        warn(
            f"the contacted and their controls still differ in {worst} (see .balance): read the difference with care. "
            "A random part left uncalled needs no matching.",
            ModelWarning,
        )
