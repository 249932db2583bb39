"""Panel: users as they were at several past days, and whether they then fell silent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from commlife._model import Given, Spec, default
from commlife.churn import _facts, _features
from commlife.churn._canon import row_hashes
from commlife.churn._progress import watched
from commlife.churn.catalogue import Feature, available, feature_named
from commlife.churn.host import HostFeatures, join_host, refuse_implausible
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import DayField, Duration, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["Panel", "SilencePanel", "Snapshot"]

Role = Literal["fit", "calibration", "test", "now"]
Array = np.ndarray[Any, np.dtype[np.float64]]
#: Days in 52 whole weeks: the same season and the same weekday a year ago.
_YEAR = 364
#: The longest window of a feature, in days.
_HISTORY = 90


@dataclass(frozen=True)
class Snapshot:
    """The active users at one past day.

    Attributes:
        day: The snapshot as an ISO day: features come from orders strictly before its midnight.
        role: ``fit``, ``calibration``, ``test``, or ``now`` (whose future is not known yet).
        users: The user ids, sorted.
        features: One float64 column a feature, rows as in ``users``.
        silent: 1.0 where the user placed no order that counts in [day + gap, day + gap + horizon); None for ``now``.
        community: The users' own communities (that of the first order), None where the log names none.
    """

    day: str
    role: Role
    users: pd.Series[Any]
    features: pd.DataFrame
    silent: Array | None
    community: pd.Series[Any] | None

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        share = "" if self.silent is None or not len(self) else f", {self.silent.mean():.1%} fell silent"
        return f"Snapshot({self.day}, {self.role}, {len(self):,} users{share})"

    def to_frame(self) -> pd.DataFrame:
        """user_id, the features, and ``silent`` where it is known."""
        frame = pd.concat([self.users.rename("user_id"), self.features], axis=1)
        return frame if self.silent is None else frame.assign(silent=self.silent)


@dataclass(frozen=True)
class Panel:
    """Snapshots in time order: the label windows of each role end before the next role's snapshot begins.

    Attributes:
        spec: What made it.
        as_of: The day on which it was made.
        snapshots: Fit snapshots, then calibration, then test, then ``now``.
        features: The features, in the order of the columns.
    """

    spec: SilencePanel
    as_of: str
    snapshots: tuple[Snapshot, ...]
    features: tuple[Feature, ...]

    def __repr__(self) -> str:
        inner = "\n".join(f"  {snapshot!r}" for snapshot in self.snapshots)
        return f"Panel(horizon={self.spec.horizon}, {len(self.features)} features, as_of={self.as_of})\n{inner}"

    def of(self, role: Role) -> tuple[Snapshot, ...]:
        """The snapshots of a role."""
        return tuple(snapshot for snapshot in self.snapshots if snapshot.role == role)

    def check(self) -> None:
        """Refuse a panel whose rows were dealt to roles by hand in a way that leaks.

        Rows of one user at neighbouring snapshots are nearly the same row, with nearly the same label: dealt at random
        to fit and test, they measure .04 to .10 of AUC that is not there.

        Raises:
            ConfigError: If a role has the wrong number of snapshots, a user stands twice in one, or label windows
                reach into the next role's snapshot.
        """
        counts = {role: len(self.of(role)) for role in ("fit", "calibration", "test", "now")}
        calibrations = 0 if self.spec.calibration == "none" else 1
        if counts["fit"] < 1 or (counts["calibration"], counts["test"], counts["now"]) != (calibrations, 1, 1):
            raise ConfigError(
                f"a panel holds fit snapshots, {calibrations} for calibration, one for the test, and now; seen "
                f"{counts}. Rows dealt to roles at random leak: the same user's neighbouring snapshots share days and "
                "labels. Take the panel as SilencePanel.build makes it."
            )
        for snapshot in self.snapshots:
            if snapshot.users.duplicated().any():
                raise ConfigError(f"a user stands twice in the snapshot {snapshot.day}; give one row a user.")
        plan: list[tuple[Role, int]] = [(s.role, day_number(s.day)) for s in self.snapshots if s.role != "now"]
        self.spec._check(plan, day_number(self.as_of))

    def to_frame(self) -> pd.DataFrame:
        """All matured snapshots: ``snapshot, role, user_id``, the features, ``silent``."""
        parts = [s.to_frame().assign(snapshot=s.day, role=s.role) for s in self.snapshots if s.role != "now"]
        whole = pd.concat(parts, ignore_index=True)
        return whole[["snapshot", "role", "user_id", *(f.name for f in self.features), "silent"]]


class SilencePanel(Spec):
    """Point-in-time snapshots of active users, labelled by whether they then fell silent.

    A user falls silent if no order that counts is placed in ``[T + gap, T + gap + horizon)``. Features come from lines
    strictly before ``T``; orders are as they were known at ``T`` (for the label: at the end of its window). A snapshot
    whose label window is not over at min(as_of, observed_until) is refused, never labelled by what is not yet known.
    Roles follow each other in time with an embargo: label windows of the fit snapshots end before the calibration
    snapshot, its window before the test snapshot.

    Args:
        horizon: Length of the silence.
        active_within: Users count as active if their last order lies within it before the snapshot.
        gap: Days between the snapshot and the label window, for instance the time that a campaign needs.
        snapshots: Number of fit snapshots at most (as many as the log has room for, at least one), or the days
            themselves in time order: the last is the test, the one before the calibration, the others fit.
        step: Days between fit snapshots; None takes half the horizon.
        min_history: The log must have been seen this long before the first snapshot; None takes 90 days where the log
            has room for them, else ``active_within`` (and leaves out features of windows that are not whole then).
        calibration: ``last`` (a snapshot before the test), ``season`` (the same season a year before) or ``none``.
        features: Names of features to keep; None keeps all that the log's columns allow.
        kinds: Kinds of feature to keep; ``("lever", "context")`` leaves out states, which levers work through.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> panel = SilencePanel(snapshots=1).build(log, as_of="2025-06-30")
        >>> [(snapshot.role, snapshot.day) for snapshot in panel.snapshots]
        [('fit', '2025-04-07'), ('calibration', '2025-05-05'), ('test', '2025-06-02'), ('now', '2025-06-30')]
    """

    horizon: Given[Duration, str] = default(Duration("28D"))
    active_within: Given[Duration, str] = default(Duration("56D"))
    gap: str = "0D"
    snapshots: Annotated[int, Field(ge=1, le=200)] | tuple[DayField, ...] = 4
    step: Given[Duration | None, str | None] = default(None)
    min_history: Given[Duration | None, str | None] = default(None)
    calibration: Literal["last", "season", "none"] = "last"
    features: tuple[str, ...] | None = None
    kinds: tuple[Literal["state", "lever", "context"], ...] = ("state", "lever", "context")

    @field_validator("gap")
    @classmethod
    def _gap_is_a_duration(cls, text: str) -> str:
        return text if text == "0D" else Duration(text)

    @field_validator("snapshots", mode="before")
    @classmethod
    def _snapshots_are_a_count_or_days(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("snapshots is a number of snapshots or a tuple of days")
        return tuple(value) if isinstance(value, list) else value

    @field_validator("features")
    @classmethod
    def _features_exist(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            feature_named(name)
        if names is not None and not names:
            raise ValueError("features names at least one feature, or is None")
        return names

    @property
    def gap_days(self) -> int:
        """The gap in days."""
        return 0 if self.gap == "0D" else Duration(self.gap).days

    @property
    def reach(self) -> int:
        """Days from a snapshot to the end of its label window."""
        return self.gap_days + self.horizon.days

    def build(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> Panel:
        """Make the snapshots.

        Args:
            log: The order log.
            as_of: The local business day from which one looks back; also the snapshot ``now``.
            host: The host's own features (see :class:`HostFeatures`), joined as of each snapshot.

        Raises:
            InsufficientDataError: If the log has no room for the snapshots, or nobody is active at one of them.
            ConfigError: If a snapshot is immature, or label windows reach into the next role's snapshot, or a host
                feature carries later information.
        """
        need_log(log, "SilencePanel.build")
        return self._build(log, as_of=as_of, host=host)

    def _build(
        self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None, stands_for: float = 1.0
    ) -> Panel:
        """The snapshots of a log, each of whose users stands for so many of the community."""
        today = day_number(as_of)
        plan = self._plan(log, today)
        chosen = self._chosen(log)
        plan.append(("now", today))
        made = [
            self._snapshot(log, plan[k][1], plan[k][0], chosen, host, stands_for)
            for k in watched(range(len(plan)), "snapshots")
        ]
        empty = [snapshot.day for snapshot in made if not len(snapshot)]
        if empty:
            raise InsufficientDataError(
                f"SilencePanel: nobody ordered within {self.active_within} before {empty[0]}. "
                "Use a larger active_within or another as_of."
            )
        features = chosen if host is None else (*chosen, *host.features)
        panel = Panel(spec=self, as_of=day_text(today), snapshots=tuple(made), features=features)
        if host is not None:
            refuse_implausible(panel)
        return panel

    def now(self, log: OrderLog, *, as_of: Timestamp, host: HostFeatures | None = None) -> Snapshot:
        """The users active before ``as_of`` with their features, without a label; may be empty."""
        need_log(log, "SilencePanel.now")
        return self._snapshot(log, day_number(as_of), "now", self._chosen(log), host)

    def _chosen(self, log: OrderLog) -> tuple[Feature, ...]:
        possible = available(log)
        if self.features is not None:
            names = {feature.name for feature in possible}
            for name in self.features:
                if name not in names:
                    log.require(feature_named(name).needs[0], why=f"the feature {name}")
            possible = tuple(feature for feature in possible if feature.name in self.features)
        possible = tuple(feature for feature in possible if feature.kind in self.kinds)
        if not possible:
            raise ConfigError(
                f"SilencePanel: no feature is left of kinds={self.kinds} with these columns of the log."
                " Name more columns in OrderLog.from_frame, or more kinds."
            )
        return possible

    # -- when ---------------------------------------------------------------------------------------------------------

    def _plan(self, log: OrderLog, today: int) -> list[tuple[Role, int]]:
        """Roles and days in time order; refuses what is immature or leaks."""
        until = complete_until(today, log.observation.until)
        if isinstance(self.snapshots, tuple):
            plan = self._told(tuple(day_number(day) for day in self.snapshots))
        else:
            plan = self._counted(log.observation.first, until)
        self._check(plan, until)
        return plan

    def _told(self, days: tuple[int, ...]) -> list[tuple[Role, int]]:
        last: tuple[Role, ...] = ("test",) if self.calibration == "none" else ("calibration", "test")
        least = 1 + len(last)
        if len(days) < least or sorted(set(days)) != list(days):
            raise ConfigError(
                f"SilencePanel: snapshots are at least {least} different days in time order (fit, "
                f"{', '.join(last)}); seen {[day_text(day) for day in days]}."
            )
        roles: list[Role] = []
        roles += ["fit"] * (len(days) - len(last))
        roles += last
        return list(zip(roles, days, strict=True))

    def _counted(self, first: int, until: int) -> list[tuple[Role, int]]:
        assert isinstance(self.snapshots, int)  # noqa: S101  (the caller's check, for the type checker)
        test = until - self.reach
        last_fit = test - self.reach * (2 if self.calibration == "last" else 1)
        calibration: int | None = None
        if self.calibration == "last":
            calibration = test - self.reach
        elif self.calibration == "season":
            calibration = test - _YEAR
        step = self.step.days if self.step is not None else max(1, self.horizon.days // 2)
        oldest = last_fit if calibration is None else min(last_fit, calibration)
        history = self.active_within.days if self.min_history is None else self.min_history.days
        if self.min_history is None and oldest - first >= _HISTORY:
            history = max(history, _HISTORY)
        earliest = first + history
        fits = [last_fit - step * k for k in range(self.snapshots) if last_fit - step * k >= earliest]
        if calibration is not None:
            fits = [day for day in fits if abs(day - calibration) >= self.reach]
        if not fits or oldest < earliest:
            raise InsufficientDataError(
                f"SilencePanel needs {history + until - oldest} days of the log before "
                f"{day_text(until)} (history {history}, then fit, calibration and test windows of "
                f"{self.reach} days), the log has {until - first} (it begins on {day_text(first)}). Use a shorter "
                'horizon or min_history, calibration="none", or a later as_of.'
            )
        plan: list[tuple[Role, int]] = [("fit", day) for day in sorted(fits)]
        if calibration is not None:
            plan.append(("calibration", calibration))
        return [*plan, ("test", test)]

    def _check(self, plan: list[tuple[Role, int]], until: int) -> None:
        late = [day for _, day in plan if day + self.reach > until]
        if late:
            raise ConfigError(
                f"SilencePanel: the snapshot {day_text(late[0])} is immature: its label window ends on "
                f"{day_text(late[0] + self.reach)}, what is known ends on {day_text(until)}. "
                f"Use snapshots up to {day_text(until - self.reach)}."
            )
        days: dict[str, list[int]] = {}
        for role, day in plan:
            days.setdefault(role, []).append(day)
        order = [("fit", "test"), ("calibration", "test")]
        if self.calibration == "last":
            order.append(("fit", "calibration"))
        for before, after in order:
            if before in days and max(days[before]) + self.reach > min(days[after]):
                raise ConfigError(
                    f"SilencePanel: the label window of the {before} snapshot {day_text(max(days[before]))} ends on "
                    f"{day_text(max(days[before]) + self.reach)}, after the {after} snapshot "
                    f"{day_text(min(days[after]))} begins: the future of the one would be learned from the other. "
                    f"Keep them at least {self.reach} days apart."
                )

    # -- what ---------------------------------------------------------------------------------------------------------

    def _snapshot(
        self,
        log: OrderLog,
        day: int,
        role: Role,
        chosen: tuple[Feature, ...],
        host: HostFeatures | None,
        stands_for: float = 1.0,
    ) -> Snapshot:
        facts = _facts.user_facts(log, day, self.active_within.days)
        if stands_for != 1 and log.has("community"):
            of_communities = list(_facts.OF_COMMUNITIES)
            facts[of_communities] = facts[of_communities] * stands_for
        names = tuple(feature.name for feature in chosen)
        observed = day - log.observation.first
        values = _features.feature_values(facts, names, day=day, observed=observed, scale=log.scale)
        users = facts["user_id"]
        silent = None
        if role != "now":
            start = day + self.gap_days
            ordered = _facts.label_facts(log, start, start + self.horizon.days)
            silent = np.asarray(~users.isin(ordered["user_id"]), dtype=np.float64)
        community = facts.get("own_community")
        snapshot = Snapshot(day_text(day), role, users, pd.DataFrame(values, columns=list(names)), silent, community)
        if host is not None:
            snapshot = replace(snapshot, features=join_host(snapshot, host, log, day))
        return snapshot


def row_order(snapshots: tuple[Snapshot, ...]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An order of the rows of several snapshots, and the number of each row's user, that ids do not decide.

    Rows are ordered by what they hold (snapshot, features, label), users by what their rows hold; only users with
    equal histories are left, and these are exchangeable. So draws over users mean the same whatever users are called.

    Returns:
        Positions into the stacked rows, and for each stacked row the user's number from 0.
    """
    hashes = np.concatenate(
        [
            row_hashes(
                np.column_stack([s.features.to_numpy(), np.zeros(len(s)) if s.silent is None else s.silent]), salt=k
            )
            for k, s in enumerate(snapshots)
        ]
    )
    ids = pd.concat([s.users for s in snapshots], ignore_index=True)
    codes, uniques = pd.factorize(ids)
    signature = np.zeros(len(uniques), dtype=np.uint64)
    np.add.at(signature, codes, hashes)
    rank = np.empty(len(uniques), dtype=np.int64)
    rank[np.argsort(signature, kind="stable")] = np.arange(len(uniques))
    user = rank[codes]
    moment = np.repeat(np.arange(len(snapshots)), [len(s) for s in snapshots])
    return np.lexsort((user, moment)), user
