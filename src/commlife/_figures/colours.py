"""The house's colours: told apart by the colour-blind and in black and white (after Okabe & Ito 2008)."""

from __future__ import annotations

__all__ = ["ACCENT", "BAD", "GOOD", "INK", "PAPER", "QUIET", "STATES", "heat"]

INK, QUIET, PAPER = "#1f2933", "#7b8794", "#ffffff"
ACCENT, GOOD, BAD = "#0072b2", "#00795c", "#b8430b"
#: Colour of each state of the lifecycle.
STATES = {
    "new": "#009e73",
    "returned": "#e69f00",
    "active": "#0072b2",
    "existing": "#56b4e9",
    "lapsed": "#d55e00",
    "silent": "#999999",
    "churned": "#4d4d4d",
}


def heat(share: float) -> tuple[str, str]:
    """Background and text colour of a heat-map cell, for a share of the largest value in [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    light, dark = (247, 251, 255), (8, 81, 156)
    mixed = [round(a + (b - a) * share) for a, b in zip(light, dark, strict=True)]
    return f"#{mixed[0]:02x}{mixed[1]:02x}{mixed[2]:02x}", PAPER if share > 0.55 else INK
