"""Quadrants: value against churn, and what to do with each of the four."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from commlife import _engine
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError

__all__ = ["QUADRANTS", "Quadrants", "quadrants"]

#: By (value is high, churn is high): name, Chinese name, action, Chinese action.
QUADRANTS = {
    (True, False): ("keep", "维护", "Thank and reward; no discounts.", "致谢与奖励；无需折扣。"),
    (True, True): ("rescue", "挽留", "Call in person this week; ask why.", "本周人工回访，询问原因。"),
    (False, False): ("grow", "提升", "Recommend a second category; bundles.", "推荐第二品类与组合。"),
    (False, True): ("let go", "放缓", "Broad campaigns only.", "仅随大促触达。"),
}


@dataclass(frozen=True)
class Quadrants(Shown):
    """Users by value and churn.

    Attributes:
        users: A row a user who is in both inputs, in the kind of frame of ``value``: ``user_id, value, churn, quadrant,
            next_action``.
        table: A row a quadrant: ``quadrant, name_zh, users, share, mean_value, mean_churn, next_action``.
        value_cut: Users above it have high value.
        churn_cut: Users above it have high churn.
        lang: Language of ``next_action`` and of the figure.
    """

    users: Any
    table: pd.DataFrame
    value_cut: float
    churn_cut: float
    lang: Literal["en", "zh"] = "en"

    def to_frame(self) -> pd.DataFrame:
        """The table of the four quadrants."""
        return self.table.copy()

    def plot(self, ax: Any = None) -> Any:
        """The users as points, the cuts as lines; returns the matplotlib Axes."""
        from commlife.segments.figures import draw_quadrants

        return draw_quadrants(self, ax)

    def __repr__(self) -> str:
        told = ", ".join(f"{row.users:,} {row.quadrant}" for row in self.table.itertuples())
        return f"Quadrants({told})"


def quadrants(
    value: Any,
    churn: Any,
    *,
    value_column: str = "value_index",
    churn_column: str = "churn_index",
    value_cut: float | None = None,
    churn_cut: float | None = None,
    lang: Literal["en", "zh"] = "en",
) -> Quadrants:
    """Divide users into four by value and churn; users in only one of the two frames are left out.

    Args:
        value: A frame with ``user_id`` and ``value_column``, such as ``FittedValueIndex.transform`` gives.
        churn: A frame with ``user_id`` and ``churn_column``: the churn index of ``Loyalty``, or any probability.
        value_column: Name of the value.
        churn_column: Name of the churn.
        value_cut: Above it value is high; the median of the users by default.
        churn_cut: Above it churn is high; the median by default.
        lang: Language of ``next_action``.

    Raises:
        ConfigError: If a column is missing, holds no finite numbers or a user twice, or a cut is not finite.
        InsufficientDataError: If no user is in both frames.

    Examples:
        >>> value = pd.DataFrame({"user_id": [1, 2], "value_index": [0.9, 0.1]})
        >>> churn = pd.DataFrame({"user_id": [1, 2], "churn_index": [0.8, 0.2]})
        >>> quadrants(value, churn)
        Quadrants(0 keep, 1 rescue, 1 grow, 0 let go)
    """
    if lang not in ("en", "zh"):
        raise ConfigError.unknown_name("lang", lang, ("en", "zh"))
    left, right = _column(value, value_column, "value"), _column(churn, churn_column, "churn")
    if left["user_id"].dtype != right["user_id"].dtype:
        raise ConfigError(
            f"the ids of value and churn are of different types: {left['user_id'].dtype}, {right['user_id'].dtype}."
            " Convert one of them."
        )
    both = left.merge(right, on="user_id").sort_values("user_id", ignore_index=True)
    if both.empty:
        raise InsufficientDataError(
            "quadrants need users who are in both frames; value and churn share none."
            " Give two frames of the same users."
        )
    cuts = {"value": value_cut, "churn": churn_cut}
    for name, cut in cuts.items():
        if cut is None:
            cuts[name] = float(np.median(np.sort(both[name].to_numpy())))
        elif isinstance(cut, bool) or not isinstance(cut, (int, float)) or not math.isfinite(cut):
            raise ConfigError(f"{name}_cut is a finite number; seen {cut!r:.40}.")
    at_value, at_churn = float(cuts["value"] or 0.0), float(cuts["churn"] or 0.0)
    high = both["value"].to_numpy() > at_value
    leaving = both["churn"].to_numpy() > at_churn
    names = {key: told[0] for key, told in QUADRANTS.items()}
    number = np.where(high, np.where(leaving, 1, 0), np.where(leaving, 3, 2))
    both["quadrant"] = np.array(list(names.values()), dtype=object)[number]
    actions = [told[3] if lang == "zh" else told[2] for told in QUADRANTS.values()]
    both["next_action"] = np.array(actions, dtype=object)[number]
    users = np.bincount(number, minlength=4)
    sums = {name: np.bincount(number, weights=both[name], minlength=4) for name in ("value", "churn")}
    means = {name: np.where(users > 0, total / np.maximum(users, 1), np.nan) for name, total in sums.items()}
    table = pd.DataFrame(
        {
            "quadrant": list(names.values()),
            "name_zh": [told[1] for told in QUADRANTS.values()],
            "users": users,
            "share": users / len(both),
            "mean_value": means["value"],
            "mean_churn": means["churn"],
            "next_action": actions,
        }
    )
    kind = _engine.from_host(value).implementation
    return Quadrants(_engine.frame_like(both, kind), table, at_value, at_churn, lang)


def _column(frame: Any, column: str, name: str) -> pd.DataFrame:
    wrapped = _engine.from_host(frame)
    columns = wrapped.collect_schema().names()
    for wanted in ("user_id", column):
        if wanted not in columns:
            raise ConfigError.unknown_name(f"{name}: the column", wanted, columns)
    if not wrapped.collect_schema()[column].is_numeric():
        raise ConfigError(f"{name}: the column {column!r} holds no numbers. Convert it, or name another.")
    table = _engine.collect_rows(wrapped.select("user_id", column), call=f"quadrants: {name}").rename(
        columns={column: name}
    )
    if table["user_id"].isna().any() or table["user_id"].duplicated().any():
        raise ConfigError(f"{name}: a user stands twice, or an id is null; one row a user is needed. Drop the others.")
    values = table[name].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ConfigError(
            f"{name}: {int((~np.isfinite(values)).sum())} values of {column!r} are not finite."
            " Fill them in, or drop the rows."
        )
    return table.assign(**{name: values})
