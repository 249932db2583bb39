"""Numbers as an operator reads them: short, grouped, a dash where there is none."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["integer", "money", "number", "percent", "points"]

NOTHING = "–"


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def integer(value: Any) -> str:
    """``12,345``."""
    x = _float(value)
    return f"{x:,.0f}" if math.isfinite(x) else NOTHING


def money(value: Any) -> str:
    """``12,345``, with cents below a hundred."""
    x = _float(value)
    if not math.isfinite(x):
        return NOTHING
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:,.2f}"


def number(value: Any) -> str:
    """Three figures that say something."""
    x = _float(value)
    if not math.isfinite(x):
        return NOTHING
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def percent(value: Any) -> str:
    """``37%``, with a digit more below ten."""
    x = _float(value) * 100
    if not math.isfinite(x):
        return NOTHING
    return f"{x:.0f}%" if abs(x) >= 10 else f"{x:.1f}%"


def points(value: Any) -> str:
    """A probability that may be tiny: ``.013``, ``< .001``."""
    x = _float(value)
    if not math.isfinite(x):
        return NOTHING
    return "< .001" if x < 0.001 else f"{x:.3f}".lstrip("0")
