"""Flows: every stock and flow against a dense table of users by periods, straight from the definitions."""

from __future__ import annotations

import warnings
from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.cohorts.growth import growth_accounting
from commlife.segments import ACTIONS, STATES, Lifecycle

FEWER = settings(max_examples=max(settings.default.max_examples // 3, 10))
NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m", "order_id": "o"}
AS_OF = pd.Timestamp("2025-03-10")
BASE = {"new", "existing", "active", "returned"}


def export(seed: int, n: int, *, days: int = 100) -> pd.DataFrame:
    """Orders and refunds of few users over some weeks, with long pauses, and some rows after as_of."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, max(n // 4, 1), n)
    day = (rng.beta(0.6, 0.6, n) * days).astype(int)
    return pd.DataFrame(
        {
            "u": users,
            "o": rng.integers(0, n, n),
            "t": pd.Timestamp("2024-12-12") + pd.to_timedelta(day, unit="D"),
            "m": rng.choice([-7, -2, 0, 1, 3, 8, 20], n) * 1.25,
            "c": np.where(users % 3 == 0, "east", "west"),
        }
    )


def by_definition(frame, *, silent_after, churned_after, washout, days=7):
    """States and money of each user in each week, one user and week after the other."""
    begins = frame["t"].min()
    frame = frame[frame["t"] < AS_OF].assign(minor=lambda f: (f["m"] * 100).round().astype(int))
    orders = frame.groupby(["u", "o"]).agg(t=("t", "min"), net=("minor", "sum"), low=("minor", "min")).reset_index()
    orders["counts"] = (orders["net"] > 0) | ((orders["net"] == 0) & (orders["low"] >= 0))
    orders["week"] = np.floor((orders["t"] - AS_OF).dt.days / days).astype(int)
    weeks = range(int(orders["week"].min()), 0)
    states, money = {}, {}
    for user, own in orders.groupby("u"):
        bought = sorted(set(own.loc[own["counts"], "week"]))
        for week in weeks:
            money[user, week] = int(own.loc[own["week"] == week, "net"].sum())
            so_far = [each for each in bought if each <= week]
            if not so_far:
                continue
            gap = week - so_far[-1]
            if week == bought[0]:
                first_day = own.loc[own["counts"], "t"].min()
                is_existing = washout is not None and first_day < begins + pd.Timedelta(washout)
                states[user, week] = "existing" if is_existing else "new"
            elif gap == 0 and states[user, week - 1] in ("silent", "churned"):
                states[user, week] = "returned"
            elif gap < silent_after:
                states[user, week] = "active"
            else:
                states[user, week] = "silent" if gap < churned_after else "churned"
    return weeks, states, money


def make_log(frame, engine=None):
    return cl.OrderLog.from_frame(frame if engine is None else engine(frame), **NAMES, community="c")


def has_payers(frame) -> bool:
    return bool((frame.loc[frame["t"] < AS_OF, "m"] > 0).any())


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 6), st.sampled_from([None, "5D", "28D"]))


@FEWER
@given(st.integers(0, 10**6), st.integers(4, 80), SIZES)
def test_states_and_moves_follow_the_definition(seed, n, sizes):
    silent_after, more, washout = sizes
    frame = export(seed, n)
    spec = Lifecycle(silent_after=silent_after, churned_after=silent_after + more, washout=washout)
    weeks, states, _ = by_definition(
        frame, silent_after=silent_after, churned_after=silent_after + more, washout=washout
    )
    if not states:
        with pytest.raises(cl.InsufficientDataError, match="a lifecycle needs"):
            spec.fit(make_log(frame), as_of=AS_OF)
        return
    life = spec.fit(make_log(frame), as_of=AS_OF)
    first = AS_OF + pd.Timedelta(days=7 * weeks[0])
    told = {(r.period, r.state): r.users for r in life.counts.itertuples()}
    counted = Counter((AS_OF + pd.Timedelta(days=7 * week), state) for (_, week), state in states.items())
    assert life.counts["period"].min() >= first
    assert {key: users for key, users in told.items() if users} == dict(counted)
    # The newest states, and since when.
    for row in life.states.itertuples():
        assert row.state == states[row.user_id, -1]
        week = -1
        while states.get((row.user_id, week - 1)) == row.state and row.state not in ("new", "existing", "returned"):
            week -= 1
        assert row.since == AS_OF + pd.Timedelta(days=7 * week)
    assert len(life.states) == len({user for user, _ in states})
    # The moves.
    moves = Counter(
        (AS_OF + pd.Timedelta(days=7 * week), states.get((user, week - 1)), state)
        for (user, week), state in states.items()
    )
    rows = {
        (r.period, None if pd.isna(r.from_state) else r.from_state, r.to_state): r.users
        for r in life.transitions.itertuples()
    }
    assert rows == dict(moves)


@FEWER
@given(st.integers(0, 10**6), st.integers(4, 80), SIZES, st.booleans())
def test_everything_closes(seed, n, sizes, grouped):
    """base(t) = base(t-1) + new + existing + returned - lapsed, and the like in money, in each period and group."""
    silent_after, more, washout = sizes
    frame = export(seed, n)
    weeks, states, money = by_definition(
        frame, silent_after=silent_after, churned_after=silent_after + more, washout=washout
    )
    if not states:
        return
    by = "community" if grouped else None
    life = Lifecycle(silent_after=silent_after, churned_after=silent_after + more, washout=washout, by=by).fit(
        make_log(frame), as_of=AS_OF
    )
    # Only where something tells who lived before the log is there a column of them.
    assert ("existing" in life.growth) == ("revenue_existing" in life.growth) == (washout is not None)
    growth = life.growth.assign(
        existing=life.growth.get("existing", 0), revenue_existing=life.growth.get("revenue_existing", 0.0)
    )
    keys = [by] if grouped else []
    for _, part in growth.groupby(keys, dropna=False) if keys else [(None, growth)]:
        before = part["active_users"].shift(1, fill_value=0)
        came = part["new"] + part["existing"] + part["returned"]
        assert (part["active_users"] == before + came - part["lapsed"]).all()
        assert (part["active_users"] == came + part["retained"]).all()
        ratio = (came / part["lapsed"]).where(part["lapsed"] > 0)
        pd.testing.assert_series_equal(part["quick_ratio"], ratio, check_names=False)
        cents = (part.filter(like="revenue") * 100).round().astype(int)
        change = cents["revenue_new"] + cents["revenue_existing"] + cents["revenue_returned"]
        change += cents["revenue_expansion"] - cents["revenue_contraction"] - cents["revenue_lapsed"]
        assert (cents["revenue"] == cents["revenue"].shift(1, fill_value=0) + change).all()
    total = growth.groupby("period")[["active_users", "revenue"]].sum()
    for week in weeks:
        period = AS_OF + pd.Timedelta(days=7 * week)
        if period not in total.index:
            assert not any(amount for (_, each), amount in money.items() if each == week)
            continue
        assert total.loc[period, "active_users"] == sum(
            state in BASE for (_, each), state in states.items() if each == week
        )
        cents = sum(amount for (_, each), amount in money.items() if each == week)
        assert round(total.loc[period, "revenue"] * 100) == cents
    if silent_after == 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same = growth_accounting(make_log(frame), as_of=AS_OF, period="7D", by=by, washout=washout)
        pd.testing.assert_frame_equal(life.growth, same)


def test_four_weeks_of_four_users_by_hand(engine):
    """ann buys every week; ben is away for two weeks and comes back; cat and dan stop, and dan gives something back."""
    spent = {
        "ann": {1: 10.0, 2: 6.0, 3: 6.0, 4: 9.0},
        "ben": {1: 8.0, 4: 5.0},
        "cat": {2: 4.0, 3: 7.0},
        "dan": {3: 5.0, 4: -2.0},
    }
    rows = [(user, 7 * week - 3, paid) for user, weeks in spent.items() for week, paid in weeks.items()]
    frame = pd.DataFrame(rows, columns=["u", "t", "m"])
    frame["t"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(frame["t"], unit="D")
    log = cl.OrderLog.from_frame(
        engine(frame), user_id="u", ordered_at="t", amount="m", observed_from="2025-01-01", observed_until="2025-01-29"
    )
    growth = growth_accounting(log, as_of="2025-01-29", period="7D")
    wanted = {
        "active_users": [2, 2, 3, 2], "new": [2, 1, 1, 0], "retained": [0, 1, 2, 1], "returned": [0, 0, 0, 1],
        "lapsed": [0, 1, 0, 2], "quick_ratio": [None, 1.0, None, 0.5], "revenue": [18.0, 10.0, 18.0, 12.0],
        "revenue_new": [18.0, 4.0, 5.0, 0.0], "revenue_returned": [0.0, 0.0, 0.0, 5.0],
        "revenue_expansion": [0.0, 0.0, 3.0, 3.0], "revenue_contraction": [0.0, 4.0, 0.0, 2.0],
        "revenue_lapsed": [0.0, 8.0, 0.0, 12.0],
    }  # fmt: skip
    told = growth.drop(columns="period").astype(object).where(growth.drop(columns="period").notna(), None)
    assert told.to_dict("list") == wanted
    life = Lifecycle(period="7D", silent_after=1, churned_after=2).fit(log, as_of="2025-01-29")
    wide = life.counts.pivot_table(index="state", columns="period", values="users", aggfunc="sum")
    assert {state: wide.loc[state].tolist() for state in ("active", "silent", "churned")} == {
        "active": [0, 1, 2, 1], "silent": [0, 1, 0, 2], "churned": [0, 0, 1, 0],
    }  # fmt: skip


def test_groups_add_up_to_the_whole():
    frame = export(3, 200)
    whole = Lifecycle(washout="14D").fit(make_log(frame), as_of=AS_OF)
    parts = Lifecycle(washout="14D", by="community").fit(make_log(frame), as_of=AS_OF)
    summed = parts.counts.groupby(["period", "state"], sort=False)["users"].sum().reset_index()
    wide, again = (each.pivot_table(index="period", columns="state", values="users") for each in (whole.counts, summed))
    pd.testing.assert_frame_equal(wide, again, check_dtype=False)
    assert parts.wide().groupby("period").sum().equals(whole.wide())


@pytest.mark.parametrize(("period", "silent_after"), list(product(["7D", "week", "month"], [1, 2])))
def test_engines_agree(engine, as_pandas, period, silent_after):
    frame = export(5, 300)
    spec = Lifecycle(
        period=period, silent_after=silent_after, churned_after=4, washout="10D", by="community", lang="zh"
    )
    expected = spec.fit(make_log(frame), as_of=AS_OF)
    life = spec.fit(make_log(frame, engine), as_of=AS_OF)
    for name in ("counts", "transitions", "growth"):
        seen, wanted = (getattr(each, name) for each in (life, expected))
        # Among texts pandas 2 tells None from NaN.
        seen, wanted = (each.assign(community=each["community"].astype("string")) for each in (seen, wanted))
        pd.testing.assert_frame_equal(seen, wanted)
    given_back, wanted = as_pandas(life.states), expected.states
    assert given_back["since"].dt.strftime("%F").tolist() == wanted["since"].dt.strftime("%F").tolist()
    pd.testing.assert_frame_equal(given_back.drop(columns="since"), wanted.drop(columns="since"), check_dtype=False)


@FEWER
@given(st.integers(0, 10**6))
def test_order_of_rows_names_and_later_rows_change_nothing(seed):
    frame = export(seed, 120)
    if not has_payers(frame):
        return
    rng = np.random.default_rng(seed)
    names = rng.permutation(frame["u"].max() + 1)
    other = frame.assign(u=names[frame["u"]], m=frame["m"] * 3)
    other = other[other["t"] < AS_OF].sample(frac=1, random_state=seed)
    spec = Lifecycle(silent_after=2, churned_after=4, washout="28D")
    one, two = spec.fit(make_log(frame), as_of=AS_OF), spec.fit(make_log(other), as_of=AS_OF)
    pd.testing.assert_frame_equal(one.counts, two.counts)
    pd.testing.assert_frame_equal(one.transitions, two.transitions)
    money = [column for column in one.growth if column.startswith("revenue")]
    assert np.allclose(one.growth[money] * 3, two.growth[money])
    states = two.states.set_index("user_id")["state"]
    assert [states[names[user]] for user in one.states["user_id"]] == one.states["state"].tolist()


def test_incomplete_periods_are_left_out():
    frame = pd.DataFrame(
        {"u": [1, 2, 1], "o": [1, 2, 3], "t": ["2025-01-10", "2025-02-03", "2025-02-20"], "m": [5.0] * 3, "c": "x"}
    )
    frame["t"] = pd.to_datetime(frame["t"])
    life = Lifecycle(period="month").fit(make_log(frame), as_of="2025-02-21")
    assert life.counts["period"].unique().tolist() == [pd.Timestamp("2025-01-01")]
    assert life.states["user_id"].tolist() == [1]
    seen = cl.OrderLog.from_frame(frame.iloc[:2], **NAMES, observed_until="2025-02-10")
    counts = Lifecycle(period="7D").fit(seen, as_of="2025-02-14").counts
    assert counts["period"].max() == pd.Timestamp("2025-01-31")
    with pytest.raises(cl.InsufficientDataError, match=r"a complete period \(month\) before 2025-01-31"):
        Lifecycle(period="month").fit(make_log(frame), as_of="2025-01-31")


def test_users_with_an_earlier_life_are_existing():
    frame = pd.DataFrame(
        {
            "u": [1, 2, 3], "t": ["2025-01-10", "2025-01-10", "2025-01-30"], "m": [5.0] * 3,
            "f": ["2024-05-01", "2025-01-10", "2023-01-01"],
        }
    )  # fmt: skip
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", first_ordered_at="f")
    growth = growth_accounting(log, as_of="2025-02-01")
    assert growth[["new", "existing"]].to_numpy().tolist() == [[1, 2]]
    late = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", observed_from="2025-01-15")
    growth = growth_accounting(late, as_of="2025-02-01")
    assert growth[["new", "existing"]].to_numpy().tolist() == [[1, 2]]


def test_a_refund_only_period_is_not_active():
    """A month with nothing but a refund is no activity: it is a lapse, and its money a contraction."""
    frame = pd.DataFrame({"u": [1, 1, 2], "t": ["2025-01-10", "2025-02-03", "2025-02-05"], "m": [9.0, -4.0, 5.0]})
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    growth = growth_accounting(log, as_of="2025-04-01", period="month").set_index("period")
    assert growth.loc["2025-02-01", ["active_users", "retained", "lapsed"]].tolist() == [1, 0, 1]
    assert growth.loc["2025-02-01", ["revenue", "revenue_contraction", "revenue_lapsed"]].tolist() == [1.0, 4.0, 9.0]
    assert growth.loc["2025-03-01", ["revenue", "revenue_expansion", "revenue_lapsed"]].tolist() == [0.0, 4.0, 5.0]


def test_a_truncated_log_is_told():
    rng = np.random.default_rng(1)
    day = np.where(rng.random(600) < 0.5, rng.integers(0, 7, 600), rng.integers(0, 60, 600))
    frame = pd.DataFrame(
        {"u": rng.integers(0, 300, 600), "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(day, unit="D"), "m": 5.0}
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    for call in (lambda: Lifecycle().fit(log, as_of="2025-03-02"), lambda: growth_accounting(log, as_of="2025-03-02")):
        with pytest.warns(cl.LeftTruncatedWarning, match="washout") as caught:
            call()
        assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"churned_after": 1}, "churned_after"),
        ({"silent_after": 8}, "above silent_after"),
        ({"silent_after": 0}, "silent_after"),
        ({"silent_after": True}, "silent_after"),
        ({"period": "fortnight"}, "period"),
        ({"washout": "4 weeks"}, "duration"),
        ({"by": "comunity"}, "Did you mean 'community'"),
        ({"by": ["community", "community"]}, "once"),
        ({"silent": 3}, "unknown field"),
    ],
)
def test_wrong_specs_are_refused(wrong, told):
    with pytest.raises(cl.ConfigError, match=told):
        Lifecycle(**wrong)


def test_a_spec_is_data():
    spec = Lifecycle(period="month", by=["community", "channel"], washout="28D")
    assert Lifecycle.from_json(spec.to_json()) == spec
    life = Lifecycle(washout="28D").fit(make_log(export(1, 100)), as_of=AS_OF)
    assert "users before 2025-03-10" in repr(life)
    assert set(life.states["next_action"]) <= {action["en"] for action in ACTIONS.values()}
    assert life.to_frame()["state"].unique().tolist() == list(STATES)
    assert life.wide().columns.tolist() == list(STATES)
    assert life.wide("zh").columns.tolist() == ["新客", "存量", "活跃", "召回", "沉默", "流失"]
    with pytest.raises(cl.ConfigError, match="channel"):
        spec.fit(make_log(export(1, 100)), as_of=AS_OF)


def test_a_column_of_the_hosts_own_splits_the_tables(engine):
    frame = export(1, 200)
    frame["floor"] = np.where(frame["u"] % 2 == 0, "low", "high")
    log = cl.OrderLog.from_frame(engine(frame), **NAMES, keep=("floor",))
    life, whole = Lifecycle(by="floor").fit(log, as_of=AS_OF), Lifecycle().fit(log, as_of=AS_OF)
    assert sorted(life.counts["floor"].dropna().unique()) == ["high", "low"]
    both = life.counts.groupby(["period", "state"])["users"].sum()
    alone = whole.counts.set_index(["period", "state"])["users"]
    assert both.sort_index().tolist() == alone.sort_index().tolist()
    with pytest.raises(cl.ConfigError, match="building"):
        Lifecycle(by="building").fit(log, as_of=AS_OF)
    with pytest.raises(cl.ConfigError, match="user_id"):
        Lifecycle(by="user_id")
