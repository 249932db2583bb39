"""The adapter: from the platform's tables to an OrderLog. What can go wrong on the way in goes wrong here."""

from __future__ import annotations

import commlife as cl
from estate_shop.tables import Tables


def order_log(tables: Tables) -> cl.OrderLog:
    """The log of all paid lines.

    Lines are joined to their orders by order and member number (order numbers alone repeat), from the left, so that no
    line is lost; cents become money only here.
    """
    lines = tables.lines.merge(tables.orders, on=["order_no", "member_no"], how="left", validate="many_to_one")
    return cl.OrderLog.from_frame(
        lines.assign(paid=lines["cents"] / 100),
        user_id="member_no",
        order_id="order_no",
        ordered_at="paid_at",
        amount="paid",
        timezone="Asia/Shanghai",
    )
