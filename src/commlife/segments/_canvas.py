"""What the figures of segments share: axes, titles, cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from commlife._figures.colours import INK
from commlife._figures.fonts import families

__all__ = ["axes", "bare", "cells", "plain", "written"]


def axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes given, or new ones of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def plain(ax: Any, title: str, *, below: str = "") -> None:
    """A title at the left that says what is seen, no box."""
    ax.set_title(title + (f"\n{below}" if below else ""), loc="left", fontsize=11, color=INK, family=families())
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def bare(ax: Any) -> None:
    """No ticks, no frame: for tables that are drawn."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def cells(ax: Any, values: Any, **colours: Any) -> None:
    """Coloured cells with white lines between them, the first row at the bottom until the axis is turned."""
    rows, columns = np.shape(values)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    ax.pcolormesh(*edges, values, edgecolors="white", linewidth=1.5, **colours)


def written(depth: float) -> str:
    """Black or white, whichever can be read on a blue so deep (0 to 1)."""
    return "white" if depth > 0.6 else INK
