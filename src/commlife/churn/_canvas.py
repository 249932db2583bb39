"""Canvas: what the figures of this room have in common."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife._figures.axes import finish
from commlife._figures.colours import ACCENT, BAD, INK
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DARK",
    "DOWN",
    "PALE",
    "UP",
    "axes",
    "bare",
    "check_top",
    "rank01",
    "rows",
    "say",
    "spread",
    "titled",
    "written",
]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Up and down differ in lightness too, and signs or markers say the same again: for print in black and white.
UP, DOWN, DARK, PALE = BAD, ACCENT, INK, "#b8c0c8"
_WIDEST = {"en": 34, "zh": 17}


def check_top(top: int) -> None:
    """A number of lines.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ConfigError(f"top is a whole number from 1 on; seen {top!r:.40}.")


def say(lang: str, en: Any, zh: Any) -> Any:
    """The text of the language.

    Raises:
        ConfigError: If the language is neither.
    """
    if lang not in {"en", "zh"}:
        raise ConfigError.unknown_name("lang", lang, ("en", "zh"))
    return zh if lang == "zh" else en


@contextlib.contextmanager
def written(lang: str) -> Iterator[None]:
    """Texts made within are drawn in a font that has their letters."""
    from commlife._figures import fonts

    with fonts.written(lang):
        yield


def drawable(lang: str) -> str:
    """The language, or English where this machine has no letters for it."""
    from commlife._figures import fonts

    say(lang, None, None)
    return fonts.drawable(lang)


def axes(ax: Axes | None, *, width: float, height: float) -> Axes:
    """The Axes given, or new ones of this size in inches."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    # A figure of its own, outside pyplot's list: nothing global is touched.
    made: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return made


def rows(ax: Axes, labels: list[str], lang: str) -> None:
    """One line a label, the first at the bottom; long labels take two lines."""
    ax.set_yticks(
        np.arange(len(labels)), ["\n".join(textwrap.wrap(name, _WIDEST[lang])) for name in labels], fontsize=8
    )
    ax.set_ylim(-0.7, len(labels) - 0.3)
    bare(ax)


def bare(ax: Axes) -> Axes:
    """No box."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.xaxis.label.set_fontsize(9)
    ax.yaxis.label.set_fontsize(9)
    return ax


def titled(ax: Axes, title: str) -> Axes:
    """A title at the left edge of the figure, that says what is seen."""
    return finish(ax, title)


def rank01(values: Array) -> Array:
    """Values by rank from 0 to 1, so that one outlier does not take all the colours."""
    known = np.isfinite(values)
    made = np.full(len(values), np.nan)
    _, place = np.unique(values[known], return_inverse=True)
    made[known] = place / max(int(place.max(initial=0)), 1)
    return made


def spread(points: Array) -> Array:
    """Heights within a line: dots of the same bin side by side, alternating above and below."""
    edges = np.linspace(points.min(), points.max() + 1e-9, 60)
    place = np.digitize(points, edges)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], place[order], "left")
    nth = np.empty(len(points))
    nth[order] = np.arange(len(points)) - starts
    height = np.ceil(nth / 2) * np.where(nth % 2 == 0, 1, -1)
    return 0.38 * height / max(float(np.abs(height).max()), 8.0)
