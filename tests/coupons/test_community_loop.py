"""The loop on the synthetic community: a trial, models, a plan; judged by the truth that no shop ever knows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from commlife.coupons import CouponResponse, allocate
from commlife.datasets import make_community
from commlife.effects import Uplift, qini

FACES = {"trial-3": 3.0, "trial-8": 8.0}
FEATURES = ["recency_days", "tenure_days", "frequency", "spend", "unit_price", "orders_14", "orders_28", "orders_56"]


def users_of(seed: int, newcomers: int) -> pd.DataFrame:
    """A row an eligible user: what was known at the issue, the arm, what came of it, and the true effects."""
    community = make_community(
        n_users=newcomers,
        existing_share=1.0,
        seed=seed,
        coupon_effect=0.8,
        coupon_faces=tuple(FACES.values()),
        sleeping_dogs=0.15,
        trial_week=12,
        proxy_share=0.0,
        service_share=0.0,
    )
    trial = community.trial()
    day = trial["issued_on"][0]
    lines = community.frame
    past = lines[lines["ordered_at"] < day]
    orders = past[past["amount"] > 0].drop_duplicates("order_id")
    by_user = orders.groupby("user_id")["ordered_at"]
    known = pd.DataFrame(
        {
            "recency_days": (day - by_user.max()).dt.days,
            "tenure_days": (day - by_user.min()).dt.days,
            "frequency": by_user.size(),
            "spend": past.groupby("user_id")["amount"].sum(),
            "unit_price": past.groupby("user_id")["list_amount"].sum() / past.groupby("user_id")["quantity"].sum(),
        }
    )
    for days in (14, 28, 56):
        recent = orders[orders["ordered_at"] >= day - pd.Timedelta(days=days)]
        known[f"orders_{days}"] = recent.groupby("user_id").size().reindex(known.index).fillna(0)
    after = lines[(lines["ordered_at"] >= day) & (lines["ordered_at"] < day + pd.Timedelta(days=14))]
    won = after[after["amount"] > 0].drop_duplicates("order_id").groupby("user_id").size()
    used = after.loc[after["coupon_id"].isin(FACES), "user_id"]
    truth = community.truth.coupons.set_index("user_id")
    users = trial.merge(known.reset_index(), on="user_id", how="left")
    users["orders"] = users["user_id"].map(won).fillna(0.0)
    users["redeemed"] = users["user_id"].isin(used)
    for name in FACES:
        users[f"true_{name}"] = users["user_id"].map(truth[f"effect_{name}"])
    return users


@pytest.fixture(scope="module")
def past() -> pd.DataFrame:
    return users_of(1, 20_000)


@pytest.fixture(scope="module")
def uplift(past):
    return Uplift(learner="x", trees=30, depth=2).fit(
        past, treatment="arm", control="none", outcome="orders", features=FEATURES, propensity="randomised"
    )


@pytest.fixture(scope="module")
def response(past):
    given = past[past["arm"] != "none"]
    return CouponResponse(numbers=tuple(FEATURES[:6]), trees=80).fit(given.assign(face=given["arm"].map(FACES)))


def in_turn(cost: np.ndarray, order: np.ndarray, budget: float) -> np.ndarray:
    """The larger coupon for one user after another, until the expected money is gone."""
    choice = np.full(len(cost), -1)
    choice[order[np.cumsum(cost[order, 1]) <= budget]] = 1
    return choice


def test_the_chosen_plan_beats_rules_of_thumb_and_chance_at_equal_budget_by_the_known_truth(uplift, response) -> None:
    """Three worlds that the models have not seen. Measured: 1,002 true further orders; those away longest 908,
    silent spenders 719, the likeliest redeemers 21, at random 554; knowing the truth 2,308 (sums of the three)."""
    won: dict[str, float] = dict.fromkeys(
        ("plan", "away longest", "silent spenders", "redeemers", "random", "best"), 0.0
    )
    for seed in (2, 3, 4):
        users = users_of(seed, 4_000)
        truth = users[[f"true_{name}" for name in FACES]].to_numpy()
        chance = response.by_face(users, list(FACES.values())).to_numpy()
        cost = chance * np.array(list(FACES.values())) + 0.05
        budget = 0.2 * float(cost[:, 1].sum())
        away, spend = users["recency_days"].to_numpy(), users["spend"].to_numpy()
        rng = np.random.default_rng(seed)
        plans = {
            "plan": allocate(uplift.predict(users)[list(FACES)].to_numpy(), cost, budget).choice,
            "away longest": in_turn(cost, np.argsort(-away, kind="stable"), budget),
            "silent spenders": in_turn(cost, np.lexsort((-spend, away < 28)), budget),
            "redeemers": in_turn(cost, np.argsort(-chance[:, 1], kind="stable"), budget),
            "random": in_turn(cost, rng.permutation(len(users)), budget),
            "best": allocate(truth, cost, budget).choice,
        }
        for name, choice in plans.items():
            rows = np.flatnonzero(choice >= 0)
            assert cost[rows, choice[rows]].sum() <= budget * (1 + 1e-9)
            won[name] += float(truth[rows, choice[rows]].sum())
    assert won["plan"] > 1.05 * won["away longest"]
    assert won["plan"] > 1.2 * won["silent spenders"]
    assert won["plan"] > 1.6 * won["random"]
    assert won["redeemers"] < won["random"]
    assert won["plan"] < won["best"]


def test_uplift_ranks_better_than_the_response_by_trial_and_by_truth(uplift, response) -> None:
    """Measured: the quarter that uplift ranks first wins .352 further orders each, the likeliest redeemers .264."""
    users = users_of(5, 6_000)
    gain = uplift.predict(users)["trial-8"].to_numpy()
    chance = response.by_face(users, [8.0])["8"].to_numpy()
    pair = users["arm"].isin(["none", "trial-8"]).to_numpy()
    outcome, treated = users["orders"].to_numpy()[pair], (users["arm"] == "trial-8").to_numpy()[pair]
    assert qini(outcome, treated, gain[pair]) > qini(outcome, treated, chance[pair])
    truth = users["true_trial-8"].to_numpy()
    top = {name: truth[np.argsort(-score)[: len(users) // 4]].mean() for name, score in (("u", gain), ("r", chance))}
    assert top["u"] > top["r"] + 0.05 > truth.mean() + 0.05


def test_the_response_is_calibrated_in_a_world_that_it_has_not_seen(response) -> None:
    users = users_of(6, 3_000)
    given = users[users["arm"] != "none"]
    chance = response.predict(given.assign(face=given["arm"].map(FACES)))
    assert chance.mean() == pytest.approx(given["redeemed"].mean(), abs=0.02)
    table = response.evaluation.set_index(["model", "metric"])["value"]
    assert table["response", "auc"] > 0.85 > table["rate by face", "auc"] + 0.2
