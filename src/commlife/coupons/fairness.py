"""Fairness: who gets less off the same basket, by attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from commlife._stats.distributions import student_pvalue
from commlife._stats.multiplicity import benjamini_hochberg
from commlife._stats.wilson import wilson_interval
from commlife.effects._inputs import float_vector
from commlife.errors import ConfigError

__all__ = ["fairness_audit"]

#: More levels than this are cut into thirds if they are numbers, and refused if they are labels.
MAX_LEVELS = 50


def fairness_audit(discount: Any, attributes: pd.DataFrame) -> pd.DataFrame:
    """Do some users get less off the same prices than others? One row a level of each attribute.

    It compares the discount offered on the same basket, which is the difference in payable price that a plan makes.
    It proves neither that a difference is wrong (calling back silent users is meant to favour them) nor that a plan
    without one is fair to each user; it shows what must be defended.

    Args:
        discount: What each user is offered off the same basket, 0 for none.
        attributes: One row a user, one column an attribute: labels, or numbers, which are cut into thirds.

    Returns:
        Frame with ``attribute, level, users, share_given, share_low, share_high`` (95% Wilson), ``mean_discount``,
        ``difference`` (to the mean of all others), ``p_value`` (Welch, two-sided; null where a side has fewer than two
        users) and ``q_value`` (Benjamini-Hochberg over all rows).

    Raises:
        ConfigError: If lengths differ, a discount is not finite or negative, or an attribute has too many levels.

    Examples:
        >>> table = fairness_audit([5, 0, 5, 0], pd.DataFrame({"tenure": ["long", "long", "short", "short"]}))
        >>> table[["level", "mean_discount", "difference"]].values.tolist()
        [['long', 2.5, 0.0], ['short', 2.5, 0.0]]
    """
    if not isinstance(attributes, pd.DataFrame) or attributes.shape[1] == 0:
        raise ConfigError("attributes is a pandas frame with a column an attribute, one row a user. Convert it.")
    if not attributes.columns.is_unique:
        raise ConfigError(f"attributes have distinct columns; seen {list(map(str, attributes.columns))}. Rename one.")
    off = float_vector(discount, "discount", length=len(attributes))
    if off.min() < 0:
        raise ConfigError(f"a discount is at least 0; seen {off.min()}.")
    rows = [row for name in attributes.columns for row in _levels(str(name), attributes[name], off)]
    table = pd.DataFrame(rows)
    known = table["p_value"].notna()
    table["q_value"] = np.nan
    table.loc[known, "q_value"] = benjamini_hochberg(table.loc[known, "p_value"].to_numpy())
    return table


def _levels(name: str, column: pd.Series[Any], off: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    codes, levels = _coded(name, column)
    rows = []
    for index, level in enumerate(levels):
        inside = codes == index
        mine, others = off[inside], off[~inside]
        if len(mine) == 0:
            continue
        given = int((mine > 0).sum())
        low, high = wilson_interval(given, len(mine))
        rows.append(
            {
                "attribute": name,
                "level": level,
                "users": len(mine),
                "share_given": given / len(mine),
                "share_low": float(low),
                "share_high": float(high),
                "mean_discount": float(mine.mean()),
                "difference": float(mine.mean() - others.mean()) if len(others) else float("nan"),
                "p_value": _welch(mine, others),
            }
        )
    return rows


def _coded(name: str, column: pd.Series[Any]) -> tuple[np.ndarray[Any, Any], list[str]]:
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 10:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        cuts = np.unique(np.nanquantile(values, [1 / 3, 2 / 3]))
        codes = np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left"))
        words = ["lowest third", "middle third", "highest third"] if len(cuts) == 2 else ["lower part", "upper part"]
        return codes, [*words, "unknown"]
    texts = column.astype(object).where(column.notna(), "unknown").astype(str)
    codes, levels = pd.factorize(texts, sort=True)
    if len(levels) > MAX_LEVELS:
        raise ConfigError(f"attribute {name!r} has {len(levels):,} levels, more than {MAX_LEVELS}. Group them.")
    return codes, [str(level) for level in levels]


def _welch(mine: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> float:
    if min(len(mine), len(others)) < 2:
        return float("nan")
    parts = [group.var(ddof=1) / len(group) for group in (mine, others)]
    error, gap = float(np.sqrt(sum(parts))), float(mine.mean() - others.mean())
    if error == 0:
        return 1.0 if gap == 0 else 0.0
    degrees = sum(parts) ** 2 / sum(part**2 / (len(g) - 1) for part, g in zip(parts, (mine, others), strict=True))
    return student_pvalue(gap / error, degrees)
