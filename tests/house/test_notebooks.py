"""What a notebook shows is saved and sent around: names that a host chose are escaped, and no user is named."""

from __future__ import annotations

import ast
import html
from pathlib import Path

import pandas as pd
import pytest

import commlife as cl

SOURCE = Path(cl.__file__).parent
SCRIPT = "<script>alert(1)</script>"
CLASSES = {
    f"{path.relative_to(SOURCE)}:{node.name}": node
    for path in sorted(SOURCE.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}
SHOWN = {
    name: method
    for name, node in CLASSES.items()
    for method in node.body
    if isinstance(method, ast.FunctionDef) and method.name == "_repr_html_"
}


@pytest.mark.parametrize("name", SHOWN)
def test_every_result_shown_in_a_notebook_goes_through_the_one_escaping_function(name):
    calls = [
        node.value.func.id
        for node in ast.walk(SHOWN[name])
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    ]
    returns = [node for node in ast.walk(SHOWN[name]) if isinstance(node, ast.Return)]
    assert calls == ["in_notebook"] * len(returns)


def results():
    baskets = [[SCRIPT, "tea"], [SCRIPT, "tea", "milk"], ["milk"], [SCRIPT, "tea"]]
    itemsets = cl.frequent_itemsets(baskets, min_count=2)
    yield itemsets
    yield cl.association_rules(itemsets, min_confidence=0.5)
    day = pd.Timestamp("2025-01-06")
    frame = pd.DataFrame(
        {
            "user": [f"u{i % 12}" for i in range(72)],
            "at": [day + pd.Timedelta(days=7 * (i // 12)) for i in range(72)],
            "paid": [10.0 + i for i in range(72)],
            "estate": [SCRIPT if i % 2 else "plum" for i in range(72)],
        }
    )
    log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", community="estate")
    yield cl.cohort_table(log, as_of="2025-03-01", period="week", by="community")
    yield cl.business_metrics(log, as_of="2025-03-01", period="week", by="community")


def test_a_name_that_holds_a_script_is_shown_as_text():
    shown = [result._repr_html_() for result in results()]
    assert len(shown) == 4
    for page in shown:
        assert SCRIPT not in page
        assert html.escape(SCRIPT) in page
