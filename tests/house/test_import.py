"""import commlife stays light; the public names are the ones we meant."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import commlife

HEAVY = (
    "pandas",
    "xgboost",
    "shap",
    "sklearn",
    "matplotlib",
    "scipy",
    "numba",
    "polars",
    "duckdb",
    "numpy",
    "narwhals",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def test_no_heavy_package_is_loaded():
    assert run(f"import sys, commlife; print([name for name in {HEAVY!r} if name in sys.modules])") == "[]"


def test_segments_and_cohorts_load_no_more_of_scipy_than_its_special_functions() -> None:
    """The rest of it is 45 MB in every process that asks for a cohort table or a lifecycle."""
    parts = ("stats", "optimize", "linalg", "sparse", "spatial")
    code = (
        f"import sys, commlife.segments, commlife.cohorts; print([p for p in {parts!r} if 'scipy.' + p in sys.modules])"
    )
    assert run(code) == "[]"


def cpu(code: str) -> float:
    """Least CPU seconds of a fresh interpreter, of several."""
    least = float("inf")
    for _ in range(5):
        before = os.times()
        run(code)
        after = os.times()
        least = min(least, after.children_user + after.children_system - before.children_user - before.children_system)
    return least


def test_importing_costs_no_more_than_twice_narwhals_and_pydantic():
    """A ratio of two fresh interpreters side by side, not a clock."""
    assert cpu("import commlife") <= 2 * cpu("import narwhals, pydantic")


def test_every_public_name_is_there():
    for name in commlife.__all__:
        assert getattr(commlife, name) is not None
    assert set(commlife.__all__) <= set(dir(commlife))


def test_all_is_sorted_and_typed():
    assert list(commlife.__all__) == sorted(commlife.__all__)
    source = importlib.util.find_spec("commlife").loader.get_source("commlife")
    typed = {line.split(" as ")[-1].strip() for line in source.splitlines() if line.strip().startswith("from commlife")}
    assert typed == set(commlife.__all__)


def test_names_at_the_root_are_those_of_their_rooms():
    for name, home in commlife._HOME_OF.items():
        room = importlib.import_module(f"commlife.{home}")
        assert name in room.__all__
        assert getattr(room, name) is getattr(commlife, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segmentz'"):
        commlife.segmentz  # noqa: B018
