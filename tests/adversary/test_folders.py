"""Every kind that is kept in a folder: changed bytes, foreign names and tampered states are refused, whoever signs them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
import every_kind

FOLDERS = [name for name in every_kind.kinds() if every_kind.is_folder(name)]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
_WEIRD = [
    None, True, 0, -1, 2**63, -(2**70), 10**12, 1e308, float("nan"), "", "x" * 50, "../../etc/passwd", [], [[]], {},
    {"a": 1}, "99999999D", [1, 2], ["a"], 0.5,
]  # fmt: skip


@cache
def log() -> cl.OrderLog:
    return every_kind.log_of(every_kind.orders())


@cache
def kept(name: str) -> Path:
    """A sound folder, copied by each test."""
    folder = Path(tempfile.mkdtemp()) / name
    every_kind.make(name, log()).save(folder)
    return folder


def load(name: str, folder: Path):
    """The object, or None where it was refused in our words."""
    try:
        return every_kind.kinds()[name].load(folder)
    except cl.PersistenceError:
        return None


def signed(folder: Path) -> None:
    """Write the checksums that belong to the files: what a stranger would do who knows the format."""
    path = folder / "manifest.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for file, measured in told["files"].items():
        raw = (folder / file).read_bytes()
        measured |= {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    path.write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_each_file_is_named_in_the_manifest_and_checked(name, tmp_path):
    """Flip a byte, cut it short, take it away: each file of each kind."""
    for file in sorted(path.name for path in kept(name).iterdir() if path.name != "manifest.json"):
        for damage in ("flip", "cut", "take"):
            folder = tmp_path / f"{file}-{damage}"
            shutil.copytree(kept(name), folder)
            raw = bytearray((folder / file).read_bytes())
            if damage == "flip":
                raw[len(raw) // 2] ^= 1
            if damage == "take":
                (folder / file).unlink()
            else:
                (folder / file).write_bytes(bytes(raw[: len(raw) // 2] if damage == "cut" else raw))
            with pytest.raises(cl.PersistenceError):
                every_kind.kinds()[name].load(folder)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    "path", ["../outside.json", "/etc/passwd", "a/../../x.parquet", "manifest.json", "..", "", "x\0.parquet", "C:\\x"]
)
def test_a_manifest_leads_nowhere_else(name, path, tmp_path):
    """Path traversal: the file is there, and its checksum is right."""
    folder = tmp_path / "model"
    shutil.copytree(kept(name), folder)
    content = b"{}"
    (tmp_path / "outside.json").write_bytes(content)
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    told["files"][path] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(cl.PersistenceError):
        every_kind.kinds()[name].load(folder)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[" * 100_000, b'{"a":' * 5_000, b"9" * 5_000, b"\xff\xfe", b'{"files": 1}']
)
def test_a_manifest_that_is_none_is_refused(name, raw, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(kept(name), folder)
    (folder / "manifest.json").write_bytes(raw)
    with pytest.raises(cl.PersistenceError):
        every_kind.kinds()[name].load(folder)


def _places(value, path=()):
    yield path
    keys = value if isinstance(value, dict) else range(min(len(value), 4)) if isinstance(value, list) else ()
    for key in keys:
        yield from _places(value[key], (*path, key))


def _changed(value, path, new):
    if not path:
        return new
    value[path[0]] = _changed(value[path[0]], path[1:], new)
    return value


@pytest.mark.parametrize("name", FOLDERS)
@given(data=st.data())
def test_a_tampered_and_signed_state_is_refused_or_answers(name, data):
    """Checksums tell damage, not malice: whoever can write the folder can sign it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "model"
        shutil.copytree(kept(name), folder)
        file = folder / data.draw(st.sampled_from(sorted(path.name for path in folder.glob("*.json"))))
        told = json.loads(file.read_text(encoding="utf-8"))
        path = data.draw(st.sampled_from(list(_places(told))))
        file.write_text(json.dumps(_changed(told, path, data.draw(st.sampled_from(_WEIRD)))), encoding="utf-8")
        with contextlib.suppress(KeyError, TypeError, ValueError, OSError, AttributeError):  # no manifest any more
            signed(folder)
        thing = load(name, folder)
        if thing is not None:
            with contextlib.suppress(cl.CommlifeError):
                every_kind.ask(thing, log())
            assert repr(thing)


def test_a_booster_of_another_model_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(kept("FittedSilenceModel"), folder)
    shutil.copy(folder / "refit_000.ubj", folder / "trees.ubj")
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    state["spec"]["n_trees"] += 1
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    signed(folder)
    with pytest.raises(cl.PersistenceError, match="different models"):
        cl.FittedSilenceModel.load(folder)


@pytest.mark.parametrize("raw", [b"", b"\x80\x04\x95", b"{L", b"{" * 1000, b"binf" + b"\0" * 500])
def test_what_is_no_booster_is_refused_also_when_signed(raw, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(kept("FittedSilenceModel"), folder)
    (folder / "trees.ubj").write_bytes(raw)
    signed(folder)
    with pytest.raises(cl.PersistenceError):
        cl.FittedSilenceModel.load(folder)
