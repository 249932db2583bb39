"""Holdout: whether rules still hold in later baskets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.wilson import wilson_interval
from commlife.basket._baskets import baskets_of
from commlife.basket._orders import dated_baskets, is_order_log
from commlife.basket._recount import recount
from commlife.basket.rules import AssociationRules
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number

if TYPE_CHECKING:
    from commlife.basket._baskets import Baskets

__all__ = ["holdout_rules"]


def holdout_rules(
    rules: AssociationRules,
    baskets: Any,
    *,
    since: Timestamp | None = None,
    as_of: Timestamp | None = None,
    level: str = "item_id",
    basket: str = "basket",
    item: str = "item",
) -> pd.DataFrame:
    """Count each rule again in baskets that it was not learned from, such as those of later weeks.

    The surest of many rules are sure partly by luck, so that their confidence falls when it is measured anew: show
    operators this one.

    Args:
        rules: Rules learned from earlier baskets: of an OrderLog, from itemsets mined with ``as_of=since``.
        baskets: The later ones, in any form that :func:`~commlife.basket.frequent_itemsets` takes; of an OrderLog the
            orders dated from ``since`` to before ``as_of``.
        since: For an OrderLog: the first day of the holdout.
        as_of: For an OrderLog: the day before whose midnight the holdout ends.
        level: For an OrderLog: as for the itemsets.
        basket: For a long frame: the column that names the basket.
        item: For a long frame: the column that names the item.

    Returns:
        The rules in their own order: ``antecedent``, ``consequent``, ``confidence`` and ``lift`` as learned,
        ``holdout_antecedents`` (baskets with the antecedent), ``holdout_count`` (of these, with the consequent too),
        ``holdout_confidence`` (null without an antecedent) with its 95% Wilson interval ``low``, ``high``, and
        ``holdout_lift`` (null where a side is missing).

    Raises:
        ConfigError: If an argument is wrong or missing.
        InsufficientDataError: If the holdout has no basket.

    Examples:
        >>> from commlife.basket import association_rules, frequent_itemsets
        >>> sets = frequent_itemsets([["a", "b"], ["a", "b"], ["b"]], min_count=2)
        >>> later = holdout_rules(association_rules(sets, min_confidence=0.9), [["a", "b"], ["a"], ["a", "b"], ["c"]])
        >>> later[["antecedent", "confidence", "holdout_confidence"]]
          antecedent  confidence  holdout_confidence
        0       (a,)         1.0            0.666667
    """
    if not isinstance(rules, AssociationRules):
        raise ConfigError(f"rules are what association_rules returns; seen a {type(rules).__name__}.")
    if rules.sets.weight is not None:
        raise ConfigError(
            f"these rules were learned from baskets weighted by {rules.sets.weight}; a holdout counts baskets alike. "
            "Learn them without weights."
        )
    later = _later(baskets, since, as_of, level, basket, item)
    levels = rules.sets._levels
    codes = {label: code for code, label in enumerate(later.items)}
    new = np.array([codes.get(label, -1) for label in rules.sets.items], dtype=np.int64)
    tables = [new[part.codes] for part in levels]
    counted = recount(later, tables, np.zeros(later.n, dtype=np.int64), 1)
    counts = np.concatenate([np.zeros(0, dtype=np.int64), *(part[:, 0] for part in counted)])
    splits = rules._splits
    both, a, c = (counts[side] for side in (splits.whole, splits.antecedent, splits.consequent))
    low, high = wilson_interval(both, a)
    tuples = rules.sets._tuples
    confidence = np.full(both.size, np.nan)
    np.divide(both, a, out=confidence, where=a > 0)
    lift = np.full(both.size, np.nan)
    np.divide(later.n * both, a * c, out=lift, where=a * c > 0)
    return pd.DataFrame(
        {
            "antecedent": pd.Series(tuples[splits.antecedent], dtype=object),
            "consequent": pd.Series(tuples[splits.consequent], dtype=object),
            "confidence": rules.measure("confidence"),
            "lift": rules.measure("lift"),
            "holdout_antecedents": a,
            "holdout_count": both,
            "holdout_confidence": confidence,
            "low": low,
            "high": high,
            "holdout_lift": lift,
        }
    )


def _later(
    baskets: Any, since: Timestamp | None, as_of: Timestamp | None, level: str, basket: str, item: str
) -> Baskets:
    if is_order_log(baskets):
        if since is None or as_of is None:
            raise ConfigError(
                "a holdout of an OrderLog needs since=... and as_of=...: its first day, and its end. Give both."
            )
        first, end = day_number(since, name="since"), day_number(as_of)
        if first >= end:
            raise ConfigError(
                f"since is a day before as_of; seen since={str(since)!r}, as_of={str(as_of)!r}. Use an earlier since."
            )
        return dated_baskets(baskets, end, level, since=first)[0]
    if since is not None or as_of is not None:
        raise ConfigError(f"since and as_of need an OrderLog; a {type(baskets).__name__} has no dates. Leave them out.")
    return baskets_of(baskets, basket=basket, item=item)
