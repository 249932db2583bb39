"""The passes over a log behind the table of metrics: sums of lines, of orders, and of what was bought."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import pandas as pd

from commlife import _engine
from commlife.features.periods import with_period_index
from commlife.features.users import warn_if_left_truncated, with_existing
from commlife.orders.calendar import Duration, Period

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["Asked", "OrderSums", "line_sums", "order_sums", "product_sums", "with_units"]


@dataclass(frozen=True)
class Asked:
    """What was asked of which log.

    Attributes:
        log: The order log.
        day: ``as_of`` as a day number.
        grid: The periods.
        by: The column of the groups, None for one group.
        washout: Users first seen within it are existing.
        per_user: Whether sums are wanted user by user, for intervals.
    """

    log: OrderLog
    day: int
    grid: Period
    by: str | None
    washout: Duration | None
    per_user: bool

    @property
    def keys(self) -> list[str]:
        """The period and the group."""
        return ["index"] if self.by is None else ["index", self.by]

    @property
    def groups(self) -> list[str]:
        """The group alone."""
        return [] if self.by is None else [self.by]

    def indexed(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """A plan over days with the index of their periods."""
        return with_period_index(frame, self.log, self.grid, as_of=self.day)


@dataclass(frozen=True)
class OrderSums:
    """What orders come to.

    Attributes:
        cells: Sums a user, period and group (or a period and group): orders, order_net, units.
        payers: payers and repeat_payers a period and group.
        new: new_payers a period and group.
        first_seen: Users by the period in which the group first saw them: ``users``.
    """

    cells: pd.DataFrame
    payers: pd.DataFrame
    new: pd.DataFrame
    first_seen: pd.DataFrame


def with_units(lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Lines with ``units``: the quantity, counted down on a line of negative money whichever sign it carries."""
    quantity = nw.col("quantity").cast(nw.Float64)
    signed = nw.when(nw.col("minor") < 0).then(0 - quantity.abs()).otherwise(quantity)
    return lines.with_columns(signed.fill_null(0.0).alias("units"))


def _per_user(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    """A row a user and period: the bootstrap draws users."""
    return _engine.collect_rows(frame, call="business_metrics", way_out="Ask for fewer periods (last=), or n_boot=0.")


def line_sums(asked: Asked) -> pd.DataFrame:
    """Money of lines, dated by the line; lines that are not paid enter GMV alone."""
    log = asked.log
    minor, positive, zero = nw.col("minor"), nw.col("minor") > 0, nw.lit(0)
    paid = nw.lit(value=True) if log._paid_statuses is None else nw.col("status").is_in(list(log._paid_statuses))
    columns = {
        "paid": nw.when(positive & paid).then(minor).otherwise(zero),
        "refunds": nw.when((minor < 0) & paid).then(0 - minor).otherwise(zero),
    }
    if log._paid_statuses is None:  # then every line is paid, and what is positive and what is not comes by one test
        columns = {
            "paid": nw.when(positive).then(minor).otherwise(zero),
            "refunds": nw.when(positive).then(zero).otherwise(0 - minor),
        }
    else:
        columns["gmv"] = nw.when(positive).then(minor).otherwise(zero)
    if log.has("list_amount") or log.has("discount"):
        listed = nw.col("list_minor") if log.has("list_amount") else minor + nw.col("discount_minor").fill_null(0)
        known = positive & paid & ~listed.is_null()
        columns["listed"] = nw.when(known).then(listed).otherwise(zero)
        columns["listed_paid"] = nw.when(known).then(minor).otherwise(zero)
    if log.has("cost"):
        known = paid & ~nw.col("cost_minor").is_null()
        columns["margin"] = nw.when(known).then(minor - nw.col("cost_minor")).otherwise(zero)
        columns["margin_net"] = nw.when(known).then(minor).otherwise(zero)
    if log.has("discount") and log.has("coupon_id"):
        used = positive & paid & ~nw.col("coupon_id").is_null()
        columns["coupon_cost"] = nw.when(used).then(nw.col("discount_minor").fill_null(0)).otherwise(zero)
    # Fewer columns first, and a filter only where there is something to leave out.
    wanted = ["day", "minor", *(["user_id"] if asked.per_user else []), *asked.groups]
    wanted += [] if log._paid_statuses is None else ["status"]
    wanted += [into for name, into in _HELPERS.items() if log.has(name)]
    lines = log._frame.select(*dict.fromkeys(wanted))
    last = log._summary["last"]
    if last is not None and last >= asked.day:
        lines = _engine.rows_before(lines, "day", asked.day, is_sorted=log._is_sorted)
    keys = [*asked.keys, *(["user_id"] if asked.per_user else [])]
    made = asked.indexed(lines).select(*keys, *(each.cast(nw.Int64).alias(name) for name, each in columns.items()))
    summed = made.group_by(*keys).agg(*(nw.col(name).sum() for name in columns))
    told = summed.select(*asked.keys, *(nw.col(name).cast(nw.Int64) for name in columns))
    table = _per_user(told) if asked.per_user else _engine.collect(told)
    return table if "gmv" in table else table.assign(gmv=table["paid"])


#: Columns of the log, and under which name their values lie inside.
_HELPERS = {
    "list_amount": "list_minor",
    "discount": "discount_minor",
    "cost": "cost_minor",
    "coupon_id": "coupon_id",
}


def order_sums(asked: Asked, *, units: bool, new_payers: bool) -> OrderSums:
    """Orders that count, their payers, who of them is new, and when each user was first seen."""
    users = asked.indexed(_counting(asked, units=units))
    sums = [nw.col("net").sum().alias("order_net"), *([nw.col("units").sum()] if units else [])]
    if new_payers:
        # The instant tells of several groups the one that came first.
        sums += [nw.col("day").min(), *([] if asked.by is None else [nw.col("us").min()])]
    users = users.group_by(*asked.keys, "user_id").agg(nw.len().alias("orders"), *sums)
    users = _engine.settle(users.with_columns(nw.col("orders", "order_net").cast(nw.Int64)))
    summed = ["orders", "order_net", *(["units"] if units else [])]
    flagged = users.select(
        *asked.keys,
        *summed,
        nw.lit(1).alias("payers"),
        (nw.col("orders") > 1).cast(nw.Int64).alias("repeat_payers"),
    )
    counted = [*summed, "payers", "repeat_payers"]
    whole = _engine.collect(flagged.group_by(*asked.keys).agg(*(nw.col(name).sum() for name in counted)))
    cells = whole
    if asked.per_user:
        cells = _per_user(users.select(*asked.keys, *summed))
    first = [nw.col("index").min(), *([nw.col("day").min().alias("first_day")] if new_payers else [])]
    seen = _engine.settle(users.group_by(*asked.groups, "user_id").agg(*first))
    first_seen = _engine.collect(seen.group_by(*asked.keys).agg(nw.len().alias("users")))
    new = _new_payers(users, seen, asked) if new_payers else pd.DataFrame(columns=[*asked.keys, "new_payers"])
    return OrderSums(cells[[*asked.keys, *summed]], whole[[*asked.keys, *counted]], new, first_seen)


def _new_payers(users: nw.LazyFrame[Any], seen: nw.LazyFrame[Any], asked: Asked) -> pd.DataFrame:
    """First orders that count by period and by their own group; at one instant, the least group."""
    if asked.by is None:
        firsts = seen
    else:
        firsts = users.group_by("user_id").agg(
            nw.col("us").min().alias("first_us"), nw.col("day").min().alias("first_day"), nw.col("index").min()
        )
        firsts = _engine.settle(firsts)
    warn_if_left_truncated(
        asked.log, asked.day, washout=asked.washout, payers_known=partial(_engine.count_rows, firsts)
    )
    told = with_existing(firsts, asked.log, washout=asked.washout).filter(~nw.col("existing"))
    if asked.by is not None:
        own = users.join(firsts.select("user_id", "first_us"), on="user_id", how="inner")
        own = own.filter(nw.col("us") == nw.col("first_us")).group_by("user_id").agg(nw.col(asked.by).min())
        told = told.join(own, on="user_id", how="left")
    return _engine.collect(told.group_by(*asked.keys).agg(nw.len().alias("new_payers")))


def _counting(asked: Asked, *, units: bool) -> nw.LazyFrame[Any]:
    """Orders that count, with their units if wanted; without order_id each row is an order, and has them already."""
    log, day = asked.log, asked.day
    if units and not log.has("order_id"):
        lines = log._lines(day, "user_id", "day", "us", "minor", "quantity", *asked.groups)
        quantity = nw.col("quantity").cast(nw.Float64).fill_null(0.0)
        return lines.filter(nw.col("minor") >= 0).rename({"minor": "net"}).with_columns(quantity.alias("units"))
    orders = log._orders(day, *asked.groups).filter(nw.col("counts"))
    if not units:
        return orders
    keys = ["user_id", "order_id"]
    held = with_units(log._lines(day, *keys, "minor", "quantity")).group_by(*keys).agg(nw.col("units").sum())
    return orders.join(held, on=keys, how="inner")


def product_sums(asked: Asked, least_users: int) -> pd.DataFrame:
    """Items that at least so many users of the group bought, and items that anybody bought, a period.

    A user bought an item where its paid lines in the period come to more than nothing.
    """
    lines = asked.log._lines(asked.day, "day", "user_id", "item_id", "minor", *asked.groups)
    known = asked.indexed(lines.filter(~nw.col("item_id").is_null()))
    keys = [*asked.keys, "item_id"]
    bought = known.group_by(*keys, "user_id").agg(nw.col("minor").sum()).filter(nw.col("minor") > 0)
    items = bought.group_by(*keys).agg(nw.len().alias("users"))
    items = _engine.settle(items.with_columns(nw.col("users").cast(nw.Int64)))
    reached = (nw.col("users") >= least_users).cast(nw.Int64).alias("reached_items")
    table = _engine.collect(items.with_columns(reached).group_by(*asked.keys).agg(nw.col("reached_items").sum()))
    offered = items.select("index", "item_id").unique().group_by("index").agg(nw.len().alias("catalogue"))
    return table.merge(_engine.collect(offered), on="index", how="left")
