"""Funnel: against a loop over users, under its laws, on every engine, and at its edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.metrics import funnel
from commlife.testing.strategies import log_of, order_frames

STEPS = ["visit", "register", "refer"]
DAY = pd.Timedelta(days=1)


@st.composite
def event_frames(draw):
    n = draw(st.integers(1, 40))
    hours = draw(st.lists(st.integers(0, 24 * 40), min_size=n, max_size=n))
    return pd.DataFrame(
        {
            "user_id": draw(st.lists(st.sampled_from(["u1", "u2", "é", "甲", "007"]), min_size=n, max_size=n)),
            "event": draw(st.lists(st.sampled_from([*STEPS, "scroll"]), min_size=n, max_size=n)),
            "time": pd.Timestamp("2025-01-01").as_unit("us") + pd.to_timedelta(hours, unit="h"),
            "channel": draw(st.lists(st.sampled_from(["app", "shop", None]), min_size=n, max_size=n)),
        }
    )


def ask(events, **more):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.ModelWarning)
        return funnel(events, as_of="2025-02-05", **({"steps": STEPS} | more))


def by_hand(times_of, steps, until, spans, *, from_entry):
    """Counts of one funnel, user by user: reached and maturing."""
    reached, maturing = [0] * len(steps), [0] * len(steps)
    total = spans[0] if from_entry else sum(spans, pd.Timedelta(0))
    for times in times_of.values():
        if not times.get(steps[0]):
            continue
        entry = min(times[steps[0]])
        counted = reached if entry + total <= until else maturing
        counted[0] += 1
        now = entry
        for k, step in enumerate(steps[1:], start=1):
            start = entry if from_entry else now
            fit = [t for t in times.get(step, []) if t >= now and t - start < spans[k - 1]]
            if not fit:
                break
            now = min(fit)
            counted[k] += 1
    return reached, maturing


@settings(max_examples=settings.default.max_examples // 2)
@given(event_frames(), st.sampled_from(["3D", "14D", {"register": "2D", "refer": "9D"}]))
def test_counts_equal_a_loop_over_users(events, window):
    events.loc[0, "event"] = "visit"
    from_entry = isinstance(window, str)
    spans = [pd.Timedelta(window)] * 2 if from_entry else [pd.Timedelta(window[step]) for step in STEPS[1:]]
    held = events[events["time"] < "2025-02-05"]
    times_of = {
        user: {step: mine.loc[mine["event"] == step, "time"].tolist() for step in STEPS}
        for user, mine in held.groupby("user_id")
    }
    reached, maturing = by_hand(times_of, STEPS, pd.Timestamp("2025-02-05"), spans, from_entry=from_entry)
    if not sum(reached) + sum(maturing):
        with pytest.raises(cl.InsufficientDataError):
            ask(events, window=window)
        return
    way = ask(events, window=window)
    assert way.table["users"].tolist() == reached
    assert way.table["maturing"].tolist() == maturing


@settings(max_examples=settings.default.max_examples // 5)
@given(event_frames(), st.randoms(use_true_random=False))
def test_laws_of_a_funnel(events, rng):
    """Falls from step to step; rows, repeats, names of users, and what comes later change nothing; groups add up."""
    events.loc[0, ["event", "time"]] = ["visit", pd.Timestamp("2025-01-02")]
    way = ask(events)
    users = way.table["users"].to_numpy()
    assert (np.diff(users) <= 0).all()
    rates = way.table.loc[way.table["users"] > 0, ["low", "rate", "high"]].to_numpy()
    assert ((rates[:, 0] <= rates[:, 1]) & (rates[:, 1] <= rates[:, 2])).all()
    assert (way.table["lost"].to_numpy()[1:] == -np.diff(users)).all()
    assert ((way.table["early"] + way.table["late"]).to_numpy() >= 0).all()
    known = events["user_id"].unique().tolist()
    names = dict(zip(known, rng.sample([f"n{i}" for i in range(len(known))], len(known)), strict=True))
    others = [
        events.sample(frac=1, random_state=rng.randrange(2**32)),
        pd.concat([events, events.tail(3)]),
        events.assign(user_id=events["user_id"].map(names)),
        pd.concat([events, events.assign(time=pd.Timestamp("2025-02-05"))]),
    ]
    for other in others:
        pd.testing.assert_frame_equal(ask(other).table, way.table)
    parts = ask(events, by="channel").table.groupby("step")[["users", "maturing", "lost"]].sum()
    wanted = way.table.set_index("step")[["users", "maturing", "lost"]]
    pd.testing.assert_frame_equal(parts.loc[STEPS], wanted, check_names=False)


@settings(max_examples=settings.default.max_examples // 2)
@given(order_frames(days=60), event_frames())
def test_orders_of_a_log_are_steps(frame, events):
    events.loc[0, ["event", "time"]] = ["visit", pd.Timestamp("2025-01-01")]
    events = events[events["time"] < "2025-02-05"]
    log = log_of(frame.drop(columns="community"))
    orders = (
        frame[frame["ordered_at"] < "2025-02-05"]
        .groupby(["user_id", "order_id"])
        .agg(at=("ordered_at", "min"), net=("amount", "sum"), least=("amount", "min"))
    )
    net = orders["net"].round(2)
    orders = orders[(net > 0) | ((net == 0) & (orders["least"] >= 0))].reset_index()
    times_of = {
        user: {"visit": mine.loc[mine["event"] == "visit", "time"].tolist()} for user, mine in events.groupby("user_id")
    }
    for user, mine in orders.groupby("user_id"):
        ranked = sorted(mine["at"])
        times_of.setdefault(user, {}).update({"first_order": ranked[:1], "second_order": ranked[1:2]})
    steps = ["visit", "first_order", "second_order"]
    way = ask(events, steps=steps, log=log, window="20D")
    spans = [pd.Timedelta("20D")] * 2
    reached, maturing = by_hand(times_of, steps, pd.Timestamp("2025-02-05"), spans, from_entry=True)
    assert way.table["users"].tolist() == reached
    assert way.table["maturing"].tolist() == maturing
    strangers = sum(1 for times in times_of.values() if times.get("first_order") and not times.get("visit"))
    assert way.unentered.set_index("step")["users"]["first_order"] == strangers


EVENTS = pd.DataFrame(
    [
        ("ann", "visit", "2025-01-01 10:00", "app"),
        ("ann", "register", "2025-01-01 10:05", "app"),
        ("ann", "visit", "2025-01-09 10:00", "shop"),
        ("bob", "register", "2025-01-02 09:00", "shop"),
        ("bob", "visit", "2025-01-03 09:00", "shop"),
        ("cat", "visit", "2025-01-04 09:00", "app"),
        ("cat", "register", "2025-01-20 09:00", "app"),
        ("dan", "register", "2025-01-05 09:00", "app"),
        ("eve", "visit", "2025-01-30 09:00", "shop"),
        ("eve", "register", "2025-01-30 09:00", "shop"),
        ("ann", "refer", "2025-01-03 10:05", "app"),
    ],
    columns=["user_id", "event", "time", "channel"],
)


def test_a_small_world_by_hand(engine):
    way = funnel(engine(EVENTS), steps=STEPS, as_of="2025-02-01", window="7D")
    table = way.table.set_index("step")
    assert table["users"].tolist() == [3, 1, 1]
    assert table["maturing"].tolist() == [1, 1, 0]
    assert (table.loc["register", "early"], table.loc["register", "late"], table.loc["register", "lost"]) == (1, 1, 2)
    assert table.loc["refer", "median_days"] == 2.0
    assert way.unentered.to_dict("records") == [{"step": "register", "users": 1}, {"step": "refer", "users": 0}]
    groups = funnel(engine(EVENTS), steps=STEPS, as_of="2025-02-01", window="7D", by="channel").table
    assert groups["channel"].tolist() == ["app"] * 3 + ["shop"] * 3
    assert groups["users"].tolist() == [2, 1, 1, 1, 0, 0]


def test_events_and_log_of_different_kinds_meet(engine):
    frame = pd.DataFrame({"user_id": ["ann", "cat", "zoe"], "ordered_at": ["2025-01-05"] * 3, "amount": [5.0] * 3})
    log = cl.OrderLog.from_frame(engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount")
    for events in (EVENTS, engine(EVENTS)):
        way = funnel(events, steps=["visit", "first_order"], as_of="2025-02-01", log=log, window="7D")
        assert way.table["users"].tolist() == [3, 2]
        assert way.unentered["users"].tolist() == [1]


def test_a_log_alone_tells_first_and_second_orders(engine):
    rows = [("a", 1, "2025-01-01", 5.0), ("a", 2, "2025-01-01", 6.0), ("b", 3, "2025-01-02", 5.0), ("b", 4, "2025-01-04", 5.0),
            ("b", 5, "2025-01-09", 5.0), ("c", 6, "2025-01-03", 5.0), ("c", 7, "2025-01-05", -5.0), ("d", 8, "2025-01-03", -5.0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["user_id", "order_id", "ordered_at", "amount"])
    log = cl.OrderLog.from_frame(engine(frame), **{name: name for name in frame.columns})
    way = funnel(log, steps=["first_order", "second_order", "order"], as_of="2025-02-01", window="7D")
    # Two orders of one instant are two; a refund is none; who only sends back never entered.
    assert way.table["users"].tolist() == [3, 2, 0]
    assert way.table["late"].tolist() == [0, 0, 1]


def test_times_with_a_zone_are_read_on_the_local_clock():
    """20:30 UTC of 31 January is 1 February in Shanghai: at as_of 1 February it has not happened."""
    events = pd.DataFrame({"user_id": ["a", "b"], "event": ["visit"] * 2,
                           "time": pd.to_datetime(["2025-01-31 20:30", "2025-01-31 15:30"]).tz_localize("UTC")})  # fmt: skip
    with pytest.warns(cl.ModelWarning) as heard:
        way = funnel(events, steps=["visit", "register"], as_of="2025-02-01", window="1D")
    assert way.table["maturing"].tolist() == [1, 0]
    assert any("register" in str(each.message) for each in heard)


def test_a_misspelt_step_is_told():
    with pytest.warns(cl.ModelWarning, match="Did you mean 'register'"):
        funnel(EVENTS, steps=["visit", "regster"], as_of="2025-02-01", window="7D")


def test_since_keeps_known_who_entered_before():
    way = funnel(EVENTS, steps=["visit", "register"], as_of="2025-02-01", window="7D", since="2025-01-04")
    assert way.table["users"].tolist() == [1, 0]
    assert way.unentered["users"].tolist() == [1]


def test_faults_are_told_at_once():
    with pytest.raises(cl.ConfigError) as told:
        funnel(EVENTS, steps=["visit"], as_of="tomorrow", window={"register": "7 days"}, by=3)
    assert all(word in str(told.value) for word in ("steps", "as_of", "window", "by is"))
    with pytest.raises(cl.SchemaError) as told:
        funnel(EVENTS.rename(columns={"event": "evnt", "time": "at"}), steps=STEPS, as_of="2025-02-01")
    assert told.value.faults["column"].tolist() == ["event", "time"]
    broken = EVENTS.assign(
        user_id=EVENTS["user_id"].where(EVENTS["user_id"] != "bob"), time=EVENTS["time"].where(EVENTS.index > 0, "soon")
    )
    with pytest.raises(cl.SchemaError) as told:
        funnel(broken, steps=STEPS, as_of="2025-02-01")
    assert told.value.faults[["column", "rows"]].to_numpy().tolist() == [["user_id", 2], ["time", 1]]
    numbers = cl.OrderLog.from_frame(
        pd.DataFrame({"u": [1], "t": ["2025-01-01"], "m": [1.0]}), user_id="u", ordered_at="t", amount="m"
    )
    with pytest.raises(cl.ConfigError, match="nobody would be found"):
        funnel(EVENTS, steps=["visit", "first_order"], as_of="2025-02-01", log=numbers)
    with pytest.raises(cl.ConfigError, match="give a frame of events"):
        funnel(numbers, steps=["visit", "first_order"], as_of="2025-02-01")
    with pytest.raises(cl.InsufficientDataError, match="nobody did"):
        funnel(EVENTS, steps=["refer", "visit"], as_of="2025-02-01", since="2025-01-20")


def test_an_empty_log_of_events_is_told():
    with pytest.warns(cl.ModelWarning), pytest.raises(cl.InsufficientDataError, match="nobody did"):
        funnel(EVENTS.head(0), steps=STEPS, as_of="2025-02-01")


def test_it_is_shown():
    way = funnel(EVENTS, steps=STEPS, as_of="2025-02-01", window="7D", by="channel")
    assert repr(way) == "Funnel(visit 3 > register 1 > refer 1 by channel, window=7D, 1 maturing, as_of=2025-02-01)"
    assert "<table" in way._repr_html_()
    assert "visit to register" in way.plot().get_title(loc="left")
    assert "流失最多" in way.plot(group="app", lang="zh").get_title(loc="left")
    with pytest.raises(cl.ConfigError, match="group is one of"):
        way.plot(group="nowhere")
