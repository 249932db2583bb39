"""Reminders: a word before a coupon expires, not at night and not too many."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from commlife._model import Spec
from commlife.coupons._days import Ledger, coupon_texts, day_column
from commlife.coupons.records import Issuance, as_frame
from commlife.effects._inputs import identifiers, one_of, wide_frame
from commlife.errors import ConfigError
from commlife.orders.calendar import days_to_datetime64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.coupons.offers import Coupon

__all__ = ["ExpiryReminders"]

Hour = Annotated[int, Field(ge=0, le=23)]


class ExpiryReminders(Spec):
    """Whom to remind now of which coupon.

    Args:
        lead_days: A coupon whose last day is at most so many days ahead is due (0: on its last day alone).
        quiet_from: Hour from which nobody is disturbed.
        quiet_until: Hour until which nobody is; equal hours: no quiet time.
        per_user_cap: Most reminders a user and call; the coupon that expires first comes first, then the larger.

    Examples:
        >>> import pandas as pd
        >>> from commlife.coupons import Coupon
        >>> issued = pd.DataFrame(
        ...     {"user_id": ["u1", "u2"], "coupon_id": ["c", "c"], "issued": ["2025-01-01", "2025-01-05"]})
        >>> due = ExpiryReminders(lead_days=2).due(
        ...     issued, [Coupon(coupon_id="c", amount=5, valid_days=7)], now="2025-01-06T23:30")
        >>> due["user_id"].tolist(), due["send_at"].astype(str).tolist()
        (['u1'], ['2025-01-07 08:00:00'])
    """

    lead_days: Annotated[int, Field(ge=0, le=365)] = 3
    quiet_from: Hour = 21
    quiet_until: Hour = 8
    per_user_cap: Annotated[int, Field(ge=1)] = 1

    def due(
        self,
        issued: Any,
        coupons: Sequence[Coupon],
        *,
        now: str | dt.datetime,
        lang: Literal["en", "zh"] = "en",
    ) -> pd.DataFrame:
        """The reminders that are due.

        Args:
            issued: One row an issued coupon, any kind of frame: ``user_id, coupon_id, issued`` (local day), and where
                known ``redeemed`` and ``reminded`` (local days, null for not yet); or a list of :class:`Issuance`.
            coupons: The coupons.
            now: Local time of the call, without a zone; there is no clock in the library.
            lang: Language of the messages.

        Returns:
            Frame ``user_id, coupon_id, send_at, last_day, days_left`` (at the time of sending), ``message``, sorted by
            user: rows of :class:`Reminder`. What expires before the quiet time ends is not sent.

        Raises:
            ConfigError: If a column is missing, a coupon is unknown, or ``now`` is no local time.
        """
        what = "ExpiryReminders.due"
        moment = _moment(now)
        one_of(lang, "lang", ("en", "zh"))
        issued = as_frame(issued, Issuance)
        marks = ["redeemed", "reminded"]
        data = wide_frame(issued, ["user_id", "coupon_id", "issued"], what, optional=marks)
        known = [name for name in marks if name in data.columns]
        ledger = Ledger(coupons, what)
        names = coupon_texts(data, what)
        place = ledger.places(names)
        if (place < 0).any():
            stranger = names[int(np.flatnonzero(place < 0)[0])]
            raise ConfigError.unknown_name(f"{what}: coupon", stranger, list(ledger.index))
        start = day_column(data, "issued", what)
        send = self._after_quiet(moment)
        today = (send.date() - dt.date(1970, 1, 1)).days
        last = ledger.last_days(place, start)
        left = last - today
        due = (left >= 0) & (left <= self.lead_days) & (ledger.first_days(place, start) <= today) & (start <= today)
        for name in known:
            due &= np.isnan(day_column(data, name, what, nulls=True))
        rows = np.flatnonzero(due)
        coupon_ids = pd.Series(data["coupon_id"].to_list(), dtype=object).to_numpy()
        largest = np.array([coupon.largest_discount or 0.0 for coupon in ledger.coupons])
        words = np.array([_message(coupon, lang) for coupon in ledger.coupons], dtype=object)
        days = pd.Series(left[rows].astype(np.int64)).astype(str).to_numpy(dtype=object)
        result = pd.DataFrame(
            {
                "user_id": identifiers(data, "user_id", what).to_numpy()[rows],
                "coupon_id": coupon_ids[rows],
                "send_at": np.datetime64(send, "us"),
                "last_day": days_to_datetime64(last[rows]),
                "days_left": left[rows].astype(np.int64),
                "message": words[place[rows], 0] + days + words[place[rows], 1],
                "size": -largest[place[rows]],
            }
        )
        result = result.sort_values(["user_id", "days_left", "size", "coupon_id"], kind="stable")
        result = result[result.groupby("user_id").cumcount() < self.per_user_cap].drop(columns="size")
        return result.reset_index(drop=True)

    def _after_quiet(self, moment: dt.datetime) -> dt.datetime:
        """The moment itself, or the end of the quiet time it falls into."""
        hour = moment.hour
        night = self.quiet_from > self.quiet_until
        if night and (hour >= self.quiet_from or hour < self.quiet_until):
            day = moment + dt.timedelta(days=1) if hour >= self.quiet_from else moment
            return day.replace(hour=self.quiet_until, minute=0, second=0, microsecond=0)
        if not night and self.quiet_from <= hour < self.quiet_until:
            return moment.replace(hour=self.quiet_until, minute=0, second=0, microsecond=0)
        return moment


def _moment(now: str | dt.datetime) -> dt.datetime:
    if isinstance(now, str):
        try:
            now = dt.datetime.fromisoformat(now)
        except ValueError:
            raise ConfigError(f"now is a local time such as '2025-01-06T10:30'; seen {now!r:.60}.") from None
    if not isinstance(now, dt.datetime) or now.tzinfo is not None or now != now:  # noqa: PLR0124
        raise ConfigError(f"now is a local time without a zone; seen {now!r:.60}.")
    return now


def _message(coupon: Coupon, lang: str) -> tuple[str, str]:
    """The words before and after the number of days."""
    if lang == "zh":
        return f"您的优惠券（{coupon.describe('zh')}）还有", "天到期"
    return f"your coupon ({coupon.describe()}) expires in ", " days"
