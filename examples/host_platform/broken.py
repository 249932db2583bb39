"""The adapter broken on purpose, in the ways in which adapters break: the kit must catch every one.

``python broken.py`` prints what it says of each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pandas as pd

import commlife as cl
from commlife import testing
from estate_shop.tables import Tables, from_rows


def log_of(lines: pd.DataFrame, **more: object) -> cl.OrderLog:
    return cl.OrderLog.from_frame(
        lines.assign(paid=lines["cents"] / 100),
        user_id="member_no", order_id="order_no", ordered_at="paid_at", amount="paid", **more,
    )  # fmt: skip


def drops_equal_lines(tables: Tables) -> cl.OrderLog:
    """SELECT DISTINCT: two cabbages become one."""
    return log_of(tables.lines.drop(columns="line_no").drop_duplicates())


def joins_by_order_number_alone(tables: Tables) -> cl.OrderLog:
    """Order numbers repeat between members: the join multiplies their lines."""
    return log_of(tables.lines.merge(tables.orders[["order_no", "is_open"]], on="order_no"))


def groups_by_order_number_alone(tables: Tables) -> cl.OrderLog:
    """One order number of two members becomes one order of one of them."""
    return log_of(tables.lines.assign(member_no=tables.lines.groupby("order_no")["member_no"].transform("first")))


def forgets_refunds(tables: Tables) -> cl.OrderLog:
    """WHERE cents >= 0."""
    return log_of(tables.lines[tables.lines["cents"] >= 0])


def forgets_free_orders(tables: Tables) -> cl.OrderLog:
    """WHERE cents <> 0: those who came with a coupon for everything are gone."""
    return log_of(tables.lines[tables.lines["cents"] != 0])


def counts_refunds_as_sales(tables: Tables) -> cl.OrderLog:
    """ABS(cents)."""
    return log_of(tables.lines.assign(cents=tables.lines["cents"].abs()))


def rounds_to_whole_yuan(tables: Tables) -> cl.OrderLog:
    """Cents are lost."""
    return log_of(tables.lines.assign(cents=(tables.lines["cents"] / 100).round() * 100))


def forgets_that_money_is_in_cents(tables: Tables) -> cl.OrderLog:
    """Everything costs a hundred times what it costs."""
    return log_of(tables.lines.assign(cents=tables.lines["cents"] * 100))


def takes_local_time_for_utc(tables: Tables) -> cl.OrderLog:
    """Evening orders land on the next day."""
    return log_of(tables.lines.assign(paid_at=tables.lines["paid_at"].dt.tz_localize("UTC")))


def keeps_the_day_alone(tables: Tables) -> cl.OrderLog:
    """CAST(paid_at AS DATE): two orders of a day can no longer be told apart in time."""
    return log_of(tables.lines.assign(paid_at=tables.lines["paid_at"].dt.floor("D")))


def tidies_names(tables: Tables) -> cl.OrderLog:
    """LOWER(TRIM(member_no)): different members become one."""
    return log_of(tables.lines.assign(member_no=tables.lines["member_no"].str.strip().str.lower()))


def reads_ids_as_numbers(tables: Tables) -> cl.OrderLog:
    """Leading zeros are lost: 007 and 7 become one."""
    ids = tables.lines["member_no"]
    return log_of(tables.lines.assign(member_no=ids.where(~ids.str.isdigit(), ids.str.lstrip("0"))))


def one_order_a_day(tables: Tables) -> cl.OrderLog:
    """The order number is thrown away: orders of a day are merged."""
    return log_of(tables.lines.assign(order_no=tables.lines["paid_at"].dt.date.astype(str)))


def one_order_a_line(tables: Tables) -> cl.OrderLog:
    """The line number is taken for the order number: orders are split."""
    return log_of(tables.lines.assign(order_no=tables.lines["line_no"]))


def sorts_one_column(tables: Tables) -> cl.OrderLog:
    """Columns are put side by side after one of them was sorted."""
    return log_of(tables.lines.assign(cents=sorted(tables.lines["cents"])))


def sets_repeats_aside(tables: Tables) -> cl.OrderLog:
    """A cleaning rule inside the adapter."""
    return log_of(tables.lines.drop(columns="line_no"), on_fault={"duplicate_line": "set_aside"})


BROKEN: tuple[Callable[[Tables], cl.OrderLog], ...] = (
    drops_equal_lines, joins_by_order_number_alone, groups_by_order_number_alone, forgets_refunds, forgets_free_orders,
    counts_refunds_as_sales, rounds_to_whole_yuan, forgets_that_money_is_in_cents, takes_local_time_for_utc,
    keeps_the_day_alone, tidies_names, reads_ids_as_numbers, one_order_a_day, one_order_a_line, sorts_one_column,
    sets_repeats_aside,
)  # fmt: skip


def verdict(broken: Callable[[Tables], cl.OrderLog]) -> str | None:
    """What the kit says of an adapter; None if it finds nothing."""
    try:
        testing.check_adapter(lambda rows: broken(from_rows(rows)))
    except AssertionError as error:
        return str(error).split("\n", 1)[0]
    return None


if __name__ == "__main__":
    missed = 0
    for broken in BROKEN:
        told = verdict(broken)
        missed += told is None
        print(f"{broken.__name__}: {told or 'NOT CAUGHT'}")
    sys.exit(1 if missed else 0)
