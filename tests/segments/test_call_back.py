"""Whom to call: return curves from runs, the ranked list, the three lists of a week."""

from __future__ import annotations

import dataclasses

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


def test_a_curve_needs_one_period_more_than_it_looks_ahead():
    """Three weeks: enough for a return within two, at one gap, too few for one within three."""
    frame = pd.DataFrame({"u": ["a", "a", "b"], "t": pd.to_datetime(["2025-02-20", "2025-03-06", "2025-02-21"])})
    log = cl.OrderLog.from_frame(frame.assign(m=1.0), **NAMES)
    table = return_curve(log, as_of=AS_OF, within=2).table
    assert table[["gap", "at_risk", "returned"]].to_numpy().tolist() == [[0, 2, 1]]
    with pytest.raises(cl.InsufficientDataError, match="holds 3"):
        return_curve(log, as_of=AS_OF, within=3)


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


def test_who_came_back_later_is_the_product_limit():
    """The share who order again after a gap: one less the product of the chances to stay away, period by period."""
    frame = export(4, 150)
    table = return_curve(cl.OrderLog.from_frame(frame, **NAMES), as_of=AS_OF, within=1).table
    at_risk, came = {}, {}
    for bought in weeks_of_users(frame).values():
        for week in range(bought[0], -1):
            gap = week - max(each for each in bought if each <= week)
            at_risk[gap] = at_risk.get(gap, 0) + 1
            came[gap] = came.get(gap, 0) + (week + 1 in bought)
    stay = 1.0
    wanted = {}
    for gap in sorted(at_risk, reverse=True):
        stay *= 1 - came[gap] / at_risk[gap]
        wanted[gap] = 1 - stay
    assert table.set_index("gap")["came_back"].to_dict() == pytest.approx(wanted)


def test_a_lifecycle_is_learned_from_the_curve():
    log = cl.datasets.make_community(n_users=400, seed=1).log
    curve = return_curve(log, as_of="2025-06-30", within=4)
    spec = curve.lifecycle(silent_below=0.5, churned_below=0.2, washout="28D")
    assert spec.silent_after == curve.threshold(0.5)
    assert spec.churned_after == curve.threshold(0.2)
    assert spec.washout == "28D"
    later = curve.table.set_index("gap")["came_back"]
    assert 0 < later[spec.churned_after] < later[spec.silent_after] < 1
    with pytest.raises(cl.ConfigError, match="lies below silent_below"):
        curve.lifecycle(silent_below=0.2, churned_below=0.5)
    steady = dataclasses.replace(curve, table=curve.table.assign(rate=0.5))
    with pytest.raises(cl.InsufficientDataError, match="stays at 50%"):
        steady.lifecycle(silent_below=0.6, churned_below=0.1)


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


def test_whoever_ordered_in_the_newest_week_has_been_silent_for_no_week():
    frame = export()
    calls = call_back_list(cl.OrderLog.from_frame(frame, **NAMES), as_of=AS_OF, states=["active"])
    weeks = weeks_of_users(frame)
    assert (calls["periods_silent"] == 0).any()
    assert calls["periods_silent"].tolist() == [-1 - weeks[user][-1] for user in calls["user_id"]]


def test_who_is_silent_is_said_by_the_lifecycle_that_is_given():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    patient = Lifecycle(silent_after=3)
    states = patient.fit(log, as_of=AS_OF).states
    calls = call_back_list(log, as_of=AS_OF, lifecycle=patient, states="silent", top=None)
    assert set(calls["user_id"]) == set(states.loc[states["state"] == "silent", "user_id"])


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
    frame = export(2, n=300, users=200)
    log = cl.OrderLog.from_frame(engine(frame), **NAMES)
    lists = contact_lists(log, as_of=AS_OF, lifecycle=Lifecycle(silent_after=silent_after))
    bought = weeks_of_users(frame)
    newcomers = {user: -1 in weeks for user, weeks in bought.items() if weeks[0] == -2}
    assert set(newcomers.values()) == {True, False}
    told = as_pandas(lists.newcomers)
    assert dict(zip(told["user_id"], told["came_back"], strict=True)) == newcomers
    assert set(as_pandas(lists.new)["user_id"]) == {user for user, weeks in bought.items() if weeks[0] == -1}
    silent = {user for user, weeks in bought.items() if silent_after <= -1 - weeks[-1] < 8}
    assert set(as_pandas(lists.silent)["user_id"]) == silent
    sizes = lists.to_frame().set_index("list")["users"]
    assert sizes["newcomers who came back"] == sum(newcomers.values())
    assert sizes["newcomers who did not"] == len(newcomers) - sum(newcomers.values())
    assert sizes["active"] == len(as_pandas(lists.active))
    for row in told.itertuples():
        assert row.next_action.startswith("Came back" if row.came_back else "Did not come back")
    first_weeks = {week: [user for user, weeks in bought.items() if weeks[0] == week] for week in range(-10, -1)}
    for row in lists.second_period.itertuples():
        week = (row.period - AS_OF).days // 7
        assert row.newcomers == len(first_weeks[week])
        assert np.isnan(row.rate) == (row.newcomers == 0)
        assert row.came_back == sum(week + 1 in bought[user] for user in first_weeks[week])
    assert lists.second_period["came_back"].iloc[-1] == sum(newcomers.values())
    assert "silent" in repr(lists)


def test_the_lists_speak_chinese():
    log = cl.OrderLog.from_frame(export(), **NAMES)
    lists = contact_lists(log, as_of=AS_OF, lifecycle=Lifecycle(lang="zh"))
    assert lists.table["list"].tolist() == [
        "新付费用户",
        "活跃用户",
        "沉默用户",
        "上期新客：已复购",
        "上期新客：未复购",
    ]
    assert set(lists.newcomers["next_action"]) <= {"已复购：致谢；推荐第二品类。", "未复购：致电询问首单体验。"}


@FEWER
@given(st.integers(0, 10**6), st.randoms())
def test_laws_of_the_call_list(seed, rng):
    """Row order, later rows and other names change nothing; another currency changes the money alone."""
    frame = export(seed, 200)
    log = cl.OrderLog.from_frame(frame, **NAMES)
    try:
        one = call_back_list(log, as_of=AS_OF, within=2, top=15)
    except cl.InsufficientDataError:
        return
    mixed = frame.sample(frac=1.0, random_state=rng.randrange(2**31))
    later = pd.DataFrame({"u": [0, 999], "t": [AS_OF, AS_OF + pd.Timedelta(days=3)], "m": [5.0, 5.0]})
    again = call_back_list(cl.OrderLog.from_frame(pd.concat([mixed, later]), **NAMES), as_of=AS_OF, within=2, top=15)
    pd.testing.assert_frame_equal(one, again)
    users = list(range(60))
    rng.shuffle(users)
    renamed = cl.OrderLog.from_frame(frame.assign(u=np.array(users)[frame["u"]]), **NAMES)
    other = call_back_list(renamed, as_of=AS_OF, within=2, top=15)
    # Who is alike in all that the order goes by may change places; nothing else may.
    pd.testing.assert_frame_equal(one.drop(columns=["user_id", "since"]), other.drop(columns=["user_id", "since"]))
    dear = cl.OrderLog.from_frame(frame.assign(m=(frame["m"] * 100).round()), **NAMES)
    scaled = call_back_list(dear, as_of=AS_OF, within=2, top=15)
    np.testing.assert_allclose(scaled["expected_value"], one["expected_value"] * 100)
    assert scaled["frequency"].tolist() == one["frequency"].tolist()
