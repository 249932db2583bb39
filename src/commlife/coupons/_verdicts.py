"""Verdicts: for each user of a plan the coupon, or the one reason that kept it away, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from commlife.coupons.targeting import RULES_ZH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats
    from commlife.coupons._users import Users
    from commlife.coupons.targeting import Lang, Proposal

__all__ = ["Kept", "verdicts"]

_WORDS = {
    "holdout": ("held out, to measure what the plan does", "留作对照组，用于衡量效果"),
    "resting": ("got a coupon only {days} days ago", "{days}天前刚发过券"),
    "capped": ("has had as many coupons as one may have in this time", "近期领券次数已达上限"),
    "no_rule": ("no rule applies", "不符合任何规则"),
    "no_gain": ("no gain is expected from a coupon", "预计发券无收益"),
    "budget": (
        "qualifies for {rule}, but the budget does more with others",
        "符合规则（{rule}），但预算用于收益更高的用户",
    ),
}

#: Who is held out, who rests, who has had enough, who is tapered, and the days since the last coupon.
Kept = tuple["NDArray[np.bool_]", "NDArray[np.bool_]", "NDArray[np.bool_]", "NDArray[np.bool_]", "Floats"]


def verdicts(
    table: Users,
    names: list[str],
    proposals: list[Proposal],
    choice: NDArray[np.int64],
    audit: pd.DataFrame,
    states: Kept,
    lang: Lang,
) -> pd.DataFrame:
    """One row a user: the coupon, or the first reason that kept it away."""
    size = len(table)
    rank = {
        "given": 0,
        "holdout": 1,
        "resting": 2,
        "capped": 3,
        "tapered": 4,
        "budget": 5,
        "no_gain": 6,
        "other_rule": 7,
    }
    first = audit.assign(rank=audit["outcome"].map(rank)).sort_values("rank", kind="stable")
    first = first[~first.index.duplicated()].reindex(range(size))
    outcome = first["outcome"].fillna("no_rule").astype(object)
    rule = first["rule"].astype(object).where(first["rule"].notna(), None)
    blocking = {name for name, proposal in zip(names, proposals, strict=True) if proposal.blocks}
    words = {key: pair[0 if lang == "en" else 1] for key, pair in _WORDS.items()}
    reason = outcome.map(words).astype(object)
    days = pd.Series(np.nan_to_num(states[4]).astype(np.int64)).astype(str)
    resting, budget = outcome == "resting", outcome == "budget"
    head, tail = words["resting"].split("{days}")
    reason[resting] = head + days[resting] + tail
    head, tail = words["budget"].split("{rule}")
    reason[budget] = head + (rule[budget] if lang == "en" else rule[budget].map(RULES_ZH)) + tail
    coupon = pd.Series([None] * size, dtype=object)
    cost = np.zeros(size)
    for place, (name, proposal) in enumerate(zip(names, proposals, strict=True)):
        mine = choice == place
        reason[mine] = proposal.reason[mine]
        coupon[mine] = proposal.coupon_id[mine]
        cost = np.where(mine, proposal.expected_cost, cost)
        if name in blocking:
            tapered = (outcome == "tapered").to_numpy() & proposal.matched
            reason[tapered] = proposal.reason[tapered]
            rule[tapered] = name
    return pd.DataFrame(
        {
            "user_id": table.ids.to_numpy(),
            "coupon_id": coupon,
            "rule": rule,
            "outcome": outcome,
            "reason": reason,
            "expected_cost": cost,
        }
    )
