"""Look through the built site: ``python docs/check_site.py site``. The exit code is 1 if something is amiss.

Every link leads to a page and an anchor that exist, every picture is there and says in words what it shows, and nothing
that a page needs is fetched from elsewhere. The search knows every page, and the reference every public name.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Where a page may be fetched from elsewhere: nowhere.
_FETCHING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
#: Links of the head that say where a page lives, and fetch nothing.
_NAMING = frozenset({"canonical", "prev", "next", "alternate", "edit"})


@dataclass
class Page(HTMLParser):
    """What a page holds and points to."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    language: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the tag says."""
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = given.get("lang", "")
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img":
            self.pictures.append((given.get("src", ""), given.get("alt", "")))
        named = _NAMING & set(given.get("rel", "").split())
        self.fetched += [given[name] for kind, name in _FETCHING if kind == tag and name in given and not named]


def faults(site: Path) -> list[str]:
    """What is amiss, page by page."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    told = [] if pages else [f"{site}: no pages"]
    for path, page in pages.items():
        name = path.relative_to(site)
        told += [f"{name}: no language"] if not page.language else []
        told += [f"{name}: fetched from elsewhere: {url}" for url in page.fetched if _outside(url)]
        told += [f"{name}: no alternative text: {src}" for src, alt in page.pictures if not alt.strip()]
        if name.name == "404.html":  # its links are made for the root of a server
            continue
        inside = [url for url in [*page.links, *page.fetched] if not _outside(url)]
        told += [f"{name}: {reason}" for url in inside if (reason := _broken(url, path, pages))]
    return told + _unsearched(site, pages)


def unlisted(inventory: Path, package: str) -> list[str]:
    """Public names of a package's rooms that the reference does not hold under a heading of their own."""
    text = zlib.decompress(inventory.read_bytes().split(b"\n", 4)[4]).decode("utf-8")
    held = {line.split(" ", 1)[0] for line in text.splitlines()}
    root = importlib.import_module(package)
    rooms = {room.name for room in pkgutil.iter_modules(root.__path__) if not room.name.startswith("_")}
    told = []
    for room in sorted(rooms):
        module = importlib.import_module(f"{package}.{room}")
        # Where a function is named like its file, the reference has it under the file.
        told += [
            f"{package}.{room}.{name}: not in the reference"
            for name in module.__all__
            if not {f"{package}.{room}.{name}", f"{package}.{room}.{name}.{name}"} & held
        ]
    return told


def _outside(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme or parts.netloc) and parts.scheme != "data"


def _broken(url: str, path: Path, pages: dict[Path, Page]) -> str:
    parts = urlsplit(url)
    if parts.scheme == "data":
        return ""
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return f"no such page: {url}"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return f"no such anchor: {url}"
    return ""


def _unsearched(site: Path, pages: dict[Path, Page]) -> list[str]:
    """Pages that the search does not know; the index is JSON, wrapped for pages that are opened from disk."""
    found = sorted(site.glob("search/search_index.js*"))
    if not found:
        return ["the search has no index"]
    text = found[0].read_text(encoding="utf-8")
    entries = json.loads(re.sub(r"^[^{]*", "", text).rstrip("; \n"))["docs"]
    known = {
        entry["location"].partition("#")[0] or "index.html" for entry in entries if entry["text"] or entry["title"]
    }
    wanted = {str(path.relative_to(site)) for path in pages} - {"404.html"}
    return [f"{name}: the search does not know it" for name in sorted(wanted - known)]


def main() -> int:
    """Tell what is amiss."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "site").resolve()
    found = faults(site) + unlisted(site / "objects.inv", "commlife")
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(list(site.rglob('*.html')))} pages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
