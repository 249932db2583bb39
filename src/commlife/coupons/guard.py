"""PriceGuard: what a payable price may not depend on, how low it may go, and whether the price crossed out was real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pydantic import Field

from commlife._engine import collect_rows
from commlife._model import Spec
from commlife.effects._inputs import column_names, float_vector, identifiers, number_column, whole_number, wide_frame
from commlife.errors import ConfigError
from commlife.orders.calendar import Duration, Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.coupons._segments import Floats
    from commlife.orders import OrderLog

__all__ = ["PriceGuard"]


class PriceGuard(Spec):
    """What a payable price may not depend on, and how low and how honest it must be.

    A plan is checked against the columns that its rules read, before anybody gets anything. A denied attribute may
    still act through others that go with it: run :func:`~commlife.coupons.fairness_audit` on it as well.

    Args:
        deny: Columns that no rule may read (personal traits, the user's device, the way of payment).
        floor_share: A line may not cost less than this share of its price before discounts; 0: no floor.
        above_cost: A line may not cost less than its goods.
        lookback: The original price that an offer is compared with must have been paid by somebody within so many
            days before. Laws differ in days and in detail (the lowest price of the last 30 days in the European
            Union, of the last 7 in China): ask for yours, and see ``lowest`` in :meth:`audit_prices`.

    Examples:
        >>> PriceGuard(deny=("gender", "device")).check(["frequency", "recency_days"])
        >>> PriceGuard(deny=("gender",)).check(["gender"])
        Traceback (most recent call last):
        ...
        commlife.errors.ConfigError: prices may not depend on 'gender': PriceGuard denies it. Drop what reads it.
        >>> PriceGuard(floor_share=0.5).floors([10.0, 4.99]).tolist()
        [5.0, 2.5]
    """

    deny: Annotated[tuple[str, ...], Field(min_length=1)] = ("gender", "age", "device", "payment_method")
    floor_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    above_cost: bool = False
    lookback: Duration = Duration("30D")

    def check(self, columns: Sequence[str]) -> None:
        """Refuse columns that are denied.

        Raises:
            ConfigError: If one is.
        """
        for name in column_names(columns, "columns", may_be_empty=True):
            if name in self.deny:
                raise ConfigError(f"prices may not depend on {name!r}: PriceGuard denies it. Drop what reads it.")

    def floors(self, amounts: Any, costs: Any = None, *, currency_digits: int = 2) -> Floats:
        """The least that each line may cost: the column ``floor`` for :func:`~commlife.coupons.price`.

        Args:
            amounts: The lines' amounts before discounts, in major units.
            costs: What their goods cost; needed where ``above_cost`` is asked for.
            currency_digits: Digits of the currency; a floor is rounded up to them, and is never above the amount.

        Raises:
            ConfigError: If costs are needed and missing, or a number is not finite.
        """
        digits = whole_number(currency_digits, "currency_digits", 0)
        full = float_vector(amounts, "amounts")
        least = full * self.floor_share
        if self.above_cost:
            if costs is None:
                raise ConfigError(
                    "above_cost needs costs=, what the goods of each line cost. Give them, or set above_cost=False."
                )
            least = np.maximum(least, float_vector(costs, "costs", length=len(full)))
        scale = 10.0 ** min(digits, 12)
        return np.asarray(np.minimum(np.ceil(np.round(least * scale, 6)) / scale, full))

    def audit_prices(self, log: OrderLog, prices: Any, *, as_of: Timestamp) -> pd.DataFrame:
        """Was each original price really paid, and is each payable price above its floor?

        Args:
            log: The order log, with ``item_id`` (and ``quantity`` where a line holds several units).
            prices: One row an offer: ``item_id, original_price, payable_price`` a unit, and ``unit_cost`` where
                ``above_cost`` is asked for.
            as_of: The first day of the offer; the look-back ends before it.

        Returns:
            Frame with one row an offer, in the order given: ``item_id, original_price, payable_price, lowest, highest``
            (unit prices paid within the look-back, null where nothing was sold), ``lines_at_original`` (lines paid at
            the original price or more), ``transacted`` (there is one), ``is_lowest`` (the original price is not above
            the lowest), ``floor, above_floor`` and ``sound`` (transacted, above the floor, and no dearer than before).

        Raises:
            ConfigError: If a column is missing, or a price is negative.
        """
        need_log(log, "PriceGuard.audit_prices")
        what = "audit_prices"
        log.require("item_id", why=what)
        names = ["item_id", "original_price", "payable_price", *(["unit_cost"] if self.above_cost else [])]
        data = wide_frame(prices, names, what)
        table = pd.DataFrame({"item_id": identifiers(data, "item_id", what)})
        for name in names[1:]:
            table[name] = number_column(data, name, what)
            if table[name].min() < 0:
                raise ConfigError(f"{what}: {name} is at least 0; seen {table[name].min():g}.")
        sold = self._unit_prices(log, day_number(as_of))
        half = 0.5 / log.scale
        ends = sold.groupby("item_id")["unit"].agg(["min", "max"])
        table["lowest"] = table["item_id"].map(ends["min"])
        table["highest"] = table["item_id"].map(ends["max"])
        pairs = table[["item_id", "original_price"]].assign(row=np.arange(len(table))).merge(sold, on="item_id")
        paid = pairs[pairs["unit"] >= pairs["original_price"] - half].groupby("row")["lines"].sum()
        table["lines_at_original"] = paid.reindex(range(len(table))).fillna(0).astype(np.int64).to_numpy()
        table["transacted"] = table["lines_at_original"] > 0
        table["is_lowest"] = table["original_price"] <= table["lowest"] + half
        costs = table.pop("unit_cost").to_numpy() if self.above_cost else None
        table["floor"] = self.floors(table["original_price"].to_numpy(), costs)
        table["above_floor"] = table["payable_price"] >= table["floor"] - 1e-9
        cheaper = table["payable_price"] <= table["original_price"]
        table["sound"] = table["transacted"] & table["above_floor"] & cheaper
        return table

    def _unit_prices(self, log: OrderLog, as_of: int) -> pd.DataFrame:
        """Distinct unit prices paid for each item within the look-back, and their lines."""
        counted = log.has("quantity")
        names = ["item_id", "day", "minor", *(["quantity"] if counted else [])]
        recent = log._lines(as_of, *names).filter((nw.col("day") >= as_of - self.lookback.days) & (nw.col("minor") > 0))
        if counted:
            recent = recent.filter(nw.col("quantity") > 0)
        keys = [name for name in names if name != "day"]
        each = recent.with_columns(nw.lit(1).cast(nw.Int64).alias("lines")).group_by(*keys).agg(nw.col("lines").sum())
        sold = collect_rows(
            each.drop_nulls(["item_id"]), call="audit_prices", way_out="Ask for a shorter lookback, or fewer items."
        )
        units = sold["quantity"].to_numpy(dtype=np.float64) if counted else 1.0
        return sold.assign(unit=sold["minor"].to_numpy(dtype=np.float64) / log.scale / units)[
            ["item_id", "unit", "lines"]
        ]
