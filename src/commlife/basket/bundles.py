"""Bundles: pairs that are worth a package, and what hot items pull along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.multiplicity import benjamini_hochberg
from commlife._stats.wilson import wilson_interval
from commlife.basket._measures import fisher_p
from commlife.basket._orders import check_log, dated_baskets, finest_level
from commlife.basket._pairs import Pairs, margin_per_order, pairs_between
from commlife.basket._thresholds import exact_fraction, least_count, whole_number
from commlife.basket.heat import item_sums
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets
    from commlife.orders import OrderLog

__all__ = ["bundles", "hot_pulls"]


def bundles(
    log: OrderLog,
    *,
    since: Timestamp,
    as_of: Timestamp,
    level: str | None = None,
    min_support: float | Fraction | Decimal | None = None,
    min_count: int | None = None,
    max_q: float = 0.05,
    top: int | None = 20,
) -> pd.DataFrame:
    """Pairs that are worth a package: bought together more than by chance, and still so in later weeks.

    Pairs are found in the orders before ``since`` and counted again in those from ``since`` to before ``as_of``: what
    is expected of a package is the later number, since the best of many pairs are best partly by luck. The anchor is
    the item of the pair that is the surer to bring the other one.

    Args:
        log: The orders.
        since: First day of the holdout.
        as_of: Its end: lines before this local day's midnight are used.
        level: What an item is: ``"item_id"`` or ``"category"``; the finest that the log names by default.
        min_support: Least share of the orders before ``since`` with both.
        min_count: Least number of them, instead of a share.
        max_q: Largest share of false discoveries among the pairs (Benjamini-Hochberg over all pairs that are frequent).
        top: Most pairs to list; None for all.

    Returns:
        By what to expect, high to low: ``anchor``, ``addon``; as learned ``count``, ``attach`` (share of the anchor's
        orders with the add-on), ``lift``, ``q_value``; later ``holdout_anchors``, ``holdout_attach`` with its 95%
        Wilson interval ``low``, ``high``, ``holdout_lift``. Where the log names ``cost``: ``addon_margin`` (money an
        order with the add-on) and ``expected_margin`` (``holdout_attach * addon_margin``: what the add-on earns an
        order with the anchor, at today's prices and without a discount), which then ranks the pairs.

    Raises:
        ConfigError: If an argument is wrong.
        InsufficientDataError: If one of the two windows has no order.

    Examples:
        >>> import commlife as cl
        >>> world = cl.datasets.make_community(n_users=400, seed=7)
        >>> found = bundles(world.log, since="2025-06-02", as_of=world.as_of, min_support=0.01)
        >>> sorted([found["anchor"][0], found["addon"][0]]), bool(found["holdout_lift"][0] > 2)
        (['household-01', 'vegetables-01'], True)
    """
    need_log(log, "bundles")
    check_log(log, "bundles")
    first, day = day_number(since, name="since"), day_number(as_of)
    if first >= day:
        raise ConfigError(
            f"since is a day before as_of; seen since={str(since)!r}, as_of={str(as_of)!r}. Use an earlier since."
        )
    highest = float(exact_fraction(max_q, "max_q", zero=True))
    most = None if top is None else whole_number(top, "top")
    chosen = finest_level(log, level)
    past, _ = dated_baskets(log, first, chosen)
    later, _ = dated_baskets(log, day, chosen, since=first)
    count = least_count(min_support, min_count, past.n)
    frequent = np.flatnonzero(past.supports() >= count)
    pairs = pairs_between(past, frequent, frequent)
    # Of the two directions the surer one; equal ones by name.
    kept = (pairs.both >= count) & (
        (pairs.anchors < pairs.addons) | ((pairs.anchors == pairs.addons) & (pairs.anchor < pairs.addon))
    )
    table = _table(past, _take(pairs, kept))
    table = table[(table["q_value"] <= highest) & (table["lift"] > 1)]
    table = _with_holdout(table, later)
    return _ranked(table, margin_per_order(log, first, chosen, past.items), past.items, most)


def hot_pulls(
    log: OrderLog,
    *,
    as_of: Timestamp,
    hot: int = 20,
    profitable: int = 20,
    level: str | None = None,
    top: int | None = 20,
) -> pd.DataFrame:
    """Which hot items pull which profitable ones: the attach rate of the best earners on what most orders hold.

    Args:
        log: The orders, with ``cost``.
        as_of: Lines before this local day's midnight are used.
        hot: How many of the items in most orders are anchors.
        profitable: How many of the items with the largest margin are add-ons.
        level: What an item is: ``"item_id"`` or ``"category"``; the finest that the log names by default.
        top: Most pairs to list; None for all.

    Returns:
        The largest ``expected_margin`` first: ``anchor``, ``addon``, ``count``, ``anchors`` (orders with the anchor),
        ``attach`` with its 95% Wilson interval ``low``, ``high``, ``lift``, ``q_value`` (Benjamini-Hochberg over all
        pairs compared), ``addon_margin`` (money an order with the add-on), ``expected_margin`` (``attach *
        addon_margin``). A lift of 1 means that the add-on goes with anything: the anchor does not pull it.

    Raises:
        ConfigError: If an argument is wrong or the log has no ``cost``.

    Examples:
        >>> import commlife as cl
        >>> world = cl.datasets.make_community(n_users=400, seed=7)
        >>> pulls = hot_pulls(world.log, as_of=world.as_of)
        >>> list(pulls.columns[:5])
        ['anchor', 'addon', 'count', 'anchors', 'attach']
    """
    need_log(log, "hot_pulls")
    check_log(log, "hot_pulls")
    log.require("cost", why="hot_pulls")
    many, best = whole_number(hot, "hot"), whole_number(profitable, "profitable")
    most = None if top is None else whole_number(top, "top")
    day, chosen = day_number(as_of), finest_level(log, level)
    baskets, _ = dated_baskets(log, day, chosen)
    code_of = {label: code for code, label in enumerate(baskets.items)}
    sums = item_sums(log, day, chosen)
    sums = sums[sums["item"].isin(code_of) & (sums["orders"] > 0)].sort_values("item", key=lambda s: s.map(code_of))
    anchors, addons = (
        np.array([code_of[label] for label in sums.sort_values(name, ascending=False, kind="stable")["item"][:n]])
        for name, n in (("orders", many), ("margin", best))
    )
    table = _table(baskets, pairs_between(baskets, anchors, addons))
    low, high = wilson_interval(table["count"], table["anchors"])
    table = table.assign(low=low, high=high)
    columns = ["anchor", "addon", "count", "anchors", "attach", "low", "high", "lift", "q_value"]
    margin = margin_per_order(log, day, chosen, baskets.items)
    return _ranked(table[columns], margin, baskets.items, most, by="attach")


def _take(pairs: Pairs, kept: NDArray[np.bool_]) -> Pairs:
    return Pairs(*(getattr(pairs, name)[kept] for name in Pairs.__slots__))


def _table(baskets: Baskets, pairs: Pairs) -> pd.DataFrame:
    p = fisher_p(baskets.n, pairs.both, pairs.anchors, pairs.addons)
    return pd.DataFrame(
        {
            "anchor": pairs.anchor,
            "addon": pairs.addon,
            "count": pairs.both,
            "anchors": pairs.anchors,
            "attach": pairs.both / pairs.anchors,
            "lift": baskets.n * pairs.both / (pairs.anchors * pairs.addons),
            "q_value": benjamini_hochberg(p),
            "_anchor": pd.Series([baskets.items[code] for code in pairs.anchor], dtype=object),
            "_addon": pd.Series([baskets.items[code] for code in pairs.addon], dtype=object),
        }
    )


def _with_holdout(table: pd.DataFrame, later: Baskets) -> pd.DataFrame:
    code_of = {label: code for code, label in enumerate(later.items)}
    codes = [
        np.array([code_of.get(label, -1) for label in table[side]], dtype=np.int64) for side in ("_anchor", "_addon")
    ]
    seen = np.unique(np.concatenate(codes))
    seen = seen[seen >= 0]
    pairs = pairs_between(later, seen, seen)
    counts = np.append(later.supports(), 0)  # the last one stands for what is not sold any more
    key = pd.Series(pairs.both, index=pairs.anchor * len(later.items) + pairs.addon)
    both = key.reindex(codes[0] * len(later.items) + codes[1]).fillna(0).to_numpy()
    both = np.where((codes[0] < 0) | (codes[1] < 0), 0, both)
    anchors, addons = counts[codes[0]], counts[codes[1]]
    low, high = wilson_interval(both, anchors)
    with np.errstate(invalid="ignore", divide="ignore"):
        return table.drop(columns="anchors").assign(
            holdout_anchors=anchors,
            holdout_attach=both / anchors,
            low=low,
            high=high,
            holdout_lift=later.n * both / (anchors * addons),
        )


def _ranked(
    table: pd.DataFrame,
    margin: NDArray[np.float64] | None,
    items: list[Any],
    most: int | None,
    by: str = "holdout_attach",
) -> pd.DataFrame:
    """The best first, with labels in place of codes."""
    value = table[by]
    if margin is not None:
        table = table.assign(addon_margin=margin[table["addon"]])
        value = table[by] * table["addon_margin"]
        table = table.assign(expected_margin=value)
    order = np.lexsort((table["addon"], table["anchor"], -value.fillna(-np.inf)))
    table = table.iloc[order[:most]].reset_index(drop=True)
    for side in ("anchor", "addon"):
        table[side] = pd.Series([items[code] for code in table[side]], dtype=object)
    return table.drop(columns=["_anchor", "_addon"], errors="ignore")
