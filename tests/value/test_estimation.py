"""The maximiser says where it ended: at a maximum, at a bound, or nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from commlife.errors import InsufficientDataError
from commlife.value.estimation import Box, maximise

BOX = Box(
    names=("u", "w"),
    matrix=np.array([[1.0, -1.0], [0.5, 0.5]]),
    lower=np.array([-5.0, -5.0]),
    upper=np.array([5.0, 5.0]),
    meaning=("difference", "middle"),
    prior_mean=np.zeros(2),
    prior_sd=np.array([1.0, np.inf]),
)
STARTS = np.array([[0.0, 0.0], [1.0, 1.0]])
CURVATURE = np.array([[2.0, 0.5], [0.5, 1.0]])


def hill(top: Any, *, written_out: bool = False) -> Any:
    def value(logs: Any, *, second: bool = False) -> Any:
        away = logs - top
        hessian = -100.0 * CURVATURE if second and written_out else None
        return -50.0 * float(away @ CURVATURE @ away), -100.0 * CURVATURE @ away, hessian

    return value


@pytest.mark.parametrize("written_out", [True, False])
def test_the_top_of_a_hill_and_its_curvature(written_out: bool) -> None:
    top = np.array([0.3, -0.4])
    found = maximise(hill(top, written_out=written_out), BOX, STARTS, weight=100.0, prior=False, what="Hill")
    assert found.logs == pytest.approx([0.3, -0.4], abs=1e-6)
    assert found.covariance == pytest.approx(np.linalg.inv(100 * CURVATURE), rel=1e-4)
    assert found.objective == pytest.approx(0.0, abs=1e-9)
    assert found.at_bound == ()


def test_a_prior_pulls_towards_its_centre() -> None:
    plain = maximise(hill(np.array([2.0, -1.0])), BOX, STARTS, weight=100.0, prior=False, what="Hill")
    pulled = maximise(hill(np.array([2.0, -1.0])), BOX, STARTS, weight=100.0, prior=True, what="Hill")
    assert 2.5 < pulled.logs[0] - pulled.logs[1] < plain.logs[0] - plain.logs[1]


def test_a_top_outside_the_box_ends_at_the_bound() -> None:
    found = maximise(hill(np.array([4.0, -4.0])), BOX, STARTS, weight=100.0, prior=False, what="Hill")
    assert found.at_bound == (0,)
    assert found.logs[0] - found.logs[1] == pytest.approx(5.0)
    assert np.isnan(found.covariance).all()


def test_all_at_bounds_leaves_nothing_determined() -> None:
    found = maximise(hill(np.array([90.0, 30.0])), BOX, STARTS, weight=100.0, prior=False, what="Hill")
    assert found.at_bound == (0, 1)
    assert np.isnan(found.covariance).all()


def test_a_saddle_is_no_maximum() -> None:
    """At the start the slope is zero, but the value rises to both sides."""

    def saddle(logs: Any, *, second: bool = False) -> Any:
        u, w = logs
        return float(u**2 * np.exp(-(u**2)) - w**2), np.array([(2 * u - 2 * u**3) * np.exp(-(u**2)), -2 * w]), None

    found = maximise(saddle, BOX, np.array([[0.0, 0.0], [0.7, 0.1]]), weight=1.0, prior=False, what="Saddle")
    assert abs(found.logs[0]) == pytest.approx(1.0, abs=1e-5)


def test_no_maximum_is_told() -> None:
    def broken(logs: Any, *, second: bool = False) -> Any:
        return float("nan"), np.full(2, np.nan), None

    with pytest.raises(InsufficientDataError, match="no maximum that could be found from 2 starts"):
        maximise(broken, BOX, STARTS, weight=1.0, prior=False, what="Broken")
