"""Outreach: by hand on a small log, on simulated truth, and with what careless readouts get wrong."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import commlife as cl

AS_OF = "2025-05-30"


def world(seed: int, effect: float, n: int = 1500) -> tuple[cl.OrderLog, pd.DataFrame]:
    """Users of unlike rates; the longer away, the likelier a call; a call wins an order with probability ``effect``."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(rng.gamma(2, 0.02, n) * 150)
    orders = pd.DataFrame({"u": np.repeat(np.arange(n), count), "day": rng.random(count.sum()) * 150})
    gap = 120 - orders[orders["day"] < 120].groupby("u")["day"].max()
    called = gap.index[rng.random(len(gap)) < 0.8 / (1 + np.exp(-(gap - 20) / 8))]
    won = called[rng.random(len(called)) < effect]
    extra = pd.DataFrame({"u": won, "day": 120.5 + rng.random(len(won)) * 13})
    frame = pd.concat([orders, extra], ignore_index=True)
    frame["t"] = (pd.Timestamp("2025-01-01") + pd.to_timedelta(frame["day"], unit="D")).dt.floor("s")
    frame["m"] = rng.choice([10.0, 20.0, 30.0], len(frame))
    calls = pd.DataFrame(
        {
            "user_id": called,
            "called_at": pd.Timestamp("2025-05-01 10:00"),
            "channel": rng.choice(["phone", "visit"], len(called)),
            "outcome": rng.choice(["reached", "no answer"], len(called)),
        }
    )
    return cl.OrderLog.from_frame(frame[["u", "t", "m"]], user_id="u", ordered_at="t", amount="m"), calls


@pytest.mark.filterwarnings("ignore::commlife.errors.ModelWarning")
@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_the_true_effect_is_found_where_the_raw_gap_misleads(effect):
    rows, raw = [], []
    for seed in range(10):
        log, calls = world(seed, effect)
        row = cl.outreach_readout(calls, log, as_of=AS_OF).table.iloc[-1]
        rows.append((row["difference"], row["difference_low"], row["difference_high"], row["matched_rate"]))
        frame = log.to_native()
        after = frame["ordered_at"].between("2025-05-01 10:00", "2025-05-14 23:59:59")
        before = set(frame.loc[frame["ordered_at"] < "2025-05-01", "user_id"])
        ordered, called = set(frame.loc[after, "user_id"]), set(calls["user_id"])
        raw.append(len(called & ordered) / len(called) - len((before - called) & ordered) / len(before - called))
    found = np.array(rows)
    # An order is won only from those who would not have ordered anyway.
    truth = effect * (1 - (found[:, 3].mean() - effect) / (1 - effect)) if effect else 0.0
    assert found[:, 0].mean() == pytest.approx(truth, abs=0.03)
    assert ((found[:, 1] <= truth) & (truth <= found[:, 2])).sum() >= 8
    assert np.mean(raw) < truth - 0.05


LOG = pd.DataFrame(
    [
        # six alike, one order each a month ago; 0 and 1 are called, 2 to 6 are not
        *[(user, "2025-03-01 12:00", 10.0) for user in range(7)],
        (0, "2025-04-03 09:00", 30.0), (0, "2025-04-20 09:00", 5.0),  # ordered within the window, and stayed
        (1, "2025-04-01 08:00", 99.0),  # ordered on the day, before the call
        (2, "2025-04-05 09:00", 10.0),
        (3, "2025-04-16 09:00", 10.0),  # too late
    ],
    columns=["u", "t", "m"],
)  # fmt: skip
CALLS = pd.DataFrame(
    [
        (0, "2025-04-01 10:00", "phone", "no answer", "silent", 2.0), (0, "2025-04-02 10:00", "phone", "reached", "silent", 2.0),
        (1, "2025-04-01 10:00", "phone", "reached", "silent", 2.0), (9, "2025-04-01 10:00", "phone", "reached", "new", 2.0),
        (0, "2025-05-25 10:00", "visit", "reached", "silent", 10.0),
    ],
    columns=["user_id", "called_at", "channel", "outcome", "list", "cost"],
)  # fmt: skip


def read(calls, log=LOG, **more):
    log = cl.OrderLog.from_frame(log, user_id="u", ordered_at="t", amount="m")
    return cl.outreach_readout(calls, log, **{"as_of": AS_OF, "list_name": "list", "cost": "cost", **more})


def test_the_numbers_by_hand(engine):
    table = read(engine(CALLS), engine(LOG)).table
    assert table[["list", "channel"]].to_numpy().tolist() == [
        ["new", "phone"], ["silent", "phone"], ["silent", "visit"], ["all", "all"],
    ]  # fmt: skip
    phone = table.iloc[1]
    assert (phone["contacts"], phone["attempts"], phone["reached"], phone["reach_rate"]) == (2, 3, 2, 1.0)
    # User 0 ordered and stayed; user 1 ordered before the call, which is no answer to it.
    assert (phone["judged"], phone["ordered"], phone["order_rate"]) == (2, 1, 0.5)
    assert (phone["woken"], phone["stayed_rate"]) == (1, 1.0)
    # One of the five comparable users ordered within the window.
    assert (phone["matched"], phone["matched_rate"], phone["control_rate"]) == (2, 0.5, 0.2)
    assert phone["difference"] == pytest.approx(0.3)
    assert phone["extra_revenue"] == pytest.approx(30.0 - 2 * 10.0 / 5)
    assert phone["roi"] == pytest.approx((26.0 - 6.0) / 6.0)
    assert phone["control_stayed_rate"] == 0.0
    visit = table.iloc[2]
    assert (visit["contacts"], visit["pending"], visit["judged"]) == (1, 1, 0)
    assert np.isnan(visit["order_rate"])
    new = table.iloc[0]
    assert (new["contacts"], new["matched"]) == (1, 0), "who never ordered has nobody to compare with"
    whole = table.iloc[3]
    assert (whole["contacts"], whole["cost"]) == (4, 18.0)
    half = read(CALLS, margin=0.5).table.iloc[1]
    assert half["roi"] == pytest.approx((13.0 - 6.0) / 6.0)


def test_costs_by_channel_and_for_all():
    assert read(CALLS, cost={"phone": 1, "visit": 5}).table["cost"].tolist() == [1.0, 3.0, 5.0, 9.0]
    assert read(CALLS, cost=3).table["cost"].tolist() == [3.0, 9.0, 3.0, 15.0]
    assert read(CALLS, cost=None).table["roi"].isna().all()


def test_who_was_contacted_is_no_control():
    """Seen in readouts by hand: users of another list stand as "not called"."""
    others = pd.DataFrame([(2, "2025-04-08 10:00", "visit", "reached", "other", 1.0)], columns=CALLS.columns)
    with pytest.warns(cl.ModelWarning, match="no comparable users"):
        table = read(pd.concat([CALLS, others])).table
    assert table.iloc[1]["control_rate"] != 0.2
    assert table.iloc[-1]["matched"] == 0


def test_rows_names_currency_and_future_change_nothing():
    log, calls = world(3, 0.1, n=400)
    frame = log.to_native()
    columns = {"user_id": "user_id", "ordered_at": "ordered_at", "amount": "amount"}
    one = cl.outreach_readout(calls, log, as_of=AS_OF, cost=1.0).table
    shuffled = cl.OrderLog.from_frame(frame.sample(frac=1, random_state=0), **columns)
    pd.testing.assert_frame_equal(
        one, cl.outreach_readout(calls.sample(frac=1, random_state=1), shuffled, as_of=AS_OF, cost=1.0).table
    )
    names = {user: f"r{1000 - user}" for user in frame["user_id"].unique()}
    renamed = cl.OrderLog.from_frame(frame.assign(user_id=frame["user_id"].map(names)), **columns)
    other = cl.outreach_readout(calls.assign(user_id=calls["user_id"].map(names)), renamed, as_of=AS_OF, cost=1.0).table
    pd.testing.assert_frame_equal(one, other)
    late = pd.DataFrame({"user_id": [0, 1], "ordered_at": pd.Timestamp("2025-05-30"), "amount": 9.0})
    more = cl.OrderLog.from_frame(pd.concat([frame, late]), **columns)
    later = calls.head(3).assign(called_at=pd.Timestamp("2025-05-30 09:00"))
    pd.testing.assert_frame_equal(
        one, cl.outreach_readout(pd.concat([calls, later]), more, as_of=AS_OF, cost=1.0).table
    )
    dear = cl.OrderLog.from_frame(frame.assign(amount=frame["amount"] * 10), **columns)
    scaled = cl.outreach_readout(calls, dear, as_of=AS_OF, cost=10.0).table
    money = ["extra_revenue", "revenue_low", "revenue_high", "cost"]
    np.testing.assert_allclose(scaled[money], one[money] * 10)
    pd.testing.assert_frame_equal(scaled.drop(columns=money), one.drop(columns=money))


def test_the_verdict_says_that_it_is_no_trial():
    log, calls = world(1, 0.3)
    readout = cl.outreach_readout(calls, log, as_of=AS_OF)
    assert "not dealt at random" in readout.verdict
    assert readout.sentence() == readout.verdict
    assert "并非随机分配" in readout.sentence("zh")
    assert f"{int(readout.table['matched'].iloc[-1]):,} 次有可比用户的联系" in readout.sentence("zh")
    with pytest.raises(cl.ConfigError, match="fr"):
        readout.sentence("fr")
    assert "points" in repr(readout)
    assert readout.to_frame().equals(readout.table)
    before, after = readout.balance["difference_raw"].abs(), readout.balance["difference"].abs()
    assert before.max() > 0.5
    assert after.max() < 0.15


def test_the_verdict_says_more_or_fewer_only_where_the_interval_lies_on_one_side_of_zero():
    log, calls = world(1, 0.3)
    readout = cl.outreach_readout(calls, log, as_of=AS_OF)
    said = {}
    for low, high in ((0.002, 0.006), (-0.006, -0.002), (-0.002, 0.002), (0.0, 0.004), (-0.004, 0.0)):
        table = readout.table.copy()
        table.loc[table.index[-1], ["difference_low", "difference_high"]] = low, high
        # The numbers aside, which words are left?
        words = replace(readout, table=table).sentence()
        said[low, high] = "".join(letter for letter in words if letter not in "+-.0123456789")
    assert said[0.0, 0.004] == said[-0.004, 0.0] == said[-0.002, 0.002]
    assert len({said[0.002, 0.006], said[-0.006, -0.002], said[-0.002, 0.002]}) == 3


def test_what_stayed_is_told_when_the_days_to_stay_have_passed():
    """Within the window everything is known, whether they stayed is not yet."""
    early, late = (read(CALLS, as_of=day).table.iloc[1] for day in ("2025-04-18", AS_OF))
    assert (early["judged"], early["ordered"], early["woken"]) == (2, 1, 0)
    assert np.isnan(early["stayed_rate"])
    assert (late["judged"], late["ordered"], late["woken"]) == (2, 1, 1)


def test_within_the_community_alone():
    log, calls = world(2, 0.0, n=600)
    frame = log.to_native().assign(home=lambda f: f["user_id"] % 2)
    log = cl.OrderLog.from_frame(frame, user_id="user_id", ordered_at="ordered_at", amount="amount", community="home")
    one = cl.outreach_readout(calls, log, as_of=AS_OF).table.iloc[-1]
    two = cl.outreach_readout(calls, log, as_of=AS_OF, match_community=True).table.iloc[-1]
    assert 0 < two["matched"] <= one["matched"]
    assert one["matched_rate"] != two["control_rate"]


@pytest.mark.parametrize(
    ("calls", "more"),
    [
        (CALLS.drop(columns="outcome"), {}), (CALLS, {"user_id": "phone"}), (CALLS.assign(called_at=None), {}), (CALLS.assign(called_at=20_000), {}), (CALLS.assign(called_at=True), {}),
        (CALLS.assign(user_id=None), {}), (CALLS, {"cost": {"phone": 1}}), (CALLS, {"cost": -1}), (CALLS, {"cost": True}),
        (CALLS.assign(user_id=CALLS["user_id"].astype(str)), {}), (CALLS, {"cost": "price"}), (CALLS, {"margin": 0}), (CALLS, {"margin": 2}), (CALLS, {"within": "14"}),
    ],
)  # fmt: skip
def test_wrong_calls_are_refused(calls, more):
    with pytest.raises(cl.ConfigError):
        read(calls, **more)


def test_the_warning_of_too_few_controls_is_about_all_contacts_together():
    """Of one list everybody has comparable users, of the whole most have none."""
    strangers = pd.concat([CALLS[CALLS["list"] == "new"].assign(user_id=user) for user in (9, 10, 11)])
    with pytest.warns(cl.ModelWarning, match="3 of 5 contacts have no comparable users"):
        readout = read(pd.concat([CALLS[CALLS["channel"] == "phone"].query("list == 'silent'"), strangers]))
    table = readout.table.set_index("list")
    assert table.loc["silent", ["judged", "matched"]].tolist() == [2, 2]
    assert table.loc["all", ["judged", "matched"]].tolist() == [5, 2]


def test_no_contact_is_nothing_to_read():
    with pytest.raises(cl.InsufficientDataError, match="a contact before"):
        read(CALLS, as_of="2025-03-20")


def test_without_comparable_users_nothing_is_claimed():
    few = LOG[LOG["u"] < 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.ModelWarning)
        readout = read(CALLS, few)
    assert "nothing can be said" in readout.verdict
    assert readout.sentence("zh").endswith("无法判断联系带来了什么。")
    assert readout.table["difference"].isna().all()
