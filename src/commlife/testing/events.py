"""Strategies for what happens around orders: steps of a funnel, invitations."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from hypothesis import strategies as st

from commlife.errors import ConfigError
from commlife.testing.strategies import user_name

__all__ = ["event_frames", "invitation_frames"]

_FIRST = pd.Timestamp("2025-01-01").as_unit("us")


@st.composite
def event_frames(
    draw: st.DrawFn,
    *,
    steps: Sequence[str] = ("visit", "register", "order"),
    max_users: int = 8,
    max_events: int = 40,
    days: int = 60,
    ties: bool = True,
    in_order: bool = False,
    odd_names: bool = True,
) -> pd.DataFrame:
    """Events as :func:`commlife.funnel` and ``business_metrics(events=)`` take them: rows in no order, steps left out.

    Args:
        draw: Given by Hypothesis.
        steps: Names of the events, in the order of the funnel.
        max_users: Largest number of users.
        max_events: Largest number of events.
        days: Length in days from 2025-01-01 on.
        ties: Whether events of one user share a moment, and whole rows stand twice.
        in_order: Whether each user goes through the steps in their order, from the first as far as it goes, once.
        odd_names: Whether users have look-alike, accented, right-to-left and other awkward names.

    Returns:
        A strategy for frames with ``user_id, event, time`` (naive local times).

    Raises:
        ConfigError: If no step is named.
    """
    if isinstance(steps, str) or not steps:
        raise ConfigError(f"steps are the names of events, one or more; seen {steps!r:.60}. Give a list of them.")
    n_users = draw(st.integers(1, max_users))
    last = days * 1_440 - 1
    rows: list[tuple[str, str, int]] = []
    if in_order:
        for user in range(n_users):
            reached = draw(st.integers(1, len(steps)))
            moments = sorted(draw(st.lists(st.integers(0, last), min_size=reached, max_size=reached, unique=not ties)))
            rows += [(user_name(user, odd=odd_names), step, at) for step, at in zip(steps, moments, strict=False)]
    else:
        n = draw(st.integers(1, max_events))
        moment = st.one_of(st.integers(0, last), st.sampled_from([0, 1_439, 1_440])) if ties else st.integers(0, last)
        moments = draw(st.lists(moment, min_size=n, max_size=n, unique=not ties))
        users = draw(st.lists(st.integers(0, n_users - 1), min_size=n, max_size=n))
        names = draw(st.lists(st.sampled_from(list(steps)), min_size=n, max_size=n))
        rows = [(user_name(u, odd=odd_names), name, at) for u, name, at in zip(users, names, moments, strict=True)]
        if ties:
            rows += [rows[place] for place in draw(st.lists(st.integers(0, n - 1), max_size=2))]
    return _frame(draw(st.permutations(rows)), ["user_id", "event", "time"])


@st.composite
def invitation_frames(
    draw: st.DrawFn, *, max_users: int = 8, max_invitations: int = 20, days: int = 60, odd_names: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Invitations and who joined, as :func:`commlife.k_factor` takes them.

    Some invite themselves, some are invited twice or by several, some never join, some had joined before.

    Args:
        draw: Given by Hypothesis.
        max_users: Largest number of people.
        max_invitations: Largest number of invitations.
        days: Length in days from 2025-01-01 on.
        odd_names: Whether users have look-alike, accented, right-to-left and other awkward names.

    Returns:
        A strategy for pairs of frames: invitations ``inviter, invitee, time``, and ``user_id, time`` of those who
        joined, each once.
    """
    n_users = draw(st.integers(1, max_users))
    last = days * 1_440 - 1
    people = [user_name(user, odd=odd_names) for user in range(n_users)]
    one = st.tuples(st.sampled_from(people), st.sampled_from(people), st.integers(0, last))
    sent = draw(st.lists(one, min_size=1, max_size=max_invitations))
    members = draw(st.lists(st.sampled_from(people), min_size=1, max_size=n_users, unique=True))
    joined = [(name, draw(st.integers(0, last))) for name in members]
    return _frame(sent, ["inviter", "invitee", "time"]), _frame(joined, ["user_id", "time"])


def _frame(rows: Sequence[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=columns)
    frame["time"] = _FIRST + pd.to_timedelta(frame["time"], unit="min")
    return frame
