"""The check of the built site finds each thing that may be amiss; `make docs` runs it over the whole site."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import zlib
from pathlib import Path

import pytest
import yaml

import check_site as check
import commlife

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


SOUND = '<html lang="en"><body><h1 id="top">x</h1><a href="two.html#here">2</a><img src="a.png" alt="a"></body></html>'


def _site(tmp_path: Path, one: str = SOUND, known: tuple[str, ...] = ("one.html", "two.html")) -> list[str]:
    (tmp_path / "search").mkdir()
    (tmp_path / "one.html").write_text(one)
    (tmp_path / "two.html").write_text('<html lang="en"><p id="here"><a href="one.html">1</a></p></html>')
    (tmp_path / "a.png").write_bytes(b"")
    docs = [{"location": f"{name}#x", "title": "x", "text": ""} for name in known]
    (tmp_path / "search" / "search_index.js").write_text("var __index = " + json.dumps({"docs": docs}))
    return check.faults(tmp_path)


def test_a_sound_site_has_no_fault(tmp_path: Path) -> None:
    assert _site(tmp_path) == []


@pytest.mark.parametrize(
    ("from_", "to", "told"),
    [
        ("two.html#here", "three.html", "no such page"),
        ("two.html#here", "two.html#there", "no such anchor"),
        ("two.html#here", "#there", "no such anchor"),
        ('alt="a"', 'alt=" "', "no alternative text"),
        ("a.png", "b.png", "no such page"),
        ("a.png", "https://example.org/a.png", "fetched from elsewhere"),
        (' lang="en"', "", "no language"),
    ],
)
def test_what_is_amiss_is_told(tmp_path: Path, from_: str, to: str, told: str) -> None:
    found = _site(tmp_path, SOUND.replace(from_, to))
    assert len(found) == 1
    assert told in found[0]


def test_a_page_that_the_search_does_not_know_is_told(tmp_path: Path) -> None:
    assert _site(tmp_path, known=("one.html",)) == ["two.html: the search does not know it"]


def test_an_empty_folder_is_no_site(tmp_path: Path) -> None:
    assert "no pages" in check.faults(tmp_path)[0]


def test_a_public_name_that_the_reference_does_not_hold_is_told(tmp_path: Path) -> None:
    """Seen: functions named like their file stood on the page without a heading, and nothing led to them."""
    names = [f"commlife.{room}.{name}" for room in _rooms() for name in _public(room)]
    assert len(names) > 200
    missing = "commlife.segments.RFM"
    lines = "".join(f"{name} py:class 1 page.html#$ -\n" for name in names if name != missing)
    inventory = tmp_path / "objects.inv"
    inventory.write_bytes(b"#\n#\n#\n#\n" + zlib.compress(lines.encode()))
    assert check.unlisted(inventory, "commlife") == [f"{missing}: not in the reference"]


def _rooms() -> list[str]:
    return [room.name for room in pkgutil.iter_modules(commlife.__path__) if not room.name.startswith("_")]


def _public(room: str) -> list[str]:
    return importlib.import_module(f"commlife.{room}").__all__


def test_make_docs_runs_it() -> None:
    """And the site asks for no fonts, scripts or counters from elsewhere."""
    assert "docs/check_site.py site" in (ROOT / "Makefile").read_text(encoding="utf-8")
    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    theme = yaml.safe_load(text)["theme"]
    assert theme["font"] is False


IMAGES = [
    (page, alt, target)
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
]


def test_every_picture_says_in_words_what_it_shows() -> None:
    assert len(IMAGES) > 60
    for page, alt, target in IMAGES:
        assert len(alt) > 15, f"{page.name}: {target}"
        assert (page.parent / target).is_file(), f"{page.name}: {target}"


def test_every_picture_is_shown_somewhere() -> None:
    shown = {Path(target).name for _, _, target in IMAGES}
    assert {path.name for path in (DOCS / "images").iterdir()} == shown


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=lambda page: page.stem)
def test_pages_of_reference_link_their_guides(page: Path) -> None:
    if page.stem not in {"index", "errors", "datasets", "features"}:
        assert re.search(r"\]\(\.\./(how-to|tutorial|explanation)/", page.read_text(encoding="utf-8"))
