"""Fonts: families that have Chinese characters, where the machine has one."""

from __future__ import annotations

import contextlib
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from commlife._caveats import warn
from commlife.errors import ModelWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

__all__ = ["chinese_family", "drawable", "families", "without_boxes", "written"]

#: Chinese, Japanese and Korean letters and full-width signs.
_CHINESE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+")
#: Names that one warning explains.
_MOST_TOLD = 30

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


def _can_write_chinese() -> bool:
    """Whether the letters are there: in a font of this machine, or, as SVG whose texts stay texts, in the reader's."""
    import matplotlib as mpl

    return chinese_family() is not None or mpl.rcParams["svg.fonttype"] == "none"


def drawable(lang: str) -> Literal["en", "zh"]:
    """The language itself, or English where this machine has no letters for it.

    Warns:
        ModelWarning: If Chinese is asked for and the machine has no font for it.
    """
    if lang != "zh":
        return "en"
    if _can_write_chinese():
        return "zh"
    warn(
        "this machine has no font with Chinese characters that matplotlib can find: the figure is labelled in English. "
        "Install Noto Sans CJK.",
        ModelWarning,
    )
    return "en"


def without_boxes(ax: Axes) -> None:
    """Chinese runs of letters become ``n1``, ``n2``, ... where no font has them, instead of rows of boxes.

    Warns:
        ModelWarning: If there are any: says what each of them stands for.
    """
    if _can_write_chinese():
        return
    from matplotlib.text import Text

    names: dict[str, str] = {}

    def plain(text: str) -> str:
        return _CHINESE.sub(lambda run: names.setdefault(run.group(), f"n{len(names) + 1}"), text)

    for axis in (ax.xaxis, ax.yaxis):
        labels = [text.get_text() for text in axis.get_ticklabels()]
        if any(map(_CHINESE.search, labels)):
            axis.set_ticks(list(axis.get_ticklocs()), [plain(text) for text in labels])
    for text in ax.findobj(Text):
        text.set_text(plain(text.get_text()))
    if names:
        told = ", ".join(f"{short} = {run}" for run, short in list(names.items())[:_MOST_TOLD])
        warn(
            f"this machine has no font with Chinese characters that matplotlib can find: the figure says {told}"
            f"{', ...' if len(names) > _MOST_TOLD else ''}. Install Noto Sans CJK, or save it as SVG with "
            'matplotlib.rcParams["svg.fonttype"] = "none", set before it is drawn.',
            ModelWarning,
        )


@contextlib.contextmanager
def written(lang: str) -> Iterator[Literal["en", "zh"]]:
    """Texts made within are drawn in fonts that have their letters, those of names from the host's data too.

    Args:
        lang: Language of the figure.

    Yields:
        The language to draw in (:func:`drawable`).
    """
    import matplotlib as mpl

    spoken = drawable(lang)
    # This one setting, and not a context of all: the first figure of a notebook loads its backend in here, whose own
    # settings have to outlive the figure, or no later one is shown.
    before = mpl.rcParams["font.family"]
    mpl.rcParams["font.family"] = families()
    try:
        yield spoken
    finally:
        mpl.rcParams["font.family"] = before
