"""Inputs on which the fuzzer once failed, or which led it somewhere new: replayed without it."""

from __future__ import annotations

from pathlib import Path

import pytest

import targets

CORPUS = Path(__file__).resolve().parents[2] / "fuzz" / "corpus"
KEPT = [path for name in targets.TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_kept_input_is_answered_or_refused(path):
    """What fails here is an exception that is not ours, as the last test of this file shows."""
    targets.run(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_sound_inputs_pass(name):
    for data in targets.seeds(name).values():
        targets.run(name, data)


def test_every_target_has_a_corpus():
    assert {path.parent.name for path in KEPT} == set(targets.TARGETS)


def test_an_exception_that_is_not_ours_fails_a_target(monkeypatch):
    """The net holds: what an engine raises is let through to the fuzzer."""

    def broken(*args, **kwargs):
        raise KeyError("an engine's own")

    monkeypatch.setattr(targets.cl.OrderLog, "from_csv", broken)
    with pytest.raises(KeyError):
        targets.run("from_csv", b"\0phone\n")
