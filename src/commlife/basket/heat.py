"""Product heat: which items carry the shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import collect
from commlife.basket._orders import check_log, finest_level, held_items, warn_of_nameless, with_units
from commlife.basket._thresholds import whole_number
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["item_sums", "product_heat"]

#: What items may be ranked by.
RANKINGS = ("amount", "margin", "units", "users", "orders")
#: Shares of the whole, in percent, at which class A and class B end.
_A_ENDS, _B_ENDS = 80, 95


def product_heat(
    log: OrderLog,
    *,
    as_of: Timestamp,
    top: int | None = 20,
    by: Literal["amount", "margin", "units", "users", "orders"] = "amount",
    level: str | None = None,
) -> pd.DataFrame:
    """The hottest items: money, units, users and orders, their share of the whole and their ABC class.

    Money and units are net of refunds, all of them before ``as_of``; users and orders are those of orders that count
    and hold the item. Class A are the items that make up the first 80% of the whole, counted from the hottest, the one
    that crosses the line included; B up to 95%, C the rest and whatever comes to nothing or less.

    Args:
        log: The orders.
        as_of: Lines before this local day's midnight are used.
        top: Number of items to list, None for all. Shares and classes are of all items whatever is listed.
        by: What ranks the items; ``margin`` needs the log's ``cost``, ``units`` its ``quantity``.
        level: What an item is: ``"item_id"`` or ``"category"``; the finest that the log names by default.

    Returns:
        The hottest first, equal ones by name: ``rank``, ``item``, ``amount`` (major units), ``margin`` (amount less
        cost, where the log names it), ``units`` (where it names quantity), ``orders``, ``users``, ``share`` (of the
        whole of ``by``), ``cumulative_share``, ``abc_class``. Lines without an item are left out with a warning.

    Raises:
        ConfigError: If an argument is wrong or a column is missing.
        InsufficientDataError: If there is no line with an item before ``as_of``.

    Examples:
        >>> import pandas as pd
        >>> from commlife.orders import OrderLog
        >>> frame = pd.DataFrame({
        ...     "user": list("aabc"), "order": [1, 1, 2, 3], "sku": ["rice", "eggs", "rice", "tea"],
        ...     "paid": [60.0, 5.0, 30.0, 5.0], "at": ["2025-03-01"] * 4})
        >>> log = OrderLog.from_frame(frame, user_id="user", order_id="order", item_id="sku", amount="paid",
        ...                           ordered_at="at")
        >>> product_heat(log, as_of="2025-04-01")[["item", "amount", "users", "share", "abc_class"]]
           item  amount  users  share abc_class
        0  rice    90.0      2   0.90         A
        1  eggs     5.0      1   0.05         B
        2   tea     5.0      1   0.05         C
    """
    need_log(log, "product_heat")
    check_log(log, "product_heat")
    if by not in RANKINGS:
        raise ConfigError.unknown_name("by", by, RANKINGS)
    most = None if top is None else whole_number(top, "top")
    day = day_number(as_of)
    chosen = finest_level(log, level)
    log.require(chosen, why="product_heat")
    if by == "units":
        log.require("quantity", why="product_heat by='units'")
    if by == "margin":
        log.require("cost", why="product_heat by='margin'")
    table = item_sums(log, day, chosen)
    if table.empty:
        raise InsufficientDataError.no_payers("product_heat", day_text(day))
    order = np.lexsort((table["item"].rank(method="first").to_numpy(), -table[by].to_numpy()))
    table = table.iloc[order].reset_index(drop=True)
    whole = table[by].to_numpy()
    total = np.maximum(whole, 0).sum()
    before = np.cumsum(np.maximum(whole, 0)) - np.maximum(whole, 0)
    table["share"] = whole / total if total else np.nan
    table["cumulative_share"] = np.cumsum(whole) / total if total else np.nan
    table["abc_class"] = np.select(
        [(whole > 0) & (before * 100 < total * _A_ENDS), (whole > 0) & (before * 100 < total * _B_ENDS)],
        ["A", "B"],
        default="C",
    )
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    for money in ("amount", "margin"):
        if money in table:
            table[money] = table[money] / log.scale
    return table if most is None else table.head(most)


def item_sums(log: OrderLog, day: int, level: str) -> pd.DataFrame:
    """One row an item: amount and margin in whole minor units, units, orders, users."""
    lines = log._lines(day).with_columns(nw.col(level).alias("item"))
    sums = {"amount": "minor"}
    if log.has("cost"):
        lines = lines.with_columns((nw.col("minor") - nw.col("cost_minor")).alias("margin_minor"))
        sums["margin"] = "margin_minor"
    if log.has("quantity"):
        lines = with_units(lines)
        sums["units"] = "units"
    lines = lines.select("item", *sums.values(), nw.lit(1).alias("lines"))
    money = collect(lines.group_by("item").agg(nw.col("lines").sum(), *(nw.col(name).sum() for name in sums.values())))
    held = held_items(log, day, level)
    orders = collect(held.with_columns(nw.lit(1).alias("orders")).group_by("item").agg(nw.col("orders").sum()))
    pairs = held.select("item", "user_id").unique().with_columns(nw.lit(1).alias("users"))
    users = collect(pairs.group_by("item").agg(nw.col("users").sum()))
    nameless = money["item"].isna()
    warn_of_nameless(int(money.loc[nameless, "lines"].sum()), int(money["lines"].sum()), level)
    money = money[~nameless]
    table: dict[str, Any] = {"item": money["item"].to_numpy()}
    table |= {name: money[source].to_numpy() for name, source in sums.items()}
    for name, counts in (("orders", orders), ("users", users)):
        table[name] = _aligned(money["item"], counts.dropna(subset="item").set_index("item")[name])
    return pd.DataFrame(table)


def _aligned(items: pd.Series[Any], counts: pd.Series[Any]) -> NDArray[np.int64]:
    """Counts of the items, 0 where an item is in no order that counts."""
    return counts.reindex(items).fillna(0).to_numpy().astype(np.int64)
