"""Reasons: why this user is likely to fall silent, in points that add up to the probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.churn._explained import Forecast, explain
from commlife.churn.shapley import MOST_PLAYERS, probability_shapley
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.churn.calibration import AffineMap
    from commlife.churn.catalogue import Feature
    from commlife.churn.forest import Forest

__all__ = [
    "COLUMNS",
    "MODES",
    "Reasons",
    "check_mode",
    "check_reasons",
    "check_share",
    "find_reasons",
    "pushing",
    "reason_table",
    "riskiest",
    "sentences",
]

Array = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]
Texts = np.ndarray[Any, np.dtype[np.object_]]

COLUMNS = ("user_id", "p_silent", "p_base", "reason_rank", "driver", "value", "contribution_pp", "sentence")
MODES = ("fast", "exact")


@dataclass(frozen=True)
class Reasons:
    """The groups that weigh most for each of n users.

    Attributes:
        p: Probability of silence, ``(n,)``.
        p_base: Where contributions start.
        which: The feature that speaks for each group, ``(n, k)``.
        values: Its value.
        points: What the group adds, in the unit of the probability.
        approximate: Whether points are shares of the log-odds scaled to probability (the fast mode).
    """

    p: Array
    p_base: float
    which: Places
    values: Array
    points: Array
    approximate: bool

    @property
    def rest(self) -> Array:
        """What all other groups add: what is left of p, so that sums hold to the last bit that matters."""
        return self.p - self.p_base - self.points.sum(axis=1)


def find_reasons(
    X: Array,
    *,
    forest: Forest,
    calibration: AffineMap,
    features: tuple[Feature, ...],
    groups: tuple[tuple[str, ...], ...],
    k: int,
    background: Array | None = None,
) -> Reasons:
    """The k groups that weigh most for each user.

    Args:
        X: Features, ``(n, features)``.
        forest: The trees.
        calibration: The line through their log-odds.
        features: The features.
        groups: Groups of features.
        k: Reasons a user.
        background: Users that stand for everybody: with them, points are exact Shapley values of the probability.

    Raises:
        ConfigError: If there are fewer than ``k`` groups, or too many for the exact mode.
    """
    check_reasons(k, len(groups), exact=background is not None)
    explained = explain(forest, calibration, X)
    column = {feature.name: position for position, feature in enumerate(features)}
    n = len(X)
    points, weight = np.empty((n, len(groups))), np.empty((n, len(groups)))
    speaker = np.empty((n, len(groups)), dtype=np.int64)
    member_of = np.empty(len(features), dtype=np.int64)
    for g, members in enumerate(groups):
        within = np.array([column[name] for name in members])
        member_of[within] = g
        points[:, g] = explained.points[:, within].sum(axis=1)
        weight[:, g] = np.abs(explained.log_odds[:, within].sum(axis=1))
        speaker[:, g] = within[np.abs(explained.log_odds[:, within]).argmax(axis=1)]
    top = np.argsort(-weight, axis=1, kind="stable")[:, :k]
    which = np.take_along_axis(speaker, top, axis=1)
    said = np.take_along_axis(points, top, axis=1)
    made = Reasons(explained.p, explained.p_base, which, np.take_along_axis(X, which, axis=1), said, approximate=True)
    if background is None:
        return made
    forecast = Forecast(forest, calibration)
    exact, base = probability_shapley(X, top, member_of, background, forecast)
    order = np.argsort(-np.abs(exact[:, :k]), axis=1, kind="stable")
    return replace(
        made,
        p_base=base,
        which=np.take_along_axis(which, order, axis=1),
        values=np.take_along_axis(made.values, order, axis=1),
        points=np.take_along_axis(exact[:, :k], order, axis=1),
        approximate=False,
    )


def check_reasons(k: int, n_groups: int, *, exact: bool) -> None:
    """Refuse a number of reasons that there is not.

    Raises:
        ConfigError: If there are fewer than ``k`` groups, or too many for the exact mode.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= n_groups:
        raise ConfigError(f"reasons: k is a whole number from 1 to {n_groups} (the groups of features); seen {k!r}.")
    if exact and k > MOST_PLAYERS:
        raise ConfigError(f'reasons: mode="exact" tells at most {MOST_PLAYERS} reasons apart; seen k={k}. Use fewer.')


def pushing(told: Reasons, k: int) -> tuple[Reasons, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The first k reasons of each user that push the risk up, and where there are so many."""
    up = told.points > 0
    place = np.cumsum(up, axis=1)
    chosen = np.column_stack([(up & (place == rank)).argmax(axis=1) for rank in range(1, k + 1)])
    there = place[:, -1:] >= np.arange(1, k + 1)
    first = replace(
        told,
        which=np.take_along_axis(told.which, chosen, axis=1),
        values=np.take_along_axis(told.values, chosen, axis=1),
        points=np.take_along_axis(told.points, chosen, axis=1),
    )
    return first, there


def riskiest(p: Array, share: float) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Rows of the given share of users with the highest probability, in the order of the rows.

    Raises:
        ConfigError: If the share is not in (0, 1].
    """
    return np.sort(np.argsort(-p, kind="stable")[: int(np.ceil(check_share(share) * len(p)))])


def check_share(share: float) -> float:
    """The share of users to explain.

    Raises:
        ConfigError: If the share is not in (0, 1].
    """
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise ConfigError(f"reasons: users is a share in (0, 1], such as 0.05; seen {share!r:.40}.")
    return share


def check_mode(mode: str) -> bool:
    """Whether the mode is the exact one.

    Raises:
        ConfigError: If there is no such mode.
    """
    if mode not in MODES:
        raise ConfigError.unknown_name("reasons: mode", mode, MODES)
    return mode == "exact"


def reason_table(
    users: pd.Series[Any], told: Reasons, *, features: tuple[Feature, ...], typical: dict[str, float], lang: str
) -> pd.DataFrame:
    """K rows a user and one "other".

    The contribution is that of a whole group of correlated features; the driver and its value are those of the
    feature that weighs most within the group for this user.
    """
    names = np.asarray([feature.name for feature in features], dtype=object)
    n, k = told.points.shape
    each, rest = k + 1, told.rest
    sentence = np.column_stack([sentences(told, features, typical, lang), _rest_sentences(rest, told, lang)])
    driver = np.column_stack([names[told.which], np.full(n, "other", dtype=object)])
    table = pd.DataFrame(
        {
            "user_id": users.repeat(each).reset_index(drop=True),
            "p_silent": np.repeat(told.p, each),
            "p_base": told.p_base,
            "reason_rank": np.tile(np.arange(1, each + 1), n),
            "driver": pd.array(driver.ravel(), dtype="str"),
            "value": np.column_stack([told.values, np.full(n, np.nan)]).ravel(),
            "contribution_pp": np.column_stack([told.points, rest]).ravel(),
            "sentence": pd.array(sentence.ravel(), dtype="str"),
        }
    )
    return table[list(COLUMNS)]


def sentences(told: Reasons, features: tuple[Feature, ...], typical: dict[str, float], lang: str) -> Texts:
    """One sentence a reason, in the shape of ``which``; the fast mode says "about"."""
    zh = lang == "zh"
    label = np.asarray([feature.label(lang) for feature in features], dtype=object)
    usual = np.asarray([f"{typical[feature.name]:.4g}" for feature in features], dtype=object)
    value = np.char.mod("%.4g", told.values).astype(object)
    value[np.isnan(told.values)] = "无" if zh else "no value"
    points = np.char.mod("%+.1f", 100 * told.points).astype(object)
    about = _about(told, lang)
    if zh:
        opening = label[told.which] + "：" + value + "（通常 " + usual[told.which] + "），与沉默概率" + about + " "
        return np.asarray(opening + points + " 个百分点相关", dtype=object)
    opening = label[told.which] + ": " + value + " (typical " + usual[told.which] + "), associated with " + about
    return np.asarray(opening + points + " points", dtype=object)


def _about(told: Reasons, lang: str) -> str:
    if not told.approximate:
        return ""
    return "约" if lang == "zh" else "about "


def _rest_sentences(rest: Array, told: Reasons, lang: str) -> Texts:
    points: Texts = np.char.mod("%+.1f", 100 * rest).astype(object)
    if lang == "zh":
        return "其他特征合计：" + _about(told, lang) + " " * told.approximate + points + " 个百分点"
    return "all other features together: " + _about(told, lang) + points + " points"
