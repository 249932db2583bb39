"""Retention alerts: is the newest complete cell of a group out of line with its own history?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.multiplicity import benjamini_hochberg
from commlife._text.notebook import Shown
from commlife.cohorts._expectation import expect
from commlife.cohorts.table import CohortTable
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife._text.labels import Language
    from commlife.orders import OrderLog

__all__ = ["RetentionAlerts", "retention_alerts"]

_COLUMNS = (
    "group",
    "cohort",
    "age",
    "expected",
    "observed",
    "users_lost",
    "p_value",
    "q_value",
    "direction",
    "size",
    "history",
    "overdispersion",
)
#: Shares whose denominator is a whole cohort (or the period's active users) and whose history stays comparable.
_ALERTABLE = ("retention", "bracket", "rolling", "streak", "repurchase", "recall")
_LEAST_HISTORY, _MOST_HISTORY = 4, 26
_WEIGHT_OF_NEXT_AGE = 0.25


@dataclass(frozen=True, slots=True)
class RetentionAlerts(Shown):
    """The newest cells that are out of line, most certain first.

    Attributes:
        tested: Every cell that was tested, a row each: ``group`` (the value of ``by``, a tuple where it names several
            attributes, ``"all"`` where it names none); ``cohort``, ``age``; ``expected`` and ``observed`` rates;
            ``users_lost``, how many users of the cohort that is (negative: won); ``p_value``, two-sided: how likely a
            cell as far out is by chance alone; ``q_value``, the same after the control of false discoveries over all
            cells; ``direction``, drop or rise; ``size`` of the cohort; ``history``, cells of own history;
            ``overdispersion``, the estimated correlation between users of one cohort.
        untested: Newest cells that could not be tested, with ``reason``.
        level: The false-discovery rate: cells with ``q_value`` up to it are alerts.
        table: The table that was judged.
    """

    tested: pd.DataFrame
    untested: pd.DataFrame = field(repr=False)
    level: float
    table: CohortTable = field(repr=False)

    def __len__(self) -> int:
        return int((self.tested["q_value"] <= self.level).sum())

    def __repr__(self) -> str:
        frame = self.to_frame()
        drops = int((frame["direction"] == "drop").sum())
        told = f"{_counted(drops, 'drop')}, {_counted(len(frame) - drops, 'rise')}"
        return f"RetentionAlerts({told} in {_counted(len(self.tested), 'cell')}, q <= {self.level})"

    def to_frame(self) -> pd.DataFrame:
        """The alerts alone: the rows of ``tested`` with ``q_value`` up to ``level``, smallest first."""
        return self.tested.loc[self.tested["q_value"] <= self.level].reset_index(drop=True)

    def drill(self, log: OrderLog, *, by: str | Sequence[str], alert: int | None = None) -> pd.DataFrame:
        """Which part of each change comes from whom: an exact decomposition into rate and mix.

        The change is that of the observed rate against the pooled rate of the same history. For an attribute that
        parts users (community, channel, coupon_id, subsidised), with shares s and rates r before (0) and now (1), a
        part contributes ``(s1 - s0) * ((r0 + r1) / 2 - r)`` by mix and ``(s0 + s1) / 2 * (r1 - r0)`` by rate, where r
        is the mean of both overall rates; the contributions sum to the change. What a first order holds (item_id,
        category) does not part users: there each value is set against the users without it, and its own part and
        ``rest_points`` sum to the change.

        Args:
            log: The log that the table was made of.
            by: One or several of ``community, channel, coupon_id, subsidised, address_id, item_id, category``.
            alert: Row of :meth:`to_frame`; None: every alert.

        Returns:
            A frame, the largest contributions in the direction of the alert first: ``alert, group, cohort, age, by,
            value, size_before`` (users a cohort), ``size, rate_before, rate, mix_points, rate_points, points`` (their
            sum, in percentage points), ``rest_points, users_lost`` (``points`` in users of the cohort).

        Source: Kitagawa, "Components of a difference between two rates", JASA 50 (1955).
        """
        need_log(log, "RetentionAlerts.drill")
        from commlife.cohorts.drill import drill_alerts

        return drill_alerts(self, log, by=by, alert=alert)

    def users(self, log: OrderLog, *, alert: int | None = None) -> Any:
        """Whom to call: users of the alerted cohorts who have not come back at that age.

        Args:
            log: The log that the table was made of.
            alert: Row of :meth:`to_frame`; None: every drop.

        Returns:
            A frame in the input's own kind: ``user_id, alert, age``; a user of two alerts stands twice.
        """
        need_log(log, "RetentionAlerts.users")
        from commlife.cohorts.drill import users_of_alerts

        return users_of_alerts(self, log, alert=alert)

    def plot(self, alert: int = 0, *, ax: Axes | None = None, lang: Language = "en") -> Axes:
        """The history of an alerted cell with its interval, the newest one marked.

        Args:
            alert: Row of :meth:`to_frame`.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.cohorts.figures import alert_history

        return alert_history(self, alert, ax=ax, lang=lang)

    def plot_drill(
        self,
        log: OrderLog,
        *,
        by: str | Sequence[str],
        alert: int = 0,
        most: int = 8,
        ax: Axes | None = None,
        lang: Language = "en",
    ) -> Axes:
        """The largest parts of :meth:`drill` as bars: what came of another rate, and what of another mix.

        Args:
            log: The log that the table was made of.
            by: As for :meth:`drill`.
            alert: Row of :meth:`to_frame`.
            most: How many parts are shown.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        need_log(log, "RetentionAlerts.plot_drill")
        from commlife.cohorts.figures import drill_bars

        self.row(alert)
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ConfigError(f"most is a number of parts, 1 or more; seen {most!r:.40}.")
        parts = self.drill(log, by=by, alert=alert)
        sign = 1.0 if self.row(alert)["direction"] == "drop" else -1.0
        parts = parts.iloc[np.argsort((sign * parts["points"]).to_numpy(), kind="stable")]
        return drill_bars(parts, most=most, ax=ax, lang=lang)

    def row(self, alert: int) -> pd.Series[Any]:
        """One alert by its place in :meth:`to_frame`."""
        alerts = self.to_frame()
        if isinstance(alert, bool) or not isinstance(alert, int) or not 0 <= alert < len(alerts):
            raise ConfigError(f"alert is a row of to_frame(), 0 to {len(alerts) - 1}; seen {alert!r:.40}.")
        return alerts.iloc[alert]


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def retention_alerts(
    table: CohortTable,
    *,
    level: float = 0.02,
    ages: Sequence[int] | None = None,
    history: int = _MOST_HISTORY,
    min_history: int = 6,
) -> RetentionAlerts:
    """For each group and age: is the newest complete cell out of line with its own history?

    A cell is judged by a beta-binomial around the group's own mean rate. How much whole cohorts swing
    (overdispersion) is estimated from the group's history and, through a bounded weight, that of the other groups;
    its uncertainty and that of the mean widen the prediction. A group with fewer than ``min_history`` cells leans on
    the mean of the others (three at least), as far as they differ from each other. False discoveries are controlled
    over all cells by Benjamini and Hochberg, with a quarter of the weight for each age more: a leak shows first at the
    first age, and the many later ages shall not hide it (Genovese, Roeder & Wasserman 2006).

    Args:
        table: A cohort table of dated cohorts; by community, say, to find where.
        level: False-discovery rate of the alerts.
        ages: The ages to look at; None: all from 1 on with enough history.
        history: How many earlier cohorts make the history.
        min_history: Cells from which on a group stands alone, 4 or more.

    Returns:
        The :class:`RetentionAlerts`; ``to_frame()`` is the list.

    Raises:
        ConfigError: If the measure has no comparable history, the cohorts are no dates, or an argument is wrong.
        InsufficientDataError: If no cell has enough history.

    Examples:
        >>> from commlife.cohorts import cohort_table
        >>> from commlife.datasets import make_community
        >>> world = make_community(newcomers_per_week=150, n_communities=3, n_weeks=14, drop_week=12, seed=3)
        >>> table = cohort_table(world.log, as_of=world.as_of, period="7D", by="community")
        >>> alerts = retention_alerts(table)
        >>> alerts.to_frame()[["group", "age", "direction"]].to_numpy().tolist()
        [['C01', 1, 'drop']]
    """
    _check(table, level, history, min_history)
    wanted = _wanted_ages(table, ages)
    judged = [part for age in wanted if (part := _judge(table, age, history, min_history)) is not None]
    rows = pd.concat(judged, ignore_index=True) if judged else pd.DataFrame({"tested": []})
    tested = rows.loc[rows["tested"].astype(bool)]
    if tested.empty:
        raise InsufficientDataError(
            f"retention_alerts needs {min_history} complete cells of history at some age; the table ({table!r}) has "
            "too few cohorts. Use a shorter period, a smaller min_history, or a later as_of."
        )
    untested = rows.loc[~rows["tested"].astype(bool), ["group", "cohort", "age", "size", "history"]]
    reason = np.where(untested["size"] > 0, "too short a history", "no cohort of that period")
    found = _with_q_values(tested.drop(columns="tested"))
    return RetentionAlerts(found, untested.assign(reason=reason).reset_index(drop=True), level, table)


def _check(table: Any, level: Any, history: Any, min_history: Any) -> None:
    if not isinstance(table, CohortTable):
        raise ConfigError(f"retention_alerts takes a CohortTable, from cohort_table; seen {type(table).__name__}.")
    question = table.question
    if question.measure not in _ALERTABLE:
        raise ConfigError.unknown_name("retention_alerts: the table's measure", question.measured, _ALERTABLE)
    if question.cohort not in ("first_order", "active"):
        raise ConfigError(
            f"retention_alerts needs cohorts by date; those of this table are by {question.cohort!r}."
            ' Use cohort_table(..., cohort="first_order").'
        )
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ConfigError(f"level is a false-discovery rate between 0 and 1; seen {level!r:.40}.")
    for name, value in (("history", history), ("min_history", min_history)):
        if isinstance(value, bool) or not isinstance(value, int) or value < _LEAST_HISTORY:
            raise ConfigError(f"{name} is a whole number of cells, {_LEAST_HISTORY} or more; seen {value!r:.40}.")


def _wanted_ages(table: CohortTable, ages: Any) -> list[int]:
    there = sorted(int(age) for age in table.cells["age"].unique())
    if ages is None:
        first = 0 if table.question.measure in ("bracket", "rolling", "repurchase") else 1
        return [age for age in there if age >= first]
    if isinstance(ages, (str, bytes)) or not hasattr(ages, "__iter__") or not list(ages):
        raise ConfigError(f"ages is a list of ages such as [1, 2]; seen {ages!r:.60}.")
    for age in ages:
        if isinstance(age, bool) or age not in there:
            raise ConfigError(f"ages: the table has the ages {there!r:.80}; seen {age!r:.40}.")
    return sorted(set(ages))


def _judge(table: CohortTable, age: int, history: int, min_history: int) -> pd.DataFrame | None:
    """All groups at one age: the newest cohort for which that age is complete, against those before."""
    by = list(table.question.by)
    at_age = table.cells.loc[table.cells["age"] == age]
    at_age = at_age.loc[at_age["size"] > 0]
    cohorts = np.sort(at_age["cohort"].unique())[-(history + 1) :]
    if len(cohorts) <= _LEAST_HISTORY:
        return None
    at_age = at_age.loc[at_age["cohort"] >= cohorts[0]]
    group = at_age.groupby(by, dropna=False, sort=True).ngroup().to_numpy() if by else np.zeros(len(at_age), dtype=int)
    names = at_age.assign(_group=group).drop_duplicates("_group").sort_values("_group")
    users, size = np.zeros((len(names), len(cohorts))), np.zeros((len(names), len(cohorts)))
    place = np.searchsorted(cohorts, at_age["cohort"].to_numpy())
    users[group, place], size[group, place] = at_age["users"].to_numpy(), at_age["size"].to_numpy()
    found = expect(users[:, :-1], size[:, :-1], users[:, -1], size[:, -1], min_history=min_history)
    observed = users[:, -1] / np.where(size[:, -1] > 0, size[:, -1], np.nan)
    return pd.DataFrame(
        {
            "group": _labels(names, by),
            "cohort": cohorts[-1],
            "age": age,
            "expected": found.rate,
            "observed": observed,
            "users_lost": (found.rate - observed) * size[:, -1],
            "p_value": found.p_value,
            "direction": np.where(observed < found.rate, "drop", "rise"),
            "size": size[:, -1],
            "history": (size[:, :-1] > 0).sum(axis=1),
            "overdispersion": found.rho,
            "tested": found.tested,
        }
    )


def _labels(names: pd.DataFrame, by: list[str]) -> list[Any]:
    if not by:
        return ["all"]
    if len(by) == 1:
        return names[by[0]].tolist()
    return list(names[by].itertuples(index=False, name=None))


def _with_q_values(tested: pd.DataFrame) -> pd.DataFrame:
    """Weighted Benjamini-Hochberg: each age has a quarter of the weight of the one before; 1 in the mean."""
    rank = np.unique(tested["age"].to_numpy(), return_inverse=True)[1]
    weight = _WEIGHT_OF_NEXT_AGE ** rank.astype(np.float64)
    weight /= weight.mean()
    q = benjamini_hochberg(np.minimum(tested["p_value"].to_numpy() / weight, 1.0))
    order = np.lexsort((tested["age"].to_numpy(), tested["p_value"].to_numpy(), q))
    return tested.assign(q_value=q)[list(_COLUMNS)].iloc[order].reset_index(drop=True)
