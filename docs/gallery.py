"""The gallery: which figures the library has, and on which page of docs/gallery/ each one stands.

    python docs/run_guides.py --figures docs/gallery/*.md    make the pictures anew, in docs/images/
    python docs/gallery.py                                   write docs/gallery/index.md anew

A section of a page is one figure: its heading carries the figure's name as an anchor, such as
``{ #Lifecycle.plot-flows }``, below it stand the code, the picture and what it tells.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "gallery"
#: In this order on the first page of the gallery.
PAGES = ("metrics", "segments", "cohorts", "basket", "value", "churn", "coupons", "report")
#: Classes all of whose public methods draw.
_DRAWERS = ("SilencePlots",)
_SECTION = re.compile(
    r"^## (?P<title>.+?) \{ #(?P<anchor>[\w.-]+) \}\n(?P<body>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)
_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(\.\./images/(?P<file>[\w-]+\.png)\)")


@dataclass(frozen=True, slots=True)
class Section:
    """One figure of a page."""

    page: str
    title: str
    anchor: str
    body: str

    @property
    def figure(self) -> str:
        """The name of what draws it: the anchor without its variant."""
        return self.anchor.partition("-")[0]

    @property
    def images(self) -> list[tuple[str, str]]:
        """Alternative text and file of each picture."""
        return [(found["alt"], found["file"]) for found in _IMAGE.finditer(self.body)]


def sections(page: str) -> list[Section]:
    """The figures of a page, in order."""
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    return [Section(page, *found.group("title", "anchor", "body")) for found in _SECTION.finditer(text)]


def figures() -> dict[str, Any]:
    """Everything public in the library that draws with matplotlib, by its name: functions and methods."""
    import commlife

    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(commlife.__path__, "commlife."):
        if any(part.startswith("_") for part in module.name.split(".")[1:]):
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            if name.startswith("_") or getattr(thing, "__module__", "") != module.name:
                continue
            if inspect.isclass(thing):
                drawers = [
                    key
                    for key, method in vars(thing).items()
                    if inspect.isfunction(method)
                    and (key == "plot" or key.startswith("plot_") or (name in _DRAWERS and not key.startswith("_")))
                ]
                found |= {f"{name}.{key}": vars(thing)[key] for key in drawers}
            elif inspect.isfunction(thing) and name.startswith("plot_"):
                found[name] = thing
    return found


def variants(draw: Any) -> list[str]:
    """The endings of anchors that a figure needs: a choice by name wants each of its values, a switch both."""
    endings = [""]
    for name, parameter in inspect.signature(draw).parameters.items():
        told = str(parameter.annotation)
        if told.startswith("Literal["):
            endings = [f"-{value}" for value in re.findall(r"['\"](\w+)['\"]", told)]
        elif told == "bool":
            endings.append(f"-{name}")
    return endings


def index() -> str:
    """The first page of the gallery: all pictures, small, each a link to its code."""
    lines = [
        "# Gallery",
        "",
        "Every figure of the library, made from real data by the code beside it. Where no open data has what a figure",
        "needs, its page says what was made up. Colours are told apart by the colour-blind, and states, signs and",
        "groups in black and white too.",
    ]
    for page in PAGES:
        title = (FOLDER / f"{page}.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines += ["", f"## [{title}]({page}.md)", "", '<div class="gallery" markdown>', ""]
        for section in sections(page):
            alt, file = section.images[0]
            label = section.title.removeprefix("... ").capitalize() if "..." in section.title else section.title
            lines.append(f"[![{alt}](../images/{file})<span>{label}</span>]({page}.md#{section.anchor})")
        lines += ["", "</div>"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")
