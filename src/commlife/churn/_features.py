"""From whole-number facts to the features of the catalogue: ratios, rhythms and trends, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

__all__ = ["feature_values"]

Array = np.ndarray[Any, np.dtype[np.float64]]


def feature_values(facts: pd.DataFrame, names: tuple[str, ...], *, day: int, observed: int, scale: int) -> Array:
    """The features ``names`` of the users of ``facts``, one column each, NaN where there is nothing to know.

    Args:
        facts: The table of :func:`~commlife.churn._facts.user_facts`.
        names: Names of the catalogue.
        day: The snapshot.
        observed: Days that the log had seen before the snapshot: a window that is not whole is NaN, never a sum over
            what was seen of it.
        scale: Minor units in a major one.
    """
    raw = {name: facts[name].to_numpy(dtype=np.float64) for name in facts.columns if name in _RAW}
    raw |= {"day": np.full(len(facts), float(day)), "scale": np.full(len(facts), float(scale))}
    table = np.empty((len(facts), len(names)))
    for column, name in enumerate(names):
        if observed < _WINDOW.get(name, 0):
            table[:, column] = np.nan
        else:
            table[:, column] = _RECIPES[name](raw)
    return table


def _over(top: Array, bottom: Array) -> Array:
    """A ratio, NaN where there is nothing to divide by."""
    made = np.full(len(top), np.nan)
    np.divide(top, bottom, out=made, where=bottom > 0)
    return made


def _zero(values: Array) -> Array:
    """A count: nothing joined means none."""
    return np.nan_to_num(values, nan=0.0)


def _gap_mean(raw: Mapping[str, Array]) -> Array:
    return _over(raw["last"] - raw["first"], raw["days"] - 1)


def _gap_spread(raw: Mapping[str, Array]) -> Array:
    mean = _gap_mean(raw)
    # Two gaps at least: one alone has no spread.
    squares = np.where(raw["days"] > 2, _over(raw["gap_squares"], raw["days"] - 1), np.nan)
    return np.sqrt(np.maximum(squares - mean**2, 0.0))


def _repeat_only(raw: Mapping[str, Array], name: str) -> Array:
    return np.where(raw["days"] > 1, raw[name], np.nan)


def _entropy(raw: Mapping[str, Array]) -> Array:
    """-log sum p^2: a ratio of whole numbers within, so the same on every engine and in every row order."""
    return np.log(_over(raw["category_lines"] ** 2, raw["category_squares"]))


_RECIPES: dict[str, Callable[[Mapping[str, Array]], Array]] = {
    "recency_days": lambda r: r["day"] - r["last"],
    "recency_ratio": lambda r: _over(r["day"] - r["last"], _gap_mean(r)),
    "recency_excess": lambda r: r["day"] - r["last"] - _gap_mean(r),
    "orders": lambda r: r["n"],
    "orders_per_week": lambda r: r["n"] / (r["day"] - r["first"]) * 7,
    "orders_7": lambda r: r["n7"],
    "orders_28": lambda r: r["n28"],
    "orders_90": lambda r: r["n90"],
    "orders_trend": lambda r: r["n28"] - r["n_before"],
    "active_weeks_12": lambda r: _zero(r["weeks"]),
    "spend": lambda r: r["net"] / r["scale"],
    "spend_7": lambda r: r["net7"] / r["scale"],
    "spend_28": lambda r: r["net28"] / r["scale"],
    "spend_90": lambda r: r["net90"] / r["scale"],
    "spend_trend": lambda r: (r["net28"] - r["net_before"]) / r["scale"],
    "order_value": lambda r: r["net"] / r["n"] / r["scale"],
    "order_value_max": lambda r: r["net_max"] / r["scale"],
    "last_order_value_ratio": lambda r: np.where(r["days"] > 1, _over(r["net_last"] * r["days"], r["net"]), np.nan),
    "gap_mean": _gap_mean,
    "gap_spread": _gap_spread,
    "gap_max": lambda r: _repeat_only(r, "gap_max"),
    "gap_last": lambda r: _repeat_only(r, "gap_last"),
    "category_breadth": lambda r: _zero(r["categories"]),
    "category_breadth_90": lambda r: _zero(r["categories90"]),
    "category_entropy": _entropy,
    "category_top_share": lambda r: _over(r["category_top"], r["category_lines"]),
    "item_repeat_share": lambda r: 1.0 - _over(r["items"], r["item_lines"]),
    "lines_per_order": lambda r: _over(r["lines"], r["all_orders"]),
    "units_per_order": lambda r: _over(r["units"], r["all_orders"]),
    "unit_value": lambda r: _over(r["paid"], r["units"]) / r["scale"],
    "discount_depth": lambda r: _over(r["off"], r["off"] + r["paid"]),
    "discount_depth_28": lambda r: _over(r["off28"], r["off28"] + r["paid28"]),
    "subsidised_share": lambda r: _over(r["subsidised"], r["all_orders"]),
    "subsidised_orders_28": lambda r: r["subsidised28"],
    "coupon_orders_90": lambda r: r["coupons90"],
    "refund_share": lambda r: _over(r["refunded"], r["paid"]),
    "refund_lines_90": lambda r: r["refunds90"],
    "weekend_share": lambda r: r["n_weekend"] / r["n"],
    "evening_share": lambda r: r["n_evening"] / r["n"],
    "hour_mean": lambda r: r["hours"] / r["n"],
    "tenure_days": lambda r: r["day"] - r["first"],
    "first_order_value": lambda r: r["net_first"] / r["scale"],
    "first_gap": lambda r: _repeat_only(r, "gap_first"),
    "first_subsidised": lambda r: r["subsidised_first"],
    "communities": lambda r: _zero(r["n_community"]),
    "channels": lambda r: _zero(r["n_channel"]),
    "addresses": lambda r: _zero(r["n_address_id"]),
    "community_active": lambda r: r["c_active"],
    "community_trend": lambda r: _over(r["c_active"], r["c_before"]) - 1.0,
    "community_silence": lambda r: _over(r["c_silent"], r["c_base"]),
    "community_new_share": lambda r: _over(r["c_new"], r["c_active"]),
}

#: Days that must have been seen before a windowed feature is whole.
_WINDOW = {
    "orders_7": 7, "orders_28": 28, "orders_90": 90, "orders_trend": 56, "active_weeks_12": 84, "spend_7": 7,
    "spend_28": 28, "spend_90": 90, "spend_trend": 56, "category_breadth_90": 90, "subsidised_orders_28": 28,
    "discount_depth_28": 28, "coupon_orders_90": 90, "refund_lines_90": 90, "community_active": 28,
    "community_trend": 56, "community_silence": 84, "community_new_share": 28,
}  # fmt: skip

_RAW = {
    "n", "first", "last", "net_max", "n7", "n28", "n90", "n_before", "n_base", "n_weekend", "n_evening", "hours",
    "net", "net7", "net28", "net90", "net_before", "days", "gap_max", "gap_squares", "gap_last", "gap_first",
    "net_last", "net_first", "weeks", "all_orders", "lines", "paid", "refunded", "refunds90", "units", "off",
    "off28", "paid28", "coupons", "coupons90", "subsidised", "subsidised28", "subsidised_first", "n_community",
    "n_channel", "n_address_id", "categories", "categories90", "category_lines", "category_squares", "category_top",
    "items", "item_lines", "c_active", "c_before", "c_new", "c_base", "c_silent",
}  # fmt: skip
