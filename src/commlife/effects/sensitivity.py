"""Sensitivity: how strong an unrecorded confounder would have to be to explain an adjusted effect away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from commlife.effects._inputs import Floats, in_open_interval

__all__ = ["Sensitivity"]


@dataclass(frozen=True, slots=True, repr=False)
class Sensitivity:
    """What a confounder that nobody recorded could do to an adjusted effect.

    Such a confounder can move the estimate by at most
    ``sqrt(residual_variance * mean_squared_weight * outcome * treatment / (1 - treatment))``, where ``outcome`` is the
    share that it explains of what the covariates leave unexplained of the outcome, and ``treatment`` the share that it
    adds to the variation of the weights by which treatment is evened out.

    Attributes:
        effect_size: The adjusted effect.
        margin: Half of its interval.
        residual_variance: Variance of the outcome that the covariates leave unexplained.
        mean_squared_weight: Mean squared weight of the users.
        robustness_value: The share, of both at once, from which on such a confounder could explain the whole effect
            away; 0.02 is very little, 0.3 is a lot.
        robustness_value_interval: The same for the end of the interval that lies nearer to 0: where the interval
            holds 0 already, 0.

    References:
        Chernozhukov, Cinelli, Newey, Sharma & Syrgkanis (2022), NBER 30302, theorem 2; Cinelli & Hazlett (2020),
        J. R. Statist. Soc. B 82, for the robustness value.

    Examples:
        >>> weak = Sensitivity(effect_size=0.05, margin=0.02, residual_variance=0.2, mean_squared_weight=5.0)
        >>> round(weak.robustness_value, 3), round(weak.robustness_value_interval, 3)
        (0.049, 0.03)
        >>> [round(end, 3) for end in weak.bounds(outcome=0.1, treatment=0.1)]
        [-0.055, 0.155]
    """

    effect_size: float
    margin: float
    residual_variance: float
    mean_squared_weight: float

    @classmethod
    def of(cls, effect_size: float, margin: float, *, residual: Floats, squared_weight: float) -> Sensitivity:
        """From the residuals of the outcome and the mean squared weight."""
        return cls(effect_size, margin, float(residual @ residual) / len(residual), squared_weight)

    @property
    def _scale(self) -> float:
        return float(np.sqrt(self.residual_variance * self.mean_squared_weight))

    @property
    def robustness_value(self) -> float:
        """Strength that would bring the estimate to 0."""
        return self._strength(abs(self.effect_size))

    @property
    def robustness_value_interval(self) -> float:
        """Strength that would bring the nearer end of the interval to 0."""
        return self._strength(max(abs(self.effect_size) - self.margin, 0.0))

    def bounds(self, *, outcome: float, treatment: float) -> tuple[float, float]:
        """The least and the largest effect that a confounder of this strength leaves possible.

        Args:
            outcome: Share that it explains of what is left of the outcome, in [0, 1).
            treatment: Share that it adds to the variation of the weights, in [0, 1).

        Raises:
            ConfigError: If a share is out of range.
        """
        y = in_open_interval(outcome, "outcome", -1e-12, 1)
        d = in_open_interval(treatment, "treatment", -1e-12, 1)
        bias = self.bias(max(y, 0.0), max(d, 0.0))
        return self.effect_size - bias, self.effect_size + bias

    def bias(self, outcome: float, treatment: float) -> float:
        """The largest bias by a confounder of this strength."""
        return self._scale * float(np.sqrt(outcome * treatment / (1 - treatment)))

    def _strength(self, distance: float) -> float:
        if self._scale <= 0:
            return 1.0 if distance > 0 else 0.0
        squared = (distance / self._scale) ** 2
        return float((np.sqrt(squared**2 + 4 * squared) - squared) / 2)

    def __repr__(self) -> str:
        return (
            f"Sensitivity(a confounder explaining {self.robustness_value:.1%} of what is left of both would explain "
            f"the effect away, {self.robustness_value_interval:.1%} its interval)"
        )
