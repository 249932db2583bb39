"""Figures of stock: what runs out, and what does not sell; drawn from results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from commlife._figures.axes import finish, new_axes
from commlife._figures.colours import ACCENT, BAD, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife._text import Language
    from commlife.metrics.stock import StockTable

__all__ = ["days_bars", "sold_dots"]

#: Stock for fewer days than this is told in the title and coloured: an order a week is the common rhythm.
_WEEK = 7
#: Items that sold less than this share are told in the title and coloured.
_HALF = 0.5

_DAYS = {
    "en": {"title": "{short} of {items} items last less than a week", "across": "days of stock at the pace of {as_of}",
           "left": "; {unsold} more did not sell", "none": "Nothing sold: no pace to go by", "gone": "gone"},
    "zh": {"title": "{items} 个商品中有 {short} 个不够卖一周", "across": "库存可售天数（按截至 {as_of} 的销售速度）",
           "left": "；另有 {unsold} 个没有销售", "none": "没有销售，无从估计速度", "gone": "已售空"},
}  # fmt: skip
_SOLD = {
    "en": {"title": "{low} of {items} items sold less than half of their stock", "across": "sold, of what was there",
           "left": "; of {unknown} more the stock is not known", "none": "Of no item is the stock known",
           "now": "period from {period}", "before": "the period before"},
    "zh": {"title": "{items} 个商品中有 {low} 个售出不足库存的一半", "across": "售罄率（已售 ÷ 可售）",
           "left": "；另有 {unknown} 个库存不明", "none": "所有商品的库存均不明",
           "now": "{period} 起的一期", "before": "上一期"},
}  # fmt: skip


def days_bars(stock: StockTable, top: int, *, ax: Axes | None, lang: Language) -> Axes:
    """Days that the stock of each item will last, the shortest at the top; see :meth:`StockTable.plot`."""
    words, table = _DAYS[lang], stock.table
    known = table[table["days_of_stock"].notna()]
    shown = known.head(top).iloc[::-1].reset_index(drop=True)
    ax = new_axes(ax, 8, 1.3 + 0.28 * max(len(shown), 1))
    days = shown["days_of_stock"].to_numpy(dtype=float)
    short = days < _WEEK
    ax.barh(np.arange(len(shown)), days, color=np.where(short, BAD, ACCENT).tolist(), height=0.7)
    for at, value in enumerate(days):
        said = f"{value:,.1f}" if value > 0 else words["gone"]
        ax.annotate(said, (value, at), (4, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK)
    ax.axvline(_WEEK, color=QUIET, linewidth=0.8, linestyle="--")
    ax.margins(x=0.12)
    _names(ax, shown)
    ax.set_xlabel(words["across"].format(as_of=stock.as_of))
    unsold = len(table) - len(known)
    told = words["title"].format(short=int((known["days_of_stock"] < _WEEK).sum()), items=len(known))
    return finish(ax, _title(told, words, "left" if unsold else "", empty=known.empty, unsold=unsold))


def sold_dots(stock: StockTable, top: int, *, ax: Axes | None, lang: Language) -> Axes:
    """Sell-through of each item in the newest period, the lowest at the top; see :meth:`StockTable.plot`."""
    words, table = _SOLD[lang], stock.table
    periods = sorted(table["period"].unique())
    newest = table[table["period"] == periods[-1]] if periods else table
    known = newest[newest["sell_through"].notna()].sort_values(["sell_through", "item_id"], kind="stable")
    shown = known.head(top).iloc[::-1].reset_index(drop=True)
    before = table[table["period"] == periods[-2]] if len(periods) > 1 else table.head(0)
    earlier = before.set_index("item_id")["sell_through"].reindex(shown["item_id"]).to_numpy(dtype=float) * 100
    ax = new_axes(ax, 8, 1.5 + 0.28 * max(len(shown), 1))
    places, share = np.arange(len(shown)), shown["sell_through"].to_numpy(dtype=float) * 100
    ax.hlines(places, earlier, share, color=QUIET, linewidth=1.2)
    if np.isfinite(earlier).any():
        ax.scatter(earlier, places, s=34, facecolors="white", edgecolors=QUIET, zorder=3, label=words["before"])
    if len(shown):
        colours = np.where(share < _HALF * 100, BAD, ACCENT).tolist()
        now = words["now"].format(period=f"{pd.Timestamp(periods[-1]):%Y-%m-%d}")
        ax.scatter(share, places, c=colours, s=40, zorder=4, label=now)
        ax.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)
    ax.axvline(_HALF * 100, color=QUIET, linewidth=0.8, linestyle="--")
    seen = np.concatenate([share, earlier[np.isfinite(earlier)], [0.0, 100.0]])
    ax.set_xlim(1.05 * float(seen.min()), 1.03 * float(seen.max()))  # beyond 0 and 100% where counts are odd
    ax.xaxis.set_major_formatter("{x:.0f}%")
    _names(ax, shown)
    ax.set_xlabel(words["across"])
    unknown = len(newest) - len(known)
    told = words["title"].format(low=int((known["sell_through"] < _HALF).sum()), items=len(known))
    title = _title(told, words, "left" if unknown else "", empty=known.empty, unknown=unknown)
    return finish(ax, title)


def _names(ax: Axes, shown: pd.DataFrame) -> None:
    """Items down the side."""
    ax.set_yticks(np.arange(len(shown)), [str(name) for name in shown["item_id"]])
    ax.set_ylim(-0.6, max(len(shown), 1) - 0.4)
    ax.tick_params(colors=QUIET, labelcolor=INK)


def _title(told: str, words: dict[str, str], more: str, *, empty: bool, **counts: int) -> str:
    """What is seen, with what could not be shown."""
    if empty:
        return words["none"]
    return told + (words[more].format(**counts) if more else "")
