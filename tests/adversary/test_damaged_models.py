"""A fitted model is read back only if its numbers make sense together: each rule of each model, broken alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

import commlife as cl
import every_kind


@pytest.fixture(scope="module")
def texts():
    log = every_kind.log_of(every_kind.orders())
    return {
        name: every_kind.make(name, log).to_json()
        for name in ("FittedBetaGeo", "FittedParetoNBD", "FittedCouponResponse", "FittedGammaGamma")
    }


def changed(told: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same with one place replaced; a function makes the new value from the old."""
    whole = copy.deepcopy(told)
    at = whole
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value(at[path[-1]]) if callable(value) else value
    return whole


BROKEN: list[tuple[str, tuple[Any, ...], Any]] = [
    ("FittedBetaGeo", ("params",), lambda held: {**held, "s": 1.0}),
    ("FittedBetaGeo", ("params", "r"), -1.0),
    ("FittedBetaGeo", ("params", "r"), 0.0),
    ("FittedBetaGeo", ("standard_errors",), {}),
    ("FittedBetaGeo", ("spec", "by"), "estate"),
    ("FittedBetaGeo", ("spec", "purchase_covariates"), ["app"]),
    ("FittedBetaGeo", ("effects",), {"values": ["NaN"], "covariance": [[1.0]]}),
    ("FittedParetoNBD", ("params", "s"), -0.5),
    ("FittedParetoNBD", ("params",), lambda held: dict(list(held.items())[1:])),
    ("FittedCouponResponse", ("platt",), ["Infinity", 1.0]),
    ("FittedCouponResponse", ("platt",), [1.0]),
    ("FittedCouponResponse", ("edges",), {}),
    ("FittedCouponResponse", ("edges", "frequency"), [2.0, 1.0]),
    ("FittedCouponResponse", ("edges", "frequency"), [1.0, "Infinity"]),
    ("FittedCouponResponse", ("levels", "estate"), ["north", "north"]),
    ("FittedCouponResponse", ("pairs",), [[[0, 0]]]),
    ("FittedCouponResponse", ("spec", "crosses"), [["estate", "estate"]]),
    ("FittedCouponResponse", ("quality",), []),
    ("FittedCouponResponse", ("quality", 0), {"model": "response"}),
    ("FittedCouponResponse", ("model",), "[" * 100_000),
    ("FittedGammaGamma", ("params", "p"), -1.0),
]


@pytest.mark.parametrize(
    ("name", "path", "value"), BROKEN, ids=lambda part: "changed" if callable(part) else str(part)[:40]
)
def test_a_broken_rule_is_told(texts, name, path, value):
    kind = every_kind.kinds()[name]
    assert kind.from_json(texts[name]).to_json() == texts[name]
    with pytest.raises(cl.PersistenceError):
        kind.from_json(json.dumps(changed(json.loads(texts[name]), ("state", *path), value)))
