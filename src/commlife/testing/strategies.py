"""Hypothesis strategies for order exports: small, nasty, and valid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from commlife.orders import OrderLog

__all__ = ["order_frames", "order_logs"]

#: Users that trip up careless code: look-alikes, composed accents, blanks, right-to-left, emoji, digits.
_USERS = ("u1", "u2", "U1", "é", "é", "ß", "ss", "甲", "a b", " a b", "שלום", "😀", "007", "7", "=1+1")
#: Moments around which days, months and weeks turn, as minutes since 2025-01-01.
_TURNS = (0, 1_439, 1_440, 44_639, 44_640, 7_199, 7_200, 84_959, 84_960)


@st.composite
def order_frames(
    draw: st.DrawFn,
    *,
    min_rows: int = 1,
    max_rows: int = 30,
    min_users: int = 1,
    refunds: bool = True,
    ties: bool = True,
    n_communities: int = 3,
    start: str = "2025-01-01",
    days: int = 120,
) -> pd.DataFrame:
    """Valid order lines under canonical names, as a pandas frame.

    Args:
        draw: Given by Hypothesis.
        min_rows: Least number of lines.
        max_rows: Largest number of lines.
        min_users: Least number of distinct users.
        refunds: Whether negative lines occur, within an order and alone.
        ties: Whether lines share times and amounts and whole lines stand twice.
        n_communities: Number of communities.
        start: First day.
        days: Length of the log in days.

    Returns:
        A strategy for frames with user_id, order_id, ordered_at, amount, quantity, item_id, category, community.
    """
    n = draw(st.integers(max(min_rows, min_users), max(max_rows, min_users)))
    n_users = draw(st.integers(min_users, max(min_users, min(len(_USERS), n))))
    owners = [*range(n_users), *draw(st.lists(st.integers(0, n_users - 1), min_size=n - n_users, max_size=n - n_users))]
    last = days * 1_440 - 1
    turns = st.sampled_from([minute for minute in _TURNS if minute <= last])
    minutes = draw(st.lists(st.one_of(st.integers(0, last), turns), min_size=n, max_size=n))
    low = -20_000 if refunds else 0
    cents = st.one_of(st.integers(low, 20_000), st.sampled_from([0, 1, 10, 30, 100, 1_000_000]))
    amounts = draw(st.lists(cents, min_size=n, max_size=n))
    orders = draw(st.lists(st.integers(0, max(0, n // 2)), min_size=n, max_size=n))
    items = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    places = draw(st.lists(st.integers(0, n_communities - 1), min_size=n_users, max_size=n_users))
    frame = pd.DataFrame(
        {
            "user_id": [_USERS[owner % len(_USERS)] + ("" if owner < len(_USERS) else str(owner)) for owner in owners],
            "order_id": orders,
            "ordered_at": pd.Timestamp(start).as_unit("us") + pd.to_timedelta(minutes, unit="min"),
            "amount": np.array(amounts, dtype=np.float64) / 100,
            "quantity": [1.0 + item for item in items],
            "item_id": [f"item-{item}" for item in items],
            "category": [f"category-{item // 2}" for item in items],
            "community": [f"community-{places[owner]}" for owner in owners],
        }
    )
    if ties:
        again = draw(st.lists(st.integers(0, n - 1), max_size=3))
        frame = pd.concat([frame, frame.iloc[again]], ignore_index=True)
    return frame


@st.composite
def order_logs(draw: st.DrawFn, /, **tuning: Any) -> OrderLog:
    """An :class:`~commlife.OrderLog` over :func:`order_frames`; takes the same arguments."""
    return log_of(draw(order_frames(**tuning)))


def log_of(frame: pd.DataFrame) -> OrderLog:
    """The log of a frame whose columns have canonical names."""
    names: dict[str, Any] = {str(name): str(name) for name in frame.columns}
    return OrderLog.from_frame(frame, **names)
