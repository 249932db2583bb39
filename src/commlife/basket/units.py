"""Units per order (连带率): how much goes into one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect
from commlife.basket._orders import check_log, with_units
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["units_per_order"]


def units_per_order(log: OrderLog, *, as_of: Timestamp, by: str | None = None) -> pd.DataFrame:
    """Units per order (连带率), and lines per order, over the orders that count.

    Not the attach rate: this is a mean over orders, that is a share of them. A line of negative money takes its units
    off, whichever sign its quantity carries; a refund with an order_id of its own is no order, and no unit of it
    enters.

    Args:
        log: The orders, with ``quantity``.
        as_of: Lines before this local day's midnight are used.
        by: A column of the order, such as ``"community"`` or ``"channel"``: that of its earliest line.

    Returns:
        One row, or one a group in ascending order (a null group last): ``by`` (if given), ``orders``, ``lines``,
        ``units``, ``units_per_order``, ``lines_per_order``.

    Raises:
        ConfigError: If the log names no quantity, or not the column ``by``.
        InsufficientDataError: If no order counts before ``as_of``.

    Examples:
        >>> import pandas as pd
        >>> from commlife.orders import OrderLog
        >>> frame = pd.DataFrame({
        ...     "user": list("aab"), "order": [1, 1, 2], "estate": ["East", "East", "West"], "pieces": [2, 1, 4],
        ...     "paid": [3.0, 5.0, 8.0], "at": ["2025-03-01"] * 3})
        >>> log = OrderLog.from_frame(frame, user_id="user", order_id="order", quantity="pieces", amount="paid",
        ...                           ordered_at="at", community="estate")
        >>> units_per_order(log, as_of="2025-04-01", by="community")
          community  orders  lines  units  units_per_order  lines_per_order
        0      East       1      2    3.0              3.0              2.0
        1      West       1      1    4.0              4.0              1.0
    """
    need_log(log, "units_per_order")
    check_log(log, "units_per_order")
    if by is not None and (not isinstance(by, str) or not log.has(by) or by in _OF_LINES):
        named = [column for column in log.columns if column not in _OF_LINES]
        raise ConfigError.unknown_name("by", by, named)
    log.require("quantity", why="units_per_order")
    day = day_number(as_of)
    attributes = () if by is None else (by,)
    lines = with_units(log._lines(day))
    if log.has("order_id"):
        keys = ["user_id", "order_id"]
        counted = lines.with_columns(nw.lit(1).alias("lines")).group_by(*keys)
        content = counted.agg(nw.col("units").sum(), nw.col("lines").sum())
        orders = log._orders(day, *attributes).filter(nw.col("counts")).select(*keys, *attributes)
        each = orders.join(content, on=keys, how="inner")
    else:
        each = lines.filter(nw.col("minor") >= 0).with_columns(nw.lit(1).alias("lines"))
    each = each.select(*attributes, "units", "lines", nw.lit(1).alias("orders"))
    sums = [nw.col(name).sum() for name in ("orders", "lines", "units")]
    table = collect(each.group_by(by).agg(*sums) if by else each.select(*sums))
    if not len(table) or not table["orders"].sum():
        raise InsufficientDataError.no_payers("Units per order", day_text(day))
    if by:
        table = table.sort_values(by, na_position="last", ignore_index=True)
    for name in ("orders", "lines"):
        table[name] = table[name].astype(np.int64)
    table["units_per_order"] = table["units"] / table["orders"]
    table["lines_per_order"] = table["lines"] / table["orders"]
    return table[[*attributes, "orders", "lines", "units", "units_per_order", "lines_per_order"]]


#: Columns that name or measure a line, not an order.
_OF_LINES = ("order_id", "ordered_at", "amount", "quantity", "cost", "list_amount", "discount", "status",
             "first_ordered_at", "item_id")  # fmt: skip
