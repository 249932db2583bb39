"""Specs of the models of repeat buying, and how they are fitted."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, model_validator

from commlife._caveats import warn
from commlife._model import FittedOn, Spec, library_version
from commlife.errors import InsufficientDataError, ModelWarning
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.communities import shrink
from commlife.value.covariates import CovariateLikelihood, Design, covariate_box, effects_of, read_covariates
from commlife.value.estimation import Estimate, Terms, maximise
from commlife.value.groups import CovariateEffects, GroupParameters, labels_of
from commlife.value.histories import Histories, Summary, read_summary
from commlife.value.kernels import Kernel
from commlife.value.likelihood import log_likelihood_of

__all__ = ["PurchaseModel", "in_unit"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Standard error of a log parameter above which a factor of fifty and more is within its interval.
_VAGUE = 2.0


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"each column once; seen {names}")
    return names


class PurchaseModel(Spec):
    """What BetaGeo, ModifiedBetaGeo and ParetoNBD have in common.

    Args:
        prior: None for plain maximum likelihood; ``"weak"`` adds weakly informative normal priors on the log shapes
            (never on the mean purchase rate), so that a small sample gives a finite answer.
        by: A column of the summary, or an attribute of the log, such as ``"community"``: each of its values gets
            parameters of its own, and the fewer users it has the more it borrows from the whole. Users of a value that
            was not seen, or of none, get the parameters of all.
        purchase_covariates: Numeric columns of the summary that do not change with time and may go with how often a
            user buys. Not together with ``by``.
        dropout_covariates: The same for leaving.
    """

    kernel: ClassVar[Kernel]

    prior: Literal["weak"] | None = None
    by: str | None = None
    purchase_covariates: Annotated[tuple[str, ...], AfterValidator(_distinct)] = ()
    dropout_covariates: Annotated[tuple[str, ...], AfterValidator(_distinct)] = ()

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.by is not None and self.covariates:
            raise ValueError("by gives each group parameters of its own: use it or covariates, not both")
        return self

    @property
    def covariates(self) -> tuple[str, ...]:
        """All covariates, each once."""
        return tuple(dict.fromkeys(self.purchase_covariates + self.dropout_covariates))

    @property
    def columns(self) -> tuple[str, ...]:
        """What the summary needs beside the histories."""
        return self.covariates if self.by is None else (self.by,)

    def _estimate(self, data: Any, as_of: Timestamp | None, time_unit: str) -> dict[str, Any]:
        """The state of the fitted object: parameters, their errors, the likelihood."""
        name, names = type(self).__name__, self.kernel.box.names
        unit = Duration(time_unit)
        summary, left_out = _whole_lives(
            read_summary(data, as_of=as_of, ids=False, extra=self.columns, what=name), name
        )
        state: dict[str, Any] = {}
        if self.covariates:
            design = read_covariates(summary, self.covariates, name)
            histories = Histories.of(summary, design.stratum)
            found, scale, logs, covariance = self._with_covariates(histories, design)
            state["effects"] = CovariateEffects(values=tuple(logs[len(names) :].tolist()), covariance=_rows(covariance))
        else:
            histories = Histories.of(summary)
            found, scale = self.maximum(histories)
            logs, covariance = found.logs, found.covariance
        self._warn(found, len(summary))
        factor = in_unit(self.kernel, scale / unit.days)
        values = np.exp(logs[: len(names)]) * factor
        errors = values * np.sqrt(np.diag(covariance)[: len(names)])
        if self.by is not None:
            state["groups"] = self._groups(summary, self.by, found.logs, scale, factor)
        return {
            "params": dict(zip(names, values.tolist(), strict=True)),
            "standard_errors": dict(zip(names, errors.tolist(), strict=True)),
            "log_covariance": _rows(covariance[: len(names), : len(names)]),
            "log_likelihood": found.log_likelihood + histories.purchases * float(np.log(unit.days / scale)),
            "time_unit": unit,
            "left_out": left_out,
            "fitted_on": FittedOn(
                as_of=summary.as_of, rows=len(summary), users=len(summary), version=library_version()
            ),
            **state,
        }

    def maximum(
        self, histories: Histories, *, start: Array | None = None, scale: float | None = None
    ) -> tuple[Estimate, float]:
        """The common parameters in units of ``scale`` (the mean observation time in days), and that scale."""
        _check_enough(type(self).__name__, histories)
        unit = histories.mean_T if scale is None else scale
        starts = self.kernel.starts(histories.purchases / histories.users)
        if start is not None:
            starts = np.vstack([start, starts])

        def objective(logs: Array, *, second: bool = False) -> Terms:
            return log_likelihood_of(self.kernel, histories, np.exp(logs), unit, second=second)

        prior = self.prior is not None
        weight = histories.users
        return maximise(objective, self.kernel.box, starts, weight=weight, prior=prior, what=type(self).__name__), unit

    def _with_covariates(self, histories: Histories, design: Design) -> tuple[Estimate, float, Array, Array]:
        """The estimate, its scale, and log parameters and coefficients for covariates as given."""
        # All users without covariates first: that is where the search begins.
        one = histories.without_strata()
        common, scale = self.maximum(one)
        effects = effects_of(self.kernel, self.purchase_covariates, self.dropout_covariates)
        columns = [self.covariates.index(name) for _, name in effects]
        likelihood = CovariateLikelihood(self.kernel, histories, design, columns, effects, scale)
        start = np.concatenate([common.logs, np.zeros(len(effects))])
        found = maximise(
            likelihood,
            covariate_box(self.kernel, effects),
            start[None, :],
            weight=histories.users,
            prior=self.prior is not None,
            what=type(self).__name__,
        )
        return found, scale, *likelihood.as_given(found.logs, found.covariance)

    def _groups(self, summary: Summary, by: str, pooled: Array, scale: float, factor: Array) -> GroupParameters:
        """Parameters of each group between its own users and the whole."""
        codes, labels = labels_of(summary, by)
        if len(labels) < 2:
            raise InsufficientDataError(
                f"{type(self).__name__}: the column {by!r} holds {len(labels)} group{'' if len(labels) == 1 else 's'}; "
                "at least two are needed to tell what differs between them. Leave `by` out."
            )
        known = codes >= 0
        histories = Histories(summary.x[known], summary.t_x[known], summary.T[known], codes[known])
        shrunk = shrink(self.kernel, histories, pooled, scale)
        box = self.kernel.box
        return GroupParameters(
            by=by,
            labels=tuple(labels),
            users=tuple(np.bincount(codes[known], minlength=len(labels)).tolist()),
            params=_rows(np.exp(shrunk.logs) * factor),
            log_covariance=tuple(_rows(each) for each in shrunk.covariance),
            borrowed=tuple(shrunk.borrowed.tolist()),
            typical=dict(zip(box.names, (np.exp(shrunk.typical) * factor).tolist(), strict=True)),
            spread=dict(zip(box.meaning, shrunk.spread.tolist(), strict=True)),
        )

    def _warn(self, found: Estimate, users: int) -> None:
        name = type(self).__name__
        if found.at_bound:
            meaning = self.kernel.box.meaning
            reached = "; ".join(meaning[i] if i < len(meaning) else "a covariate's coefficient" for i in found.at_bound)
            warn(
                f"{name}: the likelihood grows up to the bound of {reached}. The data do not determine it: the "
                "predictions hold, these parameters and their errors do not. Use more users, a longer history, or "
                "prior='weak'.",
                ModelWarning,
            )
        elif float(np.sqrt(np.diag(found.covariance)).max()) > _VAGUE:
            warn(
                f"{name}: {users:,} users determine the parameters only up to a factor of fifty and more. "
                "The predictions are better determined than the parameters; use more users, a longer history, or "
                "prior='weak'.",
                ModelWarning,
            )


def _whole_lives(summary: Summary, name: str) -> tuple[Summary, dict[str, int]]:
    """The users whose life is seen from its first order, and how many are left out."""
    if summary.existing is None or not summary.existing.any():
        return summary, {}
    if summary.existing.all():
        raise InsufficientDataError(
            f"{name}: all {len(summary):,} users existed before the log shows them. Use a shorter washout or a longer "
            "log."
        )
    return summary.only(~summary.existing), {"existing": int(summary.existing.sum())}


def _check_enough(name: str, histories: Histories) -> None:
    if histories.mean_T == 0:
        raise InsufficientDataError(
            f"{name}: every user was first seen on the last observed day (T = 0), so nobody could buy again. "
            "Use a later as_of."
        )
    if histories.purchases == 0:
        raise InsufficientDataError(
            f"{name}: none of {histories.users:,.0f} users bought on a second day (x = 0 for all), so the purchase "
            "rate has no lower end. Use a later as_of or a longer log."
        )


def in_unit(kernel: Kernel, factor: float) -> Array:
    """What the parameters are multiplied by when the unit of time becomes ``1 / factor`` of it."""
    return np.array([factor if name in kernel.time_parameters else 1.0 for name in kernel.box.names])


def _rows(table: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())
