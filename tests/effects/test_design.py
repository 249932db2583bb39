"""Designing trials: power by simulation, inverses, peeking without fooling oneself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.effects import (
    adjust_pvalues,
    compare,
    confidence_sequence,
    minimum_detectable_effect,
    power,
    sample_size,
)
from commlife.errors import ConfigError


def test_power_is_what_simulation_finds() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(250):
        frame = pd.DataFrame({"arm": np.repeat([0, 1], 60), "y": rng.normal(0, 2, 120)})
        frame.loc[60:, "y"] += 0.8
        found += compare(frame, treatment="arm", control=0, outcome="y")["pvalue"][0] < 0.05
    assert power(effect=0.8, standard_deviation=2, treated=60, controls=60) == pytest.approx(found / 250, abs=0.07)


@given(st.floats(0.01, 10), st.floats(0.1, 10), st.floats(0.1, 0.9), st.floats(0.3, 0.99))
def test_size_effect_and_power_are_inverses(effect, spread, share, wanted) -> None:
    users = sample_size(effect=effect, standard_deviation=spread, treated_share=share, power=wanted)
    if 100 < users < 10**9:
        treated = round(users * share)
        seen = minimum_detectable_effect(
            standard_deviation=spread, treated=treated, controls=users - treated, power=wanted
        )
        assert seen == pytest.approx(effect, rel=0.02)
        reached = power(effect=effect, standard_deviation=spread, treated=treated, controls=users - treated)
        assert reached == pytest.approx(wanted, abs=0.02)


def test_cohen_s_textbook_size() -> None:
    """Cohen (1988): d = .5 at 80% power needs 64 a group by the t-test, 63 by the normal approximation."""
    assert sample_size(effect=0.5, standard_deviation=1) == 126


def test_peeking_every_time_keeps_the_level() -> None:
    """No effect, a look after every 40 users: plain intervals err often, the sequence in at most 5% (and some noise)."""
    rng = np.random.default_rng(1)
    wrong = {"plain": 0, "sequence": 0}
    for _ in range(60):
        frame = pd.DataFrame({"arm": rng.permutation(np.repeat([0, 1], 200)), "y": rng.normal(size=400)})
        call = {"treatment": "arm", "control": 0, "outcome": "y", "planned": 400}
        looks = pd.concat([confidence_sequence(frame[:n], **call) for n in range(80, 401, 40)])
        wrong["plain"] += (looks["effect_size"].abs() > 1.97 * looks["standard_error"]).any()
        wrong["sequence"] += ((looks["lower"] > 0) | (looks["upper"] < 0)).any()
    assert wrong["plain"] >= 4
    assert wrong["sequence"] <= 5


def test_the_sequence_is_wider_than_the_interval_and_takes_a_covariate() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=200)
    frame = pd.DataFrame({"arm": ["a", "b"] * 100, "x": x, "y": x + rng.normal(0, 0.1, 200)})
    call = {"treatment": "arm", "control": "a", "outcome": "y"}
    look = confidence_sequence(frame, **call, planned=200)
    plain = compare(frame, **call)
    assert look["users"].tolist() == [200]
    assert look["upper"][0] > plain["effect_size_ci_upper"][0]
    assert confidence_sequence(frame, **call, planned=200, covariate="x")["upper"][0] < look["upper"][0] / 3


def test_corrections() -> None:
    """Holm (1979); Benjamini & Hochberg (1995): by hand."""
    assert adjust_pvalues([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_pvalues([0.01, 0.04, 0.03], method="benjamini_hochberg") == pytest.approx([0.03, 0.04, 0.04])


@pytest.mark.parametrize(
    "call",
    [
        lambda: adjust_pvalues([1.5]),
        lambda: adjust_pvalues([0.1], method="bonferroni"),  # type: ignore[arg-type]
        lambda: sample_size(effect=0, standard_deviation=1),
        lambda: sample_size(effect=1, standard_deviation=0),
        lambda: sample_size(effect=1, standard_deviation=1, power=0.01),
        lambda: power(effect=1, standard_deviation=1, treated=0, controls=5),
        lambda: power(effect=1, standard_deviation=1, treated=True, controls=5),
        lambda: power(effect=float("nan"), standard_deviation=1, treated=5, controls=5),
        lambda: confidence_sequence(
            pd.DataFrame({"a": [1], "y": [1]}), treatment="a", control=1, outcome="y", planned=1
        ),
    ],
)
def test_bad_input_is_told(call) -> None:
    with pytest.raises(ConfigError):
        call()
