"""The weekly job: a row a member, with its state, what to do next, and how long it has been away."""

from __future__ import annotations

from typing import Any

import commlife as cl


def members_this_week(log: cl.OrderLog, as_of: str) -> Any:
    """State, next action and recency of every member who ever paid before ``as_of``."""
    states = cl.Lifecycle(period="7D", silent_after=2, churned_after=8).fit(log, as_of=as_of).states
    recency = cl.RFM(n_bins=2).fit(log, as_of=as_of).transform(log, as_of=as_of)[["user_id", "recency_days"]]
    return states.merge(recency, on="user_id", how="left", validate="one_to_one")
