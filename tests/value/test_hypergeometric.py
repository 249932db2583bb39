"""Continued fraction and quadrature against fifty digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from commlife.value.hypergeometric import beta_mean_of_purchases, gauss_fraction, log_tail_integral


def tail(m: mp.mpf, n: mp.mpf, A: mp.mpf, B: mp.mpf) -> mp.mpf:
    """The integral by 2F1, from Gradshteyn & Ryzhik 3.197."""
    if A < B:
        return tail(n, m, B, A)
    q = m + n - 1
    return A**-q / q * mp.hyp2f1(n, q, q + 1, (A - B) / A)


def test_the_tail_integral_is_the_integral() -> None:
    with mp.workdps(30):
        integral = mp.quad(lambda w: (3 + w) ** mp.mpf("-1.5") * (8 + w) ** mp.mpf("-0.8"), [0, 1, 10, 100, mp.inf])
        assert float(tail(mp.mpf("1.5"), mp.mpf("0.8"), mp.mpf(3), mp.mpf(8))) == pytest.approx(
            float(integral), rel=1e-12
        )


def test_tail_integral_and_its_derivatives() -> None:
    rng = np.random.default_rng(0)
    with mp.workdps(50):
        for _ in range(60):
            m, n = np.exp(rng.uniform([-3, -2], [6.2, 3]))
            m = m + 1.01 if m + n < 1.01 else m
            A, B = np.exp(rng.uniform(-2, 6, 2))
            point = [float(v) for v in (m, n, A, B)]
            value, *slopes = (float(v[0]) for v in log_tail_integral(*(np.array([v]) for v in point)))
            assert value == pytest.approx(float(mp.log(tail(*map(mp.mpf, point)))), rel=1e-11, abs=1e-11)
            for i, slope in enumerate(slopes):
                step = mp.mpf(point[i]) * mp.mpf("1e-15")
                up, down = ([mp.mpf(v) + sign * step * (i == j) for j, v in enumerate(point)] for sign in (1, -1))
                exact = (mp.log(tail(*up)) - mp.log(tail(*down))) / (2 * step)
                assert slope == pytest.approx(float(exact), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("z", [0.0, 1e-12, 0.3, 0.9, 0.999, 0.99999])
def test_gauss_fraction_up_to_near_one(z: float) -> None:
    b, c = np.array([0.3, 2.0, 500.0]), np.array([1.2, 2.5, 501.5])
    log_f = gauss_fraction(b, c, np.full(3, z))[0]
    assert log_f == pytest.approx(
        [float(mp.log(mp.hyp2f1(1, p, q, z))) for p, q in zip(b, c, strict=True)], rel=1e-11, abs=1e-13
    )


def test_no_rows_give_no_rows() -> None:
    empty = np.empty(0)
    assert all(part.size == 0 for part in log_tail_integral(empty, empty, empty, empty))


def test_mean_of_purchases_over_beta() -> None:
    """Fader, Hardie & Lee (2005), equation 10 before the division by the likelihood."""
    rng = np.random.default_rng(1)
    with mp.workdps(60):
        for _ in range(80):
            m, A, a, b, t = (float(v) for v in np.exp(rng.uniform([-3, -2, -5, -5, -2], [6.3, 6, 6, 6.5, 6])))
            c = mp.mpf(a) + b - 1
            exact = c / (mp.mpf(a) - 1) * (1 - mp.hyp2f1(mp.mpf(a) - 1, m, c, -mp.mpf(t) / A))
            found = beta_mean_of_purchases(np.array([m]), np.array([A]), a, np.array([b]), np.array([t]))
            assert found[0] == pytest.approx(float(mp.re(exact)), rel=1e-11)


def test_mean_of_purchases_near_a_equal_to_one() -> None:
    """The textbook's formula divides by a - 1; nothing happens there."""
    at = [
        beta_mean_of_purchases(np.array([2.5]), np.array([7.0]), a, np.array([4.0]), np.array([5.0]))[0]
        for a in (1 - 1e-7, 1.0, 1 + 1e-7)
    ]
    assert at[1] == pytest.approx(0.5 * (at[0] + at[2]), rel=1e-12)
    assert at[0] > at[1] > at[2]
