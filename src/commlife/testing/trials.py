"""Strategies for randomised trials whose effects are known."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from hypothesis import strategies as st

__all__ = ["trial_frames"]


@st.composite
def trial_frames(
    draw: st.DrawFn,
    *,
    effects: Mapping[str, int] | None = None,
    min_users: int = 8,
    max_users: int = 60,
    n_communities: int = 3,
) -> pd.DataFrame:
    """A trial as a pandas frame, one row a user: whatever the arm adds, it adds to everybody in it alike.

    Args:
        draw: Given by Hypothesis.
        effects: What each arm adds to the outcome (default: ``{"control": 0, "coupon": 3}``). Every arm holds two
            users or more.
        min_users: Least number of users.
        max_users: Largest number of users.
        n_communities: Number of communities.

    Returns:
        A strategy for frames with ``user_id, community, arm, covariate`` (known before the trial), ``baseline`` (the
        outcome without any treatment, which no real trial shows) and ``outcome`` (the baseline plus the arm's effect),
        numbers whole, so that sums are exact.
    """
    adds = {"control": 0, "coupon": 3} if effects is None else dict(effects)
    arms = list(adds)
    n = draw(st.integers(max(min_users, 2 * len(arms)), max(max_users, min_users, 2 * len(arms))))
    rest = n - 2 * len(arms)
    drawn = draw(st.lists(st.sampled_from(arms), min_size=rest, max_size=rest))
    arm = draw(st.permutations([*arms, *arms, *drawn]))
    covariate = draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    luck = draw(st.lists(st.integers(-5, 20), min_size=n, max_size=n))
    place = draw(st.lists(st.integers(0, n_communities - 1), min_size=n, max_size=n))
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i:03d}" for i in range(n)],
            "community": [f"community-{p}" for p in place],
            "arm": arm,
            "covariate": covariate,
            "baseline": [c // 5 + extra for c, extra in zip(covariate, luck, strict=True)],
        }
    )
    return frame.assign(outcome=frame["baseline"] + frame["arm"].map(adds))
