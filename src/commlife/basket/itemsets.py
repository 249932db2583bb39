"""Frequent itemsets: what is bought together, how often, without exception and without chance."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from commlife.basket._baskets import baskets_of
from commlife.basket._condensed import condense
from commlife.basket._mining import ALGORITHMS, MOST_ITEMSETS, find_itemsets
from commlife.basket._orders import baskets_of_orders, is_order_log
from commlife.basket._thresholds import least_count, whole_number
from commlife.basket._trie import levels_of
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal
    from fractions import Fraction

    from commlife.basket._baskets import Baskets
    from commlife.basket._trie import Level, Trie
    from commlife.orders.calendar import Timestamp

__all__ = ["FrequentItemsets", "frequent_itemsets"]

KEEP = ("all", "closed", "maximal")


@dataclass(frozen=True, eq=False)
class FrequentItemsets:
    """The itemsets that at least ``min_count`` baskets hold.

    Inside, an itemset takes 12 bytes; :meth:`to_frame` makes the table that people read.

    Attributes:
        n_baskets: Number of baskets, empty ones included: the denominator of every support.
        n_entries: Number of (basket, item) entries, an item once a basket.
        min_count: Least number of baskets; ``ceil(min_support * n_baskets)`` where a fraction was given.
        max_len: Most items of an itemset, None for any.
        keep: ``"all"``, ``"closed"`` or ``"maximal"``.
        algorithm: The miner that ran, ``"compiled"`` or ``"numpy"``; the answer does not depend on it.
        items: Labels of all items, ascending; codes point into it.
    """

    n_baskets: int
    n_entries: int
    min_count: int
    max_len: int | None
    keep: Literal["all", "closed", "maximal"]
    algorithm: Literal["compiled", "numpy"]
    items: list[Any]
    _trie: Trie

    def __len__(self) -> int:
        if self.keep == "all":
            return int(self._trie.parent.size)
        return sum(level.count.size for level in self._levels)

    def __repr__(self) -> str:
        return (
            f"FrequentItemsets({len(self):,} {self.keep} itemsets in at least {self.min_count:,} of "
            f"{self.n_baskets:,} baskets, up to {len(self._levels)} items)"
        )

    @cached_property
    def _levels(self) -> list[Level]:
        levels = levels_of(self._trie, len(self.items))
        if self.keep == "all":
            return levels
        # Mined to one item more than max_len, so that the longest ones know their supersets.
        levels = condense(levels, len(self.items), self.keep)[: self.max_len]
        while levels and not levels[-1].count.size:
            levels.pop()
        return levels

    @cached_property
    def _tuples(self) -> np.ndarray[Any, np.dtype[np.object_]]:
        """All itemsets in canonical order, as tuples of labels."""
        labels = np.fromiter(self.items, dtype=object, count=len(self.items))
        parts = [zip(*labels[level.codes].T, strict=True) for level in self._levels]
        return np.fromiter((itemset for part in parts for itemset in part), dtype=object, count=len(self))

    @cached_property
    def _counts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Counts in canonical order."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(level.count for level in self._levels)])

    def to_frame(self) -> pd.DataFrame:
        """The itemsets by length, then from the most frequent to the least, then by their items.

        Returns:
            Columns ``itemset`` (a tuple of labels, ascending), ``length``, ``count`` (baskets that hold all of it)
            and ``support`` (``count / n_baskets``).
        """
        lengths = [np.full(level.count.size, level.codes.shape[1], dtype=np.int64) for level in self._levels]
        return pd.DataFrame(
            {
                "itemset": pd.Series(self._tuples, dtype=object),
                "length": np.concatenate([np.zeros(0, dtype=np.int64), *lengths]),
                "count": self._counts,
                "support": self._counts / self.n_baskets,
            }
        )

    def count_of(self, itemset: Iterable[Any]) -> int | None:
        """Number of baskets that hold ``itemset``, None if it is not among these itemsets.

        Raises:
            ConfigError: If an item is not in any basket, with the nearest one that is.

        Examples:
            >>> sets = frequent_itemsets([["milk", "eggs"], ["milk"], ["eggs", "milk"]], min_count=2)
            >>> sets.count_of(["milk", "eggs"])
            2
        """
        codes = np.unique(codes_of(self.items, itemset, "itemset"))
        if not 1 <= codes.size <= len(self._levels):
            return None
        level = self._levels[codes.size - 1]
        found = np.flatnonzero((level.codes == codes).all(axis=1))
        return int(level.count[found[0]]) if found.size else None


def codes_of(items: list[Any], wanted: Iterable[Any], name: str) -> list[int]:
    """Codes of labels; unknown ones are an error that suggests the nearest."""
    if isinstance(wanted, str):
        raise ConfigError(f"{name} is a list of items, such as [{wanted!r}]; seen the text {wanted!r}.")
    positions = {label: code for code, label in enumerate(items)}
    codes = []
    for label in wanted:
        try:
            code = positions.get(label)
        except TypeError:
            code = None
        if code is None:
            close = difflib.get_close_matches(str(label), [str(known) for known in items], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"{name}: no basket holds {label!r:.60}.{hint}")
        codes.append(code)
    return codes


def frequent_itemsets(
    baskets: Any,
    *,
    min_support: float | Fraction | Decimal | None = None,
    min_count: int | None = None,
    max_len: int | None = None,
    keep: Literal["all", "closed", "maximal"] = "all",
    exclude: Sequence[Any] = (),
    as_of: Timestamp | None = None,
    level: str = "item_id",
    basket: str = "basket",
    item: str = "item",
    algorithm: Literal["auto", "compiled", "numpy"] = "auto",
    max_itemsets: int = 10_000_000,
) -> FrequentItemsets:
    """List every itemset that at least so many baskets hold: the question of Apriori, answered exactly.

    An item counts once a basket. The threshold is exact: ``min_support=0.07`` of 100 baskets means 7, since the
    decimal number that was written is taken, not the binary float next to it. The answer depends neither on the order
    of baskets and items nor on the algorithm.

    Args:
        baskets: Lists of items; or a long frame (pandas, Polars, PyArrow, DuckDB, ...) with one row for each basket and
            item; or a matrix of baskets x items: SciPy sparse (more than 0 is bought), a boolean or 0/1 NumPy array,
            a pandas or Polars frame of booleans, whose columns are then the items; or an OrderLog, whose baskets are
            the orders that count.
        min_support: Least share of the baskets, in (0, 1].
        min_count: Least number of baskets, instead of a share.
        max_len: Most items of an itemset.
        keep: ``"all"``; ``"closed"``: those without a superset of the same count, from which every count can be
            told; ``"maximal"``: those without a frequent superset. Supersets longer than ``max_len`` count here too.
        exclude: Items to leave out before anything is counted, such as a carrier bag. Baskets stay, also empty ones.
        as_of: For an OrderLog: lines before this local day's midnight.
        level: For an OrderLog: ``"item_id"`` or ``"category"``.
        basket: For a long frame: the column that names the basket.
        item: For a long frame: the column that names the item.
        algorithm: ``"auto"``: NumPy for small jobs, else a compiled kernel, which the first process on a machine
            takes some seconds to compile and keeps in numba's cache. ``"compiled"`` and ``"numpy"`` insist.
        max_itemsets: Most itemsets to list; more are an error that suggests a threshold.

    Returns:
        The itemsets; ``len()`` counts them, ``.to_frame()`` lists them.

    Raises:
        SchemaError: If the baskets hold nulls, or are none of the above.
        ConfigError: If an argument is wrong, or there are more than ``max_itemsets`` itemsets.
        InsufficientDataError: If there is no basket.

    References:
        Agrawal & Srikant, "Fast algorithms for mining association rules", VLDB 1994; Zaki, "Scalable algorithms for
        association mining", IEEE TKDE 2000; Uno, Kiyomi & Arimura, "LCM ver. 2", FIMI 2004.

    Examples:
        >>> baskets = [["milk", "bread"], ["milk", "bread", "eggs"], ["milk", "eggs"], ["bread"]]
        >>> frequent_itemsets(baskets, min_support=0.5).to_frame()
                 itemset  length  count  support
        0       (bread,)       1      3     0.75
        1        (milk,)       1      3     0.75
        2        (eggs,)       1      2     0.50
        3  (bread, milk)       2      2     0.50
        4   (eggs, milk)       2      2     0.50
    """
    if keep not in KEEP:
        raise ConfigError.unknown_name("keep", keep, KEEP)
    if algorithm not in ALGORITHMS:
        raise ConfigError.unknown_name("algorithm", algorithm, ALGORITHMS)
    if max_len is not None:
        max_len = whole_number(max_len, "max_len")
    limit = whole_number(max_itemsets, "max_itemsets", most=MOST_ITEMSETS)
    rows = encoded_baskets(baskets, as_of=as_of, level=level, basket=basket, item=item)
    rows = _without(rows, exclude)
    count = least_count(min_support, min_count, rows.n)
    mined_len = max_len if max_len is None or keep == "all" else max_len + 1
    trie, ran = find_itemsets(rows, count, mined_len, limit, algorithm)
    return FrequentItemsets(
        n_baskets=rows.n,
        n_entries=int(rows.indices.size),
        min_count=count,
        max_len=max_len,
        keep=keep,
        algorithm=ran,
        items=rows.items,
        _trie=trie,
    )


def encoded_baskets(baskets: Any, *, as_of: Timestamp | None, level: str, basket: str, item: str) -> Baskets:
    """The baskets of any input, an OrderLog's too."""
    if is_order_log(baskets):
        return baskets_of_orders(baskets, as_of=as_of, level=level)
    if as_of is not None:
        raise ConfigError(
            f"as_of={str(as_of)!r} needs an OrderLog; a {type(baskets).__name__} has no dates. Leave as_of out."
        )
    return baskets_of(baskets, basket=basket, item=item)


def _without(rows: Baskets, exclude: Sequence[Any]) -> Baskets:
    dropped = codes_of(rows.items, exclude, "exclude")
    if not dropped:
        return rows
    kept = ~np.isin(rows.indices, dropped)
    before = np.concatenate([[0], np.cumsum(kept)])
    return type(rows)(before[rows.indptr].astype(np.int32), rows.indices[kept], rows.items)
