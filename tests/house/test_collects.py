"""No table is brought into this process unless it is small by construction, or counted, told and bounded.

Two lists: who runs a plan by itself, and who takes a table for small. A new call fails here until it goes through
``_engine.collect_rows`` (or ``bounded``), or stands below with what a row of it is.
"""

from __future__ import annotations

import ast
import functools
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "commlife"
ENGINES = Path(__file__).parents[2] / "docs" / "explanation" / "engines.md"
#: What brings rows here, in Narwhals, pandas, Spark, Dask, DuckDB and Arrow.
BRINGS = {
    "collect",
    "toPandas",
    "to_pandas",
    "to_arrow",
    "compute",
    "fetchall",
    "fetchone",
    "fetchdf",
    "df",
    "pl",
    "arrow",
}

#: Plans that are run outside the rule: how many in each file, and why.
BY_ITSELF = {
    "orders/log.py": (1, "an eager host's own rows, in the host's own kind"),
    "orders/_files.py": (1, "a Parquet file that a pandas user asks for"),
    "datasets/complete_journey.py": (2, "open data, of a known size"),
    "basket/_baskets.py": (1, "an eager frame by then: bounded() stands a line above"),
    "basket/_fpgrowth.py": (2, "a row an item; a row an itemset, counted before against max_itemsets"),
    "report/users.py": (1, "no plan: Python's own garbage, between parts of the users"),
    "report/parts.py": (1, "a part of the users, from a file of its own"),
    "_engine/frames.py": (3, "the rule itself"),
    "_engine/spark.py": (1, "one batch of rows, on a worker"),
    "_engine/times.py": (1, "texts of an eager PyArrow frame"),
}

#: Tables that are small by construction, by file: how many, and what a row of each is.
SMALL = {
    "basket/_orders.py": (1, "an item"),
    "basket/heat.py": (3, "an item, each"),
    "basket/units.py": (1, "a group"),
    "churn/cluster.py": (1, "the only row of two sums"),
    "churn/horizon.py": (2, "a number of days, each"),
    "cohorts/_cells.py": (2, "a cell of the table; a cohort"),
    "cohorts/drill.py": (2, "a part and cohort; these and an age"),
    "features/flows.py": (2, "a group, period and lengths of a run; a group and period"),
    "metrics/_host.py": (1, "the only row of the sums of faults"),
    "metrics/_plans.py": (6, "a group and period, each"),
    "metrics/business.py": (2, "the first day; a group and day"),
    "metrics/elasticity.py": (1, "a period"),
    "metrics/funnel.py": (1, "a kind of event"),
    "metrics/revenue_tree.py": (3, "a period and group, each"),
    "report/users.py": (1, "a part of the users"),
    "segments/call_back.py": (1, "a period"),
    "segments/fitted_rfm.py": (2, "a score; a cell of two scores"),
    "segments/leanings.py": (2, "the only row of a maximum; a community and category"),
    "segments/loyalty.py": (1, "a share of so many periods"),
    "segments/returns.py": (1, "a period and length of a gap"),
    "segments/tags.py": (1, "a tag and value"),
    "segments/value_index.py": (1, "a cell of three scores"),
    "value/tracking.py": (1, "a day"),
    "testing/adapters.py": (1, "a log of a few lines, made by the check itself"),
    "testing/pipelines.py": (1, "likewise"),
}


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_engines(call: ast.Call) -> bool:
    """``collect(...)`` and ``_engine.collect(...)``, not a method of a frame."""
    held = call.func
    return isinstance(held, ast.Name) or (isinstance(held.value, ast.Name) and held.value.id == "_engine")


def is_bounded(call: ast.Call) -> bool:
    """``bounded(...).collect()``."""
    held = call.func.value
    return isinstance(held, ast.Call) and name_of(held) == "bounded"


@functools.cache
def calls() -> list[tuple[str, ast.Call, ast.Module]]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(SOURCE).as_posix()
        found += [(name, node, tree) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return found


def test_no_plan_is_run_by_itself() -> None:
    seen = Counter(
        name
        for name, call, _ in calls()
        if isinstance(call.func, ast.Attribute)
        and name_of(call) in BRINGS
        and not is_engines(call)
        and not is_bounded(call)
    )
    assert dict(seen) == {name: number for name, (number, _) in BY_ITSELF.items()}


def test_tables_that_are_taken_for_small_are_listed() -> None:
    seen = Counter(name for name, call, _ in calls() if name_of(call) == "collect" and is_engines(call))
    assert dict(seen) == {name: number for name, (number, _) in SMALL.items()}


def said(call: ast.Call, tree: ast.Module) -> str | None:
    """What a bounded collect calls itself in the log of the process; None where its caller says it."""
    told = next((word.value for word in call.keywords if word.arg == "call"), None)
    if isinstance(told, ast.Name):
        named = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        told = named.get(told.id)
    return told.value if isinstance(told, ast.Constant) else None


def test_every_step_that_is_finished_here_is_documented() -> None:
    page = ENGINES.read_text(encoding="utf-8")
    bounded = [(call, tree) for _, call, tree in calls() if name_of(call) in {"collect_rows", "bounded"}]
    names = {told for call, tree in bounded if (told := said(call, tree)) is not None}
    assert len(names) > 20
    assert sorted(name for name in names if f"`{name}`" not in page) == []
