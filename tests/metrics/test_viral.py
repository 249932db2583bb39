"""K factor: against a loop over users, under its laws, and what is no sound invitation."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.metrics import k_factor

AS_OF = "2025-04-07"
JOINED = pd.DataFrame(
    {
        "user_id": ["ann", "bob", "cat", "dan", "eve"],
        "time": ["2025-01-06", "2025-01-07", "2025-01-20", "2025-01-21", "2025-03-31"],
    }
)
SENT = pd.DataFrame(
    [
        ("ann", "ann", "2025-01-08"),  # herself
        ("ann", "cat", "2025-01-10"),
        ("ann", "cat", "2025-01-12"),  # again
        ("bob", "cat", "2025-01-11"),  # cat is ann's
        ("zoe", "cat", "2025-01-10"),  # zoe never joined
        ("cat", "bob", "2025-01-21"),  # bob is a user already
        ("bob", "dan", "2025-01-20"),
        ("dan", "fay", "2025-01-25"),  # fay never joined
        ("dan", "eve", "2025-03-30"),  # after dan's window
    ],
    columns=["inviter", "invitee", "time"],
)


def test_a_small_world_by_hand(engine):
    result = k_factor(engine(SENT), engine(JOINED), as_of=AS_OF)
    table = result.table.set_index("period")
    first, third = table.loc["2025-01-06"], table.loc["2025-01-20"]
    assert (first["users"], first["inviters"], first["invitations"], first["accepted"]) == (2, 2, 3, 2)
    assert (first["k"], first["conversion"], first["invitations_per_user"], first["cycle_days"]) == (
        1.0,
        2 / 3,
        1.5,
        14.0,
    )
    assert (third["users"], third["invitations"], third["accepted"], third["k"]) == (2, 1, 0, 0.0)
    # Eve's window is not over.
    assert not table.loc["2025-03-31", "complete"]
    assert np.isnan(table.loc["2025-03-31", "users"])
    assert result.k == 0.5
    aside = result.set_aside.set_index("reason")["rows"].to_dict()
    assert aside == {
        "self_invitation": 1,
        "repeated": 1,
        "inviter_no_user": 1,
        "already_a_user": 1,
        "credited_to_another": 1,
    }


def test_joining_is_the_first_order_that_counts(engine):
    frame = pd.DataFrame({"user_id": ["ann", "bob", "cat", "dan", "cat", "eve", "fay"],
                          "ordered_at": [*JOINED["time"][:4], "2025-01-15", "2025-03-31", "2025-02-01"],
                          "amount": [5.0, 5.0, 5.0, 5.0, -5.0, 5.0, -1.0]})  # fmt: skip
    log = cl.OrderLog.from_frame(engine(frame), user_id="user_id", ordered_at="ordered_at", amount="amount")
    by_log, by_frame = (k_factor(SENT, joined, as_of=AS_OF) for joined in (log, JOINED))
    pd.testing.assert_frame_equal(by_log.table, by_frame.table)


@st.composite
def worlds(draw):
    people = [f"p{i}" for i in range(8)]
    joined = {who: draw(st.one_of(st.none(), st.integers(0, 24 * 60))) for who in people}
    joined["p0"] = draw(st.integers(0, 48))
    n = draw(st.integers(0, 25))
    sent = [
        (draw(st.sampled_from(people)), draw(st.sampled_from(people)), draw(st.integers(0, 24 * 60))) for _ in range(n)
    ]
    return joined, sent


def frames(joined, sent):
    start = pd.Timestamp("2025-01-06").as_unit("us")
    known = {who: hour for who, hour in joined.items() if hour is not None}
    users = pd.DataFrame({"user_id": list(known), "time": start + pd.to_timedelta(list(known.values()), unit="h")})
    invitations = pd.DataFrame(
        {
            "inviter": pd.Series([a for a, _, _ in sent], dtype="str"),
            "invitee": pd.Series([b for _, b, _ in sent], dtype="str"),
            "time": start + pd.to_timedelta([h for _, _, h in sent], unit="h"),
        }
    )
    return users, invitations


@given(worlds())
def test_counts_equal_a_loop_over_invitations(world):
    joined, sent = world
    users, invitations = frames(joined, sent)
    seen = k_factor(invitations, users, as_of="2025-03-31", window="14D", n_boot=0).table.set_index("period")
    sound, pairs = [], set()
    for a, b, hour in sorted(sent, key=lambda each: each[2]):
        if a == b or (a, b) in pairs:
            continue
        pairs.add((a, b))
        if joined[a] is None or joined[a] > hour or (joined[b] is not None and joined[b] < hour):
            continue
        sound.append((a, b, hour))
    week = {who: hour // 168 for who, hour in joined.items() if hour is not None}
    counted = {}
    for w in range(10):
        mine = [(a, b) for a, b, hour in sound if week[a] == w and hour - joined[a] < 14 * 24]
        counted[w] = [sum(1 for v in week.values() if v == w), len({a for a, _ in mine}), len(mine), 0]
    brought = {}
    for a, b, _ in sorted(sound, key=lambda each: (each[2], joined[each[0]])):
        if joined[b] is not None:
            brought.setdefault(b, a)
    for b, a in brought.items():
        if joined[b] - joined[a] < 14 * 24:
            counted[week[a]][3] += 1
    for period, row in seen[seen["complete"]].iterrows():
        w = (period - pd.Timestamp("2025-01-06")).days // 7
        assert row[["users", "inviters", "invitations", "accepted"]].tolist() == counted[w]


@settings(max_examples=settings.default.max_examples // 4)
@given(worlds(), st.randoms(use_true_random=False))
def test_rows_names_and_the_future_change_nothing(world, rng):
    users, sent = frames(*world)
    wanted = k_factor(sent, users, as_of="2025-03-31", window="14D", n_boot=50)
    order = rng.sample(range(8), 8)
    names = {f"p{i}": f"q{order[i]}" for i in range(8)}
    renamed = sent.assign(
        inviter=sent["inviter"].map(names).astype("str"), invitee=sent["invitee"].map(names).astype("str")
    )
    later = pd.DataFrame({"inviter": ["p0"], "invitee": ["p9"], "time": pd.to_datetime(["2025-03-31"])})
    late_user = pd.DataFrame({"user_id": ["p9"], "time": pd.to_datetime(["2025-03-31"])})
    seen = [
        k_factor(
            sent.sample(frac=1, random_state=rng.randrange(2**32)),
            users.iloc[::-1],
            as_of="2025-03-31",
            window="14D",
            n_boot=50,
        ),
        k_factor(
            renamed, users.assign(user_id=users["user_id"].map(names)), as_of="2025-03-31", window="14D", n_boot=50
        ),
        k_factor(pd.concat([sent, later]), pd.concat([users, late_user]), as_of="2025-03-31", window="14D", n_boot=50),
    ]
    for each in seen:
        pd.testing.assert_frame_equal(each.table, wanted.table)
        pd.testing.assert_frame_equal(each.set_aside, wanted.set_aside)


def test_the_interval_covers_a_known_k():
    """Poisson offspring with mean .3: of 30 worlds about 28 intervals hold the truth; fewer than 24 would be no chance."""
    held = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        children = rng.poisson(0.3, 400)
        mothers = np.repeat(np.arange(400), children)
        names = [f"m{i}" for i in range(400)]
        users = pd.DataFrame({"user_id": [*names, *(f"c{i}" for i in range(len(mothers)))],
                              "time": ["2025-01-06"] * 400 + ["2025-01-14"] * len(mothers)})  # fmt: skip
        sent = pd.DataFrame({"inviter": [names[m] for m in mothers], "invitee": [f"c{i}" for i in range(len(mothers))],
                             "time": ["2025-01-10"] * len(mothers)})  # fmt: skip
        row = k_factor(sent, users, as_of="2025-03-03", n_boot=300).table.iloc[0]
        held += bool(row["k_low"] <= 0.3 <= row["k_high"])
    assert held >= 24


def test_faults_and_edges():
    with pytest.raises(cl.ConfigError) as told:
        k_factor(SENT, JOINED, as_of="x", period="y", window="z", n_boot=-1)
    assert all(word in str(told.value) for word in ("as_of", "'y'", "'z'", "n_boot"))
    with pytest.raises(cl.InsufficientDataError, match="nobody joined"):
        k_factor(SENT, JOINED, as_of="2024-01-01")
    with pytest.raises(cl.SchemaError, match="invitee"):
        k_factor(SENT.rename(columns={"invitee": "invited"}), JOINED, as_of=AS_OF)
    with pytest.raises(cl.ConfigError, match="nobody would be found"):
        k_factor(SENT, JOINED.assign(user_id=range(5)), as_of=AS_OF)
    empty = k_factor(SENT.head(0), JOINED, as_of=AS_OF)
    assert empty.k == 0.0
    assert empty.set_aside["rows"].sum() == 0


def test_it_is_shown():
    result = k_factor(SENT, JOINED, as_of=AS_OF)
    assert repr(result).startswith("KFactor(k=0.500 over 9 complete cohorts, week, window=28D, 4 invitations set aside")
    assert "<table" in result._repr_html_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "K factor 0.50" in result.plot().get_title(loc="left")
        assert "K 因子" in result.plot(lang="zh").get_title(loc="left")
