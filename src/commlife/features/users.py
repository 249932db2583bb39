"""Users as the log knows them at as_of: first and last order, frequency, spend, their own attributes, who existed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife._caveats import warn
from commlife.errors import LeftTruncatedWarning
from commlife.orders.calendar import Duration, day_text

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["early_users", "own_attributes", "payers", "warn_if_left_truncated", "with_existing"]


_NO_DAY = 2**40


def payers(log: OrderLog, as_of: int) -> nw.LazyFrame[Any]:
    """One row a payer: user_id, first_day, last_day, frequency (orders that count) and spend (net, minor units).

    Refunds lower the spend and never count or refresh a day; a user without an order that counts is no payer.
    """
    day, counts = nw.col("day"), nw.col("counts")
    # One pass: the days of orders that do not count lie beyond every other, and nobody's first or last is among them.
    flagged = log._orders(as_of).with_columns(
        nw.when(counts).then(day).otherwise(nw.lit(_NO_DAY)).cast(nw.Int64).alias("first_day"),
        nw.when(counts).then(day).otherwise(nw.lit(-_NO_DAY)).cast(nw.Int64).alias("last_day"),
        counts.cast(nw.Int64).alias("frequency"),
        nw.col("net").alias("spend"),
    )
    whole = ("first_day", "last_day", "frequency", "spend")
    users = flagged.group_by("user_id").agg(
        nw.col("first_day").min(), nw.col("last_day").max(), nw.col("frequency").sum(), nw.col("spend").sum()
    )
    return users.with_columns(nw.col(*whole).cast(nw.Int64)).filter(nw.col("frequency") > 0)


def own_attributes(log: OrderLog, as_of: int, *attributes: str) -> nw.LazyFrame[Any]:
    """One row a payer: the attributes of the first order that counts (at one instant, the least value)."""
    counting = log._orders(as_of, *attributes).filter(nw.col("counts"))
    first = counting.group_by("user_id").agg(nw.col("us").min().alias("first_us"))
    return _engine.at_first(counting, first, keys=("user_id",), time="us", names=attributes)


def with_existing(users: nw.LazyFrame[Any], log: OrderLog, *, washout: Duration | None) -> nw.LazyFrame[Any]:
    """Add the boolean ``existing`` to a plan with user_id and first_day: whose life began before the log shows it.

    So it is for users first seen within the washout, and for those whose ``first_ordered_at`` (the host's word) lies
    before the first order that counts.
    """
    first = nw.col("first_day")
    seen_early = (
        first < (log.observation.first + washout.days) if washout is not None else first < log.observation.first
    )
    if log.has("first_ordered_at"):
        told = log._frame.group_by("user_id").agg(nw.col("first_day").min().alias("told_first"))
        users = users.join(told, on="user_id", how="left")
        before = (nw.col("told_first") < first).fill_null(value=False)
        return users.with_columns((seen_early | before).alias("existing")).drop("told_first")
    return users.with_columns(seen_early.alias("existing"))


#: A log is taken to begin in the middle of lives if its first week holds at least this share of all first orders,
#: several times what a steady stream would bring, and there are enough users to tell.
_SHARE, _TIMES_STEADY, _ENOUGH_USERS, _ENOUGH_DAYS = 0.15, 3.0, 100, 28


def early_users(log: OrderLog, as_of: int, *, payers_known: Callable[[], int] | None = None) -> tuple[int, int] | None:
    """Payers first seen in the log's first week, and all payers, where these are too many for lives that begin here.

    None where the log does not look cut off, where it is too short or too small to tell, and where the host says who
    ordered before.

    Args:
        log: The order log.
        as_of: The day before whose midnight orders count.
        payers_known: Tells the number of payers, where the caller has counted them; None counts them here.
    """
    begins = log.observation.first
    days = as_of - begins
    if days < _ENOUGH_DAYS or log.has("first_ordered_at"):
        return None
    orders = log._orders(as_of).select("user_id", "day", "counts")
    # Whoever has an order that counts in the first week is first seen there: the other weeks need not be read.
    early = orders.filter(nw.col("counts") & (nw.col("day") < begins + 7))
    n_early = _engine.count_rows(early.select("user_id").unique())
    n_users = (
        _engine.count_rows(orders.filter(nw.col("counts")).select("user_id").unique())
        if payers_known is None
        else payers_known()
    )
    if n_users < _ENOUGH_USERS or n_early < max(_SHARE, _TIMES_STEADY * 7 / days) * n_users:
        return None
    return n_early, n_users


def warn_if_left_truncated(
    log: OrderLog, as_of: int, *, washout: Duration | None, payers_known: Callable[[], int] | None = None
) -> None:
    """Warn where many users would wrongly count as new, and say what to do."""
    counted = None if washout is not None else early_users(log, as_of, payers_known=payers_known)
    if counted is None:
        return
    n_early, n_users = counted
    warn(
        f"The log begins on {day_text(log.observation.first)} in the middle of lives: {n_early:,} of {n_users:,} users "
        'are first seen in its first week and count as new. Use washout="28D" to call them existing, or name '
        "first_ordered_at.",
        LeftTruncatedWarning,
    )
