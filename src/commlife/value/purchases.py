"""Models of repeat buying: fitted to a purchase summary, they say how many orders each user still brings."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.estimation import Estimate, maximise
from commlife.value.histories import Histories, Summary, read_summary
from commlife.value.kernels import Kernel

__all__ = ["FittedPurchaseModel", "PurchaseModel", "log_likelihood_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Standard error of a log parameter above which a factor of fifty and more is within its interval.
_VAGUE = 2.0


def log_likelihood_of(kernel: Kernel, histories: Histories, p: Array, scale: float) -> tuple[float, Array]:
    """Log-likelihood and its gradient by the log parameters, times divided by ``scale`` days."""
    here, here_slope = kernel.here(p, histories.here_x, histories.here_T / scale)
    gone, gone_slope = kernel.gone(p, histories.gone_x, histories.gone_t / scale)
    here_part = here[histories.here]
    with np.errstate(over="ignore"):
        odds = np.exp(gone[histories.gone] - here_part)
    if np.isinf(odds).any():  # the paths lie more than 300 orders of magnitude apart
        total = np.logaddexp(here_part, gone[histories.gone])
        share = np.exp(here_part - total)
    else:
        total = here_part + np.log(1.0 + odds)
        share = 1.0 / (1.0 + odds)
    here_weight = histories.counts * share
    # einsum and not @: the threads of a BLAS cost more here than they bring, and their sums depend on their number.
    gradient = np.einsum("ij,j->i", here_slope, np.bincount(histories.here, here_weight, here.size))
    gradient += np.einsum("ij,j->i", gone_slope, np.bincount(histories.gone, histories.counts - here_weight, gone.size))
    return float(np.einsum("i,i->", histories.counts, total)), gradient


class PurchaseModel(Spec):
    """What BetaGeo, ModifiedBetaGeo and ParetoNBD have in common.

    Args:
        prior: None for plain maximum likelihood; ``"weak"`` adds weakly informative normal priors on the log shapes
            (never on the mean purchase rate), so that a small sample gives a finite answer.
    """

    kernel: ClassVar[Kernel]

    prior: Literal["weak"] | None = None

    def _estimate(self, summary: Summary, unit: Duration) -> dict[str, Any]:
        """The state of the fitted object: parameters, their errors, the likelihood."""
        name = type(self).__name__
        histories = Histories.of(summary)
        found, scale = self._maximum(histories)
        if found.at_bound:
            reached = "; ".join(self.kernel.box.meaning[i] for i in found.at_bound)
            warnings.warn(
                f"{name}: the likelihood grows up to the bound of {reached}. The data do not determine it: the "
                "predictions hold, these parameters and their errors do not. Use more users, a longer history, or "
                "prior='weak'.",
                ModelWarning,
                stacklevel=3,
            )
        elif float(np.sqrt(np.diag(found.covariance)).max()) > _VAGUE:
            warnings.warn(
                f"{name}: {len(summary.x):,} users determine the parameters only up to a factor of fifty and more. "
                "The predictions are better determined than the parameters; use more users, a longer history, or "
                "prior='weak'.",
                ModelWarning,
                stacklevel=3,
            )
        names = self.kernel.box.names
        values = np.exp(found.logs) * _in_unit(self.kernel, scale / unit.days)
        errors = values * np.sqrt(np.diag(found.covariance))
        likelihood, _ = log_likelihood_of(self.kernel, histories, np.exp(found.logs), scale)
        return {
            "params": dict(zip(names, values.tolist(), strict=True)),
            "standard_errors": dict(zip(names, errors.tolist(), strict=True)),
            "log_covariance": tuple(tuple(row) for row in found.covariance.tolist()),
            "log_likelihood": likelihood + histories.purchases * float(np.log(unit.days / scale)),
            "time_unit": unit,
            "fitted_on": FittedOn(
                as_of=summary.as_of, rows=len(summary.x), users=len(summary.x), version=library_version()
            ),
        }

    def _maximum(
        self, histories: Histories, *, start: Array | None = None, scale: float | None = None
    ) -> tuple[Estimate, float]:
        """The estimate in units of ``scale`` (the mean observation time in days), and that scale."""
        _check_enough(type(self).__name__, histories)
        if scale is None:
            scale = histories.mean_T
        starts = self.kernel.starts(histories.purchases / histories.users)
        if start is not None:
            starts = np.vstack([start, starts])

        def objective(logs: Array) -> tuple[float, Array]:
            return log_likelihood_of(self.kernel, histories, np.exp(logs), scale)

        found = maximise(
            objective,
            self.kernel.box,
            starts,
            weight=histories.users,
            prior=self.prior is not None,
            what=type(self).__name__,
        )
        return found, scale


def _check_enough(name: str, histories: Histories) -> None:
    if histories.mean_T == 0:
        raise InsufficientDataError(
            f"{name}: every user was first seen on the last observed day (T = 0), so nobody could buy again. "
            "Use a later as_of."
        )
    if histories.purchases == 0:
        raise InsufficientDataError(
            f"{name}: none of {histories.users:,.0f} users bought on a second day (x = 0 for all), so the purchase "
            "rate has no lower end. Use a later as_of or a longer log."
        )


def _in_unit(kernel: Kernel, factor: float) -> Array:
    return np.array([factor if name in kernel.time_parameters else 1.0 for name in kernel.box.names])


class FittedPurchaseModel(Fitted):
    """A fitted model of repeat buying: parameters of the population, and predictions for each user.

    Predictions take a purchase summary (pandas, Polars, PyArrow) and give the same kind of frame back: ``user_id`` and
    a value, rows in the order of the summary. They also take an OrderLog with ``as_of``. Times ahead begin at the end
    of the last observed day.

    Attributes:
        params: Parameters of the population; those with a unit are in ``time_unit``.
        standard_errors: Their standard errors from the observed information; NaN where a parameter is not determined.
        log_covariance: Covariance of the logarithms of the parameters, in the order of ``params``.
        log_likelihood: Log-likelihood of the summary at the parameters, times in ``time_unit`` (without any prior).
        time_unit: Unit of the time parameters, such as ``"7D"``.
    """

    kernel: ClassVar[Kernel]

    params: dict[str, float]
    standard_errors: dict[str, float]
    log_covariance: tuple[tuple[float, ...], ...]
    log_likelihood: float
    time_unit: Duration

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """The parameters of this model, all positive and finite."""
        names = self.kernel.box.names
        if set(self.params) != set(names) or set(self.standard_errors) != set(names):
            raise ValueError(f"params and standard_errors are {', '.join(names)}")
        if not all(np.isfinite(value) and value > 0 for value in self.params.values()):
            raise ValueError(f"params are positive and finite; seen {self.params}")
        return self

    def __repr__(self) -> str:
        """One line: the parameters and what they were fitted on."""
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self.params.items())
        return f"{type(self).__name__}({shown}; per {self.time_unit}, {self.fitted_on.users:,} users)"

    def __str__(self) -> str:
        return repr(self)

    def expected_purchases(self, data: Any, *, horizon: str, as_of: Timestamp | None = None) -> Any:
        """Expected number of purchase days of each user in the time ahead.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"273D"``.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id`` and ``expected_purchases``.
        """
        summary = self._read(data, as_of, "expected_purchases")
        ahead = Duration(horizon).days
        return summary.give(expected_purchases=_Predictions(self, summary).purchases(ahead))

    def p_alive(self, data: Any, *, as_of: Timestamp | None = None) -> Any:
        """Probability that each user has not dropped out for good.

        Dropping out is not seen, only inferred. Under BG/NBD it is 1 for everybody with ``x = 0``, by construction;
        :meth:`p_silent` answers the question that can be checked later, for one-time buyers too.

        Returns:
            A frame with ``user_id`` and ``p_alive``.
        """
        summary = self._read(data, as_of, "p_alive")
        return summary.give(p_alive=_Predictions(self, summary).p_alive)

    def p_silent(self, data: Any, *, horizon: str, as_of: Timestamp | None = None) -> Any:
        """Probability that each user places no order in the time ahead: gone, or here and not buying yet.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"28D"``.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id`` and ``p_silent``.
        """
        summary = self._read(data, as_of, "p_silent")
        return summary.give(p_silent=_Predictions(self, summary).p_silent(Duration(horizon).days))

    def purchase_distribution(self, data: Any, *, horizon: str, most: int = 10, as_of: Timestamp | None = None) -> Any:
        """Probability of each number of purchase days in the time ahead.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"91D"``.
            most: Largest number that gets a column of its own, 0 to 1000.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id``, ``p_0``, ``p_1``, ..., ``p_<most>`` and ``p_more``; each row adds up to 1.
        """
        if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= 1000:
            raise ConfigError(f"most is a whole number from 0 to 1000; seen {most!r}.")
        summary = self._read(data, as_of, "purchase_distribution")
        table = _Predictions(self, summary).distribution(Duration(horizon).days, most)
        columns = {f"p_{k}": table[:, k] for k in range(most + 1)}
        return summary.give(**columns, p_more=table[:, -1])

    def median_days_to_next_order(self, data: Any, *, as_of: Timestamp | None = None) -> Any:
        """Days until an order is as likely as not to have come; null where it is less likely than not to come at all.

        The mean is infinite under dropout, so the median is what can be said.

        Returns:
            A frame with ``user_id`` and ``median_days_to_next_order``.
        """
        summary = self._read(data, as_of, "median_days_to_next_order")
        return summary.give(median_days_to_next_order=_Predictions(self, summary).median_days())

    def score(self, data: Any, *, as_of: Timestamp | None = None) -> float:
        """Log-likelihood of a summary under these parameters, times in ``time_unit``; for held-out users."""
        summary = read_summary(data, as_of=as_of, ids=False, what="score")
        histories = Histories.of(summary)
        unit = self.time_unit.days
        return log_likelihood_of(self.kernel, histories, self._p(), unit)[0]

    def _p(self) -> Array:
        return np.array([self.params[name] for name in self.kernel.box.names])

    def _read(self, data: Any, as_of: Timestamp | None, method: str) -> Summary:
        return read_summary(data, as_of=as_of, what=f"{type(self).__name__}.{method}")


class _Predictions:
    """Predictions of one summary: special functions once for each pair (x, T), looked up for each user."""

    def __init__(self, fitted: FittedPurchaseModel, summary: Summary) -> None:
        self.kernel, self.p, self.unit = fitted.kernel, fitted._p(), float(fitted.time_unit.days)
        self.histories = Histories.of(summary)
        h = self.histories
        self.x, self.T = h.here_x, h.here_T / self.unit
        here, _ = self.kernel.here(self.p, self.x, self.T)
        gone, _ = self.kernel.gone(self.p, h.gone_x, h.gone_t / self.unit)
        total = np.logaddexp(here[h.here], gone[h.gone])
        alive = self.kernel.alive(self.p, self.x, self.T)
        self.alive: Array = np.minimum(np.exp(alive[h.here] - total), 1.0)

    @property
    def p_alive(self) -> Array:
        return self.alive[self.histories.of_user]

    def _of_users(self, of_pair: Array) -> Array:
        answer: Array = (self.alive * of_pair[self.histories.here])[self.histories.of_user]
        return answer

    def purchases(self, days: float) -> Array:
        return self._of_users(self.kernel.purchases(self.p, self.x, self.T, np.full_like(self.x, days / self.unit)))

    def p_silent(self, days: float) -> Array:
        answer: Array = 1.0 - self._of_users(self.any_if_alive(np.full_like(self.x, days / self.unit)))
        return answer

    def any_if_alive(self, t: Array) -> Array:
        return self.kernel.any_purchase(self.p, self.x, self.T, t)

    def distribution(self, days: float, most: int) -> Array:
        h = self.histories
        if_alive = self.kernel.counts(self.p, self.x, self.T, np.full_like(self.x, days / self.unit), most)
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
        return self._of_users(total)

    def median_days(self) -> Array:
        """Bisection in log time on the probability of an order; NaN where it stays below one half."""
        h = self.histories
        x, T = self.x[h.here], self.T[h.here]
        forever = np.full_like(x, 1e9)
        likely = self.alive * self.any_if_alive(np.full_like(self.x, 1e9))[h.here] > 0.5
        answer = np.full(x.size, np.nan)
        rows = np.flatnonzero(likely)
        low, high = np.full(rows.size, np.log(1e-9)), np.log(forever[rows])
        for _ in range(64):
            middle = 0.5 * (low + high)
            reached = self.alive[rows] * self.kernel.any_purchase(self.p, x[rows], T[rows], np.exp(middle)) >= 0.5
            high, low = np.where(reached, middle, high), np.where(reached, low, middle)
        answer[rows] = np.exp(high) * self.unit
        result: Array = answer[h.of_user]
        return result
