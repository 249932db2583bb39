"""Gamma-Gamma: the mean spend of an order that each user tends to, learned from few orders of each."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import model_validator
from scipy.special import digamma, gammaln, zeta

from commlife._caveats import warn
from commlife._model import Fitted, FittedOn, Spec, library_version
from commlife.errors import InsufficientDataError, ModelWarning
from commlife.orders.calendar import Timestamp
from commlife.value.estimation import Box, Objective, Terms, maximise
from commlife.value.histories import Summary, read_summary

__all__ = ["FittedGammaGamma", "GammaGamma"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_NAMES = ("p", "q", "v")
_BOX = Box(
    names=_NAMES,
    matrix=np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, -1.0, 1.0]]),
    lower=np.array([-7.0, -7.0, -12.0]),
    upper=np.array([9.0, 9.0, 12.0]),
    meaning=(
        "p (how alike one user's orders are)",
        "q (how alike the users are)",
        "p v / q (the spend of an order)",
    ),
    prior_mean=np.zeros(3),
    prior_sd=np.full(3, np.inf),
)
_STARTS = np.log([[5.0, 4.0, 0.6], [1.0, 3.0, 2.0], [20.0, 2.0, 0.05], [2.0, 20.0, 10.0]])
#: Share of the repeat buyers that may be left out for m_x <= 0 without a word.
_FEW = 0.05


class GammaGamma(Spec):
    """Gamma-Gamma: an order's spend ~ Gamma(p, nu), nu ~ Gamma(q, v), independent of how often the user orders.

    Source: Fader & Hardie (2013), "The Gamma-Gamma model of monetary value".

    Examples:
        >>> import numpy as np
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("BetaGeo", {"r": 2.0, "alpha": 5.0, "a": 0.8, "b": 2.5},
        ...                                  n_users=500, T="273D", seed=1)
        >>> rng = np.random.default_rng(1)
        >>> orders = summary["x"].where(summary["x"] > 0)
        >>> summary["m_x"] = rng.gamma(6.0 * orders.fillna(1)) / orders / rng.gamma(4.0, 1 / 15.0, 500)
        >>> fitted = value.GammaGamma().fit(summary)
        >>> fitted.expected_spend(summary).columns.tolist()
        ['user_id', 'expected_spend']
    """

    def fit(self, data: Any, *, as_of: Timestamp | None = None) -> FittedGammaGamma:
        """Estimate p, q and v by maximum likelihood from the users with repeat orders and a positive mean spend.

        Args:
            data: A purchase summary (``x, t_x, T, m_x``), or an OrderLog with ``as_of``.
            as_of: Local business day; for a log alone.

        Raises:
            SchemaError: If the summary holds impossible values.
            InsufficientDataError: If fewer than two users can be used, or all spend the same.
        """
        summary = read_summary(data, as_of=as_of, ids=False, spend=True, what="GammaGamma")
        return FittedGammaGamma(spec=self, **_estimate(summary))


def _estimate(summary: Summary) -> dict[str, Any]:
    assert summary.m_x is not None  # noqa: S101 - read with spend=True
    repeats = int(np.count_nonzero(summary.x))
    used = np.flatnonzero(summary.m_x > 0)
    used = used[summary.x[used] > 0]
    left_out = {"no_repeat": summary.x.size - repeats, "no_positive_spend": repeats - used.size}
    x, m = _sorted(summary.x[used], summary.m_x[used])
    if x.size < 2 or m.min() == m.max():
        raise InsufficientDataError(
            "GammaGamma needs at least two users with repeat orders and different mean spends above 0; "
            f"the summary has {x.size} such users of {len(summary.x):,}. Use a longer log, or look at the amounts."
        )
    if left_out["no_positive_spend"] > _FEW * repeats:
        warn(
            f"GammaGamma left out {left_out['no_positive_spend']:,} of {repeats:,} repeat buyers whose "
            "mean spend is not above 0 (refunds, free orders). "
            "Their value is overstated: clean the log, or value them apart.",
            ModelWarning,
        )
    scale = float(np.exp(np.log(m).mean()))
    objective = _objective(x, m / scale)
    found = maximise(objective, _BOX, _STARTS, weight=float(x.size), prior=False, what="GammaGamma")
    if found.at_bound:
        reached = "; ".join(_BOX.meaning[i] for i in found.at_bound)
        warn(
            f"GammaGamma: the likelihood grows up to the bound of {reached}: the spends differ too little, or between "
            "users or within them. The expected spends hold, the parameters and their errors do not."
            " Use more users, or cap outliers with CleaningRules.",
            ModelWarning,
        )
    values = np.exp(found.logs) * np.array([1.0, 1.0, scale])
    errors = values * np.sqrt(np.diag(found.covariance))
    return {
        "params": dict(zip(_NAMES, values.tolist(), strict=True)),
        "standard_errors": dict(zip(_NAMES, errors.tolist(), strict=True)),
        "log_covariance": tuple(tuple(row) for row in found.covariance.tolist()),
        "log_likelihood": found.objective - x.size * float(np.log(scale)),
        "left_out": left_out,
        "fitted_on": FittedOn(as_of=summary.as_of, rows=int(x.size), users=int(x.size), version=library_version()),
    }


def _dot(left: Array, right: Array) -> float:
    """A sum of products without the threads of a BLAS."""
    return float(np.einsum("i,i->", left, right))


def _sorted(x: Array, m: Array) -> tuple[Array, Array]:
    """By m, then x, so that sums do not depend on the order of the rows."""
    order = np.argsort(m)
    m = m[order]
    tied = np.concatenate([[0], np.cumsum(m[1:] != m[:-1])])
    top = int(x.max(initial=0.0)) + 1
    keys = tied * top + x[order].astype(np.int64)
    keys.sort()
    return (keys - tied * top).astype(np.float64), m


def _objective(x: Array, m: Array) -> Objective:
    """Log-likelihood by log p, log q, log v with its derivatives; gamma functions once for each distinct x."""
    users = np.bincount(x.astype(np.intp)).astype(np.float64)
    levels = np.flatnonzero(users).astype(np.float64)
    users = users[users > 0]
    total = x * m
    n = float(x.size)
    fixed = -float(np.log(m).sum())
    linear = _dot(x, np.log(total))  # what p is multiplied by

    def objective(logs: Array, *, second: bool = False) -> Terms:
        p, q, v = np.exp(logs)
        both, own = p * levels + q, p * levels
        log_mix = np.log(v + total)
        share = 1.0 / (v + total)
        sum_log, sum_x_log = float(log_mix.sum()), _dot(x, log_mix)
        sum_share, sum_x_share = float(share.sum()), _dot(x, share)
        value = _dot(users, gammaln(both) - gammaln(own)) - n * float(gammaln(q) - q * np.log(v))
        value += p * (linear - sum_x_log) + fixed - q * sum_log
        of_both = digamma(both)
        by_p = _dot(users * levels, of_both - digamma(own)) + linear - sum_x_log
        by_q = _dot(users, of_both) - n * float(digamma(q) - np.log(v)) - sum_log
        by_v = n * q / v - p * sum_x_share - q * sum_share
        gradient = np.array([p * by_p, q * by_q, v * by_v])
        if not second:
            return value, gradient, None
        squared = share * share
        bent = zeta(2.0, both)
        p_p = _dot(users * levels * levels, bent - zeta(2.0, own))
        p_q, q_q = _dot(users * levels, bent), _dot(users, bent) - n * float(zeta(2.0, q))
        v_v = p * _dot(x, squared) + q * float(squared.sum()) - n * q / v**2
        plain = np.array([[p_p, p_q, -sum_x_share], [p_q, q_q, n / v - sum_share], [0.0, 0.0, v_v]])
        plain[2, :2] = plain[:2, 2]
        scale = np.array([p, q, v])
        return value, gradient, plain * np.outer(scale, scale) + np.diag(gradient)

    return objective


class FittedGammaGamma(Fitted):
    """A fitted Gamma-Gamma model.

    Attributes:
        spec: The spec that was fitted.
        params: ``p``, ``q`` (plain numbers) and ``v`` (major money units).
        standard_errors: Their standard errors from the observed information; NaN where not determined.
        log_covariance: Covariance of the logarithms of the parameters.
        log_likelihood: Log-likelihood of the mean spends, in major money units.
        left_out: Users that were left out, by reason: ``no_repeat`` (x = 0), ``no_positive_spend`` (m_x <= 0).
    """

    spec: GammaGamma
    params: dict[str, float]
    standard_errors: dict[str, float]
    log_covariance: tuple[tuple[float, ...], ...]
    log_likelihood: float
    left_out: dict[str, int]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Three parameters, all positive and finite."""
        if set(self.params) != set(_NAMES) or not all(np.isfinite(v) and v > 0 for v in self.params.values()):
            raise ValueError(f"params are p, q, v, positive and finite; seen {self.params}")
        return self

    def __repr__(self) -> str:
        """One line: the parameters and what they were fitted on."""
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self.params.items())
        return f"FittedGammaGamma({shown}; {self.fitted_on.users:,} users, left out {self.left_out})"

    def __str__(self) -> str:
        return repr(self)

    @property
    def population_mean(self) -> float:
        """Mean spend of an order over all users, ``p v / (q - 1)``; infinite where q <= 1."""
        p, q, v = (self.params[name] for name in _NAMES)
        return p * v / (q - 1.0) if q > 1.0 else float("inf")

    def expected_spend(self, data: Any, *, as_of: Timestamp | None = None) -> Any:
        """Expected mean spend of each user's orders to come: the own mean drawn towards the population's.

        Args:
            data: A purchase summary with ``m_x``, or an OrderLog with ``as_of``.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id`` and ``expected_spend`` in major units; null where the mean is infinite (x = 0 and
            q <= 1).
        """
        summary = read_summary(data, as_of=as_of, spend=True, what="GammaGamma.expected_spend")
        return summary.give(expected_spend=self._spend(summary))

    def _spend(self, summary: Summary) -> Array:
        """Expected mean spend; NaN, with a warning, where infinite."""
        answer = self._mean(summary, *(self.params[name] for name in _NAMES))
        if np.isnan(answer).any():
            warn(
                f"GammaGamma: q = {self.params['q']:.3g} is not above 1, so the mean spend of users without repeat "
                "orders is infinite under the model: their expected spend is null. Cap outliers with CleaningRules, "
                "then fit again.",
                ModelWarning,
            )
        return answer

    @staticmethod
    def _own(summary: Summary) -> Array:
        """The own mean of the repeat orders, not below 0, and 0 where there are none."""
        assert summary.m_x is not None  # noqa: S101 - read with spend=True
        answer: Array = np.where(summary.x > 0, np.maximum(np.nan_to_num(summary.m_x, nan=0.0), 0.0), 0.0)
        return answer

    def _mean(self, summary: Summary, p: float, q: float, v: float) -> Array:
        """(v + x m) p / (p x + q - 1); NaN where infinite."""
        weight = p * summary.x + q - 1.0
        total = p * (v + summary.x * self._own(summary))
        answer: Array = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
        return answer

    def _moments(self, summary: Summary) -> tuple[Array, Array, Array]:
        """Mean and mean square of a user's own mean spend, and the mean variance of an order; NaN where infinite.

        The own rate is gamma with shape ``p x + q`` and rate ``v + x m``; the own mean is p over it.
        """
        p, q, v = (self.params[name] for name in _NAMES)
        mean = self._mean(summary, p, q, v)
        rest = p * summary.x + q - 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            square = np.where(rest > 0, mean * p * (v + summary.x * self._own(summary)) / rest, np.nan)
        return mean, square, square / p

    def _moved(self, summary: Summary, step: float) -> list[tuple[Array, Array]]:
        """Expected spends with each log parameter moved up and down."""
        base = np.log([self.params[name] for name in _NAMES])
        axes = np.eye(3) * step
        return [tuple(self._mean(summary, *np.exp(base + sign * axis)) for sign in (1, -1)) for axis in axes]  # type: ignore[misc]
