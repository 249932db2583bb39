"""Schemas of what is kept and columns of what is answered change on purpose alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

import every_kind
import every_result

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import shapes  # noqa: E402


def test_every_result_and_every_frame_has_a_sample():
    """A new result class, or a new call that answers with a frame, is described from its first day."""
    assert {name for name in every_result.MADE if "." not in name} == every_result.wanted()


def test_the_shapes_are_those_that_are_kept():
    """In a process of its own, so that no other test's warnings or options matter."""
    script = HERE / "shapes.py"
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_frame_has_columns():
    kept = json.loads((HERE / "frames.json").read_text(encoding="utf-8"))
    assert all(columns for parts in kept.values() for columns in parts.values())
    assert kept["FittedRFM.transform"]["answer"][:2] == ["user_id: int64", "recency_days: int64"]


def test_a_kind_of_column_is_told_by_what_it_holds():
    kinds = {
        "text": ["a", None],
        "tuple": [("a", "b"), None],
        "int64": [1, 2],
        "float64": [1.5, None],
        "bool": [True, False],
    }
    assert {name: shapes._kind(pd.Series(cells)) for name, cells in kinds.items()} == {name: name for name in kinds}


def test_a_spec_accepts_what_its_schema_asks_for():
    """The required fields of each schema are those without which a spec cannot be made."""
    for name, cls in every_kind.kinds().items():
        if not every_kind.is_folder(name):
            told = json.loads((HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
            required = {key for key, field in cls.model_fields.items() if field.is_required()}
            assert set(told.get("required", ())) == required
