"""The glossary and the labels on the page are one vocabulary, and Chinese is set in Chinese punctuation."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import commlife as cl

DOCS = Path(__file__).resolve().parents[2] / "docs"
LABELS: dict[str, tuple[str, str]] = importlib.import_module("commlife._text.labels")._LABELS
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", flags=re.MULTILINE)
#: Column names that stand over one kind of value on the page: the first week of a cohort, the week later of an age.
HEADS = {"cohort", "age"}
CHINESE = r"[\u4e00-\u9fff]"


def _rows() -> list[tuple[str, str]]:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    found = [(english.strip(), chinese.strip().replace("*", "")) for english, chinese in ROW.findall(text)]
    return [pair for pair in found if pair[1] != "中文" and not set(pair[1]) <= {"-"}]


def test_words_of_the_page_are_those_of_the_glossary() -> None:
    told = []
    for english, chinese in _rows():
        for word in re.split(r"[,、]| `", english):
            for name, (label, zh) in LABELS.items() if word.strip() not in HEADS else ():
                if word.strip().lower() in {label.lower(), name.replace("_", " ")} and zh not in chinese:
                    told.append(f"{english}: {chinese}; the page says {zh}")
    assert not told
    assert len(_rows()) > 50


def test_the_dictionary_of_metrics_agrees_too() -> None:
    words = cl.metric_dictionary("zh").set_index("name")["label"]
    glossary = dict(_rows())
    for term, name in (("GMV", "gmv"), ("AOV", "aov"), ("units per order", "units_per_order"), ("payer", "payers")):
        assert words[name] in glossary[term], (term, words[name])


def _shown(page: Path) -> str:
    """A page without its code."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_chinese_sentences_have_full_width_marks(page: Path) -> None:
    assert not re.findall(rf"{CHINESE}[,;:!?] *{CHINESE}", _shown(page))


def test_the_quick_start_in_chinese_is_marked_as_such() -> None:
    text = (DOCS / "zh" / "quick-start.md").read_text(encoding="utf-8")
    assert '<div lang="zh-CN" markdown>' in text
    assert text.rstrip().endswith("</div>")
    prose = _shown(DOCS / "zh" / "quick-start.md")
    assert not re.findall(rf"{CHINESE} *\(|\) *{CHINESE}", prose), "brackets too"
