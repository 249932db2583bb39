"""Cross-sell: what to offer beside a live basket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.basket._measures import MEASURES
from commlife.basket._thresholds import whole_number
from commlife.basket.rules import AssociationRules
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cross_sell", "cross_sell_many", "offers"]

#: What is told of an offer.
_COLUMNS = pd.Index(["rank", "item", "confidence", "lift", "count", "antecedent"])
#: Cells of the table of baskets x items that is looked up at a time.
_CELLS = 1 << 22


@dataclass(frozen=True, slots=True)
class _Index:
    """Rules with one item as consequent, the most preferred first, found by the rarest item of their antecedent.

    Attributes:
        rule: Position of each rule in the rules.
        consequent: Code of its consequent.
        others: The rest of each antecedent, the next rarest item first: a row of codes for the second, the third, ...
            item, with a code that every basket holds where there is none.
        start: Where the rules of each rarest item begin; they lie together.
        position: Code of each label.
    """

    rule: NDArray[np.int64]
    consequent: NDArray[np.int32]
    others: NDArray[np.int32]
    start: NDArray[np.int64]
    by_rarest: NDArray[np.int64]
    position: dict[Any, int]


def cross_sell(rules: AssociationRules, basket: Iterable[Any], k: int = 5, *, by: str = "confidence") -> pd.DataFrame:
    """The ``k`` items to offer beside a basket: consequents of the rules whose whole antecedent is in it.

    An item is named once, by its best rule. Items that no rule knows (new ones) are passed over; what is in the basket
    already is not offered.

    Args:
        rules: Rules from :func:`~commlife.basket.association_rules`; those with one item as consequent are used.
        basket: What is in the basket: a list of items.
        k: Most items to offer.
        by: The measure that ranks the rules; ties go to the surer, then the more frequent rule.

    Returns:
        One row an item, the best first: ``rank`` (from 1), ``item``, ``confidence``, ``lift``, ``count`` and
        ``antecedent`` of its rule.

    Raises:
        ConfigError: If an argument is wrong.

    Examples:
        >>> from commlife.basket import association_rules, frequent_itemsets
        >>> past = [["noodles", "eggs"], ["noodles", "eggs", "scallions"], ["noodles"], ["scallions", "noodles"]]
        >>> rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0.4)
        >>> cross_sell(rules, ["eggs"], k=1)[["item", "confidence", "antecedent"]]
              item  confidence antecedent
        0  noodles         1.0    (eggs,)
    """
    if isinstance(basket, str | Mapping) or not isinstance(basket, Iterable):
        raise ConfigError(f"basket is a list of items, such as ['milk', 'eggs']; seen {basket!r:.60}.")
    _, rank, position, code = _best(rules, [basket], k, by)
    return _frame(rules, rank, position, code)


def cross_sell_many(
    rules: AssociationRules, baskets: Iterable[Iterable[Any]], k: int = 5, *, by: str = "confidence"
) -> pd.DataFrame:
    """As :func:`cross_sell`, for many baskets at once.

    Args:
        rules: As there.
        baskets: Lists of items.
        k: Most items to offer beside each.
        by: As there.

    Returns:
        The columns of :func:`cross_sell` after ``basket``, the position of the basket; a basket without a matching
        rule has no row.

    Examples:
        >>> from commlife.basket import association_rules, frequent_itemsets
        >>> past = [["noodles", "eggs"], ["noodles", "eggs"], ["noodles"]]
        >>> rules = association_rules(frequent_itemsets(past, min_count=1), min_confidence=0.5)
        >>> cross_sell_many(rules, [["eggs"], ["tea"], ["noodles"]])[["basket", "item"]]
           basket     item
        0       0  noodles
        1       2     eggs
    """
    row, rank, position, code = _best(rules, baskets, k, by)
    frame = _frame(rules, rank, position, code)
    frame.insert(0, "basket", row)
    return frame


def offers(
    rules: AssociationRules, baskets: Iterable[Iterable[Any]], k: int, by: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Any]]:
    """Basket, rank (from 1) and item of each offer."""
    row, rank, _, code = _best(rules, baskets, k, by)
    return row, rank, [rules.sets.items[item] for item in code]


def _best(
    rules: AssociationRules, baskets: Iterable[Iterable[Any]], k: int, by: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Basket, rank, position of the rule and code of the item of each offer."""
    if not isinstance(rules, AssociationRules):
        raise ConfigError(f"rules are what association_rules returns; seen a {type(rules).__name__}.")
    if by not in MEASURES:
        raise ConfigError.unknown_name("by", by, MEASURES)
    most = whole_number(k, "k")
    index = _index(rules, by)
    row, code = _known(baskets, index.position)
    n_codes = len(rules.sets.items) + 1
    # A few thousand baskets at a time, so that a table of baskets x items stays small.
    chunk = max(1, _CELLS // n_codes)
    cuts = np.searchsorted(row, np.arange(0, int(row.max(initial=0)) + 1 + chunk, chunk))
    parts = [_matches(index, row[low:high], code[low:high], n_codes) for low, high in pairwise(cuts)]
    row_of, rule = (np.concatenate([np.zeros(0, dtype=np.int64), *part]) for part in zip(*parts, strict=True))
    order = np.lexsort((rule, row_of))
    row_of, rule = row_of[order], rule[order]
    rank = np.arange(row_of.size) - np.searchsorted(row_of, row_of) + 1
    kept = rank <= most
    return row_of[kept], rank[kept], index.rule[rule[kept]], index.consequent[rule[kept]]


def _frame(
    rules: AssociationRules, rank: NDArray[np.int64], position: NDArray[np.int64], code: NDArray[np.int32]
) -> pd.DataFrame:
    both, a, c = (cell[position] for cell in rules._cells)
    antecedent = rules._splits.antecedent[position]
    items = np.fromiter((rules.sets.items[item] for item in code), dtype=object, count=code.size)
    lift = rules.sets._total * both / (a * c)
    count = rules.sets._counts[rules._splits.whole[position]]
    columns = (rank, pd.Index(items, dtype=object), both / a, lift, count, rules.sets._tuples[antecedent])
    # A service asks for a few rows at a time: most of the work would be to copy them, and to read the names as data.
    frame = pd.DataFrame(dict(enumerate(columns)), copy=False)
    frame.columns = _COLUMNS.copy()
    return frame


def _matches(
    index: _Index, row: NDArray[np.int64], code: NDArray[np.int64], n_codes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Baskets and the best rule for each item: the antecedent is inside, the consequent is not."""
    if not row.size:
        return row, row
    held = np.zeros((int(row[-1] - row[0]) + 1, n_codes), dtype=bool)
    held[row - row[0], code] = True
    held[:, -1] = True
    cells = held.ravel()
    # One candidate for each rule whose rarest item is in the basket; the next rarest rules most of them out.
    n_candidates = index.start[code + 1] - index.start[code]
    row_of = np.repeat(row, n_candidates)
    within = np.arange(row_of.size) - np.repeat(np.cumsum(n_candidates) - n_candidates, n_candidates)
    rule = index.by_rarest[np.repeat(index.start[code], n_candidates) + within]
    base = (row_of - row[0]) * n_codes
    kept = ~cells[base + index.consequent[rule]]
    for column in index.others:
        row_of, rule, base = row_of[kept], rule[kept], base[kept]
        kept = cells[base + column[rule]]
    # Rules are numbered by preference: written from the last to the first, the best one of each item stays.
    preferred = np.sort(rule[kept] << 32 | base[kept])[::-1]
    rule, base = preferred >> 32, preferred & 0xFFFFFFFF
    best = np.full(cells.size, -1, dtype=np.int64)
    best[base + index.consequent[rule]] = rule
    cell = np.flatnonzero(best >= 0)
    return cell // n_codes + row[0], best[cell]


def _known(baskets: Iterable[Iterable[Any]], position: dict[Any, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Basket and code of each item that the rules know, an item once a basket."""
    rows: list[int] = []
    codes: list[int] = []
    for number, basket in enumerate(baskets):
        if isinstance(basket, str | Mapping) or not isinstance(basket, Iterable):
            raise ConfigError(f"each basket is a list of items, such as ['milk', 'eggs']; seen {basket!r:.60}.")
        try:
            known = {position[item] for item in basket if item in position}
        except TypeError:
            raise ConfigError(f"an item is a text or a number; seen a list or dictionary in {basket!r:.60}.") from None
        rows.extend([number] * len(known))
        codes.extend(known)
    return np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int64)


def _index(rules: AssociationRules, by: str) -> _Index:
    """The index of the rules for one measure, made once."""
    made: dict[str, _Index] = rules._indices
    if by not in made:
        made[by] = _make_index(rules, by)
    return made[by]


def _make_index(rules: AssociationRules, by: str) -> _Index:
    sets, splits = rules.sets, rules._splits
    levels = sets._levels
    n_items = len(sets.items)
    singles = levels[0].codes[:, 0] if levels else np.zeros(0, dtype=np.int32)
    chosen = np.flatnonzero(splits.consequent < singles.size)
    # Rules stand by confidence and count already: a stable sort keeps that among equals.
    chosen = chosen[np.argsort(-rules.measure(by)[chosen], kind="stable")]
    antecedent = splits.antecedent[chosen]
    codes = np.full((len(sets), max(1, len(levels))), n_items, dtype=np.int32)
    begin = 0
    for level in levels:
        codes[begin : begin + level.count.size, : level.codes.shape[1]] = level.codes
        begin += level.count.size
    longest = max(1, len(levels) - 1)
    support = np.append(np.zeros(n_items, dtype=np.int64), np.iinfo(np.int64).max)
    support[singles] = levels[0].count if levels else 0
    parts = codes[antecedent, :longest]
    parts = np.take_along_axis(parts, np.argsort(support[parts], axis=1, kind="stable"), axis=1)
    rarest, others = parts[:, 0], np.ascontiguousarray(parts[:, 1:].T)
    by_rarest = np.argsort(rarest, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(rarest.astype(np.int64), minlength=n_items))])
    position = {label: code for code, label in enumerate(sets.items)}
    return _Index(chosen, singles[splits.consequent[chosen]], others, start, by_rarest, position)
