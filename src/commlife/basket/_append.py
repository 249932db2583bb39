"""Appending baskets: counts after a new week, equal to a full run (the bound of FUP, Cheung et al. 1996)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife._engine import count_rows
from commlife.basket._baskets import Baskets, baskets_of
from commlife.basket._codes import sorted_labels
from commlife.basket._mining import MOST_ITEMSETS, search
from commlife.basket._orders import dated_baskets, held_items, is_order_log, needed_day
from commlife.basket._recount import recount
from commlife.basket._thresholds import least_count
from commlife.basket._trie import Level, OverLimitError, Trie, canonical, levels_of, trie_of
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket.itemsets import FrequentItemsets
    from commlife.orders import OrderLog

__all__ = ["append"]

#: Words of bitmap that counting what is new may read for each entry of the old baskets: mining these takes as long.
_PATIENCE = 20


def append(
    sets: FrequentItemsets,
    baskets: Any,
    *,
    since: Timestamp | None,
    as_of: Timestamp | None,
    basket: str,
    item: str,
) -> FrequentItemsets:
    """The itemsets after further baskets; see :meth:`FrequentItemsets.update`."""
    if sets._baskets is None or not sets._appendable:
        raise ConfigError("these itemsets were not mined to be added to. Mine them with appendable=True.")
    old, more = _in_one_vocabulary(sets._baskets, _new_baskets(sets, baskets, since, as_of, basket, item))
    whole = Baskets(
        np.concatenate([old.indptr, old.indptr[-1] + more.indptr[1:]]).astype(np.int32),
        np.concatenate([old.indices, more.indices]),
        old.items,
    )
    share = sets._share
    count = sets.min_count if share is None else least_count(share, None, whole.n)
    mined_len = sets.max_len if sets.max_len is None or sets.keep == "all" else sets.max_len + 1
    trie = _appended(sets, old, more, count, mined_len)
    ran = sets.algorithm
    if trie is None:
        trie, ran = search(whole, count, mined_len, MOST_ITEMSETS, "auto")
    return replace(
        sets,
        n_baskets=whole.n,
        n_entries=int(whole.indices.size),
        min_count=count,
        algorithm=ran,
        items=whole.items,
        _trie=trie,
        _baskets=whole,
    )


def _new_baskets(
    sets: FrequentItemsets,
    baskets: Any,
    since: Timestamp | None,
    as_of: Timestamp | None,
    basket: str,
    item: str,
) -> Baskets:
    if not is_order_log(baskets):
        if since is not None or as_of is not None:
            raise ConfigError(
                f"since and as_of need an OrderLog; a {type(baskets).__name__} has no dates. Leave them out."
            )
        return baskets_of(baskets, basket=basket, item=item)
    if since is None:
        raise ConfigError("the new baskets of an OrderLog need since=..., the as_of of these itemsets. Give it.")
    first, day = day_number(since, name="since"), needed_day(as_of)
    if first >= day:
        raise ConfigError(
            f"since is a day before as_of; seen since={str(since)!r}, as_of={str(as_of)!r}. Use an earlier since."
        )
    _check_the_past(sets, baskets, first, day)
    return dated_baskets(baskets, day, sets._level, since=first)[0]


def _check_the_past(sets: FrequentItemsets, log: OrderLog, first: int, day: int) -> None:
    """The orders from before ``first`` must still be what they were: nothing refunded or added since."""
    keys = ["user_id", "order_id"]
    if log.has("order_id"):
        before = log._orders(day).filter(nw.col("counts")).filter(nw.col("day") < first).select(*keys)
        held = held_items(log, day, sets._level).join(before, on=keys, how="inner")
    else:
        before = log._lines(day).filter((nw.col("minor") >= 0) & (nw.col("day") < first)).select("user_id")
        held = (
            log._lines(day)
            .filter((nw.col("minor") >= 0) & (nw.col("day") < first))
            .select(nw.col(sets._level).alias("item"))
        )
    sizes = [count_rows(frame) for frame in (before, held.filter(~nw.col("item").is_null()))]
    if sizes != [sets.n_baskets, sets.n_entries]:
        raise ConfigError(
            f"the orders before {first and pd.Timestamp(first, unit='D').date()} are no longer those that were mined: "
            f"{sizes[0]:,} orders with {sizes[1]:,} items now, {sets.n_baskets:,} with {sets.n_entries:,} then. since "
            "is the as_of of these itemsets; mine again after a late refund."
        )


def _in_one_vocabulary(old: Baskets, more: Baskets) -> tuple[Baskets, Baskets]:
    """Both in the codes of all labels together."""
    known = set(old.items)
    labels = sorted_labels([*old.items, *(label for label in more.items if label not in known)])
    code_of = {label: code for code, label in enumerate(labels)}
    both = []
    for part in (old, more):
        new = np.array([code_of[label] for label in part.items], dtype=np.int32)
        both.append(Baskets(part.indptr, new[part.indices] if len(new) else part.indices, labels))
    return both[0], both[1]


def _appended(sets: FrequentItemsets, old: Baskets, more: Baskets, count: int, max_len: int | None) -> Trie | None:
    """The itemsets of both, None where mining everything again takes less.

    What was not frequent among the old baskets is in at most ``min_count - 1`` of them, so that it needs at least
    ``count - min_count + 1`` of the new ones.
    """
    least = count - sets.min_count + 1
    known = _recoded(levels_of(sets._trie, len(sets.items)), sets.items, old.items)
    if least < 1:
        return None
    try:
        fresh, _ = search(more, least, max_len, 2 * len(sets) + 10_000, "auto")
    except OverLimitError:
        return None
    found = levels_of(fresh, len(old.items))
    known += [_no_level(length) for length in range(len(known) + 1, len(found) + 1)]
    found += [_no_level(length) for length in range(len(found) + 1, len(known) + 1)]
    unknown = [new.take(~_among(new.codes, seen.codes)) for seen, new in zip(known, found, strict=True)]
    words = sum(new.codes.size for new in unknown) * (old.n // 64 + 1)
    if words > _PATIENCE * old.indices.size:
        return None
    added, before = _counts_in(more, known), _counts_in(old, unknown)
    levels = []
    for first, new, gained, held in zip(known, unknown, added, before, strict=True):
        codes = np.concatenate([first.codes, new.codes])
        counts = np.concatenate([first.count + gained, new.count + held])
        levels.append(canonical(Level(codes, counts).take(counts >= count), len(old.items)))
    while levels and not levels[-1].count.size:
        levels.pop()
    return trie_of(levels, len(old.items))


def _counts_in(baskets: Baskets, levels: list[Level]) -> list[NDArray[np.int64]]:
    """Number of these baskets that hold each itemset, level by level."""
    tables = [level.codes.astype(np.int64) for level in levels]
    return [counts[:, 0] for counts in recount(baskets, tables, np.zeros(baskets.n, dtype=np.int64), 1)]


def _no_level(length: int) -> Level:
    return Level(np.zeros((0, length), dtype=np.int32), np.zeros(0, dtype=np.int64))


def _recoded(levels: list[Level], old: list[Any], new: list[Any]) -> list[Level]:
    code_of = {label: code for code, label in enumerate(new)}
    codes = np.array([code_of[label] for label in old], dtype=np.int32)
    return [Level(np.sort(codes[level.codes], axis=1), level.count) for level in levels]


def _among(rows: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which rows are among the others."""
    if not len(rows) or not len(others):
        return np.zeros(len(rows), dtype=bool)
    names = list(range(rows.shape[1]))
    joined = pd.DataFrame(rows, columns=names).merge(
        pd.DataFrame(others, columns=names), on=names, how="left", indicator=True
    )
    return (joined["_merge"] == "both").to_numpy()
