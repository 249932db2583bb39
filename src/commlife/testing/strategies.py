"""Hypothesis strategies for order exports: small, nasty, and valid."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from hypothesis import note
from hypothesis import strategies as st

from commlife.errors import ConfigError
from commlife.orders import OrderLog
from commlife.testing._examples import as_code

__all__ = ["ENGINES", "Engine", "in_engine", "order_frames", "order_logs", "user_name"]

Engine = Literal["pandas", "polars", "polars_lazy", "pyarrow", "duckdb"]
#: The kinds of frame that a log can be made over here.
ENGINES: tuple[str, ...] = get_args(Engine)

#: Users that trip up careless code: look-alikes, composed accents, blanks, right-to-left, emoji, digits, a formula.
_USERS = ("u1", "u2", "U1", "\u00e9", "e\u0301", "ß", "ss", "甲", "a b", " a b", "שלום", "😀", "007", "7", "=1+1")
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
    proxies: bool = False,
    odd_names: bool = True,
    n_communities: int = 3,
    start: str = "2025-01-01",
    days: int = 120,
    timezone: str = "Asia/Shanghai",
    aware: bool = False,
) -> pd.DataFrame:
    """Valid order lines under canonical names, as a pandas frame.

    Args:
        draw: Given by Hypothesis.
        min_rows: Least number of lines.
        max_rows: Largest number of lines.
        min_users: Least number of distinct users.
        refunds: Whether negative lines occur, within an order and alone.
        ties: Whether lines share times and amounts and whole lines stand twice.
        proxies: Whether there is a column address_id, and a user who orders for several addresses.
        odd_names: Whether users have look-alike, accented, right-to-left and other awkward names.
        n_communities: Number of communities.
        start: First day.
        days: Length of the log in days.
        timezone: The zone of the business days; moments around its changes of the clock are drawn more often.
        aware: Whether times carry their zone (as moments of UTC) instead of being naive local ones.

    Returns:
        A strategy for frames with user_id, order_id, ordered_at, amount, quantity, item_id, category, community.
    """
    n = draw(st.integers(max(min_rows, min_users), max(max_rows, min_users)))
    n_users = draw(st.integers(min_users, max(min_users, min(len(_USERS), n))))
    owners = [*range(n_users), *draw(st.lists(st.integers(0, n_users - 1), min_size=n - n_users, max_size=n - n_users))]
    last = days * 1_440 - 1
    turns = st.sampled_from([m for m in (*_TURNS, *_clock_changes(start, days, timezone)) if m <= last])
    minutes = draw(st.lists(st.one_of(st.integers(0, last), turns), min_size=n, max_size=n))
    low = -20_000 if refunds else 0
    cents = st.one_of(st.integers(low, 20_000), st.sampled_from([0, 1, 10, 30, 100, 1_000_000]))
    amounts = draw(st.lists(cents, min_size=n, max_size=n))
    orders = draw(st.lists(st.integers(0, max(0, n // 2)), min_size=n, max_size=n))
    items = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    places = draw(st.lists(st.integers(0, n_communities - 1), min_size=n_users, max_size=n_users))
    at = pd.Series(pd.Timestamp(start).as_unit("us") + pd.to_timedelta(minutes, unit="min"))
    if aware:
        at = at.dt.tz_localize(timezone, ambiguous=np.zeros(n, dtype=bool), nonexistent="shift_forward")
        at = at.dt.tz_convert("UTC")
    frame = pd.DataFrame(
        {
            "user_id": [user_name(owner, odd=odd_names) for owner in owners],
            "order_id": orders,
            "ordered_at": at,
            "amount": np.array(amounts, dtype=np.float64) / 100,
            "quantity": [1.0 + item for item in items],
            "item_id": [f"item-{item}" for item in items],
            "category": [f"category-{item // 2}" for item in items],
            "community": [f"community-{places[owner]}" for owner in owners],
        }
    )
    if proxies:
        # The first account orders for its neighbours: an address an order; everybody else has one of their own.
        frame["address_id"] = [
            f"address-{order}" if owner == 0 else f"home-{owner}" for owner, order in zip(owners, orders, strict=True)
        ]
    if ties:
        again = draw(st.lists(st.integers(0, n - 1), max_size=3))
        frame = pd.concat([frame, frame.iloc[again]], ignore_index=True)
    return frame


def user_name(owner: int, *, odd: bool) -> str:
    """The name of a user by its number; odd names look alike, carry accents or read as formulas."""
    if not odd:
        return f"u{owner:03d}"
    return _USERS[owner % len(_USERS)] + ("" if owner < len(_USERS) else str(owner))


def _clock_changes(start: str, days: int, timezone: str) -> list[int]:
    """Minutes since ``start`` at which the zone's clocks change, with their neighbours; few zones have any."""
    zone = zoneinfo.ZoneInfo(timezone)
    first = dt.datetime.fromisoformat(start).replace(tzinfo=zone)
    noons = [(first + dt.timedelta(days=day, hours=12)).utcoffset() for day in range(-1, days)]
    changed = [day for day, (before, after) in enumerate(pairwise(noons)) if before != after]
    return [day * 1_440 + minute for day in changed for minute in (0, 59, 60, 119, 120, 150, 179, 180)]


@st.composite
def order_logs(draw: st.DrawFn, /, *, engine: Engine = "pandas", **tuning: Any) -> OrderLog:
    """An :class:`~commlife.OrderLog` over :func:`order_frames`; a failing one is shown as code to paste.

    Args:
        draw: Given by Hypothesis.
        engine: The kind of frame under the log: ``"pandas"``, ``"polars"``, ``"polars_lazy"``, ``"pyarrow"`` or
            ``"duckdb"``.
        **tuning: The arguments of :func:`order_frames`.
    """
    frame = draw(order_frames(**tuning))
    zone = tuning.get("timezone", "Asia/Shanghai")
    note(f"frame = {as_code(frame)}\nlog = {_call(frame, zone)}")
    return log_of(frame, timezone=zone, engine=engine)


def log_of(frame: pd.DataFrame, *, timezone: str = "Asia/Shanghai", engine: Engine = "pandas") -> OrderLog:
    """The log of a frame whose columns have canonical names."""
    names: dict[str, Any] = {str(name): str(name) for name in frame.columns}
    return OrderLog.from_frame(in_engine(frame, engine), timezone=timezone, **names)


def _call(frame: pd.DataFrame, timezone: str) -> str:
    names = ", ".join(f"{name}={name!r}" for name in frame.columns)
    return f"cl.OrderLog.from_frame(frame, {names}, timezone={timezone!r})"


def in_engine(frame: pd.DataFrame, engine: Engine) -> Any:
    """A pandas frame as another kind of frame, to run one test on each engine.

    Args:
        frame: The frame.
        engine: One of ``"pandas"``, ``"polars"``, ``"polars_lazy"``, ``"pyarrow"``, ``"duckdb"``. DuckDB gets a
            connection of its own.

    Raises:
        ConfigError: If the engine is none of these.

    Examples:
        >>> import pandas as pd
        >>> in_engine(pd.DataFrame({"user_id": ["a"]}), "pyarrow").num_rows
        1
    """
    if engine == "pandas":
        return frame
    if engine in ("polars", "polars_lazy"):
        import polars as pl

        eager = pl.from_pandas(frame)
        return eager.lazy() if engine == "polars_lazy" else eager
    if engine == "pyarrow":
        import pyarrow as pa

        return pa.Table.from_pandas(frame, preserve_index=False)
    if engine == "duckdb":
        import duckdb

        return duckdb.connect().from_df(frame)
    raise ConfigError.unknown_name("engine", engine, ENGINES)
