"""Reasons: why this user is likely to fall silent, in points that add up to the probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.churn._explained import Explained
    from commlife.churn.catalogue import Feature

__all__ = ["COLUMNS", "leading_reasons", "reason_table", "sentences"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]
Texts = np.ndarray[Any, np.dtype[np.object_]]

COLUMNS = ("user_id", "p_silent", "p_base", "reason_rank", "driver", "value", "contribution_pp", "sentence")


def reason_table(
    users: pd.Series[Any],
    values: Array,
    explained: Explained,
    *,
    features: tuple[Feature, ...],
    groups: tuple[tuple[str, ...], ...],
    typical: dict[str, float],
    k: int,
    lang: str,
) -> pd.DataFrame:
    """K rows a user and one "other".

    The contribution is that of a whole group of correlated features; the driver and its value are those of the
    feature that weighs most within the group for this user.

    Raises:
        ConfigError: If there are fewer than ``k`` groups.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(groups):
        raise ConfigError(f"reasons: k is a whole number from 1 to {len(groups)} (the groups of features); seen {k!r}.")
    names = np.asarray([feature.name for feature in features], dtype=object)
    n = len(users)
    which, shown, said = leading_reasons(values, explained, features=features, groups=groups, k=k)
    # The rest is what is left of p, not a sum of small terms: so the identity holds to the last bit that matters.
    rest = explained.p - explained.p_base - said.sum(axis=1)
    each = k + 1
    sentence = np.column_stack([sentences(which, shown, said, features, typical, lang), _rest_sentences(rest, lang)])
    driver = np.column_stack([names[which], np.full(n, "other", dtype=object)])
    table = pd.DataFrame(
        {
            "user_id": users.repeat(each).reset_index(drop=True),
            "p_silent": np.repeat(explained.p, each),
            "p_base": explained.p_base,
            "reason_rank": np.tile(np.arange(1, each + 1), n),
            "driver": pd.array(driver.ravel(), dtype="str"),
            "value": np.column_stack([shown, np.full(n, np.nan)]).ravel(),
            "contribution_pp": np.column_stack([said, rest]).ravel(),
            "sentence": pd.array(sentence.ravel(), dtype="str"),
        }
    )
    return table[list(COLUMNS)]


def leading_reasons(
    values: Array,
    explained: Explained,
    *,
    features: tuple[Feature, ...],
    groups: tuple[tuple[str, ...], ...],
    k: int,
) -> tuple[Places, Array, Array]:
    """The k groups that weigh most for each user: the feature that speaks for each, its value, the points."""
    n = len(values)
    column = {feature.name: position for position, feature in enumerate(features)}
    points = np.empty((n, len(groups)))
    weight = np.empty((n, len(groups)))
    speaker = np.empty((n, len(groups)), dtype=np.int64)
    for g, members in enumerate(groups):
        within = np.array([column[name] for name in members])
        points[:, g] = explained.points[:, within].sum(axis=1)
        weight[:, g] = np.abs(explained.log_odds[:, within].sum(axis=1))
        speaker[:, g] = within[np.abs(explained.log_odds[:, within]).argmax(axis=1)]
    top = np.argsort(-weight, axis=1, kind="stable")[:, :k]
    which = np.take_along_axis(speaker, top, axis=1)
    return which, np.take_along_axis(values, which, axis=1), np.take_along_axis(points, top, axis=1)


def sentences(
    which: Places, shown: Array, said: Array, features: tuple[Feature, ...], typical: dict[str, float], lang: str
) -> Texts:
    """One sentence a reason, in the shape of ``which``."""
    zh = lang == "zh"
    label = np.asarray([feature.label(lang) for feature in features], dtype=object)
    usual = np.asarray([f"{typical[feature.name]:.4g}" for feature in features], dtype=object)
    value = np.char.mod("%.4g", shown).astype(object)
    value[np.isnan(shown)] = "无" if zh else "no value"
    points = np.char.mod("%+.1f", 100 * said).astype(object)
    if zh:
        return label[which] + "：" + value + "（通常 " + usual[which] + "），与沉默概率 " + points + " 个百分点相关"
    return label[which] + ": " + value + " (typical " + usual[which] + "), associated with " + points + " points"


def _rest_sentences(rest: Array, lang: str) -> Texts:
    points: Texts = np.char.mod("%+.1f", 100 * rest).astype(object)
    if lang == "zh":
        return "其他特征合计：" + points + " 个百分点"
    return "all other features together: " + points + " points"
