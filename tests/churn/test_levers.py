"""Levers: a coupon given to users at risk, whose effect is known; what is told where the confounders are not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.churn import Feature, HostFeatures, Panel, SilenceModel, SilencePanel, lever_drivers, lever_effect
from commlife.datasets import Community
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning


def expit(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def coupon_world(
    seed: int, *, users: int = 2_500, noise: float = 0.0, strength: float = 1.5, effect: float = -0.075
) -> tuple[cl.OrderLog, HostFeatures, object, float]:
    """Six periods of 28 days; a coupon goes to users at risk and lowers the probability of silence.

    Args:
        seed: Seed.
        users: Users.
        noise: Standard deviation of the noise in what was recorded of the risk.
        strength: How strongly the coupon follows the risk.
        effect: What the coupon does to the probability of silence.

    Returns:
        The log, the host's features ``coupon`` (a lever) and ``risk`` (as recorded), as_of, the true effect.
    """
    rng = np.random.default_rng(seed)
    periods = 6
    risk = np.clip(rng.normal(size=(users, periods)), -1.8, 1.8)
    coupon = (rng.random(risk.shape) < expit(-0.5 + strength * risk)).astype(float)
    ordered = np.ones((users, periods + 1), dtype=bool)
    ordered[:, 1:] = rng.random(risk.shape) > 0.4 + 0.17 * risk + effect * coupon
    user, period = np.nonzero(ordered)
    start = pd.Timestamp("2025-01-06")
    day = period * 28 + rng.integers(0, 28, len(user))
    frame = pd.DataFrame(
        {"u": user, "at": start + pd.to_timedelta(day, unit="D"), "paid": np.round(rng.gamma(2, 10, len(user)), 2) + 1}
    )
    owner, when = np.indices(risk.shape)
    history = pd.DataFrame(
        {
            "user_id": owner.ravel(),
            "known": start + pd.to_timedelta(when.ravel() * 28 + 27, unit="D"),
            "coupon": coupon.ravel(),
            "risk": (risk + noise * rng.normal(size=risk.shape)).ravel(),
        }
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", observed_from="2025-01-06")
    labels = {
        "coupon": Feature("coupon", "yes or no", "lever", "coupon sent", "已发券"),
        "risk": Feature("risk", "score", "state", "risk score", "风险分"),
    }
    host = HostFeatures.from_history(history, known_at="known", labels=labels)
    return log, host, (start + pd.Timedelta(days=28 * (periods + 1))).date(), effect


def panel_of(seed: int, **world: float) -> tuple[Panel, float]:
    log, host, as_of, effect = coupon_world(seed, **world)
    names = ("recency_days", "orders", "spend", "tenure_days")
    spec = SilencePanel(active_within="84D", step="28D", snapshots=2, features=names)
    return spec.build(log, as_of=as_of, host=host), effect


def test_the_sign_of_the_naive_difference_is_wrong_and_the_adjusted_effect_holds_the_truth() -> None:
    """The coupon keeps 7.5 points of users; who got it fell silent more often all the same."""
    held = 0
    for seed in range(4):
        panel, truth = panel_of(seed + 8)
        told = lever_effect(panel, treatment="coupon")
        effect = told.effect
        assert effect.raw_difference > 0.05
        assert effect.effect_size_ci_upper < 0
        held += effect.effect_size_ci_lower <= truth <= effect.effect_size_ci_upper
        assert "the other way round, since the lever goes to users at risk" in told.sentence
    assert held >= 3


def test_noisy_records_leave_the_wrong_sign_and_that_is_told() -> None:
    """A proxy of the confounder takes a part of the bias away: no data say how much is left, the sentence says so."""
    panel, truth = panel_of(1, noise=1.5)
    told = lever_effect(panel, treatment="coupon")
    assert truth < 0 < told.effect.effect_size_ci_lower
    assert told.fragile
    assert "if what was recorded is noisy, the rest may be more of the same" in told.sentence
    assert "若记录有噪声" in told.sentence_zh
    assert "no proof; deal it at random" in told.sentence
    low, high = told.effect.sensitivity.bounds(outcome=0.2, treatment=0.3)
    assert low <= truth <= high


@pytest.mark.parametrize("noise", [3.0, 15.0])
def test_a_weak_proxy_is_no_yardstick_and_an_effect_of_the_wrong_sign_is_fragile(noise: float) -> None:
    """The weaker the record of the risk, the less it seems to matter: that is no reason to rely on the effect."""
    panel, truth = panel_of(1, noise=noise)
    told = lever_effect(panel, treatment="coupon")
    assert truth < 0 < told.effect.effect_size_ci_lower
    assert told.yardsticks["could_move"].max() < told.effect.standard_error
    assert told.fragile
    assert "no more than chance does" in told.sentence
    assert "不超过随机误差" in told.sentence_zh


def test_an_effect_far_larger_than_its_yardstick_is_not_fragile() -> None:
    panel, _ = panel_of(2, strength=0.5, effect=-0.25)
    told = lever_effect(panel, treatment="coupon")
    assert told.yardsticks["could_move"].max() > told.effect.standard_error
    assert not told.fragile
    assert "not enough; whether something stronger is missing, no data say" in told.sentence


def test_a_strong_confounder_is_the_yardstick(lever_panel: Panel) -> None:
    told = lever_effect(lever_panel, treatment="coupon")
    table = told.yardsticks.set_index("covariate")
    assert table["could_move"].idxmax() == "risk"
    assert table.loc["risk", "moves"] > 0.1
    assert table.loc["risk", "could_move"] >= abs(table.loc["risk", "moves"]) * 0.9
    assert table.loc["tenure_days", "could_move"] < 0.01
    assert told.trial_users is not None
    assert told.trial_users > 500
    assert told.to_frame()["robustness_value"][0] == told.effect.sensitivity.robustness_value


@pytest.fixture(scope="module")
def lever_panel() -> Panel:
    return panel_of(9)[0]


def test_the_effect_among_the_treated_is_that_of_all_here(lever_panel: Panel) -> None:
    """The coupon does the same for everybody, so that both estimands aim at one number."""
    plain = lever_effect(lever_panel, treatment="coupon").effect
    treated = lever_effect(lever_panel, treatment="coupon", estimand="treated").effect
    assert treated.effect_size == pytest.approx(plain.effect_size, abs=2 * plain.standard_error)


def test_covariates_from_the_snapshot_before(lever_panel: Panel) -> None:
    """The risk is new each period: what it was a period ago evens out nothing."""
    told = lever_effect(lever_panel, treatment="coupon", lagged=True)
    assert told.effect.effect_size > 0
    assert told.users < lever_effect(lever_panel, treatment="coupon").users
    one = SilencePanel(snapshots=1, calibration="none", active_within="84D", features=("orders",))
    log, host, as_of, _ = coupon_world(0, users=300)
    single = Panel(one, "2025-01-01", one.build(log, as_of=as_of, host=host).snapshots[-2:], lever_panel.features)
    with pytest.raises(InsufficientDataError, match="two snapshots running"):
        lever_effect(single, treatment="coupon", covariates=["orders"], lagged=True)


def test_neither_ids_nor_row_order_matter() -> None:
    log, host, as_of, _ = coupon_world(4, users=400)
    frame = log.to_native()
    spec = SilencePanel(active_within="84D", step="28D", snapshots=1, features=("recency_days", "orders"))
    first = lever_effect(spec.build(log, as_of=as_of, host=host), treatment="coupon")
    again = cl.OrderLog.from_frame(
        frame.sample(frac=1, random_state=1), user_id="user_id", ordered_at="ordered_at", amount="amount",
        observed_from="2025-01-06",
    )  # fmt: skip
    second = lever_effect(spec.build(again, as_of=as_of, host=host), treatment="coupon")
    assert second.sentence == first.sentence
    assert second.effect.effect_size == pytest.approx(first.effect.effect_size, rel=1e-9)


def test_the_figure_shows_the_raw_difference_and_the_interval(lever_panel: Panel) -> None:
    told = lever_effect(lever_panel, treatment="coupon")
    for lang in ("en", "zh"):
        ax = told.plot(lang=lang)
        ax.figure.canvas.draw()
        assert len(ax.get_yticklabels()) == 2 + len(told.yardsticks)
    assert repr(told).startswith("LeverEffect(coupon sent: adjusted")


def test_a_count_of_orders_is_no_clean_lever(world: Community) -> None:
    panel = SilencePanel(snapshots=1).build(world.log, as_of=world.as_of)
    with pytest.warns(ModelWarning, match="counts orders|no counterpart|still differ"):
        told = lever_effect(panel, treatment="coupon_orders_90", above=0, covariates=["tenure_days", "spend"])
    assert told.fragile
    assert any("counts orders" in caveat for caveat in told.caveats)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"treatment": "coupn"}, "Did you mean 'coupon'"),
        ({"treatment": "recency_days"}, "nobody can pull it"),
        ({"treatment": "risk"}, "give above="),
        ({"treatment": "coupon", "above": True}, "above is a finite number"),
        ({"treatment": "coupon", "covariates": "risk"}, "list of features"),
        ({"treatment": "coupon", "covariates": ["rsk"]}, "Did you mean 'risk'"),
        ({"treatment": "coupon", "covariates": ["coupon"]}, "cannot be a covariate too"),
        ({"treatment": "coupon", "learner": "forest"}, "learner"),
    ],
)
def test_wrong_arguments_are_told(lever_panel: Panel, call: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        lever_effect(lever_panel, **call)


def test_other_things_than_a_panel_are_refused(lever_panel: Panel) -> None:
    with pytest.raises(ConfigError, match="takes a Panel"):
        lever_effect(lever_panel.to_frame(), treatment="coupon")
    missing = Panel(
        lever_panel.spec, lever_panel.as_of,
        tuple(
            type(s)(s.day, s.role, s.users, s.features.assign(coupon=np.nan), s.silent, s.community)
            for s in lever_panel.snapshots
        ),
        lever_panel.features,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="has no value for"):
        lever_effect(missing, treatment="coupon")


def test_a_view_of_levers_holds_levers_alone(world: Community) -> None:
    """Without states, through which levers work; what is left says where to look, not what helps."""
    spec = SilenceModel(n_trees=30, refits=2, resamples=5, snapshots=2)
    table = lever_drivers(world.log, as_of=world.as_of, spec=spec)
    assert set(table["kind"]) == {"lever"}
    assert {"group", "feature"} == set(table["level"])
    assert "discount_depth" in set(table["driver"])
    bare = world.frame[["user_id", "order_id", "ordered_at", "amount"]]
    log = cl.OrderLog.from_frame(bare, **{name: name for name in bare.columns})
    with pytest.raises(ConfigError, match="there is no lever"):
        lever_drivers(log, as_of=world.as_of, spec=spec)
