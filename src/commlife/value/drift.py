"""Drift: does the population still behave as the parameters say, or is it time to fit again?

The test looks at what has come since, given what was known then, and so is fair to users who are in both summaries:
purchase days since, of known users by how often they had bought and of users first seen since, less what the model
expects of them, against the variance that chance and the parameters' error give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from commlife._caveats import warn
from commlife._figures.axes import drawn, finish, new_axes
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, DriftWarning, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number
from commlife.value.histories import Flags, Index, Summary, read_summary
from commlife.value.likelihood import of_strata
from commlife.value.purchases import FittedPurchaseModel, _share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DriftCheck", "drift_check"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_STEP = 1e-4
#: Known users by x before: the lowest x of each group, and their names.
_FROM = (0, 1, 2, 4)
_NAMES = ("x = 0", "x = 1", "x = 2 to 3", "x = 4 and more", "first seen since")
#: A group from which fewer purchases are expected is too thin for a normal approximation.
_ENOUGH = 10.0


@dataclass(frozen=True, slots=True)
class DriftCheck(Shown):
    """What came since against what the parameters expect.

    Attributes:
        table: One row a group of users: ``group``, ``users``, ``expected`` and ``actual`` purchase days since,
            ``standard_error`` of the difference, ``z`` and ``ratio`` (actual to expected). Groups of whom fewer than
            10 purchase days are expected are left out.
        days: Days since the model's own.
        statistic: Chi-squared of all groups together.
        p_value: Probability of as much without drift.
        level: Rate at which no drift at all is called significant.
        tolerance: Part of the expected by which a group must be off to matter.
        drifted: Whether it is significant and matters.
    """

    table: pd.DataFrame
    days: int
    statistic: float
    p_value: float
    level: float
    tolerance: float
    drifted: bool

    def __repr__(self) -> str:
        total = self.table[["expected", "actual"]].sum()
        return (
            f"DriftCheck({self.days} days: {total['expected']:,.0f} expected, {total['actual']:,.0f} came, "
            f"p = {self.p_value:.2g}: {'fit again' if self.drifted else 'the parameters hold'})"
        )

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None) -> Axes:
        """The ratio of what came to what was expected, with its 95% interval."""
        from commlife._figures.colours import ACCENT, QUIET

        ax = new_axes(ax, 7, 3.4)
        place = np.arange(len(self.table))[::-1]
        reach = 1.96 * self.table["standard_error"] / self.table["expected"]
        ax.axvline(1.0, color=QUIET, linewidth=1)
        ax.axvspan(1 - self.tolerance, 1 + self.tolerance, color=QUIET, alpha=0.2, label="tolerated")
        ax.errorbar(self.table["ratio"], place, xerr=reach, fmt="o", color=ACCENT, label="came / expected, 95%")
        ax.set_yticks(place, self.table["group"].tolist())
        ax.set_xlabel(f"purchase days of {self.days} days: came / expected")
        ax.set_ylim(-0.6, len(place) - 0.4)
        ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2)
        return finish(ax, "Drifted: fit again" if self.drifted else "No drift that matters")


def drift_check(
    fitted: FittedPurchaseModel,
    later: Any,
    *,
    earlier: Any = None,
    as_of: Timestamp | None = None,
    level: float = 0.01,
    tolerance: float = 0.05,
) -> DriftCheck:
    """Test whether purchases since the fit are those that its parameters expect; warn where they are not.

    Args:
        fitted: The model, fitted at the earlier day.
        later: The OrderLog with ``as_of``, or the purchase summary of a later day.
        earlier: The purchase summary that the model was fitted on; not with a log, which knows it.
        as_of: Local business day after that of the fit; with a log.
        level: Rate of false alarms where nothing has changed, above 0 and below 1.
        tolerance: A group must be off by more than this part of what is expected; 0 lets the test decide alone.

    Returns:
        A :class:`DriftCheck`. It warns with :class:`~commlife.errors.DriftWarning` where ``drifted``.

    Raises:
        ConfigError: If the two days or their users do not agree, or ``earlier`` is missing.
        InsufficientDataError: If too few purchases are expected to tell.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=800, seed=7).log
        >>> bg = cl.BetaGeo().fit(log, as_of="2025-06-02")
        >>> cl.drift_check(bg, log, as_of="2025-06-30").days
        28
    """
    if not isinstance(fitted, FittedPurchaseModel):
        raise ConfigError(
            f"drift_check takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD; seen {type(fitted).__name__}."
        )
    level = _share("level", level)
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance < 1:
        raise ConfigError(f"tolerance is a part of what is expected, from 0 to below 1; seen {tolerance!r}.")
    before, after = _both(fitted, later, earlier, as_of)
    days, came, new = _since(before, after)
    known, fresh = _known(fitted, before, came, days), _fresh(fitted, after.only(new))
    codes, actual, expected, variance = (np.concatenate([one, other]) for one, other in zip(known, fresh, strict=True))
    n = len(_NAMES)
    seen, told = np.bincount(codes, actual, n), np.bincount(codes, expected, n)
    covariance = _by_parameters(fitted, before, after.only(new), known[0], days)
    covariance += np.diag(np.bincount(codes, variance, n))
    kept = told >= _ENOUGH
    if not kept.any():
        raise InsufficientDataError(
            f"drift_check: {told.sum():.1f} purchase days were expected in {days} days, too few to tell drift from "
            "chance. Use a later as_of."
        )
    if not np.isfinite(covariance).all():
        raise InsufficientDataError(
            "drift_check: the fit did not determine its parameters, so nothing tells how far they reach. Use a model "
            "fitted on more users, or with prior='weak'."
        )
    away = (seen - told)[kept]
    statistic = float(away @ np.linalg.solve(covariance[np.ix_(kept, kept)], away))
    p_value = float(chdtrc(int(kept.sum()), statistic))
    error = np.sqrt(np.diag(covariance))[kept]
    table = pd.DataFrame(
        {
            "group": [name for name, keep in zip(_NAMES, kept, strict=True) if keep],
            "users": np.bincount(codes, minlength=n)[kept],
            "expected": told[kept],
            "actual": seen[kept].astype(np.int64),
            "standard_error": error,
            "z": away / error,
            "ratio": seen[kept] / told[kept],
        }
    )
    drifted = p_value < level and bool((np.abs(table["ratio"] - 1.0) > tolerance).any())
    check = DriftCheck(table, days, statistic, p_value, level, float(tolerance), drifted)
    if drifted:
        worst = table.iloc[int(np.abs(away / error).argmax())]
        warn(
            f"{type(fitted).__name__}: the population has drifted since the fit: in {days} days users of the group "
            f"{worst['group']!r} bought on {worst['actual']:,.0f} days where {worst['expected']:,.0f} were expected "
            f"(p = {p_value:.1g} for all groups). Fit again; if the new fit drifts too, look for a season, a campaign "
            "or another model (compare_models).",
            DriftWarning,
        )
    return check


def _both(fitted: FittedPurchaseModel, later: Any, earlier: Any, as_of: Timestamp | None) -> tuple[Summary, Summary]:
    from commlife.orders import OrderLog

    extra = fitted.spec.columns
    after = read_summary(later, as_of=as_of, extra=extra, what="drift_check")
    if isinstance(later, OrderLog):
        if earlier is not None:
            raise ConfigError("drift_check: with a log the day of the fit says what was known; leave out earlier.")
        day = fitted.fitted_on.as_of
        if day is None:
            raise ConfigError(
                "drift_check: the model was fitted on a summary, so its day is not known. Fit it on the log with "
                "as_of, or give both summaries."
            )
        if as_of is not None and day_number(as_of) <= day_number(day):
            raise ConfigError(f"drift_check: as_of is a day after that of the fit ({day}); seen {as_of!s}.")
        return read_summary(later, as_of=day, extra=extra, what="drift_check"), after
    if earlier is None:
        raise ConfigError(
            "drift_check takes the earlier summary too: drift_check(fitted, later, earlier=summary)."
            " Give it, or the log and as_of."
        )
    return read_summary(earlier, extra=extra, what="drift_check"), after


def _since(before: Summary, after: Summary) -> tuple[int, Array, Flags]:
    """Days between, purchase days of the known users since, and which later users are new."""
    early = pd.Index(before.frame["user_id"].to_list(), dtype=object)
    late = pd.Index(after.frame["user_id"].to_list(), dtype=object)
    if early.has_duplicates or late.has_duplicates:
        raise ConfigError("drift_check: a user_id occurs twice in a summary; a user has one row. Keep one.")
    place = late.get_indexer(early)
    if (place < 0).any():
        raise ConfigError(
            f"drift_check: {int((place < 0).sum()):,} users of the earlier summary are missing in the later one. Take "
            "both from one log."
        )
    gap, came = after.T[place] - before.T, after.x[place] - before.x
    days = round(float(gap[0]))
    if days < 1 or not np.allclose(gap, days, rtol=0, atol=1e-6) or came.min() < 0:
        raise ConfigError(
            "drift_check: T of every user grows by the same whole number of days, at least 1, and x never falls; "
            f"seen T from {gap.min():g} to {gap.max():g}, x from {came.min():g}. Take both from one log, later second."
        )
    new = np.ones(len(after), dtype=bool)
    new[place] = False
    return days, came, new


_Block = tuple[Index, Array, Array, Array]


def _known(fitted: FittedPurchaseModel, before: Summary, came: Array, days: int) -> _Block:
    """Group, purchase days since, their mean and their variance, of the users known before."""
    predictions = fitted._predictions(before)
    mean = predictions.purchases(days)
    codes = np.searchsorted(_FROM, before.x, side="right") - 1
    return codes, came, mean, predictions.pairs(days) + mean - mean**2


def _fresh(fitted: FittedPurchaseModel, seen: Summary) -> _Block:
    """The same of users first seen since, from their first day on."""
    codes = np.full(len(seen), len(_FROM))
    if len(seen) == 0:
        return codes, seen.x, seen.x, seen.x
    p, stratum = fitted._strata(seen)
    mean, pairs = _from_the_start(fitted, p, stratum, seen)
    return codes, seen.x, mean, pairs + mean - mean**2


def _from_the_start(fitted: FittedPurchaseModel, p: Array, stratum: Index | None, seen: Summary) -> tuple[Array, Array]:
    own = of_strata(p, np.zeros(len(seen), dtype=np.intp) if stratum is None else stratum)
    zero, t = np.zeros(len(seen)), np.maximum(seen.T, 1e-9) / fitted.time_unit.days
    here = np.exp(fitted.kernel.alive(own, zero, zero))
    return here * fitted.kernel.purchases(own, zero, zero, t), here * fitted.kernel.pairs(own, zero, zero, t)


def _by_parameters(fitted: FittedPurchaseModel, before: Summary, seen: Summary, known: Index, days: int) -> Array:
    """What the parameters' error adds to the covariance of the groups' differences."""
    n = len(_NAMES)
    predictions = fitted._predictions(before)
    p, stratum = fitted._strata(before)
    strata, covariances = fitted._errors(len(before), stratum)
    slopes = [
        (predictions.under(up).purchases(days) - predictions.under(down).purchases(days)) / apart
        for up, down, apart in fitted._moved(before, p, _STEP)
    ]
    width = len(covariances)
    sums = np.stack([np.bincount(known * width + strata, slope, n * width).reshape(n, width) for slope in slopes])
    if len(seen):
        p, stratum = fitted._strata(seen)
        strata, _ = fitted._errors(len(seen), stratum)
        for j, (up, down, apart) in enumerate(fitted._moved(seen, p, _STEP)):
            high, low = (_from_the_start(fitted, moved, stratum, seen)[0] for moved in (up, down))
            sums[j, len(_FROM)] += np.bincount(strata, (high - low) / apart, width)
    return np.asarray(np.einsum("igs,sij,jhs->gh", sums, covariances, sums, optimize=True), dtype=np.float64)
