"""What the figures of segments share: axes, titles, cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from commlife._figures.axes import finish, new_axes

__all__ = ["axes", "bare", "cells", "plain"]


def axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes given, or new ones of this size in inches."""
    return new_axes(ax, *size)


def plain(ax: Any, title: str, *, below: str = "") -> None:
    """A title at the left that says what is seen, no box."""
    finish(ax, title, below=below)


def bare(ax: Any) -> None:
    """No ticks, no frame: for tables that are drawn."""
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def cells(ax: Any, values: Any, **colours: Any) -> Any:
    """Coloured cells with white lines between them, the first row at the bottom until the axis is turned."""
    rows, columns = np.shape(values)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    return ax.pcolormesh(*edges, values, edgecolors="white", linewidth=1.5, **colours)
