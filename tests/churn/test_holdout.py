"""Holdout: lift and profit against counts by hand, and intervals that know the luck in a chosen cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.churn import FittedSilenceModel
from commlife.churn.holdout import Holdout
from commlife.errors import ConfigError


def forecasts(seed: int, n: int, *, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, n)
    p = np.round(p, 1) if tied else p
    return p, (rng.random(n) < p).astype(float)


@given(st.integers(0, 2**31), st.integers(1, 400), st.booleans())
def test_bins_keep_everybody_and_split_no_tie(seed: int, n: int, tied: bool) -> None:
    p, y = forecasts(seed, n, tied=tied)
    told = Holdout.of(p, y)
    assert told.users.sum() == n
    assert told.silent.sum() == y.sum()
    assert (np.diff(told.forecast) < 0).all()
    if tied:
        assert len(told.users) == len(np.unique(p))
    shuffled = np.random.default_rng(seed).permutation(n)
    again = Holdout.of(p[shuffled], y[shuffled])
    np.testing.assert_array_equal(told.silent, again.silent)


def test_profit_by_hand() -> None:
    """Four users, two fall silent; a contact costs 1, one kept in two is worth 10: 4, 3, 7, 6 as more are contacted."""
    told = Holdout.of(np.array([0.9, 0.7, 0.5, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])).profit(
        value=10.0, kept=0.5, cost=1.0, seed=0, day="2025-01-01"
    )
    assert told.curve["profit"].tolist() == [0, 4, 3, 7, 6]
    assert told.curve["users"].tolist() == [0, 1, 2, 3, 4]
    assert (told.best_share, told.p_from, told.break_even) == (0.75, 0.5, 0.2)
    assert told.profit < 7
    assert told.profit_all == 6


def test_the_best_cut_is_where_a_contact_breaks_even() -> None:
    """Forecasts that are right: it pays to contact from a probability of cost / (value x kept) = .25 on."""
    p, y = forecasts(1, 40_000)
    told = Holdout.of(p, y).profit(value=100.0, kept=0.2, cost=5.0, seed=0, day="2025-01-01")
    assert told.break_even == pytest.approx(0.25)
    assert told.best_share_low <= (p >= 0.25).mean() <= told.best_share_high
    assert told.profit_low < 20 * y[p >= 0.25].sum() - 5 * (p >= 0.25).sum() < told.profit_high
    assert "Contact the riskiest" in told.sentence
    assert "联系风险最高的" in told.sentence_zh


def test_a_cut_chosen_on_noise_is_not_believed() -> None:
    """Forecasts that say nothing, at costs that never pay on average: the luck of the best cut is taken off."""
    rng = np.random.default_rng(5)
    profits = []
    for seed in range(20):
        y = (rng.random(400) < 0.3).astype(float)
        told = Holdout.of(rng.random(400), y).profit(value=10.0, kept=1.0, cost=3.0, seed=seed, day="2025-01-01")
        naive = told.curve["profit"].max()
        assert told.profit <= naive
        profits.append((told.profit, naive))
    corrected, naive = np.mean(profits, axis=0)
    assert abs(corrected) < naive


def test_costs_that_no_contact_pays() -> None:
    p, y = forecasts(2, 500)
    told = Holdout.of(p, y).profit(value=1.0, kept=0.1, cost=5.0, seed=0, day="2025-01-01")
    assert told.best_share == 0
    assert "no contact pays" in told.sentence
    assert "不划算" in told.sentence_zh
    assert told.plot(lang="en").get_title(loc="left") == "No contact pays"


def test_lift_of_the_model(model: FittedSilenceModel) -> None:
    table = model.lift()
    assert table["lift"].iloc[-1] == pytest.approx(1)
    assert table["found"].iloc[-1] == pytest.approx(1)
    assert (table["lift"] <= table["cap"] + 1e-9).all()
    assert (table["low"] <= table["high"]).all()
    assert table["share"].is_monotonic_increasing
    at_ten = float(np.interp(0.1, table["share"], table["lift"]))
    evaluated = model.evaluation.set_index(["model", "metric"])["value"]["xgboost", "lift@10%"]
    assert at_ten == pytest.approx(evaluated, rel=0.05)


def test_profit_takes_the_callers_own_numbers_alone(model: FittedSilenceModel) -> None:
    told = model.profit(value_of_keeping=100, share_kept=0.2, cost_of_contact=8)
    assert told.users == model.holdout.size
    assert told.to_frame()["profit"].iloc[0] == 0
    scaled = model.profit(value_of_keeping=1_000, share_kept=0.2, cost_of_contact=80)
    assert scaled.best_share == told.best_share
    assert scaled.profit == pytest.approx(10 * told.profit)
    with pytest.raises(TypeError, match="share_kept"):
        model.profit(value_of_keeping=100, cost_of_contact=8)


@pytest.mark.parametrize(
    "wrong",
    [{"value_of_keeping": 0}, {"value_of_keeping": True}, {"share_kept": 1.5}, {"cost_of_contact": -1},
     {"cost_of_contact": np.inf}, {"value_of_keeping": "much"}],
)  # fmt: skip
def test_wrong_costs_are_refused(model: FittedSilenceModel, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        model.profit(**{"value_of_keeping": 100, "share_kept": 0.2, "cost_of_contact": 8, **wrong})
