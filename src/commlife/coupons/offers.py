"""Offers: coupons and campaigns in the field's own terms, as frozen data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from commlife._model import Spec
from commlife.coupons.thresholds import parse_threshold
from commlife.effects._inputs import array_of, float_vector, one_of
from commlife.errors import ConfigError
from commlife.orders.calendar import DayField, Timestamp, day_number, day_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Campaign", "Coupon"]

Text = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class Coupon(Spec):
    """One coupon: what it takes off, on what, from which spend, when, and beside which others.

    Args:
        coupon_id: Its identifier.
        amount: Amount off, in major units; give either this or ``percent``.
        percent: Percent off, above 0 and at most 100, at most two digits after the point (20 = 八折).
        minimum_spend: Spend within the scope from which it applies (满减: amount 5, minimum_spend 30).
        max_discount: Most that a percentage may take off.
        categories: Categories it is for; empty: all.
        items: Items it is for; empty: all. With both, either suffices.
        valid_from: First day it may be used.
        valid_until: Last day it may be used.
        valid_days: Days after its issue, the day of issue included, on which it may be used.
        stacking: ``"stackable"`` beside other stackable ones, or ``"exclusive"``.
        priority: Coupons are applied in rising priority, then by identifier.
        per_user_limit: How often one user may redeem it; None: no limit.
        label: What the user reads.

    Raises:
        ConfigError: If the fields do not make one clear offer.

    Examples:
        >>> Coupon.from_threshold("spring", "30:5").minimum_spend
        30.0
        >>> Coupon(coupon_id="veg", percent=20, max_discount=8, categories=("vegetables",)).describe()
        '20% off vegetables, at most 8'
    """

    coupon_id: Text
    amount: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] | None = None
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    minimum_spend: Money = 0.0
    max_discount: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] | None = None
    categories: tuple[Text, ...] = ()
    items: tuple[Text, ...] = ()
    valid_from: DayField | None = None
    valid_until: DayField | None = None
    valid_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    stacking: Literal["stackable", "exclusive"] = "stackable"
    priority: int = 0
    per_user_limit: Annotated[int, Field(ge=1)] | None = None
    label: str = ""

    @model_validator(mode="after")
    def _one_clear_offer(self) -> Coupon:
        if (self.amount is None) == (self.percent is None):
            raise ValueError("give either amount or percent")
        if self.amount is not None and self.max_discount is not None:
            raise ValueError("max_discount bounds a percentage; an amount needs none")
        if self.amount is not None and 0 < self.minimum_spend < self.amount:
            raise ValueError(f"minimum_spend {self.minimum_spend:g} lies below the amount off, {self.amount:g}")
        if self.percent is not None and abs(self.percent * 100 - round(self.percent * 100)) > 1e-9:
            raise ValueError(f"percent has at most two digits after the point; seen {self.percent}")
        if self.valid_from is not None and self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} lies before valid_from {self.valid_from}")
        return self

    @classmethod
    def from_threshold(cls, coupon_id: str, text: str, **more: object) -> Coupon:
        """A threshold coupon from ``"30:5"`` or ``"满30减5"``; further fields by name."""
        threshold = parse_threshold(text)
        fields = {"coupon_id": coupon_id, "amount": threshold.discount, "minimum_spend": threshold.minimum_spend}
        return cls(**(fields | more))

    @property
    def largest_discount(self) -> float | None:
        """The most that one redemption can take off, None where only the basket bounds it."""
        return self.amount if self.amount is not None else self.max_discount

    def expected_discount(self, spend: float) -> float:
        """What a redemption takes off a basket of this amount within its scope.

        A spend below the threshold counts as the threshold: who redeems the coupon has reached it.
        """
        return float(self.discount_on(float_vector([spend], "spend"))[0])

    def discount_on(self, spend: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for many amounts at once; one that is not known (NaN) has no discount that is."""
        amounts = array_of(spend, "spend")
        if amounts.dtype.kind not in "iuf":
            raise ConfigError(f"spend holds amounts; its type is {amounts.dtype}.")
        reached = np.maximum(amounts, self.minimum_spend)
        off = np.minimum(reached, self.amount) if self.amount is not None else reached * ((self.percent or 0.0) / 100)
        return off if self.max_discount is None else np.minimum(off, self.max_discount)

    def valid_on(self, day: Timestamp, *, issued: Timestamp | None = None) -> bool:
        """May it be used on this day?

        Args:
            day: A local business day.
            issued: The day of issue, needed where ``valid_days`` is set.

        Raises:
            ConfigError: If ``issued`` is needed and not given.
        """
        first, last = self.window(issued=issued)
        today = day_text(day_number(day, name="day"))
        return (first is None or first <= today) and (last is None or today <= last)

    def window(self, *, issued: Timestamp | None = None) -> tuple[str | None, str | None]:
        """First and last day of use as ISO texts, None where it is open.

        Raises:
            ConfigError: If the coupon has ``valid_days`` and ``issued`` is not given.
        """
        first, last = self.valid_from, self.valid_until
        if self.valid_days is not None:
            if issued is None:
                raise ConfigError(f"coupon {self.coupon_id!r} is valid for days after its issue: give issued=.")
            start = day_number(issued, name="issued")
            first = max(first or "", day_text(start))
            end = day_text(start + self.valid_days - 1)
            last = end if last is None else min(last, end)
        return first, last

    def describe(self, lang: Literal["en", "zh"] = "en") -> str:
        """The offer in words."""
        one_of(lang, "lang", ("en", "zh"))
        if self.label:
            return self.label
        scope = (*self.categories, *self.items)
        if lang == "zh":
            where = "、".join(scope)
            if self.amount is not None:
                text = f"满{self.minimum_spend:g}减{self.amount:g}" if self.minimum_spend else f"立减{self.amount:g}"
            else:
                start = f"满{self.minimum_spend:g}享" if self.minimum_spend else ""
                text = f"{start}{(100 - (self.percent or 0)) / 10:g}折"
                text += f"，最多减{self.max_discount:g}" if self.max_discount is not None else ""
            return f"{where}{text}"
        off = f"{self.amount:g} off" if self.amount is not None else f"{self.percent:g}% off"
        text = f"{off} {' or '.join(scope)}".strip()
        text += f" from {self.minimum_spend:g}" if self.minimum_spend else ""
        return text + (f", at most {self.max_discount:g}" if self.max_discount is not None else "")


class Campaign(Spec):
    """Coupons that go out together, with one window and one budget.

    Args:
        campaign_id: Its identifier.
        coupons: Its coupons, identifiers distinct.
        valid_from: First day.
        valid_until: Last day.
        budget: Most money; None: no limit.

    Examples:
        >>> spring = Campaign(campaign_id="spring", coupons=(Coupon.from_threshold("s5", "30:5"),))
        >>> spring.coupon("s5").amount
        5.0
    """

    campaign_id: Text
    coupons: tuple[Coupon, ...]
    valid_from: DayField | None = None
    valid_until: DayField | None = None
    budget: Money | None = None

    @model_validator(mode="after")
    def _sound(self) -> Campaign:
        ids = [coupon.coupon_id for coupon in self.coupons]
        if not ids:
            raise ValueError("a campaign has at least one coupon")
        if len(set(ids)) < len(ids):
            raise ValueError(f"coupon identifiers are distinct; seen {ids}")
        if self.valid_from is not None and self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} lies before valid_from {self.valid_from}")
        return self

    def coupon(self, coupon_id: str) -> Coupon:
        """The coupon of this identifier.

        Raises:
            ConfigError: If there is none.
        """
        for coupon in self.coupons:
            if coupon.coupon_id == coupon_id:
                return coupon
        raise ConfigError.unknown_name("coupon", coupon_id, [coupon.coupon_id for coupon in self.coupons])
