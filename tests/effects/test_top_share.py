"""Uplift@k: the definition, ties, and an interval that covers what is true."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife.effects import UpliftAt, uplift_at
from commlife.errors import ConfigError, InsufficientDataError


@st.composite
def trials(draw):
    n = draw(st.integers(2, 25))
    t = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    t[0], t[1] = 0, 1
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    s = np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))) / 7
    return y, t, s


def slow_uplift(y, t, s, share: float) -> float:
    """The definition, one user after another: those tied at the edge each count with the same fraction."""
    left, weight = share * len(y), np.zeros(len(y))
    for cut in sorted(set(s.tolist()), reverse=True):
        tied = s == cut
        weight[tied] = min(1.0, max(left, 0.0) / tied.sum())
        left -= tied.sum()
    treated, control = weight * (t == 1), weight * (t == 0)
    return float(treated @ y / treated.sum() - control @ y / control.sum())


@given(trials(), st.sampled_from([0.2, 0.5, 0.75, 1.0]), st.randoms(use_true_random=False))
def test_it_follows_the_definition_in_every_order_of_rows(trial, share, rng) -> None:
    y, t, s = trial
    order = list(range(len(y)))
    rng.shuffle(order)
    try:
        found = uplift_at(y, t, s, share=share, draws=20)
    except InsufficientDataError:
        return
    assert found == pytest.approx(slow_uplift(y, t, s, share), abs=1e-12)
    assert found.treated + found.control == pytest.approx(share * len(y))
    again = uplift_at(y[order], t[order], s[order], share=share, draws=20)
    assert again.to_frame().equals(found.to_frame())


def test_a_share_of_whole_users_takes_nobody_else() -> None:
    """.1 of 30 users came out as 3.0000000000000004: a fourth user, the only control, counted with all her weight."""
    s = np.arange(30)[::-1]
    t = np.r_[1, 1, 1, np.zeros(27)]
    with pytest.raises(InsufficientDataError, match="larger share"):
        uplift_at(np.ones(30), t, s, share=0.1)


def trial_of(n: int, seed: int, digits: int):
    rng = np.random.default_rng(seed)
    x, t = rng.random(n).round(digits), rng.integers(0, 2, n)
    return (rng.random(n) < 0.2 + 0.5 * t * (x - 0.3)).astype(float), t, x


@pytest.mark.parametrize("digits", [9, 1])
def test_intervals_hold_the_true_uplift_at_the_nominal_rate(digits: int) -> None:
    """300 trials, with and without ties; the truth is known from the trial's own chances: 95%, binomial bounds."""
    many = np.sort(np.random.default_rng(99).random(1_000_000).round(digits))[::-1]
    truth = float((0.5 * (many[:200_000] - 0.3)).mean())
    tops = [uplift_at(*trial_of(800, seed, digits), share=0.2, draws=150, seed=seed) for seed in range(300)]
    held = sum(top.low <= truth <= top.high for top in tops)
    # The percentiles of 150 draws are those of a level of about 94%.
    assert stats.binom.ppf(1e-3, 300, 0.94) <= held <= stats.binom.ppf(1 - 1e-3, 300, 0.96)
    assert np.mean(tops) == pytest.approx(truth, abs=4 * np.std(tops) / 300**0.5)


def test_a_higher_level_and_fewer_users_make_the_interval_wider() -> None:
    y, t, x = trial_of(2_000, 1, 9)

    def width(top: UpliftAt) -> float:
        return top.high - top.low

    narrow, wide = (uplift_at(y, t, x, confidence_level=level) for level in (0.8, 0.99))
    assert width(narrow) < width(wide)
    assert width(uplift_at(y, t, x, share=0.1)) > width(uplift_at(y, t, x, share=0.9))
    assert uplift_at(y, t, x, seed=1).low != uplift_at(y, t, x, seed=2).low


def test_the_whole_trial_has_the_interval_of_a_difference_in_means() -> None:
    y, t, x = trial_of(4_000, 3, 9)
    whole = uplift_at(y, t, x, share=1.0, draws=2_000)
    error = np.sqrt(y[t == 1].var() / (t == 1).sum() + y[t == 0].var() / (t == 0).sum())
    assert whole == pytest.approx(y[t == 1].mean() - y[t == 0].mean())
    assert (whole.high - whole.low) / 2 == pytest.approx(1.96 * error, rel=0.08)


def test_it_is_a_number_and_a_frame_and_survives_a_copy() -> None:
    top = uplift_at(*trial_of(500, 2, 9), share=0.4)
    assert json.loads(json.dumps({"uplift": top})) == {"uplift": float(top)}
    assert pd.Series([top, top]).dtype == np.float64
    assert top.to_frame().columns.tolist() == ["share", "treated", "control", "uplift", "low", "high"]
    assert "among the top 0.4" in repr(top)
    assert "<table" in top._repr_html_()
    for twin in (copy.copy(top), copy.deepcopy(top), pickle.loads(pickle.dumps(top))):  # noqa: S301 -- our own bytes
        assert repr(twin) == repr(top)
        assert twin.to_frame().equals(top.to_frame())
    with pytest.raises(AttributeError, match="does not change"):
        top.low = 0.0


def test_a_handful_of_users_has_no_interval() -> None:
    few = uplift_at([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.8, 0.1, 0.2], share=0.5)
    assert few == 1.0
    assert np.isnan([few.low, few.high]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"share": 0}, "share lies"),
        ({"share": True}, "share lies"),
        ({"share": "all"}, "share lies"),
        ({"share": float("nan")}, "share lies"),
        ({"draws": 3}, "draws is a whole number of at least 20"),
        ({"confidence_level": 1}, "confidence_level"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_choices_are_told(changed, message) -> None:
    with pytest.raises(ConfigError, match=message):
        uplift_at(*trial_of(50, 0, 9), **changed)
