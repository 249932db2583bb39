"""Segment summary: users and money of each segment, and what to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._text.notebook import Shown

if TYPE_CHECKING:
    from commlife.segments.segment_map import SegmentMap

__all__ = ["SegmentSummary", "summarise"]


@dataclass(frozen=True, slots=True)
class SegmentSummary(Shown):
    """The segments of a population.

    Attributes:
        table: A row a segment of the map, empty ones included, in the order of the map: ``segment, users, user_share,
            monetary`` (major units; the sum of the users' means where the spec says so), ``money_share,
            mean_recency_days, mean_frequency, mean_monetary`` (null where nobody is), ``next_action``.
        grid: A row a cell of the recency by frequency grid: ``r_score, f_score, users, monetary, segment`` (the one
            that holds most of its users).
        n_bins: Scores of the grid.
        lang: Language of the names, None for the map's own.
    """

    table: pd.DataFrame
    grid: pd.DataFrame
    n_bins: int = 5
    lang: str | None = None

    def to_frame(self) -> pd.DataFrame:
        """The table of segments."""
        return self.table.copy()

    def plot(self, ax: Any = None) -> Any:
        """The recency by frequency grid, coloured by users, with users and money a cell; returns the Axes."""
        from commlife.segments.figures import draw_grid

        return draw_grid(self, ax)

    def __repr__(self) -> str:
        held = self.table[self.table["users"] > 0]
        return f"SegmentSummary({int(held['users'].sum()):,} users in {len(held)} of {len(self.table)} segments)"


def summarise(cells: pd.DataFrame, segment_map: SegmentMap, *, scale: int, lang: str | None) -> SegmentSummary:
    """Bring the cells of the RFM cube together by segment and by recency and frequency."""
    rows = []
    for segment in segment_map.segments:
        held = cells[cells["rfm_code"].isin(segment.codes)]
        users = int(held["users"].sum())
        sums = [int(held[name].sum()) for name in ("minor", "recency_days", "frequency")]
        mean = [total / users if users else np.nan for total in sums]
        action = segment.next_action_zh if lang == "zh" else segment.next_action_en
        rows.append((segment.label(lang), users, sums[0], mean[1], mean[2], mean[0] / scale, action))
    columns = ["segment", "users", "minor", "mean_recency_days", "mean_frequency", "mean_monetary", "next_action"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(2, "user_share", table["users"] / table["users"].sum())
    whole = table["minor"].sum()
    table.insert(3, "monetary", table["minor"] / scale)
    table.insert(4, "money_share", table["minor"] / whole if whole else np.nan)
    grid = cells.groupby(["r_score", "f_score"], as_index=False)[["users", "minor"]].sum()
    grid["monetary"] = grid["minor"] / scale
    named = cells.assign(
        segment=cells["rfm_code"].map(segment_map.labels("zh" if lang == "zh" else "en" if lang else None))
    )
    most = named.groupby(["r_score", "f_score", "segment"]).agg(users=("users", "sum")).reset_index()
    most = most.sort_values(["users", "segment"], ascending=[False, True]).drop_duplicates(["r_score", "f_score"])
    grid = grid.merge(most[["r_score", "f_score", "segment"]], on=["r_score", "f_score"], how="left")
    return SegmentSummary(table.drop(columns="minor"), grid.drop(columns="minor"), segment_map.n_bins, lang)
