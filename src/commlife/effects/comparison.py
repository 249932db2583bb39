"""Comparison: the arms of a trial against its control, with intervals, and whether the trial was dealt fairly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.distributions import chi_square_tail, student_pvalue, student_quantile
from commlife._text.notebook import Shown
from commlife.effects._inputs import (
    Floats,
    fault,
    in_open_interval,
    label_column,
    number_column,
    place_of,
    wide_frame,
)
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "SampleRatio",
    "adjusted_arms",
    "compare",
    "difference",
    "ratio_interval",
    "relative_effect",
    "sample_ratio",
]


@dataclass(frozen=True, slots=True)
class _Arm:
    """One arm's mean and its rows' influence on that mean (each sums to zero)."""

    mean: float
    influence: Floats
    rows: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Difference:
    """Two means, their difference, and the variances that an interval needs."""

    control: float
    treated: float
    variance_control: float
    variance_treated: float
    covariance: float
    degrees: float

    @property
    def effect(self) -> float:
        return self.treated - self.control

    @property
    def variance(self) -> float:
        return max(self.variance_control + self.variance_treated - 2 * self.covariance, 0.0)


def compare(
    frame: Any,
    *,
    treatment: str,
    control: Any,
    outcome: str,
    covariate: str | None = None,
    denominator: str | None = None,
    cluster: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Difference in means of each arm of a trial to its control (Welch), one row an arm.

    The arms must have been dealt at random; on a log of targeted campaigns a difference is no effect: use
    :func:`~commlife.effects.adjusted_effect` there, and :func:`sample_ratio` here before reading any result.

    Args:
        frame: One row a unit (a user), any kind of frame.
        treatment: Column with the arm of each row.
        control: The arm that the others are compared with.
        outcome: Column with the outcome: a number, or 0/1 (then means are rates).
        covariate: Column known before the trial, to take noise out with CUPED; its coefficient comes from the two
            arms compared, pooled. Means are then adjusted means.
        denominator: Column of a ratio metric's denominator (amount per order: outcome ``amount``, denominator
            ``orders``): means are then ratios of sums, with the delta method's variance.
        cluster: Column of clusters (communities) that were dealt, or whose rows move together: standard errors are
            cluster-robust, with as many degrees of freedom as clusters less two.
        confidence_level: Level of the intervals.

    Returns:
        Frame with ``arm, control_mean, treatment_mean, effect_size, standard_error, effect_size_ci_lower,
        effect_size_ci_upper, rel_effect_size, pvalue``, arms in the order of their names. ``rel_effect_size`` is the
        effect over the control's mean (null where that is 0); its interval is in :func:`relative_effect`.
        With several arms, correct the p-values with :func:`~commlife.effects.adjust_pvalues`.

    Raises:
        ConfigError: If a column or the control is not there, or both a covariate and a denominator are given.
        SchemaError: If an outcome, covariate or arm is missing or not finite.
        InsufficientDataError: If an arm has fewer than two rows, or there are fewer than four clusters.

    References:
        Welch (1947), Biometrika 34; Deng, Xu, Kohavi & Walker (2013), WSDM (CUPED); Deng, Knoblich & Lu (2018), KDD
        (delta method).

    Examples:
        >>> import pandas as pd
        >>> trial = pd.DataFrame({"arm": ["coupon", "none"] * 4, "orders": [3, 1, 2, 1, 4, 0, 3, 2]})
        >>> result = compare(trial, treatment="arm", control="none", outcome="orders")
        >>> result[["arm", "control_mean", "treatment_mean", "effect_size"]].to_dict("records")
        [{'arm': 'coupon', 'control_mean': 1.0, 'treatment_mean': 3.0, 'effect_size': 2.0}]
    """
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    pairs = _differences(
        frame,
        "compare",
        treatment=treatment,
        control=control,
        outcome=outcome,
        covariate=covariate,
        denominator=denominator,
        cluster=cluster,
    )
    rows = []
    for arm, diff in pairs.items():
        se = float(np.sqrt(diff.variance))
        half = student_quantile(0.5 + level / 2, diff.degrees) * se
        certain = 1.0 if diff.effect == 0 else 0.0
        pvalue = student_pvalue(diff.effect / se, diff.degrees) if se > 0 else certain
        rows.append(
            {
                "arm": arm,
                "control_mean": diff.control,
                "treatment_mean": diff.treated,
                "effect_size": diff.effect,
                "standard_error": se,
                "effect_size_ci_lower": diff.effect - half,
                "effect_size_ci_upper": diff.effect + half,
                "rel_effect_size": diff.effect / diff.control if diff.control != 0 else float("nan"),
                "pvalue": pvalue,
            }
        )
    return pd.DataFrame(rows)


def relative_effect(
    frame: Any,
    *,
    treatment: str,
    control: Any,
    outcome: str,
    covariate: str | None = None,
    denominator: str | None = None,
    cluster: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Relative lift of each arm over the control, with Fieller's interval. Arguments as in :func:`compare`.

    Returns:
        Frame with ``arm, rel_effect_size, rel_effect_size_ci_lower, rel_effect_size_ci_upper``. Where the control's
        mean does not differ from zero at this level, no bounded interval exists: its ends are minus and plus infinity.

    References:
        Fieller (1954), Journal of the Royal Statistical Society B 16.

    Examples:
        >>> import pandas as pd
        >>> trial = pd.DataFrame({"arm": ["coupon", "none"] * 4, "orders": [3, 1, 2, 1, 4, 1, 3, 2]})
        >>> lift = relative_effect(trial, treatment="arm", control="none", outcome="orders")
        >>> lift["rel_effect_size"].round(3).tolist()
        [1.4]
    """
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    pairs = _differences(
        frame,
        "relative_effect",
        treatment=treatment,
        control=control,
        outcome=outcome,
        covariate=covariate,
        denominator=denominator,
        cluster=cluster,
    )
    rows = []
    for arm, diff in pairs.items():
        low, high = _fieller(diff, level)
        ratio = diff.effect / diff.control if diff.control != 0 else float("nan")
        rows.append(
            {
                "arm": arm,
                "rel_effect_size": ratio,
                "rel_effect_size_ci_lower": low,
                "rel_effect_size_ci_upper": high,
            }
        )
    return pd.DataFrame(rows)


def _fieller(diff: _Difference, level: float) -> tuple[float, float]:
    """Interval of treated / control - 1: the ratios r for which treated - r * control is not far from zero."""
    t = student_quantile(0.5 + level / 2, diff.degrees)
    variances = (diff.variance_treated, diff.variance_control, diff.covariance)
    low, high = ratio_interval(diff.treated, diff.control, *variances, t)
    return low - 1, high - 1


def ratio_interval(
    top: float, bottom: float, variance_top: float, variance_bottom: float, covariance: float, t: float
) -> tuple[float, float]:
    """Fieller's interval of top / bottom: the ratios r for which top - r * bottom is not far from zero."""
    a = bottom**2 - t**2 * variance_bottom
    b = top * bottom - t**2 * covariance
    c = top**2 - t**2 * variance_top
    if a <= 0:
        return -float("inf"), float("inf")
    root = float(np.sqrt(max(b * b - a * c, 0.0)))
    return (b - root) / a, (b + root) / a


def _differences(
    frame: Any,
    what: str,
    *,
    treatment: str,
    control: Any,
    outcome: str,
    covariate: str | None,
    denominator: str | None,
    cluster: str | None,
) -> dict[Any, _Difference]:
    if covariate is not None and denominator is not None:
        raise ConfigError(f"{what} takes a covariate or a denominator, not both. Leave one out.")
    extra = [name for name in (covariate, denominator, cluster) if name is not None]
    data = wide_frame(frame, [treatment, outcome, *extra], what)
    labels, codes = label_column(data, treatment, what)
    place_of(control, labels, f"{what}: control")
    if len(labels) < 2:
        raise InsufficientDataError(
            f"{what}: all rows are of arm {control!r}; a comparison needs a second arm."
            " Check the filter that made the frame."
        )
    y = number_column(data, outcome, what)
    x = None if covariate is None else number_column(data, covariate, what)
    d = None if denominator is None else number_column(data, denominator, what)
    if d is not None and (d < 0).any():
        rows, fix = int((d < 0).sum()), "Give counts or amounts."
        raise fault(what, str(denominator), "negative values", rows=rows, example=d[d < 0][0], fix=fix)
    g = None if cluster is None else label_column(data, cluster, what)[1]
    base = np.flatnonzero(codes == labels.index(control))
    result = {}
    for index, label in enumerate(labels):
        if label == control:
            continue
        part = np.flatnonzero(codes == index)
        small = min(len(part), len(base))
        if small < 2:
            raise InsufficientDataError(
                f"{what}: an arm of {label!r} and {control!r} has {small} row; each needs two."
                " Collect more rows, or leave the arm out."
            )
        arms = adjusted_arms(y, x, base, part) if d is None else _ratio_arms(y, d, base, part, what)
        result[label] = difference(arms, g, what)
    return result


def _ratio_arms(y: Floats, d: Floats, base: NDArray[np.intp], rows: NDArray[np.intp], what: str) -> tuple[_Arm, _Arm]:
    """Ratios of sums, linearised (delta method)."""
    made = []
    for part in (base, rows):
        mean_d = float(d[part].mean())
        if mean_d == 0:
            raise InsufficientDataError(
                f"{what}: the denominator of an arm sums to 0; its ratio is not defined. Use another denominator."
            )
        ratio = float(y[part].mean()) / mean_d
        made.append(_Arm(ratio, (y[part] - ratio * d[part]) / mean_d, part))
    return made[0], made[1]


def adjusted_arms(y: Floats, x: Floats | None, base: NDArray[np.intp], rows: NDArray[np.intp]) -> tuple[_Arm, _Arm]:
    """Means, less the part that the covariate explains (CUPED) where there is one."""
    z = y
    if x is not None:
        both = np.concatenate([base, rows])
        center = float(x[both].mean())
        dx = x[both] - center
        spread = float(dx @ dx)
        theta = float(dx @ (y[both] - y[both].mean())) / spread if spread > 0 else 0.0
        z = y - theta * (x - center)
    means = [float(z[part].mean()) for part in (base, rows)]
    return _Arm(means[0], z[base] - means[0], base), _Arm(means[1], z[rows] - means[1], rows)


def difference(arms: tuple[_Arm, _Arm], cluster: NDArray[np.intp] | None, what: str) -> _Difference:
    """The difference of two arms with its variance, cluster-robust where clusters are given."""
    control, treated = arms
    if cluster is None:
        nc, nt = len(control.rows), len(treated.rows)
        vc = float(control.influence @ control.influence) / (nc - 1) / nc
        vt = float(treated.influence @ treated.influence) / (nt - 1) / nt
        total = (vc + vt) ** 2
        degrees = total / (vc**2 / (nc - 1) + vt**2 / (nt - 1)) if total > 0 else float(nc + nt - 2)
        return _Difference(control.mean, treated.mean, vc, vt, 0.0, degrees)
    size = int(cluster.max()) + 1
    uc = np.bincount(cluster[control.rows], control.influence, size) / len(control.rows)
    ut = np.bincount(cluster[treated.rows], treated.influence, size) / len(treated.rows)
    count = len(np.unique(cluster[np.concatenate([control.rows, treated.rows])]))
    if count < 4:
        raise InsufficientDataError(
            f"{what}: cluster-robust errors need at least 4 clusters, the two arms hold {count}."
            " Use a larger trial, or leave the clusters out."
        )
    scale = count / (count - 1)
    return _Difference(
        control.mean,
        treated.mean,
        scale * float(uc @ uc),
        scale * float(ut @ ut),
        scale * float(uc @ ut),
        float(count - 2),
    )


@dataclass(frozen=True, slots=True, repr=False)
class SampleRatio(Shown):
    """Do the arms' sizes fit the shares that were meant?

    Attributes:
        counts: Rows of each arm, in the order of their names.
        expected: Rows that the meant shares would give.
        statistic: Pearson's chi-square.
        pvalue: Its p-value; below .001 the trial's plumbing is to be mended before its results are read.
    """

    counts: dict[Any, int]
    expected: dict[Any, float]
    statistic: float
    pvalue: float

    def to_frame(self) -> pd.DataFrame:
        """One row an arm: ``arm, rows, expected``."""
        return pd.DataFrame(
            {"arm": list(self.counts), "rows": list(self.counts.values()), "expected": list(self.expected.values())}
        )

    def __repr__(self) -> str:
        sizes = [f"{arm!s:.40}: {n:,} (meant {self.expected[arm]:,.1f})" for arm, n in self.counts.items()]
        return f"SampleRatio({', '.join(sizes)}, pvalue={self.pvalue:.4g})"


def sample_ratio(frame: Any, *, treatment: str, ratio: Mapping[Any, float] | None = None) -> SampleRatio:
    """Sample-ratio test: were as many units dealt to each arm as was meant?

    A mismatch means that some units were lost or dealt by something other than chance; no analysis repairs that.

    Args:
        frame: One row a unit, any kind of frame.
        treatment: Column with the arm of each row.
        ratio: Meant share of each arm, in any unit (``{"coupon": 2, "none": 1}``); None means equal shares.

    Returns:
        :class:`SampleRatio` with ``pvalue``.

    Raises:
        ConfigError: If the column is not there, or ``ratio`` does not name the arms with positive numbers.
        InsufficientDataError: If there is only one arm.

    References:
        Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Examples:
        >>> import pandas as pd
        >>> sample_ratio(pd.DataFrame({"arm": ["a"] * 50 + ["b"] * 50}), treatment="arm").pvalue
        1.0
    """
    data = wide_frame(frame, [treatment], "sample_ratio")
    labels, codes = label_column(data, treatment, "sample_ratio")
    counts = np.bincount(codes, minlength=len(labels))
    if ratio is None:
        if len(labels) < 2:
            raise InsufficientDataError(
                f"sample_ratio: all rows are of arm {labels[0]!r}; a test needs two arms."
                " Check the filter that made the frame."
            )
        shares = dict.fromkeys(labels, 1.0)
    else:
        shares = _shares(ratio, labels)
        counts = np.array([counts[labels.index(arm)] if arm in labels else 0 for arm in shares])
    weights = np.array(list(shares.values()), dtype=np.float64)
    expected = weights / weights.sum() * counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    pvalue = chi_square_tail(statistic, len(counts) - 1)
    seen, meant = counts.tolist(), expected.tolist()
    return SampleRatio(
        counts=dict(zip(shares, seen, strict=True)),
        expected=dict(zip(shares, meant, strict=True)),
        statistic=statistic,
        pvalue=pvalue,
    )


def _shares(ratio: Mapping[Any, float], labels: list[Any]) -> dict[Any, float]:
    if not hasattr(ratio, "items") or len(ratio) < 2:
        raise ConfigError(f"ratio maps at least two arms to their meant shares; seen {ratio!r:.80}.")
    strangers = [label for label in labels if label not in ratio]
    if strangers:
        raise ConfigError.unknown_name("sample_ratio: arm", strangers[0], [str(arm) for arm in ratio])
    shares = {arm: in_open_interval(share, f"ratio[{arm!r}]", 0, float("inf")) for arm, share in ratio.items()}
    return dict(sorted(shares.items(), key=lambda item: str(item[0])))
