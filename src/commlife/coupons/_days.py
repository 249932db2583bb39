"""Columns of days, and each issued coupon's own window, as numbers of local days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.coupons.offers import Coupon
from commlife.errors import ConfigError
from commlife.orders.calendar import day_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals.stable.v2 as nw
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = ["Ledger", "day_column"]

DAY = 86_400


def day_column(data: nw.DataFrame[Any], name: str, what: str, *, nulls: bool = False) -> Floats:
    """A column of local days as numbers of days; NaN where missing, if that is allowed."""
    series = pd.Series(data[name].to_list(), dtype=object)
    present = series.notna()
    if series[present].map(lambda cell: isinstance(cell, int | float | bool | np.number)).any():
        raise ConfigError(f"{what}: column {name!r} holds numbers; give dates, or ISO texts such as '2025-01-31'.")
    try:
        parsed = pd.to_datetime(series, format="ISO8601", errors="coerce")
    except (ValueError, TypeError):
        raise ConfigError(f"{what}: column {name!r} mixes dates with and without a time zone.") from None
    if not pd.api.types.is_datetime64_dtype(parsed.dtype):
        raise ConfigError(f"{what}: column {name!r} carries a time zone; give local days.")
    unread = parsed.isna() & (present | (not nulls))
    if unread.any():
        example = series[unread].iloc[0]
        raise ConfigError(
            f"{what}: column {name!r} has {int(unread.sum()):,} cells that are no day, first {example!r:.40}."
        )
    seconds = parsed.to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(parsed.isna(), np.nan, np.floor_divide(seconds, DAY))


class Ledger:
    """Coupons by identifier, with their fields as arrays."""

    __slots__ = ("coupons", "index")

    def __init__(self, coupons: Sequence[Coupon], what: str) -> None:
        if isinstance(coupons, str) or not all(isinstance(coupon, Coupon) for coupon in coupons) or not len(coupons):
            raise ConfigError(f"{what}: coupons is a list of Coupon; seen {coupons!r:.80}.")
        ids = [coupon.coupon_id for coupon in coupons]
        if len(set(ids)) < len(ids):
            raise ConfigError(f"{what}: coupon identifiers must be distinct; seen {ids}.")
        self.coupons = tuple(coupons)
        self.index = pd.Index(ids)

    def places(self, names: Sequence[Any]) -> NDArray[np.intp]:
        """Which coupon each name is, -1 for none."""
        return self.index.get_indexer(pd.Index([str(name) for name in names]))

    def first_days(self, place: NDArray[np.intp], issued: Floats) -> Floats:
        """First day of use of each issued coupon; unknown issue days (NaN) leave the coupon's own."""
        start = np.array([-np.inf if c.valid_from is None else day_number(c.valid_from) for c in self.coupons])
        rolling = np.array([c.valid_days is not None for c in self.coupons])
        return np.where(rolling[place], np.fmax(start[place], issued), start[place])

    def last_days(self, place: NDArray[np.intp], issued: Floats) -> Floats:
        """Last day of use of each issued coupon, infinite where it never expires."""
        end = np.array([np.inf if c.valid_until is None else day_number(c.valid_until) for c in self.coupons])
        days = np.array([np.inf if c.valid_days is None else c.valid_days for c in self.coupons])
        return np.fmin(end[place], issued + days[place] - 1)
