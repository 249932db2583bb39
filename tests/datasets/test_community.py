"""Truth and frame agree, and the same settings give the same world."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from commlife.datasets import Community, make_community
from commlife.errors import ConfigError

PLAIN: dict[str, Any] = {
    "drop_community": None,
    "trial_share": 0.0,
    "proxy_share": 0.0,
    "service_share": 0.0,
    "refunds": 0.0,
    "splits": 0.0,
    "repeats": 0.0,
}


@pytest.fixture(scope="module")
def rich() -> Community:
    """Everything switched on, at rates that leave something of each kind."""
    return make_community(
        n_users=4_000, seed=3, targeted=True, coupon_faces=(3.0, 8.0), proxy_share=0.02, service_share=0.03, refunds=0.1,
        splits=0.05, repeats=0.05, existing_share=0.25, sleeping_dogs=0.1, bait=True,
    )  # fmt: skip


def weeks_of(community: Community) -> pd.DataFrame:
    """A row a user: week of the first order, community, ordered in the next week or not."""
    frame = community.frame
    week = (frame["ordered_at"] - pd.Timestamp(community.world.start)).dt.days // 7
    first = week.groupby(frame["user_id"]).transform("min")
    users = frame.assign(week=first, retained=week == first + 1).groupby("user_id")
    return users.agg(week=("week", "first"), community=("community", "first"), retained=("retained", "any"))


# -- the same world -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_world(rich: Community) -> None:
    again = make_community(**rich.world.model_dump())
    assert_frame_equal(rich.frame, again.frame)
    assert_frame_equal(rich.truth.coupons, again.truth.coupons)
    other = make_community(**(rich.world.model_dump() | {"seed": 4}))
    assert len(other.frame) != len(rich.frame) or not other.frame.equals(rich.frame)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    small=st.integers(1, 60),
    more=st.integers(1, 60),
    life=st.sampled_from(["pareto_nbd", "bg_nbd"]),
)
def test_a_smaller_world_holds_the_first_users_of_a_larger_one(seed: int, small: int, more: int, life: str) -> None:
    a = make_community(n_users=small, seed=seed, life=life, proxy_share=0.2, targeted=True)
    b = make_community(n_users=small + more, seed=seed, life=life, proxy_share=0.2, targeted=True)
    cut = b.frame[b.frame["user_id"] <= small].reset_index(drop=True)
    assert_frame_equal(a.frame, cut, check_dtype=len(a.frame) > 0)


@pytest.mark.parametrize(
    "off",
    [
        {"refunds": 0.0},
        {"splits": 0.0, "refunds": 0.0},
        {"repeats": 0.0},
        {"service_share": 0.0, "refunds": 0.0, "splits": 0.0},
        {"proxy_share": 0.0},
        {"existing_share": 0.0},
        {"drop_community": None, "bait": False},
        {"trial_share": 0.0, "targeted": False},
        {"n_pairs": 0},
        {"bait": False},
    ],
)
def test_switching_an_aspect_off_leaves_the_rest(off: dict[str, Any]) -> None:
    given_settings: dict[str, Any] = {
        "n_users": 600, "seed": 11, "existing_share": 0.2, "proxy_share": 0.05, "service_share": 0.1, "refunds": 0.2,
        "splits": 0.2, "repeats": 0.2, "targeted": True, "bait": True, "coupon_threshold": 20.0, "sleeping_dogs": 0.3,
    }  # fmt: skip
    on, without = make_community(**given_settings), make_community(**(given_settings | off))
    columns = ["user_id", "born_at", "community", "taste", "appetite", "price_band", "dropout_rate"]
    common = on.truth.users["user_id"].isin(without.truth.users["user_id"])
    assert_frame_equal(on.truth.users.loc[common, columns], without.truth.users[columns])
    # Lines of users whom the aspect never touched stay as they were, to the last cent.
    touched = _touched(on, off)
    a, b = (c.frame[~c.frame["user_id"].isin(touched)].reset_index(drop=True) for c in (on, without))
    assert len(b) > 100
    assert_frame_equal(a, b)
    assert not on.frame.equals(without.frame)


def _touched(community: Community, off: dict[str, Any]) -> set[int]:
    truth, frame, users = community.truth, community.frame, community.truth.users
    touched: set[int] = set()
    kinds = {"refunds": "refund", "splits": "split", "repeats": "repeat"}
    for name, kind in kinds.items():
        if name in off:
            touched |= set(truth.orders.loc[truth.orders["kind"] == kind, "user_id"])
    if "refunds" in off or "splits" in off:
        touched |= set(frame.loc[frame["amount"] < 0, "user_id"])
    if "service_share" in off:
        touched |= set(users.loc[users["is_service"], "user_id"])
    if "proxy_share" in off:
        touched |= set(users.loc[users["is_proxy"], "user_id"])
    if "existing_share" in off:
        touched |= set(users.loc[users["is_existing"], "user_id"])
    if "drop_community" in off or "bait" in off:
        touched |= set(users.loc[users["hit_by_drop"], "user_id"])
    if "trial_share" in off:
        touched |= set(truth.coupons.loc[truth.coupons["coupon_id"].notna(), "user_id"])
    if "n_pairs" in off:
        touched |= set(frame.loc[frame["item_id"].isin(set(truth.pairs["antecedent"])), "user_id"])
    return touched


# -- truth and frame ----------------------------------------------------------------------------------------------------


def test_orders_lie_within_lives_and_within_the_log(rich: Community) -> None:
    orders = rich.truth.orders
    first = rich.frame.groupby("order_id", as_index=False)["ordered_at"].min()
    lives = orders.merge(first, on="order_id", validate="1:1").merge(rich.truth.users, on="user_id")
    own = lives[lives["kind"] == "order"]
    assert (own["ordered_at"] >= own["born_at"]).all()
    ended = own[own["left_at"].notna()]
    assert len(ended) > 1_000
    assert (ended["ordered_at"] <= ended["left_at"]).all()
    assert rich.frame["ordered_at"].min() >= pd.Timestamp(rich.world.start)
    assert rich.frame["ordered_at"].max() < pd.Timestamp(rich.as_of)
    assert (lives["left_at"].isna() == lives["alive"]).all()


def test_newcomers_first_order_is_their_birth(rich: Community) -> None:
    first = rich.frame.groupby("user_id")["ordered_at"].min()
    new = rich.truth.users[~rich.truth.users["is_existing"]].set_index("user_id")
    assert first.loc[new.index].equals(new["born_at"].rename("ordered_at"))
    existing = rich.truth.users[rich.truth.users["is_existing"]]
    assert len(existing) == 1_000
    assert (existing["born_at"] < pd.Timestamp(rich.world.start)).all()
    assert set(rich.frame["user_id"]) <= set(rich.truth.users["user_id"])


def test_traits_in_the_frame_are_those_of_the_truth(rich: Community) -> None:
    both = rich.frame.merge(rich.truth.users, on="user_id", suffixes=("", "_true"))
    assert (both["community"] == both["community_true"]).all()
    assert (both["channel"] == both["channel_true"]).all()
    shares = rich.truth.users["community"].value_counts(normalize=True)
    assert shares.to_numpy() == pytest.approx(np.full(8, 1 / 8), abs=0.03)
    addresses = rich.frame.groupby("user_id")["address_id"].nunique()
    proxies = rich.truth.users.loc[rich.truth.users["is_proxy"], "user_id"]
    assert (addresses[~addresses.index.isin(proxies)] == 1).all()
    assert addresses[addresses.index.isin(proxies)].median() >= 4
    services = set(rich.frame.loc[rich.frame["category"] == "housekeeping", "user_id"])
    assert services
    assert services <= set(rich.truth.users.loc[rich.truth.users["is_service"], "user_id"])
    prices = rich.truth.items.groupby("category")["price"].median()
    assert prices["housekeeping"] == pytest.approx(100 * rich.truth.items["price"].iloc[:-1].median())
    hour = both["ordered_at"].dt.hour
    assert (hour[both["habit"] == "evening"] >= 17).mean() > (hour[both["habit"] == "morning"] >= 17).mean() + 0.3


def test_orders_of_the_truth_are_those_of_the_frame(rich: Community) -> None:
    orders = rich.truth.orders
    assert orders["order_id"].is_unique
    assert set(orders["order_id"]) == set(rich.frame["order_id"])
    assert set(orders["source"]) == {"base", "proxy", "trial", "targeted"}
    kinds = orders["kind"].value_counts()
    assert set(kinds.index) == {"order", "split", "repeat", "refund"}
    assert kinds["repeat"] / kinds["order"] == pytest.approx(0.05, abs=0.01)
    assert kinds["split"] / kinds["order"] == pytest.approx(0.05, abs=0.02)
    assert kinds["refund"] / kinds["order"] == pytest.approx(0.05, abs=0.01)
    assert orders["origin_order_id"].isin(set(orders["order_id"])).all()


def test_money_is_whole_cents_and_adds_up(rich: Community) -> None:
    frame = rich.frame
    for column in ("amount", "cost", "list_amount", "discount"):
        cents = frame[column] * 100
        assert np.abs(cents - cents.round()).max() < 1e-6
    assert np.abs(frame["list_amount"] - frame["discount"] - frame["amount"]).max() < 1e-6
    bought = frame[frame["quantity"] > 0]
    assert (bought["amount"] >= 0).all()
    assert (bought["discount"] >= 0).all()
    net = frame.groupby("order_id")["amount"].sum().round(2)
    refunds = rich.truth.orders.set_index("order_id")["kind"] == "refund"
    assert (net[refunds[refunds].index] < 0).all()
    assert (net[refunds[~refunds].index] > 0).all()


def test_each_refund_gives_back_what_one_line_paid(rich: Community) -> None:
    frame = rich.frame.merge(rich.truth.orders[["order_id", "origin_order_id"]], on="order_id")
    back = frame[frame["quantity"] < 0]
    bought = frame[(frame["quantity"] > 0) & (frame["order_id"] == frame["origin_order_id"])]
    pairs = back.merge(bought, on=["origin_order_id", "item_id"], suffixes=("", "_bought"))
    assert len(pairs) == len(back) > 500
    for column in ("amount", "quantity", "cost", "list_amount", "discount"):
        assert (pairs[column] == -pairs[f"{column}_bought"]).all()
    assert (pairs["ordered_at"] > pairs["ordered_at_bought"]).all()
    alone = back["order_id"] != back["origin_order_id"]
    assert 0.3 < alone.mean() < 0.7


def test_splits_and_repeats_stand_minutes_after_their_order(rich: Community) -> None:
    first = rich.frame[rich.frame["quantity"] > 0].groupby("order_id")["ordered_at"].min()
    orders = rich.truth.orders[rich.truth.orders["kind"].isin(["split", "repeat"])]
    minutes = (first[orders["order_id"]].to_numpy() - first[orders["origin_order_id"]].to_numpy()) / np.timedelta64(
        60, "s"
    )
    assert minutes.min() >= 0
    assert minutes.max() <= 10
    repeat = orders[orders["kind"] == "repeat"]
    items = rich.frame[rich.frame["quantity"] > 0].groupby("order_id")["item_id"].agg(set)
    pairs = zip(repeat["order_id"], repeat["origin_order_id"], strict=True)
    assert all(items[again] >= items[origin] for again, origin in pairs)


# -- lives, retention, the drop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", ["pareto_nbd", "bg_nbd"])
def test_each_community_has_its_retention(life: str) -> None:
    community = make_community(
        newcomers_per_week=600, n_weeks=12, n_communities=4, seed=2, life=life, retention=0.4, retention_spread=0.1,
        lines_per_order=1.0, n_pairs=0, **PLAIN,
    )  # fmt: skip
    users = weeks_of(community)
    assert (users.groupby(["week", "community"]).size() == 600).all()
    seen = users[users["week"] < 11].groupby("community")["retained"].mean()
    # 6,600 newcomers each: the standard error is 0.006.
    assert seen.to_numpy() == pytest.approx(community.truth.communities["retention"].to_numpy(), abs=0.02)
    assert np.ptp(seen.to_numpy()) > 0.15


def test_the_drop_is_where_and_when_the_truth_says() -> None:
    community = make_community(
        newcomers_per_week=400, n_weeks=12, seed=5, retention_spread=0.0, lines_per_order=1.0, drop_community=2,
        drop_week=6, drop_weeks=4, bait=True, **{k: v for k, v in PLAIN.items() if k != "drop_community"},
    )  # fmt: skip
    drop = community.truth.drop
    assert drop is not None
    assert (drop.community, drop.first_day, drop.until) == ("C03", "2025-02-10", "2025-03-10")
    assert (drop.retention_before, drop.retention_during) == (pytest.approx(0.40), 0.25)
    users = weeks_of(community)
    users = users[users["week"] < 11]
    during = users["week"].between(6, 9)
    here = users["community"] == "C03"
    assert users.loc[here & during, "retained"].mean() == pytest.approx(0.25, abs=0.035)
    assert users.loc[here & ~during, "retained"].mean() == pytest.approx(0.40, abs=0.035)
    others = users[~here].groupby("community")["retained"].mean()
    assert others.to_numpy() == pytest.approx(np.full(7, 0.40), abs=0.035)
    hit = community.truth.users.loc[community.truth.users["hit_by_drop"], "user_id"]
    lines = community.frame[community.frame["user_id"].isin(hit)]
    assert (lines.groupby("user_id")["order_id"].nunique() == 1).all()
    assert lines.groupby("user_id")["item_id"].agg(lambda items: drop.bait in set(items)).all()


def test_the_process_is_the_one_of_the_parameters() -> None:
    """Rates and dropouts have the gamma means of the parameters; alpha follows from retention."""
    community = make_community(n_users=60_000, seed=8, n_weeks=2, retention_spread=0.0, **PLAIN)
    users, par = community.truth.users, community.truth.parameters
    alpha = community.truth.communities["purchase_alpha"].iloc[0]
    assert users["purchase_rate"].mean() == pytest.approx(par["purchase_shape"] / alpha, rel=0.02)
    assert users["dropout_rate"].mean() == pytest.approx(par["dropout_shape"] / par["dropout_scale"], rel=0.02)
    assert users["dropout_rate"].var() == pytest.approx(par["dropout_shape"] / par["dropout_scale"] ** 2, rel=0.06)
    other = make_community(n_users=30_000, seed=8, n_weeks=2, retention_spread=0.0, life="bg_nbd", **PLAIN).truth
    par = other.parameters
    assert other.users["dropout_probability"].mean() == pytest.approx(
        par["dropout_a"] / (par["dropout_a"] + par["dropout_b"]), rel=0.03
    )


def test_order_values_follow_the_gamma_gamma_model() -> None:
    """E[z] = p gamma / (q - 1), and a user's mean over few orders shrinks towards it (Fader & Hardie 2013)."""
    community = make_community(n_users=40_000, seed=4, n_weeks=12, values="gamma_gamma", **PLAIN)
    par = community.truth.parameters
    value = community.frame.groupby(["user_id", "order_id"])["amount"].sum()
    users = value.groupby("user_id").agg(["mean", "count", "var"])
    assert users["mean"].mean() == pytest.approx(par["value_p"] * par["value_gamma"] / (par["value_q"] - 1), rel=0.02)
    many = users[users["count"] >= 8]
    # Within a user the variance is the square of the mean over p.
    assert (many["var"] / many["mean"] ** 2).median() == pytest.approx(1 / par["value_p"], rel=0.1)


@pytest.mark.parametrize("life", ["pareto_nbd", "bg_nbd"])
@pytest.mark.parametrize("given_", ["rates", "life"])
def test_the_true_probability_of_silence_is_calibrated(life: str, given_: str) -> None:
    community = make_community(
        n_users=30_000, seed=6, life=life, existing_share=0.2, drop_week=13, newcomers_per_week=None, lines_per_order=1.0,
        **{k: v for k, v in PLAIN.items() if k not in ("drop_community", "proxy_share")}, proxy_share=0.05,
    )  # fmt: skip
    told = community.truth.silence("2025-06-02", "28D", given=given_)
    frame = community.frame
    buyers = set(frame.loc[frame["ordered_at"] >= "2025-06-02", "user_id"])
    before = community.truth.users["born_at"] < "2025-06-02"
    assert set(told["user_id"]) == set(community.truth.users.loc[before, "user_id"])
    silent = ~told["user_id"].isin(buyers)
    bins = np.clip((told["p_silent"] * 10).astype(int), 0, 9)
    table = (
        pd.DataFrame({"bin": bins, "p": told["p_silent"], "silent": silent})
        .groupby("bin")
        .agg(n=("p", "size"), p=("p", "mean"), silent=("silent", "mean"))
    )
    error = np.sqrt(table["p"] * (1 - table["p"]) / table["n"]) + 1e-3
    assert ((table["silent"] - table["p"]).abs() / error).max() < 4
    for column in ("is_proxy", "hit_by_drop"):
        if given_ == "life" or column == "is_proxy":
            mine = told["user_id"].isin(community.truth.users.loc[community.truth.users[column], "user_id"])
            assert silent[mine].mean() == pytest.approx(told.loc[mine, "p_silent"].mean(), abs=0.04)


def test_silence_refuses_what_it_cannot_tell(rich: Community) -> None:
    with pytest.raises(ConfigError, match="outside the log"):
        rich.truth.silence("2030-01-01")
    with pytest.raises(ConfigError, match="Did you mean 'rates'"):
        rich.truth.silence("2025-06-02", given="rate")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="duration"):
        rich.truth.silence("2025-06-02", "four weeks")


# -- baskets and coupons ------------------------------------------------------------------------------------------------


def test_planted_pairs_are_bought_together() -> None:
    community = make_community(n_users=5_000, seed=9, **PLAIN)
    baskets = community.frame.groupby("item_id")["order_id"].agg(set)
    pairs = community.truth.pairs
    assert len(pairs) == 4
    for pair in pairs.itertuples():
        first, second = baskets[pair.antecedent], baskets[pair.consequent]
        # The partner is there with the planted probability, or by taste all the same.
        assert len(first & second) / len(first) >= pair.probability - 4 * np.sqrt(0.24 / len(first))
        assert len(first & second) / len(first) > 1.5 * len(second) / community.frame["order_id"].nunique()


def test_the_trial_tells_the_true_effect() -> None:
    community = make_community(
        n_users=60_000, seed=1, n_weeks=12, lines_per_order=1.0, coupon_threshold=5.0, coupon_faces=(2.0, 4.0),
        coupon_effect=1.0, trial_share=0.6, **{k: v for k, v in PLAIN.items() if k != "trial_share"},
    )  # fmt: skip
    trial, frame = community.truth.coupons, community.frame
    inside = (frame["ordered_at"] >= trial["issued_on"].iloc[0]) & (frame["ordered_at"] < trial["expires_on"].iloc[0])
    orders = frame[inside].groupby("user_id")["order_id"].nunique()
    seen = trial["user_id"].map(orders).fillna(0).astype(int)
    assert (trial["coupon_id"].notna()).mean() == pytest.approx(0.6, abs=0.01)
    control = seen[trial["coupon_id"].isna()]
    assert (control == trial.loc[control.index, "baseline_orders"]).all()
    truths = []
    for coupon in ("trial-2", "trial-4"):
        arm = trial["coupon_id"] == coupon
        assert (seen[arm] == trial.loc[arm, f"orders_{coupon}"]).all()
        difference = seen[arm].mean() - control.mean()
        error = np.sqrt(seen[arm].var() / arm.sum() + control.var() / len(control))
        truth = trial[f"effect_{coupon}"].mean()
        assert abs(difference - truth) < 4 * error
        assert truth > 5 * error  # the test can fail
        # The counterfactuals of all users have the expected effect as well.
        both = trial[f"orders_{coupon}"] - trial["baseline_orders"]
        assert abs(both.mean() - truth) < 4 * both.std() / np.sqrt(len(both))
        truths.append(truth)
    assert truths[0] < truths[1]
    dogs = community.truth.users.loc[community.truth.users["is_sleeping_dog"], "user_id"]
    mine = trial[trial["user_id"].isin(dogs)]
    assert (mine["effect_trial-4"] <= 0).all()
    assert (mine["orders_trial-4"] - mine["baseline_orders"]).mean() == pytest.approx(
        mine["effect_trial-4"].mean(), abs=0.06
    )


def test_the_targeted_campaign_is_confounded() -> None:
    community = make_community(
        n_users=40_000, seed=1, targeted=True, trial_share=0.0, lines_per_order=1.0, sleeping_dogs=0.0, n_weeks=12,
        **{k: v for k, v in PLAIN.items() if k != "trial_share"},
    )  # fmt: skip
    given_ = community.truth.coupons
    treated = given_["coupon_id"].notna()
    seen = np.where(treated, given_["orders_targeted-5"], given_["baseline_orders"])
    assert given_["effect_targeted-5"].mean() > 0.05
    assert seen[treated].mean() - seen[~treated].mean() < -0.1
    # Weighted by the true propensities, the comparison finds the truth again.
    p = given_["propensity"]
    arms = []
    for arm, weight in ((treated, 1 / p), (~treated, 1 / (1 - p))):
        w, y = weight[arm].to_numpy(), seen[arm]
        mean = np.average(y, weights=w)
        arms.append((mean, np.sqrt(((w * (y - mean)) ** 2).sum()) / w.sum()))
    (a, error_a), (b, error_b) = arms
    assert abs(a - b - given_["effect_targeted-5"].mean()) < 4 * np.hypot(error_a, error_b)
    assert treated.mean() == pytest.approx(p.mean(), abs=0.02)


def test_coupons_are_redeemed_as_issued(rich: Community) -> None:
    coupons, frame = rich.truth.coupons, rich.frame
    used = frame[frame["coupon_id"].notna()]
    redeemed = coupons[coupons["redeemed_order_id"].notna()].astype({"redeemed_order_id": "int64"})
    assert set(coupons["campaign"]) == {"trial", "targeted"}
    orders = rich.truth.orders.set_index("order_id")["origin_order_id"]
    assert set(used["order_id"].map(orders)) == set(redeemed["redeemed_order_id"])
    assert coupons.loc[coupons["coupon_id"].isna(), "redeemed_order_id"].isna().all()
    assert redeemed["redeemed_order_id"].is_unique
    at = redeemed.merge(
        used.assign(origin=used["order_id"].map(orders)).groupby("origin").agg(
            who=("user_id", "first"), what=("coupon_id", "first"), at=("ordered_at", "min"), paid=("amount", "sum")
        ), left_on="redeemed_order_id", right_index=True, validate="1:1",
    )  # fmt: skip
    assert (at["who"] == at["user_id"]).all()
    assert (at["what"] == at["coupon_id"]).all()
    assert ((at["at"] >= at["issued_on"]) & (at["at"] < at["expires_on"])).all()
    face = at["what"].str.rsplit("-", n=1).str[1].astype(float)
    assert (at["paid"] + face >= rich.world.coupon_threshold - 1e-9).all()
    assert 0.05 < len(redeemed) / coupons["coupon_id"].notna().sum() < 0.6


# -- the log ------------------------------------------------------------------------------------------------------------


def test_the_log_is_the_frame(rich: Community) -> None:
    log = rich.log
    assert log is rich.log
    assert (log.n_rows, log.n_orders, log.n_users) == (
        len(rich.frame), rich.frame["order_id"].nunique(), rich.frame["user_id"].nunique(),
    )  # fmt: skip
    assert (log.timezone, log.first_day) == ("Asia/Shanghai", "2024-12-30")
    assert log.last_day is not None
    assert log.last_day < rich.as_of
    assert len(log.set_aside) == 0
    assert len(log.columns) == len(rich.frame.columns) == 14


@settings(max_examples=20)
@given(
    n_users=st.integers(1, 30), seed=st.integers(0, 2**32), n_weeks=st.integers(2, 8), n_communities=st.integers(1, 4),
    share=st.sampled_from([0.0, 0.5, 1.0]), life=st.sampled_from(["pareto_nbd", "bg_nbd"]), existing=st.sampled_from([0.0, 2.0]),
    values=st.sampled_from(["basket", "gamma_gamma"]),
)  # fmt: skip
def test_every_small_world_is_a_sound_export(
    n_users: int, seed: int, n_weeks: int, n_communities: int, share: float, life: str, existing: float, values: str
) -> None:
    community = make_community(
        n_users=n_users, seed=seed, n_weeks=n_weeks, n_communities=n_communities, life=life, existing_share=existing,
        values=values, trial_share=share, targeted=share > 0, proxy_share=share, service_share=share, refunds=share,
        splits=share, repeats=share, sleeping_dogs=share, pair_probability=share, bait=share > 0.5,
    )  # fmt: skip
    assert community.log.n_rows == len(community.frame)
    assert set(community.frame["user_id"]) >= set(range(1, n_users + 1))
    told = community.truth.silence(community.as_of)
    assert told["p_silent"].between(0, 1).all()
    assert len(told) == len(community.truth.users)


def test_reprs_are_short(rich: Community) -> None:
    assert repr(rich).startswith("Community(")
    assert len(repr(rich)) < 120
    assert repr(rich.truth).startswith("Truth(users=5,000")
