"""Wilson's interval for a rate: a count out of a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Z95", "wilson_interval"]

#: Quantile of the normal distribution behind a 95% interval.
Z95 = 1.959963984540054


def wilson_interval(
    hits: ArrayLike, trials: ArrayLike, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the score interval; NaN where there is no trial.

    It stays within [0, 1] and says something for 0 and for all hits too, where the textbook interval has no width.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.

    Examples:
        >>> low, high = wilson_interval(3, 10)
        >>> round(float(low), 4), round(float(high), 4)
        (0.1078, 0.6032)
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    z2 = float(special.ndtri(0.5 + level / 2)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (k + z2 / 2) / (n + z2)
        half = np.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
        low = np.where(k == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
        high = np.where(k == n, 1.0, np.clip(centre + half, 0.0, 1.0))
    seen = n > 0
    return np.where(seen, low, np.nan), np.where(seen, high, np.nan)
