"""Qini: does a score rank users by how much a treatment changes them?"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife.effects._inputs import Floats, float_vector, one_of
from commlife.errors import ConfigError, InsufficientDataError

__all__ = [
    "QiniNormalization",
    "areas_of",
    "auuc",
    "checked_trial",
    "perfect_scores",
    "qini",
    "qini_curve",
]

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
    one_of(normalize, "normalize", get_args(QiniNormalization))
    y, t, s = checked_trial(outcome, treatment, score)
    users, gain = _curve(y, t, s)
    area = _area(users, gain)
    if normalize != "perfect":
        return _divided(area, normalize, users=float(len(y)), end=float(gain[-1]))
    return area / _of_the_perfect(_area(*_curve(y, t, perfect_scores(y, t)[0])))


def auuc(outcome: Any, treatment: Any, score: Any, *, normalize: QiniNormalization = "n2") -> float:
    """Area under the uplift curve of a score on a randomised trial of one treatment against a control.

    With the symbols of :func:`qini` the curve is ``(Yt / Nt - Yc / Nc) * (Nt + Nc)`` (the mean of an empty group is
    0), at each distinct score: what treating so many users would bring. The area is that under the curve, by
    trapezoids over users; it is large for a good treatment, whatever the ranking, which is why :func:`qini` takes the
    straight line off.

    Args:
        outcome: One number a user; 0/1 for ``normalize="perfect"``.
        treatment: 1 or True for treated, 0 or False for control.
        score: One number a user, higher = treated first.
        normalize: ``"none"`` divides the area by the users, ``"n2"`` by their square, ``"abs_end"`` by users times the
            absolute end of the curve (as in causalml, where a random score gets about .5), ``"perfect"`` takes off the
            straight line and divides by the same of the perfect curve (as scikit-uplift's ``uplift_auc_score``).

    Raises:
        ConfigError: As for :func:`qini`.
        InsufficientDataError: As for :func:`qini`.

    References:
        Devriendt, Guns & Verbeke (2020), Learning to rank for uplift modeling, IEEE TKDE.

    Examples:
        >>> auuc([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.1, 0.1, 0.5], normalize="none")
        0.625
    """
    one_of(normalize, "normalize", get_args(QiniNormalization))
    y, t, s = checked_trial(outcome, treatment, score)
    users, lift = _lift(y, t, s)
    if normalize != "perfect":
        return _divided(float(np.trapezoid(lift, users)), normalize, users=float(len(y)), end=float(lift[-1]))
    return _area(users, lift) / _of_the_perfect(_area(*_lift(y, t, perfect_scores(y, t)[1])))


def _divided(area: float, normalize: str, *, users: float, end: float) -> float:
    """The area over the divisor that was asked for."""
    if normalize == "none":
        return area / users
    if normalize == "n2":
        return area / users**2
    if end == 0:
        raise InsufficientDataError('the curve ends at 0, "abs_end" cannot divide by it. Use normalize="n2".')
    return area / (users * abs(end))


def _of_the_perfect(area: float) -> float:
    """The area of the perfect curve, as a divisor."""
    if area <= 0:
        raise InsufficientDataError('nobody responded: the perfect curve has no area. Use normalize="n2".')
    return area


def perfect_scores(y: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Scores of the perfect Qini curve and of the perfect uplift curve, as scikit-uplift has them.

    Raises:
        ConfigError: If an outcome is neither 0 nor 1.
    """
    strange = y[(y != 0) & (y != 1)]
    if len(strange):
        raise ConfigError(f'normalize="perfect" needs an outcome of 0 and 1; seen {strange[0]}.')
    more_controls = ((y == 1) & (t == 0)).sum() > ((y == 0) & (t == 1)).sum()
    return y * t - y * (1 - t), 2.0 * (y == t) + (y if more_controls else t)


def qini_curve(outcome: Any, treatment: Any, score: Any) -> pd.DataFrame:
    """The curve behind :func:`qini`, one row a distinct score from the highest down, beginning with nobody.

    Returns:
        Frame with ``users`` (targeted so far), ``score`` (the lowest among them; null in the first row), ``gain``
        (incremental outcome among the treated so far) and ``random`` (the straight line to the end).

    Examples:
        >>> qini_curve([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.1, 0.1, 0.5])["gain"].tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    y, t, s = checked_trial(outcome, treatment, score)
    users, gain = _curve(y, t, s)
    scores = np.concatenate([[np.nan], np.unique(s)[::-1]])
    return pd.DataFrame(
        {"users": users.astype(np.int64), "score": scores, "gain": gain, "random": gain[-1] * users / users[-1]}
    )


def checked_trial(outcome: Any, treatment: Any, score: Any) -> tuple[Floats, Floats, Floats]:
    """Outcomes, treatments and scores of a trial as arrays of one length, or an error that says what is wrong."""
    y = float_vector(outcome, "outcome")
    t = float_vector(treatment, "treatment", length=len(y))
    s = float_vector(score, "score", length=len(y))
    strange = t[(t != 0) & (t != 1)]
    if len(strange):
        raise ConfigError(f"treatment is 1 (treated) or 0 (control); seen {strange[0]}.")
    if not 0 < t.sum() < len(t):
        raise InsufficientDataError(
            "a trial needs treated and control users, one of the two groups is empty. Check treatment=."
        )
    return y, t, s


def _sums(y: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Treated, controls and their summed outcomes at each distinct score from the top, with the origin."""
    distinct, codes = np.unique(s, return_inverse=True)
    size = len(distinct)
    steps = [np.bincount(codes, weights, size)[::-1] for weights in (t, 1 - t, y * t, y * (1 - t))]
    nt, nc, yt, yc = (np.concatenate([[0.0], np.cumsum(step)]) for step in steps)
    return nt, nc, yt, yc


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _curve(y: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Numbers of users and gains at each distinct score from the top, with the origin."""
    nt, nc, yt, yc = _sums(y, t, s)
    return nt + nc, yt - yc * _ratio(nt, nc)


def _lift(y: Floats, t: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Numbers of users and what treating them all would bring, at each distinct score from the top."""
    nt, nc, yt, yc = _sums(y, t, s)
    return nt + nc, (_ratio(yt, nt) - _ratio(yc, nc)) * (nt + nc)


def _area(users: Floats, gain: Floats) -> float:
    """Area between the curve and the straight line to its end."""
    return float(np.trapezoid(gain, users) - gain[-1] * users[-1] / 2)


def areas_of(nt: Floats, nc: Floats, yt: Floats, yc: Floats) -> dict[str, Floats]:
    """Curves and areas of many trials at once: arguments are (trials, points), running sums from the top.

    Returns:
        ``users`` and ``end, lift_end`` (of the two curves), ``between`` (the Qini area), ``under`` (the area under the
        uplift curve), one a trial, and ``gain``, (trials, points).
    """
    users = nt + nc
    gain = yt - yc * _ratio(nt, nc)
    lift = (_ratio(yt, nt) - _ratio(yc, nc)) * users
    end, lift_end, size = gain[:, -1], lift[:, -1], users[:, -1]
    width = np.diff(users, axis=1, prepend=0.0)

    def area(curve: Floats) -> Floats:
        left = np.concatenate([np.zeros((len(curve), 1)), curve[:, :-1]], axis=1)
        return np.asarray(((curve + left) * width).sum(axis=1) / 2)

    return {
        "users": size,
        "gain": gain,
        "end": end,
        "lift_end": lift_end,
        "between": area(gain) - end * size / 2,
        "under": area(lift),
    }
