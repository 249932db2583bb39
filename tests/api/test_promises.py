"""What a room promises its hosts: the names, defaults and bounds of arguments.

Room by room and in this process, where ``test_api`` and ``make api`` look at the whole from outside.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path

import pytest

import commlife
from commlife._model import Spec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import snapshot  # noqa: E402

KEPT = json.loads(snapshot.FILE.read_text(encoding="utf-8"))
SCHEMAS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (HERE / "schemas").glob("*.json")}
ROOMS = ("orders", "features", "segments", "cohorts", "basket", "value", "coupons")


def classes(room):
    return {
        name: thing
        for name, thing in vars(importlib.import_module(f"commlife.{room}")).items()
        if inspect.isclass(thing)
    }


@pytest.mark.parametrize("room", ROOMS)
def test_calls_keep_their_names_and_defaults(room):
    """A default that moves changes a host's answers without a word."""
    names = [name for name in importlib.import_module(f"commlife.{room}").__all__ if name in KEPT]
    assert names
    assert {name: snapshot.describe(getattr(commlife, name)) for name in names} == {name: KEPT[name] for name in names}


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in {"features", "basket"}])
def test_what_is_kept_as_json_keeps_its_fields_and_bounds(room):
    """A file that was written yesterday is read by the same rules tomorrow."""
    kinds = {name: kind for name, kind in classes(room).items() if name in SCHEMAS}
    assert kinds
    for name, kind in kinds.items():
        assert json.loads(json.dumps(kind.model_json_schema())) == SCHEMAS[name]


@pytest.mark.parametrize("room", [*ROOMS, "metrics", "effects", "churn"])
def test_no_dataclass_can_be_changed(room):
    """Threads share results, and a page shows what was computed."""
    house = importlib.import_module(f"commlife.{room}")
    parts = [importlib.import_module(f"commlife.{room}.{part.name}") for part in pkgutil.iter_modules(house.__path__)]
    held = [thing for part in parts for thing in vars(part).values() if dataclasses.is_dataclass(thing)]
    kinds = {kind.__name__: kind for kind in held if isinstance(kind, type)}
    # What a miner has found so far grows while it mines, and never leaves the room.
    assert {name for name, kind in kinds.items() if not kind.__dataclass_params__.frozen} <= {"_Found"}


def counts():
    """The whole numbers that specs with defaults alone ask for."""
    for room in ("segments", "cohorts", "value"):
        for kind in classes(room).values():
            if issubclass(kind, Spec) and not any(field.is_required() for field in kind.model_fields.values()):
                for name, field in kind.model_fields.items():
                    if type(field.default) is int:
                        yield pytest.param(kind, name, id=f"{kind.__name__}.{name}")


@pytest.mark.parametrize(("kind", "name"), list(counts()))
def test_a_count_is_no_text_no_fraction_and_no_truth_value(kind, name):
    for wrong in (str(kind.model_fields[name].default), float(kind.model_fields[name].default), True):
        with pytest.raises(commlife.ConfigError, match=name):
            kind(**{name: wrong})
