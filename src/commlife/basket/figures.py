"""Figures of baskets: rules, networks, the Pareto curve and contrasts, drawn from results alone."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import drawn, finish, new_axes
from commlife._figures.colours import ACCENT, BAD, INK, QUIET
from commlife._figures.fonts import families
from commlife._text.labels import Language, check_language
from commlife.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from commlife.basket.rules import AssociationRules

__all__ = ["plot_contrast", "plot_heat", "rule_network", "rule_scatter"]


_WIDEST = 40

_WORDS = {
    "support": ("share of baskets with both (support)", "支持度（同时购买的订单占比）"),
    "confidence": (
        "of the baskets with X, share that holds Y too (confidence)",
        "置信度（买 X 的订单中也买 Y 的比例）",
    ),
    "lift": ("times what chance would give (lift)", "提升度（相对随机的倍数）"),
    "scatter": ("{n} rules by how common and how sure they are", "{n} 条规则：有多常见，有多可信"),
    "network": ("What brings what: the {n} strongest pairs", "谁带动谁：最强的 {n} 对商品"),
    "share": ("share of the whole", "累计占比"),
    "items": ("items, the hottest first", "商品（由热到冷）"),
    "heat": ("{a:,} of {n:,} items make {share:.0%} of {what}", "{n:,} 个商品中的 {a:,} 个贡献了{what}的 {share:.0%}"),
    "contrast": ("Bought more here than elsewhere", "在这里比别处更常购买"),
    "here": ("share of the group's orders", "本组订单占比"),
    "rest": ("share of all other orders", "其余订单占比"),
    "nothing": ("no difference stands out at q = {q:g}", "在 q = {q:g} 下没有显著差异"),
    "amount": ("money", "金额"),
    "margin": ("margin", "毛利"),
    "units": ("units", "件数"),
    "users": ("users", "用户"),
    "orders": ("orders", "订单"),
    "class": ("class", "类"),
}


def _word(name: str, lang: Language) -> str:
    return _WORDS[name][lang == "zh"]


def _finish(ax: Axes, title: str, x: str, y: str) -> Axes:
    ax.set_xlabel(x, family=families())
    ax.set_ylabel(y, family=families())
    return finish(ax, title)


def _told(items: Any) -> str:
    return " + ".join(map(str, items)) if isinstance(items, tuple) else str(items)


def _lines(name: str) -> str:
    """A long name on two lines or three, so that it leaves room for what is drawn."""
    return "\n".join(textwrap.wrap(name, _WIDEST))


@drawn
def rule_scatter(rules: AssociationRules, *, label: int = 5, ax: Axes | None = None, lang: Language = "en") -> Axes:
    """Rules by support and confidence, darker with lift; see :meth:`AssociationRules.plot`."""
    check_language(lang)
    from matplotlib.ticker import LogLocator

    ax = new_axes(ax, 7.2, 4.6)
    support, confidence, lift = (rules.measure(name) for name in ("support", "confidence", "lift"))
    order = np.argsort(lift, kind="stable")
    points = ax.scatter(
        support[order], confidence[order], c=np.log2(np.maximum(lift[order], 1e-9)), cmap="viridis_r", s=22,
        edgecolors=INK, linewidths=0.3, rasterized=len(rules) > 5_000,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.set_ylim(min(0.0, float(confidence.min(initial=0))), 1.04)
    bar = ax.figure.colorbar(points, ax=ax)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{2**value:.3g}")
    bar.set_label(_word("lift", lang), family=families())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.3%}".rstrip("0%").rstrip(".") + "%")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.xaxis.set_minor_formatter(lambda *_: "")
    told = rules.to_frame()
    named = np.argsort(-lift, kind="stable")[:label]
    for number, rule in enumerate(named, start=1):
        ax.annotate(
            str(number), (support[rule], confidence[rule]), xytext=(0, 9), textcoords="offset points", fontsize=7,
            ha="center", va="center", color=INK, weight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6},
        )  # fmt: skip
    names = [f"{_told(told['antecedent'].iloc[rule])} → {_told(told['consequent'].iloc[rule])}" for rule in named]
    ax.text(
        0.99, 0.99, "\n".join(f"{number}  {name}" for number, name in enumerate(names, start=1)), fontsize=7,
        family=families(), color=INK, transform=ax.transAxes, ha="right", va="top", linespacing=1.5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2},
    )  # fmt: skip
    return _finish(
        ax, _word("scatter", lang).format(n=f"{len(rules):,}"), _word("support", lang), _word("confidence", lang)
    )


@drawn
def rule_network(rules: AssociationRules, *, label: int = 20, ax: Axes | None = None, lang: Language = "en") -> Axes:
    """The strongest pairs as arrows between items, thicker with confidence; see :meth:`AssociationRules.plot`."""
    check_language(lang)
    frame = rules.to_frame().assign(lift=rules.measure("lift"), confidence=rules.measure("confidence"))
    pairs = frame[(frame["antecedent"].str.len() == 1) & (frame["consequent"].str.len() == 1)]
    pairs = pairs.sort_values("lift", ascending=False, kind="stable").head(label)
    if pairs.empty:
        raise ConfigError("no rule goes from one item to one item: there is no pair to draw. Lower min_confidence.")
    edges = [(a[0], c[0]) for a, c in zip(pairs["antecedent"], pairs["consequent"], strict=True)]
    nodes = list(dict.fromkeys(item for edge in edges for item in edge))
    place = _layout(nodes, edges)
    ax = new_axes(ax, 7.6, 6.0)
    top = pairs["confidence"].max()
    for (start, end), sure in zip(edges, pairs["confidence"], strict=True):
        (x0, y0), (x1, y1) = place[nodes.index(start)], place[nodes.index(end)]
        ax.annotate(
            "", (x1, y1), (x0, y0),
            arrowprops={"arrowstyle": "-|>", "color": ACCENT, "linewidth": 0.6 + 2.4 * sure / top, "shrinkA": 12,
                        "shrinkB": 12, "connectionstyle": "arc3,rad=0.2", "alpha": 0.75},
        )  # fmt: skip
        ax.text(
            (x0 + x1) / 2 + 0.1 * (y1 - y0), (y0 + y1) / 2 - 0.1 * (x1 - x0), f"{sure:.0%}",
            fontsize=6.5, color=INK, ha="center", va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    for item, (x, y) in zip(nodes, place, strict=True):
        ax.text(
            x, y, str(item), ha="center", va="center", fontsize=8, family=families(), color=INK,
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6},
        )  # fmt: skip
    (left, low), (right, high) = place.min(axis=0) - 0.35, place.max(axis=0) + 0.25
    ax.set_xlim(left, right + 0.1)
    ax.set_ylim(low + 0.1, high)
    ax.set_axis_off()
    return finish(ax, _word("network", lang).format(n=len(edges)))


def _layout(nodes: list[Any], edges: list[tuple[Any, Any]]) -> Any:
    """Places of the nodes: groups that hang together side by side, each on a circle of its own."""
    group = {node: number for number, node in enumerate(nodes)}
    for _ in nodes:
        for a, b in edges:
            group[a] = group[b] = min(group[a], group[b])
    names = sorted(set(group.values()), key=lambda name: (-sum(g == name for g in group.values()), name))
    columns = int(np.ceil(np.sqrt(len(names))))
    places = np.zeros((len(nodes), 2))
    for number, name in enumerate(names):
        inside = [k for k, node in enumerate(nodes) if group[node] == name]
        angle = 2 * np.pi * np.arange(len(inside)) / len(inside) + np.pi / 2
        radius = 0.33 if len(names) > 1 else 1.0
        centre = np.array([number % columns, -(number // columns)])
        places[inside] = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return places


@drawn
def plot_heat(heat: pd.DataFrame, *, by: str = "amount", ax: Axes | None = None, lang: Language = "en") -> Axes:
    """The Pareto curve of :func:`~commlife.basket.product_heat`: how few items make how much of the whole.

    Args:
        heat: The frame of ``product_heat(..., top=None)``.
        by: What it was ranked by; for the title.
        ax: Axes to draw on.
        lang: ``"en"`` or ``"zh"``.

    Raises:
        ConfigError: If the frame is another one.

    Examples:
        >>> import commlife as cl
        >>> world = cl.datasets.make_community(n_users=100, seed=7)
        >>> ax = plot_heat(cl.product_heat(world.log, as_of=world.as_of, top=None))
        >>> ax.get_ylabel()
        'share of the whole'
    """
    check_language(lang)
    if "cumulative_share" not in getattr(heat, "columns", ()) or by not in heat.columns:
        raise ConfigError(f"heat is the frame of product_heat, with {by!r}; seen a {type(heat).__name__}.")
    ax = new_axes(ax, 7.2, 4.2)
    rank, share = heat["rank"].to_numpy(), heat["cumulative_share"].to_numpy()
    ax.plot([0, *rank], [0, *share], color=ACCENT, linewidth=1.8)
    a_items = int((heat["abc_class"] == "A").sum())
    for name, shade in (("A", "#cfe3f3"), ("B", "#e8f1f9"), ("C", "#f6f8fa")):
        inside = rank[(heat["abc_class"] == name).to_numpy()]
        if inside.size:
            ax.axvspan(inside.min() - 1, inside.max(), color=shade, zorder=0)
            ax.text((inside.min() - 1 + inside.max()) / 2, 0.03, f"{name} ({inside.size})", ha="center", color=INK)
    ax.set_xlim(0, rank.max())
    ax.set_ylim(0, max(1.02, float(np.nanmax(share)) * 1.02))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    top = float(share[a_items - 1]) if a_items else 0.0
    title = _word("heat", lang).format(a=a_items, n=len(heat), share=top, what=_word(by, lang))
    return _finish(ax, title, _word("items", lang), _word("share", lang))


@drawn
def plot_contrast(
    contrast: pd.DataFrame, *, max_q: float = 0.05, top: int = 12, ax: Axes | None = None, lang: Language = "en"
) -> Axes:
    """What is bought together here and not elsewhere: a line from the others' share to the group's own.

    Args:
        contrast: The frame of :func:`~commlife.basket.contrast_itemsets`.
        max_q: Largest adjusted p-value that is shown.
        top: Most itemsets to show, the largest differences first.
        ax: Axes to draw on.
        lang: ``"en"`` or ``"zh"``.

    Raises:
        ConfigError: If the frame is another one.

    Examples:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"group": ["East"], "itemset": [("rice", "tea")], "support": [0.2],
        ...                       "rest_support": [0.1], "difference": [0.1], "p_adjusted": [0.001]})
        >>> plot_contrast(frame).get_xlabel()
        "share of the group's orders"
    """
    check_language(lang)
    if not {"group", "itemset", "rest_support", "p_adjusted"} <= set(getattr(contrast, "columns", ())):
        raise ConfigError(f"contrast is the frame of contrast_itemsets; seen a {type(contrast).__name__}.")
    shown = contrast[contrast["p_adjusted"] <= max_q].nlargest(top, "difference").iloc[::-1]
    ax = new_axes(ax, 7.2, 1.6 + 0.34 * max(1, len(shown)))
    at = np.arange(len(shown))
    family = families()
    ax.hlines(at, shown["rest_support"], shown["support"], color=QUIET, linewidth=1.4)
    ax.scatter(shown["rest_support"], at, color="white", edgecolors=INK, s=34, zorder=3, label=_word("rest", lang))
    ax.scatter(shown["support"], at, color=BAD, s=34, zorder=3, label=_word("here", lang))
    ax.set_yticks(
        at, [_lines(f"{group}: {_told(items)}") for group, items in zip(shown["group"], shown["itemset"], strict=True)],
        family=family, fontsize=8,
    )  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_ylim(-0.7, max(1, len(shown)) - 0.3)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    if len(shown):
        ax.legend(
            frameon=False, prop={"family": family, "size": 8}, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2
        )
        return _finish(ax, _word("contrast", lang), _word("here", lang), "")
    return _finish(ax, _word("nothing", lang).format(q=max_q), _word("here", lang), "")
