"""Run the guides: every Python block of a page, in order, in one namespace.

    python docs/run_guides.py                  run all pages
    python docs/run_guides.py --figures        run them and keep the figures that they save in docs/images/

A block with a prompt (``>>>``) is a doctest; any other block is executed. The tests of the documentation use the same
functions, so that what a reader sees is what ran.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")
#: Languages that are shown and not run.
SHOWN = {"text", "sh", "toml", "yaml", "json", "sql", "ini", "csv"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language, its text without indentation, and the line it begins on."""

    language: str
    text: str
    line: int


class GuideError(Exception):
    """A block failed: what it said, and where."""


def pages() -> list[Path]:
    """The README and every page of the documentation that holds a Python block."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [page for page in found if any(block.language == "python" for block in blocks(page))]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        number += 1
        if opened is None:
            continue
        indent, first = len(opened["indent"]), number
        while number < len(lines) and lines[number].strip() != opened["fence"]:
            number += 1
        text = "\n".join(line[indent:] for line in lines[first:number]) + "\n"
        found.append(Block(opened["info"].strip(), text, first + 1))
        number += 1
    return found


def run_page(page: Path, folder: Path) -> None:
    """Run a page's Python blocks in ``folder``.

    Raises:
        GuideError: If a block fails or shows something else than the page says.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    name = str(page.relative_to(ROOT))
    namespace: dict[str, object] = {"__name__": "__main__"}
    with _inside(folder):
        for block in blocks(page):
            if block.language in SHOWN:
                continue
            if block.language != "python":
                raise GuideError(
                    f"{name}, line {block.line}: a block in {block.language!r}; python, or {sorted(SHOWN)}."
                )
            if ">>>" in block.text:
                _run_doctest(block, name, namespace)
            else:
                _run_code(block, name, namespace)


def _run_code(block: Block, name: str, namespace: dict[str, object]) -> None:
    # Blank lines first, so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    exec(code, namespace)  # noqa: S102  (the project's own pages)


def _run_doctest(block: Block, name: str, namespace: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, {}, name, name, block.line - 1)
    test.globs = namespace
    told: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
    runner.run(test, out=told.append, clear_globs=False)
    if told:
        raise GuideError("".join(told))


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In the folder, with pandas' tables as wide as the pages show them."""
    import pandas as pd
    from matplotlib import pyplot as plt

    before = Path.cwd()
    os.chdir(folder)
    try:
        with pd.option_context("display.width", 120, "display.max_columns", 20, "display.max_colwidth", 60):
            yield
    finally:
        os.chdir(before)
        plt.close("all")


def main() -> int:
    """Run all pages; the exit code is 1 if one fails."""
    parser = argparse.ArgumentParser(description="Run the Python blocks of the documentation.")
    parser.add_argument("pages", nargs="*", type=Path, help="pages to run (all of them by default)")
    parser.add_argument("--figures", action="store_true", help="keep the figures in docs/images/")
    arguments = parser.parse_args()
    failed = 0
    for page in [path.resolve() for path in arguments.pages] or pages():
        with tempfile.TemporaryDirectory() as name:
            try:
                run_page(page, Path(name))
            except Exception as error:  # noqa: BLE001  (whatever a page's code raises is told, and the next one runs)
                failed += 1
                print(f"FAILED {page.relative_to(ROOT)}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            if arguments.figures:
                for figure in sorted(Path(name).glob("*.png")):
                    shutil.copy(figure, DOCS / "images" / figure.name)
        print(f"ok     {page.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
