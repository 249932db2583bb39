"""The chance that redemptions cost more than the budget: each coupon costs its face value, or nothing.

The sum of independent two-point costs has a known cumulant function, so its tail needs no simulation: the saddlepoint
formula of Lugannani and Rice is right to a few per mille from ten expected redemptions on (and a little too high where
all faces are equal, since sums then move in steps). For fewer the Chernoff bound is used, which is never too low.

References:
    Lugannani & Rice (1980), Advances in Applied Probability 12; Chernoff (1952), Annals of Mathematical Statistics 23.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from commlife._stats.distributions import normal_tail

if TYPE_CHECKING:
    from commlife.coupons._segments import Floats

__all__ = ["overspend_chance"]

#: From so many expected redemptions on the saddlepoint formula is used.
ENOUGH = 10

#: Steps of the search for the saddlepoint.
STEPS = 80


def overspend_chance(rate: Floats, face: Floats, budget: float) -> float:
    """P(sum of face * redeemed > budget), redemptions independent with these rates.

    Examples:
        >>> import numpy as np
        >>> overspend_chance(np.array([0.5, 0.5]), np.array([5.0, 5.0]), 10.0)
        0.0
        >>> round(overspend_chance(np.full(1000, 0.1), np.full(1000, 5.0), 550.0), 3)
        0.146
    """
    paid = (rate > 0) & (face > 0)
    rate, face = rate[paid], face[paid]
    if float(face.sum()) <= budget * (1 + 1e-12):
        return 0.0
    mean = float(rate @ face)
    variance = float((face**2) @ (rate * (1 - rate)))
    if variance == 0:
        return float(mean > budget * (1 + 1e-12))
    if budget < float(face.min()) * (1 - 1e-12):
        return -math.expm1(float(np.log1p(-rate).sum())) if float(rate.max()) < 1 else 1.0
    few = float(rate.sum()) < ENOUGH
    if few and mean >= budget:
        return 1.0
    unit = float(face.max())
    t, cumulant, spread = _saddlepoint(rate, face / unit, budget / unit)
    exponent = cumulant - t * budget / unit
    if few:
        return min(math.exp(exponent), 1.0)
    w = math.copysign(math.sqrt(max(-2 * exponent, 0.0)), t)
    if abs(w) < 1e-4:
        skew = float((face**3) @ (rate * (1 - rate) * (1 - 2 * rate))) / variance**1.5
        return 0.5 - skew / (6 * math.sqrt(2 * math.pi))
    u = t * math.sqrt(spread)
    density = math.exp(-w * w / 2) / math.sqrt(2 * math.pi)
    return min(max(normal_tail(w) + density * (1 / u - 1 / w), 0.0), 1.0)


def _saddlepoint(rate: Floats, face: Floats, budget: float) -> tuple[float, float, float]:
    """The t where the tilted mean is the budget, and there the cumulant and its second derivative."""
    lost = np.log1p(-np.minimum(rate, 1 - 1e-16))
    odds = np.log(rate) - lost

    def tilted(t: float) -> tuple[float, float]:
        share = 1 / (1 + np.exp(-np.clip(odds + t * face, -700, 700)))
        return float(share @ face), float((share * (1 - share)) @ face**2)

    low, high = -1.0, 1.0
    while tilted(high)[0] < budget and high < 1e6:
        high *= 2
    while tilted(low)[0] > budget and low > -1e6:
        low *= 2
    t = 0.0
    for _ in range(STEPS):
        mean, spread = tilted(t)
        if abs(mean - budget) <= 1e-10 * budget:
            break
        low, high = (t, high) if mean < budget else (low, t)
        step = t + (budget - mean) / spread if spread > 0 else (low + high) / 2
        t = step if low < step < high else (low + high) / 2
    cumulant = float((lost + np.logaddexp(0.0, odds + t * face)).sum())
    return t, cumulant, tilted(t)[1]
