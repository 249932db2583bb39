"""The house as the docs draw it is the house on disk."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "commlife"
HOUSE = (ROOT / "docs" / "explanation" / "house.md").read_text(encoding="utf-8")


def _drawn() -> set[str]:
    drawing = re.search(r"```text\nsrc/commlife/\n(.*?)```", HOUSE, flags=re.DOTALL).group(1)
    return {line.split()[0] for line in drawing.splitlines()}


def _on_disk() -> set[str]:
    folders = {f"{path.parent.name}/" for path in SOURCE.glob("*/__init__.py")}
    return folders | {path.name for path in SOURCE.glob("*.py")}


def test_the_drawing_equals_the_folders() -> None:
    assert _drawn() == _on_disk()


def test_every_room_has_a_page_of_reference() -> None:
    rooms = {name.strip("/") for name in _on_disk() if name.endswith("/") and not name.startswith("_")} | {"errors"}
    pages = {path.stem for path in (ROOT / "docs" / "reference").glob("*.md")} - {"index", "command-line"}
    assert pages == rooms
    for room in sorted(rooms):
        assert f"::: commlife.{room}\n" in (ROOT / "docs" / "reference" / f"{room}.md").read_text(encoding="utf-8")


def test_the_floors_in_the_docs_are_those_that_ci_keeps() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    floors = [set(re.findall(r"commlife\.(\w+)", layer)) - {"__main__", "testing"} for layer in layers]
    told = HOUSE[HOUSE.index("Floors, top to bottom") : HOUSE.index("A file holds one idea")]
    order = re.findall(r"`(\w+)`", told)
    assert set(order) == set().union(*floors)
    place = {name: number for number, floor in enumerate(floors) for name in floor}
    assert [place[name] for name in order] == sorted(place[name] for name in order)


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load(text)["nav"])))
    assert named == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


@pytest.mark.parametrize("option", ["--lang", "--budget", "--merge-within", "--on-fault", "--show-ids"])
def test_options_of_the_command_line_are_told(option: str) -> None:
    assert f"`{option}" in (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")


def test_the_command_line_page_names_every_option() -> None:
    shell = (SOURCE / "report" / "shell.py").read_text(encoding="utf-8")
    options = set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', shell)) - {"--version"}
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert {option for option in options if f"`{option}" not in page} == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=lambda page: page.stem)
def test_no_public_name_hides_behind_its_module(page: Path) -> None:
    """Where a function is named like the file it lives in, the reference would list neither unless told."""
    told = set(re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
    room = SOURCE / page.stem
    if room.is_dir():
        public = importlib.import_module(f"commlife.{page.stem}").__all__
        hidden = {f"commlife.{page.stem}.{name}.{name}" for name in public if (room / f"{name}.py").exists()}
        assert hidden <= told


def test_every_how_to_is_on_their_first_page_under_its_own_title() -> None:
    first = (ROOT / "docs" / "how-to" / "index.md").read_text(encoding="utf-8")
    titles = dict(re.findall(r"\[([^\]]+)\]\(([\w-]+\.md)\)", first))
    linked = {page: title for title, page in titles.items()}
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs" / "how-to").glob("*.md"):
        if page.name != "index.md":
            title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            assert linked[page.name] == title
            assert f"{title}: how-to/{page.name}" in nav or f'"{title}": how-to/{page.name}' in nav


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_a_how_to_says_what_to_do_and_where_it_ends(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.stem != "index":
        assert re.search(r"^## What it cannot (tell|do)", text, flags=re.MULTILINE)
        assert re.search(r"^See also: ", text, flags=re.MULTILINE)


def test_every_fragment_of_the_changelog_is_of_a_kind_that_it_has() -> None:
    """Seen: fragments of an unknown kind are left out without a word."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != ".gitignore"]
    assert fragments
    for path in fragments:
        assert re.fullmatch(rf"[\w-]+\.({'|'.join(sorted(kinds))})\.md", path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert text[0].isupper() or text[0] == "`", f"{path.name} is no sentence"
        assert text.endswith("."), path.name


def test_the_citation_file_names_this_version() -> None:
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors", "license", "version"} <= set(told)
    assert (told["title"], told["version"]) == (project["name"], project["version"])


def test_the_guide_to_taking_part_names_targets_and_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    menu = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {name for line in re.findall(r"\bmake ([a-z][a-z ]*)", text) for name in line.split()}
    targets &= set(re.findall(r"^([a-z-]+):", menu, flags=re.MULTILINE)) | {"quick", "docs", "test", "lint", "types"}
    assert {"quick", "lint", "types", "test", "docs"} <= targets
    for room in re.findall(r"ROOM=([a-z]+)", text):
        assert (ROOT / "tests" / room).is_dir(), room
    for path in re.findall(r"\bdocs/[\w/-]+\.(?:md|py)", text):
        assert (ROOT / path).is_file(), path
