"""Attach rate: of the orders with one thing, how many hold another beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.wilson import wilson_interval
from commlife._text.notebook import Shown
from commlife.basket._codes import codes_of_labels
from commlife.basket._orders import check_log, finest_level, item_names, order_items
from commlife.basket.itemsets import codes_of
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["AttachRate", "attach_rate"]


@dataclass(frozen=True, slots=True)
class AttachRate(Shown):
    """How often the add-on goes with the anchor.

    Attributes:
        anchor: The items of which an order holds at least one.
        addon: The items of which it holds at least one too.
        orders: Orders that count.
        anchor_orders: Of these, orders with the anchor.
        attached_orders: Of these, orders with the add-on too.
        addon_orders: Orders with the add-on, with or without the anchor.
        rate: ``attached_orders / anchor_orders``, NaN without an order with the anchor.
        low: Low end of its 95% Wilson interval.
        high: High end of it.
        lift: ``rate`` over the share of all orders with the add-on: above 1 they go together more than by chance.
    """

    anchor: tuple[Any, ...]
    addon: tuple[Any, ...]
    orders: int
    anchor_orders: int
    attached_orders: int
    addon_orders: int
    rate: float
    low: float
    high: float
    lift: float

    def __float__(self) -> float:
        return self.rate

    def to_frame(self) -> pd.DataFrame:
        """The attributes as a frame of one row."""
        return pd.DataFrame([{name: getattr(self, name) for name in self.__slots__}])


def attach_rate(log: OrderLog, *, as_of: Timestamp, anchor: Any, addon: Any, level: str | None = None) -> AttachRate:
    """Share of the orders with the anchor that hold the add-on too.

    This is the confidence of the rule anchor -> add-on; it is not the number of units an order (连带率:
    :func:`~commlife.basket.units_per_order`). The reverse, add-on -> anchor, is another number.

    Args:
        log: The orders.
        as_of: Lines before this local day's midnight are used.
        anchor: An item, or a list of items of which one is enough.
        addon: As ``anchor``; it may not share an item with it.
        level: What an item is: ``"item_id"`` or ``"category"``; the finest that the log names by default.

    Raises:
        ConfigError: If no order holds an item, with the nearest that one does.

    Examples:
        >>> import pandas as pd
        >>> from commlife.orders import OrderLog
        >>> frame = pd.DataFrame({
        ...     "user": list("aabbc"), "order": [1, 1, 2, 2, 3], "sku": ["noodles", "eggs", "noodles", "tea", "eggs"],
        ...     "paid": [3.0, 5.0, 3.0, 9.0, 5.0], "at": ["2025-03-01"] * 5})
        >>> log = OrderLog.from_frame(frame, user_id="user", order_id="order", item_id="sku", amount="paid",
        ...                           ordered_at="at")
        >>> result = attach_rate(log, as_of="2025-04-01", anchor="noodles", addon="eggs")
        >>> result.rate, result.attached_orders, result.anchor_orders
        (0.5, 1, 2)
    """
    need_log(log, "attach_rate")
    check_log(log, "attach_rate")
    chosen = finest_level(log, level)
    sides = [_side(anchor), _side(addon)]
    shared = set(sides[0]) & set(sides[1])
    if shared:
        raise ConfigError(
            f"anchor and addon share {sorted(shared, key=str)!r:.80}: an item is not its own add-on."
            " Leave it out of one of them."
        )
    # Only the orders with one of these items leave the engine.
    table, n_orders = order_items(log, day_number(as_of), chosen, only=[*sides[0], *sides[1]])
    codes, labels = codes_of_labels(table["item"], chosen)
    if len(labels) < len(sides[0]) + len(sides[1]):
        known = item_names(log, day_number(as_of), chosen)
        for name, side in zip(("anchor", "addon"), sides, strict=True):
            codes_of(known, side, name)
    order = table["order"].to_numpy()
    # Numbers run over the orders with one of the items; which they are is all that is asked.
    n_known = int(order.max(initial=-1)) + 1
    held = []
    for name, side in zip(("anchor", "addon"), sides, strict=True):
        flags = np.zeros(n_known, dtype=bool)
        flags[order[np.isin(codes, codes_of(labels, side, name))]] = True
        held.append(flags)
    with_anchor, with_addon = (int(flags.sum()) for flags in held)
    attached = int((held[0] & held[1]).sum())
    low, high = wilson_interval(attached, with_anchor)
    rate = attached / with_anchor if with_anchor else float("nan")
    return AttachRate(
        anchor=sides[0],
        addon=sides[1],
        orders=n_orders,
        anchor_orders=with_anchor,
        attached_orders=attached,
        addon_orders=with_addon,
        rate=rate,
        low=float(low),
        high=float(high),
        lift=rate * n_orders / with_addon,
    )


def _side(wanted: Any) -> tuple[Any, ...]:
    if isinstance(wanted, Collection) and not isinstance(wanted, str | bytes):
        if not wanted:
            raise ConfigError("anchor and addon name at least one item each; seen an empty list.")
        return tuple(wanted)
    return (wanted,)
