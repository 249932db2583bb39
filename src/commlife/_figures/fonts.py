"""Fonts: families that have Chinese characters, where the machine has one."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from commlife._caveats import warn
from commlife.errors import ModelWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chinese_family", "families", "written"]

#: In this order; after them any other family whose name says CJK.
_PREFERRED = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP",
)  # fmt: skip


@functools.cache
def chinese_family() -> str | None:
    """A family with Chinese characters that matplotlib can draw with; None if the machine has none."""
    from matplotlib import font_manager

    found = _among({font.name for font in font_manager.fontManager.ttflist})
    if found is not None:
        return found
    # matplotlib keeps a list from its first start; fonts installed since are not on it.
    for path in sorted(font_manager.findSystemFonts()):
        if any(part in Path(path).name for part in ("CJK", "SourceHanSans", "wqy", "msyh", "simhei")):
            font_manager.fontManager.addfont(path)
    return _among({font.name for font in font_manager.fontManager.ttflist})


def _among(installed: set[str]) -> str | None:
    for name in _PREFERRED:
        if name in installed:
            return name
    return min((name for name in installed if "CJK" in name), default=None)


def families() -> list[str]:
    """Families to draw labels with: the usual one, and one with Chinese characters for what it lacks."""
    chinese = chinese_family()
    return ["DejaVu Sans"] if chinese is None else ["DejaVu Sans", chinese]


@contextlib.contextmanager
def written(lang: str) -> Iterator[None]:
    """Texts made within are drawn in fonts that have their letters, those of names from the host's data too.

    Args:
        lang: Language of the figure.

    Warns:
        ModelWarning: If Chinese is asked for and the machine has no font for it.
    """
    import matplotlib as mpl

    if lang == "zh" and chinese_family() is None:
        warn(
            "this machine has no font with Chinese characters that matplotlib can find: the figure will show boxes. "
            'Install Noto Sans CJK, or use lang="en".',
            ModelWarning,
        )
    # This one setting, and not a context of all: the first figure of a notebook loads its backend in here, whose own
    # settings have to outlive the figure, or no later one is shown.
    before = mpl.rcParams["font.family"]
    mpl.rcParams["font.family"] = families()
    try:
        yield
    finally:
        mpl.rcParams["font.family"] = before
