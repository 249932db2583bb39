"""Errors and warnings speak in one voice (CONTRIBUTING.md says which): what a machine can hold of it."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

import commlife
from commlife import errors

SOURCE = Path(commlife.__file__).parent
ERRORS = {name for name in errors.__all__ if name.endswith("Error")}
WARNINGS = {name for name in errors.__all__ if name.endswith("Warning")}
#: Begin of a sentence, or of a part of one, that says what to do.
FIX = re.compile(
    r"(?:^|[.:;,?)] |\bor |\band |\()(?:Add|Allow|Ask|Build|Cap|Check|Choose|Collect|Compare|Consider|Compute|Convert|Copy|Correct|Cut|Divide|Do|Drill|Drop|"
    r"Exclude|Fill|Fit|Follow|Free|Give|Group|Install|Keep|Lay|Learn|Leave|Look|Lower|Make|Map|Merge|Mine|Move|Name|Plan|"
    r"Price|Put|Raise|Read|Rename|Return|Round|Run|Save|Say|Select|Set|Start|State|Take|Try|Turn|Update|Use|Vary|Work|Write)\b",
    re.IGNORECASE,
)
#: A rule that says what is right, and the value that was seen: the one is the way out of the other.
RULE = re.compile(r"\bseen\b|\bof type\b|its (?:d?type) is|their type is")
#: Parts made elsewhere that end one of ours: whole sentences, or hints that may be empty.
WHOLE = r"fix|hint|told|way_out|' '\.join\(|'; and where '\.join\(|'\\n  '\.join\(self\.found"
UNKIND = re.compile(r"\b(?:invalid|illegal|bad|please|sorry|oops|wrong|must|failed|None is not)\b", re.IGNORECASE)


def literal(node: ast.expr) -> str:
    """The text of an f-string, values as ⟨expression⟩."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else f"⟨{ast.unparse(part.value)}⟩" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal(node.left) + literal(node.right)
    return f"⟨{ast.unparse(node)}⟩"


def texts() -> list[tuple[str, str, str]]:
    """Place, class and text of everything that is raised or warned about."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            if ast.unparse(node.func) in {"warn", "warnings.warn"} and len(node.args) > 1:
                called = ast.unparse(node.args[1])
            if called in ERRORS | WARNINGS:
                text = literal(node.args[0])
                if not re.fullmatch(r"⟨[^⟩]*⟩", text):  # made elsewhere
                    found.append((f"{path.relative_to(SOURCE)}:{node.lineno}", called, text))
    return found


def test_all_of_them_are_found():
    assert len(texts()) > 600
    assert {called for _, called, _ in texts()} >= ERRORS - {"CommlifeError", "SchemaError"}


def test_each_ends_with_a_full_stop():
    wrong = [
        f"{where} {text}"
        for where, _, text in texts()
        if not re.search(r"[.?]$", text)
        and not re.search(rf"⟨(?:{WHOLE})[^⟩]*⟩$", text)
        and not re.search(r"[.]['\"](?: if [^⟩]*)?⟩$", text)
    ]
    assert not wrong, "\n".join(wrong)


def test_each_states_the_rule_in_plain_present_tense():
    wrong = [f"{where} {text}" for where, _, text in texts() if UNKIND.search(re.sub(r"⟨[^⟩]*⟩|'[^']*'", "", text))]
    assert not wrong, "\n".join(wrong)


def test_each_says_what_to_do():
    wrong = [
        f"{where} {text}"
        for where, _, text in texts()
        if not FIX.search(text) and not RULE.search(text) and "pip install" not in text
        and not re.search(rf"⟨(?:{WHOLE})", text)
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(ERRORS | WARNINGS))
def test_a_phone_is_masked_in_every_kind_of_error_and_warning(name):
    """Whatever a caller gives by mistake: its long runs of digits are masked where the message is made."""
    kind = getattr(errors, name)
    frame = (pd.DataFrame(),) if name == "SchemaError" else ()
    told = kind("top is a whole number; seen '13812345678' and [13987654321].", *frame)
    assert str(told) == "top is a whole number; seen '138****78' and [139****21]."
    assert str(pickle.loads(pickle.dumps(told))) == str(told)  # noqa: S301


def test_what_looks_like_a_phone_and_is_none_stays():
    kept = "there is no folder '/data/20261122154337'; at most 1,469,307 rows, p = 0.300000000004, on 2025-01-31."
    assert str(errors.ConfigError(kept)) == kept
