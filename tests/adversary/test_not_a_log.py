"""The frame given where its log belongs: the likeliest slip of all is told in one line by every call."""

from __future__ import annotations

import importlib
import inspect

import pandas as pd
import pytest

import commlife as cl

ROOMS = [
    "features",
    "metrics",
    "segments",
    "cohorts",
    "basket",
    "value",
    "state",
    "effects",
    "churn",
    "coupons",
    "report",
]


def _asks_a_log(function) -> bool:
    found = inspect.signature(function).parameters.get("log")
    return found is not None and found.annotation == "OrderLog"


def _calls():
    """Every public function and method of the rooms that takes a log, by the name a user writes."""
    calls = {}
    for room in ROOMS:
        module = importlib.import_module(f"commlife.{room}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) and _asks_a_log(thing):
                calls[name] = thing
            elif inspect.isclass(thing):
                for part, member in inspect.getmembers(thing):
                    function = getattr(member, "__func__", member)
                    if not part.startswith("_") and inspect.isfunction(function) and _asks_a_log(function):
                        calls[f"{name}.{part}"] = function
    return calls


CALLS = _calls()


def test_the_calls_are_found():
    assert {"cohort_table", "RFM.fit", "FittedRFM.transform", "user_table", "purchase_summary"} <= set(CALLS)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_frame_is_no_log(name):
    function = CALLS[name]
    given = {
        each.name: None
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    }
    with pytest.raises(cl.ConfigError, match=r"takes an OrderLog; seen a DataFrame.*from_frame"):
        function(**given | {"log": pd.DataFrame({"user_id": ["a"]})})
