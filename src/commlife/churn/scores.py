"""Scores of a probability forecast, with intervals over users: one sort, all resamples at once."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["METRICS", "resampled", "roc_auc", "user_weights"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: The metrics of an evaluation, in their order; lift has its cap beside it, since no model can exceed it.
METRICS = ("roc_auc", "pr_auc", "brier", "ece", "lift@10%", "lift@10% cap")
_BINS = 10
_TOP = 0.10
#: Numbers held at once while resampling.
_CHUNK = 4_000_000


def roc_auc(silent: Array, score: Array) -> float:
    """Probability that one who fell silent scores above one who did not; ties count half."""
    order = np.argsort(score, kind="stable")
    return float(_roc(np.ones((1, len(score))), silent[order], _ends(score[order]))[0])


def user_weights(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    """How often each of n users stands in each bootstrap resample, ``(resamples, n)``."""
    weights = np.empty((resamples, n), dtype=np.float32)
    for row in weights:  # one resample at a time: n draws each, counted
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return weights


def resampled(silent: Array, p: Array, weights: np.ndarray[Any, Any]) -> Array:
    """Every metric under every row of weights: ``(rows of weights, metrics)``, in the order of :data:`METRICS`.

    Args:
        silent: 1.0 where the user fell silent.
        p: Forecast probabilities.
        weights: How often each user counts; a row of ones gives the metrics themselves.
    """
    order = np.argsort(p, kind="stable")
    y, q = silent[order], p[order]
    ends = _ends(q)
    bins = np.searchsorted(q, np.unique(np.quantile(q, np.arange(1, _BINS) / _BINS, method="inverted_cdf")), "right")
    bins = np.unique(np.concatenate([[0], bins[bins < len(q)]]))
    made = np.empty((len(weights), len(METRICS)))
    rows = max(1, _CHUNK // max(len(q), 1))
    for start in range(0, len(weights), rows):
        w = np.asarray(weights[start : start + rows], dtype=np.float64)[:, order]
        total = w.sum(axis=1)
        chunk = made[start : start + rows]
        chunk[:, 0] = _roc(w, y, ends)
        chunk[:, 1], chunk[:, 4] = _precision(w, y, ends)
        chunk[:, 2] = w @ (q - y) ** 2 / total
        chunk[:, 3] = np.abs(np.add.reduceat(w * (q - y), bins, axis=1)).sum(axis=1) / total
        base = w @ y / total
        with np.errstate(divide="ignore"):
            chunk[:, 5] = np.minimum(1 / base, 1 / _TOP)
    return made


def _ends(ascending: Array) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Positions at which a run of equal scores ends."""
    return np.flatnonzero(np.append(ascending[1:] != ascending[:-1], [True]))


def _runs(w: Array, ends: np.ndarray[Any, np.dtype[np.intp]]) -> Array:
    """Cumulated weights at the end of each run of ties, lowest scores first."""
    return np.cumsum(w, axis=1)[:, ends]


def _roc(w: Array, y: Array, ends: np.ndarray[Any, np.dtype[np.intp]]) -> Array:
    positive, negative = _runs(w * y, ends), _runs(w * (1 - y), ends)
    up = np.diff(positive, axis=1, prepend=0.0)
    middle = negative - 0.5 * np.diff(negative, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore"):
        return (up * middle).sum(axis=1) / (positive[:, -1] * negative[:, -1])


def _precision(w: Array, y: Array, ends: np.ndarray[Any, np.dtype[np.intp]]) -> tuple[Array, Array]:
    """Area under precision-recall (steps, ties together) and lift of the top tenth (ties in it share alike)."""
    hits, all_ = _runs(w * y, ends), _runs(w, ends)
    positives, total = hits[:, -1:], all_[:, -1:]
    step_hits, step_all = np.diff(hits, axis=1, prepend=0.0), np.diff(all_, axis=1, prepend=0.0)
    found = positives - hits + step_hits
    called = total - all_ + step_all
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, found / called, 0.0)
        area = (precision * step_hits).sum(axis=1) / positives[:, 0]
        # The share of each run that lies within the top tenth of the users.
        inside = np.clip(_TOP * total - (called - step_all), 0.0, step_all)
        share = np.where(step_all > 0, inside / step_all, 0.0)
        lift = (share * step_hits).sum(axis=1) / (_TOP * total[:, 0]) / (positives[:, 0] / total[:, 0])
    return area, lift
