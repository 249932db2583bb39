"""Holdout: what became of the users of the test snapshot, by forecast; lift and profit are read off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._text.notebook import Shown
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Holdout", "Profit"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Runs of equal forecasts are put together until each holds this share of the users: a curve of a thousand points.
_FINEST = 1_000
_RESAMPLES = 1_000


@dataclass(frozen=True, eq=False)
class Holdout:
    """Users of the test snapshot in bins by forecast, the riskiest first; equal forecasts share a bin.

    Attributes:
        users: Users of each bin.
        forecast: Their mean forecast.
        silent: Number of them that fell silent.
        lowest: Least forecast of the bin.
    """

    users: Array
    forecast: Array
    silent: Array
    lowest: Array

    @classmethod
    def of(cls, p: Array, silent: Array) -> Holdout:
        """Bins of forecasts and their outcomes."""
        values, run = np.unique(-p, return_inverse=True)
        counts = np.bincount(run).astype(np.float64)
        # A run goes to the bin in which its first user stands, so that a bin never splits a run.
        start = np.cumsum(counts) - counts
        bin_of = np.unique((start * _FINEST // max(len(p), 1)).astype(np.int64), return_inverse=True)[1]
        mine = bin_of[run]
        bins = int(bin_of.max(initial=-1)) + 1
        users = np.bincount(mine, minlength=bins).astype(np.float64)
        lowest = np.full(bins, np.inf)
        np.minimum.at(lowest, bin_of, -values)
        forecast, fell = np.bincount(mine, p, bins) / users, np.bincount(mine, silent, bins).astype(np.float64)
        return cls(users, forecast, fell, lowest)

    @property
    def size(self) -> float:
        """Number of users."""
        return float(self.users.sum())

    def tenths(self) -> pd.DataFrame:
        """``tenth, users, p_silent, silent``: mean forecast and share that fell silent by tenth, least risk first."""
        middle = self.size - (np.cumsum(self.users) - self.users / 2)
        frame = pd.DataFrame(
            {
                "tenth": np.minimum((middle * 10 // self.size).astype(np.int64), 9) + 1,
                "users": self.users,
                "p_silent": self.forecast * self.users,
                "silent": self.silent,
            }
        )
        told = frame.groupby("tenth", as_index=False).sum()
        return told.assign(
            users=told["users"].astype(np.int64),
            p_silent=told["p_silent"] / told["users"],
            silent=told["silent"] / told["users"],
        )

    def draws(self, seed: int, resamples: int = _RESAMPLES) -> tuple[Array, Array]:
        """Users and silent users by bin in resamples of the users, ``(resamples, bins)`` each."""
        cells = np.concatenate([self.silent, self.users - self.silent]) / self.size
        rng = np.random.default_rng([seed, 4])
        drawn = rng.multinomial(int(self.size), cells / cells.sum(), size=resamples).astype(np.float64)
        fell, stayed = drawn[:, : len(self.users)], drawn[:, len(self.users) :]
        return fell + stayed, fell

    def lift(self, seed: int) -> pd.DataFrame:
        """``share, users, found, lift, low, high, cap``: how much likelier the riskiest share fell silent than all."""
        share = np.cumsum(self.users) / self.size
        base = self.silent.sum() / self.size
        users, fell = self.draws(seed)
        drawn_base = fell.sum(axis=1, keepdims=True) / users.sum(axis=1, keepdims=True)
        reached = np.cumsum(users, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = np.cumsum(fell, axis=1) / reached / drawn_base
        low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
        found = np.cumsum(self.silent)
        return pd.DataFrame(
            {
                "share": share, "users": np.cumsum(self.users).astype(np.int64), "found": found / self.silent.sum(),
                "lift": found / np.cumsum(self.users) / base, "low": low, "high": high,
                "cap": np.minimum(1 / base, 1 / share),
            }
        )  # fmt: skip

    def profit(self, *, value: float, kept: float, cost: float, seed: int, day: str) -> Profit:
        """Profit of contacting the riskiest users; see :meth:`FittedSilenceModel.profit`."""
        gain = value * kept
        users, fell = self.draws(seed)
        curve = np.concatenate([[0.0], np.cumsum(gain * self.silent - cost * self.users)])
        drawn = np.column_stack([np.zeros(len(users)), np.cumsum(gain * fell - cost * users, axis=1)])
        best = int(curve.argmax())
        chosen = drawn.argmax(axis=1)
        # A cut chosen on these users looks better on them than it is: by as much as one chosen on a resample does.
        optimism = float((drawn.max(axis=1) - curve[chosen]).mean())
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        share = np.concatenate([[0.0], np.cumsum(self.users) / self.size])
        ends = np.quantile(share[chosen], [0.025, 0.975], method="inverted_cdf")
        lowest = np.concatenate([[np.nan], self.lowest])
        frame = pd.DataFrame(
            {
                "share": share, "users": np.rint(share * self.size).astype(np.int64), "p_from": lowest,
                "profit": curve, "low": low, "high": high,
            }
        )  # fmt: skip
        return Profit(
            curve=frame,
            users=int(self.size),
            day=day,
            best_share=float(share[best]),
            best_share_low=float(ends[0]),
            best_share_high=float(ends[1]),
            p_from=float(lowest[best]),
            break_even=cost / gain,
            profit=float(curve[best]) - (optimism if best else 0.0),
            profit_low=float(low[best]) - (optimism if best else 0.0),
            profit_high=float(high[best]) - (optimism if best else 0.0),
            profit_all=float(curve[-1]),
        )


@dataclass(frozen=True, eq=False)
class Profit(Shown):
    """What contacting the riskiest users would have brought on the test snapshot, by the caller's own costs.

    Attributes:
        curve: ``share`` contacted, ``users``, ``p_from`` (the least forecast among them), ``profit`` with its 95%
            interval ``low, high`` (bootstrap over users), in the caller's money.
        users: Users of the test snapshot.
        day: The test snapshot.
        best_share: Share of the users at which the curve is highest; 0 where contact does not pay at all.
        best_share_low: Lower end of its 95% interval.
        best_share_high: Upper end.
        p_from: The least forecast within the best share (NaN where it is 0).
        break_even: Forecast from which on a contact pays, were forecasts exact: cost / (value x share kept).
        profit: Profit at the best share, less what choosing it on the same users flatters it by.
        profit_low: Lower end of its interval.
        profit_high: Upper end.
        profit_all: Profit of contacting everybody.
    """

    curve: pd.DataFrame
    users: int
    day: str
    best_share: float
    best_share_low: float
    best_share_high: float
    p_from: float
    break_even: float
    profit: float
    profit_low: float
    profit_high: float
    profit_all: float

    @property
    def sentence(self) -> str:
        """What follows, in English."""
        if self.best_share == 0 or self.profit <= 0:
            return (
                f"At these costs no contact pays for itself (break-even at a probability of {self.break_even:.2f}; "
                f"{self.users:,} users at {self.day})."
            )
        return (
            f"Contact the riskiest {self.best_share:.0%} of users [{self.best_share_low:.0%}, "
            f"{self.best_share_high:.0%}], from a probability of {self.p_from:.2f} on: profit {self.profit:,.0f} "
            f"[{self.profit_low:,.0f}, {self.profit_high:,.0f}] on {self.users:,} users, {self.profit_all:,.0f} if all "
            f"are contacted (break-even by the forecast alone: {self.break_even:.2f}; {self.day})."
        )

    @property
    def sentence_zh(self) -> str:
        """What follows, in Chinese."""
        if self.best_share == 0 or self.profit <= 0:
            return (
                f"按此成本，联系任何用户都不划算（盈亏平衡概率 {self.break_even:.2f}；"
                f"{self.day}，{self.users:,} 名用户）。"
            )
        return (
            f"联系风险最高的 {self.best_share:.0%} 用户 [{self.best_share_low:.0%}，{self.best_share_high:.0%}]"
            f"（概率不低于 {self.p_from:.2f}）：{self.users:,} 名用户的利润为 {self.profit:,.0f} "
            f"[{self.profit_low:,.0f}，{self.profit_high:,.0f}]，全部联系为 {self.profit_all:,.0f}"
            f"（盈亏平衡概率 {self.break_even:.2f}；{self.day}）。"
        )

    def to_frame(self) -> pd.DataFrame:
        """The curve."""
        return self.curve.copy()

    def __repr__(self) -> str:
        return f"Profit({self.sentence})"

    def plot(self, ax: Axes | None = None, *, lang: str = "en") -> Axes:
        """Profit by the share contacted, with its interval and the best cut."""
        from commlife.churn.figures import draw_profit

        return draw_profit(self, ax, lang)


def positive(value: Any, name: str, *, most: float = np.inf) -> float:
    """A finite number above 0.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < float(value) <= most:
        bound = "" if most == np.inf else f" and at most {most:g}"
        raise ConfigError(f"profit: {name} is a number above 0{bound}; seen {value!r:.40}.")
    if not np.isfinite(value):
        raise ConfigError(f"profit: {name} is finite; seen {value!r:.40}.")
    return float(value)
