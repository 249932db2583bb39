"""What each user of a trial did before it and within its window, read from the order log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect_rows, only_row
from commlife.effects._inputs import number_column, wide_frame
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog

__all__ = ["Window", "own_attribute", "trial_facts"]


_CALL = "readout"


@dataclass(frozen=True, slots=True)
class Window:
    """Days of a trial: the window [start, end), and the days of the same length before it."""

    start: int
    end: int

    @property
    def before(self) -> int:
        """First day of the time before."""
        return 2 * self.start - self.end


def trial_facts(
    log: OrderLog,
    ids: pd.Index[Any],
    window: Window,
    *,
    coupons: Sequence[str],
    redemptions: Any,
    margin: float | None,
) -> pd.DataFrame:
    """One row a user of the trial, in their order.

    Returns:
        Frame with ``orders, amount, margin`` in the window and ``orders_before, amount_before, margin_before`` in as
        many days before it (margins before any coupon, null where neither the log nor the call has costs),
        ``days_away`` from the last order to the start (null without one), ``redemptions, redemption_cost``.
    """
    orders = _orders_of(log, window)
    money = _money_of(log, window, coupons, margin)
    known = orders.index.union(money.index)
    if not ids.isin(known).any():
        raise ConfigError(
            "none of the trial's users has an order in the log by the end of the window. "
            "Are the identifiers of the same type, and start= the day of the trial?"
        )
    facts = pd.DataFrame(index=ids)
    for name in ("orders", "orders_before"):
        facts[name] = orders[name].reindex(ids).fillna(0.0).to_numpy(dtype=np.float64)
    facts["days_away"] = window.start - orders["last"].reindex(ids).to_numpy(dtype=np.float64)
    for name in money.columns:
        facts[name] = money[name].reindex(ids).fillna(0.0).to_numpy(dtype=np.float64)
    if redemptions is not None:
        used = _redemptions_of(redemptions)
        for name in used.columns:
            facts[name] = used[name].reindex(ids).fillna(0.0).to_numpy(dtype=np.float64)
        strangers = ~used.index.isin(ids)
        if strangers.all() and len(used):
            raise ConfigError("none of the redemptions belongs to a user of the trial. Check the identifiers' type.")
    elif coupons:
        counted = _redeeming_orders(log, window, coupons)
        facts["redemptions"] = counted.reindex(ids).fillna(0.0).to_numpy(dtype=np.float64)
    else:
        facts["redemptions"], facts["redemption_cost"] = 0.0, 0.0
    if "margin" in facts:
        # The coupon is taken off what was paid: the margin before it is what the cost is compared with.
        facts["margin"] += facts["redemption_cost"] * (1.0 if margin is None else margin)
    return facts


def _orders_of(log: OrderLog, window: Window) -> pd.DataFrame:
    """Orders in the window and before it, and the day of the last order before the start."""
    day = nw.col("day")
    marked = (
        log._orders(window.end)
        .filter(nw.col("counts"))
        .with_columns(
            (day >= window.start).cast(nw.Int64).alias("orders"),
            ((day < window.start) & (day >= window.before)).cast(nw.Int64).alias("orders_before"),
            nw.when(day < window.start).then(day).otherwise(None).alias("last"),
        )
    )
    found = marked.group_by("user_id").agg(nw.col("orders").sum(), nw.col("orders_before").sum(), nw.col("last").max())
    return collect_rows(found, call=_CALL).set_index("user_id")


def _money_of(log: OrderLog, window: Window, coupons: Sequence[str], margin: float | None) -> pd.DataFrame:
    """Net spend, margin and coupon discounts by user, in major units, by the day of each line."""
    costs = margin is None and log.has("cost")
    names = ["user_id", "day", "minor", *(["cost_minor"] if costs else [])]
    names += ["coupon_id", "discount_minor"] if coupons else []
    day = nw.col("day")
    inside, before = (day >= window.start), (day < window.start) & (day >= window.before)
    zero = nw.lit(0)
    columns = [
        nw.when(inside).then(nw.col("minor")).otherwise(zero).alias("amount"),
        nw.when(before).then(nw.col("minor")).otherwise(zero).alias("amount_before"),
    ]
    held = log._lines(window.end, *names).filter(day >= window.before)
    if costs:
        _check_costs(held)
        gain = nw.col("minor") - nw.col("cost_minor")
        columns.append(nw.when(inside).then(gain).otherwise(zero).alias("margin"))
        columns.append(nw.when(before).then(gain).otherwise(zero).alias("margin_before"))
    if coupons:
        ours = inside & nw.col("coupon_id").is_in(list(coupons))
        columns.append(
            nw.when(ours).then(nw.col("discount_minor")).otherwise(zero).fill_null(0).alias("redemption_cost")
        )
    marked = held.with_columns(*columns)
    sums = ["amount", "amount_before", *(["margin", "margin_before"] if costs else [])]
    sums += ["redemption_cost"] if coupons else []
    summed = marked.group_by("user_id").agg(*(nw.col(name).sum() for name in sums))
    found = collect_rows(summed, call=_CALL).set_index("user_id")
    found = found.astype(np.float64) / log.scale
    if margin is not None:
        found["margin"], found["margin_before"] = found["amount"] * margin, found["amount_before"] * margin
    return found


def _check_costs(held: nw.LazyFrame[Any]) -> None:
    missing = held.with_columns(nw.col("cost_minor").is_null().cast(nw.Int64).alias("missing"))
    rows = int(only_row(missing.select(nw.col("missing").sum()))["missing"] or 0)
    if rows:
        raise ConfigError(
            f"readout: {rows:,} lines around the window have no cost, so that their margin is unknown. "
            "Give margin=, the share of what is paid that remains."
        )


def _redeeming_orders(log: OrderLog, window: Window, coupons: Sequence[str]) -> pd.Series[Any]:
    orders = log._orders(window.end, "coupon_id").filter(
        nw.col("counts") & (nw.col("day") >= window.start) & nw.col("coupon_id").is_in(list(coupons))
    )
    counted = orders.with_columns(nw.lit(1).cast(nw.Int64).alias("one")).group_by("user_id").agg(nw.col("one").sum())
    return collect_rows(counted, call=_CALL).set_index("user_id")["one"]


def _redemptions_of(given: Any) -> pd.DataFrame:
    data = wide_frame(given, ["user_id", "cost"], "readout: redemptions")
    cost = number_column(data, "cost", "readout: redemptions")
    if cost.min() < 0:
        raise ConfigError(f"readout: a redemption costs at least 0; seen {cost.min():g}.")
    table = pd.DataFrame({"user_id": data["user_id"].to_list(), "redemption_cost": cost, "redemptions": 1.0})
    return table.groupby("user_id").sum()


def own_attribute(log: OrderLog, ids: pd.Index[Any], name: str, start: int) -> pd.Series[Any]:
    """Each user's own community, channel or category: that of the first order before the start; null without one."""
    orders = log._orders(start, name).filter(nw.col("counts"))
    first = orders.group_by("user_id").agg(nw.col("us").min().alias("first_us"))
    chosen = orders.join(first, on="user_id", how="inner").filter(nw.col("us") == nw.col("first_us"))
    own = chosen.group_by("user_id").agg(nw.col(name).min())
    found = collect_rows(own, call=_CALL).set_index("user_id")[name]
    return found.reindex(ids)
