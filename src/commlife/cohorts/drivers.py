"""Retention drivers: what new payers and retention are associated with, over cohorts and communities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.special import ndtr

from commlife._caveats import warn
from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.cohorts._glm import Fit, design_of, fit_glm, inflation
from commlife.cohorts._history import History, check_evidence, read_history
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning

__all__ = ["FittedRetentionDrivers", "Number", "Outcome", "RetentionDrivers", "fit_outcomes", "same_size"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
OUTCOMES: tuple[Literal["new_payers"], Literal["retention"]] = ("new_payers", "retention")

_CROWDED, _ROWS_EACH, _Z = 10.0, 3, 1.959963984540054


#: A number of a fitted regression: finite, and small enough to be squared.
Number = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]


class Outcome(Spec):
    """The regression of one outcome.

    Attributes:
        intercept: The mean level (log of new payers, or logit of retention).
        groups: Effect of each community on that scale.
        coefficients: Effect of each covariate, per unit of its transformed value.
        covariance: Of intercept, groups and coefficients, in this order.
        dispersion: Variance relative to chance (Poisson or binomial), 1 or more.
        overdispersion: alpha of a negative binomial's variance, mean + alpha * mean**2: the square of how much a
            week's new payers swing beyond chance, as a share of their mean. 0 for retention.
        mean: The mean of the outcome.
    """

    intercept: Number
    groups: tuple[Number, ...]
    coefficients: tuple[Number, ...]
    covariance: tuple[tuple[Number, ...], ...]
    dispersion: Annotated[Number, Field(ge=0)]
    overdispersion: Annotated[Number, Field(ge=0, le=1e6)] = 0.0
    mean: Number

    @model_validator(mode="after")
    def _together(self) -> Self:
        n = 1 + len(self.groups) + len(self.coefficients)
        if len(self.covariance) != n or any(len(row) != n for row in self.covariance):
            raise ValueError(f"covariance is a table of {n} by {n}, as many as there are coefficients")
        matrix = np.array(self.covariance)
        if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-9):
            raise ValueError("covariance is symmetric")
        if np.linalg.eigvalsh(matrix)[0] < -1e-8 * max(float(np.trace(matrix)), 1e-9):
            raise ValueError("covariance is no covariance: some variance would be negative")
        return self


class RetentionDrivers(Spec):
    """Covariates of each cohort and community against its new payers and its retention.

    New payers are counts (negative binomial, log link), retention is a rate (binomial with overdispersion, logit link);
    both swing more than chance, and by how much is estimated. Communities have effects of their own, so that what is
    compared is a community with itself. The coefficients say what goes together with what (*associated with*), not what
    a change would do, except where ``evidence`` holds the result of an experiment.

    Args:
        covariates: Names of the columns of the history: acquisition spend, discount depth, share of a category, rain.
        log: Those of them that enter as log(1 + value / typical value), so that returns diminish: money, above all.
        group: The column of communities; None if there is one.
        new_payers: The column with the number of new payers of the cohort.
        retained: The column with how many of them came back; null where that is not known yet.
        age: The age of the retention where a CohortTable is given.
        prior_sd: Standard deviation of the prior of each standardised coefficient: the smaller, the more cautious.
        evidence: Results of experiments that replace associations: for ``"new_payers"`` or ``"retention"`` a mapping
            from covariate to (coefficient, standard error) on the scale of ``coefficients``.

    Examples:
        >>> history = pd.DataFrame({"cohort": list(range(24)), "new_payers": [100, 120] * 12,
        ...                         "retained": [40, 54] * 12, "spend": [0.0, 50.0] * 12})
        >>> fitted = RetentionDrivers(covariates=["spend"], log=["spend"], group=None).fit(history)
        >>> fitted.to_frame()[["outcome", "covariate", "direction"]].to_numpy().tolist()
        [['new_payers', 'spend', 'more'], ['retention', 'spend', 'more']]
    """

    covariates: Annotated[tuple[str, ...], Field(min_length=1)]
    log: tuple[str, ...] = ()
    group: str | None = "community"
    new_payers: str = "new_payers"
    retained: str = "retained"
    age: Annotated[int, Field(ge=1, strict=True)] = 1
    prior_sd: Annotated[float, Field(gt=0, le=100)] = 1.0
    evidence: dict[Literal["new_payers", "retention"], dict[str, tuple[float, float]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if len(set(self.covariates)) < len(self.covariates):
            raise ConfigError(f"covariates names each column once; seen {list(self.covariates)!r:.120}.")
        for name in self.log:
            if name not in self.covariates:
                raise ConfigError.unknown_name("log: the covariate", name, self.covariates)
        for outcome, found in self.evidence.items():
            check_evidence(found, self.covariates, f"RetentionDrivers, {outcome}")
        return self

    def fit(self, history: Any) -> FittedRetentionDrivers:
        """Estimate both regressions.

        Args:
            history: One row a cohort and community; or a :class:`CohortTable` with covariates beside it.

        Raises:
            ConfigError: If columns are missing or hold what cannot be.
            InsufficientDataError: If there are too few cohorts, or covariates that cannot be told apart.
        """
        data = read_history(
            history, group=self.group, covariates=self.covariates, age=self.age, what="RetentionDrivers",
            new_payers=self.new_payers, retained=self.retained,
        )  # fmt: skip
        is_log = np.array([name in self.log for name in self.covariates])
        scaling = Scaling.of(data, self.covariates, is_log)
        new, kept = fit_outcomes(data, scaling, self.covariates, self.prior_sd, self.evidence, "RetentionDrivers")
        return FittedRetentionDrivers(
            spec=self,
            groups=data.names,
            centre=tuple(scaling.centre.tolist()),
            spread=tuple(scaling.spread.tolist()),
            unit=tuple(scaling.unit.tolist()),
            new_payers=new,
            retention=kept,
            fitted_on=FittedOn(
                as_of=None, rows=len(data.group), users=int(data.new_payers.sum()), version=library_version()
            ),
        )


@dataclass(frozen=True, slots=True)
class Scaling:
    """How covariates enter: log(1 + value / unit) where ``is_log``, then less ``centre``, by ``spread``."""

    is_log: Any
    unit: Floats
    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, data: History, names: tuple[str, ...], is_log: Any) -> Scaling:
        """Units and moments of a history's covariates."""
        values = data.covariates
        for place in np.flatnonzero(is_log):
            if values[:, place].min() < 0:
                raise ConfigError(
                    f"{names[place]} enters by its logarithm, which no negative number has. Leave it out of log."
                )
        positive = np.where(values > 0, values, np.nan)
        typical = [float(np.nanmedian(column)) if (column > 0).any() else 1.0 for column in positive.T]
        unit = np.where(is_log, typical, 1.0)
        raw = np.where(is_log, np.log1p(np.where(is_log, values, 0.0) / unit), values)
        spread = raw.std(axis=0)
        return cls(is_log, unit, raw.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def apply(self, values: Floats) -> Floats:
        """Covariates as they enter."""
        raw = np.where(self.is_log, np.log1p(np.where(self.is_log, values, 0.0) / self.unit), values)
        return (raw - self.centre) / self.spread


def fit_outcomes(
    data: History, scaling: Scaling, names: tuple[str, ...], prior_sd: float, evidence: Any, what: str,
    never_negative: Any = None,
) -> tuple[Outcome, Outcome]:  # fmt: skip
    """Fit new payers and retention; ``never_negative``: pairs of masks of coefficients that must not be below 0."""
    values = scaling.apply(data.covariates)
    _refuse_too_few(data, len(names), what)
    _refuse_crowded(values, data, names, what)
    known = ~np.isnan(data.retained) & (data.new_payers > 0)
    fits = []
    for place, outcome in enumerate(OUTCOMES):
        rows = known if outcome == "retention" else np.ones(len(data.group), dtype=bool)
        prior = np.zeros(len(names)), np.full(len(names), 1.0 / prior_sd**2)
        for name, (effect, error) in evidence.get(outcome, {}).items():
            at = names.index(name)
            # A coefficient is per unit of the transformed covariate; inside, covariates are standardised.
            prior[0][at], prior[1][at] = effect * scaling.spread[at], 1.0 / (error * scaling.spread[at]) ** 2
        design = design_of(data.group[rows], len(data.names), values[rows], *prior)
        hits = data.retained[rows] if outcome == "retention" else data.new_payers
        trials = data.new_payers[rows] if outcome == "retention" else None
        signs = None if never_negative is None else never_negative[place]
        fit = _signed(design, hits, trials, signs, f"{what}, {outcome}")
        mean = float(hits.sum() / (trials.sum() if trials is not None else len(hits)))
        fits.append(_outcome(fit, scaling, len(data.names), mean))
    return fits[0], fits[1]


def _signed(design: Any, hits: Floats, trials: Floats | None, signs: Any, what: str) -> Fit:
    """Where a coefficient that must not be negative comes out so, it is set to 0 and the rest fitted again."""
    fixed = np.zeros(design.matrix.shape[1], dtype=bool)
    first = fit = fit_glm(design, hits, trials, fixed=fixed, what=what)
    if signs is None:
        return fit
    while True:
        below = np.where(signs & ~fixed[design.n_before :], fit.coefficients[design.n_before :], 0.0)
        if below.min() >= 0:
            # The doubt about what was set to 0 is that of the free fit.
            return Fit(fit.coefficients, first.covariance, fit.dispersion, fit.overdispersion)
        fixed[design.n_before + int(below.argmin())] = True
        fit = fit_glm(design, hits, trials, fixed=fixed, what=what)


def _outcome(fit: Fit, scaling: Scaling, n_groups: int, mean: float) -> Outcome:
    """Back from standardised covariates to transformed ones."""
    n = len(fit.coefficients)
    back = np.eye(n)
    slopes = slice(1 + n_groups, n)
    back[slopes, slopes] = np.diag(1.0 / scaling.spread)
    back[0, slopes] = -scaling.centre / scaling.spread
    beta, covariance = back @ fit.coefficients, back @ fit.covariance @ back.T
    return Outcome(
        intercept=float(beta[0]),
        groups=tuple(beta[1 : 1 + n_groups].tolist()),
        coefficients=tuple(beta[slopes].tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        dispersion=fit.dispersion,
        overdispersion=fit.overdispersion,
        mean=mean,
    )


def _refuse_too_few(data: History, n_covariates: int, what: str) -> None:
    needed = len(data.names) + _ROWS_EACH * n_covariates + 2
    if len(data.group) < needed:
        raise InsufficientDataError(
            f"{what} needs {needed} rows for {n_covariates} covariates in {len(data.names)} communities, the history "
            f"has {len(data.group)}. Use fewer covariates, or a longer history."
        )


def _refuse_crowded(values: Floats, data: History, names: tuple[str, ...], what: str) -> None:
    factors = inflation(values, data.group, len(data.names))
    told = [names[place] for place in np.flatnonzero(~np.isfinite(factors))]
    if told:
        raise InsufficientDataError(
            f"{what}: {', '.join(told)} cannot be told apart from the other covariates within the communities "
            "(constant, or a sum of others). Leave one of them out."
        )
    crowded = [f"{names[place]} ({factors[place]:.0f})" for place in np.flatnonzero(factors > _CROWDED)]
    if crowded:
        warn(
            f"{what}: {', '.join(crowded)}: variance inflation above {_CROWDED:.0f}. These covariates move together, "
            "and their coefficients share one effect in an arbitrary way. Leave some out, or vary them apart.",
            ModelWarning,
        )


def same_size(outcomes: Sequence[Outcome], *, n_groups: int, n_covariates: int) -> None:
    """Refuse regressions of other sizes than the model around them, with a ValueError."""
    for outcome in outcomes:
        if (len(outcome.groups), len(outcome.coefficients)) != (n_groups, n_covariates):
            raise ValueError(f"each regression has {n_groups} communities and {n_covariates} coefficients")


class FittedRetentionDrivers(Fitted):
    """Fitted drivers.

    Attributes:
        spec: The spec that was fitted.
        groups: The communities.
        centre, spread, unit: Means, standard deviations and units of the transformed covariates.
        new_payers, retention: The two regressions.
    """

    spec: RetentionDrivers
    groups: tuple[str, ...]
    centre: tuple[Number, ...]
    spread: tuple[Annotated[Number, Field(gt=0)], ...]
    unit: tuple[Annotated[Number, Field(gt=0)], ...]
    new_payers: Outcome
    retention: Outcome

    @model_validator(mode="after")
    def _together(self) -> Self:
        n = len(self.spec.covariates)
        if {len(self.centre), len(self.spread), len(self.unit)} != {n}:
            raise ValueError(f"centre, spread and unit hold a number for each of the {n} covariates")
        same_size((self.new_payers, self.retention), n_groups=len(self.groups), n_covariates=n)
        return self

    def __repr__(self) -> str:
        """One line."""
        return f"FittedRetentionDrivers({len(self.spec.covariates)} covariates, {len(self.groups)} communities)"

    def __str__(self) -> str:
        return repr(self)

    def to_frame(self) -> pd.DataFrame:
        """One row an outcome and covariate.

        Returns:
            ``outcome, covariate, coefficient, low, high`` (95%, on the scale of the link, per unit of the covariate or
            of log(1 + value / unit)), ``p_value``, ``effect, effect_low, effect_high`` (of one standard deviation more:
            percent of new payers, or percentage points of retention at its mean), ``unit`` (percent or points),
            ``elasticity, elasticity_low, elasticity_high`` (percent of the outcome for one percent more of the
            covariate, at its typical value and the outcome's mean; null where that value is not above 0),
            ``direction`` (more, less, or unclear), ``basis`` (association or experiment), ``sentence``.
        """
        rows = []
        for outcome, fit in (("new_payers", self.new_payers), ("retention", self.retention)):
            n = 1 + len(self.groups)
            errors = np.sqrt(np.diag(np.array(fit.covariance)))[n:]
            for place, name in enumerate(self.spec.covariates):
                rows.append(self._row(outcome, fit, place, name, float(errors[place])))
        return pd.DataFrame(rows)

    def _row(self, outcome: str, fit: Outcome, place: int, name: str, error: float) -> dict[str, Any]:
        coefficient = fit.coefficients[place]
        ends = (coefficient, coefficient - _Z * error, coefficient + _Z * error)
        effect, low, high = (self._shown(outcome, fit.mean, end * self.spread[place]) for end in ends)
        elastic = [self._elasticity(outcome, fit.mean, end, place, name) for end in ends]
        unit = "percent" if outcome == "new_payers" else "points"
        direction = "more" if ends[1] > 0 else "less" if ends[2] < 0 else "unclear"
        tested = name in self.spec.evidence.get(outcome, {})  # type: ignore[call-overload]
        verb = "brings" if tested else "is associated with"
        what = "new payers" if outcome == "new_payers" else "points of retention"
        shown = f"{effect:+.1f}% {what}" if outcome == "new_payers" else f"{effect:+.1f} {what}"
        return {
            "outcome": outcome,
            "covariate": name,
            "coefficient": coefficient,
            "low": ends[1],
            "high": ends[2],
            "p_value": float(2.0 * ndtr(-abs(coefficient) / error)),
            "effect": effect,
            "effect_low": low,
            "effect_high": high,
            "unit": unit,
            **dict(zip(("elasticity", "elasticity_low", "elasticity_high"), elastic, strict=True)),
            "direction": direction,
            "basis": "experiment" if tested else "association",
            "sentence": f"One standard deviation more of {name} {verb} {shown} (95%: {low:+.1f} to {high:+.1f}).",
        }

    def _elasticity(self, outcome: str, mean: float, coefficient: float, place: int, name: str) -> float:
        """Slope of log outcome by log covariate: at the unit, the typical value, of a logarithm; else at the mean."""
        typical = 0.5 if name in self.spec.log else self.centre[place]
        if typical <= 0:
            return float("nan")
        return coefficient * typical * (1.0 if outcome == "new_payers" else 1.0 - mean)

    @staticmethod
    def _shown(outcome: str, mean: float, step: float) -> float:
        if outcome == "new_payers":
            return 100.0 * float(np.expm1(step))
        at = min(max(mean, 1e-6), 1 - 1e-6)
        return 100.0 * (1.0 / (1.0 + float(np.exp(-(np.log(at / (1.0 - at)) + step)))) - at)
