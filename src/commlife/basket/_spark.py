"""Baskets on Spark: MLlib's FPGrowth counts where the rows are; only the itemsets come here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np

from commlife._engine import count_rows
from commlife.basket import _fpgrowth
from commlife.basket._codes import sorted_labels
from commlife.basket._orders import check_level, held_items, warn_of_nameless
from commlife.basket._thresholds import exact_fraction, least_count
from commlife.basket._trie import Level, canonical, trie_of
from commlife.basket.itemsets import FrequentItemsets, set_of
from commlife.errors import ConfigError, EngineError, InsufficientDataError
from commlife.orders.calendar import day_text

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["mine_on_spark"]


def mine_on_spark(
    log: OrderLog,
    day: int,
    *,
    min_support: Any,
    min_count: int | None,
    max_len: int | None,
    keep: Literal["all", "closed", "maximal"],
    exclude: Sequence[Any],
    level: str | Mapping[Any, Any],
    limit: int,
    refused: Mapping[str, Any],
) -> FrequentItemsets:
    """The itemsets of a log on Spark, equal to those of the same log elsewhere.

    Source: Li, Wang, Zhang, Zhang & Chang, "PFP: parallel FP-growth for query recommendation", RecSys 2008 (MLlib).

    Raises:
        EngineError: If what MLlib cannot do is asked for.
    """
    names = [name for name, value in refused.items() if value is not None]
    if names or not isinstance(level, str):
        names += [] if isinstance(level, str) else ["level as a taxonomy"]
        raise EngineError(
            f"{', '.join(names)}: not on Spark, whose FPGrowth counts baskets alike. Leave it out, or take a part of "
            "the log to pandas first."
        )
    check_level(level)
    held = held_items(log, day, level)
    n_orders = _rows(log._orders(day).filter(nw.col("counts")) if log.has("order_id") else held)
    if n_orders == 0:
        raise InsufficientDataError.no_payers("A basket", day_text(day))
    count = least_count(min_support, min_count, n_orders)
    named = held.filter(~nw.col("item").is_null())
    n_entries = _rows(named)
    n_held = _rows(held)
    warn_of_nameless(n_held - n_entries, n_held, level)
    lines = nw.to_native(named)
    labels = sorted_labels(_fpgrowth.labels_of(lines))
    dropped = set_of(exclude, "exclude")
    known = set(labels)
    unknown = [label for label in dropped if label not in known]
    if unknown:
        raise ConfigError(f"exclude: no basket holds {unknown[0]!r:.60}.")
    itemsets, excluded = _fpgrowth.itemsets_of(
        lines,
        in_orders=log.has("order_id"),
        dropped=dropped,
        count=count,
        # Whether a set is closed or maximal shows in those one item longer.
        longest=None if max_len is None else max_len if keep == "all" else max_len + 1,
        limit=limit,
    )
    return FrequentItemsets(
        n_baskets=n_orders,
        n_entries=n_entries - excluded,
        min_count=count,
        max_len=max_len,
        keep=keep,
        algorithm="spark",
        items=labels,
        _trie=trie_of(_levels(itemsets, labels), len(labels)),
        _share=None if min_support is None else exact_fraction(min_support, "min_support"),
        _level=level,
    )


def _levels(itemsets: list[tuple[tuple[Any, ...], int]], labels: list[Any]) -> list[Level]:
    code_of = {label: code for code, label in enumerate(labels)}
    levels = []
    for length in range(1, max((len(items) for items, _ in itemsets), default=0) + 1):
        some = [(items, count) for items, count in itemsets if len(items) == length]
        codes = np.array([[code_of[label] for label in items] for items, _ in some], dtype=np.int32)
        level = Level(np.sort(codes, axis=1), np.array([count for _, count in some], dtype=np.int64))
        levels.append(canonical(level, len(labels)))
    return levels


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return count_rows(frame)
