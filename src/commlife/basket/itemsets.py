"""Frequent itemsets: what is bought together, how often, without exception and without chance."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from commlife._text.notebook import Shown
from commlife.basket._condensed import condense
from commlife.basket._trie import levels_of
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from fractions import Fraction

    from commlife.basket._baskets import Baskets
    from commlife.basket._trie import Level, Trie
    from commlife.orders.calendar import Timestamp

__all__ = ["FrequentItemsets", "codes_of", "set_of"]


@dataclass(frozen=True, eq=False)
class FrequentItemsets(Shown):
    """The itemsets that at least ``min_count`` baskets hold.

    Inside, an itemset takes 12 bytes; :meth:`to_frame` makes the table that people read.

    Attributes:
        n_baskets: Number of baskets, empty ones included: the denominator of every support.
        n_entries: Number of (basket, item) entries, an item once a basket.
        min_count: Least number of baskets; ``ceil(min_support * n_baskets)`` where a fraction was given. With weights
            the least weight, in the whole numbers that weights are summed in.
        max_len: Most items of an itemset, None for any.
        keep: ``"all"``, ``"closed"`` or ``"maximal"``.
        algorithm: The miner that ran, ``"compiled"``, ``"numpy"`` or ``"spark"``; the answer does not depend on it.
        items: Labels of all items, ascending; codes point into it.
        required: Items of which each itemset holds at least one; empty for any.
        weight: What a basket counts with: ``"amount"``, ``"quantity"``, ``"orders"`` (decayed), ``"given"``; None
            where baskets count alike.
    """

    n_baskets: int
    n_entries: int
    min_count: int
    max_len: int | None
    keep: Literal["all", "closed", "maximal"]
    algorithm: Literal["compiled", "numpy", "spark"]
    items: list[Any]
    _trie: Trie
    required: tuple[Any, ...] = ()
    weight: str | None = None
    _whole_weight: int | None = None
    _weight_scale: float = 1.0
    _share: Fraction | None = None
    _baskets: Baskets | None = field(default=None, repr=False)
    _appendable: bool = False
    _level: str = "item_id"
    _parent: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        if self.keep == "all":
            return int(self._trie.parent.size)
        return sum(level.count.size for level in self._levels)

    def __repr__(self) -> str:
        kind = "" if self.keep == "all" else f"{self.keep} "
        if self.weight is None:
            least = f"at least {self.min_count:,} of {self.n_baskets:,} baskets"
        else:
            share = self.min_count / self._total
            least = f"at least {share:.3g} of the {self.weight} of {self.n_baskets:,} baskets"
        return f"FrequentItemsets({len(self):,} {kind}itemsets in {least}, up to {len(self._levels)} items)"

    @property
    def total_weight(self) -> float | None:
        """Weight of all baskets, in units of money, of goods, or of orders; None where they count alike."""
        return None if self._whole_weight is None else self._whole_weight / self._weight_scale

    @property
    def nbytes(self) -> int:
        """Bytes inside, without labels: 12 an itemset, 20 with weights, and the baskets where they are kept."""
        arrays: list[Any] = [self._trie.parent, self._trie.item, self._trie.count]
        if self._trie.weight is not None:
            arrays.append(self._trie.weight)
        kept = 0 if self._baskets is None else self._baskets.nbytes
        return kept + sum(int(array.nbytes) for array in arrays)

    @cached_property
    def _levels(self) -> list[Level]:
        levels = levels_of(self._trie, len(self.items))
        if self.keep == "all":
            return levels
        # Mined to one item more than max_len, so that the longest ones know their supersets.
        required = codes_of(self.items, self.required, "include") if self.required else []
        levels = condense(levels, len(self.items), self.keep, required)[: self.max_len]
        while levels and not levels[-1].count.size:
            levels.pop()
        return levels

    @cached_property
    def _tuples(self) -> np.ndarray[Any, np.dtype[np.object_]]:
        """All itemsets in canonical order, as tuples of labels."""
        labels = np.fromiter(self.items, dtype=object, count=len(self.items))
        parts = [zip(*labels[level.codes].T, strict=True) for level in self._levels]
        return np.fromiter(chain.from_iterable(parts), dtype=object, count=len(self))

    @cached_property
    def _counts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Counts in canonical order."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(level.count for level in self._levels)])

    @cached_property
    def _masses(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """What supports are made of, in canonical order: weights where there are some, else counts."""
        if self.weight is None:
            return self._counts
        masses = [level.weight for level in self._levels if level.weight is not None]
        return np.concatenate([np.zeros(0, dtype=np.int64), *masses])

    @property
    def _total(self) -> int:
        """What all baskets come to: their weight, else their number."""
        return self.n_baskets if self._whole_weight is None else self._whole_weight

    def to_frame(self) -> pd.DataFrame:
        """The itemsets by length, then from the most frequent (or heaviest) to the least, then by their items.

        Returns:
            Columns ``itemset`` (a tuple of labels, ascending), ``length``, ``count`` (baskets that hold all of it)
            and ``support`` (``count / n_baskets``). With weights also ``weight`` (that of these baskets, in units of
            money, of goods, or of orders), and ``support`` is its share of ``total_weight``.
        """
        lengths = [np.full(level.count.size, level.codes.shape[1], dtype=np.int64) for level in self._levels]
        columns: dict[str, Any] = {
            "itemset": pd.Series(self._tuples, dtype=object),
            "length": np.concatenate([np.zeros(0, dtype=np.int64), *lengths]),
            "count": self._counts,
        }
        if self.weight is not None:
            columns["weight"] = self._masses / self._weight_scale
        return pd.DataFrame(columns | {"support": self._masses / self._total})

    def count_of(self, itemset: Iterable[Any]) -> int | None:
        """Number of baskets that hold ``itemset``, None if it is not among these itemsets.

        Raises:
            ConfigError: If an item is not in any basket, with the nearest one that is.

        Examples:
            >>> from commlife.basket import frequent_itemsets
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

    def update(
        self,
        baskets: Any,
        *,
        since: Timestamp | None = None,
        as_of: Timestamp | None = None,
        basket: str = "basket",
        item: str = "item",
    ) -> FrequentItemsets:
        """These itemsets after further baskets: equal to mining the old and the new ones together.

        A known itemset is counted in the new baskets alone. One that is new must be frequent among the new baskets, so
        that these are mined, and what they bring up is counted once in the old ones (the bound of FUP). Its cost grows
        with the new baskets and with what is new in them; where counting what is new would take longer than mining the
        baskets kept, these are mined again: the answer is the same.

        Args:
            baskets: The new ones, in any form that :func:`~commlife.basket.frequent_itemsets` takes; of an OrderLog the
                orders dated from ``since`` to before ``as_of``.
            since: For an OrderLog: the ``as_of`` of these itemsets.
            as_of: For an OrderLog: the day before whose midnight the new baskets end.
            basket: For a long frame: the column that names the basket; its baskets are all new.
            item: For a long frame: the column that names the item.

        Returns:
            New itemsets; these stay as they are. A share asked for as ``min_support`` is one of all baskets.

        Raises:
            ConfigError: If these itemsets were not mined with ``appendable=True``, or orders from before ``since`` have
                changed since then, as by a late refund: mine again.

        References:
            Cheung, Han, Ng & Wong, "Maintenance of discovered association rules in large databases: an incremental
            updating technique", ICDE 1996.

        Examples:
            >>> from commlife.basket import frequent_itemsets
            >>> sets = frequent_itemsets([["a", "b"], ["a"]], min_support=0.5, appendable=True)
            >>> sets.update([["b", "a"], ["b"]]).to_frame()[["itemset", "count"]]
              itemset  count
            0    (a,)      3
            1    (b,)      3
            2  (a, b)      2
        """
        from commlife.basket._append import append

        return append(self, baskets, since=since, as_of=as_of, basket=basket, item=item)


def codes_of(items: list[Any], wanted: Iterable[Any], name: str) -> list[int]:
    """Codes of labels; unknown ones are an error that suggests the nearest."""
    labels = set_of(wanted, name)
    positions = {label: code for code, label in enumerate(items)} if labels else {}
    codes = []
    for label in labels:
        code = positions.get(label)
        if code is None:
            near = _nearest(str(label), [str(known) for known in items])
            hint = f" Did you mean {near!r}?" if near is not None else ""
            raise ConfigError(f"{name}: no basket holds {label!r:.60}.{hint}")
        codes.append(code)
    return codes


def set_of(wanted: Iterable[Any], name: str) -> list[Any]:
    """Distinct items in the order given; a text, a mapping or an item that is a list is refused."""
    if isinstance(wanted, str | Mapping) or not isinstance(wanted, Iterable):
        raise ConfigError(f"{name} is a list of items, such as ['milk']; seen {wanted!r:.60}.")
    try:
        return list(dict.fromkeys(wanted))
    except TypeError:
        raise ConfigError(
            f"{name}: an item is a text or a number; seen a list or dictionary in {wanted!r:.60}."
        ) from None


def _nearest(label: str, known: list[str]) -> str | None:
    """The label that was probably meant: the same but for case, blanks and leading zeros, else the most alike."""
    plain = _plain_form(label)
    for other in known:
        if _plain_form(other) == plain:
            return other
    return next(iter(difflib.get_close_matches(label, known, n=1)), None)


def _plain_form(label: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", "".join(label.casefold().split()))
