"""The house's colours: told apart by the colour-blind and in black and white (after Okabe & Ito 2008)."""

from __future__ import annotations

__all__ = [
    "ACCENT",
    "BAD",
    "BASE",
    "GOOD",
    "INK",
    "PAPER",
    "QUIET",
    "STATES",
    "contrast",
    "heat",
    "letters",
    "luminance",
]

#: From here on black letters are harder to read than white ones.
_DARK = 0.179

INK, QUIET, PAPER = "#1f2933", "#616e7c", "#ffffff"
ACCENT, GOOD, BAD = "#0072b2", "#00795c", "#b8430b"
#: Colour of each state of the lifecycle: as dark as no other state on its side of the line.
STATES = {
    "active": "#005b96",
    "returned": "#e69f00",
    "new": "#009e73",
    "existing": "#a6d8f0",
    "lapsed": "#d55e00",
    "silent": "#999999",
    "churned": "#404040",
}
#: The states of the base as they stack up in every figure, from the line.
BASE = ("active", "returned", "new", "existing")


def heat(share: float) -> tuple[str, str]:
    """Background and text colour of a heat-map cell, for a share of the largest value in [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    light, dark = (247, 251, 255), (8, 81, 156)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(light, dark, strict=True))
    colour = f"#{red:02x}{green:02x}{blue:02x}"
    return colour, letters(colour)


def letters(ground: str) -> str:
    """The colour of letters that can be read on this one."""
    if contrast(INK, ground) >= 7:
        return INK
    # Half-deep grounds leave black or white alone at the contrast that small letters need.
    return PAPER if luminance(ground) < _DARK else "#000000"


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` in [0, 1] (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, from 1 to 21; letters want 4.5 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
