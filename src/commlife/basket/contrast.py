"""Contrast: what is bought together here and not elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.multiplicity import benjamini_hochberg, holm
from commlife.basket._groups import group_attribute, group_labels
from commlife.basket._measures import fisher_p
from commlife.basket._mining import ALGORITHMS, MOST_ITEMSETS, find_itemsets
from commlife.basket._orders import check_log, dated_baskets
from commlife.basket._recount import recount
from commlife.basket._thresholds import least_count, whole_number
from commlife.basket._trie import levels_of
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from commlife.orders import OrderLog

__all__ = ["contrast_itemsets"]

#: How p-values are adjusted for their number.
ADJUSTMENTS = {"holm": holm, "bh": benjamini_hochberg}


def contrast_itemsets(
    log: OrderLog,
    *,
    as_of: Timestamp,
    by: Any = "community",
    min_support: float | Fraction | Decimal | None = None,
    min_count: int | None = None,
    min_len: int = 2,
    max_len: int | None = 3,
    level: str = "item_id",
    adjust: str = "bh",
) -> pd.DataFrame:
    """Itemsets that a larger share of one group's orders holds than of all the others', with false-discovery control.

    The itemsets are those frequent over all orders. Each is compared between each group and the rest by Fisher's exact
    test (one-sided: more here), and the p-values are adjusted over all comparisons made. The test takes orders to be
    independent: where few users place most orders of a group, its p-values are too small. Read ``orders`` beside them.

    Args:
        log: The orders.
        as_of: Lines before this local day's midnight are used.
        by: The column of the order that names the group, or a frame of ``user_id`` and one more column, such as the
            segments of ``rfm.transform(...)``; orders without a group are in the rest of every group.
        min_support: Least share of all orders.
        min_count: Least number of all orders, instead of a share.
        min_len: Fewest items; 1 also compares single items.
        max_len: Most items, None for any.
        level: ``"item_id"`` or ``"category"``.
        adjust: ``"bh"`` (share of false discoveries) or ``"holm"`` (chance of even one).

    Returns:
        Every comparison, the least adjusted p-value first, then the largest difference: ``group``, ``itemset``,
        ``count`` and ``orders`` (of the group), ``support`` (their quotient), ``rest_support``, ``difference`` (of
        supports), ``p_value``, ``p_adjusted``.

    Raises:
        ConfigError: If an argument is wrong, or the log does not name ``by``.
        InsufficientDataError: If there are fewer than two groups.

    References:
        Bay & Pazzani, "Detecting group differences: mining contrast sets", DMKD 2001.

    Examples:
        >>> import pandas as pd
        >>> from commlife.orders import OrderLog
        >>> east, west = [["rice", "tea"]] * 9 + [["rice"]] * 3, [["rice"]] * 9 + [["tea"]] * 8
        >>> rows = [(f"o{n}", item, "East" if n < 12 else "West") for n, b in enumerate(east + west) for item in b]
        >>> frame = pd.DataFrame(rows, columns=["order", "sku", "estate"]).assign(paid=1.0, at="2025-03-01", user="u")
        >>> log = OrderLog.from_frame(frame, user_id="user", order_id="order", item_id="sku", community="estate",
        ...                           amount="paid", ordered_at="at")
        >>> contrast_itemsets(log, as_of="2025-04-01", min_count=5)[["group", "itemset", "support", "rest_support"]]
          group      itemset  support  rest_support
        0  East  (rice, tea)     0.75          0.00
        1  West  (rice, tea)     0.00          0.75
    """
    need_log(log, "contrast_itemsets")
    check_log(log, "contrast_itemsets")
    if adjust not in ADJUSTMENTS:
        raise ConfigError.unknown_name("adjust", adjust, ADJUSTMENTS)
    fewest = whole_number(min_len, "min_len")
    most = None if max_len is None else whole_number(max_len, "max_len", least=fewest)
    attributes, name = group_attribute(log, by, "contrast_itemsets")
    baskets, orders = dated_baskets(log, day_number(as_of), level, attributes=attributes)
    group, names = pd.factorize(group_labels(by, orders), sort=True)
    if len(names) < 2:
        raise InsufficientDataError(
            f"a contrast needs two groups of {name}; the orders before {as_of} have {len(names)}. Use another column."
        )
    trie, _ = find_itemsets(baskets, least_count(min_support, min_count, baskets.n), most, MOST_ITEMSETS, ALGORITHMS[0])
    tables = [
        part.codes.astype(np.int64) for part in levels_of(trie, len(baskets.items)) if part.codes.shape[1] >= fewest
    ]
    # Orders without a group come last, as a group of their own that is only ever in the rest.
    nameless = int((group < 0).any())
    counted = recount(baskets, tables, np.where(group < 0, len(names), group), len(names) + nameless)
    counts = np.concatenate([np.zeros((0, len(names) + nameless), dtype=np.int64), *counted])
    whole = counts.sum(axis=1, keepdims=True)
    here = counts[:, : len(names)]
    sizes = np.bincount(group[group >= 0], minlength=len(names))
    items = np.fromiter(baskets.items, dtype=object, count=len(baskets.items))
    itemsets = [itemset for table in tables for itemset in zip(*items[table].T, strict=True)]
    return _compared(here, whole, sizes, baskets.n, itemsets, list(names), adjust)


def _compared(
    here: Any, whole: Any, orders: Any, n: int, itemsets: list[Any], names: list[Any], adjust: str
) -> pd.DataFrame:
    n_groups = len(names)
    both, size = here.ravel(), np.tile(orders, len(itemsets))
    total = np.repeat(whole[:, 0], n_groups)
    p = fisher_p(n, both, total, size)
    support, rest = both / size, (total - both) / (n - size)
    adjusted = ADJUSTMENTS[adjust](p)
    number = np.arange(both.size)
    order = np.lexsort((number, rest - support, adjusted))
    owner = pd.Series(itemsets, dtype=object).to_numpy()
    return pd.DataFrame(
        {
            "group": [names[k] for k in order % n_groups],
            "itemset": pd.Series(owner[order // n_groups], dtype=object),
            "count": both[order],
            "orders": size[order],
            "support": support[order],
            "rest_support": rest[order],
            "difference": (support - rest)[order],
            "p_value": p[order],
            "p_adjusted": adjusted[order],
        }
    )
