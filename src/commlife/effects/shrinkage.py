"""Shrinkage: many noisy estimates, each pulled towards their mean by as much as the noise asks for.

Whoever picks the largest of many estimates picks errors too. The mean of what was picked is too high before anything
went wrong; after shrinkage it is not, as far as the standard errors are right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from commlife.effects._inputs import Floats, array_of, float_vector
from commlife.errors import ConfigError

__all__ = ["shrink"]


def shrink(estimate: Any, standard_error: Any) -> Floats:
    """Posterior means of normal estimates under a common normal prior that is read from the estimates themselves.

    The prior's mean is the precision-weighted mean and its variance what the estimates' spread holds beyond their
    noise (at least 0: if noise explains all, every estimate becomes the mean).

    Args:
        estimate: One number a unit.
        standard_error: Of each, or one for all; at least 0.

    Returns:
        One number a unit.

    Raises:
        ConfigError: If a number is not finite, a standard error is negative, or lengths differ.

    References:
        Efron & Morris (1973), Stein's estimation rule and its competitors, JASA 68.

    Examples:
        >>> shrink([1.0, 3.0, 5.0, 7.0], 1.0).round(3).tolist()
        [1.45, 3.15, 4.85, 6.55]
        >>> shrink([1.0, 3.0], 100.0).tolist()
        [2.0, 2.0]
    """
    value = float_vector(estimate, "estimate")
    if array_of(standard_error, "standard_error").ndim == 0:
        error = float_vector([standard_error], "standard_error").repeat(len(value))
    else:
        error = float_vector(standard_error, "standard_error", length=len(value))
    if error.min() < 0:
        raise ConfigError(f"a standard error is at least 0; seen {error.min()}.")
    noise = error**2
    mean, prior = float(value.mean()), 0.0
    # The prior's variance and the weighted mean depend on each other: a few rounds settle both.
    for _ in range(50):
        before = prior
        total = prior + noise
        weight = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 1.0)
        mean = float(weight @ value / weight.sum())
        free = len(value) / max(len(value) - 1, 1)
        prior = max(float(weight @ (free * (value - mean) ** 2 - noise) / weight.sum()), 0.0)
        if abs(prior - before) <= 1e-12 * max(prior, before):
            break
    total = prior + noise
    keep = np.divide(prior, total, out=np.ones_like(total), where=total > 0)
    return np.asarray(mean + keep * (value - mean))
