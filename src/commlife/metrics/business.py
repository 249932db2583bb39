"""The business in numbers: GMV, paid, net, orders, payers and their ratios, a row for each period and group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.errors import InsufficientDataError
from commlife.features.periods import with_period_index
from commlife.orders.calendar import Period, Timestamp, complete_until, day_number, days_to_datetime64

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["business_metrics"]

#: Sums over the orders that count, whole numbers until the end.
_ORDER_SUMS = ("orders", "payers", "repeat_payers", "order_net", "new_payers")


def business_metrics(
    log: OrderLog, *, as_of: Timestamp, period: str = "month", by: str | None = None, last: int | None = None
) -> pd.DataFrame:
    """Metrics of each period (and group), oldest first.

    Money of lines is dated by the line's own day; orders, payers and their ratios by the day of the order. Orders are
    counted with their own community or channel, not the user's.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight lines count.
        period: ``"<n>D"``, ``"week"``, ``"month"`` or ``"quarter"``.
        by: ``"community"``, ``"channel"``, ``"category"`` or ``"coupon_id"``: a row for each value too.
        last: Only the newest ``last`` complete periods and what follows.

    Returns:
        A frame with ``period`` (its first day), the group if asked for, ``complete``, and, null where the period is
        not complete:

        - ``gmv``: money of all lines above 0, whatever their status;
        - ``paid``, ``refunds``, ``net``: paid lines above 0, below 0 (as a positive number), and their difference;
        - ``refund_rate``: refunds / paid;
        - ``orders``, ``payers``, ``new_payers`` (first order that counts);
        - ``aov``: net of the orders that count / orders;
        - ``arppu``: the same money / payers;
        - ``repurchase_rate``: share of the period's payers with two or more orders in it;
        - ``payment_rate``: paid / gmv, only with ``status``;
        - ``units_per_order``, only with ``quantity``;
        - ``price_realisation``: paid / list money over lines above 0, only with ``list_amount`` or ``discount``.

        All money is in major units; a ratio whose denominator is 0 is null.

    Raises:
        ConfigError: If ``by`` names a column that the log does not have.
        InsufficientDataError: If no line lies before ``as_of``.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> table = cl.business_metrics(log, as_of="2025-06-30", period="week", last=2)
        >>> table[["period", "orders", "payers"]].shape
        (2, 3)
    """
    day = day_number(as_of)
    grid = Period(period)
    if by is not None:
        log.require(by, why=f"by={by!r}")
    keys = ["index"] if by is None else ["index", by]
    lines = _engine.collect(_line_sums(log, day, grid, keys))
    if lines.empty:
        raise InsufficientDataError(
            f"business_metrics needs a line before {as_of}, the log holds none. Use a later as_of."
        )
    orders = _engine.collect(_order_sums(log, day, grid, keys, by))
    table = lines.merge(orders, on=keys, how="outer")
    table = _whole_grid(table, log, day, grid, by)
    shown = _ratios(table, log)
    first = grid.first_whole(log.observation.first, as_of=day) if last is None else None
    newest = grid.last_complete(as_of=day, until=complete_until(day, log.observation.until))
    shown.insert(0, "period", days_to_datetime64(grid.start(table["index"].to_numpy(), as_of=day)))
    shown.insert(1, "complete", table["index"].between(table["index"].min() if first is None else first, newest))
    if by is not None:
        shown.insert(1, by, table[by].to_numpy())
    values = [name for name in shown.columns if name not in {"period", "complete", by}]
    shown[values] = shown[values].astype("float64").where(shown["complete"])
    if last is not None:
        shown = shown[(table["index"] > newest - last).to_numpy()]
    return shown.sort_values(["period", *([] if by is None else [by])], ignore_index=True)


def _line_sums(log: OrderLog, as_of: int, grid: Period, keys: list[str]) -> nw.LazyFrame[Any]:
    """Money and units of lines, dated by the line; lines that are not paid enter GMV alone."""
    lines = log._frame.filter(nw.col("day") < as_of)
    minor, positive = nw.col("minor"), nw.col("minor") > 0
    paid = nw.lit(value=True) if log._paid_statuses is None else nw.col("status").is_in(list(log._paid_statuses))
    zero = nw.lit(0)
    columns = {
        "gmv": nw.when(positive).then(minor).otherwise(zero),
        "paid": nw.when(positive & paid).then(minor).otherwise(zero),
        "refunds": nw.when((minor < 0) & paid).then(-minor).otherwise(zero),
    }
    if log.has("list_amount") or log.has("discount"):
        listed = nw.col("list_minor") if log.has("list_amount") else minor + nw.col("discount_minor").fill_null(0)
        known = positive & paid & ~listed.is_null()
        columns["listed"] = nw.when(known).then(listed).otherwise(zero)
        columns["listed_paid"] = nw.when(known).then(minor).otherwise(zero)
    indexed = with_period_index(lines, log, grid, as_of=as_of).with_columns(
        *(expression.cast(nw.Int64).alias(name) for name, expression in columns.items()),
    )
    summed = indexed.group_by(*keys).agg(*(nw.col(name).sum() for name in columns))
    return summed.with_columns(*(nw.col(name).cast(nw.Int64) for name in columns))


def _order_sums(log: OrderLog, as_of: int, grid: Period, keys: list[str], by: str | None) -> nw.LazyFrame[Any]:
    """Orders that count, their payers, and who of them is new."""
    orders = log._orders(as_of, *([] if by is None else [by])).filter(nw.col("counts"))
    indexed = with_period_index(orders, log, grid, as_of=as_of)
    first = orders.group_by("user_id").agg(nw.col("us").min().alias("first_us"))
    marked = indexed.join(first, on="user_id", how="inner").with_columns(
        (nw.col("us") == nw.col("first_us")).cast(nw.Int64).alias("is_first")
    )
    users = marked.group_by(*keys, "user_id").agg(
        nw.len().alias("orders"), nw.col("net").sum().alias("order_net"), nw.col("is_first").max().alias("new_payers")
    )
    flagged = users.with_columns(
        nw.lit(1).alias("payers"),
        (nw.col("orders") > 1).cast(nw.Int64).alias("repeat_payers"),
        nw.col("orders", "order_net", "new_payers").cast(nw.Int64),
    )
    if log.has("quantity"):
        flagged = flagged.join(_units(log, as_of, grid, keys), on=[*keys, "user_id"], how="left")
    sums = [*_ORDER_SUMS, *(["units"] if log.has("quantity") else [])]
    return flagged.group_by(*keys).agg(*(nw.col(name).sum() for name in sums))


def _units(log: OrderLog, as_of: int, grid: Period, keys: list[str]) -> nw.LazyFrame[Any]:
    """Units of the orders that count, dated by the order."""
    by = [key for key in keys if key != "index"]
    orders = log._orders(as_of, *by).filter(nw.col("counts"))
    if not log.has("order_id"):
        lines = log._lines(as_of).filter(nw.col("minor") >= 0)
        indexed = with_period_index(lines, log, grid, as_of=as_of)
    else:
        dated = with_period_index(orders, log, grid, as_of=as_of)
        lines = log._lines(as_of).select("user_id", "order_id", "quantity")
        indexed = lines.join(dated.select("user_id", "order_id", "index", *by), on=["user_id", "order_id"], how="inner")
    return indexed.group_by(*keys, "user_id").agg(nw.col("quantity").sum().alias("units"))


def _whole_grid(table: pd.DataFrame, log: OrderLog, as_of: int, grid: Period, by: str | None) -> pd.DataFrame:
    """Periods without a line stand with zeros: nothing happened in them, and that was seen."""
    first = int(grid.index_of(log.observation.first, as_of=as_of))
    last = int(grid.index_of(min(as_of, complete_until(as_of, log.observation.until)) - 1, as_of=as_of))
    every = pd.DataFrame({"index": np.arange(min(first, int(table["index"].min())), last + 1)})
    if by is not None:
        every = every.merge(table[[by]].drop_duplicates(), how="cross")
    keys = ["index"] if by is None else ["index", by]
    return every.merge(table, on=keys, how="left").fillna({name: 0 for name in table.columns if name not in keys})


def _ratios(table: pd.DataFrame, log: OrderLog) -> pd.DataFrame:
    money = {name: table[name] / log.scale for name in ("gmv", "paid", "refunds")}
    shown = pd.DataFrame(money)
    shown["net"] = (table["paid"] - table["refunds"]) / log.scale
    shown["refund_rate"] = _share(table["refunds"], table["paid"])
    for name in ("orders", "payers", "new_payers"):
        shown[name] = table[name]
    shown["aov"] = _share(table["order_net"] / log.scale, table["orders"])
    shown["arppu"] = _share(table["order_net"] / log.scale, table["payers"])
    shown["repurchase_rate"] = _share(table["repeat_payers"], table["payers"])
    if log._paid_statuses is not None:
        shown["payment_rate"] = _share(table["paid"], table["gmv"])
    if log.has("quantity"):
        shown["units_per_order"] = _share(table["units"], table["orders"])
    if "listed" in table.columns:
        shown["price_realisation"] = _share(table["listed_paid"], table["listed"])
    return shown


def _share(numerator: pd.Series[Any], denominator: pd.Series[Any]) -> pd.Series[Any]:
    return numerator / denominator.where(denominator > 0)
