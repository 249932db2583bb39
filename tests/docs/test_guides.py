"""Every page of the documentation runs, and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import run_guides as guides

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


PAGES = guides.pages()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_page_runs(page: Path, tmp_path: Path) -> None:
    guides.run_page(page, tmp_path)


def test_the_how_to_pages_are_among_them() -> None:
    """A page whose fences the collector does not see would pass in silence."""
    run = {page for page in PAGES if page.parent.name == "how-to"}
    assert run == set((DOCS / "how-to").glob("*.md"))
    assert len(run) >= 10


def _page(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(guides, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_share_a_namespace_and_a_wrong_figure_is_seen(tmp_path, monkeypatch) -> None:
    sound = "```python\nx = 2\n```\nwords\n```python\n>>> x + 1\n3\n\n```\n"
    guides.run_page(_page(tmp_path, sound, monkeypatch), tmp_path)
    with pytest.raises(guides.GuideError, match="Expected"):
        guides.run_page(_page(tmp_path, sound.replace("\n3\n", "\n4\n"), monkeypatch), tmp_path)


def test_a_failing_block_names_the_line_of_the_page(tmp_path, monkeypatch) -> None:
    page = _page(tmp_path, "# Title\n\n```python\nx = 1\n1 / 0\n```\n", monkeypatch)
    with pytest.raises(ZeroDivisionError) as caught:
        guides.run_page(page, tmp_path)
    assert caught.traceback[-1].lineno + 1 == 5


def test_blocks_that_would_be_passed_over_are_refused(tmp_path, monkeypatch) -> None:
    page = _page(tmp_path, "```python no-run\nx = 1\n```\n```python\ny = 1\n```\n", monkeypatch)
    with pytest.raises(guides.GuideError, match="no-run"):
        guides.run_page(page, tmp_path)


def test_indented_blocks_are_found(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("- item\n\n    ```python\n    if True:\n        x = 1\n    ```\n", encoding="utf-8")
    assert guides.blocks(page) == [guides.Block("python", "if True:\n    x = 1\n", 4)]


def test_no_page_hides_code_from_the_runner() -> None:
    """Fences of tildes and blocks of other dialects would not run."""
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert "~~~" not in text, page
        assert not re.search(r"^ *```+ *((py|pycon|python3)\b|\{)", text, flags=re.MULTILINE), page
