"""Ranking: areas as their packages have them, intervals that cover, sleeping dogs, figures."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

from commlife.effects import auuc, qini, rank_quality
from commlife.errors import ConfigError, InsufficientDataError

mpl.use("Agg")


def tied_trial(n: int = 400, seed: int = 12):
    rng = np.random.default_rng(seed)
    x, t = rng.random(n).round(2), rng.integers(0, 2, n)
    y = (rng.random(n) < 0.2 + 0.3 * t * (x - 0.3)).astype(int)
    return y, t, x


def test_the_perfect_convention_agrees_with_scikit_uplift() -> None:
    """Computed with scikit-uplift 0.5.1 (qini_auc_score, uplift_auc_score) on this trial, ties and all."""
    y, t, x = tied_trial()
    assert qini(y, t, x, normalize="perfect") == pytest.approx(0.11001295014204769, rel=1e-12)
    assert auuc(y, t, x, normalize="perfect") == pytest.approx(0.0918611944796673, rel=1e-12)


def causalml_means(y, t, x) -> tuple[float, float]:
    """auuc_score and qini_score of causalml 0.18 as documented: means over all users of the normalised curves."""
    order = np.argsort(-x)
    y, t = y[order], t[order]
    n = np.arange(1, len(y) + 1)
    nt = np.cumsum(t)
    nc, yt, yc = n - nt, np.cumsum(y * t), np.cumsum(y * (1 - t))
    both = (nt > 0) & (nc > 0)
    lift = np.interp(
        np.arange(len(y) + 1), np.append(0, n[both]), np.append(0, yt[both] / nt[both] - yc[both] / nc[both])
    )
    gain = lift * np.arange(len(y) + 1)
    curve = np.interp(
        np.arange(len(y) + 1), np.append(0, n[nc > 0]), np.append(0, (yt - yc * nt / np.maximum(nc, 1))[nc > 0])
    )
    line = np.linspace(0, curve[-1], len(y) + 1)
    return float(gain.mean() / abs(gain[-1])), float((curve - line).mean() / abs(curve[-1]))


def test_the_convention_of_the_end_agrees_with_causalml_up_to_one_user() -> None:
    """causalml takes means over users where trapezoids are taken here: they differ by parts in the number of users."""
    rng = np.random.default_rng(3)
    x, t = rng.random(20_000), rng.integers(0, 2, 20_000)
    y = (rng.random(20_000) < 0.2 + 0.2 * t * x).astype(int)
    area, coefficient = causalml_means(y, t, x)
    assert auuc(y, t, x, normalize="abs_end") == pytest.approx(area, abs=2e-4)
    assert qini(y, t, x, normalize="abs_end") == pytest.approx(coefficient, abs=2e-4)


def test_a_random_score_has_half_the_area_and_no_qini() -> None:
    rng = np.random.default_rng(5)
    t, y = rng.integers(0, 2, 50_000), rng.random(50_000)
    y = y + 0.5 * t
    score = rng.random(50_000)
    assert auuc(y, t, score, normalize="abs_end") == pytest.approx(0.5, abs=0.02)
    assert qini(y, t, score, normalize="abs_end") == pytest.approx(0.0, abs=0.02)


def test_the_perfect_score_has_an_area_of_one() -> None:
    y, t, _ = tied_trial()
    best = 2.0 * (y == t) + t
    assert auuc(y, t, best, normalize="perfect") == pytest.approx(1.0)


def test_intervals_hold_the_true_coefficient_at_the_nominal_rate() -> None:
    """300 trials of a score whose true Qini is known from two million users: 95% intervals, binomial bounds."""

    def trial(n: int, seed: int):
        rng = np.random.default_rng(seed)
        x, t = rng.random(n), rng.integers(0, 2, n)
        return (rng.random(n) < 0.2 + 0.25 * t * (x - 0.2)).astype(float), t, x

    truth = qini(*trial(2_000_000, 10_000))
    held = 0
    for seed in range(300):
        quality = rank_quality(*trial(600, seed), draws=150, seed=seed)
        held += quality.qini_low <= truth <= quality.qini_high
    assert stats.binom.ppf(1e-3, 300, 0.95) - 6 <= held <= stats.binom.ppf(1 - 1e-3, 300, 0.95)


def test_sleeping_dogs_are_counted_and_their_harm_is_measured() -> None:
    rng = np.random.default_rng(1)
    x, t = rng.random(20_000), rng.integers(0, 2, 20_000)
    y = 1.0 + t * (x - 0.25) + rng.normal(0, 0.5, 20_000)
    quality = rank_quality(y, t, x - 0.25, draws=50)
    assert quality.negative_low < 0.25 < quality.negative_high
    assert quality.negative_effect == pytest.approx(-0.125, abs=0.05)
    assert quality.negative_effect_low < -0.125
    assert quality.negative_effect_high < 0
    none = rank_quality(y, t, x + 1, draws=20)
    assert none.negative_share == 0
    assert np.isnan(none.negative_effect)


@pytest.mark.parametrize("normalize", ["n2", "none", "abs_end", "perfect"])
def test_row_order_does_not_matter_and_every_convention_has_its_interval(normalize: str) -> None:
    y, t, x = tied_trial()
    order = np.random.default_rng(0).permutation(len(y))
    first = rank_quality(y, t, x, normalize=normalize, draws=60)
    second = rank_quality(y[order], t[order], x[order], normalize=normalize, draws=60)
    assert first.to_frame().equals(second.to_frame())
    assert first.qini == qini(y, t, x, normalize=normalize)
    assert first.qini_low < first.qini < first.qini_high
    assert first.auuc_low < first.auuc < first.auuc_high
    assert first.curve["gain"].iloc[-1] == pytest.approx(first.curve["random"].iloc[-1])


def test_the_curve_is_drawn_and_says_what_is_seen() -> None:
    rng = np.random.default_rng(2)
    x, t = rng.random(3_000), rng.integers(0, 2, 3_000)
    y = (rng.random(3_000) < 0.1 + 0.4 * t * x).astype(float)
    assert "better than chance" in rank_quality(y, t, x, draws=50).plot().get_title(loc="left")
    assert "worse than chance" in rank_quality(y, t, -x, draws=50).plot().get_title(loc="left")
    assert "not clearly" in rank_quality(y, t, rng.random(3_000), draws=50).plot().get_title(loc="left")


def test_bad_input_is_told() -> None:
    y, t, x = tied_trial()
    with pytest.raises(ConfigError, match="normalize"):
        auuc(y, t, x, normalize="area")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="outcome of 0 and 1"):
        auuc(y * 2, t, x, normalize="perfect")
    with pytest.raises(InsufficientDataError, match="no area"):
        auuc([0, 0, 0, 0], [1, 0, 1, 0], [4, 3, 2, 1], normalize="perfect")
    with pytest.raises(InsufficientDataError, match="ends at 0"):
        auuc([1, 1, 1, 1], [1, 0, 1, 0], [4, 3, 2, 1], normalize="abs_end")
    with pytest.raises(InsufficientDataError, match="at least 10"):
        rank_quality(y[:12], t[:12], x[:12])
    with pytest.raises(ConfigError, match="draws"):
        rank_quality(y, t, x, draws=3)
