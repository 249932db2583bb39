"""Covariates that do not change with time: who buys more often, who leaves sooner, other things equal.

A covariate scales a user's own rates: ``log(parameter of the user) = log(parameter) + sign * coefficient * covariate``.
Its coefficient is named for what it means: above 0 for purchases is "buys more often", above 0 for dropout "leaves
sooner".

Source: Fader & Hardie (2007), "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife.errors import InsufficientDataError, SchemaError
from commlife.value.estimation import Box, Terms
from commlife.value.histories import Histories, Index, Summary
from commlife.value.kernels import Effect, Kernel
from commlife.value.likelihood import slopes_by_stratum

__all__ = ["CovariateLikelihood", "Design", "covariate_box", "effects_of", "read_covariates", "shift_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: A coefficient of a covariate in units of its standard deviation lies within this of 0: a factor of 400.
_LARGEST = 6.0


@dataclass(frozen=True)
class Design:
    """Covariates of users, equal ones counted once.

    Attributes:
        values: Distinct rows of the covariates, shape (n_strata, n_covariates).
        stratum: The row of each user.
    """

    values: Array
    stratum: Index


def read_covariates(summary: Summary, names: Sequence[str], what: str) -> Design:
    """The columns of a summary as numbers.

    Raises:
        SchemaError: If a column is not numeric or boolean, or holds nulls, NaN or infinities.
    """
    faults, columns = [], []
    for name in names:
        column = summary.frame[name]
        dtype = column.dtype
        if not dtype.is_numeric() and dtype != nw.Boolean:
            fix = "Make one 0/1 column for each level but one."
            faults.append(_fault("not_a_number", name, len(summary), str(dtype), fix))
            continue
        values = np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
        holes = ~np.isfinite(values)
        if holes.any():
            fix = "A covariate is known of every user: fill it, or leave the users out."
            faults.append(_fault("not_finite", name, int(holes.sum()), f"row {int(np.argmax(holes))}", fix))
        columns.append(values)
    if faults:
        lines = [f"  {f['column']}  {f['fault']}  {f['rows']:,} rows, first {f['example']}. {f['fix']}" for f in faults]
        raise SchemaError("\n".join([f"{what}: {len(faults)} faults in the covariates.", *lines]), pd.DataFrame(faults))
    table = np.stack(columns, axis=1)
    rows, stratum = np.unique(table, axis=0, return_inverse=True)
    return Design(rows, stratum.reshape(-1).astype(np.intp))


def _fault(name: str, column: str, rows: int, example: str, fix: str) -> dict[str, Any]:
    return {"fault": name, "column": column, "rows": rows, "policy": "raise", "example": example, "fix": fix}


def effects_of(kernel: Kernel, purchases: Sequence[str], dropout: Sequence[str]) -> list[tuple[Effect, str]]:
    """The coefficients in their order: each effect of the model with each of its covariates."""
    pairs = [(effect, name) for effect in kernel.purchase_effects for name in purchases]
    return pairs + [(effect, name) for effect in kernel.dropout_effects for name in dropout]


def covariate_box(kernel: Kernel, effects: Sequence[tuple[Effect, str]]) -> Box:
    """The model's box and one free coefficient for each effect."""
    box, k = kernel.box, len(effects)
    n = len(box.names)
    matrix = np.eye(n + k)
    matrix[:n, :n] = box.matrix
    return Box(
        names=(*box.names, *(f"{effect.name}: {name}" for effect, name in effects)),
        matrix=matrix,
        lower=np.concatenate([box.lower, np.full(k, -_LARGEST)]),
        upper=np.concatenate([box.upper, np.full(k, _LARGEST)]),
        meaning=(*box.meaning, *(f"the coefficient of {name} for {effect.name}" for effect, name in effects)),
        prior_mean=np.concatenate([box.prior_mean, np.zeros(k)]),
        prior_sd=np.concatenate([box.prior_sd, np.full(k, 1.0)]),
    )


class CovariateLikelihood:
    """Log-likelihood by log parameters (of a user whose covariates are the mean) and standardised coefficients.

    Args:
        kernel: The model.
        histories: The users' histories, strata being the rows of the design.
        design: The covariates.
        columns: The covariate of each coefficient, as a column of the design.
        effects: The effect of each coefficient.
        scale: Unit of the time parameters, in days.

    Raises:
        InsufficientDataError: If a covariate is the same for all users, or follows from the others.
    """

    def __init__(
        self,
        kernel: Kernel,
        histories: Histories,
        design: Design,
        columns: Sequence[int],
        effects: Sequence[tuple[Effect, str]],
        scale: float,
    ) -> None:
        weight = np.bincount(design.stratum, minlength=len(design.values)) / design.stratum.size
        mean = np.einsum("s,sj->j", weight, design.values)
        centred = design.values - mean
        sd = np.sqrt(np.einsum("s,sj->j", weight, centred**2))
        constant = [name for (_, name), j in zip(effects, columns, strict=True) if sd[j] <= 1e-9 * (1 + abs(mean[j]))]
        if constant:
            raise InsufficientDataError(
                f"covariates {sorted(set(constant))} are the same for all users and tell nothing: leave them out."
            )
        correlation = np.einsum("s,si,sj->ij", weight, centred / sd, centred / sd)
        if np.linalg.eigvalsh(correlation)[0] < 1e-8:
            raise InsufficientDataError(
                "the covariates follow from one another (such as a 0/1 column for every level): leave one out."
            )
        self.kernel: Kernel = kernel
        self.histories: Histories = histories
        self.scale: float = scale
        self.sign: Array = np.array([effect.sign for effect, _ in effects])
        self.target: Index = np.array([effect.parameter for effect, _ in effects], dtype=np.intp)
        self.mean: Array = mean[list(columns)]
        self.sd: Array = sd[list(columns)]
        self.standard: Array = ((design.values - mean) / sd)[:, list(columns)].T

    def parameters(self, vector: Array) -> Array:
        """Parameters of each stratum."""
        n = len(self.kernel.box.names)
        logs = np.repeat(vector[:n, None], self.standard.shape[1], axis=1)
        np.add.at(logs, self.target, (self.sign * vector[n:])[:, None] * self.standard)
        return np.exp(logs)

    def __call__(self, vector: Array, *, second: bool = False) -> Terms:
        """Value and gradient; second derivatives are differenced."""
        del second
        value, slopes = slopes_by_stratum(self.kernel, self.histories, self.parameters(vector), self.scale)
        of_coefficients = self.sign * np.einsum("js,js->j", slopes[self.target], self.standard)
        return float(value.sum()), np.concatenate([slopes.sum(axis=1), of_coefficients]), None

    def as_given(self, vector: Array, covariance: Array) -> tuple[Array, Array]:
        """The estimate for covariates as given: log parameters where they are 0, coefficients a unit of each."""
        n = len(self.kernel.box.names)
        change = np.eye(vector.size)
        for j, (target, sign, mean, sd) in enumerate(zip(self.target, self.sign, self.mean, self.sd, strict=True)):
            change[n + j, n + j] = 1.0 / sd
            change[target, n + j] -= sign * mean / sd
        unknown = np.isnan(np.diag(covariance))
        given = change @ np.where(np.isnan(covariance), 0.0, covariance) @ change.T
        reached = (change[:, unknown] != 0).any(axis=1)
        given[reached, :] = np.nan
        given[:, reached] = np.nan
        return change @ vector, given


def shift_of(
    kernel: Kernel, effects: Sequence[tuple[Effect, str]], names: Sequence[str], values: Array, coefficients: Array
) -> Array:
    """What covariates (columns ``names`` of ``values``) add to the log parameters of each stratum."""
    shift = np.zeros((len(kernel.box.names), len(values)))
    for (effect, name), coefficient in zip(effects, coefficients, strict=True):
        shift[effect.parameter] += effect.sign * coefficient * values[:, list(names).index(name)]
    return shift
