"""Design: how many users a trial needs, what it can see, and reading it early or many times without fooling oneself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife._stats.distributions import normal_quantile, normal_tail
from commlife._stats.multiplicity import benjamini_hochberg, holm
from commlife.effects._inputs import float_vector, in_open_interval, one_of, whole_number, wide_frame
from commlife.effects.comparison import compare
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["adjust_pvalues", "confidence_sequence", "minimum_detectable_effect", "power", "sample_size"]

Correction = Literal["holm", "benjamini_hochberg"]
INFINITE = float("inf")


def power(*, effect: float, standard_deviation: float, treated: int, controls: int, level: float = 0.05) -> float:
    """Probability that a trial of this size finds an effect of this size (two-sided, normal approximation).

    Args:
        effect: True difference in means.
        standard_deviation: Of the outcome; of a rate p it is ``sqrt(p * (1 - p))``.
        treated: Users with the treatment.
        controls: Users without.
        level: Level of the test.

    Examples:
        >>> round(power(effect=0.5, standard_deviation=1, treated=64, controls=64), 3)
        0.807
    """
    spread = in_open_interval(standard_deviation, "standard_deviation", 0, INFINITE)
    size = abs(in_open_interval(effect, "effect", -INFINITE, INFINITE))
    z = -normal_quantile(in_open_interval(level, "level", 0, 1) / 2)
    error = spread * math.sqrt(1 / whole_number(treated, "treated", 1) + 1 / whole_number(controls, "controls", 1))
    return normal_tail(z - size / error) + normal_tail(z + size / error)


def minimum_detectable_effect(
    *, standard_deviation: float, treated: int, controls: int, power: float = 0.8, level: float = 0.05
) -> float:
    """Smallest true difference in means that a trial of this size finds with this probability.

    Examples:
        >>> round(minimum_detectable_effect(standard_deviation=1, treated=64, controls=64), 3)
        0.495
    """
    spread = in_open_interval(standard_deviation, "standard_deviation", 0, INFINITE)
    error = spread * math.sqrt(1 / whole_number(treated, "treated", 1) + 1 / whole_number(controls, "controls", 1))
    return error * _reach(power, level)


def sample_size(
    *, effect: float, standard_deviation: float, power: float = 0.8, level: float = 0.05, treated_share: float = 0.5
) -> int:
    """Users needed in all, treated and controls together.

    Args:
        effect: True difference in means to be found.
        standard_deviation: Of the outcome.
        power: Probability to find it.
        level: Level of the test.
        treated_share: Share of the users with the treatment; a half needs the fewest users.

    Examples:
        >>> sample_size(effect=0.5, standard_deviation=1)
        126
    """
    size = abs(in_open_interval(effect, "effect", -INFINITE, INFINITE))
    if size == 0:
        raise ConfigError("no trial is large enough to find an effect of 0; give the smallest effect worth finding.")
    spread = in_open_interval(standard_deviation, "standard_deviation", 0, INFINITE)
    share = in_open_interval(treated_share, "treated_share", 0, 1)
    needed = (_reach(power, level) * min(spread / size, 1e100)) ** 2 / (share * (1 - share))
    if needed > 1e15:
        raise ConfigError(
            f"effect={effect:g} beside standard_deviation={standard_deviation:g} asks for more users than there are "
            "people. Give the smallest effect worth finding, in the unit of the standard deviation."
        )
    return max(math.ceil(needed - 1e-9), 4)


def _reach(power: float, level: float) -> float:
    level = in_open_interval(level, "level", 0, 1)
    return normal_quantile(in_open_interval(power, "power", level, 1)) - normal_quantile(level / 2)


def adjust_pvalues(pvalues: Any, *, method: Correction = "holm") -> NDArray[np.float64]:
    """p-values of several comparisons, adjusted for their number.

    Args:
        pvalues: One p-value a comparison.
        method: ``"holm"``: the chance of even one false finding stays below the level; ``"benjamini_hochberg"``: the
            expected share of false findings does.

    Raises:
        ConfigError: If a p-value does not lie in [0, 1].

    Examples:
        >>> adjust_pvalues([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    one_of(method, "method", get_args(Correction))
    p = float_vector(pvalues, "pvalues")
    if p.min() < 0 or p.max() > 1:
        raise ConfigError(f"p-values lie in [0, 1]; seen {p[(p < 0) | (p > 1)][0]}.")
    return holm(p) if method == "holm" else benjamini_hochberg(p)


def confidence_sequence(
    frame: Any,
    *,
    treatment: str,
    control: Any,
    outcome: str,
    planned: int,
    covariate: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Intervals that stay valid however often, and whenever, the running trial is looked at.

    The interval of a look holds the effect at *all* looks together with the given probability (asymptotically), so
    that a trial may be stopped as soon as an interval excludes 0. The price is some width: use
    :func:`~commlife.effects.compare` where the day of reading was fixed in advance.

    Args:
        frame: The users so far, one row each.
        treatment: Column with the arm.
        control: The arm to compare with.
        outcome: Column with the outcome.
        planned: Number of users (two arms together) at which the interval should be tightest; the validity does not
            depend on it, but it must not be changed between looks.
        covariate: Column for CUPED, as in compare.
        confidence_level: Level.

    Returns:
        Frame ``arm, users, effect_size, standard_error, lower, upper``.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic
        confidence sequences, Annals of Statistics 52.

    Examples:
        >>> import pandas as pd
        >>> trial = pd.DataFrame({"arm": ["coupon", "none"] * 50, "orders": [3, 1, 2, 1] * 25})
        >>> look = confidence_sequence(trial, treatment="arm", control="none", outcome="orders", planned=100)
        >>> bool(look["lower"][0] > 0)
        True
    """
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    units = whole_number(planned, "planned", 2)
    result = compare(frame, treatment=treatment, control=control, outcome=outcome, covariate=covariate)
    arms = pd.Series(wide_frame(frame, [treatment], "confidence_sequence")[treatment].to_list(), dtype=object)
    sizes = arms.value_counts()
    n = result["arm"].map(sizes).to_numpy(dtype=np.float64) + float(sizes[control])
    alpha = 1 - level
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / units
    spread = result["standard_error"].to_numpy() * np.sqrt(n)
    half = spread * np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
    effect = result["effect_size"].to_numpy()
    return pd.DataFrame(
        {
            "arm": result["arm"],
            "users": n.astype(np.int64),
            "effect_size": effect,
            "standard_error": result["standard_error"],
            "lower": effect - half,
            "upper": effect + half,
        }
    )
