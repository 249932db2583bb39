"""Curves: how a model's forecast goes with a feature, without asking it about users who cannot exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Curve", "accumulated", "joint_effect"]

Array = np.ndarray[Any, np.dtype[np.float64]]
#: From a table of features (rows, columns) to probabilities.
Forecast = Callable[[Array], Array]

LOW, HIGH = 0.10, 0.90
_BINS = 12


@dataclass(frozen=True)
class Curve:
    """An accumulated local effect between the 10th and the 90th percentile.

    Attributes:
        grid: Values of the feature, ascending.
        effect: Change of the probability from the first grid value on.
    """

    grid: Array
    effect: Array

    @property
    def total(self) -> float:
        """Effect of the last grid value against the first, in probability."""
        return float(self.effect[-1]) if self.effect.size else 0.0

    @property
    def is_mixed(self) -> bool:
        """Whether the curve turns around: it covers more than twice what its ends show."""
        spread = float(self.effect.max() - self.effect.min()) if self.effect.size else 0.0
        return spread > 2 * abs(self.total) and spread > 0.005


def accumulated(X: Array, columns: list[int], forecast: Forecast, *, weights: Array | None = None) -> list[Curve]:
    """Accumulated local effects (Apley & Zhu 2020) of several features, with one call of the model.

    Each user is moved only across the bin that holds its own value, so that correlated features stay together; the
    mean changes of the bins add up from the 10th to the 90th percentile. Users without a value are left out.
    """
    n = len(X)
    plans = [_bins(X[:, column]) for column in columns]
    stacked: list[Array] = []
    for column, (rows, edges, bin_of) in zip(columns, plans, strict=True):
        if edges.size > 1:
            low, high = X[rows].copy(), X[rows].copy()
            low[:, column], high[:, column] = edges[bin_of], edges[bin_of + 1]
            stacked += [low, high]
    told = forecast(np.concatenate(stacked)) if stacked else np.empty(0)
    weights = np.ones(n) if weights is None else weights
    curves, start = [], 0
    for rows, edges, bin_of in plans:
        if edges.size < 2:
            curves.append(Curve(edges, np.zeros(edges.size)))
            continue
        size = len(rows)
        change = told[start + size : start + 2 * size] - told[start : start + size]
        start += 2 * size
        total = np.bincount(bin_of, weights=change * weights[rows], minlength=edges.size - 1)
        count = np.bincount(bin_of, weights=weights[rows], minlength=edges.size - 1)
        step = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        curves.append(Curve(edges, np.concatenate([[0.0], np.cumsum(step)])))
    return curves


def _bins(values: Array) -> tuple[np.ndarray[Any, Any], Array, np.ndarray[Any, Any]]:
    """Rows within the 10th to 90th percentile, the edges, and the bin of each row."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.empty(0, dtype=np.intp), np.empty(0), np.empty(0, dtype=np.intp)
    edges = np.unique(np.quantile(known, np.linspace(LOW, HIGH, _BINS + 1), method="inverted_cdf"))
    rows = np.flatnonzero((values >= edges[0]) & (values <= edges[-1]))
    if edges.size < 2:
        return rows, edges, np.zeros(len(rows), dtype=np.intp)
    bin_of = np.clip(np.searchsorted(edges, values[rows], "left") - 1, 0, edges.size - 2)
    return rows, edges, bin_of


def joint_effect(X: Array, columns: list[int], leader: int, forecast: Forecast) -> float:
    """Change of the mean forecast when a whole group of features goes from low to high.

    The group's values are taken together from real users: those near the 90th percentile of its leading feature
    against those near the 10th. So no combination within the group is made up.
    """
    known = np.flatnonzero(np.isfinite(X[:, leader]))
    if len(known) < 2:
        return 0.0
    order = known[np.lexsort((known, X[known, leader]))]
    ends = []
    for middle in (LOW, HIGH):
        first = int(np.clip(round((middle - 0.05) * len(order)), 0, len(order) - 1))
        last = max(first + 1, round((middle + 0.05) * len(order)))
        donors = order[first:last]
        # A stride that shares no factor with their number walks through the donors in a mixed order.
        moved = X.copy()
        moved[:, columns] = X[donors[(np.arange(len(X)) * 7919) % len(donors)]][:, columns]
        ends.append(moved)
    told = forecast(np.concatenate(ends))
    return float(told[len(X) :].mean() - told[: len(X)].mean())
