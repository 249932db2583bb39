"""Whom to call: return curves from runs, the ranked list, the three lists of a week."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.segments import Lifecycle, call_back_list, contact_lists, return_curve

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m"}
AS_OF = pd.Timestamp("2025-03-12")
FEWER = settings(max_examples=max(settings.default.max_examples // 6, 8))


def export(seed: int = 0, n: int = 300, users: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "u": rng.integers(0, users, n),
            "t": pd.Timestamp("2025-01-01") + pd.to_timedelta((rng.beta(0.7, 0.9, n) * 70).astype(int), unit="D"),
            "m": rng.integers(-300, 3000, n) / 100,
        }
    )


def weeks_of_users(frame) -> dict[int, list[int]]:
    frame = frame[(frame["t"] < AS_OF) & (frame["m"] >= 0)]
    week = np.floor((frame["t"] - AS_OF).dt.days / 7).astype(int)
    return {user: sorted(set(part)) for user, part in week.groupby(frame["u"])}


def curve_by_hand(frame, within):
    """Every user at the end of every week whose next weeks are all seen."""
    at_risk, returned = {}, {}
    for bought in weeks_of_users(frame).values():
        for week in range(bought[0], -within):
            gap = week - max(each for each in bought if each <= week)
            at_risk[gap] = at_risk.get(gap, 0) + 1
            came = any(week < each <= week + within for each in bought)
            returned[gap] = returned.get(gap, 0) + came
    return at_risk, returned


@FEWER
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(20, 200))
def test_the_curve_follows_the_definition(seed, within, n):
    frame = export(seed, n)
    at_risk, returned = curve_by_hand(frame, within)
    log = cl.OrderLog.from_frame(frame, **NAMES)
    if not at_risk:
        with pytest.raises(cl.InsufficientDataError):
            return_curve(log, as_of=AS_OF, within=within)
        return
    table = return_curve(log, as_of=AS_OF, within=within).table.set_index("gap")
    assert table["at_risk"].to_dict() == at_risk
    assert table["returned"].to_dict() == returned
    assert ((table["low"] <= table["rate"]) & (table["rate"] <= table["high"])).all()


def test_a_threshold_holds_at_every_longer_gap():
    curve = return_curve(cl.OrderLog.from_frame(export(1, 400), **NAMES), as_of=AS_OF, within=2)
    table = curve.to_frame()
    for probability in (1e-9, 0.2, 0.5, 0.9, 0.999999):
        below = [gap for gap in table["gap"] if (table.loc[table["gap"] >= gap, "rate"] < probability).all()]
        assert curve.threshold(probability) == min(below, default=None)
    assert "returns within 2" in repr(curve)
    with pytest.raises(cl.ConfigError, match="between 0 and 1"):
        curve.threshold(1)


def test_a_log_too_short_to_tell():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    with pytest.raises(cl.InsufficientDataError, match=r"needs 31 complete periods.*the log holds 10|11"):
        return_curve(log, as_of=AS_OF, within=30)


def test_the_list_is_ranked_by_what_a_return_is_worth(engine, as_pandas):
    frame = export()
    log = cl.OrderLog.from_frame(engine(frame), **NAMES)
    calls = as_pandas(call_back_list(log, as_of=AS_OF, within=2, top=None)).sort_values("rank", ignore_index=True)
    states = Lifecycle().fit(cl.OrderLog.from_frame(frame, **NAMES), as_of=AS_OF).states
    assert set(calls["user_id"]) == set(states.loc[states["state"] == "silent", "user_id"])
    assert calls["rank"].tolist() == list(range(1, len(calls) + 1))
    assert calls["expected_value"].is_monotonic_decreasing
    at_risk, returned = curve_by_hand(frame, 2)
    kept = frame[frame["t"] < AS_OF]
    for row in calls.itertuples():
        gap = -1 - weeks_of_users(frame)[row.user_id][-1]
        own = kept[kept["u"] == row.user_id]
        mean = own["m"].sum() / (own["m"] >= 0).sum()
        gap_known = min(gap, max(at_risk))
        assert row.periods_silent == gap
        assert row.expected_value == pytest.approx(mean * returned[gap_known] / at_risk[gap_known])


def test_a_call_must_be_worth_its_cost():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    every = call_back_list(log, as_of=AS_OF, states="silent")
    some = call_back_list(log, as_of=AS_OF, cost_per_call=5.0)
    assert set(some["user_id"]) == set(every.loc[every["expected_value"] > 5, "user_id"])
    assert some["expected_value"].to_numpy() == pytest.approx(every["expected_value"].to_numpy()[: len(some)] - 5)
    assert len(call_back_list(log, as_of=AS_OF, top=3)) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"states": ["asleep"]}, {"states": []}, {"within": 0}, {"within": True}, {"top": 0}, {"top": 2.5},
        {"cost_per_call": -1}, {"cost_per_call": float("nan")},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(cl.ConfigError):
        call_back_list(cl.OrderLog.from_frame(export(), **NAMES), **{"as_of": AS_OF, **wrong})


@pytest.mark.parametrize("silent_after", [1, 2])
def test_the_three_lists(engine, as_pandas, silent_after):
    frame = export(2)
    log = cl.OrderLog.from_frame(engine(frame), **NAMES)
    lists = contact_lists(log, as_of=AS_OF, lifecycle=Lifecycle(silent_after=silent_after))
    bought = weeks_of_users(frame)
    newcomers = {user: -1 in weeks for user, weeks in bought.items() if weeks[0] == -2}
    told = as_pandas(lists.newcomers)
    assert dict(zip(told["user_id"], told["came_back"], strict=True)) == newcomers
    assert set(as_pandas(lists.new)["user_id"]) == {user for user, weeks in bought.items() if weeks[0] == -1}
    silent = {user for user, weeks in bought.items() if silent_after <= -1 - weeks[-1] < 8}
    assert set(as_pandas(lists.silent)["user_id"]) == silent
    sizes = lists.to_frame().set_index("list")["users"]
    assert sizes["newcomers who came back"] == sum(newcomers.values())
    assert sizes["newcomers who did not"] == len(newcomers) - sum(newcomers.values())
    assert sizes["active"] == len(as_pandas(lists.active))
    assert "silent" in repr(lists)
