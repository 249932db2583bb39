"""Horizon: how long a silence is long, told by how soon users come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._engine import NONE_BEFORE
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.orders import OrderLog

__all__ = ["SuggestedHorizon", "suggest_horizon"]

_LEAST_RETURNS = 100


@dataclass(frozen=True)
class SuggestedHorizon(Shown):
    """A horizon and the curve it was read from.

    Attributes:
        horizon: The suggestion in whole weeks, such as ``"28D"``.
        comes_back_later: Of users silent for the horizon, the share that orders within as many days again as the curve
            reaches: they are silent, not lost.
        curve: ``days, returned`` (share of order days followed by another within so many days, Kaplan-Meier),
            ``at_risk`` (order days watched that long).
        sentence: What it says.
    """

    horizon: str
    comes_back_later: float
    curve: pd.DataFrame
    sentence: str

    def __repr__(self) -> str:
        return f"SuggestedHorizon({self.horizon}. {self.sentence})"

    def to_frame(self) -> pd.DataFrame:
        """The curve."""
        return self.curve.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """The return curve, with the horizon marked."""
        from commlife.churn.figures import draw_horizon

        return draw_horizon(self, ax)


def suggest_horizon(log: OrderLog, *, as_of: Timestamp, share: float = 0.9) -> SuggestedHorizon:
    """Suggest a horizon from the gaps between order days.

    The suggestion is the least number of whole weeks within which ``share`` of all returns that the log can show have
    happened (Kaplan & Meier 1958: a gap that is still open at ``as_of`` counts as long as it was watched).

    Args:
        log: The order log.
        as_of: The local business day before which orders count.
        share: Share of the returns.

    Raises:
        ConfigError: If ``share`` is no share in (0, 1).
        InsufficientDataError: If the log holds fewer than 100 returns.

    Examples:
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=200, seed=1)
        >>> suggest_horizon(community.log, as_of=community.as_of).horizon
        '21D'
    """
    need_log(log, "suggest_horizon")
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ConfigError(f"suggest_horizon: share lies in (0, 1), such as 0.9; seen {share!r:.40}.")
    day = day_number(as_of)
    counting = log._orders(day).filter(nw.col("counts"))
    days = counting.select("user_id", "day").unique()
    gaps = _engine.with_previous(days, "day", by="user_id", into="previous").with_columns(
        (nw.col("day") - nw.col("previous")).alias("gap")
    )
    closed = gaps.filter(nw.col("previous") > NONE_BEFORE).group_by("gap").agg(nw.len().alias("n"))
    last = days.group_by("user_id").agg(nw.col("day").max().alias("day"))
    watched = last.with_columns((day - 1 - nw.col("day")).alias("gap")).group_by("gap").agg(nw.len().alias("n"))
    returns, still_open = _engine.collect(closed), _engine.collect(watched)
    if returns["n"].sum() < _LEAST_RETURNS:
        raise InsufficientDataError(
            f"suggest_horizon needs at least {_LEAST_RETURNS} returns, the log holds {int(returns['n'].sum())} before "
            f"{as_of}. Use a later as_of."
        )
    curve = _kaplan_meier(returns, still_open)
    final = float(curve["returned"].iloc[-1])
    reached = int(curve.loc[curve["returned"] >= share * final, "days"].iloc[0])
    weeks = 7 * -(-reached // 7)
    by_then = float(curve.loc[curve["days"] <= weeks, "returned"].iloc[-1])
    later = (final - by_then) / (1.0 - by_then) if by_then < 1 else 0.0
    sentence = (
        f"{share:.0%} of the returns that the log can show come within {weeks} days; of users silent that long, "
        f"{later:.0%} still order within {int(curve['days'].iloc[-1])} days: call them silent, not lost."
    )
    return SuggestedHorizon(f"{weeks}D", later, curve, sentence)


def _kaplan_meier(returns: pd.DataFrame, still_open: pd.DataFrame) -> pd.DataFrame:
    """Share returned by days since an order day; days with fewer than 30 gaps still watched are left out."""
    longest = int(max(returns["gap"].max(), still_open["gap"].max()))
    back = np.bincount(returns["gap"].to_numpy(dtype=np.int64), weights=returns["n"], minlength=longest + 1)
    gone = np.bincount(still_open["gap"].to_numpy(dtype=np.int64), weights=still_open["n"], minlength=longest + 1)
    total: Any = back.sum() + gone.sum()
    # A gap that is still open on its d-th day was watched through that day.
    at_risk = total - np.concatenate([[0.0], np.cumsum(back + gone)[:-1]])
    stayed = np.cumprod(1.0 - np.divide(back, at_risk, out=np.zeros_like(back), where=at_risk > 0))
    curve = pd.DataFrame(
        {"days": np.arange(longest + 1), "returned": 1.0 - stayed, "at_risk": at_risk.astype(np.int64)}
    )
    return curve[curve["at_risk"] >= min(30, int(total))].reset_index(drop=True)
