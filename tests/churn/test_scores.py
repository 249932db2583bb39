"""Scores against scikit-learn's, under weights; calibration; the logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from commlife.churn._logit import expit, fit_logit
from commlife.churn.calibration import fit_affine
from commlife.churn.evaluation import evaluate
from commlife.churn.scores import METRICS, resampled, roc_auc, user_weights
from commlife.errors import InsufficientDataError


@given(st.integers(0, 2**31), st.integers(20, 200), st.booleans())
def test_scores_are_those_of_scikit_learn_under_weights(seed: int, n: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0.0, 1.0], rng.integers(0, 2, n - 2).astype(float)])
    p = rng.random(n)
    p = np.round(p, 1) if tied else p
    w = rng.integers(0, 4, n).astype(float)
    w[:2] = 1
    told = dict(zip(METRICS, resampled(y, p, w[None, :])[0], strict=True))
    assert told["roc_auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w))
    assert told["pr_auc"] == pytest.approx(average_precision_score(y, p, sample_weight=w))
    assert told["brier"] == pytest.approx(brier_score_loss(y, p, sample_weight=w))
    assert told["lift@10%"] <= told["lift@10% cap"] + 1e-9
    assert 0 <= told["ece"] <= 1
    assert roc_auc(y, p) == pytest.approx(roc_auc_score(y, p))


def test_a_forecast_that_is_always_right_has_no_calibration_error() -> None:
    y = np.tile([0.0, 1.0], 50)
    told = dict(zip(METRICS, resampled(y, y, np.ones((1, 100)))[0], strict=True))
    assert told == pytest.approx({"roc_auc": 1, "pr_auc": 1, "brier": 0, "ece": 0, "lift@10%": 2, "lift@10% cap": 2})
    off = dict(zip(METRICS, resampled(y, np.full(100, 0.7), np.ones((1, 100)))[0], strict=True))
    assert off["ece"] == pytest.approx(0.2)
    assert off["roc_auc"] == 0.5
    assert off["lift@10%"] == pytest.approx(1.0)


def test_weights_of_a_resample_add_up_to_the_users() -> None:
    weights = user_weights(50, 7, np.random.default_rng(0))
    assert weights.shape == (7, 50)
    assert (weights.sum(axis=1) == 50).all()


def test_logistic_regression_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(2000, 3)) * [1, 10, 0.1]
    y = (rng.random(2000) < expit(0.5 + X @ [1, -0.1, 5])).astype(float)
    line = fit_logit(X, y, ridge=0.0)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(line.slopes, theirs.coef_[0], rtol=1e-3)
    assert line.intercept == pytest.approx(theirs.intercept_[0], abs=1e-3)
    with pytest.raises(InsufficientDataError, match="both outcomes"):
        fit_logit(X, np.ones(2000))


def test_logistic_regression_of_separable_data_stays_finite() -> None:
    x = np.linspace(-1, 1, 100)[:, None]
    line = fit_logit(x, (x[:, 0] > 0).astype(float))
    assert np.isfinite(line.slopes).all()


def test_the_affine_map_finds_a_shift_and_a_stretch() -> None:
    rng = np.random.default_rng(4)
    margin = rng.normal(size=20_000)
    y = (rng.random(20_000) < expit(0.4 + 0.8 * margin)).astype(float)
    line = fit_affine(margin, y, source="last")
    assert line.intercept == pytest.approx(0.4, abs=0.05)
    assert line.slope == pytest.approx(0.8, abs=0.05)
    assert line.probability(margin).mean() == pytest.approx(y.mean(), abs=1e-9)


def test_few_users_hardly_stretch_and_never_turn_a_forecast() -> None:
    rng = np.random.default_rng(5)
    margin = rng.normal(size=40)
    y = (rng.random(40) < expit(-3 * margin)).astype(float)
    line = fit_affine(margin, y, source="last")
    assert 0.05 <= line.slope < 1
    same = fit_affine(np.zeros(40), y, source="last")
    assert expit(np.array(same.intercept)) == pytest.approx(y.mean())


@pytest.mark.parametrize(
    ("model", "baseline", "says"),
    [
        (2.0, 0.5, "adds to the best baseline, recency alone, in ranking and probabilities"),
        (0.5, 2.0, "does worse than the best baseline"),
        (2.0, 2.0, "adds nothing measurable"),
    ],
)
def test_the_verdict_follows_the_paired_intervals(model: float, baseline: float, says: str) -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(size=3000)
    y = (rng.random(3000) < expit(2 * z)).astype(float)
    noise = rng.normal(size=3000)

    def forecast(strength: float) -> np.ndarray:
        return expit(strength * z + (noise if strength < 1 else 0))

    told = evaluate(
        {"xgboost": forecast(model), "recency": forecast(baseline)},
        y, resamples=100, rng=np.random.default_rng(0), day="2025-01-01", horizon="28D",
    )  # fmt: skip
    assert says in told.verdict
    assert told.verdict_zh.endswith("28D）。")


def test_a_better_ranking_with_worse_probabilities_is_told_apart() -> None:
    rng = np.random.default_rng(7)
    z = rng.normal(size=3000)
    y = (rng.random(3000) < expit(2 * z - 1)).astype(float)
    told = evaluate(
        {"xgboost": expit(2 * z + 4), "recency": expit(z + rng.normal(size=3000) - 1)},
        y, resamples=100, rng=np.random.default_rng(0), day="2025-01-01", horizon="28D",
    )  # fmt: skip
    assert "but its probabilities are farther off" in told.verdict
