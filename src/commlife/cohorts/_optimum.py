"""Optimum: the least-cost levers that reach a goal, and the most that a budget reaches, on fitted response curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Response", "Solution", "cheapest", "largest"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

#: How far a constraint may be missed, relative to its size, and still count as met.
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Response:
    """What levers do, by community (rows) and lever (columns): money in, new payers and retention out.

    Attributes:
        level_new: Log of new payers at levers of 0.
        level_kept: Logit of retention at levers of 0.
        slope_new, slope_kept: Effect of log(1 + lever / unit), a lever.
        unit: Money at which a lever's effect has reached slope * log 2.
    """

    level_new: Floats
    level_kept: Floats
    slope_new: Floats
    slope_kept: Floats
    unit: Floats

    def parts(self, levers: Floats) -> tuple[Floats, Floats]:
        """New payers and retention of each community."""
        logs = np.log1p(levers / self.unit)
        new = np.exp(np.clip(self.level_new + logs @ self.slope_new, -30.0, 30.0))
        kept = 1.0 / (1.0 + np.exp(-np.clip(self.level_kept + logs @ self.slope_kept, -30.0, 30.0)))
        return new, kept

    def outcome(self, levers: Floats) -> tuple[float, float]:
        """New payers of all communities, and their retention."""
        new, kept = self.parts(levers)
        return float(new.sum()), float((new * kept).sum() / new.sum())

    def gradients(self, levers: Floats) -> tuple[Floats, Floats]:
        """Of new payers and of retention, by each lever of each community."""
        new, kept = self.parts(levers)
        steep = 1.0 / (self.unit + levers)
        by_new = new[:, None] * self.slope_new * steep
        total = new.sum()
        rate = (new * kept).sum() / total
        by_kept = (
            by_new * (kept - rate)[:, None] + (new * kept * (1.0 - kept))[:, None] * self.slope_kept * steep
        ) / total
        return by_new, by_kept


@dataclass(frozen=True, slots=True)
class Solution:
    """Levers, and whether the constraints are met there."""

    levers: Floats
    feasible: bool


def cheapest(
    response: Response, new: float, kept: float, upper: Floats, start: Floats, lower: Floats | None = None
) -> Solution:
    """The least money that brings at least ``new`` payers and a retention of at least ``kept``.

    Where no levers within bounds do, those that come nearest.
    """

    def cost(levers: Floats) -> tuple[float, Floats]:
        return float(levers.sum()), np.ones_like(levers)

    found = _best(response, cost, new, kept, None, upper, start, lower)
    return found if found.feasible else _nearest(response, new, kept, upper, start, None, lower)


def largest(
    response: Response, budget: float, kept: float, upper: Floats, start: Floats, lower: Floats | None = None
) -> Solution:
    """The most new payers that ``budget`` brings with a retention of at least ``kept``; else the nearest to that."""

    def loss(levers: Floats) -> tuple[float, Floats]:
        return -response.outcome(levers)[0], -response.gradients(levers)[0]

    found = _best(response, loss, None, kept, budget, upper, start, lower)
    return found if found.feasible else _nearest(response, None, kept, upper, start, budget, lower)


def _best(
    response: Response,
    loss: Any,
    new: float | None,
    kept: float | None,
    budget: float | None,
    upper: Floats,
    start: Floats,
    lower: Floats | None,
) -> Solution:
    """SLSQP from several starts, in shares of the upper bounds; the best of those that meet the constraints."""
    from scipy import optimize

    shape = upper.shape
    scale = np.where(upper > 0, upper, 1.0)
    size = max(abs(loss(start)[0]), abs(loss(upper)[0]), 1.0)

    def value(shares: Floats) -> tuple[float, Floats]:
        total, gradient = loss(shares.reshape(shape) * scale)
        return total / size, (gradient * scale).ravel() / size

    constraints = []
    if new is not None:
        constraints.append(_constraint(response, 0, new, scale))
    if kept is not None:
        constraints.append(_constraint(response, 1, kept, scale))
    if budget is not None:
        constraints.append(_within(budget, scale))
    least = np.zeros(upper.size) if lower is None else (lower / scale).ravel()
    bounds = [(float(low), 1.0 if most > 0 else 0.0) for low, most in zip(least, upper.ravel(), strict=True)]
    tried = []
    for first in (np.minimum(start / scale, 1.0), np.where(upper > 0, 1.0, 0.0), np.where(upper > 0, 0.3, 0.0)):
        search: Any = optimize.minimize
        found = search(
            value,
            np.maximum(first.ravel(), least),
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=constraints,
            options={"maxiter": 500, "ftol": 1e-12},
        )
        shares = np.clip(found.x, least, [most for _, most in bounds])
        met = all(float(each["fun"](shares)) >= -_CLOSE for each in constraints)
        tried.append((not met, float(value(shares)[0]), shares))
    missed, _, shares = min(tried, key=lambda each: each[:2])
    return Solution(shares.reshape(shape) * scale, not missed)


def _within(budget: float, scale: Floats) -> dict[str, Any]:
    unit = max(budget, 1.0)
    prices = scale.ravel() / unit
    return {"type": "ineq", "fun": lambda shares: budget / unit - prices @ shares, "jac": lambda _: -prices}


def _constraint(response: Response, place: int, least: float, scale: Floats) -> dict[str, Any]:
    def over(shares: Floats) -> float:
        return response.outcome(shares.reshape(scale.shape) * scale)[place] / least - 1.0

    def gradient(shares: Floats) -> Floats:
        slopes: Floats = (response.gradients(shares.reshape(scale.shape) * scale)[place] * scale).ravel() / least
        return slopes

    return {"type": "ineq", "fun": over, "jac": gradient}


def _nearest(
    response: Response,
    new: float | None,
    kept: float,
    upper: Floats,
    start: Floats,
    budget: float | None,
    lower: Floats | None,
) -> Solution:
    """What misses the goals by the least, in squared shares of each."""

    def miss(levers: Floats) -> tuple[float, Floats]:
        outcome, gradients = response.outcome(levers), response.gradients(levers)
        total, slope = 0.0, np.zeros_like(levers)
        for least, seen, gradient in zip((new, kept), outcome, gradients, strict=True):
            if least is not None and seen < least:
                total += (1.0 - seen / least) ** 2
                slope -= 2.0 * (1.0 - seen / least) * gradient / least
        return total * 1e4, slope * 1e4

    found = _best(response, miss, None, None, budget, upper, start, lower)
    return Solution(found.levers, feasible=False)
