"""Qini: the definition spelled out user by user, ties, conventions and bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.effects import qini, qini_curve, uplift_at
from commlife.errors import ConfigError, InsufficientDataError


@st.composite
def trials(draw):
    n = draw(st.integers(2, 25))
    t = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    t[0], t[1] = 0, 1
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    s = np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))) / 7
    return y, t, s


def slow_area(y, t, s) -> tuple[float, float]:
    """The definition, one distinct score after another."""
    points = [(0, 0.0)]
    for cut in sorted(set(s.tolist()), reverse=True):
        top = s >= cut
        nt, nc = (top & (t == 1)).sum(), (top & (t == 0)).sum()
        yt, yc = y[top & (t == 1)].sum(), y[top & (t == 0)].sum()
        points.append((top.sum(), yt - (yc * nt / nc if nc else 0.0)))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
    return area - points[-1][0] * points[-1][1] / 2, points[-1][1]


@given(trials())
def test_every_convention_follows_the_definition(trial) -> None:
    y, t, s = trial
    n = len(y)
    area, end = slow_area(y, t, s)
    assert qini(y, t, s, normalize="none") == pytest.approx(area / n, abs=1e-12)
    assert qini(y, t, s, normalize="n2") == pytest.approx(area / n**2, abs=1e-12)
    if abs(end) > 1e-9:
        assert qini(y, t, s, normalize="abs_end") == pytest.approx(area / n / abs(end), abs=1e-9)
    perfect = slow_area(y, t, (y * (2 * t - 1)).astype(float))[0]
    if perfect > 1e-9:
        assert qini(y, t, s, normalize="perfect") == pytest.approx(area / perfect, abs=1e-9)


@given(trials(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter_and_a_constant_score_says_nothing(trial, rng) -> None:
    """Seen in a peer: a constant score got .02 to .2, depending on the order of rows."""
    y, t, s = trial
    order = list(range(len(y)))
    rng.shuffle(order)
    assert qini(y[order], t[order], s[order]) == pytest.approx(qini(y, t, s), abs=1e-15)
    assert qini(y[order], t[order], np.full(len(y), 0.3)) == 0


@given(trials())
def test_the_perfect_score_scores_one(trial) -> None:
    y, t, _ = trial
    if slow_area(y, t, (y * (2 * t - 1)).astype(float))[0] > 1e-9:
        assert qini(y, t, y * (2.0 * t - 1), normalize="perfect") == pytest.approx(1)


@given(trials())
def test_only_the_ranking_counts(trial) -> None:
    y, t, s = trial
    assert qini(y, t, s) == pytest.approx(qini(y, t, np.exp(3 * s) - 50), abs=1e-15)


def test_a_true_uplift_ranks_better_than_the_response() -> None:
    """Uplift falls with x, response grows with x: a response model ranks the wrong way."""
    rng = np.random.default_rng(0)
    x, t = rng.random(20_000), rng.integers(0, 2, 20_000)
    y = rng.random(20_000) < 0.1 + 0.6 * x + 0.3 * t * (1 - x)
    assert qini(y, t, 1 - x) > 0.005
    assert qini(y, t, x) < -0.005
    assert uplift_at(y, t, 1 - x, share=0.1) == pytest.approx(0.285, abs=0.05)


def test_the_curve_is_a_frame() -> None:
    curve = qini_curve([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.1, 0.1, 0.5])
    assert curve.columns.tolist() == ["users", "score", "gain", "random"]
    assert curve["users"].tolist() == [0, 1, 2, 4]
    assert np.isnan(curve["score"][0])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (([1, 0], [1, 0], [1.0]), "one entry a row"),
        (([1, 0], [1, 2], [1.0, 2.0]), "treatment is 1"),
        (([1, np.nan], [1, 0], [1.0, 2.0]), "finite"),
        (([1, 0], [1, 0], [1.0, np.inf]), "finite"),
        (([[1], [0]], [1, 0], [1.0, 2.0]), "one-dimensional"),
        ((["a", "b"], [1, 0], [1.0, 2.0]), "holds numbers"),
        ((np.array(["a", 2], dtype=object), [1, 0], [1.0, 2.0]), "holds numbers"),
        (([], [], []), "empty"),
    ],
)
def test_bad_arrays_are_told(args, message) -> None:
    with pytest.raises(ConfigError, match=message):
        qini(*args)


def test_bad_choices_are_told() -> None:
    y, t, s = [1, 0, 0, 1], [1, 0, 1, 0], [4, 3, 2, 1]
    with pytest.raises(ConfigError, match="unknown"):
        qini(y, t, s, normalize="auuc")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="outcome of 0 and 1"):
        qini([1, 0, 0, 3], t, s, normalize="perfect")
    with pytest.raises(InsufficientDataError, match="no area"):
        qini([0, 0, 0, 0], t, s, normalize="perfect")
    with pytest.raises(InsufficientDataError, match="ends at 0"):
        qini(y, t, s, normalize="abs_end")
    with pytest.raises(InsufficientDataError, match="treated and control"):
        qini(y, [1, 1, 1, 1], s)
    with pytest.raises(InsufficientDataError, match="larger share"):
        uplift_at(y, t, s, share=0.25)
