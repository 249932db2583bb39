"""Wilson's interval meets published and independent values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife._stats.wilson import wilson_interval


def test_newcombe_1998():
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    low, high = wilson_interval([81, 15, 0, 1], [263, 148, 20, 29])
    assert low.round(4).tolist() == [0.2553, 0.0624, 0.0, 0.0061]
    assert high.round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


@given(st.integers(0, 500), st.integers(1, 500), st.sampled_from([0.5, 0.8, 0.95, 0.999]))
def test_scipy_agrees(successes, extra, confidence):
    trials = successes + extra - 1 or 1
    low, high = wilson_interval(successes, trials, level=confidence)
    expected = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_what_is_not_known_stays_unknown():
    low, high = wilson_interval([np.nan, 0, 3], [10, 0, np.nan])
    assert np.isnan(low).all()
    assert np.isnan(high).all()
