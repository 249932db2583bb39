"""The gallery shows every figure of the library, and each is drawn as the house draws."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import commlife
import gallery
import run_guides as guides
from commlife._figures.colours import contrast

DOCS = Path(__file__).resolve().parents[2] / "docs"


SECTIONS = [section for page in gallery.PAGES for section in gallery.sections(page)]


def test_every_figure_of_the_library_stands_in_the_gallery() -> None:
    """A new plot without a picture fails here: give it a section in docs/gallery/, and run docs/gallery.py."""
    figures = gallery.figures()
    assert len(figures) > 40
    shown = {section.anchor for section in SECTIONS}
    bare = {section.figure for section in SECTIONS}
    for name, draw in figures.items():
        endings = gallery.variants(draw)
        missing = {name + ending for ending in endings} - shown
        assert not missing or (endings == [""] and name in bare), f"not in the gallery: {sorted(missing)}"
    pages = {"weekly_report", "driver_report"}
    assert bare - pages <= set(figures), "an anchor that names no figure"


def test_the_list_of_figures_sees_what_there_is() -> None:
    """The enumeration itself: methods, functions, the drawers of the silence model, choices and switches."""
    figures = gallery.figures()
    assert {"CohortTable.plot", "RetentionAlerts.plot_drill", "plot_heat", "SilencePlots.ranks"} <= set(figures)
    assert gallery.variants(figures["FittedLifecycle.plot"]) == ["-stocks", "-flows"]
    assert gallery.variants(figures["RevenueTree.plot"]) == ["", "-by_group"]
    assert gallery.variants(figures["KFactor.plot"]) == [""]


def test_pages_and_pictures_are_all_there() -> None:
    assert {path.stem for path in gallery.FOLDER.glob("*.md")} - {"index"} == set(gallery.PAGES)
    for section in SECTIONS:
        assert section.images, section.anchor
        for alt, file in section.images:
            assert len(alt) > 20, f"{section.anchor}: the alternative text says what is seen"
            assert (DOCS / "images" / file).is_file(), file
        links = re.search(r"\]\(\.\./(how-to|tutorial|explanation)/", section.body)
        assert links, f"{section.anchor} links no guide"
    assert len({section.anchor for section in SECTIONS}) == len(SECTIONS)


def test_the_first_page_is_as_the_script_writes_it() -> None:
    assert (gallery.FOLDER / "index.md").read_text(encoding="utf-8") == gallery.index(), "python docs/gallery.py"


def _spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], Any]]:
    """Every call of a figure from now on: its name, its arguments and what it drew."""
    seen: list[tuple[str, dict[str, Any], Any]] = []

    def watch(name: str, draw: Any) -> Any:
        signature = inspect.signature(draw)

        @functools.wraps(draw)
        def inside(*args: Any, **given: Any) -> Any:
            made = draw(*args, **given)
            bound = signature.bind(*args, **given)
            bound.apply_defaults()
            seen.append((name, dict(bound.arguments), made))
            return made

        return inside

    for name, draw in gallery.figures().items():
        owner, _, method = name.rpartition(".")
        if owner:
            module = importlib.import_module(draw.__module__)
            monkeypatch.setattr(getattr(module, owner), method, watch(name, draw))
            continue
        getattr(commlife, name)
        spy = watch(name, draw)
        for module in [found for key, found in sys.modules.items() if key.startswith("commlife")]:
            if vars(module).get(name) is draw:
                monkeypatch.setattr(module, name, spy)
    return seen


@pytest.mark.parametrize("page", [page for page in gallery.PAGES if page != "report"])
def test_a_page_draws_what_its_anchors_say(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _spied(monkeypatch)
    guides.run_page(gallery.FOLDER / f"{page}.md", tmp_path)
    sections = gallery.sections(page)
    assert {name for name, _, _ in seen} == {section.figure for section in sections}
    drawn = {file for section in sections for _, file in section.images}
    assert {path.name for path in tmp_path.glob("*.png")} == drawn
    for section in sections:
        variant = section.anchor.partition("-")[2]
        calls = [given for name, given, _ in seen if name == section.figure]
        for name, parameter in inspect.signature(gallery.figures()[section.figure]).parameters.items():
            if str(parameter.annotation).startswith("Literal[") and variant:
                assert any(given[name] == variant for given in calls), section.anchor
            if str(parameter.annotation) == "bool" and variant == name:
                assert any(given[name] is True for given in calls), section.anchor
    for name, _, made in seen:
        _as_the_house_draws(name, made)


def _as_the_house_draws(name: str, made: Any) -> None:
    from matplotlib.text import Text

    figure = made if hasattr(made, "axes") and not hasattr(made, "get_title") else made.figure
    figure.canvas.draw()
    canvas = figure.get_window_extent()
    main = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    for ax in main:
        assert ax.get_title(loc="left").strip(), f"{name}: a title at the left says what is seen"
        assert not ax.get_title(loc="center"), name
        assert not ax.axison or not (ax.spines["top"].get_visible() or ax.spines["right"].get_visible()), name
    assert len({ax.title.get_fontsize() for ax in main}) == 1
    drawn = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    for text in drawn:
        assert text.get_fontsize() >= 6.5, f"{name}: {text.get_text()!r} is too small to print"
    for ax in main:
        for text in (ax.xaxis.label, ax.yaxis.label, ax._left_title):
            if text.get_text():
                box = text.get_window_extent()
                # Saved pictures are trimmed to what was drawn; nothing may stand far off all the same.
                assert box.x0 > canvas.x0 - 0.5 * canvas.width, name
                assert box.x1 < canvas.x1 + 0.5 * canvas.width, name
                assert contrast(_hex(text.get_color()), "#ffffff") >= 4.5, f"{name}: {text.get_text()!r} is too pale"


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)
