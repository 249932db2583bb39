"""Saved models: whole, checked, without pickle and without ids."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commlife.churn import FittedSilenceModel
from commlife.datasets import Community
from commlife.errors import ConfigError, PersistenceError


@pytest.fixture
def folder(model: FittedSilenceModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_says_the_same(
    world: Community, model: FittedSilenceModel, by_community: pd.DataFrame, folder: Path
) -> None:
    loaded = FittedSilenceModel.load(folder)
    as_of = world.as_of
    pd.testing.assert_frame_equal(loaded.predict(world.log, as_of=as_of), model.predict(world.log, as_of=as_of))
    pd.testing.assert_frame_equal(loaded.reasons(world.log, as_of=as_of), model.reasons(world.log, as_of=as_of))
    pd.testing.assert_frame_equal(loaded.drivers(by="community"), by_community)
    pd.testing.assert_frame_equal(loaded.evaluation, model.evaluation)
    pd.testing.assert_frame_equal(loaded.reliability, model.reliability)
    assert (loaded.verdict, loaded.verdict_zh, loaded.spec) == (model.verdict, model.verdict_zh, model.spec)
    assert loaded.fitted_on == model.fitted_on


def test_saving_again_replaces_the_old_model_whole(model: FittedSilenceModel, folder: Path) -> None:
    model.save(folder)
    assert FittedSilenceModel.load(folder).spec == model.spec
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_pickle_and_no_user_ids_are_written(folder: Path, world: Community, model: FittedSilenceModel) -> None:
    assert {path.suffix for path in folder.iterdir()} == {".json", ".ubj"}
    assert "ids" not in json.loads((folder / "state.json").read_text("utf-8"))["reference"]
    users = model.predict(world.log, as_of=world.as_of)
    with pytest.raises(ConfigError, match="holds no user ids"):
        FittedSilenceModel.load(folder).drivers(by=users.assign(p_silent="a"))


@pytest.mark.parametrize("name", ["state.json", "trees.ubj", "refit_000.ubj"])
def test_a_changed_byte_is_seen(folder: Path, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(bytes(raw))
    with pytest.raises(PersistenceError, match="damaged or was changed"):
        FittedSilenceModel.load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "trees.ubj"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(PersistenceError, match=name.replace(".", r"\.")):
        FittedSilenceModel.load(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "Other"}, "is no manifest"),
        ({"files": []}, "is no manifest"),
        ({"format": 99}, "format 99"),
        ({"format": True}, "format True"),
        ({"files": {}}, "lacks"),
        ({"files": {"../../passwd": {}}}, "no file of a model"),
    ],
)
def test_a_foreign_manifest_is_refused(folder: Path, change: dict[str, object], says: str) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(PersistenceError, match=says):
        FittedSilenceModel.load(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "\ud83d".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_no_json_object_is_refused(folder: Path, text: str | bytes) -> None:
    (folder / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PersistenceError, match="JSON"):
        FittedSilenceModel.load(folder)


def test_a_foreign_folder_is_not_overwritten(model: FittedSilenceModel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(PersistenceError, match="holds no saved model"):
        model.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


OLD = Path(__file__).parent / "data" / "xgboost_2_1"


def test_a_model_saved_under_the_oldest_xgboost_says_the_same_under_this_one() -> None:
    """Written by this library with xgboost 2.1.4, the oldest minor version that it supports, beside what it said then."""
    told = json.loads(OLD.with_name("xgboost_2_1_told.json").read_text("utf-8"))
    assert told["xgboost"] == "2.1.4"
    loaded = FittedSilenceModel.load(OLD)
    assert list(loaded.forest.names) == told["features"]
    X = np.array([[np.nan if value is None else value for value in row] for row in told["rows"]])
    p = loaded.calibration.probability(loaded.forest.margin(X))
    np.testing.assert_allclose(p, told["p_silent"], rtol=0, atol=1e-6)
    contributions, _, margin = loaded.forest.contributions(X)
    np.testing.assert_allclose(contributions, told["contributions"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(loaded.calibration.probability(margin), p, atol=1e-9)
    assert len(loaded.drivers()) > len(loaded.groups)


def test_a_model_of_the_first_format_still_loads(tmp_path: Path) -> None:
    """The first format held tenths of the test snapshot instead of fine bins."""
    newer = FittedSilenceModel.load(OLD)
    folder = tmp_path / "first"
    shutil.copytree(OLD, folder)
    state = json.loads((folder / "state.json").read_text("utf-8"))
    del state["holdout"]
    state["reliability"] = newer.reliability.to_dict("list")
    raw = json.dumps(state).encode()
    (folder / "state.json").write_bytes(raw)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["format"] = 1
    manifest["files"]["state.json"] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    older = FittedSilenceModel.load(folder)
    pd.testing.assert_frame_equal(older.reliability, newer.reliability)
    assert older.holdout.size == newer.holdout.size
    assert older.profit(value_of_keeping=100, share_kept=0.5, cost_of_contact=1).users == newer.holdout.size
