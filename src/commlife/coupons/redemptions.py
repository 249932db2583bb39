"""Redemptions checked against what was issued: over the limit, out of the window, by somebody it was not for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.coupons._days import Ledger, coupon_texts, day_column
from commlife.coupons.records import Issuance, Redemption, as_frame
from commlife.effects._inputs import identifiers, number_column, wide_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.coupons.offers import Coupon

__all__ = ["audit_redemptions"]

FAULTS = ("unknown_coupon", "untargeted", "outside_window", "over_limit", "below_minimum_spend")


def audit_redemptions(redemptions: Any, issued: Any, coupons: Sequence[Coupon]) -> pd.DataFrame:
    """Every redemption with what is wrong about it.

    Args:
        redemptions: One row a redemption: ``user_id, coupon_id, day`` (local), and where known ``amount`` (the
            basket's, in major units, to check minimum spends). Or a list of :class:`Redemption`.
        issued: One row an issued coupon: ``user_id, coupon_id, issued`` (local day). A user who got a coupon several
            times may use it in the window of any issue. Or a list of :class:`Issuance`.
        coupons: The coupons.

    Returns:
        Frame with one row a redemption, in the order given: ``user_id, coupon_id, day``, one boolean column each for
        ``unknown_coupon, untargeted, outside_window, over_limit, below_minimum_spend``, and ``sound`` (none of them).
        Over the limit are those after the first ``per_user_limit`` of a user, by day.

    Raises:
        ConfigError: If a column is missing or a day cannot be read.

    Examples:
        >>> import pandas as pd
        >>> from commlife.coupons import Coupon
        >>> issued = pd.DataFrame({"user_id": ["u1"], "coupon_id": ["c"], "issued": ["2025-01-01"]})
        >>> used = pd.DataFrame({"user_id": ["u1", "u2"], "coupon_id": ["c", "c"], "day": ["2025-01-03", "2025-01-03"]})
        >>> table = audit_redemptions(used, issued, [Coupon(coupon_id="c", amount=5, valid_days=7)])
        >>> table["untargeted"].tolist(), table["sound"].tolist()
        ([False, True], [True, False])
    """
    what = "audit_redemptions"
    ledger = Ledger(coupons, what)
    redemptions, issued = as_frame(redemptions, Redemption), as_frame(issued, Issuance)
    # A week without redemptions is a fact, and nothing issued makes each of them untargeted.
    used = wide_frame(redemptions, ["user_id", "coupon_id", "day"], what, optional=["amount"], may_be_empty=True)
    given = wide_frame(issued, ["user_id", "coupon_id", "issued"], what, may_be_empty=True)
    table = pd.DataFrame(
        {
            "user_id": identifiers(used, "user_id", what),
            "coupon_id": coupon_texts(used, what),
            "day": day_column(used, "day", what),
        }
    )
    place = ledger.places(table["coupon_id"])
    issues = pd.DataFrame(
        {
            "user_id": identifiers(given, "user_id", what),
            "coupon_id": coupon_texts(given, what),
            "start": day_column(given, "issued", what),
        }
    )
    table["row"] = np.arange(len(table))
    pairs = table.merge(issues, on=["user_id", "coupon_id"], how="inner")
    spot = ledger.places(pairs["coupon_id"])
    start, day = pairs["start"].to_numpy(dtype=np.float64), pairs["day"].to_numpy(dtype=np.float64)
    fits = (
        (day >= start) & (day >= ledger.first_days(spot, start)) & (day <= ledger.last_days(spot, start)) & (spot >= 0)
    )
    rows = pairs["row"].to_numpy()
    targeted, inside = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    targeted[rows] = True
    inside[rows[fits]] = True
    result = table[["user_id", "coupon_id"]].assign(
        day=table["day"].to_numpy().astype(np.int64).astype("datetime64[D]").astype("datetime64[us]")
    )
    known = place >= 0
    result["unknown_coupon"] = ~known
    result["untargeted"] = known & ~targeted
    result["outside_window"] = known & targeted & ~inside
    limits = np.array([np.inf if c.per_user_limit is None else c.per_user_limit for c in ledger.coupons])
    turn = table.sort_values("day", kind="stable").groupby(["user_id", "coupon_id"], dropna=False).cumcount()
    result["over_limit"] = known & (turn.sort_index().to_numpy() >= limits[place])
    minimum = np.array([c.minimum_spend for c in ledger.coupons])
    low = _spent(used, what) < minimum[place] - 1e-9 if "amount" in used.columns else np.zeros(len(table), dtype=bool)
    result["below_minimum_spend"] = known & low
    result["sound"] = ~result[list(FAULTS)].any(axis=1)
    return result


def _spent(used: Any, what: str) -> Any:
    """Amounts of the baskets; one that is not known is infinite, so that it is not below any minimum."""
    series = used["amount"]
    missing = series.is_null().to_numpy().astype(bool)
    if not missing.any():
        return number_column(used, "amount", what)
    amounts = np.full(len(missing), np.inf)
    if not missing.all():
        amounts[~missing] = number_column(used.filter(~series.is_null()), "amount", what)
    return amounts
