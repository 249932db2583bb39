"""Records: what was issued, redeemed and sent, each as frozen data that goes to JSON, or as a frame of many."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import pandas as pd
from pydantic import BeforeValidator, Field, PlainSerializer

from commlife._model import Spec
from commlife.effects._inputs import wide_frame
from commlife.errors import ConfigError
from commlife.orders.calendar import DayField

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Issuance", "Redemption", "Reminder", "as_frame"]

Text = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


def _moment(given: Any) -> Any:
    if isinstance(given, str):
        try:
            given = dt.datetime.fromisoformat(given)
        except ValueError:
            raise ValueError("a local time such as '2025-01-06T10:30'") from None
    if not isinstance(given, dt.datetime) or given.tzinfo is not None:
        raise ValueError("a local time without a zone")
    return given


LocalTime = Annotated[
    dt.datetime, BeforeValidator(_moment), PlainSerializer(lambda when: when.isoformat(), return_type=str)
]


class _Record(Spec):
    """What the records share: many of them from a frame, and back."""

    @classmethod
    def from_frame(cls, frame: Any) -> tuple[Self, ...]:
        """One record a row; columns that the record does not have are left out, missing cells keep the default.

        Raises:
            ConfigError: If a required column or cell is missing, or a cell is not allowed.
        """
        fields: dict[str, Any] = cls.model_fields
        data = wide_frame(frame, [], f"{cls.__name__}.from_frame", optional=list(fields), may_be_empty=True)
        names = [name for name in fields if name in data.columns]
        missing = [name for name, field in fields.items() if field.is_required() and name not in names]
        if missing:
            raise ConfigError(
                f"{cls.__name__}.from_frame needs the columns {missing}; the frame has them not. Add them."
            )
        rows = data.rows(named=True)
        return tuple(cls(**{str(k): _plain(v) for k, v in row.items() if not _is_missing(v)}) for row in rows)

    @classmethod
    def to_frame(cls, records: Iterable[Self]) -> pd.DataFrame:
        """The records as a frame, one row each."""
        fields: dict[str, Any] = cls.model_fields
        given = list(records) if isinstance(records, Iterable) else [records]
        if not all(isinstance(record, cls) for record in given):
            raise ConfigError(f"{cls.__name__}.to_frame takes a list of {cls.__name__}; seen {records!r:.60}.")
        return pd.DataFrame([dict(record) for record in given], columns=list(fields))


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NaT or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124


def _plain(cell: Any) -> Any:
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    return cell.item() if hasattr(cell, "item") else cell


class Issuance(_Record):
    """A coupon that was given to a user, with the reason kept for whoever asks later.

    Args:
        user_id: The user.
        coupon_id: The coupon.
        issued: Local day of issue.
        plan: Name of the plan (its salt), so that the holdout can be found again.
        rule: The rule that gave it.
        reason: Why this user got it, in words.

    Examples:
        >>> given = Issuance(user_id="u1", coupon_id="back", issued="2025-01-06", rule="win_back", reason="silent")
        >>> Issuance.from_json(given.to_json()) == given
        True
    """

    user_id: int | str
    coupon_id: Text
    issued: DayField
    plan: str = ""
    rule: str = ""
    reason: str = ""


class Redemption(_Record):
    """A coupon that was used.

    Args:
        user_id: The user.
        coupon_id: The coupon.
        day: Local day of use.
        order_id: The order.
        amount: Amount of the basket before discounts, in major units.
        discount: What the coupon took off.
    """

    user_id: int | str
    coupon_id: Text
    day: DayField
    order_id: int | str | None = None
    amount: Money | None = None
    discount: Money | None = None


class Reminder(_Record):
    """A word before a coupon expires.

    Args:
        user_id: The user.
        coupon_id: The coupon.
        send_at: Local time of sending.
        last_day: Last day of use.
        days_left: Days from the sending to it.
        message: What the user reads.
    """

    user_id: int | str
    coupon_id: Text
    send_at: LocalTime
    last_day: DayField
    days_left: Annotated[int, Field(ge=0)]
    message: str = ""


def as_frame(given: Any, kind: type[BaseModel]) -> Any:
    """A frame as it is; a list of records as a frame.

    Raises:
        ConfigError: If a list holds something else.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        return given
    strange = [record for record in given if not isinstance(record, kind)]
    if strange:
        raise ConfigError(f"give a frame or a list of {kind.__name__}; seen {strange[0]!r:.60} among them.")
    return pd.DataFrame([dict(record) for record in given], columns=list(kind.model_fields))
