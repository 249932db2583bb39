"""The suite asks every public call that takes an order log: a new one must join it, or say here why not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import commlife as cl

SUITE = Path(__file__).parent
#: Asked in tests of their own, for a reason.
ELSEWHERE = {
    "weekly_report": "a page made of user_table and what stands beside it here",
    "write_user_table": "tests/report/test_parts.py: the rows of user_table, from each engine",
    "lever_drivers": "the panel and a model on it; both are here",
    "to_shap": "contributions of the feature table that is here",
    "plot_drill": "a figure of drill",
    "fit_panel": "a panel in this process",
    "update": "tests/state: nights of any engine",
}


def takes_a_log(call: object) -> bool:
    try:
        names = list(inspect.signature(call).parameters)
    except (TypeError, ValueError):
        return False
    return bool({"log", "joined", "as_of"} & set(names)) and bool({"log", "joined", "baskets", "week"} & set(names))


def test_every_call_on_a_log_is_asked() -> None:
    text = (SUITE / "every_call.py").read_text(encoding="utf-8") + (SUITE / "test_every_call.py").read_text("utf-8")
    asked = set(re.findall(r"\bcl\.(\w+)\(", text)) | set(re.findall(r"\.(\w+)\(", text))
    wanted = {}
    for name in cl.__all__:
        item = getattr(cl, name)
        if inspect.isclass(item):
            methods = inspect.getmembers(item, callable)
            wanted |= {each: f"{name}.{each}" for each, call in methods if each[0] != "_" and takes_a_log(call)}
        elif inspect.isfunction(item) and takes_a_log(item):
            wanted[name] = name
    assert len(wanted) > 30
    assert sorted(told for name, told in wanted.items() if name not in asked and name not in ELSEWHERE) == []
    assert {name for name in ELSEWHERE if name in asked} == set(), "asked by now"
