"""MLlib's FPGrowth over the lines of a log on Spark: only the itemsets come here (``make test-engines`` tries it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commlife.errors import ConfigError

__all__ = ["itemsets_of", "labels_of"]


def labels_of(lines: Any) -> list[Any]:
    """The distinct items."""
    return [row["item"] for row in lines.select("item").distinct().collect()]


def itemsets_of(
    lines: Any, *, in_orders: bool, dropped: Sequence[Any], count: int, longest: int | None, limit: int
) -> tuple[list[tuple[tuple[Any, ...], int]], int]:
    """The itemsets that at least ``count`` baskets hold, with their counts; how many lines were dropped.

    Args:
        lines: A Spark frame with ``item``, and ``user_id, order_id`` where several lines make a basket.
        in_orders: Whether lines of one order are one basket.
        dropped: Items left out.
        count: Baskets needed.
        longest: Most items of an itemset.
        limit: Most itemsets.

    Raises:
        ConfigError: If there are more.
    """
    from pyspark.ml.fpm import FPGrowth
    from pyspark.sql import functions as f

    if in_orders:
        rows = lines.groupBy("user_id", "order_id").agg(f.collect_set("item").alias("items")).select("items")
    else:
        rows = lines.select(f.array("item").alias("items"))
    if dropped:
        rows = rows.select(f.array_except("items", f.array(*(f.lit(label) for label in dropped))).alias("items"))
    rows = rows.persist()
    try:
        n_rows = int(rows.count())
        # MLlib takes a share and rounds it up to a count; half a basket below the count is safe from float slips.
        model = FPGrowth(itemsCol="items", minSupport=max(0.0, (count - 0.5) / max(n_rows, 1))).fit(rows)
        found = model.freqItemsets
        if longest is not None:
            found = found.filter(f.size("items") <= longest)
        if count > n_rows:
            found = found.limit(0)
        found = found.persist()
        size = int(found.count())
        if size > limit:
            raise ConfigError(
                f"min_count={count} gives {size:,} itemsets, more than max_itemsets={limit:,}. Raise the threshold, "
                "set max_len, or raise max_itemsets."
            )
        itemsets = [(tuple(row["items"]), int(row["freq"])) for row in found.collect()]
        found.unpersist()
        excluded = int(lines.filter(f.col("item").isin(list(dropped))).count()) if dropped else 0
    finally:
        rows.unpersist()
    return itemsets, excluded
