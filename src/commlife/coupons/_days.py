"""Columns of days, and each issued coupon's own window, as numbers of local days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife.coupons.offers import Coupon
from commlife.effects._inputs import identifiers
from commlife.errors import ConfigError
from commlife.orders.calendar import day_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats

__all__ = ["Ledger", "checked_coupons", "coupon_texts", "day_column"]

DAY = 86_400


def day_column(data: nw.DataFrame[Any], name: str, what: str, *, nulls: bool = False) -> Floats:
    """A column of local days as numbers of days; NaN where missing, if that is allowed."""
    column = data[name]
    kind = column.dtype
    if kind.is_numeric() or kind == nw.Boolean:
        raise ConfigError(f"{what}: column {name!r} holds numbers; give dates, or ISO texts such as '2025-01-31'.")
    if kind in (nw.Date, nw.Datetime):
        if getattr(kind, "time_zone", None):
            raise ConfigError(f"{what}: column {name!r} carries a time zone; give local days.")
        moments = column.cast(nw.Datetime("us")).to_numpy().astype("datetime64[us]")
        read, present = pd.Series(moments), ~np.isnat(moments)
    else:
        cells = pd.Series(column.to_list(), dtype=object)
        present = cells.notna().to_numpy()
        read = _read(cells, present, name, what)
    unread = read.isna().to_numpy() & (present | (not nulls))
    if unread.any():
        first = int(np.flatnonzero(unread)[0])
        raise ConfigError(
            f"{what}: column {name!r} has {int(unread.sum()):,} cells that are no day, first "
            f"{column[first]!r:.40} at row {first}. Give dates, or ISO texts such as '2025-01-31'."
        )
    seconds = read.to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(read.isna(), np.nan, np.floor_divide(seconds, DAY))


def _read(cells: pd.Series[Any], present: NDArray[np.bool_], name: str, what: str) -> pd.Series[Any]:
    """Days from texts and Python's own dates; what cannot be read is missing."""
    kinds = set(map(type, cells[present]))
    if any(issubclass(kind, int | float | np.number | np.bool_) for kind in kinds):
        raise ConfigError(f"{what}: column {name!r} holds numbers; give dates, or ISO texts such as '2025-01-31'.")
    try:
        read = pd.to_datetime(cells, format="ISO8601", errors="coerce")
    except (ValueError, TypeError):
        raise ConfigError(
            f"{what}: column {name!r} mixes dates with and without a time zone; give local days."
        ) from None
    if not pd.api.types.is_datetime64_dtype(read.dtype):
        raise ConfigError(f"{what}: column {name!r} carries a time zone; give local days.")
    return read


def coupon_texts(data: nw.DataFrame[Any], what: str) -> pd.Series[Any]:
    """Identifiers of coupons as texts, each distinct one written once; missing ones stay missing."""
    codes, distinct = pd.factorize(identifiers(data, "coupon_id", what))
    texts = np.array([*map(str, distinct), None], dtype=object)
    return pd.Series(texts[codes], dtype=object)


def checked_coupons(coupons: Any, what: str, *, may_be_empty: bool = False) -> tuple[Coupon, ...]:
    """A list of coupons whose identifiers are distinct."""
    given = tuple(coupons) if isinstance(coupons, list | tuple) else ()
    fits = isinstance(coupons, list | tuple) and all(isinstance(coupon, Coupon) for coupon in given)
    if not fits or not (given or may_be_empty):
        raise ConfigError(
            f"{what}: coupons is a list of Coupon{'' if may_be_empty else ', at least one'}; seen {coupons!r:.80}."
        )
    ids = [coupon.coupon_id for coupon in given]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ConfigError(f"{what}: coupon {twice[0]!r} occurs twice; identifiers are distinct. Rename or drop one.")
    return given


class Ledger:
    """Coupons by identifier, with their fields as arrays."""

    __slots__ = ("coupons", "index")

    def __init__(self, coupons: Sequence[Coupon], what: str) -> None:
        self.coupons = checked_coupons(coupons, what)
        ids = [coupon.coupon_id for coupon in self.coupons]
        self.index = pd.Index(ids, dtype=object)

    def places(self, names: pd.Series[Any]) -> NDArray[np.intp]:
        """Which coupon each name (a text) is, -1 for none."""
        return self.index.get_indexer(pd.Index(names, dtype=object))

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
