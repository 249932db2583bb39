"""A host of the last released version finds everything that it uses; each way of breaking it is seen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from commlife._model import Fitted, Spec

SCRIPT = Path(__file__).with_name("breaking.py")
sys.path.insert(0, str(SCRIPT.parent))

import breaking  # noqa: E402


def test_nothing_breaks_hosts_of_the_last_release():
    """In a process of its own, so that no other test's imports matter."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def call(log, *, as_of, washout=None, top=20):
    """What a released version had."""


def without_washout(log, *, as_of, top=20):
    """A parameter is gone."""


def renamed(log, *, as_of, wash=None, top=20):
    """A keyword has another name."""


def other_default(log, *, as_of, washout=None, top=10):
    """What was left out means something else."""


def asks_more(log, *, as_of, budget, washout=None, top=20):
    """Old calls no longer suffice."""


def in_another_place(as_of, log, *, washout=None, top=20):
    """What was named may now be given by place: no break; the order of places is one."""


def offers_more(log, *, as_of, washout=None, top=20, by=None):
    """A new optional argument is no break."""


class Score(Spec):
    n_bins: int = 5
    by: str | None = None

    def fit(self, log, *, as_of):
        """Fit."""

    @property
    def cuts(self):
        """Cuts."""
        return ()


class ScoreOfFewerBins(Spec):
    n_bins: int = 4
    by: str | None = None

    def fit(self, log, *, as_of):
        """Fit."""

    @property
    def cuts(self):
        """Cuts."""
        return ()


class ScoreWithoutField(Spec):
    n_bins: int = 5

    def fit(self, log, *, as_of):
        """Fit."""

    @property
    def cuts(self):
        """Cuts."""
        return ()


class ScoreWithoutProperty(Spec):
    n_bins: int = 5
    by: str | None = None

    def fit(self, log, *, as_of):
        """Fit."""


class ScoreThatMustBeTold(Spec):
    n_bins: int = 5
    by: str | None = None
    scale: float

    def fit(self, log, *, as_of):
        """Fit."""

    @property
    def cuts(self):
        """Cuts."""
        return ()


class Model(Fitted):
    share: float


class ModelWithMore(Fitted):
    share: float
    more: float


class ModelWithout(Fitted):
    pass


@dataclass(frozen=True)
class Rate:
    rate: float
    low: float
    _inside: int = 0

    def to_frame(self):
        """A frame."""


@dataclass(frozen=True)
class RateWithoutBound:
    rate: float
    _inside: int = 0

    def to_frame(self):
        """A frame."""


@dataclass(frozen=True)
class RateWithoutFrame:
    rate: float
    low: float


@dataclass(frozen=True)
class RateWithMore:
    rate: float
    low: float
    high: float

    def to_frame(self):
        """A frame."""


def compared(tmp_path, before, after) -> list[str]:
    """Both things under one name, as two releases would have them."""
    for folder, thing in (("old", before), ("new", after)):
        package = tmp_path / folder / "commlife"
        package.mkdir(parents=True)
        stub = "" if thing is None else breaking._stub("thing", thing)
        (package / "__init__.pyi").write_text("__all__ = ['thing']\n" * (thing is not None) + stub, encoding="utf-8")
    return breaking.breaks(tmp_path / "old", tmp_path / "new")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (call, without_washout, "thing(washout): Parameter was removed"),
        (call, renamed, "thing(washout): Parameter was removed"),
        (call, other_default, "thing(top): Parameter default was changed: 20 -> 10"),
        (call, asks_more, "thing(budget): Parameter was added as required"),
        (call, in_another_place, "thing(log): Positional parameter was moved"),
        (call, None, "thing: Public object was removed"),
        (Score, ScoreOfFewerBins, "thing.__init__(n_bins): Parameter default was changed: 5 -> 4"),
        (Score, ScoreWithoutField, "thing.by: Public object was removed"),
        (Score, ScoreWithoutProperty, "thing.cuts: Public object was removed"),
        (Score, ScoreThatMustBeTold, "thing.__init__(scale): Parameter was added as required"),
        (Model, ModelWithout, "thing.share: Public object was removed"),
        (Rate, RateWithoutBound, "thing.low: Public object was removed"),
        (Rate, RateWithoutFrame, "thing.to_frame: Public object was removed"),
    ],
)
def test_a_break_is_seen(tmp_path, before, after, told):
    assert f"commlife: {told}" in compared(tmp_path, before, after)


@pytest.mark.parametrize(
    ("before", "after"), [(call, call), (call, offers_more), (Model, ModelWithMore), (Rate, RateWithMore), (None, call)]
)
def test_more_is_no_break(tmp_path, before, after):
    assert compared(tmp_path, before, after) == []


def test_the_stubs_hold_every_public_name():
    text = breaking.stubs()
    for name in ("RFM", "cohort_table", "BetaGeo", "qini", "OrderLog", "user_table"):
        assert f"import {name} as {name}\n" in text["__init__.pyi"]
    assert "def from_frame(cls, frame, *, user_id, ordered_at, amount" in text["orders.pyi"]
    assert "def check_adapter(adapter, *, columns" in text["testing.pyi"]
