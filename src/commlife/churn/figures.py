"""Figures of a silence model: readable in print, in English or Chinese, each from the model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.churn._explained import explain
from commlife.churn.curves import accumulated
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife.churn.fitted import FittedSilenceModel

__all__ = ["SilencePlots"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_UP, _DOWN, _DARK, _PALE = "#b2402a", "#2a6a8c", "#333333", "#bbbbbb"
#: Users drawn in a beeswarm: more only hide each other.
_DOTS = 600


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
        _check_top(top)
        model = self.model
        stride = max(1, -(-len(model.reference.X) // _DOTS))
        X = model.reference.X[::stride]
        explained = explain(model.forest, model.calibration, X)
        order = np.argsort(-np.abs(explained.log_odds).mean(axis=0), kind="stable")[:top]
        ax = _axes(ax, width=7.5, height=0.45 * len(order) + 1.4)
        for line, column in enumerate(order[::-1]):
            points = 100 * explained.points[:, column]
            dots = ax.scatter(
                points,
                line + _spread(points),
                c=_rank01(X[:, column]),
                cmap="viridis",
                s=7,
                linewidths=0,
                rasterized=True,
            )
        ax.axvline(0, color=_DARK, linewidth=0.8)
        _rows(ax, [model.features[column].label(lang) for column in order[::-1]])
        ax.set_xlabel(
            _say(
                lang,
                "points of the probability of silence (associated, not caused)",
                "与沉默概率的关联（百分点，非因果）",
            )
        )
        bar = ax.figure.colorbar(dots, ax=ax, ticks=[0, 1], pad=0.02, aspect=30)
        bar.ax.set_yticklabels(_say(lang, ["low value", "high value"], ["值低", "值高"]))
        return ax

    def waterfall(
        self, features: Mapping[str, float | None], *, top: int = 8, lang: str = "en", ax: Axes | None = None
    ) -> Axes:
        """From the base to one user's probability, step by step, in points.

        Args:
            features: The user's features, as for :meth:`FittedSilenceModel.explain_one`.
            top: Number of steps before the rest.
            lang: ``"en"`` or ``"zh"``.
            ax: Where to draw.
        """
        _check_top(top)
        told = self.model.explain_one(features, lang=lang)
        labels = {feature.name: feature.label(lang) for feature in self.model.features}
        shown = told.frame.head(top)
        names = [
            f"{labels[name]} = {value:.4g}" if np.isfinite(value) else labels[name]
            for name, value in zip(shown["driver"], shown["value"], strict=True)
        ]
        steps = (100 * shown["contribution_pp"]).tolist()
        names.append(_say(lang, "all others", "其他"))
        steps.append(100 * (told.p_silent - told.p_base) - sum(steps))
        ax = _axes(ax, width=7.5, height=0.42 * len(steps) + 1.4)
        start = 100 * told.p_base
        ends = start + np.cumsum(steps)
        starts = np.concatenate([[start], ends[:-1]])
        for line, (left, step) in enumerate(zip(starts, steps, strict=True)):
            place = len(steps) - 1 - line
            ax.barh(place, step, left=left, color=_UP if step > 0 else _DOWN, height=0.6)
            ax.annotate(
                f"{step:+.1f}",
                (max(left, left + step), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        ax.axvline(start, color=_PALE, linewidth=0.8, linestyle="--")
        ax.axvline(100 * told.p_silent, color=_DARK, linewidth=0.8)
        _rows(ax, names[::-1])
        ax.margins(x=0.12)
        ax.set_xlabel(
            _say(
                lang,
                f"probability of silence, %: base {start:.1f}, this user {100 * told.p_silent:.1f}",
                f"沉默概率（%）：基准 {start:.1f}，该用户 {100 * told.p_silent:.1f}",
            )
        )
        return ax

    def calibration(self, *, lang: str = "en", ax: Axes | None = None) -> Axes:
        """Forecast against outcome on the test snapshot, by tenth of the forecast."""
        table = self.model.reliability
        ax = _axes(ax, width=4.6, height=4.4)
        ax.plot([0, 1], [0, 1], color=_PALE, linewidth=1)
        error = 1.96 * np.sqrt(np.maximum(table["silent"] * (1 - table["silent"]), 0) / table["users"])
        ax.errorbar(table["p_silent"], table["silent"], yerr=error, fmt="o", color=_DOWN, markersize=4, linewidth=1)
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_xlabel(_say(lang, f"forecast probability of silence at {self.model.test_day}", "预测沉默概率"))
        ax.set_ylabel(_say(lang, "share that fell silent", "实际沉默比例"))
        return _bare(ax)

    def ranks(self, *, top: int = 12, lang: str = "en", ax: Axes | None = None) -> Axes:
        """The rank of each group of drivers, with the range that refits to half of the users give it."""
        _check_top(top)
        table = self.model.drivers(lang=lang)
        shown = table[table["level"] == "group"].head(top).iloc[::-1]
        ax = _axes(ax, width=7.0, height=0.4 * len(shown) + 1.3)
        places = np.arange(len(shown))
        ax.hlines(places, shown["rank_low"], shown["rank_high"], color=_PALE, linewidth=4)
        colours = [
            _UP if direction == "up" else _DOWN if direction == "down" else _DARK for direction in shown["direction"]
        ]
        ax.scatter(shown["rank"], places, color=colours, s=28, zorder=3)
        _rows(ax, shown["label"].tolist())
        ax.set_xlabel(
            _say(
                lang,
                "rank (line: over refits; red: up, blue: down, dark: mixed)",
                "排名（线：重复拟合；红升蓝降黑不定）",
            )
        )
        return ax

    def dependence(self, feature: str, *, lang: str = "en", ax: Axes | None = None) -> Axes:
        """One feature: each user's contribution, and the accumulated local effect through them."""
        model = self.model
        if feature not in model.forest.names:
            raise ConfigError.unknown_name("dependence: the feature", feature, model.forest.names)
        column = model.forest.names.index(feature)
        X = model.reference.X[:: max(1, len(model.reference.X) // 1_000)]
        explained = explain(model.forest, model.calibration, X)

        def forecast(table: Array) -> Array:
            return model.calibration.probability(model.forest.margin(table))

        curve = accumulated(X, [column], forecast)[0]
        ax = _axes(ax, width=6.0, height=3.8)
        known = np.isfinite(X[:, column])
        ax.scatter(
            X[known, column], 100 * explained.points[known, column], s=7, color=_PALE, linewidths=0, rasterized=True
        )
        if curve.grid.size:
            centre = 100 * (curve.effect - curve.effect.mean())
            ax.plot(curve.grid, centre, color=_UP, linewidth=1.8)
            ax.set_xlim(*np.nanquantile(X[:, column], [0.01, 0.99]) + np.array([-1e-9, 1e-9]))
        ax.axhline(0, color=_DARK, linewidth=0.6)
        ax.set_xlabel(f"{model.features[column].label(lang)} ({model.features[column].unit})")
        ax.set_ylabel(_say(lang, "points (dots: users; line: ALE)", "百分点（点：用户；线：ALE）"))
        return _bare(ax)


def _check_top(top: int) -> None:
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ConfigError(f"top is a whole number from 1 on; seen {top!r:.40}.")


def _say(lang: str, en: Any, zh: Any) -> Any:
    if lang not in {"en", "zh"}:
        raise ConfigError.unknown_name("lang", lang, ("en", "zh"))
    return zh if lang == "zh" else en


def _axes(ax: Axes | None, *, width: float, height: float) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    # A figure of its own, outside pyplot's list: nothing global is touched.
    made: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return made


def _rows(ax: Axes, labels: list[str]) -> None:
    ax.set_yticks(np.arange(len(labels)), labels, fontsize=8)
    ax.set_ylim(-0.7, len(labels) - 0.3)
    _bare(ax)


def _bare(ax: Axes) -> Axes:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def _rank01(values: Array) -> Array:
    """Values by rank from 0 to 1, so that one outlier does not take all the colours."""
    known = np.isfinite(values)
    made = np.full(len(values), np.nan)
    _, place = np.unique(values[known], return_inverse=True)
    made[known] = place / max(int(place.max(initial=0)), 1)
    return made


def _spread(points: Array) -> Array:
    """Heights within a line: dots of the same bin side by side, alternating above and below."""
    edges = np.linspace(points.min(), points.max() + 1e-9, 60)
    place = np.digitize(points, edges)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], place[order], "left")
    nth = np.empty(len(points))
    nth[order] = np.arange(len(points)) - starts
    height = np.ceil(nth / 2) * np.where(nth % 2 == 0, 1, -1)
    return 0.38 * height / max(float(np.abs(height).max()), 8.0)
