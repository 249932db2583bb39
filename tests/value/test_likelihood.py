"""The likelihoods against the papers' formulas in fifty digits, extremes included."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.value.histories import Histories
from commlife.value.kernel_beta_geo import BetaGeoKernel
from commlife.value.kernel_pareto import ParetoNBDKernel
from commlife.value.kernels import Kernel
from commlife.value.likelihood import log_likelihood_of, of_strata, slopes_by_stratum

BG, MBG, PNBD = BetaGeoKernel(at_first=0), BetaGeoKernel(at_first=1), ParetoNBDKernel()


@pytest.mark.parametrize("n_strata", [2, 3])
def test_each_history_has_the_parameters_of_its_stratum(n_strata: int) -> None:
    p = np.arange(4.0 * n_strata).reshape(4, n_strata)
    stratum = np.array([0, n_strata - 1, 1, 0])
    for row, of in zip(p, of_strata(p, stratum), strict=True):
        assert np.asarray(of).tolist() == [row[0], row[n_strata - 1], row[1], row[0]]
    assert [float(value) for value in of_strata(p[:, :1], stratum * 0)] == p[:, 0].tolist()


def _formulas() -> Any:
    """The papers' formulas, from the file beside this one."""
    path = Path(__file__).with_name("paper_formulas.py")
    spec = importlib.util.spec_from_file_location("paper_formulas", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAPER = _formulas()
#: Largest error of the log-likelihood, relative to its size where that is above 1.
LARGEST_ERROR = {"BetaGeo": 1e-12, "ModifiedBetaGeo": 1e-12, "ParetoNBD": 1e-11}
KERNELS: dict[str, Kernel] = {"BetaGeo": BG, "ModifiedBetaGeo": MBG, "ParetoNBD": PNBD}


def exact(kernel: Kernel, p: Any, x: int, t_x: float, T: float) -> Any:
    name = next(name for name, each in KERNELS.items() if each is kernel)
    return PAPER.likelihood(name, p, x, t_x, T)


def ours(kernel: Kernel, p: Any, x: int, t_x: float, T: float) -> tuple[float, Any]:
    one = Histories(np.array([float(x)]), np.array([t_x]), np.array([T]))
    return log_likelihood_of(kernel, one, np.asarray(p, dtype=float), 1.0)[:2]


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda v: float(np.exp(v)))


@st.composite
def points(draw: st.DrawFn) -> tuple[list[float], int, float, float]:
    """Parameters over four orders of magnitude, histories up to x = 500 and five years of days."""
    p = [
        draw(log_uniform(0.01, 100)),
        draw(log_uniform(0.05, 500)),
        draw(log_uniform(0.01, 100)),
        draw(log_uniform(0.05, 500)),
    ]
    T = draw(st.floats(0, 1830))
    x = draw(st.one_of(st.integers(0, 5), st.integers(0, 500))) if T > 0 else 0
    t_x = T * draw(st.floats(0.001, 1)) if x else 0.0
    return p, x, t_x, T


@pytest.mark.parametrize("kernel", [BG, MBG, PNBD], ids=["bg", "mbg", "pareto"])
@given(point=points())
def test_likelihood_at_random_points(kernel: Kernel, point: tuple[list[float], int, float, float]) -> None:
    p, x, t_x, T = point
    assert ours(kernel, p, x, t_x, T)[0] == pytest.approx(exact(kernel, p, x, t_x, T), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("name", KERNELS)
def test_likelihood_at_a_thousand_points(name: str) -> None:
    """Each a tenth at the ends: x = 500, T = five years of days, parameters of 0.01 beside 500."""
    worst, largest = 0.0, 0
    for p, x, t_x, T in PAPER.points(seed=11, n=1000):
        told = PAPER.likelihood(name, p, x, t_x, T)
        found = ours(KERNELS[name], p, x, t_x, T)[0]
        worst, largest = max(worst, abs(found - told) / max(1.0, abs(told))), max(largest, x)
    assert largest == 500
    assert worst < LARGEST_ERROR[name]


EXTREMES = [
    ([0.5, 5.0, 0.8, 2.5], 500, 1800.0, 1825.0),
    ([0.5, 5.0, 0.8, 2.5], 500, 1.0, 1825.0),
    ([0.001, 0.001, 0.001, 0.001], 1, 1.0, 1825.0),
    ([1000.0, 1000.0, 1000.0, 1000.0], 500, 1000.0, 1825.0),
    ([1.0, 0.001, 1.0, 100.0], 3, 30.0, 1825.0),
    ([1.0, 100.0, 1.0, 0.001], 0, 0.0, 1825.0),
    ([0.05, 3.0, 0.05, 3.0], 0, 0.0, 0.0),
    ([7.0, 7.0, 7.0, 7.0], 20, 100.0, 100.0),
]


@pytest.mark.parametrize("kernel", [BG, MBG, PNBD], ids=["bg", "mbg", "pareto"])
@pytest.mark.parametrize(("p", "x", "t_x", "T"), EXTREMES)
def test_likelihood_at_extremes(kernel: Kernel, p: list[float], x: int, t_x: float, T: float) -> None:
    """A peer overflows at x = 500 and loses all digits where alpha and beta are far apart."""
    assert ours(kernel, p, x, t_x, T)[0] == pytest.approx(exact(kernel, p, x, t_x, T), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("kernel", [BG, MBG, PNBD], ids=["bg", "mbg", "pareto"])
def test_gradient_is_that_of_the_paper(kernel: Kernel) -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        p = np.exp(rng.uniform(np.log(0.05), np.log(50), 4))
        x, T = int(rng.integers(0, 40)), float(rng.uniform(1, 400))
        t_x = T * float(rng.uniform(0.1, 1)) if x else 0.0
        slopes = []
        with mp.workdps(60):
            for i in range(4):
                moved = [
                    [mp.mpf(float(v)) * (mp.exp(sign * mp.mpf("1e-15")) if i == j else 1) for j, v in enumerate(p)]
                    for sign in (1, -1)
                ]
                formula = PAPER.pareto if kernel is PNBD else lambda q, *h: PAPER.beta_geo(q, *h, kernel.at_first)
                ends = [formula(q, x, mp.mpf(t_x), mp.mpf(T)) for q in moved]
                slopes.append(float((ends[0] - ends[1]) / mp.mpf("2e-15")))
        assert ours(kernel, p, x, t_x, T)[1] == pytest.approx(slopes, rel=1e-8, abs=1e-9)


def test_equal_histories_are_counted_once_and_weigh_alike() -> None:
    one = Histories(np.array([2.0, 0.0]), np.array([5.0, 0.0]), np.array([9.0, 9.0]))
    many = Histories(np.array([2.0, 0.0] * 50), np.array([5.0, 0.0] * 50), np.array([9.0] * 100))
    assert many.counts.size == 2
    p = np.array([0.5, 3.0, 0.7, 2.0])
    for kernel in (BG, MBG, PNBD):
        single, slope = log_likelihood_of(kernel, one, p, 1.0)[:2]
        total, steep = log_likelihood_of(kernel, many, p, 1.0)[:2]
        assert total == pytest.approx(50 * single, rel=1e-14)
        assert steep == pytest.approx(50 * slope, rel=1e-12)


@pytest.mark.parametrize("kernel", [BG, MBG], ids=["bg", "mbg"])
def test_second_derivatives_are_those_of_the_gradient(kernel: Kernel) -> None:
    rng = np.random.default_rng(6)
    x = rng.poisson(2.0, 60).astype(float)
    T = rng.uniform(20, 80, 60).round()
    t_x = np.where(x > 0, (T * rng.uniform(0.2, 1, 60)).round() + 1.0, 0.0)
    histories = Histories(x, np.minimum(t_x, T), T)
    for _ in range(6):
        logs = rng.uniform(-1.5, 1.5, 4)
        hessian = log_likelihood_of(kernel, histories, np.exp(logs), 7.0, second=True)[2]
        assert hessian is not None
        step = 1e-5
        moved = [
            (
                log_likelihood_of(kernel, histories, np.exp(logs + d), 7.0)[1]
                - log_likelihood_of(kernel, histories, np.exp(logs - d), 7.0)[1]
            )
            for d in np.eye(4) * step
        ]
        assert hessian == pytest.approx(np.array(moved) / (2 * step), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kernel", [BG, MBG, PNBD], ids=["bg", "mbg", "pareto"])
def test_strata_are_likelihoods_of_their_own(kernel: Kernel) -> None:
    """Parameters an array, one value a stratum: the same numbers as one stratum at a time, alpha above beta or below."""
    rng = np.random.default_rng(8)
    x = rng.poisson(2.0, 90).astype(float)
    T = rng.uniform(20, 80, 90)
    t_x = np.where(x > 0, T * rng.uniform(0.2, 1, 90), 0.0)
    stratum = np.arange(90) % 3
    p = np.exp(rng.uniform(-1, 1, (4, 3)))
    value, gradient = slopes_by_stratum(kernel, Histories(x, t_x, T, stratum), p, 7.0)
    for place in range(3):
        own = stratum == place
        alone, slope, _ = log_likelihood_of(kernel, Histories(x[own], t_x[own], T[own]), p[:, place], 7.0)
        assert value[place] == pytest.approx(alone, rel=1e-12)
        assert gradient[:, place] == pytest.approx(slope, rel=1e-9, abs=1e-9)
