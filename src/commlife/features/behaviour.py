"""Behaviour: how each payer buys, as a few numbers that can be compared between users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from commlife import _engine
from commlife.features.tastes import discounted_lines, ordered_categories
from commlife.features.users import payers

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders import OrderLog

__all__ = ["BEHAVIOUR", "behaviour_of", "behaviours"]

#: The numbers, what each needs of the log, and what it is.
BEHAVIOUR: dict[str, tuple[str | None, str]] = {
    "recency_days": (None, "local days since the last order that counts"),
    "orders_per_28d": (None, "orders that count in 28 days since the first, at least 28 days"),
    "mean_order": (None, "net spend an order, major units"),
    "weekend_share": (None, "share of orders on Saturday and Sunday, pulled towards that of all"),
    "units_per_order": ("quantity", "units an order"),
    "categories": ("category", "different categories bought"),
    "discount_share": ("discounts", "share of lines at a discount, pulled towards that of all"),
}
"""The numbers that :class:`~commlife.segments.BehaviourTypes` can use: what each needs of the log, and what it is."""
#: Orders (or lines) of all users by which a user's share is pulled towards theirs: few orders say little.
_PRIOR = 4.0


def behaviour_of(log: OrderLog) -> tuple[str, ...]:
    """The numbers that this log can tell."""
    has = {None: True, "quantity": log.has("quantity"), "category": log.has("category")}
    has["discounts"] = any(log.has(name) for name in ("list_amount", "discount", "coupon_id"))
    return tuple(name for name, (needs, _) in BEHAVIOUR.items() if has[needs])


def behaviours(log: OrderLog, as_of: int, names: tuple[str, ...], *, shares: dict[str, float] | None = None) -> Any:
    """One row a payer, as pandas: user_id, and the numbers asked for, float64; the shares of all users in ``attrs``.

    Args:
        log: The order log.
        as_of: The local day.
        names: Which of :data:`BEHAVIOUR`.
        shares: The shares of all users towards which few orders are pulled; None: those of this log.
    """
    day = nw.col("day")
    orders = log._orders(as_of).filter(nw.col("counts")).select("user_id", "day")
    weekend = ((day + 3) % 7 >= 5).cast(nw.Int64).alias("weekend")
    weekends = orders.with_columns(weekend).group_by("user_id").agg(nw.col("weekend").sum())
    users = payers(log, as_of).join(weekends, on="user_id", how="left")
    if "units_per_order" in names:
        thousandths = (nw.col("quantity").cast(nw.Float64).fill_null(0.0) * 1000.0).round().cast(nw.Int64)
        lines = log._lines(as_of, "user_id", "quantity", "minor").filter(nw.col("minor") >= 0)
        units = lines.with_columns(thousandths.alias("units")).group_by("user_id").agg(nw.col("units").sum())
        users = users.join(units, on="user_id", how="left")
    if "categories" in names:
        kinds = ordered_categories(log, as_of).select("user_id", "category").unique()
        users = users.join(kinds.group_by("user_id").agg(nw.len().alias("kinds")), on="user_id", how="left")
    discounted = discounted_lines(log, as_of) if "discount_share" in names else None
    if discounted is not None:
        sums = discounted.group_by("user_id").agg(nw.col("hits").sum(), nw.col("of").sum())
        users = users.join(sums, on="user_id", how="left")
    table = _engine.collect_rows(users, call="BehaviourTypes").sort_values("user_id", kind="stable", ignore_index=True)
    return _numbers(table, as_of, log.scale, names, shares)


def _numbers(
    table: pd.DataFrame, as_of: int, scale: int, names: tuple[str, ...], shares: dict[str, float] | None
) -> pd.DataFrame:
    """From whole numbers to the behaviour, in one way whatever the engine."""
    held = {name: table[name].fillna(0).to_numpy(dtype=np.float64) for name in table.columns if name != "user_id"}
    n, life = held["frequency"], np.maximum(as_of - held["first_day"], 28.0)
    base = dict(shares) if shares is not None else {}
    if shares is None:
        base["weekend_share"] = float(held["weekend"].sum() / max(n.sum(), 1.0))
        if "hits" in held:
            base["discount_share"] = float(held["hits"].sum() / max(held["of"].sum(), 1.0))
    made = {
        "recency_days": as_of - held["last_day"],
        "orders_per_28d": n / life * 28.0,
        "mean_order": held["spend"] / n / scale,
    }
    if "weekend_share" in names:
        made["weekend_share"] = (held["weekend"] + _PRIOR * base["weekend_share"]) / (n + _PRIOR)
    if "units" in held:
        made["units_per_order"] = held["units"] / 1000.0 / n
    if "kinds" in held:
        made["categories"] = held["kinds"]
    if "hits" in held:
        made["discount_share"] = (held["hits"] + _PRIOR * base["discount_share"]) / (held["of"] + _PRIOR)
    told = table[["user_id"]].assign(**{name: made[name] for name in names})
    told.attrs["shares"] = {name: base[name] for name in base if name in names}
    return told
