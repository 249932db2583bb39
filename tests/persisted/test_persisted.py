"""What each released version wrote is read today, and answers as it did."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import commlife as cl
import every_kind
from commlife._model import library_version

HERE = Path(__file__).parent
#: What a booster inside says may differ in the last digits between versions of XGBoost.
_BOOSTED = {"FittedSilenceModel", "FittedCouponResponse", "FittedUplift"}
FILES = sorted(
    (version.name, answer.stem)
    for version in HERE.iterdir()
    if version.is_dir()
    for answer in version.glob("answers/*")
)


@cache
def log_of(version: str) -> cl.OrderLog:
    return every_kind.log_of(pd.read_csv(HERE / version / "orders.csv"))


def read(version: str, name: str, folder: Path) -> Any:
    """The object in a version's file."""
    cls: Any = every_kind.kinds()[name]
    if (folder / name).is_dir():
        return cls.load(folder / name)
    return cls.from_json((folder / f"{name}.json").read_text(encoding="utf-8"))


def held(found: Any, wanted: Any, near: float) -> bool:
    """Whether all that was answered then is answered now; new keys and columns are no break."""
    if isinstance(wanted, dict):
        return all(key in found and held(found[key], value, near) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(held(*pair, near) for pair in zip(found, wanted, strict=True))
    if isinstance(wanted, float) and not isinstance(found, (bool, type(None))):
        return found == pytest.approx(wanted, rel=near, abs=near)
    return bool(found == wanted)


@pytest.mark.parametrize(("version", "name"), FILES, ids=str)
def test_what_a_version_wrote_is_read_and_answers_as_then(version, name):
    thing = read(version, name, HERE / version)
    wanted = json.loads((HERE / version / "answers" / f"{name}.json").read_text(encoding="utf-8"))
    found = every_kind.ask(thing, log_of(version))
    near = 1e-4 if name in _BOOSTED else 1e-7
    wrong = [key for key in wanted if not held(found[key], wanted[key], near)]
    assert not wrong, (wrong, {key: found[key] for key in wrong})


def test_this_version_has_a_file_of_every_kind():
    """A new kind gets its file with the version that brings it."""
    assert {name for version, name in FILES if version == library_version()} == set(every_kind.kinds())


#: Specs that have no field: there is nothing to change in their answers.
_BARE = {name for name, cls in every_kind.kinds().items() if not getattr(cls, "model_fields", {"": 0})}


@pytest.mark.parametrize("name", [name for version, name in FILES if version == "0.1.0" and name not in _BARE])
def test_an_answer_that_changed_would_be_seen(name):
    """The comparison bites: each kept answer, changed in one place, is no longer held."""
    wanted = json.loads((HERE / "0.1.0" / "answers" / f"{name}.json").read_text(encoding="utf-8"))
    assert held(wanted, wanted, 1e-7)
    assert not held(_bent(wanted), wanted, 1e-4)


def _bent(value: Any) -> Any:
    if isinstance(value, dict):
        first = next(key for key, inner in value.items() if inner not in ({}, []))
        return {**value, first: _bent(value[first])}
    if isinstance(value, list):
        return [_bent(value[0]), *value[1:]]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value + 1
    return f"{value}!"


@pytest.mark.parametrize("name", [name for name in every_kind.kinds() if not every_kind.is_folder(name)])
def test_a_newer_format_is_refused_with_the_way_out(name):
    text = (HERE / "0.1.0" / f"{name}.json").read_text(encoding="utf-8")
    told = json.loads(text) | {"format": 99}
    with pytest.raises(cl.PersistenceError, match="Update commlife"):
        every_kind.kinds()[name].from_json(json.dumps(told))


@pytest.mark.parametrize("name", [name for name in every_kind.kinds() if every_kind.is_folder(name)])
def test_a_newer_folder_is_refused_with_the_way_out(name, tmp_path):
    folder = tmp_path / name
    shutil.copytree(HERE / "0.1.0" / name, folder)
    manifest = folder / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8")) | {"format": 99}
    manifest.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(cl.PersistenceError, match="Update commlife"):
        every_kind.kinds()[name].load(folder)
