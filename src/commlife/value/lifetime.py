"""Customer lifetime value: expected orders times expected spend times margin, discounted to today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaincinv

from commlife._caveats import warn
from commlife.errors import ConfigError, ModelWarning
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.gamma_gamma import FittedGammaGamma
from commlife.value.histories import Summary, read_summary
from commlife.value.predictions import Predictions
from commlife.value.purchases import FittedPurchaseModel, _share

__all__ = ["Terms", "lifetime_value", "moments", "terms_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a value is asked for.

    Attributes:
        days: Length of the time ahead.
        discount: Discount rate of a year.
        margin: Part of the spend that is kept.
    """

    days: int
    discount: float
    margin: float


def lifetime_value(
    purchases: FittedPurchaseModel,
    spend: FittedGammaGamma,
    data: Any,
    *,
    horizon: str,
    annual_discount: float = 0.1,
    margin: float = 1.0,
    interval: float | None = None,
    as_of: Timestamp | None = None,
) -> Any:
    """What each user still brings within the horizon, discounted to the end of the last observed day.

    ``margin * expected spend * sum over orders of (1 + annual_discount) ** (-years until the order)``: each order is
    discounted continuously at the moment it is expected, years of 365 days. As the horizon grows it tends to the
    residual lifetime value (DERT) of Fader, Hardie & Lee (2005), "RFM and CLV: using iso-value curves". Packages that
    discount in steps of 30 days at the end of each step give slightly less.

    Args:
        purchases: A fitted BetaGeo, ModifiedBetaGeo or ParetoNBD.
        spend: A fitted GammaGamma.
        data: A purchase summary with ``m_x``, or an OrderLog with ``as_of``.
        horizon: Length of the time ahead, such as ``"365D"``.
        annual_discount: Discount rate of a year, 0 or more: money a year from now is worth 1 / (1 + annual_discount).
        margin: Part of the spend that is kept, above 0 and at most 1.
        interval: Probability, such as 0.8, with which what the user then brings lies between ``low`` and ``high``;
            None for the expected value alone. It is the spread of one user's future with the parameters as they are:
            the probability of no order is exact, the amount otherwise is taken as gamma distributed with its exact
            mean and variance. Sums need :func:`value_totals`: intervals of users do not add up.
        as_of: Local business day; for a log alone.

    Returns:
        A frame with ``user_id`` and ``lifetime_value`` in major units (and ``low``, ``high``), in the input's own kind
        and order; null where the expected spend, or its variance, is infinite under the model (see
        :meth:`FittedGammaGamma.expected_spend`).

    Raises:
        ConfigError: If an argument is out of range or not a fitted model.
        SchemaError: If the summary holds impossible values.
    """
    terms = terms_of("lifetime_value", purchases, spend, horizon, annual_discount, margin)
    share = None if interval is None else _share("interval", interval)
    summary = read_summary(data, as_of=as_of, spend=True, extra=purchases.spec.columns, what="lifetime_value")
    predictions = purchases._predictions(summary)
    value = terms.margin * predictions.discounted_purchases(terms.days, terms.discount) * spend._spend(summary)
    if share is None:
        return summary.give(lifetime_value=value)
    low, high = _between(predictions, spend, summary, value, terms, share)
    return summary.give(lifetime_value=value, low=low, high=high)


def terms_of(what: str, purchases: object, spend: object, horizon: str, annual_discount: float, margin: float) -> Terms:
    """The arguments, checked."""
    if not isinstance(purchases, FittedPurchaseModel):
        raise ConfigError(
            f"{what} takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD first; seen {type(purchases).__name__}."
        )
    if not isinstance(spend, FittedGammaGamma):
        raise ConfigError(f"{what} takes a fitted GammaGamma second; seen {type(spend).__name__}.")
    discount = _number("annual_discount", annual_discount, 0.0, 100.0, "a rate such as 0.1 (a tenth a year), from 0")
    kept = _number("margin", margin, 0.0, 1.0, "a part of the spend from 0 to 1, such as 0.2")
    return Terms(Duration(horizon).days, discount, kept)


def moments(
    predictions: Predictions, spend: FittedGammaGamma, summary: Summary, value: Array, terms: Terms
) -> tuple[Array, Array]:
    """Variance of what each user brings, given the parameters, and the probability that it is nothing.

    Of N orders with the own mean M of a user: ``E[N] Var(order | M) + E[N^2] E[M^2] - E[N]^2 E[M]^2``. The discount
    enters through its mean: a year at 10% moves the variance by well under one percent. NaN where it is infinite.
    """
    mean_n = predictions.purchases(terms.days)
    squares = predictions.pairs(terms.days) + mean_n
    mean, mean_square, within = spend._moments(summary)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(mean_n > 0, value / (mean_n * mean), 0.0)
    variance = factor**2 * (mean_n * within + squares * mean_square - (mean_n * mean) ** 2)
    return np.maximum(variance, 0.0), predictions.p_silent(terms.days)


def _between(
    predictions: Predictions, spend: FittedGammaGamma, summary: Summary, value: Array, terms: Terms, share: float
) -> tuple[Array, Array]:
    """Quantiles of nothing with its probability, else a gamma with the right mean and variance."""
    variance, nothing = moments(predictions, spend, summary, value, terms)
    if np.isnan(variance).any():
        warn(
            f"lifetime_value: {int(np.isnan(variance).sum()):,} users have a spend of infinite variance under the "
            f"model (q = {spend.params['q']:.3g}): their interval is null. Cap outliers with CleaningRules, then fit "
            "again.",
            ModelWarning,
        )
    something = np.maximum(1.0 - nothing, 1e-300)
    mean = value / something
    spread = np.maximum((variance + value**2) / something - mean**2, 1e-12 * mean**2 + 1e-300)
    shape, scale = mean**2 / spread, spread / np.maximum(mean, 1e-300)
    ends = []
    for tail in (0.5 - 0.5 * share, 0.5 + 0.5 * share):
        beyond = (tail - nothing) / something
        amount = scale * gammaincinv(shape, np.clip(beyond, 0.0, 1.0 - 1e-15))
        ends.append(np.where(np.isnan(variance), np.nan, np.where(beyond > 0, amount, 0.0)))
    return ends[0], ends[1]


def _number(name: str, value: Any, low: float, high: float, rule: str) -> float:
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ConfigError(f"{name} is {rule}; seen {value!r}.")
    return float(value)
