"""Qini: does a score rank users by how much a treatment changes them?"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife.effects._inputs import Floats, float_vector
from commlife.errors import ConfigError, InsufficientDataError

__all__ = ["QiniNormalization", "qini", "qini_curve", "uplift_at"]

QiniNormalization = Literal["n2", "abs_end", "perfect", "none"]


def qini(outcome: Any, treatment: Any, score: Any, *, normalize: QiniNormalization = "n2") -> float:
    """Qini coefficient of a score on a randomised trial of one treatment against a control.

    Users are taken from the highest score down. With ``Yt, Yc`` the summed outcomes and ``Nt, Nc`` the numbers of
    treated and control users so far, the curve is ``Yt - Yc * Nt / Nc`` (nothing is subtracted while ``Nc = 0``),
    taken at each distinct score, so that ties count together and the order of rows does not matter. The area lies
    between this curve (trapezoids over users) and the straight line to its end.

    Args:
        outcome: One number a user; 0/1 for ``normalize="perfect"``.
        treatment: 1 or True for treated, 0 or False for control.
        score: One number a user, higher = treated first.
        normalize: ``"n2"`` divides the area by the squared number of users, ``"abs_end"`` by users times the absolute
            end of the curve, ``"perfect"`` by the area of the perfect curve (treated responders first, control
            responders last, as in scikit-uplift), ``"none"`` by users alone. Packages differ: always name it.

    Returns:
        The coefficient; 0 for a score that says nothing, negative for one that ranks the wrong way.

    Raises:
        ConfigError: If lengths differ, values are not finite, ``treatment`` is not 0/1, or the outcome is not 0/1
            where the perfect curve is asked for.
        InsufficientDataError: If one of the two groups is empty, or the divisor is zero.

    References:
        Radcliffe (2007), Using control groups to target on predicted lift, Direct Marketing Analytics Journal.

    Examples:
        >>> qini([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.1, 0.1, 0.5], normalize="none")
        0.625
        >>> qini([1, 0, 1, 0], [1, 0, 0, 1], [0.5, 0.5, 0.5, 0.5])
        0.0
    """
    if normalize not in get_args(QiniNormalization):
        raise ConfigError.unknown_name("normalize", normalize, get_args(QiniNormalization))
    y, t, s = _trial(outcome, treatment, score)
    users, gain = _curve(y, t, s)
    area, n, end = _area(users, gain), float(len(y)), float(gain[-1])
    if normalize == "none":
        return area / n
    if normalize == "n2":
        return area / n**2
    if normalize == "abs_end":
        if end == 0:
            raise InsufficientDataError('the curve ends at 0, "abs_end" cannot divide by it. Use normalize="n2".')
        return area / (n * abs(end))
    if not np.isin(y, (0.0, 1.0)).all():
        raise ConfigError(f'normalize="perfect" needs an outcome of 0 and 1; seen {y[~np.isin(y, (0.0, 1.0))][0]}.')
    perfect = _area(*_curve(y, t, y * t - y * (1 - t)))
    if perfect <= 0:
        raise InsufficientDataError('nobody responded: the perfect curve has no area. Use normalize="n2".')
    return area / perfect


def qini_curve(outcome: Any, treatment: Any, score: Any) -> pd.DataFrame:
    """The curve behind :func:`qini`, one row a distinct score from the highest down, beginning with nobody.

    Returns:
        Frame with ``users`` (targeted so far), ``score`` (the lowest among them; null in the first row), ``gain``
        (incremental outcome among the treated so far) and ``random`` (the straight line to the end).

    Examples:
        >>> qini_curve([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.1, 0.1, 0.5])["gain"].tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    y, t, s = _trial(outcome, treatment, score)
    users, gain = _curve(y, t, s)
    scores = np.concatenate([[np.nan], np.unique(s)[::-1]])
    return pd.DataFrame(
        {"users": users.astype(np.int64), "score": scores, "gain": gain, "random": gain[-1] * users / users[-1]}
    )


def uplift_at(outcome: Any, treatment: Any, score: Any, *, share: float = 0.3) -> float:
    """Difference in mean outcome, treated less control, among the users with the highest scores.

    Users tied at the edge count with equal fractions, so that the order of rows does not matter.

    Args:
        outcome: One number a user.
        treatment: 1 or True for treated, 0 or False for control.
        score: One number a user.
        share: Share of users from the top, in (0, 1].

    Examples:
        >>> uplift_at([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.8, 0.1, 0.2], share=0.5)
        1.0
    """
    y, t, s = _trial(outcome, treatment, score)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise ConfigError(f"share must lie in (0, 1]; seen {share!r:.40}.")
    wanted = share * len(y)
    edge = np.sort(s)[::-1][max(int(np.ceil(wanted)) - 1, 0)]
    above, tied = s > edge, s == edge
    weight = above + tied * ((wanted - above.sum()) / tied.sum())
    treated, control = weight * t, weight * (1 - t)
    if treated.sum() == 0 or control.sum() == 0:
        raise InsufficientDataError(f"the top {share:.0%} hold no treated or no control user. Take a larger share.")
    return float((treated @ y) / treated.sum() - (control @ y) / control.sum())


def _trial(outcome: Any, treatment: Any, score: Any) -> tuple[Floats, Floats, Floats]:
    y = float_vector(outcome, "outcome")
    t = float_vector(treatment, "treatment", length=len(y))
    s = float_vector(score, "score", length=len(y))
    strange = t[(t != 0) & (t != 1)]
    if len(strange):
        raise ConfigError(f"treatment must be 1 (treated) or 0 (control); seen {strange[0]}.")
    if not 0 < t.sum() < len(t):
        raise InsufficientDataError("a trial needs treated and control users, one of the two groups is empty.")
    return y, t, s


def _curve(y: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Numbers of users and gains at each distinct score from the top, with the origin."""
    distinct, codes = np.unique(s, return_inverse=True)
    size = len(distinct)
    steps = [np.bincount(codes, weights, size)[::-1] for weights in (t, 1 - t, y * t, y * (1 - t))]
    nt, nc, yt, yc = (np.concatenate([[0.0], np.cumsum(step)]) for step in steps)
    gain = yt - yc * np.divide(nt, nc, out=np.zeros_like(nt), where=nc > 0)
    return nt + nc, gain


def _area(users: Floats, gain: Floats) -> float:
    """Area between the curve and the straight line to its end."""
    return float(np.trapezoid(gain, users) - gain[-1] * users[-1] / 2)
