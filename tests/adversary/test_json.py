"""Every JSON format resists tampering: an error of ours, or an object that works; nothing else, and nothing executes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commlife as cl
from commlife._model import Spec, _Plain

AS_OF = "2025-06-01"

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


@pytest.fixture(scope="session")
def fitted():
    log = cl.datasets.make_community(n_users=150, seed=1).log
    summary = cl.purchase_summary(log, as_of=AS_OF)
    return log, [
        cl.RFM(n_bins=3, segment_map="grid_3x3").fit(log, as_of=AS_OF),
        cl.RFM(n_bins=2, segment_map="octants", by="community").fit(log, as_of=AS_OF),
        cl.ValueIndex().fit(log, as_of=AS_OF),
        *(model().fit(summary) for model in (cl.BetaGeo, cl.ModifiedBetaGeo, cl.ParetoNBD, cl.GammaGamma)),
        cl.Coupon(coupon_id="a", amount=3),
        cl.SecondOrder(coupon=cl.Coupon(coupon_id="a", amount=3)),
        cl.ThresholdLadder(tiers=["30:5", "60:12"]),
    ]


def _specs() -> list[Spec]:
    """Each spec that can be made without an argument."""
    for name in cl.__all__:
        getattr(cl, name)  # loads every room
    made = []
    waiting: list[type[_Plain]] = [_Plain]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if issubclass(cls, Spec) and cls.__module__.startswith("commlife.") and not cls.__name__.startswith("_"):
            try:
                made.append(cls())
            except cl.ConfigError:
                continue
    return sorted(made, key=lambda spec: type(spec).__name__)


SPECS = _specs()


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


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_specs_come_back_as_they_went(spec):
    assert type(spec).from_json(spec.to_json()) == spec


@given(st.data(), st.sampled_from(SPECS))
def test_a_tampered_spec_is_refused_or_valid(data, spec):
    read = _read(type(spec), _tampered(data.draw, spec.to_json()))
    if read is not None:
        assert type(spec).from_json(read.to_json()) == read


@given(data=st.data())
def test_a_tampered_fitted_object_is_refused_or_works(fitted, data):
    log, objects = fitted
    thing = data.draw(st.sampled_from(objects))
    read = _read(type(thing), _tampered(data.draw, thing.to_json()))
    if read is None:
        return
    assert read.to_json()
    if hasattr(read, "transform"):
        assert len(read.transform(log, as_of=AS_OF)) == len(thing.transform(log, as_of=AS_OF))


@pytest.mark.parametrize("raw", _RAW, ids=range(len(_RAW)))
@pytest.mark.parametrize("cls", [cl.RFM, cl.FittedRFM, cl.BetaGeo, cl.Policy], ids=lambda cls: cls.__name__)
def test_what_is_no_object_of_ours_is_refused(cls, raw):
    with pytest.raises(cl.PersistenceError):
        cls.from_json(raw)


@pytest.mark.parametrize("raw", [b"{}", None, 5, ["{}"]])
def test_only_text_is_read(raw):
    with pytest.raises(cl.PersistenceError, match="takes a str"):
        cl.RFM.from_json(raw)


def test_a_newer_format_is_refused_with_the_way_out():
    told = json.loads(cl.RFM().to_json()) | {"format": 99}
    with pytest.raises(cl.PersistenceError, match="Update commlife"):
        cl.RFM.from_json(json.dumps(told))
