"""Figures of segments: drawn from results, never from logs; matplotlib is loaded when a figure is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.colours import INK

if TYPE_CHECKING:
    from commlife.segments.fitted_types import FittedBehaviourTypes
    from commlife.segments.lifecycle import FittedLifecycle
    from commlife.segments.migration import Migration
    from commlife.segments.quadrants import Quadrants
    from commlife.segments.summary import SegmentSummary

__all__ = ["draw_grid", "draw_lifecycle", "draw_migration", "draw_quadrants", "draw_types"]

#: Readable on screen and in print, and told apart by those who do not see red and green alike.
PALETTE = ("#1b6ca8", "#5aa9e6", "#e8a33d", "#9aa5b1", "#5c6670", "#7b5ea7")
_CJK = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei")


def axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes given, or new ones of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def fonts() -> list[str]:
    """Font families to draw labels with: one that has Chinese characters where the machine has one."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [*(name for name in _CJK if name in installed), "DejaVu Sans"]


def plain(ax: Any, title: str) -> None:
    """A title at the left, no box."""
    ax.set_title(title, loc="left", fontsize=11)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _heat(ax: Any, values: Any, texts: list[list[str]]) -> None:
    """Cells coloured by value, each with its text in black or white, whichever can be read."""
    shade = np.sqrt(values / max(values.max(), 1e-12))
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (row, column), depth in np.ndenumerate(shade):
        ax.text(
            column, row, texts[row][column], ha="center", va="center", fontsize=8,
            color="white" if depth > 0.65 else "#20303c",
        )  # fmt: skip
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_grid(summary: SegmentSummary, ax: Any = None) -> Any:
    """Recency down, frequency across; each cell says how many users it holds and which share of the money."""
    ax = axes(ax, (6.4, 4.8))
    grid = summary.grid
    size = int(max(grid["r_score"].max(), grid["f_score"].max()))
    users, money = np.zeros((size, size)), np.zeros((size, size))
    at = (size - grid["r_score"].to_numpy(), grid["f_score"].to_numpy() - 1)
    users[at], money[at] = grid["users"], grid["monetary"]
    whole = money.sum() or 1.0
    texts = [
        [f"{users[r, c]:,.0f}\n{money[r, c] / whole:.0%} of money" if users[r, c] else "" for c in range(size)]
        for r in range(size)
    ]
    _heat(ax, users, texts)
    ax.set_xticks(range(size), [str(score) for score in range(1, size + 1)])
    ax.set_yticks(range(size), [str(score) for score in range(size, 0, -1)])
    ax.set_xlabel("frequency score")
    ax.set_ylabel("recency score (recent on top)")
    ax.set_title("Users and money by recency and frequency", loc="left", fontsize=11)
    return ax


def draw_migration(moved: Migration, ax: Any = None) -> Any:
    """Where the users of each segment went: a row is a segment before, its cells are shares of it."""
    users = moved.wide("users")
    shares = users.div(users.sum(axis=1), axis=0).to_numpy()
    ax = axes(ax, (1.8 + 0.75 * users.shape[1], 1.6 + 0.45 * users.shape[0]))
    counts = users.to_numpy()
    texts = [
        [f"{shares[r, c]:.0%}" if counts[r, c] else "" for c in range(shares.shape[1])] for r in range(len(shares))
    ]
    _heat(ax, shares, texts)
    family = fonts()
    columns = [name or "(no payer)" for name in users.columns]
    rows = [f"{name or '(no payer)'} ({n:,})" for name, n in zip(users.index, counts.sum(axis=1), strict=True)]
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right", family=family, fontsize=8)
    ax.set_yticks(range(len(rows)), rows, family=family, fontsize=8)
    ax.set_xlabel("segment after")
    ax.set_ylabel("segment before (users)")
    ax.set_title("Where each segment's users went", loc="left", fontsize=11)
    return ax


#: Colours of the states: the base in blues and a warm one for those who came back, silence in greys.
STATE_COLOURS = {
    "active": "#1b6ca8",
    "existing": "#7fb3d9",
    "returned": "#e8a33d",
    "new": "#4fb286",
    "silent": "#b8c0c8",
    "churned": "#78828c",
}


def draw_lifecycle(life: FittedLifecycle, ax: Any = None) -> Any:
    """The states over time: the base stacked above the line, who is silent or churned below it."""
    ax = axes(ax, (7.2, 4.2))
    stocks = life.counts.groupby(["period", "state"], sort=True)["users"].sum().unstack("state")
    at = np.arange(len(stocks))
    above, below = np.zeros(len(at)), np.zeros(len(at))
    for state in ("active", "existing", "returned", "new"):
        users = stocks[state].to_numpy(dtype=float)
        if users.any():
            ax.bar(at, users, bottom=above, width=0.86, color=STATE_COLOURS[state], label=state)
        above += users
    for state in ("silent", "churned"):
        users = stocks[state].to_numpy(dtype=float)
        if users.any():
            ax.bar(at, -users, bottom=-below, width=0.86, color=STATE_COLOURS[state], label=state)
        below += users
    step = max(1, len(at) // 8)
    days = [f"{day:%Y-%m-%d}" for day in stocks.index[::step]]
    ax.set_xticks(at[::step], days, rotation=30, ha="right", fontsize=8)
    ax.axhline(0, color="#20303c", linewidth=0.8)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    ax.set_ylabel("users (below the line: not in the base)")
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="upper left")
    plain(ax, f"Users by state at the end of each period of {life.spec.period}")
    return ax


QUADRANT_COLOURS = {"keep": "#1b6ca8", "rescue": "#e8a33d", "grow": "#4fb286", "let go": "#9aa5b1"}
_POINTS = 20_000  # more points than this only darken the picture


def draw_quadrants(made: Quadrants, ax: Any = None) -> Any:
    """Churn across, value up; a point a user (at most 20,000, evenly taken), the cuts as lines."""
    from commlife._engine import collect, from_host

    ax = axes(ax, (6.0, 5.0))
    users = collect(from_host(made.users))
    shown = users.iloc[:: -(-len(users) // _POINTS)]
    for row in made.table.itertuples():
        part = shown[shown["quadrant"] == row.quadrant]
        label = f"{row.quadrant}: {row.users:,} ({row.share:.0%})"
        colour = QUADRANT_COLOURS[str(row.quadrant)]
        ax.scatter(part["churn"], part["value"], s=12, alpha=0.6, linewidths=0, color=colour, label=label)
    ax.axhline(made.value_cut, color="#20303c", linewidth=0.8, linestyle=":")
    ax.axvline(made.churn_cut, color="#20303c", linewidth=0.8, linestyle=":")
    ax.set_xlabel("churn")
    ax.set_ylabel("value")
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    plain(ax, "Users by value and churn")
    return ax


def draw_types(types: FittedBehaviourTypes, ax: Any = None) -> Any:
    """Types down, behaviour across: how far each type's centre lies from the mean of all users."""
    from commlife.segments.fitted_types import WORDS

    means = np.array([each.mean for each in types.types])
    ax = axes(ax, (2.6 + 0.85 * means.shape[1], 1.5 + 0.5 * len(means)))
    bound = max(1.0, float(np.abs(means).max()))
    ax.imshow(means, cmap="PuOr_r", vmin=-1.25 * bound, vmax=1.25 * bound, aspect="auto")
    for (row, column), value in np.ndenumerate(means):
        word = WORDS[types.behaviour[column]][types.lang][0 if value > 0 else 1] if abs(value) >= 0.35 else ""
        ax.text(
            column, row, f"{value:+.1f}" + (f"\n{word}" if word else ""), ha="center", va="center", fontsize=7.5,
            color="white" if abs(value) > 0.85 * bound else INK, family=fonts(),
        )  # fmt: skip
    shares = np.array(types.users_of_type) / max(sum(types.users_of_type), 1)
    rows = [f"{name}  ({share:.0%})" for name, share in zip(types.names, shares, strict=True)]
    ax.set_yticks(range(len(rows)), rows, family=fonts(), fontsize=9)
    ax.set_xticks(range(len(types.behaviour)), [name.replace("_", "\n", 1) for name in types.behaviour], fontsize=8.5)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    title = {
        "en": "What sets each type apart (standard deviations from the mean user)",
        "zh": "各类型与均值的差异（标准差）",
    }
    ax.set_title(title[types.lang], loc="left", fontsize=11, family=fonts())
    return ax
