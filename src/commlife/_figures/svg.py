"""Small figures as SVG text: sharp in print, readable by a screen reader, no package needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from commlife._figures.colours import ACCENT, INK, PAPER

__all__ = ["sparkline", "stacked_columns"]


def sparkline(values: Sequence[float], *, title: str, width: int = 120, height: int = 28) -> str:
    """A line without axes, its last point marked; gaps where values are missing."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    spread = (high - low) or 1.0
    step = (width - 8) / (len(values) - 1)
    points = [
        (4 + i * step, height - 4 - (value - low) / spread * (height - 8)) if math.isfinite(value) else None
        for i, value in enumerate(values)
    ]
    path, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "L"
    end = [point for point in points if point is not None][-1]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="xMinYMid" role="img" '
        f'aria-label="{escape(title)}"><path d="{" ".join(path)}" fill="none" stroke="{ACCENT}" stroke-width="1.6"/>'
        f'<circle cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="2.6" fill="{ACCENT}"/></svg>'
    )


def stacked_columns(
    above: Mapping[str, Sequence[float]],
    below: Mapping[str, Sequence[float]],
    *,
    ticks: Sequence[str],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    title: str,
) -> str:
    """Columns that stack upwards and, what was lost, downwards from one line; what is nowhere seen is not named."""
    n = len(ticks)
    above, below = ({name: series for name, series in part.items() if any(series)} for part in (above, below))
    tops = [sum(series[i] for series in above.values()) for i in range(n)]
    bottoms = [sum(series[i] for series in below.values()) for i in range(n)]
    top, bottom = _round_up(max([*tops, 1.0])), max([*bottoms, 0.0])
    width, height, left, right, head, foot = 920, 340, 56, 8, 34, 26
    unit = (height - head - foot) / (top + bottom)
    base = head + top * unit
    step = (width - left - right) / n
    newest = ", ".join(f"{labels[name]} {series[-1]:,.0f}" for name, series in [*above.items(), *below.items()])
    told = escape(f"{title}. {ticks[-1]}: {newest}" if n else title)
    parts = [f'<svg class="figure" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">']
    for value in (0.0, top / 2, top):
        y = base - value * unit
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d9e2ec"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" class="tick">{value:,.0f}</text>')
    for i in range(n):
        x, y_up, y_down = left + i * step + step * 0.12, base, base
        for name, series in above.items():
            size = series[i] * unit
            y_up -= size
            parts.append(
                _bar(x, y_up, step * 0.76, size, colours[name], f"{ticks[i]}: {labels[name]} {series[i]:,.0f}")
            )
        for name, series in below.items():
            size = series[i] * unit
            parts.append(
                _bar(x, y_down, step * 0.76, size, colours[name], f"{ticks[i]}: {labels[name]} {series[i]:,.0f}")
            )
            y_down += size
        if (n - 1 - i) % max(1, math.ceil(n / 9)) == 0:
            parts.append(
                f'<text x="{x + step * 0.38:.1f}" y="{height - 8}" text-anchor="middle" class="tick">'
                f"{escape(ticks[i])}</text>"
            )
    parts.append(f'<line x1="{left}" x2="{width - right}" y1="{base:.1f}" y2="{base:.1f}" stroke="{INK}"/>')
    x = float(left)
    for name in [*above, *below]:
        parts.append(f'<rect x="{x:.0f}" y="8" width="12" height="12" fill="{colours[name]}"/>')
        parts.append(f'<text x="{x + 17:.0f}" y="18" class="legend">{escape(labels[name])}</text>')
        x += 40 + sum(14 if ord(letter) > 0x2E80 else 7.5 for letter in labels[name])
    return "".join(parts) + "</svg>"


def _bar(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    if height <= 0:
        return ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.2f}" fill="{colour}" '
        f'stroke="{PAPER}" stroke-width="0.8">'
        f"<title>{escape(title)}</title></rect>"
    )


def _round_up(value: float) -> float:
    """The next number that reads well on an axis."""
    size = 10 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= value)
