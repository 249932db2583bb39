"""Mining: the one call that lists what is bought together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import numpy as np
import pandas as pd

from commlife.basket._baskets import baskets_of
from commlife.basket._groups import group_attribute, group_labels, labels_of_list
from commlife.basket._mining import ALGORITHMS, MOST_ITEMSETS, find_itemsets
from commlife.basket._orders import baskets_of_orders, check_level, dated_baskets, is_order_log, needed_day, on_spark
from commlife.basket._taxonomy import extended
from commlife.basket._thresholds import exact_fraction, least_count, whole_number
from commlife.basket._trie import NOTHING
from commlife.basket._weights import WEIGHTS, given_weights, order_weights
from commlife.basket.groups import ItemsetsByGroup
from commlife.basket.itemsets import FrequentItemsets, codes_of, set_of
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from fractions import Fraction

    from commlife.basket._baskets import Baskets
    from commlife.orders.calendar import Timestamp

__all__ = ["encoded_baskets", "frequent_itemsets"]

#: Which itemsets are listed.
KEEP = ("all", "closed", "maximal")
#: Bytes of baskets that are kept unasked, for what is counted in them later: 16 million entries.
MOST_KEPT = 64 << 20


class MiningOptions(TypedDict, total=False):
    """What :func:`frequent_itemsets` takes beside the baskets and ``by``."""

    min_support: float | Fraction | Decimal | None
    min_count: int | None
    max_len: int | None
    keep: Literal["all", "closed", "maximal"]
    include: Sequence[Any]
    exclude: Sequence[Any]
    as_of: Timestamp | None
    level: str | Mapping[Any, Any]
    weight: str | Sequence[int] | None
    half_life: str | None
    appendable: bool
    basket: str
    item: str
    algorithm: Literal["auto", "compiled", "numpy"]
    max_itemsets: int


@overload
def frequent_itemsets(baskets: Any, *, by: None = None, **options: Unpack[MiningOptions]) -> FrequentItemsets: ...
@overload
def frequent_itemsets(baskets: Any, *, by: object, **options: Unpack[MiningOptions]) -> ItemsetsByGroup: ...
def frequent_itemsets(
    baskets: Any,
    *,
    min_support: float | Fraction | Decimal | None = None,
    min_count: int | None = None,
    max_len: int | None = None,
    keep: Literal["all", "closed", "maximal"] = "all",
    by: Any = None,
    include: Sequence[Any] = (),
    exclude: Sequence[Any] = (),
    as_of: Timestamp | None = None,
    level: str | Mapping[Any, Any] = "item_id",
    weight: str | Sequence[int] | None = None,
    half_life: str | None = None,
    appendable: bool = False,
    basket: str = "basket",
    item: str = "item",
    algorithm: Literal["auto", "compiled", "numpy"] = "auto",
    max_itemsets: int = 10_000_000,
) -> FrequentItemsets | ItemsetsByGroup:
    """List every itemset that at least so many baskets hold: the question of Apriori, answered exactly.

    An item counts once a basket. The threshold is exact: ``min_support=0.07`` of 100 baskets means 7, since the
    decimal number that was written is taken, not the binary float next to it. The answer depends neither on the order
    of baskets and items nor on the algorithm.

    Args:
        baskets: Lists of items; or a long frame (pandas, Polars, PyArrow, DuckDB, ...) with one row for each basket and
            item; or a matrix of baskets x items: SciPy sparse (more than 0 is bought), a boolean or 0/1 NumPy array,
            a pandas (also sparse) or Polars frame of booleans, whose columns are then the items; or an OrderLog, whose
            baskets are the orders that count.
        min_support: Least share of the baskets, in (0, 1].
        min_count: Least number of baskets, instead of a share.
        max_len: Most items of an itemset.
        keep: ``"all"``; ``"closed"``: those without a superset of the same count, from which every count can be
            told; ``"maximal"``: those without a frequent superset. Supersets longer than ``max_len`` count here too.
        by: Mine each group apart and return :class:`ItemsetsByGroup`: for an OrderLog a column of the order, such as
            ``"community"``, or a frame of ``user_id`` and one more column, such as the segments of
            ``rfm.transform(...)``; for lists and matrices a label for each basket. Shares are of the group's baskets;
            baskets without a group are left out.
        include: List only itemsets that hold at least one of these items; the others are never searched.
        exclude: Items to leave out before anything is counted, such as a carrier bag. Baskets stay, also empty ones.
        as_of: For an OrderLog: lines before this local day's midnight.
        level: For an OrderLog: ``"item_id"`` or ``"category"``. For any baskets a taxonomy: a mapping from each item to
            what it is a kind of, and from that to its own kind, and so on: itemsets then mix items and kinds, a
            basket holds every kind of what is in it, and no itemset holds an item beside its own kind.
        weight: For an OrderLog ``"amount"`` (net money of the order) or ``"quantity"`` (its units): the support of an
            itemset is then the share of all money, or of all units, that lies in baskets with it. For lists and
            matrices a whole number for each basket. Needs ``min_support``.
        half_life: For an OrderLog: how old an order counts half, such as ``"28D"``; one of the last day counts in full.
        appendable: Let :meth:`FrequentItemsets.update` add to these baskets, and keep them for that (4 bytes an entry)
            also beyond the 64 MB up to which they are kept anyway.
        basket: For a long frame: the column that names the basket.
        item: For a long frame: the column that names the item.
        algorithm: ``"auto"``: NumPy for small jobs, else a compiled kernel, which the first process on a machine
            takes some seconds to compile and keeps in numba's cache. ``"compiled"`` and ``"numpy"`` insist.
        max_itemsets: Most itemsets to list; more are an error that suggests a threshold.

    Returns:
        The itemsets; ``len()`` counts them, ``.to_frame()`` lists them. Mining takes about 12 bytes for each entry
        of the baskets, at most 32 MB of bitmaps for all of them and a few for one item, and 12 bytes an itemset;
        ``.nbytes`` says what is kept. On a terminal a bar shows work of more than three seconds, and Ctrl-C is heard.

    Raises:
        SchemaError: If the baskets hold nulls, or are none of the above.
        ConfigError: If an argument is wrong, or there are more than ``max_itemsets`` itemsets.
        InsufficientDataError: If there is no basket.
        EngineError: If a log on Spark is asked for what MLlib cannot do.

    References:
        Agrawal & Srikant, "Fast algorithms for mining association rules", VLDB 1994; Zaki, "Scalable algorithms for
        association mining", IEEE TKDE 2000; Uno, Kiyomi & Arimura, "LCM ver. 2", FIMI 2004. Taxonomies: Srikant &
        Agrawal, "Mining generalized association rules", VLDB 1995.

    Examples:
        >>> baskets = [["milk", "bread"], ["milk", "bread", "eggs"], ["milk", "eggs"], ["bread"]]
        >>> frequent_itemsets(baskets, min_support=0.5).to_frame()
                 itemset  length  count  support
        0       (bread,)       1      3     0.75
        1        (milk,)       1      3     0.75
        2        (eggs,)       1      2     0.50
        3  (bread, milk)       2      2     0.50
        4   (eggs, milk)       2      2     0.50
        >>> kinds = {"milk": "dairy", "bread": "bakery", "eggs": "dairy"}
        >>> frequent_itemsets(baskets, min_count=2, level=kinds, include=["bakery"]).to_frame()[["itemset", "count"]]
                   itemset  count
        0        (bakery,)      3
        1  (bakery, dairy)      2
        2   (bakery, milk)      2
    """
    question = _Question.checked(min_support, min_count, max_len, keep, include, algorithm, max_itemsets)
    if not isinstance(level, str | Mapping):
        raise ConfigError(
            f"level is 'item_id', 'category', or a taxonomy: a mapping from items to their kinds; seen {level!r:.40}."
        )
    weighed = weight is not None or half_life is not None
    plain = by is None and isinstance(level, str) and not set_of(include, "include")
    _check_company(min_support, appendable, weighed=weighed, plain=plain)
    if is_order_log(baskets) and on_spark(baskets):
        from commlife.basket._spark import mine_on_spark

        return mine_on_spark(
            baskets, needed_day(as_of), min_support=min_support, min_count=min_count, max_len=question.max_len,
            keep=keep, exclude=exclude, level=level, limit=question.limit,
            refused={"by": by, "include": include or None, "weight": weight, "half_life": half_life,
                     "appendable": appendable or None},
        )  # fmt: skip
    rows, labels, scale = _prepared(baskets, as_of, level, basket, item, by, weight, half_life, exclude)
    blank = FrequentItemsets(
        n_baskets=rows.n,
        n_entries=int(rows.indices.size),
        min_count=0,
        max_len=question.max_len,
        keep=keep,
        algorithm="numpy",
        items=rows.items,
        _trie=NOTHING,
        required=tuple(rows.items[code] for code in sorted(set(codes_of(rows.items, include, "include")))),
        weight=None if not weighed else weight if isinstance(weight, str) else "orders" if weight is None else "given",
        _weight_scale=scale,
        _share=None if min_support is None else exact_fraction(min_support, "min_support"),
        _appendable=appendable,
        _level=level if isinstance(level, str) else "item_id",
        _parent=None if rows.tree is None else rows.tree.parent,
    )
    # Only what rules can be made of is counted in again.
    keeping = appendable or (rows.nbytes <= MOST_KEPT and not weighed and keep == "all" and not blank.required)
    if labels is None:
        return question.answer(rows, blank, keeping=keeping)
    group, names = pd.factorize(labels, sort=True)
    parts = {name: rows.take(group == number) for number, name in enumerate(names)}
    if not parts:
        raise InsufficientDataError("no basket has a group: every label is null. Use another column.")
    return ItemsetsByGroup(
        by=by if isinstance(by, str) else str(labels.name or "group"),
        sets={name: question.answer(part, blank, keeping=keeping) for name, part in parts.items()},
        n_nameless=int((group < 0).sum()),
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of some baskets, checked before anything is read."""

    min_support: float | Fraction | Decimal | None
    min_count: int | None
    max_len: int | None
    keep: Literal["all", "closed", "maximal"]
    include: Sequence[Any]
    algorithm: str
    limit: int

    @classmethod
    def checked(
        cls,
        min_support: Any,
        min_count: Any,
        max_len: Any,
        keep: Any,
        include: Sequence[Any],
        algorithm: str,
        max_itemsets: Any,
    ) -> _Question:
        """The question as a host's arguments put it; a ConfigError where one of them makes no sense."""
        if keep not in KEEP:
            raise ConfigError.unknown_name("keep", keep, KEEP)
        if algorithm not in ALGORITHMS:
            raise ConfigError.unknown_name("algorithm", algorithm, ALGORITHMS)
        most = None if max_len is None else whole_number(max_len, "max_len")
        limit = whole_number(max_itemsets, "max_itemsets", most=MOST_ITEMSETS)
        least_count(min_support, min_count, 1)
        return cls(min_support, min_count, most, keep, include, algorithm, limit)

    def answer(self, rows: Baskets, blank: FrequentItemsets, *, keeping: bool) -> FrequentItemsets:
        """The itemsets of some baskets, with what ``blank`` says of all groups."""
        total = rows.n if rows.weight is None else int(rows.weight.sum())
        count = least_count(self.min_support, self.min_count, total)
        required = tuple(codes_of(rows.items, self.include, "include"))
        most = mined_len(self.max_len, self.keep)
        trie, ran = find_itemsets(rows, count, most, self.limit, self.algorithm, required)
        return replace(
            blank,
            n_baskets=rows.n,
            n_entries=int(rows.indices.size),
            min_count=count,
            algorithm=ran,
            _trie=trie,
            _whole_weight=None if rows.weight is None else total,
            _baskets=rows if keeping else None,
        )


def _check_company(min_support: Any, appendable: Any, *, weighed: bool, plain: bool) -> None:
    """Refuse options that do not go together; ``plain``: without by, include and a taxonomy."""
    if not isinstance(appendable, bool):
        raise ConfigError(f"appendable is True or False; seen {appendable!r:.40}.")
    if weighed and min_support is None:
        raise ConfigError(
            "with weights the threshold is min_support, a share of their sum; min_count has no unit. Use min_support."
        )
    if appendable and (weighed or not plain):
        raise ConfigError(
            "appendable=True goes without by, include, weights and a taxonomy: mine those anew each time."
        )


def mined_len(max_len: int | None, keep: str) -> int | None:
    """Most items to mine: closed and maximal ones need to know their supersets."""
    return max_len if max_len is None or keep == "all" else max_len + 1


def _prepared(
    baskets: Any,
    as_of: Timestamp | None,
    level: str | Mapping[Any, Any],
    basket: str,
    item: str,
    by: Any,
    weight: Any,
    half_life: str | None,
    exclude: Sequence[Any],
) -> tuple[Baskets, Any, float]:
    """Encoded baskets, with weights and taxonomy; the group of each, None without ``by``; the scale of the weights."""
    column = level if isinstance(level, str) else "item_id"
    labels = None
    scale = 1.0
    if is_order_log(baskets) and (by is not None or weight is not None or half_life is not None):
        day = needed_day(as_of)
        if weight is not None and (not isinstance(weight, str) or weight not in WEIGHTS):
            raise ConfigError.unknown_name("weight", weight, WEIGHTS)
        if weight == "quantity":
            baskets.require("quantity", why="weight='quantity'")
        attributes, name = group_attribute(baskets, by, "by") if by is not None else ((), "")
        rows, orders = dated_baskets(baskets, day, column, attributes=attributes, units=weight == "quantity")
        if by is not None:
            labels = group_labels(by, orders).rename(name)
        if weight is not None or half_life is not None:
            whole, scale = order_weights(baskets, orders, weight, half_life, day)
            rows = replace(rows, weight=whole)
    else:
        rows = encoded_baskets(baskets, as_of=as_of, level=column, basket=basket, item=item)
        if half_life is not None:
            raise ConfigError("half_life needs an OrderLog: other baskets have no dates. Give weight=[...] instead.")
        if (by is not None or weight is not None) and _is_long(baskets):
            raise ConfigError(
                "by and weight need an OrderLog or lists of items: a long frame has no order of baskets."
                " Give lists, or the log."
            )
        if by is not None:
            labels = labels_of_list(by, rows.n)
        if weight is not None:
            rows = replace(rows, weight=given_weights(weight, rows.n))
    if isinstance(level, str):
        return _without(rows, exclude), labels, scale
    # What is an item of the baskets goes before kinds are counted, what is a kind after it.
    known = set(rows.items)
    wanted = set_of(exclude, "exclude")
    rows = extended(_without(rows, [each for each in wanted if each in known]), level)
    return _without(rows, [each for each in wanted if each not in known]), labels, scale


def _is_long(baskets: Any) -> bool:
    return hasattr(baskets, "columns") and not hasattr(baskets, "nnz") and not is_order_log(baskets)


def encoded_baskets(baskets: Any, *, as_of: Timestamp | None, level: str, basket: str, item: str) -> Baskets:
    """The baskets of any input, an OrderLog's too."""
    if is_order_log(baskets):
        return baskets_of_orders(baskets, as_of=as_of, level=level)
    if as_of is not None:
        raise ConfigError(
            f"as_of={str(as_of)!r} needs an OrderLog; a {type(baskets).__name__} has no dates. Leave as_of out."
        )
    check_level(level)
    if level != "item_id":
        raise ConfigError(
            f"level={level!r} needs an OrderLog; a {type(baskets).__name__} names items alone. Leave level out, or "
            "give a taxonomy: level={'apple': 'fruit', ...}."
        )
    return baskets_of(baskets, basket=basket, item=item)


def _without(rows: Baskets, exclude: Sequence[Any]) -> Baskets:
    dropped = codes_of(rows.items, exclude, "exclude")
    if not dropped:
        return rows
    kept = ~np.isin(rows.indices, dropped)
    before = np.concatenate([[0], np.cumsum(kept)])
    return replace(rows, indptr=before[rows.indptr].astype(np.int32), indices=rows.indices[kept])
