"""Off-policy value: what another rule of who gets what would have brought, read from a log of random dealing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.distributions import normal_quantile
from commlife._text.notebook import Shown
from commlife.effects._inputs import (
    Floats,
    column_names,
    design_matrix,
    in_open_interval,
    label_column,
    number_column,
    whole_number,
    wide_frame,
)
from commlife.effects._nuisance import cross_fitted_outcomes, deal_folds
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["OffPolicyValue", "off_policy_value"]


@dataclass(frozen=True, slots=True, repr=False)
class OffPolicyValue(Shown):
    """The mean outcome that a policy would have had, three ways, and how much of the log speaks to it.

    Attributes:
        ips: Inverse propensity scoring: unbiased, noisy.
        snips: The same with its weights made to sum to one: a little biased, much steadier.
        dr: Doubly robust: an outcome model corrected by the weighted residuals. Read this one first.
        standard_errors: Standard error of each, by name.
        rows: Rows of the log.
        matched: Rows in which the log did what the policy would do.
        effective_sample_size: Rows of equal weight that would carry as much information: ``sum(w)^2 / sum(w^2)``.
        max_weight: Largest weight; a few large ones make every figure fragile.
        confidence_level: Level of the intervals in :meth:`to_frame`.
    """

    ips: float
    snips: float
    dr: float
    standard_errors: dict[str, float]
    rows: int
    matched: int
    effective_sample_size: float
    max_weight: float
    confidence_level: float

    def __repr__(self) -> str:
        error = self.standard_errors
        return (
            f"OffPolicyValue(dr={self.dr:.6g} (SE {error['dr']:.2g}), snips={self.snips:.6g}, ips={self.ips:.6g}, "
            f"{self.matched:,} of {self.rows:,} rows speak to it, effective {self.effective_sample_size:,.0f})"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row an estimator: ``estimator, value, standard_error, ci_lower, ci_upper``."""
        z = normal_quantile(0.5 + self.confidence_level / 2)
        names = ["ips", "snips", "dr"]
        value = np.array([self.ips, self.snips, self.dr])
        error = np.array([self.standard_errors[name] for name in names])
        return pd.DataFrame(
            {
                "estimator": [name.upper() for name in names],
                "value": value,
                "standard_error": error,
                "ci_lower": value - z * error,
                "ci_upper": value + z * error,
            }
        )


def off_policy_value(
    frame: Any,
    *,
    treatment: str,
    outcome: str,
    policy: Any,
    propensity: str | Mapping[Any, float] = "randomised",
    covariates: Sequence[str] = (),
    folds: int = 5,
    repeats: int = 5,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> OffPolicyValue:
    """Mean outcome had each user been given what ``policy`` says, estimated from a log.

    Args:
        frame: One row a user, any kind of frame.
        treatment: Column with what the user was given.
        outcome: Column with what came of it.
        policy: What the policy would give: the name of a column, or one label a row. Each must occur in the log.
        propensity: Probability of what was given. ``"randomised"``: the trial dealt all users alike, the arms' own
            shares serve; a mapping arm -> probability; or the name of a column with the probability of the row's own
            arm. A targeted log whose probabilities were not kept cannot be evaluated: log them.
        covariates: Columns known before, for the outcome model of the doubly robust estimate: ridge regression a
            treatment, cross-fitted. Without any, the model is the treatment's mean.
        folds: Folds of the cross-fitting.
        repeats: Times that it is done with other folds; predictions are averaged, so that the seed hardly matters.
        confidence_level: Level of the intervals.
        seed: Seed of the folds.

    Returns:
        :class:`OffPolicyValue`: ``ips``, ``snips``, ``dr``, standard errors, overlap, effective sample size.

    Raises:
        ConfigError: If a column is not there, the policy gives what the log never gave, or a probability is not in
            (0, 1].
        SchemaError: If values are missing or not finite.
        InsufficientDataError: If the log never did what the policy would do.

    References:
        Horvitz & Thompson (1952); Swaminathan & Joachims (2015), NeurIPS (SNIPS); Dudik, Langford & Li (2011), ICML
        (doubly robust).

    Examples:
        >>> import pandas as pd
        >>> log = pd.DataFrame({"given": ["A", "B"] * 4, "bought": [1, 0, 1, 1, 0, 0, 1, 0]})
        >>> off_policy_value(log, treatment="given", outcome="bought", policy=["A"] * 8).ips
        0.75
    """
    what = "off_policy_value"
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    folds, seed = whole_number(folds, "folds", 2), whole_number(seed, "seed", 0)
    repeats = whole_number(repeats, "repeats", 1)
    covariates = column_names(covariates, "covariates", may_be_empty=True)
    given_column = isinstance(propensity, str) and propensity != "randomised"
    wanted = [treatment, outcome, *covariates]
    wanted += [policy] if isinstance(policy, str) else []
    wanted += [str(propensity)] if given_column else []
    data = wide_frame(frame, wanted, what)
    labels, given = label_column(data, treatment, what)
    y = number_column(data, outcome, what)
    advised = _advice(data[policy].to_numpy() if isinstance(policy, str) else policy, labels, len(y))
    if given_column:
        chance = number_column(data, str(propensity), what)
        _check_chances(chance, f"propensity column {propensity!r}")
    else:
        chance = _arm_chances(propensity, labels, given)[given]
    same = given == advised
    if not same.any():
        raise InsufficientDataError(
            f"{what}: in no row did the log do what the policy would do; nothing can be read."
            " Compare the labels of both, or use a policy nearer to the log."
        )
    weight = np.where(same, 1.0 / chance, 0.0)
    matrix, _ = design_matrix(data, covariates, what)
    model = np.zeros(len(y))
    for turn in range(repeats):
        fold = deal_folds(matrix, y, given, folds, seed + turn)
        model += cross_fitted_outcomes(matrix, y, given, len(labels), fold)[np.arange(len(y)), advised] / repeats
    dr_rows = model + weight * (y - model)
    snips = float(weight @ y) / float(weight.sum())
    return OffPolicyValue(
        ips=float((weight * y).mean()),
        snips=snips,
        dr=float(dr_rows.mean()),
        standard_errors={
            "ips": _standard_error(weight * y),
            "snips": _standard_error(weight * (y - snips) / weight.mean()),
            "dr": _standard_error(dr_rows),
        },
        rows=len(y),
        matched=int(same.sum()),
        effective_sample_size=float(weight.sum() ** 2 / (weight @ weight)),
        max_weight=float(weight.max()),
        confidence_level=level,
    )


def _standard_error(rows: Floats) -> float:
    return float(rows.std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else float("nan")


def _advice(policy: Any, labels: list[Any], length: int) -> NDArray[np.intp]:
    """Index of each row's advised arm among the log's."""
    advice = np.asarray(policy)
    if advice.ndim != 1 or len(advice) != length:
        raise ConfigError(
            f"policy is a column's name or one label a row: {length:,} rows, seen an array of shape {advice.shape}."
        )
    codes, uniques = pd.factorize(advice)
    if (codes < 0).any():
        raise ConfigError(f"policy: {int((codes < 0).sum()):,} rows have no label. Name what they would be given.")
    for label in uniques:
        if label not in labels:
            raise ConfigError.unknown_name("policy gives what the log never gave:", label, [str(x) for x in labels])
    return np.array([labels.index(label) for label in uniques], dtype=np.intp)[codes]


def _arm_chances(propensity: Any, labels: list[Any], given: NDArray[np.intp]) -> Floats:
    if isinstance(propensity, str):
        return np.bincount(given, minlength=len(labels)) / len(given)
    if not isinstance(propensity, Mapping):
        raise ConfigError(
            f'propensity is "randomised", a mapping arm -> probability or a column; seen {type(propensity).__name__}.'
        )
    missing = [label for label in labels if label not in propensity]
    if missing:
        raise ConfigError.unknown_name("propensity lacks arm", missing[0], [str(arm) for arm in propensity])
    return np.array([in_open_interval(propensity[x], f"propensity[{x!r}]", 0, 1 + 1e-12) for x in labels])


def _check_chances(chance: Floats, name: str) -> None:
    bad = (chance <= 0) | (chance > 1)
    if bad.any():
        raise ConfigError(
            f"{name} lies in (0, 1]: {int(bad.sum()):,} rows do not, first {chance[bad][0]}."
            " Check how the probabilities were logged."
        )
