"""Every JSON format resists tampering: an error of ours, or an object that works; nothing else, and nothing executes."""

from __future__ import annotations

import contextlib
import json
import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
import every_kind
from commlife._model import Spec

#: What stands where it should not: other types, sizes, signs, texts that look like numbers.
_WEIRD = [
    None, True, False, 0, -1, 1, 2**63, -(2**70), 1e308, math.inf, math.nan, "", "x" * 50, "1e999", [], [[]], {},
    {"a": 1}, "7D", "0D", "99999999D", [1, 2], ["a"], "-5", 0.5, "__import__('os').getcwd()",
]  # fmt: skip
#: Texts that are no object of ours at all.
_RAW = [
    "", "null", "[]", "{}", "[" * 100_000, '{"a":' * 5_000, '{"kind": 1, "format": 1, "state": {}}', "NaN", "﻿{}",
    '{"kind": "RFM", "format": 1, "state": ' + "9" * 5_000 + "}",
]  # fmt: skip


# What stands in a foreign text may overflow; NumPy says so, and the answer holds inf or nan.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

TEXTS = [name for name in every_kind.kinds() if not every_kind.is_folder(name)]
SPECS = [name for name in TEXTS if issubclass(every_kind.kinds()[name], Spec)]
FITTED = [name for name in TEXTS if name not in SPECS]
#: Python's own numbers for nothing, and the largest claims that a text can make about a size.
_CLAIMS = [10**12, 2**63, 10**400, 1e308, -1]


@cache
def log() -> cl.OrderLog:
    return every_kind.log_of(every_kind.orders())


@cache
def made(name: str):
    return every_kind.make(name, log())


def test_every_kind_that_is_kept_has_a_sample():
    """A new class with from_json or load is tampered with, kept and described from its first day."""
    assert set(every_kind.MADE) == set(every_kind.kinds())


def _places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 6)):
            yield from _places(value[index], (*path, index))


def _changed(value, path, new):
    if not path:
        return new
    value[path[0]] = _changed(value[path[0]], path[1:], new)
    return value


def _without(value, path):
    place = value
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return value


def _tampered(draw, text):
    told = json.loads(text)
    path = draw(st.sampled_from(list(_places(told))))
    if path and draw(st.booleans()):
        return json.dumps(_without(told, path))
    return json.dumps(_changed(told, path, draw(st.sampled_from(_WEIRD))))


def _read(cls, text):
    """The object, or None where it was refused in our words."""
    try:
        return cls.from_json(text)
    except cl.PersistenceError:
        return None


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_written_comes_back(name):
    again = type(made(name)).from_json(made(name).to_json())
    assert again.to_json() == made(name).to_json()
    assert every_kind.ask(again, log()) == every_kind.ask(made(name), log())


@given(data=st.data(), name=st.sampled_from(SPECS))
def test_a_tampered_spec_is_refused_or_valid(data, name):
    spec = made(name)
    read = _read(type(spec), _tampered(data.draw, spec.to_json()))
    if read is not None:
        assert type(spec).from_json(read.to_json()) == read


@pytest.mark.parametrize("name", FITTED)
@given(data=st.data())
def test_a_tampered_fitted_object_is_refused_or_answers(data, name):
    """What passes the reading answers its question, or refuses it in our words."""
    thing = made(name)
    read = _read(type(thing), _tampered(data.draw, thing.to_json()))
    if read is None:
        return
    assert read.to_json()
    with contextlib.suppress(cl.CommlifeError):
        every_kind.ask(read, log())


@pytest.mark.parametrize("name", TEXTS)
def test_no_claim_of_a_size_is_believed(name):
    """Every number of every format, one at a time, says that there are a million million of something."""
    text = made(name).to_json()
    for path in _places(json.loads(text)["state"], ("state",)):
        seen = json.loads(text)
        for key in path:
            seen = seen[key]
        if isinstance(seen, bool) or not isinstance(seen, (int, float)):
            continue
        for claim in _CLAIMS:
            read = _read(type(made(name)), json.dumps(_changed(json.loads(text), path, claim)))
            if read is not None and isinstance(seen, int):
                with contextlib.suppress(cl.CommlifeError):
                    every_kind.ask(read, log())


#: Where the models with trees keep them: in XGBoost's own JSON, inside of ours.
_TREES = {"FittedUplift": ("state", "models", 0), "FittedCouponResponse": ("state", "model")}


@pytest.mark.parametrize("name", sorted(_TREES))
@given(data=st.data())
def test_tampered_trees_never_reach_xgboost(name, data):
    """XGBoost believes a tree whose child or parent lies outside of it, and reads foreign memory."""
    told = json.loads(made(name).to_json())
    inner = told
    for key in _TREES[name]:
        inner = inner[key]
    changed = _changed(told, _TREES[name], _tampered(data.draw, inner))
    read = _read(type(made(name)), json.dumps(changed))
    if read is not None:
        with contextlib.suppress(cl.CommlifeError):
            every_kind.ask(read, log())


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("left_children", 1_000_000, "a child that is not there"),
        ("left_children", 0, "a child that is not there"),
        ("left_children", 2, "two parents"),
        ("right_children", -1, "a child that is not there"),
        ("split_indices", 1_000_000, "a feature that is not there"),
        ("split_indices", 0.5, "whole number"),
        ("split_conditions", 1e999, "finite number"),
        ("default_left", 7, "goes"),
        ("split_type", 1, "no plain tree"),
    ],
)
def test_a_tree_that_would_read_foreign_memory_is_refused(key, value, told):
    state = json.loads(made("FittedCouponResponse").to_json())
    trees = json.loads(state["state"]["model"])
    trees["learner"]["gradient_booster"]["model"]["trees"][0][key][0] = value
    state["state"]["model"] = json.dumps(trees)
    with pytest.raises(cl.PersistenceError, match=told):
        cl.FittedCouponResponse.from_json(json.dumps(state))


@pytest.mark.parametrize("raw", _RAW, ids=range(len(_RAW)))
@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_object_of_ours_is_refused(name, raw):
    with pytest.raises(cl.PersistenceError):
        every_kind.kinds()[name].from_json(raw)


@pytest.mark.parametrize("raw", [b"{}", None, 5, ["{}"]])
def test_only_text_is_read(raw):
    with pytest.raises(cl.PersistenceError, match="takes a str"):
        cl.RFM.from_json(raw)


def test_a_newer_format_is_refused_with_the_way_out():
    told = json.loads(cl.RFM().to_json()) | {"format": 99}
    with pytest.raises(cl.PersistenceError, match="Update commlife"):
        cl.RFM.from_json(json.dumps(told))
