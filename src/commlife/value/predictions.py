"""What a fitted model says of each user: special functions once for each pair (x, T), looked up for each user."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from commlife.value.histories import Histories, Index, Summary
from commlife.value.kernels import Kernel
from commlife.value.likelihood import of_strata

__all__ = ["Predictions", "from_the_start"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: So many units of time ahead count as for ever.
_FOREVER = 1e9


class Predictions:
    """Predictions for the users of one summary.

    Args:
        kernel: The model.
        p: Parameters of each stratum, shape (4, n_strata).
        unit: Unit of the time parameters, in days.
        summary: The users.
        stratum: Stratum of each user; None if all share one.
    """

    def __init__(self, kernel: Kernel, p: Array, unit: float, summary: Summary, stratum: Index | None = None) -> None:
        self.kernel: Kernel = kernel
        self.unit: float = unit
        self.histories: Histories = Histories.of(summary, stratum)
        self._set(p)

    def _set(self, p: Array) -> None:
        h = self.histories
        self.p: list[Array] = of_strata(p, h.here_stratum)
        self.x: Array = h.here_x
        self.T: Array = h.here_T / self.unit
        here = self.kernel.here(self.p, self.x, self.T).value
        gone = self.kernel.gone(of_strata(p, h.gone_stratum), h.gone_x, h.gone_t / self.unit).value
        alive = self.kernel.alive(self.p, self.x, self.T)
        self.alive: Array = np.minimum(np.exp((alive - here)[h.here]) * expit(here[h.here] - gone[h.gone]), 1.0)

    def under(self, p: Array) -> Predictions:
        """The same users under other parameters."""
        other = object.__new__(Predictions)
        other.kernel, other.unit, other.histories = self.kernel, self.unit, self.histories
        other._set(p)
        return other

    @property
    def p_alive(self) -> Array:
        """Probability of each user to be alive."""
        return self.alive[self.histories.of_user]

    def of_users(self, of_pair: Array) -> Array:
        """What holds for those alive, times the probability to be alive, user by user."""
        answer: Array = (self.alive * of_pair[self.histories.here])[self.histories.of_user]
        return answer

    def _ahead(self, days: float) -> Array:
        return np.full_like(self.x, days / self.unit)

    def purchases(self, days: float) -> Array:
        """Expected purchases of each user."""
        return self.of_users(self.kernel.purchases(self.p, self.x, self.T, self._ahead(days)))

    def pairs(self, days: float) -> Array:
        """E[N (N - 1)] of each user's purchases N."""
        return self.of_users(self.kernel.pairs(self.p, self.x, self.T, self._ahead(days)))

    def p_silent(self, days: float) -> Array:
        """Probability of each user not to buy."""
        answer: Array = 1.0 - self.of_users(self._any_if_alive(self._ahead(days)))
        return answer

    def _any_if_alive(self, t: Array) -> Array:
        return self.kernel.any_purchase(self.p, self.x, self.T, t)

    def distribution(self, days: float, most: int) -> Array:
        """Probability of 0, 1, ..., ``most`` and more purchases, one row a user."""
        h = self.histories
        if_alive = self.kernel.counts(self.p, self.x, self.T, self._ahead(days), most)
        table = self.alive[:, None] * if_alive[h.here]
        table[:, 0] += 1.0 - self.alive
        rest = np.maximum(1.0 - table.sum(axis=1, keepdims=True), 0.0)
        answer: Array = np.concatenate([table, rest], axis=1)[h.of_user]
        return answer

    def discounted_purchases(self, days: float, yearly: float, nodes: int = 24) -> Array:
        """Expected purchases, each worth exp(-delta t) at its time: by parts, from the expected purchases until t."""
        delta = np.log1p(yearly) / 365.0 * self.unit
        horizon = days / self.unit
        total = np.exp(-delta * horizon) * self.kernel.purchases(self.p, self.x, self.T, np.full_like(self.x, horizon))
        if delta > 0:
            # Expected purchases are smooth in log(1 + t / scale), where the scale is that of the waiting time.
            scale = self.p[1] + self.T
            span = np.log1p(horizon / scale)
            for node, weight in zip(*np.polynomial.legendre.leggauss(nodes), strict=True):
                grown = span * 0.5 * (node + 1.0)
                t = scale * np.expm1(grown)
                part = np.exp(-delta * t + grown) * scale * 0.5 * span * weight
                total += delta * part * self.kernel.purchases(self.p, self.x, self.T, t)
        return self.of_users(total)

    def median_days(self) -> Array:
        """Bisection in log time on the probability of an order; NaN where it stays below one half."""
        h = self.histories
        p = [each[h.here] if np.ndim(each) else each for each in self.p]
        x, T = self.x[h.here], self.T[h.here]
        likely = self.alive * self._any_if_alive(np.full_like(self.x, _FOREVER))[h.here] > 0.5
        answer = np.full(x.size, np.nan)
        rows = np.flatnonzero(likely)
        of_rows = [each[rows] if np.ndim(each) else each for each in p]
        low, high = np.full(rows.size, np.log(1e-9)), np.full(rows.size, np.log(_FOREVER))
        for _ in range(64):
            middle = 0.5 * (low + high)
            reached = self.alive[rows] * self.kernel.any_purchase(of_rows, x[rows], T[rows], np.exp(middle)) >= 0.5
            high, low = np.where(reached, middle, high), np.where(reached, low, middle)
        answer[rows] = np.exp(high) * self.unit
        result: Array = answer[h.of_user]
        return result


def from_the_start(kernel: Kernel, p: Array, stratum: Index, most: int | None, t: Array) -> tuple[Array, Array]:
    """What comes in ``t`` after the first purchase, of users nothing is known of yet.

    Args:
        kernel: The model.
        p: Parameters of each stratum, shape (4, n_strata).
        stratum: Stratum of each row.
        most: Largest number of repeats that gets a probability; None if only the mean is wanted.
        t: Length of time, one value a row, in the unit of the parameters.

    Returns:
        The expected number of repeats, and the probabilities of 0, 1, ..., ``most`` (no column where ``most`` is None).
    """
    zero = np.zeros_like(t)
    own = of_strata(p, stratum)
    here = np.exp(kernel.alive(own, zero, zero))  # below 1 where the first may be the last
    mean: Array = here * kernel.purchases(own, zero, zero, t)
    if most is None:
        return mean, np.empty((t.size, 0))
    shares = here[:, None] * kernel.counts(own, zero, zero, t, most)
    shares[:, 0] += 1.0 - here
    return mean, shares
