"""Reasons: why this user is likely to fall silent, in points that add up to the probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.churn._explained import Explained
    from commlife.churn.catalogue import Feature

__all__ = ["COLUMNS", "reason_table"]

Array = np.ndarray[Any, np.dtype[np.float64]]

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
    names = tuple(feature.name for feature in features)
    n = len(users)
    column = {name: position for position, name in enumerate(names)}
    points = np.empty((n, len(groups)))
    weight = np.empty((n, len(groups)))
    speaker = np.empty((n, len(groups)), dtype=np.int64)
    for g, members in enumerate(groups):
        within = np.array([column[name] for name in members])
        points[:, g] = explained.points[:, within].sum(axis=1)
        weight[:, g] = np.abs(explained.log_odds[:, within].sum(axis=1))
        speaker[:, g] = within[np.abs(explained.log_odds[:, within]).argmax(axis=1)]
    top = np.argsort(-weight, axis=1, kind="stable")[:, :k]
    said = np.take_along_axis(points, top, axis=1)
    which = np.take_along_axis(speaker, top, axis=1)
    shown = np.take_along_axis(values, which, axis=1)
    # The rest is what is left of p, not a sum of small terms: so the identity holds to the last bit that matters.
    rest = explained.p - explained.p_base - said.sum(axis=1)
    contribution = np.column_stack([said, rest])
    driver = np.column_stack([np.asarray(names, dtype=object)[which], np.full(n, "other", dtype=object)])
    value = np.column_stack([shown, np.full(n, np.nan)])
    each = k + 1
    table = pd.DataFrame(
        {
            "user_id": users.repeat(each).reset_index(drop=True),
            "p_silent": np.repeat(explained.p, each),
            "p_base": explained.p_base,
            "reason_rank": np.tile(np.arange(1, each + 1), n),
            "driver": pd.array(driver.ravel(), dtype="str"),
            "value": value.ravel(),
            "contribution_pp": contribution.ravel(),
        }
    )
    labels = {feature.name: feature.label(lang) for feature in features}
    return table.assign(sentence=_sentences(table, labels, typical, lang))[list(COLUMNS)]


def _sentences(table: pd.DataFrame, labels: dict[str, str], typical: dict[str, float], lang: str) -> pd.Series[Any]:
    zh = lang == "zh"
    signed = pd.Series(np.char.mod("%+.1f", table["contribution_pp"].to_numpy() * 100), dtype="str")
    value = pd.Series(np.char.mod("%.4g", table["value"].to_numpy()), dtype="str")
    value = value.mask(table["value"].isna(), "无" if zh else "no value")
    usual = table["driver"].map(lambda name: f"{typical.get(name, np.nan):.4g}")
    label = table["driver"].map(labels)
    if zh:
        made = label + "：" + value + "（通常 " + usual + "），与沉默概率 " + signed + " 个百分点相关"
        rest = "其他特征合计：" + signed + " 个百分点"
    else:
        made = label + ": " + value + " (typical " + usual + "), associated with " + signed + " points"
        rest = "all other features together: " + signed + " points"
    return made.mask(table["driver"] == "other", rest).astype("str")
