"""Figures of segments and of what followed on calls: drawn from results, never from logs; matplotlib is loaded late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import letters_on
from commlife._figures.colours import ACCENT, BAD, GOOD, INK, QUIET
from commlife._figures.fonts import drawable, families
from commlife.orders.calendar import Duration
from commlife.segments._canvas import axes, bare, cells, plain

if TYPE_CHECKING:
    import pandas as pd

    from commlife._text import Language
    from commlife.segments.fitted_types import FittedBehaviourTypes
    from commlife.segments.migration import Migration
    from commlife.segments.outreach import OutreachReadout
    from commlife.segments.quadrants import Quadrants
    from commlife.segments.summary import SegmentSummary

__all__ = ["draw_grid", "draw_migration", "draw_outreach", "draw_quadrants", "draw_types"]

_GRID = {
    "en": ("Recent and frequent (upper right quarter): {users:.0%} of users, {money:.0%} of money", "of money",
           "frequency score", "recency score (most recent on top)"),
    "zh": ("最近且高频（右上）：{users:.0%} 的用户，{money:.0%} 的消费额", "消费额",
           "频次得分", "最近一次得分（越近越高）"),
}  # fmt: skip


def draw_grid(summary: SegmentSummary, ax: Any = None) -> Any:
    """Recency down, frequency across; a cell says its main segment, its users and its share of the money."""
    grid, lang = summary.grid, drawable(summary.lang or "en")
    size = int(summary.n_bins)
    ax = axes(ax, (1.2 + 1.28 * size, 1.1 + 0.92 * size))
    users, money = np.zeros((size, size)), np.zeros((size, size))
    names = np.full((size, size), "", dtype=object)
    at = (size - grid["r_score"].to_numpy(), grid["f_score"].to_numpy() - 1)
    users[at], money[at], names[at] = grid["users"], grid["monetary"], grid["segment"]
    whole = money.sum() or 1.0
    depth = np.sqrt(users / max(users.max(), 1.0))
    image = cells(ax, depth, cmap="Blues", vmin=0, vmax=1.15)
    title, of_money, across, down = _GRID[lang]
    for (row, column), n in np.ndenumerate(users):
        if not n:
            continue
        colour = letters_on(image, float(depth[row, column]))
        ax.text(
            column,
            row - 0.27,
            names[row, column],
            ha="center",
            va="center",
            fontsize=7.5,
            color=colour,
            family=families(),
        )
        ax.text(column, row + 0.02, f"{n:,.0f}", ha="center", va="center", fontsize=13, weight="bold", color=colour)
        share = f"{money[row, column] / whole:.1%} {of_money}"
        ax.text(column, row + 0.29, share, ha="center", va="center", fontsize=7.5, color=colour, family=families())
    ax.invert_yaxis()
    ax.set_xticks(range(size), [str(score) for score in range(1, size + 1)])
    ax.set_yticks(range(size), [str(score) for score in range(size, 0, -1)])
    ax.set_xlabel(across, family=families())
    ax.set_ylabel(down, family=families())
    bare(ax)
    high = (np.arange(size, 0, -1)[:, None] * 2 > size + 1) & (np.arange(1, size + 1)[None, :] * 2 > size + 1)
    plain(ax, title.format(users=users[high].sum() / users.sum(), money=money[high].sum() / whole))
    bare(ax)
    return ax


_MOVES = {
    "en": {"none": "(none)", "nobody": "(no payer yet)", "before": "segment before, users",
           "after": "share of the row now in each segment (boxed: stayed); segments by money a user",
           "empty": "Nobody was a payer at both dates", "changed": "{share:.0%} of {users:,} payers changed segment",
           "most": "; most of them: {old} to {new} ({n:,})"},
    "zh": {"none": "（无）", "nobody": "（尚未付费）", "before": "此前分群及用户数",
           "after": "该行用户如今在各分群的占比（加框：未变）；分群按人均消费额排列",
           "empty": "没有用户在两个日期都已付费", "changed": "{users:,} 位付费用户中 {share:.0%} 换了分群",
           "most": "；最多的是“{old}”到“{new}”（{n:,}）"},
}  # fmt: skip


def draw_migration(moved: Migration, ax: Any = None, *, lang: Language = "en") -> Any:
    """Where the users of each segment went: a row is a segment before, its cells are shares of it, who stayed boxed."""
    words = _MOVES[drawable(lang)]
    users = moved.wide("users")
    order = _by_worth(moved.table)
    rows = [name for name in order if name in users.index]
    columns = [name for name in order if name in users.columns]
    counts = users.reindex(index=rows, columns=columns).to_numpy(dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = axes(ax, (2.4 + 0.82 * len(columns), 1.9 + 0.46 * len(rows)))
    depth = np.sqrt(shares)
    image = cells(ax, depth, cmap="Blues", vmin=0, vmax=1.1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            said = f"{share:.0%}" if share >= 0.005 else "<1%"
            colour = letters_on(image, float(depth[row, column]))
            ax.text(column, row, said, ha="center", va="center", fontsize=8.5, color=colour)
    from matplotlib.patches import Rectangle

    for row, name in enumerate(rows):
        if name in columns:
            ax.add_patch(
                Rectangle((columns.index(name) - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor=INK, lw=1.2)
            )
    ax.invert_yaxis()
    heads = [f"{name or words['none']}\n{n:,.0f}" for name, n in zip(columns, counts.sum(axis=0), strict=True)]
    sides = [f"{name or words['nobody']}  {n:,.0f}" for name, n in zip(rows, counts.sum(axis=1), strict=True)]
    ax.set_xticks(range(len(columns)), heads, rotation=35, ha="left", family=families(), fontsize=8.5)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(rows)), sides, family=families(), fontsize=8.5)
    ax.set_ylabel(words["before"], fontsize=9, family=families())
    ax.set_xlabel(words["after"], fontsize=9, family=families())
    both = moved.table.dropna(subset=["from_segment", "to_segment"])
    changed = both[both["from_segment"] != both["to_segment"]]
    title = words["empty"]
    if len(both):
        n = int(both["users"].sum())
        title = words["changed"].format(share=changed["users"].sum() / n, users=n)
        if len(changed):
            most = changed.iloc[int(changed["users"].to_numpy().argmax())]
            title += words["most"].format(old=most["from_segment"], new=most["to_segment"], n=int(most["users"]))
    plain(ax, title)
    bare(ax)
    return ax


def _by_worth(table: pd.DataFrame) -> list[str]:
    """Segments by money a user, the dearest first; who was or is no payer last."""
    before = table.groupby("from_segment")[["users", "monetary_before"]].sum()
    after = table.groupby("to_segment")[["users", "monetary_after"]].sum()
    worth: dict[str, float] = {}
    for sums in (before, after):
        for name, n, money in sums.itertuples():
            worth[str(name)] = max(worth.get(str(name), -np.inf), money / max(n, 1))
    return [*sorted(worth, key=lambda name: (-worth[name], name)), ""]


QUADRANT_COLOURS = {"keep": ACCENT, "rescue": BAD, "grow": GOOD, "let go": QUIET}
#: Where the name of a quadrant stands: (churn is high, value is high) as places in the Axes.
_CORNERS = {"keep": (0.015, 0.985, "left", "top"), "rescue": (0.985, 0.985, "right", "top"),
            "grow": (0.015, 0.015, "left", "bottom"), "let go": (0.985, 0.015, "right", "bottom")}  # fmt: skip


def draw_quadrants(made: Quadrants, ax: Any = None) -> Any:
    """Churn across, value up; a dot for users alike, as large as they are many, the cuts as lines."""
    from commlife._engine import collect_rows, from_host

    ax, zh = axes(ax, (7.0, 5.6)), drawable(made.lang) == "zh"
    users = collect_rows(from_host(made.users), call="Quadrants.plot")
    spans = {name: float(np.ptp(users[name])) or 1.0 for name in ("churn", "value")}
    # Users a hundredth of the picture apart share a dot: a cloud of thousands stays readable, and prints small.
    rounded = users.assign(**{name: (users[name] / spans[name] * 100).round() for name in spans})
    dots = rounded.groupby(["churn", "value", "quadrant"], as_index=False).agg(n=("user_id", "size"))
    scale = 260.0 / max(float(dots["n"].max()), 8.0)
    for row in made.table.itertuples():
        part = dots[dots["quadrant"] == row.quadrant]
        name = str(row.quadrant)
        colour = QUADRANT_COLOURS[name]
        at = (part[side] / 100 * spans[side] for side in ("churn", "value"))
        size = 5 + part["n"] * scale
        ax.scatter(*at, s=size, alpha=0.45, linewidths=0.4, edgecolors="white", color=colour)
        x, y, across, up = _CORNERS[name]
        said = f"{row.name_zh if zh else name!s}: {row.users:,} ({row.share:.0%})\n{row.next_action}"
        paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
        placed = {"transform": ax.transAxes, "ha": across, "va": up, "bbox": paper}
        family = {"family": families()} if zh else {"family": "DejaVu Sans", "weight": "bold"}
        ax.text(x, y, said, fontsize=9, color=colour, **family, **placed)
    ax.axhline(made.value_cut, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.axvline(made.churn_cut, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.margins(0.12)
    ax.set_xlabel("流失指数" if zh else "churn", family=families())
    ax.set_ylabel("价值指数" if zh else "value", family=families())
    rescue = made.table.set_index("quadrant").loc["rescue"]
    told = "{:.0%} 的用户价值高却在流失" if zh else "{:.0%} of users are valuable and leaving"
    plain(ax, told.format(rescue["share"]))
    return ax


def draw_types(types: FittedBehaviourTypes, ax: Any = None) -> Any:
    """Types down, behaviour across: how far each type's centre lies from the mean of all users."""
    from commlife.segments.fitted_types import BEHAVIOUR_LABELS, WORDS

    lang = drawable(types.lang)
    means = np.array([each.mean for each in types.types])
    ax = axes(ax, (3.4 + 1.0 * means.shape[1], 1.4 + 0.62 * len(means)))
    bound = max(1.0, float(np.abs(means).max()))
    image = cells(ax, means, cmap="PuOr_r", vmin=-1.3 * bound, vmax=1.3 * bound)
    for (row, column), value in np.ndenumerate(means):
        told = abs(value) >= 0.35
        word = WORDS[types.behaviour[column]][lang][0 if value > 0 else 1] if told else ""
        colour = letters_on(image, float(value))
        ax.text(
            column, row - (0.14 if told else 0), f"{value:+.1f}", ha="center", va="center", fontsize=9, color=colour
        )
        ax.text(column, row + 0.22, word, ha="center", va="center", fontsize=7, color=colour, family=families())
    shares = np.array(types.users_of_type) / max(sum(types.users_of_type), 1)
    names = [each.name_zh if lang == "zh" else each.name_en for each in types.types]
    rows = [f"{name}  ({share:.0%})" for name, share in zip(names, shares, strict=True)]
    ax.invert_yaxis()
    ax.set_yticks(range(len(rows)), rows, family=families(), fontsize=9)
    heads = [BEHAVIOUR_LABELS[name][lang] for name in types.behaviour]
    ax.set_xticks(range(len(heads)), heads, fontsize=8.5, family=families())
    title = {
        "en": "What sets each type apart (standard deviations from the mean user)",
        "zh": "各类型与平均用户的差异（标准差）",
    }
    plain(ax, title[lang])
    bare(ax)
    return ax


_CALLS = {
    "en": {"against": "{rate:.0%} against {control:.0%}", "all": "all", "title": "What followed on the contacts",
           "across": "points of users who ordered within {days} days, beyond comparable users (95%)",
           "below": "not dealt at random; adjusted for what the log shows"},
    "zh": {"against": "{rate:.0%}，可比用户 {control:.0%}", "all": "全部", "title": "联系之后的下单情况",
           "across": "{days} 天内下单率与可比用户之差（百分点，95% 区间）",
           "below": "联系对象并非随机分配；已按订单记录所见调整"},
}  # fmt: skip


def draw_outreach(read: OutreachReadout, ax: Any = None, *, lang: Language = "en") -> Any:
    """Order rates of the contacted less those of comparable users, in points, with intervals; by list and channel."""
    words = _CALLS[drawable(lang)]
    shown = read.table[read.table["matched"] > 0].iloc[::-1].reset_index(drop=True)
    ax = axes(ax, (7.4, 1.5 + 0.5 * max(len(shown), 1)))
    for at, row in shown.iterrows():
        low, high = row["difference_low"] * 100, row["difference_high"] * 100
        colour = GOOD if low > 0 else BAD if high < 0 else QUIET
        ax.plot([low, high], [at, at], color=colour, linewidth=2.4, solid_capstyle="round")
        ax.plot(row["difference"] * 100, at, color=colour, marker="o", markersize=7, markeredgecolor="white")
        said = words["against"].format(rate=row["matched_rate"], control=row["control_rate"])
        beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": INK}
        ax.annotate(said, (high, at), family=families(), **beside)
    ax.axvline(0, color=INK, linewidth=0.9)
    heads = []
    for name, channel, matched in zip(shown["list"], shown["channel"], shown["matched"], strict=True):
        known = [part for part in (str(name), str(channel)) if part != "all"]
        heads.append(f"{' · '.join(known) or words['all']}  ({int(matched):,})")
    ax.set_yticks(range(len(heads)), heads, family=families(), fontsize=9)
    ax.set_ylim(-0.6, len(heads) - 0.4)
    ax.margins(x=0.2)
    ax.set_xlabel(words["across"].format(days=Duration(read.within).days), fontsize=9, family=families())
    plain(ax, words["title"], below=words["below"])
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax
