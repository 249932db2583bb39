"""Readout: recovery of known effects, always-buyers as cost, refusals, engines, laws."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from commlife.coupons import allocate
from commlife.datasets import make_community
from commlife.effects import readout
from commlife.errors import CommlifeError, ConfigError, InsufficientDataError
from commlife.orders import OrderLog

mpl.use("Agg")

NAMES = {name: name for name in ("user_id", "ordered_at", "amount", "order_id", "cost", "coupon_id", "discount")}


def small(users: int = 60, *, extra: int = 30, seed: int = 0):
    """Every user buys for 20 a week before; treated users buy for 20 + ``extra`` after, 10 of them with a coupon of 5."""
    rng = np.random.default_rng(seed)
    trial = pd.DataFrame({"user_id": np.arange(users), "arm": np.where(np.arange(users) % 2, "coupon", "none")})
    rows = []
    for user in range(users):
        treated = user % 2 == 1
        rows.append((user, "2025-01-05", 20.0, 10.0, None, 0.0))
        uses = treated and user < 20
        paid = 20.0 + extra * treated + rng.integers(0, 3) - 5.0 * uses
        rows.append((user, "2025-01-12", paid, 10.0, "c" if uses else None, 5.0 * uses))
    frame = pd.DataFrame(rows, columns=["user_id", "ordered_at", "amount", "cost", "coupon_id", "discount"])
    frame["order_id"] = np.arange(len(frame))
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"])
    return frame, trial


def read(frame, trial, **call):
    log = OrderLog.from_frame(frame, **NAMES, observed_from="2025-01-01")
    usual = {"as_of": "2025-01-20", "start": "2025-01-10", "window": "7D", "assignment": "randomised", "coupons": ["c"]}
    return readout(log, trial, **(usual | call))


def test_money_is_what_it_is_by_hand() -> None:
    frame, trial = small()
    result = read(frame, trial, contact_cost=0.5)
    row = result.money.iloc[0]
    assert (row["users"], row["redeemers"]) == (30, 10)
    assert row["cost"] == pytest.approx(10 * 5 + 30 * 0.5)
    after = frame[frame["ordered_at"] > "2025-01-08"].assign(arm=trial["arm"].to_numpy())
    paid = after.groupby("arm")["amount"].mean()
    assert result.of("amount")["effect_size"][0] == pytest.approx(paid["coupon"] - paid["none"])
    # The margin before coupons: what was paid, plus the coupon, less the goods.
    margin = 30 * (paid["coupon"] + 10 * 5 / 30 - paid["none"])
    assert row["incremental_margin"] == pytest.approx(margin)
    assert row["net_gain"] == pytest.approx(margin - 65)
    assert row["roi"] == pytest.approx((margin - 65) / 65)
    assert row["roi_low"] < row["roi"] < row["roi_high"]


def test_redemptions_of_those_who_would_have_bought_anyway_are_cost_without_gain() -> None:
    frame, trial = small(extra=0)
    row = read(frame, trial).money.iloc[0]
    assert row["cost"] == 50
    assert row["incremental_payers"] == 0
    assert row["anyway_share"] == 1.0
    assert row["net_gain"] == pytest.approx(-50, abs=25)
    assert row["roi"] == pytest.approx(-1, abs=0.5)


def test_redemptions_may_come_as_a_log_of_their_own() -> None:
    frame, trial = small()
    used = pd.DataFrame({"user_id": [1, 3, 3], "cost": [5.0, 5.0, 2.0]})
    row = read(frame, trial, redemptions=used).money.iloc[0]
    assert (row["redeemers"], row["cost"]) == (2, 12.0)
    shares = read(frame.drop(columns="cost").assign(cost=0.0), trial, margin=0.25)
    assert shares.of("margin")["effect_size"][0] == pytest.approx(
        0.25 * (shares.of("amount")["effect_size"][0] + 50 / 30), rel=1e-9
    )


def test_the_community_trial_holds_its_truth_at_the_nominal_rate() -> None:
    """24 worlds: the 95% interval of further orders holds the true mean effect of those treated."""
    held, worlds = 0, 24
    for seed in range(worlds):
        community = make_community(n_users=500, existing_share=1.0, seed=seed, coupon_effect=0.8, proxy_share=0.0)
        trial = community.trial()
        result = readout(
            community.log,
            trial,
            as_of=community.as_of,
            start=trial["issued_on"][0],
            window="14D",
            assignment="randomised",
            coupons=["trial-5"],
        ).of("orders")
        truth = community.truth.coupons.query("coupon_id == 'trial-5'")["effect_trial-5"].mean()
        held += bool(result["effect_size_ci_lower"][0] <= truth <= result["effect_size_ci_upper"][0])
    assert stats.binom.ppf(1e-3, worlds, 0.95) <= held


@pytest.fixture(scope="module")
def targeted():
    return make_community(
        n_users=2_000, existing_share=1.0, seed=7, coupon_effect=0.8, targeted=True, targeted_week=11, proxy_share=0.0
    )


def test_a_targeted_campaign_that_is_called_random_is_refused(targeted) -> None:
    rows = targeted.trial("targeted")
    with pytest.raises(ConfigError, match="not dealt by chance"):
        readout(
            targeted.log, rows, as_of=targeted.as_of, start=rows["issued_on"][0], window="14D", assignment="randomised"
        )


def test_a_targeted_campaign_is_adjusted_and_the_raw_difference_is_not(targeted) -> None:
    rows = targeted.trial("targeted")
    result = readout(
        targeted.log,
        rows,
        as_of=targeted.as_of,
        start=rows["issued_on"][0],
        window="14D",
        assignment="adjusted",
        coupons=["targeted-5"],
    )
    row = result.of("orders").iloc[0]
    truth = targeted.truth.coupons.query("coupon_id == 'targeted-5'")["effect_targeted-5"].mean()
    assert row["effect_size_ci_lower"] <= truth <= row["effect_size_ci_upper"]
    assert set(result.effects["metric"]).isdisjoint({"arppu", "repurchase_rate"})
    assert len(result.checks) == 0
    assert "adjusted" in repr(result)


@pytest.fixture(scope="module")
def community():
    return make_community(n_users=600, existing_share=1.0, seed=1, coupon_effect=0.8, coupon_faces=(3.0, 8.0))


def read_community(community, trial=None, log=None, **call):
    trial = community.trial() if trial is None else trial
    usual = {
        "as_of": community.as_of,
        "start": community.trial()["issued_on"][0],
        "window": "14D",
        "assignment": "randomised",
        "coupons": ["trial-3", "trial-8"],
        "by": ["community"],
    }
    return readout(community.log if log is None else log, trial, **(usual | call))


def test_several_coupons_are_read_by_community_and_their_parts_add_up(community) -> None:
    result = read_community(community)
    assert set(result.money["arm"]) == {"trial-3", "trial-8"}
    whole = result.money[result.money["by"].isna()]
    parts = result.money[result.money["by"] == "community"].groupby("arm")[["users", "redeemers", "cost"]].sum()
    assert (parts["users"].to_numpy() == whole["users"].to_numpy()).all()
    assert parts["cost"].to_numpy() == pytest.approx(whole["cost"].to_numpy())
    levels = result.of("orders", by="community")
    assert (levels["qvalue"] >= levels["pvalue"] - 1e-15).all()
    clustered = read_community(community, cluster="community", by=[])
    assert clustered.of("orders")["effect_size"].tolist() == result.of("orders")["effect_size"].tolist()
    assert clustered.of("orders")["standard_error"].tolist() != result.of("orders")["standard_error"].tolist()
    assert np.isfinite(clustered.money["roi_low"]).all()


def test_rows_names_engines_and_the_future_do_not_matter(community) -> None:
    first = read_community(community)
    shuffled = read_community(community, community.trial().sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(first.effects, shuffled.effects)
    renamed = community.trial().assign(user_id=lambda frame: "u" + frame["user_id"].astype(str))
    frame = community.frame.assign(user_id="u" + community.frame["user_id"].astype(str))
    names = {name: name for name in frame.columns}
    text = OrderLog.from_frame(frame, **names, timezone="Asia/Shanghai", observed_from="2024-12-30")
    pd.testing.assert_frame_equal(first.effects, read_community(community, renamed, text).effects)
    start = community.trial()["issued_on"][0]
    past = community.frame[community.frame["ordered_at"] < start + pd.Timedelta(days=14)]
    kept = OrderLog.from_frame(
        pl.from_pandas(past), **names, timezone="Asia/Shanghai", observed_from="2024-12-30", observed_until="2025-06-30"
    )
    other = read_community(community, pl.from_pandas(community.trial()), kept)
    pd.testing.assert_frame_equal(first.effects, other.effects)
    pd.testing.assert_frame_equal(first.money, other.money)


def test_the_unit_of_money_does_not_matter(community) -> None:
    frame = community.frame.copy()
    for name in ("amount", "cost", "list_amount", "discount"):
        frame[name] = frame[name] * 10
    names = {name: name for name in frame.columns}
    log = OrderLog.from_frame(frame, **names, timezone="Asia/Shanghai", observed_from="2024-12-30")
    first, second = read_community(community), read_community(community, log=log)
    assert second.money["roi"].to_numpy() == pytest.approx(first.money["roi"].to_numpy(), nan_ok=True)
    assert second.money["net_gain"].to_numpy() == pytest.approx(10 * first.money["net_gain"].to_numpy())
    assert second.of("orders").equals(first.of("orders"))


def test_what_a_plan_kept_of_its_promise_makes_the_next_forecast() -> None:
    frame, trial = small()
    result = read(frame, trial)
    kept = result.kept({"coupon": 2_000.0})
    row = kept.iloc[0]
    assert row["realised"] == pytest.approx(result.money["incremental_margin"][0])
    assert row["share"] == pytest.approx(row["realised"] / 2_000)
    plan = allocate([[3.0], [1.0]], [[1.0], [1.0]], 2.0)
    assert plan.forecast(kept) == pytest.approx(tuple(4 * row[name] for name in ("share", "share_low", "share_high")))
    with pytest.raises(ConfigError, match="holdout of an earlier plan"):
        plan.forecast(kept.drop(columns="share"))
    with pytest.raises(ConfigError, match="promised: arm"):
        result.kept({"call": 1.0})
    with pytest.raises(ConfigError, match="promised"):
        result.kept({"coupon": 0.0})


def test_a_forest_is_drawn(community) -> None:
    axes = read_community(community).plot("margin", by="community")
    assert "margin" in axes.get_title(loc="left")
    assert len(axes.get_yticks()) == 9
    assert "trial-3" in read_community(community)._repr_html_()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"assignment": "luck"}, ConfigError, "how the arms came about"),
        ({"window": "30D"}, ConfigError, "is not over"),
        ({"as_of": "2025-01-15"}, ConfigError, "is not over"),
        ({"control": "nobody"}, ConfigError, "control"),
        ({"contact_cost": -1}, ConfigError, "contact_cost"),
        ({"margin": 2.0}, ConfigError, "margin"),
        ({"by": ["estate"]}, ConfigError, "column 'estate'"),
        ({"by": ["community"]}, CommlifeError, "community"),
        ({"redemptions": pd.DataFrame({"user_id": [9_999], "cost": [1.0]})}, ConfigError, "none of the redemptions"),
        ({"redemptions": pd.DataFrame({"user_id": [1], "cost": [-1.0]})}, ConfigError, "at least 0"),
        ({"shares": {"coupon": 9, "none": 1}}, ConfigError, "sample ratio"),
    ],
)
def test_bad_calls_are_told(call, error, message) -> None:
    with pytest.raises(error, match=message):
        read(*small(), **call)


def test_bad_trials_are_told() -> None:
    frame, trial = small()
    with pytest.raises(ConfigError, match="each user once"):
        read(frame, trial.assign(user_id=1))
    with pytest.raises(ConfigError, match="none of the trial's users"):
        read(frame, trial.assign(user_id="u" + trial["user_id"].astype(str)))
    with pytest.raises(InsufficientDataError, match="at least 5"):
        read(frame, trial.head(6))
    holes = frame.assign(cost=frame["cost"].where(frame.index % 7 > 0))
    with pytest.raises(ConfigError, match="no cost"):
        read(holes, trial)
    with pytest.raises(ConfigError, match="metric"):
        read(frame, trial).of("profit")
    with pytest.raises(ConfigError, match="by"):
        read(frame, trial).of("orders", by="estate")
