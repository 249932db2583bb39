"""Adjustment: the effect of something that was not dealt at random, as far as what was recorded allows.

The estimate is augmented inverse propensity weighting, cross-fitted: right if either the outcome models or the
propensity model is right, and if nothing that moved both the treatment and the outcome is missing from the covariates.
No data can prove the latter: say *adjusted*, and run a trial where it matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife._stats.distributions import normal_pvalue, normal_quantile
from commlife._text.notebook import Shown
from commlife.effects._inputs import (
    Floats,
    column_names,
    design_matrix,
    in_open_interval,
    label_column,
    number_column,
    one_of,
    whole_number,
    wide_frame,
)
from commlife.effects._nuisance import cross_fitted_outcomes, cross_fitted_propensity, deal_folds
from commlife.effects.sensitivity import Sensitivity
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["AdjustedEffect", "adjusted_effect"]

Learner = Literal["linear", "boosting"]
Estimand = Literal["all", "treated"]

#: More than this share outside the bounds, or a standardised difference above, and a caveat is told.
MAX_TRIMMED, MAX_IMBALANCE = 0.05, 0.1


@dataclass(frozen=True, slots=True, repr=False)
class AdjustedEffect(Shown):
    """An adjusted difference in means, and what it rests on.

    Attributes:
        effect_size: Mean outcome if all were treated less if none were (estimand ``"all"``), or the same among the
            treated (``"treated"``).
        standard_error: Its standard error.
        effect_size_ci_lower: Lower end of its interval.
        effect_size_ci_upper: Upper end.
        pvalue: Two-sided p-value of no effect.
        raw_difference: The unadjusted difference in means, for contrast.
        treated: Treated users used.
        controls: Other users used.
        trimmed: Users left out, since almost nobody like them was treated, or almost everybody.
        effective_treated: Treated users of equal weight that would carry as much information.
        effective_controls: The same for the others.
        balance: Frame ``covariate, raw, adjusted``: standardised differences in means before and after weighting;
            adjusted ones above .1 in size mean that the groups remain unlike.
        propensity: Frame ``group, low, median, high``: 1%, 50% and 99% points of the propensities.
        sensitivity: How strong something that nobody recorded would have to be to explain the effect away.
    """

    effect_size: float
    standard_error: float
    effect_size_ci_lower: float
    effect_size_ci_upper: float
    pvalue: float
    raw_difference: float
    treated: int
    controls: int
    trimmed: int
    effective_treated: float
    effective_controls: float
    balance: pd.DataFrame
    propensity: pd.DataFrame
    sensitivity: Sensitivity

    def to_frame(self) -> pd.DataFrame:
        """One row with the numbers."""
        names = [name for name in self.__slots__ if name not in {"balance", "propensity", "sensitivity"}]
        row = {name: getattr(self, name) for name in names}
        return pd.DataFrame([{**row, "robustness_value": self.sensitivity.robustness_value}])

    def __repr__(self) -> str:
        interval = f"{self.effect_size_ci_lower:.6g} to {self.effect_size_ci_upper:.6g}"
        sizes = f"{self.treated:,} treated, {self.controls:,} controls"
        return f"AdjustedEffect({self.effect_size:.6g}, {interval}, raw {self.raw_difference:.6g}, {sizes})"


def adjusted_effect(
    frame: Any,
    *,
    treatment: str,
    outcome: str,
    covariates: Sequence[str],
    cluster: str | None = None,
    estimand: Estimand = "all",
    learner: Learner = "linear",
    trim: float = 0.02,
    folds: int = 5,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> AdjustedEffect:
    """Effect of a treatment that was chosen, not dealt: adjusted for what was known before it.

    Args:
        frame: One row a user, any kind of frame.
        treatment: Column of 0 and 1 (or booleans).
        outcome: Column of numbers.
        covariates: Columns known *before* the treatment. A column that the treatment may have changed does harm.
        cluster: Column of clusters, for cluster-robust errors; a cluster is never split between folds.
        estimand: ``"all"`` or ``"treated"``.
        learner: ``"linear"``: ridge and logistic regression; ``"boosting"``: scikit-learn's histogram boosting.
        trim: Users with a propensity within this of 0 or 1 are left out (and counted).
        folds: Folds of the cross-fitting.
        confidence_level: Level of the interval.
        seed: Seed of folds and learners.

    Returns:
        :class:`AdjustedEffect` with its overlap and balance. A :class:`~commlife.errors.ModelWarning` tells where the
        groups overlap badly or stay unlike.

    Raises:
        ConfigError: If the treatment is not 0/1, a column is not there, or no covariate is given.
        SchemaError: If values are missing or not finite.
        InsufficientDataError: If a group has fewer than two users a fold, or nothing is left after trimming.

    References:
        Robins, Rotnitzky & Zhao (1994), JASA 89; Chernozhukov et al. (2018), Econometrics Journal 21.

    Examples:
        >>> import numpy as np, pandas as pd
        >>> rng = np.random.default_rng(0)
        >>> away = rng.normal(size=2_000)
        >>> coupon = rng.random(2_000) < 1 / (1 + np.exp(-away))
        >>> spend = 1.0 * coupon - 2 * away + rng.normal(size=2_000)
        >>> log = pd.DataFrame({"away": away, "coupon": coupon, "spend": spend})
        >>> effect = adjusted_effect(log, treatment="coupon", outcome="spend", covariates=["away"])
        >>> bool(effect.raw_difference < 0 < effect.effect_size_ci_lower)
        True
    """
    what = "adjusted_effect"
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    trim = in_open_interval(trim, "trim", -1e-12, 0.5)
    folds, seed = whole_number(folds, "folds", 2), whole_number(seed, "seed", 0)
    for name, given, allowed in (("estimand", estimand, Estimand), ("learner", learner, Learner)):
        one_of(given, name, get_args(allowed))
    covariates = column_names(covariates, "covariates")
    data = wide_frame(frame, [treatment, outcome, *covariates, *([cluster] if cluster else [])], what)
    y, t = number_column(data, outcome, what), number_column(data, treatment, what)
    if not np.isin(t, (0.0, 1.0)).all():
        raise ConfigError(f"{what}: treatment is 0 or 1; seen {t[~np.isin(t, (0.0, 1.0))][0]}.")
    treated = t == 1
    small = int(min(treated.sum(), (~treated).sum()))
    if small < 2 * folds:
        raise InsufficientDataError(
            f"{what}: the smaller group has {small} users, {2 * folds} are needed at {folds} folds."
            " Use fewer folds, or more users."
        )
    matrix, names = design_matrix(data, covariates, what)
    group = label_column(data, cluster, what)[1] if cluster else None
    if group is not None:
        _enough_clusters(len(np.unique(group)))
    fold = deal_folds(matrix, y, treated.astype(np.intp), folds, seed, cluster=group)
    outcomes, chances = _learners(learner, seed)
    means = cross_fitted_outcomes(matrix, y, treated.astype(np.intp), 2, fold, learner=outcomes)
    chance = cross_fitted_propensity(matrix, treated, fold, learner=chances)
    keep = (chance >= trim) & (chance <= 1 - trim)
    if not (treated & keep).any() or not (~treated & keep).any():
        raise InsufficientDataError(
            f"{what}: nobody is left within the propensities {trim:g} to {1 - trim:g}. Use a smaller trim."
        )
    psi, weight = _scores(y[keep], treated[keep], means[keep], chance[keep], estimand)
    arms = treated[keep].astype(np.intp)
    residual = y[keep] - means[keep][np.arange(len(arms)), arms]
    effect = float(psi.mean())
    error = _error(psi - effect, None if group is None else group[keep])
    z = normal_quantile(0.5 + level / 2)
    balance = _balance(matrix, names, treated, keep, weight)
    mine, others = weight[treated[keep]], weight[~treated[keep]]
    sizes = [float(part.sum() ** 2 / (part @ part)) for part in (mine, others)]
    _caveats(balance, float(np.sqrt(1 / sizes[0] + 1 / sizes[1])), 1 - float(keep.mean()))
    return AdjustedEffect(
        effect_size=effect,
        standard_error=error,
        effect_size_ci_lower=effect - z * error,
        effect_size_ci_upper=effect + z * error,
        pvalue=float(normal_pvalue(effect / error)) if error > 0 else float(effect == 0),
        raw_difference=float(y[treated].mean() - y[~treated].mean()),
        treated=len(mine),
        controls=len(others),
        trimmed=int((~keep).sum()),
        effective_treated=sizes[0],
        effective_controls=sizes[1],
        balance=balance,
        propensity=_points(chance, treated),
        sensitivity=Sensitivity.of(
            effect, z * error, residual=residual, squared_weight=_squared_weight(arms, chance[keep], estimand)
        ),
    )


def _learners(learner: Learner, seed: int) -> tuple[Any, Any]:
    if learner == "linear":
        return None, None
    from xgboost import XGBClassifier, XGBRegressor

    # One thread: for so few rows more of them only wait for each other.
    shape = {
        "n_estimators": 100,
        "learning_rate": 0.05,
        "max_depth": 4,
        "min_child_weight": 10,
        "tree_method": "hist",
        "n_jobs": 1,
        "random_state": seed,
    }
    return XGBRegressor(**shape), XGBClassifier(**(shape | {"min_child_weight": 2}))


def _scores(
    y: Floats, treated: NDArray[np.bool_], means: Floats, chance: Floats, estimand: Estimand
) -> tuple[Floats, Floats]:
    """Each user's contribution to the effect (their mean is the estimate), and the weights behind it."""
    if estimand == "all":
        weight = np.where(treated, 1 / chance, 1 / (1 - chance))
        residual = y - means[np.arange(len(y)), treated.astype(np.intp)]
        return means[:, 1] - means[:, 0] + np.where(treated, 1.0, -1.0) * weight * residual, weight
    weight = np.where(treated, 1.0, chance / (1 - chance))
    share = treated.mean()
    psi = np.where(treated, 1.0, -1.0) * weight * (y - means[:, 0]) / share
    # Centred at the estimate for the treated alone, so that its spread is that of the influence.
    effect = psi.mean()
    return psi - effect * (treated / share - 1), weight


def _squared_weight(arms: NDArray[np.intp], chance: Floats, estimand: Estimand) -> float:
    """Mean squared weight, as the value of the weights' own loss: the better they fit, the larger, never inflated."""
    if estimand == "all":
        weight = np.where(arms == 1, 1 / chance, -1 / (1 - chance))
        moment = 1 / chance + 1 / (1 - chance)
    else:
        share = arms.mean()
        odds = chance / (1 - chance)
        weight = np.where(arms == 1, 1.0, -odds) / share
        moment = arms / share * (1 + odds) / share
    plain = float(weight @ weight) / len(weight)
    told = float((2 * moment - weight**2).mean())
    return told if told > 0 else plain


def _error(influence: Floats, group: NDArray[np.intp] | None) -> float:
    n = len(influence)
    if group is None:
        return float(np.sqrt(influence @ influence / (n - 1) / n))
    sums = np.bincount(group, influence)
    count = len(np.unique(group))
    _enough_clusters(count)
    return float(np.sqrt(count / (count - 1) * (sums @ sums)) / n)


def _enough_clusters(count: int) -> None:
    if count < 4:
        raise InsufficientDataError(
            f"cluster-robust errors need at least 4 clusters, there are {count}."
            " Use larger trials, or leave the clusters out."
        )


def _balance(
    matrix: Floats, names: list[str], treated: NDArray[np.bool_], keep: NDArray[np.bool_], weight: Floats
) -> pd.DataFrame:
    x, t = matrix[keep], treated[keep]
    raw = matrix[treated].mean(axis=0) - matrix[~treated].mean(axis=0)
    spread = np.sqrt((matrix[treated].var(axis=0) + matrix[~treated].var(axis=0)) / 2)
    adjusted = np.average(x[t], axis=0, weights=weight[t]) - np.average(x[~t], axis=0, weights=weight[~t])
    scale = np.where(spread > 0, spread, 1.0)
    return pd.DataFrame({"covariate": names, "raw": raw / scale, "adjusted": adjusted / scale})


def _points(chance: Floats, treated: NDArray[np.bool_]) -> pd.DataFrame:
    rows = [
        (name, *np.quantile(chance[part], [0.01, 0.5, 0.99]))
        for name, part in (("treated", treated), ("control", ~treated))
    ]
    return pd.DataFrame(rows, columns=["group", "low", "median", "high"])


def _caveats(balance: pd.DataFrame, noise: float, trimmed: float) -> None:
    """Tell what weakens the estimate; differences that chance alone would leave are no caveat."""
    if trimmed > MAX_TRIMMED:
        warn(
            f"{trimmed:.0%} of the users had almost no counterpart in the other group and were left out: the effect is "
            "that of the rest. Compare their covariates, or run a trial.",
            ModelWarning,
        )
    unlike = balance["adjusted"].abs().to_numpy()
    if len(unlike) and unlike.max() > MAX_IMBALANCE + 2 * noise:
        name = balance["covariate"].iloc[int(unlike.argmax())]
        warn(
            f"after weighting the groups still differ by {unlike.max():.2f} standard deviations in {name!r}. "
            'Try learner="boosting", or more users.',
            ModelWarning,
        )
