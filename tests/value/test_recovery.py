"""Known truth comes back: parameters within their intervals, at the nominal rate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, ShiftedBetaGeo, simulate_summary

TRUTH = {
    "BetaGeo": {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.4},
    "ModifiedBetaGeo": {"r": 0.6, "alpha": 6.0, "a": 0.9, "b": 1.6},
    "ParetoNBD": {"r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 12.0},
}
SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_parameters_of_many_users_come_back(spec: Any) -> None:
    name = type(spec).__name__
    summary = simulate_summary(name, TRUTH[name], n_users=30_000, T="365D", first_within="90D", seed=8)
    summary[["t_x", "T"]] = np.ceil(summary[["t_x", "T"]])
    fitted = spec.fit(summary, time_unit="7D")
    for parameter, truth in TRUTH[name].items():
        error = fitted.standard_errors[parameter]
        assert abs(fitted.params[parameter] - truth) < 4 * error
        assert error < 0.25 * truth


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_intervals_hold_the_truth_at_their_nominal_rate(spec: Any) -> None:
    """95% intervals of the log parameters over 24 samples of 2,500 users; 0.8 is 3.4 standard errors below."""
    name = type(spec).__name__
    inside = {parameter: [] for parameter in TRUTH[name]}
    for seed in range(24):
        summary = simulate_summary(name, TRUTH[name], n_users=2500, T="365D", first_within="90D", seed=100 + seed)
        summary[["t_x", "T"]] = np.ceil(summary[["t_x", "T"]])  # days, as a shop sees them
        fitted = spec.fit(summary, time_unit="7D")
        for i, (parameter, truth) in enumerate(TRUTH[name].items()):
            half = 1.96 * np.sqrt(fitted.log_covariance[i][i])
            inside[parameter].append(abs(np.log(fitted.params[parameter] / truth)) < half)
    assert all(np.mean(hits) >= 0.8 for hits in inside.values()), {k: np.mean(v) for k, v in inside.items()}


def test_spend_comes_back() -> None:
    rng = np.random.default_rng(4)
    x = 1 + rng.poisson(2.0, 20_000)
    spend = rng.gamma(6.0 * x) / x / rng.gamma(4.0, 1 / 15.0, x.size)
    summary = pd.DataFrame({"user_id": np.arange(x.size), "x": x, "t_x": x, "T": x + 9, "m_x": spend})
    fitted = GammaGamma().fit(summary)
    for name, truth in {"p": 6.0, "q": 4.0, "v": 15.0}.items():
        assert abs(fitted.params[name] - truth) < 4 * fitted.standard_errors[name]


def test_leavers_come_back() -> None:
    rng = np.random.default_rng(5)
    chance = rng.beta(0.7, 2.2, 30_000)
    periods = rng.geometric(chance)
    survivors = [int((periods > age).sum()) for age in range(9)]
    fitted = ShiftedBetaGeo().fit(survivors)
    assert abs(fitted.params["alpha"] - 0.7) < 4 * fitted.standard_errors["alpha"]
    assert abs(fitted.params["beta"] - 2.2) < 4 * fitted.standard_errors["beta"]


def test_a_weak_prior_moves_a_large_sample_little() -> None:
    summary = simulate_summary("BetaGeo", TRUTH["BetaGeo"], n_users=20_000, T="365D", seed=3)
    plain, settled = BetaGeo().fit(summary), BetaGeo(prior="weak").fit(summary)
    for name in plain.params:
        assert abs(plain.params[name] - settled.params[name]) < 0.5 * plain.standard_errors[name]
    assert settled.log_likelihood < plain.log_likelihood


def test_simulation_is_seeded_and_of_whole_histories() -> None:
    given: dict[str, Any] = {"n_users": 500, "T": "120D", "first_within": "50D"}
    for name, truth in TRUTH.items():
        one, same, other = (simulate_summary(name, truth, seed=seed, **given) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(one, same)
        assert not one.equals(other)
        assert one["T"].between(70, 120).all()
        assert (one["t_x"] <= one["T"]).all()
        assert ((one["x"] == 0) == (one["t_x"] == 0)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BetaGeo().fit(simulate_summary("BetaGeo", TRUTH["BetaGeo"], n_users=3000, T="300D", seed=1))
