"""What all figures have in common: axes of their own, a title at the left that says what is seen, no box."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from commlife._figures.colours import INK, letters
from commlife._figures.fonts import families, without_boxes, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

__all__ = ["drawn", "finish", "letters_on", "new_axes"]

P = ParamSpec("P")
T = TypeVar("T")

TITLE_SIZE = 11


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The Axes given, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def finish(ax: Axes, title: str, *, below: str = "", pad: float | None = None) -> Axes:
    """The title, and no more lines than needed.

    Args:
        ax: What was drawn.
        title: What is seen, in a few words.
        below: A second line, such as what it rests on.
        pad: Points between the title and what was drawn, where a note stands there.
    """
    said = title + (f"\n{below}" if below else "")
    ax.set_title(said, loc="left", fontsize=TITLE_SIZE, color=INK, pad=pad, family=families())
    ax.spines[["top", "right"]].set_visible(False)
    legend = ax.get_legend()
    if legend is not None:
        legend.set_frame_on(False)
    without_boxes(ax)
    return ax


def letters_on(image: Any, value: float) -> str:
    """The colour of letters that can be read on the colour of a value.

    Args:
        image: What ``pcolormesh`` or ``scatter`` returned.
        value: The value beneath the letters.
    """
    from matplotlib.colors import to_hex

    return letters(to_hex(image.cmap(image.norm(value))))


def drawn(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorator: names from the host's data and texts of ``lang`` are drawn in fonts that have their letters."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with written(str(kwargs.get("lang", "en"))) as spoken:
            if kwargs.get("lang") == "zh":
                kwargs["lang"] = spoken
            return draw(*args, **kwargs)

    return inside
