"""Wilson's interval: how far a share of counts can be from the true rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["wilson_interval"]


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The score interval of a binomial rate, element by element; nulls where ``trials`` is 0 or null.

    It stays within [0, 1] and is sound for small counts and rates near 0 and 1, where the textbook interval is not.

    Args:
        successes: Counts, or nulls.
        trials: Counts that they are out of.
        confidence: Coverage, between 0 and 1.

    Returns:
        Lower and upper ends, as float64.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Examples:
        >>> low, high = wilson_interval([5, 0], [10, 10])
        >>> low.round(4).tolist(), high.round(4).tolist()
        ([0.2366, 0.0], [0.7634, 0.2775])
    """
    x = np.asarray(successes, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    x, n = np.broadcast_arrays(x, np.where(n > 0, n, np.nan))
    z = float(ndtri(0.5 + confidence / 2.0))
    p = x / n
    shrunk = 1.0 + z * z / n
    middle = (p + z * z / (2.0 * n)) / shrunk
    half = z / shrunk * np.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    # The ends at 0 and n are exact by algebra, and not by floating point.
    low = np.where(x == 0, 0.0, np.clip(middle - half, 0.0, 1.0))
    high = np.where(x == n, 1.0, np.clip(middle + half, 0.0, 1.0))
    unknown = np.isnan(p)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
