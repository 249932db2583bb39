"""The adapter broken on purpose, in the ways in which adapters break: the kit must catch every one.

``python broken.py`` prints what it says of each, ``python broken.py --rows`` the rows to paste as well.
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


SEEN: set[str] = set()


def skips_what_it_has_seen(tables: Tables) -> cl.OrderLog:
    """A cache of order numbers: run again after a failure, and the night is empty."""
    lines = tables.lines[~tables.lines["order_no"].isin(SEEN)]
    SEEN.update(lines["order_no"])
    return log_of(lines)


BROKEN: tuple[Callable[[Tables], cl.OrderLog], ...] = (
    drops_equal_lines, joins_by_order_number_alone, groups_by_order_number_alone, forgets_refunds, forgets_free_orders,
    counts_refunds_as_sales, rounds_to_whole_yuan, forgets_that_money_is_in_cents, takes_local_time_for_utc,
    keeps_the_day_alone, tidies_names, reads_ids_as_numbers, one_order_a_day, one_order_a_line, sorts_one_column,
    sets_repeats_aside, skips_what_it_has_seen,
)  # fmt: skip

# Others read one wide export, phone, order_no, paid_at and paid, and stumble over its zones and its header.
HEADER = {"user_id": "phone", "order_id": "order_no", "ordered_at": "paid_at", "amount": "paid"}


def export_log(rows: pd.DataFrame, **more: object) -> cl.OrderLog:
    return cl.OrderLog.from_frame(rows, **HEADER, **more)


def forgets_the_zone(rows: pd.DataFrame) -> cl.OrderLog:
    """The zone is cut off, what was UTC counts as local time."""
    return export_log(rows.assign(paid_at=rows["paid_at"].dt.tz_localize(None)))


def writes_times_without_their_zone(rows: pd.DataFrame) -> cl.OrderLog:
    """By way of text, and the text has no zone."""
    return export_log(rows.assign(paid_at=rows["paid_at"].dt.strftime("%Y-%m-%d %H:%M:%S.%f")))


def adds_eight_hours(rows: pd.DataFrame) -> cl.OrderLog:
    """Right for UTC, wrong for every other zone."""
    if rows["paid_at"].dt.tz is None:
        return export_log(rows)
    return export_log(rows.assign(paid_at=rows["paid_at"].dt.tz_localize(None) + pd.Timedelta(hours=8)))


def knows_winter_time_alone(rows: pd.DataFrame) -> cl.OrderLog:
    """A fixed offset for a zone that puts its clocks forward: half of the year is an hour late."""
    if rows["paid_at"].dt.tz is not None:
        rows = rows.assign(paid_at=rows["paid_at"].dt.tz_convert("Etc/GMT-1").dt.tz_localize(None))
    return export_log(rows, timezone="Europe/Berlin")


def goes_by_position(rows: pd.DataFrame) -> cl.OrderLog:
    """The first four columns, whatever they are called."""
    return export_log(rows.iloc[:, :4].set_axis(list(HEADER.values()), axis=1))


def takes_the_last_number_for_the_price(rows: pd.DataFrame) -> cl.OrderLog:
    """Until the export gains a column."""
    return export_log(rows.assign(paid=rows.select_dtypes("number").iloc[:, -1]))


def takes_a_missing_price_for_nothing(rows: pd.DataFrame) -> cl.OrderLog:
    """rows.get("paid", 0): after a renaming everything is free."""
    return export_log(rows.assign(paid=rows.get("paid", 0.0)))


def makes_up_order_numbers(rows: pd.DataFrame) -> cl.OrderLog:
    """Without order numbers each line becomes an order."""
    return export_log(rows if "order_no" in rows else rows.assign(order_no=range(len(rows))))


def makes_up_one_buyer(rows: pd.DataFrame) -> cl.OrderLog:
    """Without phones all is ordered by one user."""
    return export_log(rows if "phone" in rows else rows.assign(phone="unknown"))


def answers_with_nothing(rows: pd.DataFrame) -> cl.OrderLog:
    """except KeyError: an empty log, and nobody is told."""
    try:
        return export_log(rows[list(HEADER.values())])
    except KeyError:
        return export_log(pd.DataFrame({"phone": ["0"], "order_no": ["0"], "paid_at": ["2025-01-01"], "paid": [0.0]}))


def refuses_without_a_reason(rows: pd.DataFrame) -> cl.OrderLog:
    """Which column, at three in the morning?"""
    if not set(HEADER.values()) <= set(rows.columns):
        raise ValueError("unexpected format")
    return export_log(rows)


BROKEN_EXPORTS: tuple[Callable[[pd.DataFrame], cl.OrderLog], ...] = (
    forgets_the_zone, writes_times_without_their_zone, adds_eight_hours, knows_winter_time_alone, goes_by_position,
    takes_the_last_number_for_the_price, takes_a_missing_price_for_nothing, makes_up_order_numbers, makes_up_one_buyer,
    answers_with_nothing, refuses_without_a_reason,
)  # fmt: skip


def verdict(broken: Callable[..., cl.OrderLog]) -> str | None:
    """What the kit says of an adapter; None if it finds nothing."""
    try:
        if broken in BROKEN_EXPORTS:
            testing.check_adapter(broken, columns=HEADER)
        else:
            testing.check_adapter(lambda rows: broken(from_rows(rows)))
    except AssertionError as error:
        return str(error)
    return None


if __name__ == "__main__":
    missed = 0
    for broken in BROKEN + BROKEN_EXPORTS:
        told = verdict(broken)
        missed += told is None
        shown = told or "NOT CAUGHT"
        print(f"{broken.__name__}: {shown if '--rows' in sys.argv else shown.splitlines()[0]}")
    sys.exit(1 if missed else 0)
