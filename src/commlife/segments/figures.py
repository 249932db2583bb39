"""Figures of segments: drawn from results, never from logs; matplotlib is loaded when a figure is asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.colours import ACCENT, BAD, GOOD, INK, QUIET, STATES
from commlife._text import label

if TYPE_CHECKING:
    import pandas as pd

    from commlife._text import Language
    from commlife.segments.fitted_types import FittedBehaviourTypes
    from commlife.segments.lifecycle import FittedLifecycle
    from commlife.segments.migration import Migration
    from commlife.segments.outreach import OutreachReadout
    from commlife.segments.quadrants import Quadrants
    from commlife.segments.returns import ReturnCurve
    from commlife.segments.summary import SegmentSummary

__all__ = [
    "draw_flows",
    "draw_grid",
    "draw_lifecycle",
    "draw_migration",
    "draw_outreach",
    "draw_quadrants",
    "draw_returns",
    "draw_types",
]

_CJK = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei",
    "Noto Serif CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei",
)  # fmt: skip
_CJK_FILES = ("CJK", "NotoSansSC", "SourceHanSans", "PingFang", "msyh", "simhei", "wqy")


def axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes given, or new ones of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


@functools.cache
def fonts() -> list[str]:
    """Font families to draw labels with: DejaVu Sans, then one with Chinese characters where the machine has one."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    held = [name for name in _CJK if any(font.name == name for font in manager.ttflist)]
    if not held:
        # Matplotlib keeps a list of fonts from when it first ran here: what was installed since is looked for by file.
        files = [path for path in font_manager.findSystemFonts() if any(part in path for part in _CJK_FILES)]
        for path in sorted(files, key=lambda path: ("Sans" not in path, "Regular" not in path, path))[:1]:
            before = len(manager.ttflist)
            manager.addfont(path)
            added = sorted({font.name for font in manager.ttflist[before:]}, key=lambda name: ("Mono" in name, name))
            held = [name for name in added if "SC" in name][:1] or added[:1]
    return ["DejaVu Sans", *held]


def plain(ax: Any, title: str, *, below: str = "") -> None:
    """A title at the left that says what is seen, no box."""
    ax.set_title(title + (f"\n{below}" if below else ""), loc="left", fontsize=11, color=INK, family=fonts())
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def bare(ax: Any) -> None:
    """No ticks, no frame: for tables that are drawn."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cells(ax: Any, values: Any, **colours: Any) -> None:
    """Coloured cells with white lines between them, the first row at the bottom until the axis is turned."""
    rows, columns = np.shape(values)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    ax.pcolormesh(*edges, values, edgecolors="white", linewidth=1.5, **colours)


def written(depth: float) -> str:
    """Black or white, whichever can be read on a blue so deep (0 to 1)."""
    return "white" if depth > 0.6 else INK


_GRID = {
    "en": ("Recent and frequent (upper right quarter): {users:.0%} of users, {money:.0%} of money", "of money",
           "frequency score", "recency score (most recent on top)"),
    "zh": ("最近且高频（右上）：{users:.0%} 的用户，{money:.0%} 的消费额", "消费额",
           "频次得分", "最近一次得分（越近越高）"),
}  # fmt: skip


def draw_grid(summary: SegmentSummary, ax: Any = None) -> Any:
    """Recency down, frequency across; a cell says its main segment, its users and its share of the money."""
    grid, lang = summary.grid, _language(summary.lang)
    size = int(summary.n_bins)
    ax = axes(ax, (1.2 + 1.28 * size, 1.1 + 0.92 * size))
    users, money = np.zeros((size, size)), np.zeros((size, size))
    names = np.full((size, size), "", dtype=object)
    at = (size - grid["r_score"].to_numpy(), grid["f_score"].to_numpy() - 1)
    users[at], money[at], names[at] = grid["users"], grid["monetary"], grid["segment"]
    whole = money.sum() or 1.0
    depth = np.sqrt(users / max(users.max(), 1.0))
    _cells(ax, depth, cmap="Blues", vmin=0, vmax=1.15)
    title, of_money, across, down = _GRID[lang]
    for (row, column), n in np.ndenumerate(users):
        if not n:
            continue
        colour = written(float(depth[row, column]))
        ax.text(
            column, row - 0.27, names[row, column], ha="center", va="center", fontsize=7.5, color=colour, family=fonts()
        )
        ax.text(column, row + 0.02, f"{n:,.0f}", ha="center", va="center", fontsize=13, weight="bold", color=colour)
        share = f"{money[row, column] / whole:.1%} {of_money}"
        ax.text(column, row + 0.29, share, ha="center", va="center", fontsize=7.5, color=colour, family=fonts())
    ax.invert_yaxis()
    ax.set_xticks(range(size), [str(score) for score in range(1, size + 1)])
    ax.set_yticks(range(size), [str(score) for score in range(size, 0, -1)])
    ax.set_xlabel(across, family=fonts())
    ax.set_ylabel(down, family=fonts())
    bare(ax)
    high = (np.arange(size, 0, -1)[:, None] * 2 > size + 1) & (np.arange(1, size + 1)[None, :] * 2 > size + 1)
    plain(ax, title.format(users=users[high].sum() / users.sum(), money=money[high].sum() / whole))
    bare(ax)
    return ax


def draw_migration(moved: Migration, ax: Any = None) -> Any:
    """Where the users of each segment went: a row is a segment before, its cells are shares of it, who stayed boxed."""
    users = moved.wide("users")
    order = _by_worth(moved.table)
    rows = [name for name in order if name in users.index]
    columns = [name for name in order if name in users.columns]
    counts = users.reindex(index=rows, columns=columns).to_numpy(dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = axes(ax, (2.4 + 0.82 * len(columns), 1.9 + 0.46 * len(rows)))
    depth = np.sqrt(shares)
    _cells(ax, depth, cmap="Blues", vmin=0, vmax=1.1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            said = f"{share:.0%}" if share >= 0.005 else "<1%"
            ax.text(column, row, said, ha="center", va="center", fontsize=8.5, color=written(float(depth[row, column])))
    from matplotlib.patches import Rectangle

    for row, name in enumerate(rows):
        if name in columns:
            ax.add_patch(
                Rectangle((columns.index(name) - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor=INK, lw=1.2)
            )
    ax.invert_yaxis()
    heads = [f"{name or '(none)'}\n{n:,.0f}" for name, n in zip(columns, counts.sum(axis=0), strict=True)]
    sides = [f"{name or '(no payer yet)'}  {n:,.0f}" for name, n in zip(rows, counts.sum(axis=1), strict=True)]
    ax.set_xticks(range(len(columns)), heads, rotation=35, ha="left", family=fonts(), fontsize=8.5)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(rows)), sides, family=fonts(), fontsize=8.5)
    ax.set_ylabel("segment before, users", fontsize=9)
    ax.set_xlabel("share of the row now in each segment (boxed: stayed); segments by money a user", fontsize=9)
    both = moved.table.dropna(subset=["from_segment", "to_segment"])
    changed = both[both["from_segment"] != both["to_segment"]]
    title = "Nobody was a payer at both dates"
    if len(both):
        share = changed["users"].sum() / both["users"].sum()
        title = f"{share:.0%} of {int(both['users'].sum()):,} payers changed segment"
        if len(changed):
            most = changed.iloc[int(changed["users"].to_numpy().argmax())]
            title += f"; most of them: {most['from_segment']} to {most['to_segment']} ({int(most['users']):,})"
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


_ABOVE, _BELOW = ("active", "existing", "returned", "new"), ("silent", "churned")
_LIFE = {
    "en": ("Base of {base:,} users ({change:+,} in the last period), {silent:,} silent, {churned:,} churned",
           "users (below the line: not in the base)"),
    "zh": ("活跃用户 {base:,}（较上期 {change:+,}），沉默 {silent:,}，流失 {churned:,}",
           "用户数（横线以下：不在活跃用户中）"),
}  # fmt: skip
_FLOWS = {
    "en": ("Into and out of the base: {came:,} came and {left:,} left in the last period",
           "users in and out of the base", "change of the base"),
    "zh": ("流入与流出：最近一期流入 {came:,}，流出 {left:,}", "流入与流出的用户数", "活跃用户净变化"),
}  # fmt: skip
#: Periods of flows that are drawn.
_RECENT = 26


def draw_lifecycle(life: FittedLifecycle, ax: Any = None) -> Any:
    """The states over time: the base stacked above the line, who is silent or churned below it."""
    ax, lang = axes(ax, (8.0, 4.4)), life.spec.lang
    stocks = life.counts.groupby(["period", "state"], sort=True)["users"].sum().unstack("state")
    at = np.arange(len(stocks))
    _stack(ax, at, {state: stocks[state].to_numpy(dtype=float) for state in _ABOVE}, lang, up=True)
    _stack(ax, at, {state: stocks[state].to_numpy(dtype=float) for state in _BELOW}, lang, up=False)
    base = stocks[list(_ABOVE)].sum(axis=1).to_numpy()
    title, side = _LIFE[lang]
    change = int(base[-1] - base[-2]) if len(base) > 1 else 0
    told = title.format(
        base=int(base[-1]),
        change=change,
        silent=int(stocks["silent"].iloc[-1]),
        churned=int(stocks["churned"].iloc[-1]),
    )
    _over_time(ax, at, stocks.index, side, told)
    return ax


def draw_flows(life: FittedLifecycle, ax: Any = None) -> Any:
    """The flows over time: new, returned and existing users above the line, lapsed below, their balance as a line."""
    ax, lang = axes(ax, (8.0, 4.4)), life.spec.lang
    names = [name for name in ("returned", "existing", "new") if name in life.growth.columns]
    # Half a year of weeks: where a log begins everybody comes in at once, and nothing else could be seen.
    flows = life.growth.groupby("period")[[*names, "lapsed"]].sum().tail(_RECENT)
    at = np.arange(len(flows))
    _stack(ax, at, {name: flows[name].to_numpy(dtype=float) for name in names}, lang, up=True)
    _stack(ax, at, {"lapsed": flows["lapsed"].to_numpy(dtype=float)}, lang, up=False)
    title, side, balance = _FLOWS[lang]
    came, left = flows[names].sum(axis=1).to_numpy(), flows["lapsed"].to_numpy()
    ax.plot(at, came - left, color=INK, marker="o", markersize=3.5, linewidth=1.4, label=balance)
    _over_time(ax, at, flows.index, side, title.format(came=int(came[-1]), left=int(left[-1])))
    return ax


def _stack(ax: Any, at: Any, series: dict[str, Any], lang: Language, *, up: bool) -> None:
    """Bars on bars, away from the line; what never occurs is left out."""
    so_far = np.zeros(len(at))
    for state, users in series.items():
        if users.any():
            signed, begin = (users, so_far) if up else (-users, -so_far)
            ax.bar(
                at, signed, bottom=begin, width=0.88, color=STATES[state], label=label(state, lang), edgecolor="white",
                linewidth=0.4,
            )  # fmt: skip
        so_far = so_far + users


def _over_time(ax: Any, at: Any, periods: Any, side: str, title: str) -> None:
    step = max(1, -(-len(at) // 9))
    shown = at[::-1][::step][::-1]  # the newest period always has its day
    ax.set_xticks(shown, [f"{periods[k]:%Y-%m-%d}" for k in shown], rotation=30, ha="right", fontsize=8.5)
    ax.axhline(0, color=INK, linewidth=0.9)
    ax.margins(x=0.01)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    ax.yaxis.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.set_ylabel(side, fontsize=9, family=fonts())
    plain(ax, title)
    ax.legend(
        frameon=False,
        fontsize=9,
        ncols=6,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        prop={"family": fonts(), "size": 9},
    )


QUADRANT_COLOURS = {"keep": ACCENT, "rescue": BAD, "grow": GOOD, "let go": QUIET}
#: Where the name of a quadrant stands: (churn is high, value is high) as places in the Axes.
_CORNERS = {"keep": (0.015, 0.985, "left", "top"), "rescue": (0.985, 0.985, "right", "top"),
            "grow": (0.015, 0.015, "left", "bottom"), "let go": (0.985, 0.015, "right", "bottom")}  # fmt: skip


def draw_quadrants(made: Quadrants, ax: Any = None) -> Any:
    """Churn across, value up; a dot for users alike, as large as they are many, the cuts as lines."""
    from commlife._engine import collect, from_host

    ax, zh = axes(ax, (7.0, 5.6)), made.lang == "zh"
    users = collect(from_host(made.users))
    spans = {name: float(np.ptp(users[name])) or 1.0 for name in ("churn", "value")}
    # Users a hundredth of the picture apart share a dot: a cloud of thousands stays readable, and prints small.
    cells = users.assign(**{name: (users[name] / spans[name] * 100).round() for name in spans})
    dots = cells.groupby(["churn", "value", "quadrant"], as_index=False).agg(n=("user_id", "size"))
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
        family = {"family": fonts()} if zh else {"family": "DejaVu Sans", "weight": "bold"}
        ax.text(x, y, said, fontsize=9, color=colour, **family, **placed)
    ax.axhline(made.value_cut, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.axvline(made.churn_cut, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.margins(0.12)
    ax.set_xlabel("流失指数" if zh else "churn", family=fonts())
    ax.set_ylabel("价值指数" if zh else "value", family=fonts())
    rescue = made.table.set_index("quadrant").loc["rescue"]
    told = "{:.0%} 的用户价值高却在流失" if zh else "{:.0%} of users are valuable and leaving"
    plain(ax, told.format(rescue["share"]))
    return ax


def draw_types(types: FittedBehaviourTypes, ax: Any = None) -> Any:
    """Types down, behaviour across: how far each type's centre lies from the mean of all users."""
    from commlife.segments.fitted_types import BEHAVIOUR_LABELS, WORDS

    means = np.array([each.mean for each in types.types])
    ax = axes(ax, (3.4 + 1.0 * means.shape[1], 1.4 + 0.62 * len(means)))
    bound = max(1.0, float(np.abs(means).max()))
    _cells(ax, means, cmap="PuOr_r", vmin=-1.3 * bound, vmax=1.3 * bound)
    for (row, column), value in np.ndenumerate(means):
        told = abs(value) >= 0.35
        word = WORDS[types.behaviour[column]][types.lang][0 if value > 0 else 1] if told else ""
        colour = "white" if abs(value) > 0.8 * bound else INK
        ax.text(
            column, row - (0.14 if told else 0), f"{value:+.1f}", ha="center", va="center", fontsize=9, color=colour
        )
        ax.text(column, row + 0.22, word, ha="center", va="center", fontsize=7, color=colour, family=fonts())
    shares = np.array(types.users_of_type) / max(sum(types.users_of_type), 1)
    rows = [f"{name}  ({share:.0%})" for name, share in zip(types.names, shares, strict=True)]
    ax.invert_yaxis()
    ax.set_yticks(range(len(rows)), rows, family=fonts(), fontsize=9)
    heads = [BEHAVIOUR_LABELS[name][types.lang] for name in types.behaviour]
    ax.set_xticks(range(len(heads)), heads, fontsize=8.5, family=fonts())
    title = {
        "en": "What sets each type apart (standard deviations from the mean user)",
        "zh": "各类型与平均用户的差异（标准差）",
    }
    plain(ax, title[types.lang])
    bare(ax)
    return ax


def draw_outreach(read: OutreachReadout, ax: Any = None) -> Any:
    """Order rates of the contacted less those of comparable users, in points, with intervals; by list and channel."""
    shown = read.table[read.table["matched"] > 0].iloc[::-1].reset_index(drop=True)
    ax = axes(ax, (7.4, 1.5 + 0.5 * max(len(shown), 1)))
    for at, row in shown.iterrows():
        low, high = row["difference_low"] * 100, row["difference_high"] * 100
        colour = GOOD if low > 0 else BAD if high < 0 else QUIET
        ax.plot([low, high], [at, at], color=colour, linewidth=2.4, solid_capstyle="round")
        ax.plot(row["difference"] * 100, at, color=colour, marker="o", markersize=7, markeredgecolor="white")
        said = f"{row['matched_rate']:.0%} against {row['control_rate']:.0%}"
        ax.annotate(said, (high, at), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK)
    ax.axvline(0, color=INK, linewidth=0.9)
    heads = []
    for name, channel, matched in zip(shown["list"], shown["channel"], shown["matched"], strict=True):
        known = [part for part in (str(name), str(channel)) if part != "all"]
        heads.append(f"{' · '.join(known) or 'all'}  ({int(matched):,})")
    ax.set_yticks(range(len(heads)), heads, family=fonts(), fontsize=9)
    ax.set_ylim(-0.6, len(heads) - 0.4)
    ax.margins(x=0.2)
    ax.set_xlabel(f"points of users who ordered within {read.within}, beyond comparable users (95%)", fontsize=9)
    plain(ax, "What followed on the contacts", below="not dealt at random; adjusted for what the log shows")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def draw_returns(curve: ReturnCurve, ax: Any = None) -> Any:
    """How the chance of a return falls with the silence, with its interval, and who came back in the end."""
    table = curve.table
    ax = axes(ax, (7.0, 4.0))
    ax.fill_between(table["gap"], table["low"] * 100, table["high"] * 100, color=ACCENT, alpha=0.18, linewidth=0)
    within = f"orders within {curve.within} periods"
    ax.plot(table["gap"], table["rate"] * 100, color=ACCENT, marker="o", markersize=4, label=within)
    ax.plot(
        table["gap"],
        table["came_back"] * 100,
        color=INK,
        linestyle="--",
        linewidth=1.3,
        label="orders again, as far as followed",
    )
    ax.set_ylim(0, 100)
    ax.yaxis.set_major_formatter("{x:.0f}%")
    ax.yaxis.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    ax.set_xlabel(f"periods of {curve.period} since the last order")
    ax.legend(frameon=False, fontsize=9)
    half = curve.threshold(0.5)
    told = (
        "A return stays likelier than not"
        if half is None
        else f"From {half} periods on a return is less likely than not"
    )
    plain(ax, told)
    return ax


def _language(lang: str | None) -> Language:
    return "zh" if lang == "zh" else "en"
