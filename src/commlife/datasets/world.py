"""World: the settings of a synthetic community, validated when they are written."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self, TypedDict

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from commlife._model import Spec
from commlife.orders.calendar import DayField, day_number, day_text

__all__ = ["World", "WorldSettings"]

WEEK = 7
#: Far above any price, far below where cents get lost in a float.
_MOST_MONEY = 1e9


def _number(value: Any) -> Any:
    """NumPy's scalars as Python's; booleans and texts are no numbers."""
    if isinstance(value, (bool, np.bool_, str)):
        raise ValueError(f"a number is needed, not a {type(value).__name__}")
    return value.item() if isinstance(value, np.generic) else value


def _whole_cents(value: float) -> float:
    if abs(value) > _MOST_MONEY:
        raise ValueError(f"money is at most {_MOST_MONEY:,.0f}")
    if abs(value * 100 - round(value * 100)) > 1e-6:
        raise ValueError("money has at most two digits after the point")
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Share = Annotated[Real, Field(ge=0, le=1)]
Money = Annotated[Real, AfterValidator(_whole_cents)]
Positive = Annotated[Real, Field(gt=0, le=1e6)]


class World(Spec):
    """The settings of a synthetic community; :func:`make_community` describes each of them.

    Examples:
        >>> World(n_weeks=10).as_of
        '2025-03-10'
    """

    n_users: Annotated[Whole, Field(ge=1, le=20_000_000)] | None = None
    seed: Annotated[Whole, Field(ge=0)] = 0
    n_communities: Annotated[Whole, Field(ge=1, le=10_000)] = 8
    n_weeks: Annotated[Whole, Field(ge=2, le=520)] = 26
    start: DayField = "2024-12-30"
    newcomers_per_week: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    existing_share: Annotated[Real, Field(ge=0, le=10)] = 0.0

    life: Literal["pareto_nbd", "bg_nbd"] = "pareto_nbd"
    purchase_shape: Positive = 1.2
    dropout_shape: Positive = 0.9
    dropout_scale: Positive = 60.0
    dropout_a: Positive = 0.8
    dropout_b: Positive = 2.4
    retention: Annotated[Real, Field(gt=0, lt=1)] = 0.40
    retention_spread: Annotated[Real, Field(ge=0, lt=1)] = 0.06
    spend_spread: Annotated[Real, Field(ge=0, lt=1)] = 0.3

    drop_community: Annotated[Whole, Field(ge=0)] | None = 0
    drop_week: Annotated[Whole, Field(ge=0)] | None = None
    drop_weeks: Annotated[Whole, Field(ge=1)] | None = None
    drop_retention: Annotated[Real, Field(ge=0, lt=1)] = 0.25
    bait: bool = False

    n_items: Annotated[Whole, Field(ge=2, le=1_000)] = 12
    n_pairs: Annotated[Whole, Field(ge=0, le=8)] = 4
    pair_probability: Share = 0.6
    lines_per_order: Annotated[Real, Field(ge=1, le=30)] = 3.0
    values: Literal["basket", "gamma_gamma"] = "basket"
    value_p: Positive = 6.25
    value_q: Annotated[Real, Field(gt=1, le=1e6)] = 3.74
    value_gamma: Positive = 15.44

    trial_share: Share = 0.5
    trial_week: Annotated[Whole, Field(ge=0)] | None = None
    targeted: bool = False
    targeted_week: Annotated[Whole, Field(ge=0)] | None = None
    coupon_faces: Annotated[
        tuple[Annotated[Money, Field(ge=0.01, le=10_000)], ...], Field(min_length=1, max_length=20)
    ] = (5.0,)
    coupon_threshold: Annotated[Money, Field(ge=0, le=1e6)] = 20.0
    coupon_days: Annotated[Whole, Field(ge=1, le=365)] = 14
    coupon_effect: Annotated[Real, Field(ge=0, le=20)] = 0.4
    sleeping_dogs: Share = 0.05

    proxy_share: Share = 0.005
    service_share: Share = 0.01
    refunds: Share = 0.03
    splits: Share = 0.02
    repeats: Share = 0.01

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        """What only the fields together can tell; pydantic lists it with the rest."""
        if self.n_users is not None and self.newcomers_per_week is not None:
            raise ValueError("n_users and newcomers_per_week both say how many users there are: give one of them")
        if self.newcomers_per_week is not None and self.n_newcomers > 20_000_000:
            raise ValueError(f"newcomers_per_week makes {self.n_newcomers:,} users, at most 20,000,000 are allowed")
        if day_number(self.start, name="start") < 3_650 or day_number(self.start, name="start") > 43_000:
            raise ValueError("start lies outside the years 1980 to 2087")
        low, high = self.retention - self.retention_spread, self.retention + self.retention_spread
        if low <= 0 or high >= 1:
            raise ValueError(
                f"retention_spread leaves retention in [{low:.2f}, {high:.2f}]; it has to stay within (0, 1)"
            )
        if self.drop_community is not None and self.drop_community >= self.n_communities:
            raise ValueError(
                f"drop_community={self.drop_community} is the index of a community, below n_communities="
                f"{self.n_communities}; None for no drop"
            )
        for name in ("drop_week", "trial_week", "targeted_week"):
            week = getattr(self, name)
            if week is not None and week >= self.n_weeks:
                raise ValueError(f"{name}={week} counts from 0 and lies below n_weeks={self.n_weeks}")
        if list(self.coupon_faces) != sorted(set(self.coupon_faces)):
            raise ValueError("coupon_faces rise from the smallest to the largest, each once")
        return self

    @property
    def as_of(self) -> str:
        """The day at whose midnight the log ends: the natural ``as_of``."""
        return day_text(self.first_day + self.n_days)

    @property
    def first_day(self) -> int:
        """Day number of ``start``."""
        return day_number(self.start, name="start")

    @property
    def n_days(self) -> int:
        """Length of the log in days."""
        return self.n_weeks * WEEK

    @property
    def n_newcomers(self) -> int:
        """Number of users that are born within the log."""
        if self.newcomers_per_week is not None:
            return self.newcomers_per_week * self.n_weeks * self.n_communities
        return 1_000 if self.n_users is None else self.n_users

    @property
    def n_existing(self) -> int:
        """Number of users whose life began before the log."""
        return round(self.existing_share * self.n_newcomers)

    @property
    def n_born(self) -> int:
        """All users, newcomers first."""
        return self.n_newcomers + self.n_existing

    @property
    def first_drop_week(self) -> int:
        """The first week whose newcomers stay less: ``drop_week``, or three quarters of the way."""
        return self.n_weeks * 3 // 4 if self.drop_week is None else self.drop_week

    @property
    def last_drop_week(self) -> int:
        """The week after the drop."""
        return self.n_weeks if self.drop_weeks is None else min(self.n_weeks, self.first_drop_week + self.drop_weeks)

    @property
    def trial_day(self) -> int:
        """Days from the start to the coupon trial: ``trial_week``, or two thirds of the way."""
        return WEEK * (self.n_weeks * 2 // 3 if self.trial_week is None else self.trial_week)

    @property
    def targeted_day(self) -> int:
        """Days from the start to the targeted campaign: ``targeted_week``, or a third of the way."""
        return WEEK * (self.n_weeks // 3 if self.targeted_week is None else self.targeted_week)

    def random(self, aspect: str) -> np.random.Generator:
        """The stream of random numbers of one aspect; no aspect draws from the stream of another."""
        key = tuple(aspect.encode())
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


class WorldSettings(TypedDict, total=False):
    """The keyword settings of :func:`make_community`, for type checkers and editors."""

    n_communities: int
    n_weeks: int
    start: str | dt.date
    newcomers_per_week: int | None
    existing_share: float
    life: Literal["pareto_nbd", "bg_nbd"]
    purchase_shape: float
    dropout_shape: float
    dropout_scale: float
    dropout_a: float
    dropout_b: float
    retention: float
    retention_spread: float
    spend_spread: float
    drop_community: int | None
    drop_week: int | None
    drop_weeks: int | None
    drop_retention: float
    bait: bool
    n_items: int
    n_pairs: int
    pair_probability: float
    lines_per_order: float
    values: Literal["basket", "gamma_gamma"]
    value_p: float
    value_q: float
    value_gamma: float
    trial_share: float
    trial_week: int | None
    targeted: bool
    targeted_week: int | None
    coupon_faces: tuple[float, ...]
    coupon_threshold: float
    coupon_days: int
    coupon_effect: float
    sleeping_dogs: float
    proxy_share: float
    service_share: float
    refunds: float
    splits: float
    repeats: float
