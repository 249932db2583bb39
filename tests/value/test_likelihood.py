"""The likelihoods against the papers' formulas in fifty digits, extremes included."""

from __future__ import annotations

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
from commlife.value.likelihood import log_likelihood_of

BG, MBG, PNBD = BetaGeoKernel(at_first=0), BetaGeoKernel(at_first=1), ParetoNBDKernel()


def paper_beta_geo(p: Any, x: int, t_x: Any, T: Any, at_first: int) -> Any:
    """Fader, Hardie & Lee (2005), equation 6; Batislam et al. (2007), equation 10."""
    r, alpha, a, b = p
    shared = mp.gamma(r + x) * alpha**r / mp.gamma(r) / mp.beta(a, b)
    k = x + at_first
    still = mp.beta(a, b + k) * (alpha + T) ** -(r + x)
    left = mp.beta(a + 1, b + k - 1) * (alpha + t_x) ** -(r + x) if k > 0 else 0
    return mp.log(shared * (still + left))


def paper_pareto(p: Any, x: int, t_x: Any, T: Any) -> Any:
    """Schmittlein, Morrison & Colombo (1987), as in Fader & Hardie (2005), equations 2 and 3."""
    r, alpha, s, beta = p
    q = r + s + x

    def part(t: Any) -> Any:
        if alpha >= beta:
            return mp.hyp2f1(q, s + 1, q + 1, (alpha - beta) / (alpha + t)) / (alpha + t) ** q
        return mp.hyp2f1(q, r + x, q + 1, (beta - alpha) / (beta + t)) / (beta + t) ** q

    shared = mp.gamma(r + x) * alpha**r * beta**s / mp.gamma(r)
    still = (alpha + T) ** -(r + x) * (beta + T) ** -s
    return mp.log(shared * (still + s / q * (part(t_x) - part(T))))


def exact(kernel: Kernel, p: Any, x: int, t_x: float, T: float) -> Any:
    with mp.workdps(60):
        values = [mp.mpf(float(v)) for v in p]
        if isinstance(kernel, BetaGeoKernel):
            return paper_beta_geo(values, x, mp.mpf(t_x), mp.mpf(T), kernel.at_first)
        return paper_pareto(values, x, mp.mpf(t_x), mp.mpf(T))


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
    assert ours(kernel, p, x, t_x, T)[0] == pytest.approx(float(exact(kernel, p, x, t_x, T)), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("kernel", [BG, MBG, PNBD], ids=["bg", "mbg", "pareto"])
def test_likelihood_at_two_hundred_points(kernel: Kernel) -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        p = np.exp(rng.uniform(np.log([0.02, 0.2, 0.02, 0.2]), np.log([50, 300, 50, 300])))
        x, T = int(rng.integers(0, 501) if rng.random() < 0.5 else rng.integers(0, 6)), float(rng.uniform(1, 1830))
        t_x = T * float(rng.uniform(0.01, 1)) if x else 0.0
        assert ours(kernel, p, x, t_x, T)[0] == pytest.approx(float(exact(kernel, p, x, t_x, T)), rel=1e-11, abs=1e-11)


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
    assert ours(kernel, p, x, t_x, T)[0] == pytest.approx(float(exact(kernel, p, x, t_x, T)), rel=1e-10, abs=1e-10)


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
                formula = paper_pareto if kernel is PNBD else lambda q, *h: paper_beta_geo(q, *h, kernel.at_first)
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
