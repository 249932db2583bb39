"""Cohort question: what a cohort table was asked, as plain data, so that it can be asked again."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from commlife._model import Given, Spec, default
from commlife.cohorts.aggregation import Aggregation
from commlife.errors import ConfigError
from commlife.orders import Duration, Period
from commlife.orders.calendar import DayField, day_number

__all__ = ["ATTRIBUTES", "MEASURES", "SHARES", "CohortQuestion", "Measure"]

Measure = Literal[
    "retention",
    "unbounded",
    "bracket",
    "rolling",
    "streak",
    "churn",
    "recall",
    "repurchase",
    "orders",
    "frequency",
    "revenue",
    "cumulative_revenue",
    "aov",
]
MEASURES: tuple[str, ...] = get_args(Measure)
#: Measures that are users out of users: they carry a Wilson interval.
SHARES = ("retention", "unbounded", "bracket", "rolling", "streak", "churn", "recall", "repurchase")
#: What a user's own value can be: that of the first order that counts.
ATTRIBUTES = ("community", "channel", "category", "item_id", "coupon_id", "address_id", "subsidised")

_MOST_AGES = 10_000


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a whole number is needed, not {value!r:.40} of type {type(value).__name__}")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]


def _names(value: Any) -> Any:
    return () if value is None else (value,) if isinstance(value, str) else value


def _known(value: Any) -> Any:
    """One message for a wrong measure, not one for each kind that it might have been."""
    if isinstance(value, (dict, Aggregation)) or value in MEASURES:
        return value
    close = difflib.get_close_matches(str(value), MEASURES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(
        f"one of {', '.join(MEASURES)}{hint}, or a measure of your own such as {{'margin': ('margin', 'sum')}}"
    )


class CohortQuestion(Spec):
    """What is asked of a log: the arguments of :func:`~commlife.cohorts.cohort_table`, validated together."""

    called: ClassVar[str | None] = "cohort_table"

    as_of: DayField
    period: Given[Period, str] = default(Period("month"))
    measure: Annotated[Measure | Aggregation, BeforeValidator(_known)] = "retention"
    by: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    cohort: str = "first_order"
    washout: Given[Duration | None, str | None] = default(None)
    min_size: Annotated[Whole, Field(ge=1)] | None = None
    window: Given[Duration | None, str | None] = default(None)
    brackets: tuple[Whole, ...] | None = None
    max_age: Annotated[Whole, Field(ge=0, le=_MOST_AGES)] | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        """What only the arguments together can tell."""
        for name in self.by:
            _check_attribute("by", name)
        if len(set(self.by)) < len(self.by):
            raise ConfigError(f"by names each attribute once; seen {list(self.by)!r}.")
        if self.cohort not in ("first_order", "active", "given"):
            _check_attribute("cohort", self.cohort, "first_order", "active")
            if self.cohort in self.by:
                raise ConfigError(
                    f"cohort={self.cohort!r} cannot stand in by too: its values are the cohorts already."
                    " Leave it out of by."
                )
        if self.cohort == "active" and self.washout is not None:
            raise ConfigError('cohort="active" holds existing users too: leave washout out.')
        if self.cohort == "active" and self.measure != "retention":
            raise ConfigError(
                f'cohort="active" is asked with measure="retention"; seen measure={self.measured!r}. Use '
                'cohort="first_order" for it.'
            )
        if (self.measure == "rolling") != (self.window is not None):
            raise ConfigError(
                'window="7D" is the length of the windows of measure="rolling", and of no other measure; seen '
                f"window={self.window!r} with measure={self.measured!r}."
            )
        if (self.measure == "bracket") != (self.brackets is not None):
            raise ConfigError(
                'brackets=(1, 2, 4, 8) are the ages at which the brackets of measure="bracket" begin, the last one the '
                f"end of the last; seen brackets={self.brackets!r} with measure={self.measured!r}."
            )
        edges = self.brackets
        if edges is not None and (len(edges) < 2 or min(edges) < 0 or list(edges) != sorted(set(edges))):
            raise ConfigError(f"brackets are two or more ages from 0 on that rise; seen {edges!r:.80}.")
        return self

    @property
    def measured(self) -> str:
        """The name of the measure."""
        return str(self.measure)

    @property
    def is_share(self) -> bool:
        """Whether the measure counts users out of users."""
        return self.measure.is_share if isinstance(self.measure, Aggregation) else self.measure in SHARES

    @property
    def day(self) -> int:
        """``as_of`` as a day number."""
        return day_number(self.as_of)


def _check_attribute(what: str, name: str, *more: str) -> None:
    if name not in ATTRIBUTES:
        raise ConfigError.unknown_name(what, name, (*ATTRIBUTES, *more))
