"""Itemsets of groups: what is bought together in each community or segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from commlife._text.notebook import Shown
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.basket.itemsets import FrequentItemsets

__all__ = ["ItemsetsByGroup"]


@dataclass(frozen=True, eq=False)
class ItemsetsByGroup(Shown):
    """Frequent itemsets, mined in each group apart.

    Attributes:
        by: What the groups are, such as ``"community"``; the first column of the frame.
        sets: The itemsets of each group, groups ascending. Counts and shares are of the group's own baskets.
        n_nameless: Baskets without a group, which are in none.
    """

    by: str
    sets: dict[Any, FrequentItemsets]
    n_nameless: int = 0

    def __len__(self) -> int:
        return len(self.sets)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sets)

    def __getitem__(self, group: Any) -> FrequentItemsets:
        try:
            return self.sets[group]
        except (KeyError, TypeError):
            raise ConfigError.unknown_name(self.by, group, [str(name) for name in self.sets]) from None

    def __repr__(self) -> str:
        total = sum(map(len, self.sets.values()))
        rest = f", {self.n_nameless:,} baskets without one" if self.n_nameless else ""
        return f"ItemsetsByGroup({len(self.sets):,} groups by {self.by}{rest}; {total:,} itemsets)"

    def to_frame(self) -> pd.DataFrame:
        """The frames of all groups one below the other, the group in the first column, then ``baskets``, its size."""
        parts = []
        for name, sets in self.sets.items():
            part = sets.to_frame()
            part.insert(0, self.by, [name] * len(part))
            part.insert(1, "baskets", sets.n_baskets)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)
