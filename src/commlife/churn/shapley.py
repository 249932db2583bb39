"""Shapley values of the probability itself, exact for a few players: the leading groups of a user, and the rest."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np

from commlife.churn._progress import watched

__all__ = ["MOST_PLAYERS", "probability_shapley", "shapley_shares"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Forecast = Callable[[Array], Array]

#: Groups that are told apart at most: every one doubles the work.
MOST_PLAYERS = 8
#: Rows that are forecast at once.
_ROWS = 200_000


def probability_shapley(
    values: Array, players: np.ndarray[Any, Any], member_of: np.ndarray[Any, Any], background: Array, forecast: Forecast
) -> tuple[Array, float]:
    """Shapley values (Shapley 1953) of the forecast probability for each user's own players.

    The players of a user are ``k`` groups of features, and all other features together. What a coalition is worth is
    the mean forecast with its features as they are for the user, and all others as they are for each of the users of
    the background in turn (interventional: Janzing, Minorics & Bloebaum 2020). All ``2 ** (k + 1)`` coalitions are
    evaluated, so nothing is approximated but the population by its background.

    Args:
        values: Features of the users, ``(n, features)``.
        players: Groups of each user, ``(n, k)``.
        member_of: Group of each feature, ``(features,)``.
        background: Features of the users that stand for everybody, ``(b, features)``.
        forecast: From features to probabilities.

    Returns:
        ``(n, k + 1)`` values, those of the rest last, and the mean forecast of the background, at which they start.
    """
    n, k = players.shape
    size = k + 1
    # Feature belongs to player: the position among the user's groups, or the last for the rest.
    owner = np.full((n, values.shape[1]), k, dtype=np.int64)
    for place in range(k):
        owner[member_of[None, :] == players[:, place][:, None]] = place
    base = float(forecast(background).mean())
    worth = np.empty((n, 2**size))
    worth[:, 0] = base
    worth[:, -1] = forecast(values)
    between = np.arange(1, 2**size - 1)
    b = len(background)
    each = max(1, _ROWS // (len(between) * b))
    for start in watched(range(0, n, each), "exact reasons"):
        rows = slice(start, min(start + each, n))
        # (users, coalitions, features): is the feature the user's own in this coalition?
        own = (between[None, :, None] >> owner[rows][:, None, :]) & 1 == 1
        mixed = np.where(own[:, :, None, :], values[rows][:, None, None, :], background[None, None, :, :])
        told = forecast(mixed.reshape(-1, values.shape[1]))
        worth[rows, 1:-1] = told.reshape(mixed.shape[:3]).mean(axis=2)
    return worth @ shapley_shares(size), base


def shapley_shares(size: int) -> Array:
    """How much each coalition's worth counts for each player, ``(2 ** size, size)``."""
    coalition = np.arange(2**size)
    count = np.array([int(c).bit_count() for c in coalition])
    made = np.empty((2**size, size))
    for player in range(size):
        inside = (coalition >> player & 1).astype(bool)
        # With the player in it, the others are count - 1; without, count.
        others = count - inside
        weight = np.array(
            [factorial(int(m)) * factorial(size - 1 - int(m)) / factorial(size) if m < size else 0.0 for m in others]
        )
        made[:, player] = np.where(inside, weight, -weight)
    return made
