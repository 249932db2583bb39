"""The platform's own tables, as its database gives them: other names, cents, and one table a thing."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Tables:
    """What the export holds.

    Attributes:
        orders: A row an order: ``order_no, member_no, paid_at`` (naive, Shanghai).
        lines: A row a line: ``order_no, member_no, line_no, cents``. Order numbers repeat between members.
    """

    orders: pd.DataFrame
    lines: pd.DataFrame


def from_rows(rows: pd.DataFrame) -> Tables:
    """The tables that would hold such order lines (``user_id, order_id, ordered_at, amount``): for tests."""
    lines = pd.DataFrame(
        {
            "order_no": rows["order_id"].to_numpy(),
            "member_no": rows["user_id"].to_numpy(),
            "line_no": range(len(rows)),
            "paid_at": rows["ordered_at"].to_numpy(),
            "cents": (rows["amount"].to_numpy() * 100).round().astype("int64"),
        }
    )
    orders = lines[["order_no", "member_no"]].drop_duplicates(ignore_index=True)
    return Tables(orders.assign(is_open=False), lines)
