"""Figures of a silence model: readable in print, in English or Chinese, each from the model or a result alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from commlife.churn._canvas import (
    DARK,
    DOWN,
    PALE,
    UP,
    axes,
    bare,
    check_top,
    drawable,
    rank01,
    rows,
    say,
    spread,
    titled,
    written,
)
from commlife.churn._explained import Forecast, explain
from commlife.churn.catalogue import CATALOGUE
from commlife.churn.curves import accumulated
from commlife.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from commlife.churn.fitted import FittedSilenceModel
    from commlife.churn.holdout import Profit
    from commlife.churn.horizon import SuggestedHorizon
    from commlife.churn.levers import LeverEffect

__all__ = ["SilencePlots", "draw_horizon", "draw_lever", "draw_profit", "draw_ranks"]

#: Users drawn in a beeswarm: more only hide each other.
_DOTS = 600
#: Marker and colour by direction: told apart in black and white too.
_MARKERS = {"up": ("^", UP), "down": ("v", DOWN), "mixed": ("D", DARK), "none": ("o", PALE)}


@dataclass(frozen=True)
class SilencePlots:
    """The figures of a fitted model; each returns matplotlib Axes.

    Attributes:
        model: The fitted model.
    """

    model: FittedSilenceModel

    def beeswarm(self, *, top: int = 10, lang: str = "en", ax: Axes | None = None) -> Axes:
        """Each line a feature, each dot a user: contribution along the axis, the feature's value as colour.

        Args:
            top: Number of features.
            lang: ``"en"`` or ``"zh"``.
            ax: Where to draw.
        """
        check_top(top)
        model = self.model
        stride = max(1, -(-len(model.reference.X) // _DOTS))
        X = model.reference.X[::stride]
        explained = explain(model.forest, model.calibration, X)
        order = np.argsort(-np.abs(explained.log_odds).mean(axis=0), kind="stable")[:top]
        lang = drawable(lang)
        with written(lang):
            ax = axes(ax, width=7.0, height=0.45 * len(order) + 1.6)
            for line, column in enumerate(order[::-1]):
                points = 100 * explained.points[:, column]
                known = np.isfinite(X[:, column])
                heights = line + spread(points)
                # Who has no value is drawn as a grey cross, not left out.
                ax.scatter(points[~known], heights[~known], c=PALE, marker="x", s=9, linewidths=0.6)
                dots = ax.scatter(
                    points[known], heights[known], c=rank01(X[known, column]), cmap="cividis", vmin=0, vmax=1, s=7,
                    linewidths=0, rasterized=True,
                )  # fmt: skip
            ax.axvline(0, color=DARK, linewidth=0.8)
            rows(ax, [model.features[column].label(lang) for column in order[::-1]], lang)
            grey = np.isnan(X[:, order]).any()
            ax.set_xlabel(
                say(lang, "points of the probability of silence", "沉默概率（百分点）")
                + (say(lang, " (grey: no value)", "（灰：无值）") if grey else "")
            )
            bar = ax.figure.colorbar(dots, ax=ax, ticks=[0, 1], pad=0.02, aspect=40, shrink=0.8)
            bar.ax.set_yticklabels(say(lang, ["low\nvalue", "high\nvalue"], ["值低", "值高"]), fontsize=8)
            bar.outline.set_visible(False)
            return titled(
                ax,
                say(
                    lang,
                    f"What goes together with {self._days} silent days, a dot a user",
                    f"与未来{self._days}天沉默相关的特征（每点一名用户，相关非因果）",
                ),
            )

    def waterfall(
        self,
        features: Mapping[str, float | None],
        *,
        top: int = 8,
        lang: str = "en",
        mode: str = "fast",
        ax: Axes | None = None,
    ) -> Axes:
        """From the base to one user's probability, step by step, in points.

        Args:
            features: The user's features, as for :meth:`FittedSilenceModel.explain_one`.
            top: Number of steps before the rest.
            lang: ``"en"`` or ``"zh"``.
            mode: ``"fast"`` or ``"exact"``, as for :meth:`FittedSilenceModel.reasons`.
            ax: Where to draw.
        """
        check_top(top)
        lang = drawable(lang)
        told = self.model.explain_one(features, lang=lang, mode=mode)
        labels = {feature.name: feature.label(lang) for feature in self.model.features}
        shown = told.frame.head(top)
        names = [
            f"{labels[name]} = {value:.4g}" if np.isfinite(value) else f"{labels[name]}: {say(lang, 'none', '无')}"
            for name, value in zip(shown["driver"], shown["value"], strict=True)
        ]
        steps = (100 * shown["contribution_pp"]).tolist()
        names.append(say(lang, "all others", "其他特征合计"))
        steps.append(100 * (told.p_silent - told.p_base) - sum(steps))
        base, end = 100 * told.p_base, 100 * told.p_silent
        with written(lang):
            ax = axes(ax, width=7.0, height=0.42 * (len(steps) + 2) + 1.3)
            stops = base + np.cumsum([0.0, *steps])
            lines = len(steps) + 1
            ax.plot([base, base], [lines + 0.35, lines - 1.3], color=DARK, linewidth=0.7, linestyle=":")
            ax.scatter([base, end], [lines, 0], color=DARK, s=26, zorder=3)
            for line, step in enumerate(steps):
                place, left, right = lines - 1 - line, stops[line], stops[line + 1]
                # The sign is in the number, the colour and the hatching: one of them is left in any print.
                ax.barh(
                    place, step, left=left, color=UP if step > 0 else DOWN, height=0.6,
                    hatch="" if step > 0 else "////", edgecolor="white", linewidth=0,
                )  # fmt: skip
                below = place - 1.3 if line + 1 < len(steps) else 0.0
                ax.plot([right, right], [place - 0.3, below], color=DARK, linewidth=0.7, linestyle=":")
                ax.annotate(
                    f"{step:+.1f}", (max(left, right), place), xytext=(5, 0), textcoords="offset points", va="center",
                    fontsize=8,
                )  # fmt: skip
            for value, place in ((base, lines), (end, 0)):
                ax.annotate(
                    f"{value:.1f}%", (value, place), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8,
                    fontweight="bold",
                )  # fmt: skip
            ends = say(lang, ("this user", "base"), ("该用户", "基准"))
            rows(ax, [ends[0], *names[::-1], ends[1]], lang)
            ax.use_sticky_edges = False
            ax.margins(x=0.14)
            ax.set_xlabel(say(lang, "probability of silence, %", "沉默概率（%）"))
            return titled(
                ax,
                say(
                    lang,
                    f"From {base:.0f}% to {end:.0f}%: why this user, in points"
                    + (" (about)" if mode == "fast" else ""),
                    f"从 {base:.0f}% 到 {end:.0f}%：原因（百分点" + ("，约数）" if mode == "fast" else "）"),
                ),
            )

    def calibration(self, *, lang: str = "en", ax: Axes | None = None) -> Axes:
        """Forecast against outcome on the test snapshot, by tenth of the forecast, with Wilson intervals."""
        from commlife._stats.wilson import wilson_interval

        table = self.model.reliability
        hits = np.rint(table["silent"].to_numpy() * table["users"].to_numpy())
        low, high = wilson_interval(hits, table["users"].to_numpy())
        lang = drawable(lang)
        with written(lang):
            ax = axes(ax, width=4.8, height=4.6)
            ax.plot([0, 1], [0, 1], color=PALE, linewidth=1)
            share = table["silent"].to_numpy()
            around = np.maximum(np.stack([share - low, high - share]), 0.0)
            ax.errorbar(table["p_silent"], share, yerr=around, fmt="o", color=DOWN, markersize=4, linewidth=1)
            ax.set_xlim(0, 1)
            ax.set_ylim(0, 1)
            ax.set_xlabel(say(lang, "forecast probability of silence", "预测沉默概率"))
            ax.set_ylabel(say(lang, "share that fell silent", "实际沉默比例"))
            day = self.model.test_day
            return titled(
                bare(ax), say(lang, f"Forecast and outcome by tenth of users, {day}", f"{day}：预测与实际（按十分位）")
            )

    def lift(self, *, lang: str = "en", ax: Axes | None = None) -> Axes:
        """How much likelier the riskiest share of users fell silent than all, up to the cap that no forecast passes."""
        table = self.model.holdout.lift(self.model.spec.seed)
        shown = table[table["share"] >= min(0.02, float(table["share"].iloc[-1]))]
        lang = drawable(lang)
        with written(lang):
            ax = axes(ax, width=6.0, height=3.8)
            x = 100 * shown["share"]
            ax.fill_between(x, shown["low"], shown["high"], color=PALE, alpha=0.6, linewidth=0)
            ax.plot(x, shown["lift"], color=DOWN, linewidth=1.8, label=say(lang, "model", "模型"))
            ax.plot(x, shown["cap"], color=DARK, linewidth=1, linestyle="--", label=say(lang, "cap", "上限"))
            ax.axhline(1, color=DARK, linewidth=0.6)
            ax.set_xlim(0, 100)
            ax.set_ylim(0, float(shown["cap"].max()) * 1.05)
            ax.set_xlabel(say(lang, "riskiest share of users, %", "风险最高的用户占比（%）"))
            ax.set_ylabel(say(lang, "lift", "提升度"))
            ax.legend(fontsize=8, frameon=False)
            place = int(np.abs(table["share"] - 0.1).argmin())
            row = table.iloc[place]
            return titled(
                bare(ax),
                say(
                    lang,
                    f"The riskiest {row['share']:.0%} fell silent {row['lift']:.1f} times as often as all",
                    f"风险最高的{row['share']:.0%}用户，沉默率为整体的{row['lift']:.1f}倍",
                ),
            )

    def ranks(self, *, top: int = 12, lang: str = "en", ax: Axes | None = None) -> Axes:
        """The rank of each group of drivers, with the range that refits to half of the users give it."""
        check_top(top)
        lang = drawable(lang)
        return draw_ranks(self.model.drivers(lang=lang), top=top, lang=lang, ax=ax)

    def dependence(self, feature: str, *, lang: str = "en", ax: Axes | None = None) -> Axes:
        """One feature: each user's contribution, and the accumulated local effect through them."""
        model = self.model
        if feature not in model.forest.names:
            raise ConfigError.unknown_name("dependence: the feature", feature, model.forest.names)
        column = model.forest.names.index(feature)
        X = model.reference.X[:: max(1, len(model.reference.X) // 1_000)]
        explained = explain(model.forest, model.calibration, X)
        curve = accumulated(X, [column], Forecast(model.forest, model.calibration))[0]
        named = model.features[column]
        lang = drawable(lang)
        with written(lang):
            ax = axes(ax, width=6.0, height=3.8)
            known = np.isfinite(X[:, column])
            ax.scatter(
                X[known, column], 100 * explained.points[known, column], s=8, color=PALE, linewidths=0, rasterized=True,
                label=say(lang, "a user (SHAP)", "用户（SHAP）"),
            )  # fmt: skip
            if curve.grid.size:
                centre = 100 * (curve.effect - curve.effect.mean())
                ax.plot(
                    curve.grid,
                    centre,
                    color=UP,
                    linewidth=2,
                    label=say(lang, "accumulated local effect", "累积局部效应"),
                )
                ax.set_xlim(*np.nanquantile(X[:, column], [0.01, 0.99]) + np.array([-1e-9, 1e-9]))
            ax.axhline(0, color=DARK, linewidth=0.6)
            ax.set_xlabel(f"{named.label(lang)} ({named.unit})" if lang == "en" else named.label(lang))
            ax.set_ylabel(say(lang, "points of the probability of silence", "沉默概率（百分点）"))
            ax.legend(fontsize=8, frameon=False)
            return titled(
                bare(ax),
                say(
                    lang,
                    f"{curve.total * 100:+.0f} points from the 10th to the 90th percentile",
                    f"从第10到第90百分位：{curve.total * 100:+.0f} 个百分点",
                ),
            )

    @property
    def _days(self) -> str:
        return str(self.model.spec.horizon)[:-1]


def draw_ranks(table: pd.DataFrame, *, top: int, lang: str, ax: Axes | None) -> Axes:
    """Ranks of the groups of a driver table with their ranges; the marker says the direction."""
    from matplotlib.ticker import MaxNLocator

    shown = table[(table["level"] == "group") & (table["scope"] == table["scope"].iloc[0])].head(top).iloc[::-1]
    lang = drawable(lang)
    with written(lang):
        ax = axes(ax, width=6.6, height=0.42 * len(shown) + 1.5)
        places = np.arange(len(shown))
        ax.hlines(places, shown["rank_low"], shown["rank_high"], color=PALE, linewidth=5)
        words = say(
            lang,
            {"up": "more of it: more silence", "down": "more of it: less silence", "mixed": "turns", "none": "none"},
            {"up": "越高越易沉默", "down": "越高越不易沉默", "mixed": "有升有降", "none": "无"},
        )
        for direction, (marker, colour) in _MARKERS.items():
            mine = (shown["direction"] == direction).to_numpy()
            if mine.any():
                ax.scatter(
                    shown["rank"][mine],
                    places[mine],
                    color=colour,
                    marker=marker,
                    s=34,
                    zorder=3,
                    label=words[direction],
                )
        rows(ax, shown["label"].tolist(), lang)
        ax.set_xlim(0.5, float(shown["rank_high"].max()) + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(say(lang, "rank; the bar covers 90% of the refits", "排名（横条：90%的重复拟合）"))
        ax.legend(fontsize=8, frameon=False, loc="upper right")
        return titled(ax, say(lang, "How sure the order of the drivers is", "特征排名的把握"))


def draw_profit(told: Profit, ax: Axes | None, lang: str) -> Axes:
    """Profit by the share contacted, with its interval and the best cut."""
    table = told.curve
    lang = drawable(lang)
    with written(lang):
        ax = axes(ax, width=6.0, height=3.8)
        x = 100 * table["share"]
        ax.fill_between(x, table["low"], table["high"], color=PALE, alpha=0.6, linewidth=0)
        ax.plot(x, table["profit"], color=DOWN, linewidth=1.8)
        ax.axhline(0, color=DARK, linewidth=0.6)
        ax.axvline(100 * told.best_share, color=DARK, linewidth=1, linestyle="--")
        ax.set_xlim(0, 100)
        ax.yaxis.set_major_formatter("{x:,.10g}")
        ax.set_xlabel(say(lang, "riskiest share of users contacted, %", "联系的高风险用户占比（%）"))
        ax.set_ylabel(say(lang, f"profit on {told.users:,} users", f"{told.users:,} 名用户的利润"))
        return titled(
            bare(ax),
            say(
                lang,
                f"Contacting the riskiest {told.best_share:.0%} pays best" if told.best_share else "No contact pays",
                f"联系风险最高的{told.best_share:.0%}利润最大" if told.best_share else "联系任何用户都不划算",
            ),
        )


def draw_lever(told: LeverEffect, ax: Axes | None, lang: str) -> Axes:
    """The raw difference, the adjusted effect, and how far confounders as strong as the recorded ones could move it."""
    lang, effect = drawable(lang), told.effect
    names = [say(lang, "unadjusted difference", "未调整差异"), say(lang, "adjusted, 95% interval", "调整后（95%区间）")]
    labels = {feature.name: feature.label(lang) for feature in CATALOGUE}
    centre = [100 * effect.raw_difference, 100 * effect.effect_size]
    half = [0.0, 100 * effect.sensitivity.margin]
    for name, moved in zip(told.yardsticks["covariate"], told.yardsticks["could_move"], strict=True):
        label = labels.get(name, name)
        names.append(say(lang, f'beside a hidden one like "{label}"', f"若有未记录因素强如“{label}”"))
        centre.append(100 * effect.effect_size)
        half.append(100 * (effect.sensitivity.margin + moved))
    with written(lang):
        ax = axes(ax, width=6.6, height=0.42 * len(names) + 1.5)
        places = np.arange(len(names))[::-1]
        markers = ["s", *["o"] * (len(names) - 1)]
        for place, middle, width, marker in zip(places, centre, half, markers, strict=True):
            colour = PALE if marker == "s" else DOWN
            ax.errorbar(
                [middle], [place], xerr=[width], fmt=marker, color=colour, markersize=6, linewidth=1.4, capsize=3
            )
        ax.axvline(0, color=DARK, linewidth=0.8)
        rows(ax, names[::-1], lang)
        ax.set_xlabel(say(lang, "points of the probability of silence", "沉默概率（百分点）"))
        return titled(
            ax,
            say(
                lang,
                f"{told.treatment}: adjusted, and how far that can be trusted",
                f"{told.treatment}：调整后的差异与可信程度",
            ),
        )


def draw_horizon(told: SuggestedHorizon, ax: Axes | None) -> Axes:
    """The curve of returns, with the suggested horizon marked."""
    ax = axes(ax, width=5.5, height=3.4)
    days = int(told.horizon[:-1])
    ax.step(told.curve["days"], told.curve["returned"], where="post", color=DOWN)
    ax.axvline(days, color=DARK, linewidth=0.8, linestyle="--")
    ax.set_xlabel("days since an order day")
    ax.set_ylabel("share ordered again")
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter("{x:.0%}")
    return titled(bare(ax), f"Silent for {days} days: {told.comes_back_later:.0%} still come back later")
