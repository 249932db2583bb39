"""Pricing: what a basket costs with these coupons, line by line, to the cent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife.coupons._days import checked_coupons
from commlife.coupons.apportionment import apportion_minor, apportion_weighted
from commlife.coupons.offers import Coupon
from commlife.effects._inputs import one_of, wide_frame
from commlife.errors import ConfigError
from commlife.orders.money import to_major, to_minor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders.calendar import Timestamp

__all__ = ["Priced", "Stacking", "best_combination", "price"]

Stacking = Literal["rules", "all", "one"]

#: best_combination looks at every subset; more coupons than this are a mistake at the till.
MAX_COUPONS = 12


@dataclass(frozen=True, slots=True, repr=False)
class Priced:
    """A basket with its coupons applied.

    Attributes:
        total: Amount before discounts, in major units.
        discount: What the coupons take off.
        payable: What is to be paid: total - discount.
        applied: Identifiers of the coupons applied, in their order, with the discount of each.
        rejected: Identifiers of the others, with the reason of each.
        lines: The basket's lines with ``discount`` and ``payable``, summing to the totals exactly.
    """

    total: float
    discount: float
    payable: float
    applied: dict[str, float]
    rejected: dict[str, str]
    lines: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The lines."""
        return self.lines

    def __repr__(self) -> str:
        return f"Priced(total={self.total:g}, discount={self.discount:g}, payable={self.payable:g}, {self.applied})"


@dataclass(frozen=True, slots=True)
class _Basket:
    lines: pd.DataFrame
    minor: NDArray[np.int64]
    digits: int
    floor: NDArray[np.int64] | None

    def scope(self, coupon: Coupon) -> NDArray[np.bool_]:
        """The lines that a coupon is good for: all of them, unless it names categories or items."""
        if not coupon.categories and not coupon.items:
            return np.ones(len(self.minor), dtype=bool)
        inside = np.zeros(len(self.minor), dtype=bool)
        for column, wanted in (("category", coupon.categories), ("item_id", coupon.items)):
            if wanted:
                if column not in self.lines.columns:
                    raise ConfigError(
                        f"coupon {coupon.coupon_id!r} is for some of {column!r}, but the basket has no such column."
                        " Add it."
                    )
                inside |= self.lines[column].astype(str).isin(wanted).to_numpy()
        return inside


def price(
    basket: Any,
    coupons: Sequence[Coupon],
    *,
    stacking: Stacking = "rules",
    on: Timestamp | None = None,
    currency_digits: int = 2,
) -> Priced:
    """Apply coupons to a basket.

    Coupons are applied in rising priority, then by identifier, each to what the ones before have left of the lines in
    its scope; whether its minimum spend is reached is judged on the amounts before any discount. A percentage is
    rounded half up to the minor unit; each discount is spread over the lines by largest remainder.

    Args:
        basket: One row a line with ``amount`` (major units), ``category``, ``item_id`` where a coupon asks for them,
            and ``floor`` where a line may not cost less than so much: a frame, or a mapping of columns.
        coupons: The coupons given, identifiers distinct.
        stacking: ``"rules"``: the coupons' own ``stacking`` decides (an exclusive one stands alone); ``"all"``: all
            stack; ``"one"``: only the first that applies.
        on: Day of the purchase, to check validity; None: validity is not checked. Coupons with ``valid_days`` are not
            checked here: ask :meth:`Coupon.valid_on` with their day of issue.
        currency_digits: Digits of the currency.

    Returns:
        :class:`Priced`: payable, what was applied, what was rejected and why, the lines.

    Raises:
        ConfigError: If the basket has no lines or unsound amounts, or the coupons are not distinct.

    Examples:
        >>> basket = {"amount": [20.0, 15.0], "category": ["milk", "noodles"]}
        >>> result = price(basket, [Coupon.from_threshold("a", "30:5")])
        >>> result.payable, result.lines["discount"].tolist()
        (30.0, [2.86, 2.14])
    """
    return _price(_read(basket, currency_digits), _checked(coupons, stacking), stacking, on)


def best_combination(
    basket: Any,
    coupons: Sequence[Coupon],
    *,
    stacking: Stacking = "rules",
    on: Timestamp | None = None,
    currency_digits: int = 2,
) -> Priced:
    """The cheapest way to pay for a basket with some of these coupons; among equal ones the fewest coupons.

    Every subset is priced (at most 12 coupons), since stacking rules, thresholds and scopes leave no shortcut.
    Arguments and errors as for :func:`price`.

    Examples:
        >>> ten = Coupon(coupon_id="ten", percent=10)
        >>> five = Coupon.from_threshold("five", "30:5", stacking="exclusive")
        >>> best_combination({"amount": [40.0]}, [ten, five]).applied
        {'five': 5.0}
    """
    given = _checked(coupons, stacking)
    if len(given) > MAX_COUPONS:
        raise ConfigError(
            f"best_combination looks at every subset of at most {MAX_COUPONS} coupons; seen {len(given)}."
        )
    lines = _read(basket, currency_digits)
    best = _price(lines, [], stacking, on)
    for size in range(1, len(given) + 1):
        for some in itertools.combinations(given, size):
            priced = _price(lines, list(some), stacking, on)
            if priced.payable < best.payable:
                best = priced
    used = {coupon.coupon_id for coupon in given} - best.applied.keys()
    alone = _price(lines, given, stacking, on).rejected
    reasons = {name: alone.get(name, "another combination is cheaper") for name in sorted(used)}
    return Priced(best.total, best.discount, best.payable, best.applied, reasons, best.lines)


def _checked(coupons: Sequence[Coupon], stacking: str) -> list[Coupon]:
    one_of(stacking, "stacking", get_args(Stacking))
    return sorted(
        checked_coupons(coupons, "price", may_be_empty=True), key=lambda coupon: (coupon.priority, coupon.coupon_id)
    )


def _read(basket: Any, digits: int) -> _Basket:
    if isinstance(basket, Mapping):
        lengths = {name: np.size(column) for name, column in basket.items()}
        if len(set(lengths.values())) > 1:
            raise ConfigError(f"the basket's columns differ in length: {lengths}. Give each line its entry.")
        basket = pd.DataFrame({name: np.atleast_1d(np.asarray(column)) for name, column in basket.items()})
    data = wide_frame(basket, ["amount"], "basket", optional=["category", "item_id", "floor"])
    minor = to_minor(data["amount"].to_numpy(), digits=digits, name="basket amounts")
    if minor.min() < 0:
        raise ConfigError("basket amounts are at least 0; price a return with refund_due.")
    columns = {name: data[name].to_list() for name in data.columns if name not in {"amount", "floor"}}
    floor = None
    if "floor" in data.columns:
        floor = to_minor(data["floor"].to_numpy(), digits=digits, name="floors")
        if (floor < 0).any() or (floor > minor).any():
            raise ConfigError("a floor lies between 0 and the line's amount. Lower the floor.")
    return _Basket(pd.DataFrame({"amount": to_major(minor, digits=digits), **columns}), minor, digits, floor)


def _price(basket: _Basket, coupons: list[Coupon], stacking: str, on: Timestamp | None) -> Priced:
    left = basket.minor.copy()
    applied: dict[str, int] = {}
    rejected: dict[str, str] = {}
    exclusive = False
    for coupon in coupons:
        reason = _refusal(coupon, bool(applied), exclusive, stacking, on)
        if reason is None:
            scope = basket.scope(coupon)
            room = left if basket.floor is None else np.maximum(left - basket.floor, 0)
            before, now, most = (int(part[scope].sum()) for part in (basket.minor, left, room))
            off, reason = _discount(coupon, before, now, most, basket.digits)
        if reason is not None:
            rejected[coupon.coupon_id] = reason
            continue
        if basket.floor is None:
            left[scope] -= apportion_minor(left[scope], off)
        else:
            left[scope] -= apportion_weighted(room[scope], off, [Fraction(int(part)) for part in left[scope]])
        applied[coupon.coupon_id] = off
        exclusive = coupon.stacking == "exclusive"
    total, payable = int(basket.minor.sum()), int(left.sum())

    def major(minor: int) -> float:
        return float(to_major(minor, digits=basket.digits))

    lines = basket.lines.assign(
        discount=to_major(basket.minor - left, digits=basket.digits), payable=to_major(left, digits=basket.digits)
    )
    return Priced(
        total=major(total),
        discount=major(total - payable),
        payable=major(payable),
        applied={name: major(off) for name, off in applied.items()},
        rejected=rejected,
        lines=lines,
    )


def _refusal(coupon: Coupon, some: bool, exclusive: bool, stacking: str, on: Timestamp | None) -> str | None:  # noqa: FBT001
    if on is not None and coupon.valid_days is None and not coupon.valid_on(on):
        return f"not valid on {on}"
    if some and stacking == "one":
        return "only one coupon may be used"
    if stacking == "rules" and some and (exclusive or coupon.stacking == "exclusive"):
        return "exclusive: it does not combine with another coupon"
    return None


def _discount(coupon: Coupon, before: int, left: int, room: int, digits: int) -> tuple[int, str | None]:
    """Minor units off, or why not."""
    scale = 10**digits
    if before == 0:
        return 0, "nothing in the basket is within its scope"
    minimum = round(coupon.minimum_spend * scale)
    if before < minimum:
        return 0, f"minimum spend {coupon.minimum_spend:g} not reached: {(minimum - before) / scale:g} is missing"
    if coupon.amount is not None:
        off = round(coupon.amount * scale)
    else:
        points = round((coupon.percent or 0.0) * 100)
        off = (left * points + 5_000) // 10_000
        if coupon.max_discount is not None:
            off = min(off, round(coupon.max_discount * scale))
    off = min(off, room)
    return off, None if off > 0 else "nothing is left to take it off"
