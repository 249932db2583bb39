"""Frames that a host gives beside the log: every fault is named, and nothing is joined that would meet nobody."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife.metrics import funnel

AS_OF = "2025-02-01"
EVENTS = pd.DataFrame(
    {"user_id": ["a", "a", "b"], "event": ["visit", "buy", "visit"], "time": pd.to_datetime(["2025-01-01"] * 3)}
)


def ask(events, **more):
    return funnel(events, **({"steps": ["visit", "buy"], "as_of": AS_OF} | more))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"time": [1, 2, 3]}, "not_a_timestamp"),
        ({"time": [True, False, True]}, "not_a_timestamp"),
        ({"user_id": [1.5, 2.0, 3.0]}, "not_an_id"),
        ({"user_id": [True, False, True]}, "not_an_id"),
        ({"user_id": pd.Series(["a", 1, "b"], dtype=object)}, "mixed_types"),
        ({"event": pd.Series(["visit", 1, "buy"], dtype=object)}, "mixed_types"),
    ],
)
def test_a_column_of_the_wrong_kind_is_named(change, fault):
    with pytest.raises(cl.SchemaError) as caught:
        ask(EVENTS.assign(**change))
    (column,) = change
    assert caught.value.faults[["column", "fault"]].to_numpy().tolist() == [[column, fault]]
    assert column in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(cl.SchemaError, match="2 faults") as caught:
        ask(EVENTS.assign(time=[1, 2, 3], user_id=[1.5, 2.0, 3.0]))
    assert sorted(caught.value.faults["column"]) == ["time", "user_id"]


def test_a_log_is_given_once_and_is_a_log():
    log = cl.OrderLog.from_frame(
        pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [1.0]}), user_id="u", ordered_at="t", amount="m"
    )
    with pytest.raises(cl.ConfigError, match="give the log once"):
        ask(log, log=log)
    with pytest.raises(cl.ConfigError, match="log is an OrderLog; seen DataFrame"):
        ask(EVENTS, log=EVENTS)
    with pytest.raises(cl.ConfigError, match="a column that the funnel uses itself"):
        ask(EVENTS, by="time")
    with pytest.raises(cl.ConfigError, match=r"user_id is of type .* nobody would be found"):
        ask(EVENTS.assign(user_id=[1, 2, 3]), log=log, steps=["visit", "order"])
