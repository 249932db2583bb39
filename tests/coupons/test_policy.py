"""Policies: each rule, the holdout, the budget, the audit, both languages, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife.coupons import Coupon, CrossCategory, Policy, SecondOrder, TaperSubsidy, WinBack
from commlife.errors import CommlifeError, ConfigError

SECOND = SecondOrder(coupon=Coupon.from_threshold("second", "30:5"))
BACK = WinBack(coupon=Coupon.from_threshold("back", "60:12"))
CROSS = CrossCategory(
    coupons=(
        Coupon(coupon_id="veg", percent=20, max_discount=8, categories=("vegetables",)),
        Coupon(coupon_id="milk", amount=2, categories=("milk",)),
        Coupon(coupon_id="rice", amount=6, minimum_spend=20, categories=("rice",)),
    )
)
RULES = (SECOND, BACK, CROSS, TaperSubsidy())


def community(users: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frequency = rng.integers(1, 12, users)
    kinds = np.array(["vegetables", "milk", "rice"])
    bought = [list(kinds[rng.random(3) < 0.5]) for _ in range(users)]
    return pd.DataFrame(
        {
            "user_id": [f"u{i:04d}" for i in range(users)],
            "state": rng.choice(["new", "active", "silent", "churned", "returned", "existing"], users),
            "segment": rng.choice(["Champions", "Loyal", "Promising", "At Risk"], users, p=[0.1, 0.1, 0.4, 0.4]),
            "frequency": frequency,
            "recency_days": rng.integers(1, 90, users),
            "monetary": np.round(frequency * rng.gamma(3, 12, users), 2),
            "favourite_category": rng.choice(kinds, users),
            "bought_categories": bought,
            "tenure_days": rng.integers(10, 400, users),
        }
    )


def policy(**changes) -> Policy:
    return Policy(**{"rules": RULES, "holdout": 0.1, "salt": "week 12", **changes})


@settings(max_examples=12)
@given(st.integers(0, 1_000), st.floats(0, 800), st.sampled_from([0.0, 0.05, 0.5]))
def test_laws_of_every_plan(seed: int, budget: float, overspend: float) -> None:
    users = community(60, seed)
    plan = policy(overspend=overspend, holdout=0.2).plan(users, budget=budget)
    frame = plan.users
    assert frame["user_id"].tolist() == users["user_id"].tolist()
    given_to = frame["coupon_id"].notna()
    assert (frame["outcome"][given_to] == "given").all()
    assert (frame["outcome"][~given_to] != "given").all()
    assert (frame["reason"].str.len() > 0).all()
    assert (frame["expected_cost"][~given_to] == 0).all()
    assert plan.expected_cost == pytest.approx(frame["expected_cost"].sum())
    assert plan.expected_cost <= budget * (1 + 1e-9)
    if overspend == 0:
        assert plan.largest_cost <= budget * (1 + 1e-9)
    assert not (given_to & users["segment"].isin(["Champions", "Loyal"])).any()
    assert plan.summary["users"].sum() == len(plan.audit)


def test_every_user_is_told_why() -> None:
    plan = policy().plan(community(), budget=300.0)
    assert set(plan.users["outcome"]) == {"given", "holdout", "tapered", "budget", "no_rule"}
    by_outcome = plan.users.groupby("outcome")["reason"].first()
    assert by_outcome["holdout"].startswith("held out")
    assert by_outcome["tapered"].startswith("loyal")
    assert "budget does more" in by_outcome["budget"]
    assert plan.to_frame() is plan.users
    assert "budget=300" in repr(plan)
    assert plan.planning_value > 0
    assert plan.fairness is not None
    assert set(plan.fairness["attribute"]) == {"frequency", "monetary", "tenure_days", "segment"}


def test_a_cross_category_coupon_is_never_for_what_was_bought() -> None:
    users = community()
    plan = policy(rules=(CROSS,), holdout=0).plan(users)
    names = {"veg": "vegetables", "milk": "milk", "rice": "rice"}
    for coupon, bought in zip(plan.users["coupon_id"], users["bought_categories"], strict=True):
        assert coupon is None or names[coupon] not in bought
    silent = users["state"].isin(["silent", "churned"])
    assert plan.users["coupon_id"][silent.to_numpy()].isna().all()


def test_affinity_ranks_what_users_alike_buy() -> None:
    """Lovers of vegetables buy milk, lovers of rice do not; a lover of vegetables without milk is offered milk."""
    rows = [("vegetables", ["vegetables", "milk"])] * 30 + [("rice", ["rice", "noodles"])] * 30
    rows += [("vegetables", ["vegetables"]), ("rice", ["rice"])]
    users = pd.DataFrame(rows, columns=["favourite_category", "bought_categories"])
    users = users.assign(user_id=range(62), frequency=3, monetary=90.0)
    coupons = tuple(Coupon(coupon_id=name, amount=2, categories=(name,)) for name in ("noodles", "milk"))
    plan = policy(rules=(CrossCategory(coupons=coupons),), holdout=0).plan(users)
    assert plan.users["coupon_id"].tolist()[-2:] == ["milk", "noodles"]
    assert "never milk" in plan.users["reason"].iloc[-2]


def test_categories_may_be_texts_or_missing() -> None:
    users = community(30)
    texts = users.assign(bought_categories=users["bought_categories"].map("|".join))
    rules = {"rules": (CROSS,), "holdout": 0}
    expected = policy(**rules).plan(users).users
    pd.testing.assert_frame_equal(policy(**rules).plan(texts).users, expected)
    texts.loc[0, "bought_categories"] = None
    assert len(policy(**rules).plan(texts).users) == 30


def test_win_back_prefers_the_valuable_and_takes_those_at_risk() -> None:
    users = pd.DataFrame(
        {
            "user_id": [1, 2, 3, 4],
            "state": ["silent", "silent", "active", "active"],
            "frequency": [2, 2, 2, 2],
            "recency_days": [40, 40, 10, 10],
            "monetary": [100.0] * 4,
            "expected_value": [20.0, 80.0, 50.0, np.nan],
            "p_silent": [np.nan, np.nan, 0.9, 0.1],
        }
    )
    rule = WinBack(coupon=BACK.coupon, p_silent_at_least=0.8)
    plan = policy(rules=(rule,), holdout=0).plan(users, budget=24.0)
    assert plan.users["coupon_id"].tolist() == [None, "back", "back", None]
    assert "likely to fall silent" in plan.users["reason"][2]


def test_the_loyal_may_get_a_smaller_coupon_instead() -> None:
    small = TaperSubsidy(coupon=Coupon(coupon_id="thanks", amount=1), segments=(), min_frequency=6)
    users = community(80)
    plan = policy(rules=(SECOND, BACK, small), holdout=0).plan(users)
    loyal = users["frequency"] >= 6
    assert (plan.users["coupon_id"][loyal] == "thanks").all()
    assert (plan.users["coupon_id"][~loyal] != "thanks").all()
    gap = plan.fairness.set_index(["attribute", "level"]).loc[("frequency", "highest third"), "difference"]
    assert gap != 0


def test_the_holdout_is_stable_and_measures_each_rule() -> None:
    users = community(3_000)
    first = policy().plan(users).users
    again = policy().plan(users.sample(frac=1, random_state=1)).users
    held = set(first["user_id"][first["outcome"] == "holdout"])
    assert held == set(again["user_id"][again["outcome"] == "holdout"])
    assert 0.05 < len(held) / 3_000 < 0.15
    other = policy(salt="week 13").plan(users).users
    assert held != set(other["user_id"][other["outcome"] == "holdout"])
    audit = policy().plan(users).audit
    shares = (audit["outcome"] == "holdout").groupby(audit["rule"]).mean()
    assert ((shares > 0.05) & (shares < 0.15)).all()


@settings(max_examples=6)
@given(st.randoms(use_true_random=False))
def test_the_order_of_users_changes_neither_value_nor_cost(shuffler) -> None:
    users = community(25, 3)
    order = list(range(25))
    shuffler.shuffle(order)
    left, right = policy().plan(users, budget=60.0), policy().plan(users.iloc[order], budget=60.0)
    assert left.planning_value == pytest.approx(right.planning_value, rel=1e-9)


def test_resting_users_get_nothing() -> None:
    users = community(50).assign(days_since_coupon=[3.0, np.nan] * 25)
    plan = policy(rest_days=7, holdout=0).plan(users).users
    resting = plan["outcome"] == "resting"
    assert resting.any()
    assert (plan["reason"][resting] == "got a coupon only 3 days ago").all()
    assert plan["coupon_id"][::2].isna().all()


def test_a_reserve_keeps_the_chance_of_overspending() -> None:
    """Redemptions drawn 2,000 times: the budget is passed about as seldom as was allowed."""
    users = community(2_000, 5)
    rules = (SECOND, BACK)
    rates = {"second_order": SECOND.redemption_rate, "win_back": BACK.redemption_rate}
    plan = policy(rules=rules, overspend=0.05, holdout=0).plan(users, budget=250.0)
    given_to = plan.users[plan.users["coupon_id"].notna()]
    face = given_to["rule"].map({"second_order": 5.0, "win_back": 12.0}).to_numpy()
    rate = given_to["rule"].map(rates).to_numpy()
    rng = np.random.default_rng(0)
    spent = (rng.random((2_000, len(face))) < rate) @ face
    assert 0.02 < (spent > 250).mean() < 0.08
    bold = policy(rules=rules, overspend=0.5, holdout=0).plan(users, budget=250.0)
    assert plan.expected_cost < bold.expected_cost <= 250


def test_min_roi_and_worthless_coupons() -> None:
    users = community(50)
    assert policy(min_roi=1e6).plan(users).users["coupon_id"].isna().all()
    poor = policy(rules=(SECOND, BACK), holdout=0).plan(users.assign(monetary=0.0))
    assert set(poor.users["outcome"]) <= {"no_gain", "no_rule"}


def test_a_tiny_budget_and_a_reserve_end() -> None:
    plan = policy(rules=(SECOND, BACK), overspend=0.01).plan(community(80), budget=0.01)
    assert plan.expected_cost == 0


def test_reasons_in_chinese() -> None:
    plan = policy(rest_days=5).plan(community().assign(days_since_coupon=9).iloc[:300], budget=200.0, lang="zh")
    reasons = " ".join(plan.users["reason"])
    for words in ("仅下过一单", "沉默召回", "忠诚用户", "对照组", "预算"):
        assert words in reasons
    assert "距上次下单" in " ".join(policy(rules=(BACK,)).plan(community(), lang="zh").users["reason"])
    small = TaperSubsidy(coupon=Coupon(coupon_id="thanks", amount=1))
    assert "少补贴" in " ".join(policy(rules=(CROSS, small)).plan(community(), lang="zh").users["reason"])


def test_other_frames_give_the_same_plan() -> None:
    users = community(60)
    expected = policy().plan(users, budget=80.0).users
    other = pl.DataFrame(users.to_dict("list"))
    pd.testing.assert_frame_equal(policy().plan(other, budget=80.0).users, expected)
    pd.testing.assert_frame_equal(policy().plan(other.lazy(), budget=80.0).users, expected)


def test_nobody_qualifies() -> None:
    users = community(20).assign(state="active", segment="Promising", frequency=5)
    plan = policy(rules=(SECOND, BACK), holdout=0).plan(users, budget=10.0)
    assert (plan.users["outcome"] == "no_rule").all()
    assert plan.users["rule"].isna().all()
    assert len(plan.audit) == 0
    assert plan.fairness is None


def test_a_policy_is_data() -> None:
    given_policy = policy(overspend=0.05)
    assert Policy.from_json(given_policy.to_json()) == given_policy
    users = community(60)
    pd.testing.assert_frame_equal(
        Policy.from_json(given_policy.to_json()).plan(users, budget=50.0).users,
        given_policy.plan(users, budget=50.0).users,
    )


def test_the_usual_policy_from_a_handful_of_coupons() -> None:
    usual = Policy.from_coupons([BACK.coupon, SECOND.coupon, *CROSS.coupons], salt="w")
    assert [rule.name for rule in usual.rules] == ["second_order", "win_back", "cross_category", "taper_subsidy"]
    assert usual.coupons[:2] == (SECOND.coupon, BACK.coupon)
    assert [rule.name for rule in Policy.from_coupons(CROSS.coupons, salt="w").rules] == [
        "cross_category",
        "taper_subsidy",
    ]
    with pytest.raises(ConfigError, match="list of Coupon, at least one"):
        Policy.from_coupons([], salt="w")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": ()}, "rules"),
        ({"rules": (SECOND, SECOND)}, "at most once"),
        ({"rules": (SECOND, WinBack(coupon=Coupon(coupon_id="second", amount=1)))}, "two different coupons"),
        ({"holdout": 1.0}, "holdout"),
        ({"salt": ""}, "salt"),
        ({"overspend": 0.7}, "overspend"),
        ({"hold_out": 0.1}, "Did you mean 'holdout'"),
    ],
)
def test_an_unsound_policy_is_refused(change, message) -> None:
    with pytest.raises(ConfigError, match=message):
        policy(**change)


def test_unsound_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="exactly one category"):
        CrossCategory(coupons=(SECOND.coupon,))
    with pytest.raises(ConfigError, match="one coupon a category"):
        CrossCategory(coupons=(CROSS.coupons[0], CROSS.coupons[0]))
    with pytest.raises(ConfigError, match="segments or min_frequency"):
        TaperSubsidy(segments=())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": ["a"] * 20}, "stands once; seen .* twice"),
        ({"user_id": [None, *range(19)]}, "every row has a user_id; seen 1 rows"),
        ({"user_id": [1.5 + i for i in range(20)]}, "whole numbers or strings"),
        ({"state": "asleep"}, "state 'asleep' is unknown"),
        ({"frequency": "many"}, "holds numbers"),
        ({"monetary": np.inf}, "infinite"),
        ({"p_silent": 1.5}, "between 0 and 1; seen 1.5"),
        ({"p_silent": [0.0, 1.0, -0.25, *[0.5] * 17]}, "between 0 and 1; seen -0.25"),
        ({"bought_categories": 7}, "lists, or texts"),
    ],
)
def test_an_unsound_table_is_told(change, message) -> None:
    with pytest.raises(ConfigError, match=message):
        policy().plan(community(20).assign(**change), budget=10.0)


@pytest.mark.parametrize("column", ["user_id", "frequency", "state", "segment", "monetary", "bought_categories"])
def test_missing_columns_are_named(column: str) -> None:
    with pytest.raises(ConfigError, match=column):
        policy().plan(community(20).drop(columns=column), budget=10.0)


def test_other_bad_calls_are_told() -> None:
    users = community(20)
    with pytest.raises(ConfigError, match="lang"):
        policy().plan(users, lang="fr")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="budget"):
        policy().plan(users, budget=-1.0)
    with pytest.raises(CommlifeError, match="no rows"):
        policy().plan(users.iloc[:0])
    with pytest.raises(ConfigError, match="data frame"):
        policy().plan([1, 2])
    unbounded = CrossCategory(coupons=(Coupon(coupon_id="v", percent=20, categories=("vegetables",)),))
    with pytest.raises(ConfigError, match="max_discount"):
        policy(rules=(unbounded,)).plan(users, budget=10.0)
    free = policy(rules=(unbounded, TaperSubsidy())).plan(users)
    assert free.largest_cost == float("inf")
    assert policy(rules=(unbounded,), overspend=0.05).plan(users, budget=10.0).expected_cost <= 10
