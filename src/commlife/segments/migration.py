"""Migration: who moved from which segment to which between two dates, in users and in money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from commlife import _engine
from commlife._text import check_language
from commlife._text.notebook import Shown
from commlife.errors import ConfigError

__all__ = ["Migration", "migration"]

_NEEDED = ("user_id", "segment", "monetary")
#: Stands for "no payer then" while segments are joined; shown as null.
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Migration(Shown):
    """Transitions between segments.

    Attributes:
        table: A row a pair of segments that occurs: ``from_segment`` (null: no payer before), ``to_segment`` (null:
            no payer after), ``users``, ``share`` (of the users of ``from_segment``), ``monetary_before``,
            ``monetary_after`` (major units).
    """

    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The table of transitions."""
        return self.table.copy()

    def wide(self, value: str = "users") -> pd.DataFrame:
        """The matrix of one column of the table: from segments down, to segments across; users who came are row "".

        Raises:
            ConfigError: If ``value`` is no column of numbers of the table.
        """
        allowed = ("users", "share", "monetary_before", "monetary_after")
        if value not in allowed:
            raise ConfigError.unknown_name("value", value, allowed)
        filled = self.table.fillna({"from_segment": _NOBODY, "to_segment": _NOBODY})
        return filled.pivot_table(index="from_segment", columns="to_segment", values=value, fill_value=0, aggfunc="sum")

    def plot(self, ax: Any = None, *, lang: str = "en") -> Any:
        """The matrix as a heat map: where the users of each segment went; returns the matplotlib Axes.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``, for all but the segments' own names, which are as the scoring gave them.

        Raises:
            ConfigError: If the language is none of ours.
        """
        from commlife.segments.figures import draw_migration

        return draw_migration(self, ax, lang=check_language(lang))

    def __repr__(self) -> str:
        moved = self.table.loc[self.table["from_segment"] != self.table["to_segment"], "users"].sum()
        return f"Migration({int(self.table['users'].sum()):,} users, {int(moved):,} of them changed segment)"


def migration(before: Any, after: Any) -> Migration:
    """The segment transition matrix between two dates, with users and money.

    Args:
        before: What ``FittedRFM.transform`` gave at the earlier date (any frame with ``user_id, segment, monetary``).
        after: The same at the later date, by the same cuts.

    Returns:
        Every user of either frame in exactly one cell.

    Raises:
        ConfigError: If a column is missing, a user stands twice, or the ids are of different types.

    Examples:
        >>> then = pd.DataFrame({"user_id": [1, 2], "segment": ["New", "Loyal"], "monetary": [5.0, 80.0]})
        >>> now = pd.DataFrame({"user_id": [1, 2], "segment": ["Loyal", "Loyal"], "monetary": [60.0, 99.0]})
        >>> migration(then, now)
        Migration(2 users, 1 of them changed segment)
    """
    old, new = _checked(before, "before"), _checked(after, "after")
    sides = (
        old.rename(columns={"segment": "from_segment", "monetary": "monetary_before"}),
        new.rename(columns={"segment": "to_segment", "monetary": "monetary_after"}),
    )
    if old["user_id"].dtype != new["user_id"].dtype:
        raise ConfigError(
            f"the ids of before and after are of different types: {old['user_id'].dtype} and {new['user_id'].dtype}. "
            "Give two results of the same log."
        )
    users = sides[0].merge(sides[1], on="user_id", how="outer", sort=True)
    keys = ["from_segment", "to_segment"]
    users[keys] = users[keys].fillna(_NOBODY)
    cells = users.groupby(keys, as_index=False).agg(
        users=("user_id", "size"), monetary_before=("monetary_before", "sum"), monetary_after=("monetary_after", "sum")
    )
    cells["share"] = cells["users"] / cells.groupby("from_segment")["users"].transform("sum")
    for name in keys:
        cells[name] = cells[name].astype(object).where(cells[name] != _NOBODY, None)
    return Migration(cells[[*keys, "users", "share", "monetary_before", "monetary_after"]].astype({"users": np.int64}))


def _checked(frame: Any, name: str) -> pd.DataFrame:
    wrapped = _engine.from_host(frame)
    columns = wrapped.collect_schema().names()
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise ConfigError(f"{name} has no column {', '.join(missing)}; give what FittedRFM.transform returned.")
    table = _engine.collect_rows(wrapped.select(*_NEEDED), call=f"migration: {name}")
    if table["user_id"].duplicated().any() or table.isna().any(axis=None):
        raise ConfigError(f"{name} has a user twice, or a null; give what FittedRFM.transform returned.")
    return table
