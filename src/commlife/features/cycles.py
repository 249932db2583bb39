"""Repurchase cycles: how regularly a user buys a category, and when it should be due again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.errors import ConfigError
from commlife.features.tastes import ordered_categories
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["cycles_plan", "repurchase_cycles"]

_DAY_US = 86_400_000_000
#: Logarithms of gaps are kept as whole numbers of this unit, so that their sums are equal in every order of rows.
_UNIT = 2**20
#: More than what the rounding of logarithms to that unit can change of a length, as a share of it.
_HAIR = 2.0 / _UNIT
#: Gaps are days of a log that holds at most the years 1970 to 2100; beyond this many they are told apart no more.
_LONGEST = 4_096
#: From so many gaps on the quantile of Student's t is that of the normal distribution.
_MANY = 200


def repurchase_cycles(
    log: OrderLog, *, as_of: Timestamp, min_gaps: int = 4, coverage: float = 0.8, level: str = "category"
) -> Any:
    """When is each user's next purchase of each category due?

    A gap lies between two different days on which the user bought the category. Gaps of one user and category are
    taken as log-normal: the cycle is their geometric mean, and the interval is that in which the next one falls with
    the chance ``coverage`` if she goes on as before (Student's t on the logarithms, for one further gap).

    Args:
        log: The order log, with a category.
        as_of: The local business day before whose midnight orders count.
        min_gaps: Gaps that a cycle needs, at least 2; with fewer the columns of the cycle are null. A spread that is
            learned from two or three gaps gives intervals of years.
        coverage: Chance that the interval holds the next purchase, if the user goes on as before.
        level: ``"category"``, or ``"item_id"`` for single products.

    Returns:
        A frame in the input's own kind, a row a user and category bought: ``user_id, category`` (or ``item_id``),
        ``gaps`` (how many), ``last_bought``, and where there are enough gaps ``cycle_days``, ``next_due``,
        ``due_from``, ``due_until`` (days) and ``overdue`` (whether ``due_until`` has passed); null otherwise.

    Raises:
        ConfigError: If an argument is not allowed, or the host did not name the column.

    Examples:
        >>> import commlife as cl
        >>> from commlife.features import repurchase_cycles
        >>> log = cl.datasets.make_community(n_users=200, seed=1).log
        >>> cycles = repurchase_cycles(log, as_of="2025-06-30")
        >>> cycles.columns.tolist()
        ['user_id', 'category', 'gaps', 'last_bought', 'cycle_days', 'next_due', 'due_from', 'due_until', 'overdue']
    """
    need_log(log, "repurchase_cycles")
    plan = cycles_plan(log, day_number(as_of), min_gaps=min_gaps, coverage=coverage, level=level)
    return log.give(plan, sort=["user_id", level])


def cycles_plan(
    log: OrderLog, as_of: int, *, min_gaps: int, coverage: float, level: str = "category"
) -> nw.LazyFrame[Any]:
    """The plan of :func:`repurchase_cycles`, for the rooms above."""
    _check(min_gaps, coverage, level)
    days = ordered_categories(log, as_of, level=level).select("user_id", level, "day").unique()
    keys = ["user_id", level]
    days = _engine.with_previous(days, "day", by=keys, into="previous")
    follows = nw.col("previous") > _engine.NONE_BEFORE
    gap = nw.when(follows).then(nw.col("day") - nw.col("previous")).otherwise(nw.lit(1))
    gap = nw.when(gap > _LONGEST).then(nw.lit(_LONGEST)).otherwise(gap).cast(nw.Int64)
    days = days.with_columns(follows.cast(nw.Int64).alias("gaps"), gap.alias("gap"))
    # The first day has the gap 1 by construction: its logarithm is 0 and adds nothing.
    days = days.with_columns((nw.col("gap").cast(nw.Float64).log() * float(_UNIT)).round().cast(nw.Int64).alias("log"))
    # Squares of thousandths: sums stay far below 2^63 for any user.
    days = days.with_columns((nw.col("log") * nw.col("log")).alias("square"))
    cycles = days.group_by(*keys).agg(
        nw.col("gaps").sum(), nw.col("day").max().alias("last"), nw.col("log").sum(), nw.col("square").sum()
    )
    cycles = cycles.with_columns(nw.col("gaps", "last", "log", "square").cast(nw.Int64))
    capped = nw.when(nw.col("gaps") > _MANY).then(nw.lit(_MANY)).otherwise(nw.col("gaps")).cast(nw.Int64)
    cycles = _engine.settle(cycles.with_columns(capped.alias("_n")))
    cycles = cycles.join(_engine.lazy_like(_quantiles(coverage), cycles, types={"_n": "_n"}), on="_n", how="left")
    return _with_dates(cycles, as_of, min_gaps).select(
        *keys, "gaps", "last_bought", "cycle_days", "next_due", "due_from", "due_until", "overdue"
    )


def _with_dates(cycles: nw.LazyFrame[Any], as_of: int, min_gaps: int) -> nw.LazyFrame[Any]:
    """From sums of logarithms to days."""
    enough = nw.col("gaps") >= min_gaps
    n = nw.when(nw.col("gaps") > 1).then(nw.col("gaps")).otherwise(nw.lit(2)).cast(nw.Float64)
    unit = nw.col("gaps").cast(nw.Float64) * 0.0 + float(_UNIT)  # by a column, as everywhere
    mean = nw.col("log").cast(nw.Float64) / n / unit
    cycles = cycles.with_columns(n.alias("_m"), mean.alias("_mean"))
    spread = nw.col("square").cast(nw.Float64) / unit / unit - nw.col("_mean") * nw.col("_mean") * nw.col("_m")
    spread = nw.when(spread > 0).then(spread).otherwise(nw.lit(0.0)) / (nw.col("_m") - 1.0)
    reach = nw.col("_t") * (spread * (1.0 + 1.0 / nw.col("_m"))).sqrt()
    cycles = cycles.with_columns(reach.alias("_reach")).with_columns(
        nw.col("_mean").exp().alias("_cycle"),
        (nw.col("_mean") - nw.col("_reach")).exp().alias("_short"),
        (nw.col("_mean") + nw.col("_reach")).exp().alias("_long"),
    )
    # A hair is taken off or added before whole days are made, so that the interval of one who buys every seven days
    # begins and ends with the seventh: logarithms are kept to half a unit, engines differ in an exponential's last bit.
    whole = {
        "next_due": (nw.col("_cycle") * (1.0 + _HAIR)).round(),
        "due_from": (nw.col("_short") * (1.0 + _HAIR)).floor(),
        "due_until": (nw.col("_long") * (1.0 - _HAIR)).ceil(),
    }
    days = []
    for name, length in whole.items():
        at_least = nw.when(length < 1.0).then(nw.lit(1.0)).otherwise(length)
        bounded = nw.when(at_least > float(_LONGEST)).then(nw.lit(float(_LONGEST))).otherwise(at_least)
        days.append((nw.col("last") + bounded.cast(nw.Int64)).alias(f"_{name}"))
    cycles = cycles.with_columns(
        nw.when(enough).then(nw.col("_cycle")).alias("cycle_days"), (nw.col("last") * _DAY_US).alias("_last"), *days
    )
    cycles = cycles.with_columns(
        nw.when(enough).then(nw.col("_due_until") <= as_of).alias("overdue"),
        *((nw.col(f"_{name}") * _DAY_US).alias(f"_{name}_us") for name in whole),
    )
    cycles = _engine.microsecond_as_datetime(cycles, "_last", into="last_bought")
    for name in whole:
        cycles = _engine.microsecond_as_datetime(cycles, f"_{name}_us", into=f"_{name}_at")
    return cycles.with_columns(*(nw.when(enough).then(nw.col(f"_{name}_at")).alias(name) for name in whole))


def _quantiles(coverage: float) -> pd.DataFrame:
    """Student's t for each number of gaps."""
    from scipy import special

    n = np.arange(_MANY + 1)
    t = np.full(len(n), np.nan)
    t[2:_MANY] = special.stdtrit(n[2:_MANY] - 1.0, 0.5 + coverage / 2)
    t[_MANY:] = special.ndtri(0.5 + coverage / 2)
    return pd.DataFrame({"_n": n, "_t": np.nan_to_num(t)})


def _check(min_gaps: int, coverage: float, level: str) -> None:
    if isinstance(min_gaps, bool) or not isinstance(min_gaps, int) or min_gaps < 2:
        raise ConfigError(f"min_gaps is a whole number from 2: one gap has no spread; seen {min_gaps!r:.40}.")
    if isinstance(coverage, bool) or not isinstance(coverage, (int, float)) or not 0 < coverage < 1:
        raise ConfigError(f"coverage lies between 0 and 1; seen {coverage!r:.40}.")
    if level not in ("category", "item_id"):
        raise ConfigError.unknown_name("level", level, ("category", "item_id"))
