"""Strategies for coupon campaigns with planted faults."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from hypothesis import strategies as st

from commlife.coupons import Coupon

__all__ = ["CampaignLog", "campaign_logs"]

_FIRST = pd.Timestamp("2025-03-01").as_unit("us")
#: What can be wrong about a redemption, and "sound".
_KINDS = ("sound", "unknown_coupon", "untargeted", "outside_window")


@dataclass(frozen=True)
class CampaignLog:
    """A campaign's books, and what is wrong in them.

    Attributes:
        coupons: The coupons.
        issued: A row an issued coupon: ``user_id, coupon_id, issued``.
        redemptions: A row a redemption: ``user_id, coupon_id, day``.
        faults: What is wrong about each redemption, ``"sound"`` where nothing is.
    """

    coupons: tuple[Coupon, ...]
    issued: pd.DataFrame
    redemptions: pd.DataFrame
    faults: tuple[str, ...]


@st.composite
def campaign_logs(draw: st.DrawFn, *, max_users: int = 12, valid_days: int = 14) -> CampaignLog:
    """The log of a campaign: each user gets at most one coupon and redeems at most once, some of them wrongly.

    Args:
        draw: Given by Hypothesis.
        max_users: Largest number of users.
        valid_days: Days for which a coupon is valid after its issue.

    Returns:
        A strategy for :class:`CampaignLog`.
    """
    coupons = tuple(
        Coupon(coupon_id=f"coupon-{face}", amount=face, valid_days=valid_days, per_user_limit=1) for face in (3, 5, 8)
    )
    n = draw(st.integers(1, max_users))
    issued, used, faults = [], [], []
    for user in (f"u{i:02d}" for i in range(n)):
        coupon = draw(st.sampled_from(coupons)).coupon_id
        day = draw(st.integers(0, 20))
        fault = draw(st.sampled_from(("none", *_KINDS)))
        late = draw(st.integers(0, 30))
        if fault != "untargeted":
            issued.append((user, coupon, _FIRST + pd.Timedelta(days=day)))
        if fault == "none":
            continue
        after = valid_days + 1 + late if fault == "outside_window" else late % valid_days
        name = "coupon-of-nobody" if fault == "unknown_coupon" else coupon
        used.append((user, name, _FIRST + pd.Timedelta(days=day + after)))
        faults.append(fault)
    return CampaignLog(
        coupons,
        pd.DataFrame(issued, columns=["user_id", "coupon_id", "issued"]),
        pd.DataFrame(used, columns=["user_id", "coupon_id", "day"]),
        tuple(faults),
    )
