"""Retention curve: how long cohorts last, with an interval, and where the curve goes from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import betaln

from commlife._text.notebook import Shown
from commlife.cohorts.table import CohortTable
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife._text.labels import Language

__all__ = ["RetentionCurve", "retention_curve"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

Per = Literal["group", "cohort"]

_LEAST_AGES = 3
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class RetentionCurve(Shown):
    """Curves by group, seen and projected.

    Attributes:
        curve: One row a group and age: the columns of ``by``, ``age``, ``users, size`` (of all cohorts complete at
            that age; null beyond what was seen), ``observed, low, high`` (pooled rate and its 95% Wilson interval),
            ``projected``, ``projected_low, projected_high`` (shifted-beta-geometric, 95% of the curve by the delta
            method).
        parameters: One row a group: ``alpha, beta`` of the beta distribution of the chance to leave in a period,
            ``holdout_ages`` and ``holdout_error``: the mean absolute error, in percentage points, of a curve fitted
            without the newest ages of every cohort, on those ages.
        by: What a curve is of: the attributes of the table, and ``"cohort"`` where each cohort has its own.
        unprojected: Cohorts too young, or too uniform, for a curve of their own: ``by`` and ``ages`` seen.
    """

    curve: pd.DataFrame
    parameters: pd.DataFrame
    by: tuple[str, ...]
    unprojected: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        error = self.parameters["holdout_error"].mean()
        return f"RetentionCurve({len(self.parameters)} curves, mean holdout error {error:.2f} points)"

    def to_frame(self) -> pd.DataFrame:
        """The curves, a copy."""
        return self.curve.copy()

    def plot(self, ax: Axes | None = None, *, lang: Language = "en") -> Axes:
        """Points with intervals for what was seen, a line for the projection, a colour a group.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.cohorts.figures import curve_lines

        return curve_lines(self, ax=ax, lang=lang)


def retention_curve(table: CohortTable, *, horizon: int = 12, holdout: int = 2, per: Per = "group") -> RetentionCurve:
    """Survival by age with an interval, and its projection by the shifted-beta-geometric model.

    Each user leaves with an own constant chance in each period, and chances differ by a beta distribution: that alone
    makes retention rise with age. The model is for curves that only fall, so the table's measure has to be
    ``"streak"`` (an order in every period so far), which is survival in that sense.

    Args:
        table: A cohort table of ``measure="streak"`` by first order.
        horizon: The last age of the projection.
        holdout: Newest ages of each cohort that the check of the projection leaves out.
        per: ``"group"``: one curve for all cohorts of a group; ``"cohort"``: each cohort its own, those that are too
            young for one left out and listed in ``unprojected``.

    Returns:
        The :class:`RetentionCurve`.

    Raises:
        ConfigError: If the table is of another measure, or an argument is wrong.
        InsufficientDataError: If a group has fewer than three complete ages, or nobody left or stayed.

    Source: Fader & Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21(1).

    Examples:
        >>> from commlife.cohorts import cohort_table
        >>> from commlife.datasets import make_community
        >>> world = make_community(n_users=600, n_communities=2, seed=1, drop_community=None)
        >>> table = cohort_table(world.log, as_of=world.as_of, period="7D", measure="streak")
        >>> curve = retention_curve(table, horizon=8)
        >>> curve.to_frame()["projected"].is_monotonic_decreasing
        True
    """
    _check(table, horizon, holdout, per)
    keys = [*table.question.by, "cohort"]
    by = tuple(keys) if per == "cohort" else table.question.by
    complete = table.cells.loc[table.cells["size"] > 0]
    groups = complete.groupby(list(by), dropna=False, sort=True) if by else [((), complete)]
    curves: list[pd.DataFrame] = []
    parameters: list[dict[str, Any]] = []
    unprojected: list[dict[str, Any]] = []
    for name, cells in groups:
        labels: dict[str, Any] = dict(zip(by, name if isinstance(name, tuple) else (name,), strict=True))
        survivors = [mine.sort_values("age")["users"].to_numpy() for _, mine in cells.groupby(keys, dropna=False)]
        lost, kept = _counts(survivors)
        if per == "cohort" and not _can_be_fitted(lost, kept):
            unprojected.append({**labels, "ages": len(lost)})
            continue
        logs, covariance = _fit(lost, kept, labels)
        error, ages = _held_out(survivors, holdout)
        last = max(horizon, int(cells["age"].max()))
        projected, spread = _survival(logs, covariance, last)
        frame = pd.DataFrame({"age": np.arange(last + 1), "projected": projected})
        frame["projected_low"] = np.clip(projected - _Z * spread, 0.0, 1.0)
        frame["projected_high"] = np.clip(projected + _Z * spread, 0.0, 1.0)
        curves.append(frame.assign(**labels))
        row = {"alpha": float(np.exp(logs[0])), "beta": float(np.exp(logs[1]))}
        parameters.append({**labels, **row, "holdout_ages": ages, "holdout_error": error})
    if not curves:
        raise InsufficientDataError(
            f"retention_curve: no cohort of {table!r} has {_LEAST_AGES} complete ages with users who left and users "
            'who stayed. Use per="group", a shorter period, or a later as_of.'
        )
    seen = complete if per == "cohort" else table.pooled().drop(columns="cohorts")
    seen = seen.rename(columns={"rate": "observed"})
    whole = pd.concat(curves, ignore_index=True).merge(seen, on=[*by, "age"], how="left")
    columns = [*by, "age", "users", "size", "observed", "low", "high", "projected", "projected_low", "projected_high"]
    left_out = pd.DataFrame(unprojected, columns=[*by, "ages"])
    return RetentionCurve(whole[columns], pd.DataFrame(parameters), by, left_out)


def _check(table: Any, horizon: Any, holdout: Any, per: Any) -> None:
    if per not in get_args(Per):
        raise ConfigError.unknown_name("retention_curve: per", per, get_args(Per))
    if not isinstance(table, CohortTable):
        raise ConfigError(f"retention_curve takes a CohortTable, from cohort_table; seen {type(table).__name__}.")
    if table.question.measure != "streak" or table.question.cohort != "first_order":
        raise ConfigError(
            'retention_curve projects curves that only fall: cohort_table(..., measure="streak") by first order; seen '
            f"measure={table.question.measured!r}, cohort={table.question.cohort!r}."
        )
    for name, value, least in (("horizon", horizon, 1), ("holdout", holdout, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10_000:
            raise ConfigError(f"{name} is a whole number of ages from {least} to 10,000; seen {value!r:.40}.")


def _counts(survivors: list[Floats]) -> tuple[Floats, Floats]:
    """Users lost at each age, and users still there at the last age that their cohort shows."""
    length = max((len(curve) for curve in survivors), default=0)
    lost, kept = np.zeros(length), np.zeros(length)
    for curve in survivors:
        lost[1 : len(curve)] += curve[:-1] - curve[1:]
        kept[len(curve) - 1] += curve[-1]
    return lost, kept


def _can_be_fitted(lost: Floats, kept: Floats) -> bool:
    """Whether there are ages enough, somebody left, and somebody was still there to be seen after the first age.

    Who is seen at the first age alone tells the mean chance of leaving, not how chances differ: alpha and beta would
    be any two numbers of that ratio.
    """
    return len(lost) >= _LEAST_AGES and lost.sum() > 0 and lost[2:].sum() + kept[2:].sum() > 0


def _fit(lost: Floats, kept: Floats, labels: dict[str, Any]) -> tuple[Floats, Floats]:
    """Logs of alpha and beta by maximum likelihood, and their covariance."""
    from scipy import optimize

    if not _can_be_fitted(lost, kept):
        who = ", ".join(str(value) for value in labels.values()) or "the table"
        raise InsufficientDataError(
            f"retention_curve needs {_LEAST_AGES} complete ages, with users who left and users who stayed; {who} has "
            f"{len(lost)}. Use a shorter period or a later as_of."
        )
    age = np.arange(len(lost), dtype=np.float64)

    def loss(logs: Floats) -> float:
        alpha, beta = np.exp(logs)
        base = betaln(alpha, beta)
        left = betaln(alpha + 1.0, beta + np.maximum(age - 1.0, 0.0)) - base
        stayed = betaln(alpha, beta + age) - base
        return float(-(lost @ left + kept @ stayed))

    bounds = [(-8.0, 8.0), (-8.0, 8.0)]
    starts = (np.log([1.0, 2.0]), np.log([0.3, 0.3]), np.log([5.0, 20.0]))
    search: Any = optimize.minimize
    found = min((search(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda f: f.fun)
    covariance = np.asarray(np.linalg.pinv(_hessian(loss, found.x), hermitian=True), dtype=np.float64)
    return found.x, covariance


def _hessian(loss: Any, at: Floats, step: float = 1e-3) -> Floats:
    result = np.empty((2, 2))
    moves = np.eye(2) * step
    for i in range(2):
        for j in range(2):
            corners = [loss(at + a * moves[i] + b * moves[j]) * a * b for a in (1, -1) for b in (1, -1)]
            result[i, j] = sum(corners) / (4.0 * step * step)
    return result


def _survival(logs: Floats, covariance: Floats, last: int) -> tuple[Floats, Floats]:
    """Survival at ages 0 to ``last`` and its standard error."""
    age = np.arange(last + 1)

    def at(point: Floats) -> Floats:
        alpha, beta = np.exp(point)
        values: Floats = np.exp(betaln(alpha, beta + age) - betaln(alpha, beta))
        return values

    slopes = np.column_stack([(at(logs + move) - at(logs - move)) / 2e-5 for move in np.eye(2) * 1e-5])
    variance = np.einsum("ai,ij,aj->a", slopes, covariance, slopes)
    return at(logs), np.sqrt(np.maximum(variance, 0.0))


def _held_out(survivors: list[Floats], holdout: int) -> tuple[float, int]:
    """Error of a projection made without each cohort's newest ages, over those ages, weighted by users."""
    long = [curve for curve in survivors if len(curve) >= _LEAST_AGES + holdout]
    if not long:
        return float("nan"), 0
    lost, kept = _counts([curve[:-holdout] for curve in long])
    if not _can_be_fitted(lost, kept):
        return float("nan"), 0
    logs, covariance = _fit(lost, kept, {})
    survival, _ = _survival(logs, covariance, max(len(curve) for curve in long) - 1)
    total, weight = 0.0, 0.0
    for ahead in range(1, holdout + 1):
        promised = sum(curve[0] * survival[len(curve) - ahead] for curve in long)
        came = sum(curve[-ahead] for curve in long)
        size = sum(curve[0] for curve in long)
        total += abs(promised - came)
        weight += size
    return 100.0 * total / weight, holdout
