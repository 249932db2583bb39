"""Growth accounting: what the change of the base and of revenue is made of, period by period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commlife import _engine
from commlife.features.flows import NEVER, activity_runs, attribute_names, stocks_and_flows
from commlife.orders.calendar import Duration, Period, Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders import OrderLog

__all__ = ["growth_accounting"]


def growth_accounting(
    log: OrderLog,
    *,
    as_of: Timestamp,
    period: str = "month",
    by: str | Sequence[str] | None = None,
    washout: str | None = None,
) -> pd.DataFrame:
    """Account for the growth of users and revenue, closing exactly in every period and group.

    The base of a period is who ordered in it. In users ``active_users = new + retained + returned`` and
    ``active_users(t) = active_users(t-1) + new + returned - lapsed``; in money ``revenue(t) = revenue(t-1) +
    revenue_new + revenue_returned + revenue_expansion - revenue_contraction - revenue_lapsed``. Where users may have
    lived before the log shows them (a ``washout``, or the column ``first_ordered_at``) those who are first seen are
    ``existing`` and not ``new``: the table has the columns ``existing`` and ``revenue_existing``, which are then one
    more inflow of both sums.

    Args:
        log: The order log.
        as_of: The local business day before whose midnight orders count; periods that are not complete by then are
            left out.
        period: ``"month"``, ``"week"``, ``"quarter"`` or ``"<n>D"`` counted back from ``as_of``.
        by: Attributes of users (those of the first order that counts): ``"community"``, or several.
        washout: Users first seen within it are existing, not new: ``"28D"``.

    Returns:
        A row a period (in each group): ``period`` (its first day), ``active_users``, ``new``, ``retained``,
        ``returned`` (ordered before, not in the period before), ``lapsed`` (ordered in the period before, not now),
        ``quick_ratio`` ((new + returned) / lapsed; existing users count as gained; null without a lapse), and in
        major units ``revenue`` (net of refunds), ``revenue_new``, ``revenue_returned``, ``revenue_expansion`` and
        ``revenue_contraction`` (retained users who spend more or less than in the period before; a refund in a period
        without an order lowers that period and lets the next one recover), ``revenue_lapsed`` (what those who lapsed
        had spent in the period before).

    Raises:
        ConfigError: If an argument is not allowed, or the host did not name a column of ``by``.
        InsufficientDataError: If no complete period holds an order that counts.

    Warns:
        LeftTruncatedWarning: If the log begins in the middle of lives and there is no washout.

    Source:
        The accounting of users into new, retained, resurrected and churned is Jonathan Hsu's (Social Capital, 2015).

    Examples:
        >>> import pandas as pd
        >>> from commlife.orders import OrderLog
        >>> frame = pd.DataFrame({"u": ["a", "a", "b"], "at": ["2025-01-05", "2025-02-03", "2025-01-09"],
        ...                       "paid": [10.0, 25.0, 8.0]})
        >>> log = OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid")
        >>> growth = growth_accounting(log, as_of="2025-03-01")
        >>> growth[["active_users", "new", "retained", "lapsed", "revenue_expansion", "revenue_lapsed"]]
           active_users  new  retained  lapsed  revenue_expansion  revenue_lapsed
        0             2    2         0       0                0.0             0.0
        1             1    0         1       1               15.0             8.0
    """
    need_log(log, "growth_accounting")
    day, grid, names = day_number(as_of), Period(period), attribute_names(by)
    with _engine.scope():
        runs = activity_runs(
            log,
            day,
            period=grid,
            silent_after=1,
            churned_after=NEVER,
            washout=None if washout is None else Duration(washout),
            by=names,
        )
        flows = stocks_and_flows(
            runs, period=grid, as_of=day, silent_after=1, churned_after=NEVER, by=names, what="growth accounting"
        )
    return flows.growth(scale=log.scale)
