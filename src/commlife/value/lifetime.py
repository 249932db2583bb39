"""Customer lifetime value: expected orders times expected spend times margin, discounted to today."""

from __future__ import annotations

from typing import Any

import numpy as np

from commlife.errors import ConfigError
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.gamma_gamma import FittedGammaGamma
from commlife.value.histories import read_summary
from commlife.value.purchases import FittedPurchaseModel

__all__ = ["lifetime_value"]


def lifetime_value(
    purchases: FittedPurchaseModel,
    spend: FittedGammaGamma,
    data: Any,
    *,
    horizon: str,
    annual_discount: float = 0.1,
    margin: float = 1.0,
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
        as_of: Local business day; for a log alone.

    Returns:
        A frame with ``user_id`` and ``lifetime_value`` in major units, in the input's own kind and order; null where
        the expected spend is infinite under the model (see :meth:`FittedGammaGamma.expected_spend`).

    Raises:
        ConfigError: If an argument is out of range or not a fitted model.
        SchemaError: If the summary holds impossible values.
    """
    if not isinstance(purchases, FittedPurchaseModel):
        raise ConfigError(
            "lifetime_value takes a fitted BetaGeo, ModifiedBetaGeo or ParetoNBD first; "
            f"seen {type(purchases).__name__}."
        )
    if not isinstance(spend, FittedGammaGamma):
        raise ConfigError(f"lifetime_value takes a fitted GammaGamma second; seen {type(spend).__name__}.")
    discount = _number("annual_discount", annual_discount, 0.0, 100.0, "a rate such as 0.1 (a tenth a year), from 0")
    kept = _number("margin", margin, 0.0, 1.0, "a part of the spend from 0 to 1, such as 0.2")
    days = Duration(horizon).days
    summary = read_summary(data, as_of=as_of, spend=True, what="lifetime_value")
    orders = purchases._predictions(summary).discounted_purchases(days, discount)
    return summary.give(lifetime_value=kept * orders * spend._spend(summary))


def _number(name: str, value: Any, low: float, high: float, rule: str) -> float:
    number = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise ConfigError(f"{name} is {rule}; seen {value!r}.")
    return float(value)
