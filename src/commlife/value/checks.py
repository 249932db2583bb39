"""Checks that a careful analyst makes: does the model fit the counts, and foresee the holdout?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._figures.axes import drawn, finish, new_axes
from commlife._figures.colours import ACCENT, BAD, PAPER
from commlife._stats.wilson import wilson_interval
from commlife._text.notebook import Shown
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp
from commlife.value.histories import Summary, read_summary
from commlife.value.predictions import from_the_start
from commlife.value.purchases import FittedPurchaseModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FrequencyCheck", "HoldoutCheck", "frequency_check", "holdout_check"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class FrequencyCheck(Shown):
    """How many users have 0, 1, 2, ... repeat purchase days, and how many the model expects.

    Attributes:
        table: Frame with ``x`` (the last row holds ``most`` and more), ``users`` seen and ``expected`` by the model.
    """

    table: pd.DataFrame

    def __repr__(self) -> str:
        return f"FrequencyCheck({int(self.table['users'].sum()):,} users by their repeat purchase days)"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None) -> Axes:
        """Bars side by side."""
        axes = new_axes(ax, 7, 4)
        place = np.arange(len(self.table))
        axes.bar(place - 0.2, self.table["users"], width=0.4, color=ACCENT, label="seen")
        axes.bar(
            place + 0.2, self.table["expected"], width=0.4, color=PAPER, edgecolor=BAD, hatch="///", label="expected"
        )
        labels = [str(x) for x in self.table["x"]]
        axes.set_xticks(place, [*labels[:-1], f"{labels[-1]}+"])
        axes.set_xlabel("repeat purchase days")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_ylabel("users")
        off = float((self.table["users"] - self.table["expected"]).abs().sum() / 2 / self.table["users"].sum())
        axes.legend()
        return finish(axes, f"Repeat purchases seen and expected: {off:.1%} of the users lie elsewhere")


def frequency_check(
    fitted: FittedPurchaseModel, data: Any, *, most: int = 7, as_of: Timestamp | None = None
) -> FrequencyCheck:
    """Compare the histogram of x with what the model expects of users observed for as long.

    Args:
        fitted: A fitted BetaGeo, ModifiedBetaGeo or ParetoNBD.
        data: The purchase summary that it was fitted on, or an OrderLog with ``as_of``.
        most: The last row takes this many repeats and more, 1 to 100.
        as_of: Local business day; for a log alone.

    Returns:
        A :class:`FrequencyCheck`.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("BetaGeo", {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5},
        ...                                  n_users=2000, T="273D", seed=1)
        >>> check = value.frequency_check(value.BetaGeo().fit(summary), summary, most=3)
        >>> int(check.table["users"].sum())
        2000
    """
    _check_fitted("frequency_check", fitted)
    _check_most(most)
    summary = read_summary(data, as_of=as_of, ids=False, extra=fitted.spec.columns, what="frequency_check")
    p, stratum = fitted._strata(summary)
    # Users observed for as long, with the same parameters, expect the same.
    key = summary.T if stratum is None else np.stack([summary.T, stratum])
    rows, users = np.unique(key, axis=-1, return_counts=True)
    lengths, own = (rows, np.zeros(rows.size)) if stratum is None else rows
    _, shares = from_the_start(fitted.kernel, p, own.astype(np.intp), most - 1, lengths / fitted.time_unit.days)
    expected = np.append(users @ shares, 0.0)
    expected[-1] = len(summary.x) - expected.sum()
    seen = np.bincount(np.minimum(summary.x, most).astype(np.intp), minlength=most + 1)
    return FrequencyCheck(pd.DataFrame({"x": np.arange(most + 1), "users": seen, "expected": expected}))


@dataclass(frozen=True, slots=True)
class HoldoutCheck(Shown):
    """What the model foresaw at a day, and what came until a later one.

    Attributes:
        horizon_days: Days between the two.
        by_x: Frame with ``x`` at the earlier day (the last row holds ``most`` and more), ``users``, mean ``expected``
            and mean ``actual`` purchase days, and ``low`` and ``high``, the 95% interval of the actual mean (null for
            one user).
        silence: Frame of ten groups by ``p_silent`` (fewer where users tie): ``users``, mean ``p_silent``, share of
            users ``silent`` with a 95% Wilson interval ``low``, ``high``.
        expected: Purchase days of all users that were expected.
        actual: Purchase days that came.
        brier: Mean squared error of ``p_silent``; lower is better.
        base_brier: The same if everybody got the mean share: what knowing nothing of the users gives.
        most: The last row of ``by_x`` holds this many and more.
    """

    horizon_days: int
    by_x: pd.DataFrame
    silence: pd.DataFrame
    expected: float
    actual: int
    brier: float
    base_brier: float
    most: int

    def __repr__(self) -> str:
        return (
            f"HoldoutCheck({self.horizon_days} days: {self.expected:,.0f} expected, {self.actual:,} came; "
            f"Brier {self.brier:.4f} against {self.base_brier:.4f})"
        )

    def to_frame(self) -> pd.DataFrame:
        """The table by x."""
        return self.by_x

    @drawn
    def plot(self, ax: Axes | None = None) -> Axes:
        """Conditional expectation by x: the line that was foreseen, the dots that came with their 95% intervals."""
        axes = new_axes(ax, 7, 4)
        place = np.arange(len(self.by_x))
        actual = self.by_x["actual"].to_numpy()
        reach = np.nan_to_num(self.by_x["high"].to_numpy() - actual)
        axes.plot(place, self.by_x["expected"], color=BAD, marker="s", linestyle="--", label="expected")
        axes.errorbar(place, actual, yerr=reach, fmt="o", color=ACCENT, label="came, 95%")
        labels = [str(x) for x in self.by_x["x"]]
        axes.set_xticks(place, [*labels[:-1], f"{labels[-1]}+"] if len(labels) > self.most else labels)
        axes.set_xlabel("repeat purchase days before")
        axes.set_ylabel(f"purchase days in the next {self.horizon_days} days")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
        return finish(axes, f"{self.actual:,} purchase days came, {self.expected:,.0f} were expected")


def holdout_check(fitted: FittedPurchaseModel, earlier: Any, later: Any, *, most: int = 7) -> HoldoutCheck:
    """Compare predictions at an earlier day with what the summary of a later day shows.

    Fit on the earlier summary, never on the later one.

    Args:
        fitted: A fitted BetaGeo, ModifiedBetaGeo or ParetoNBD.
        earlier: The purchase summary at the earlier day, such as ``purchase_summary(log, as_of="2025-01-01")``.
        later: The purchase summary of the same log at a later day; it holds every user of the earlier one.
        most: The last row of ``by_x`` takes this many repeats and more, 1 to 100.

    Returns:
        A :class:`HoldoutCheck`.

    Raises:
        ConfigError: If a user of the earlier summary is missing later, lost purchases, or the days do not agree.
    """
    _check_fitted("holdout_check", fitted)
    _check_most(most)
    before = read_summary(earlier, extra=fitted.spec.columns, what="holdout_check")
    came, horizon = _purchases_between(before, read_summary(later, what="holdout_check"))
    predictions = fitted._predictions(before)
    expected, silent = predictions.purchases(horizon), predictions.p_silent(horizon)
    group = np.minimum(before.x, most).astype(np.intp)
    table = pd.DataFrame({"x": group, "expected": expected, "actual": came})
    grouped = table.groupby("x")
    users = grouped.size()
    mean = grouped["actual"].mean()
    half: Any = _Z * grouped["actual"].std() / np.sqrt(users)
    by_x = pd.DataFrame(
        {
            "x": users.index.to_numpy(),
            "users": users.to_numpy(),
            "expected": grouped["expected"].mean().to_numpy(),
            "actual": mean.to_numpy(),
            "low": (mean - half).to_numpy(),
            "high": (mean + half).to_numpy(),
        }
    )
    quiet = came == 0
    share = float(quiet.mean())
    return HoldoutCheck(
        horizon_days=horizon,
        by_x=by_x,
        silence=_silence_groups(silent, quiet),
        expected=float(expected.sum()),
        actual=int(came.sum()),
        brier=float(((silent - quiet) ** 2).mean()),
        base_brier=share * (1.0 - share),
        most=most,
    )


def _purchases_between(before: Summary, after: Summary) -> tuple[Array, int]:
    """Purchase days of each user between two summaries, and the days between them."""
    earlier, later = (_by_user(summary) for summary in (before, after))
    if later.index.has_duplicates or earlier.index.has_duplicates:
        raise ConfigError("holdout_check: a user_id occurs twice in a summary; a user has one row. Keep one.")
    missing = earlier.index.difference(later.index)
    if len(missing):
        raise ConfigError(
            f"holdout_check: {len(missing):,} users of the earlier summary are missing in the later one. Take both "
            "from one log, the later as_of second."
        )
    aligned = later.loc[earlier.index]
    gap = (aligned["T"] - earlier["T"]).to_numpy()
    came = (aligned["x"] - earlier["x"]).to_numpy()
    days = round(float(gap[0]))
    if days < 1 or not np.allclose(gap, days, rtol=0, atol=1e-6):
        raise ConfigError(
            "holdout_check: T of every user grows by the same whole number of days, at least 1; "
            f"seen from {gap.min():g} to {gap.max():g}. Take both from one log, the later as_of second."
        )
    if came.min() < 0:
        raise ConfigError(
            "holdout_check: a user has fewer purchase days in the later summary than in the earlier one. "
            "Take both from the same log."
        )
    return came, days


def _by_user(summary: Summary) -> pd.DataFrame:
    ids = summary.frame["user_id"].to_list()
    return pd.DataFrame({"x": summary.x, "T": summary.T}, index=pd.Index(ids, dtype=object))


def _silence_groups(p: Array, quiet: np.ndarray[Any, np.dtype[np.bool_]]) -> pd.DataFrame:
    """Ten groups of about equal size by p; equal values stay together."""
    cuts = np.unique(np.quantile(p, np.linspace(0.1, 0.9, 9)))
    table = pd.DataFrame({"group": np.searchsorted(cuts, p, side="left"), "p": p, "quiet": quiet.astype(np.int64)})
    grouped = table.groupby("group")
    users, silent = grouped.size().to_numpy(), grouped["quiet"].sum().to_numpy()
    low, high = wilson_interval(silent, users)
    return pd.DataFrame(
        {"users": users, "p_silent": grouped["p"].mean().to_numpy(), "silent": silent / users, "low": low, "high": high}
    )


def _check_fitted(what: str, fitted: object) -> None:
    if not isinstance(fitted, FittedPurchaseModel):
        raise ConfigError(f"{what} takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD; seen {type(fitted).__name__}.")


def _check_most(most: object) -> None:
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 100:
        raise ConfigError(f"most is a whole number from 1 to 100; seen {most!r}.")
