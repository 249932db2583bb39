"""Strategies keep what they promise, and show a failure as code."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife import testing
from commlife.errors import ConfigError
from commlife.testing import strategies
from commlife.testing._examples import as_code
from commlife.testing.plugin import community, make_log, order_engine  # noqa: F401  (fixtures)


@given(testing.order_frames(proxies=True, odd_names=False, min_rows=12, max_rows=20))
def test_proxies_order_for_several_addresses(frame):
    addresses = frame.groupby("user_id")["address_id"].nunique()
    assert (addresses.drop("u000") == 1).all()
    own = frame[frame["user_id"] == "u000"]
    assert addresses["u000"] == own["order_id"].nunique()


def test_moments_around_a_change_of_the_clock_are_drawn():
    """New York's clocks went forward on 2025-03-09, day 67 of the year counted from 0."""
    assert 67 * 1_440 + 120 in strategies._clock_changes("2025-01-01", 120, "America/New_York")
    assert strategies._clock_changes("2025-01-01", 120, "Asia/Shanghai") == []


@given(testing.order_frames(timezone="America/New_York", aware=True))
def test_aware_frames_are_the_same_local_days(frame):
    log = strategies.log_of(frame, timezone="America/New_York")
    local = frame["ordered_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    assert (log.first_day, log.last_day) == (local.min(), local.max())


@given(st.data(), st.sampled_from(strategies.ENGINES))
@settings(max_examples=20)
def test_logs_stand_on_the_engine_asked_for(data, engine):
    log = data.draw(testing.order_logs(engine=engine, max_rows=5))
    kind = {"pandas": "pandas", "polars": "polars", "polars_lazy": "polars", "pyarrow": "pyarrow", "duckdb": "duckdb"}
    assert type(log.to_native()).__module__.lstrip("_").startswith(kind[engine])


def test_an_unknown_engine_is_named():
    with pytest.raises(ConfigError, match="Did you mean 'polars'"):
        testing.in_engine(pd.DataFrame(), "polar")


def test_a_failing_log_is_shown_as_code_to_paste():
    @settings(database=None, max_examples=50)
    @given(testing.order_logs(odd_names=False))
    def nobody_refunds(log):
        assert log.to_native()["amount"].min() >= 0

    with pytest.raises(AssertionError) as caught:
        nobody_refunds()
    told = "\n".join(caught.value.__notes__)
    code = told[told.index("frame = ") : told.index(")\n", told.index("log = cl.")) + 1]
    names = {"pd": pd, "cl": cl}
    exec(code, names)  # noqa: S102  (the kit's own text)
    assert names["log"].to_native()["amount"].min() < 0


def test_a_frames_code_keeps_its_index():
    frame = pd.DataFrame({"a": [1, 2]}, index=[7, 7])
    again = eval(as_code(frame), {"pd": pd})  # noqa: S307  (the kit's own text)
    pd.testing.assert_frame_equal(frame, again)


@given(testing.trial_frames(effects={"control": 0, "mail": 2, "coupon": 5}))
def test_a_trials_effects_are_what_was_asked(frame):
    assert (frame["outcome"] - frame["baseline"]).groupby(frame["arm"]).unique().map(list).to_dict() == {
        "control": [0],
        "coupon": [5],
        "mail": [2],
    }


@given(testing.trial_frames())
def test_compare_finds_the_effect_plus_the_luck_of_the_draw(frame):
    found = cl.compare(frame, treatment="arm", control="control", outcome="outcome")["effect_size"].item()
    luck = frame.groupby("arm")["baseline"].mean()
    assert found == pytest.approx(3 + luck["coupon"] - luck["control"], abs=1e-9)


@given(testing.campaign_logs())
def test_the_audit_of_redemptions_finds_each_planted_fault(log):
    found = cl.audit_redemptions(log.redemptions, log.issued, log.coupons)
    told = [
        next((fault for fault in ("unknown_coupon", "untargeted", "outside_window") if row[fault]), "sound")
        for row in found.to_dict("records")
    ]
    assert tuple(told) == log.faults


def test_fixtures_serve_a_host(community, make_log, order_engine):  # noqa: F811
    assert community.log.n_users >= 300
    log = make_log(("ann", "o1", "2025-03-01 09:00", 12.5), timezone="UTC")
    assert (log.n_orders, log.timezone) == (1, "UTC")
    assert len(cl.OrderLog.from_frame(
        order_engine(pd.DataFrame({"u": ["a"], "t": ["2025-03-01"], "m": [1.0]})), user_id="u", ordered_at="t", amount="m"
    ).faults) == 0  # fmt: skip


def walked(frame):
    """The funnel, where anybody entered it; caveats about small samples are heard elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.ModelWarning)
        return cl.funnel(frame, steps=["visit", "register", "order"], as_of="2026-01-01", window="90D").to_frame()


@given(testing.event_frames(in_order=True, ties=False))
def test_users_who_keep_the_order_of_steps_are_counted_at_each_step(frame):
    each = [frame.loc[frame["event"] == step, "user_id"].nunique() for step in ("visit", "register", "order")]
    assert walked(frame)["users"].tolist() == each


@given(testing.event_frames(max_events=10), st.sampled_from(["polars", "pyarrow", "duckdb"]))
@settings(max_examples=10)
def test_a_funnel_of_any_events_narrows_alike_on_each_engine(frame, engine):
    assume((frame["event"] == "visit").any())
    wanted = walked(frame)
    assert wanted["users"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(walked(testing.in_engine(frame, engine)), wanted, check_dtype=False)


@given(testing.invitation_frames())
def test_no_more_invitations_are_accepted_than_people_joined(frames):
    sent, joined = frames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        found = cl.k_factor(sent, joined, as_of="2026-01-01", n_boot=20).to_frame()
    assert found["accepted"].sum() <= len(joined)
    assert found["invitations"].sum() <= len(sent)


@pytest.mark.parametrize("steps", [[], "visit"])
def test_events_need_names(steps):
    with pytest.raises(ConfigError, match="one or more"):
        find(testing.event_frames(steps=steps), lambda frame: True)
