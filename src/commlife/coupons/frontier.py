"""Frontier: what each budget could bring, before one of them is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from commlife.coupons._given import amount_of_money, checked_problem
from commlife.coupons._relaxed import dual_bound
from commlife.coupons._segments import exact_slopes, falling, hull_segments
from commlife.effects._inputs import array_of
from commlife.errors import ConfigError

__all__ = ["frontier"]


def frontier(value: Any, cost: Any, *, budgets: Any = None, eligible: Any = None) -> pd.DataFrame:
    """Best value against budget, all from one sort: where does another unit of money stop being worth it?

    Args:
        value: (users, coupons) array or frame, as for :func:`~commlife.coupons.allocate`.
        cost: The same shape.
        budgets: Budgets to look at; None: 21 from 0 to what everybody's most valuable coupon would cost.
        eligible: The same shape, booleans.

    Returns:
        Frame with one row a budget, ascending: ``budget, value`` (the optimum with users split, which a plan comes
        close to), ``shadow_price`` (value of one more unit of money).

    Raises:
        ConfigError: As for ``allocate``, or if there is no budget.

    Examples:
        >>> curve = frontier([[3.0], [2.0]], [[1.0], [1.0]], budgets=[0, 1, 1.5, 2])
        >>> curve["value"].tolist(), curve["shadow_price"].tolist()
        ([0.0, 3.0, 4.0, 5.0], [3.0, 2.0, 2.0, 0.0])
    """
    problem = checked_problem(value, cost, eligible)
    segments = hull_segments(problem)
    order = falling(segments)
    spent = np.cumsum(segments.spend[order])
    full = float(spent[-1]) if len(spent) else 0.0
    if budgets is None:
        wanted = np.linspace(0.0, full, 21)
    else:
        if array_of(budgets, "budgets").ndim != 1 or len(budgets) == 0:
            raise ConfigError(f"budgets is a list of at least one amount; seen {budgets!r:.60}.")
        wanted = np.sort([amount_of_money(budget, "a budget") for budget in budgets])
    edges = np.searchsorted(spent, wanted * (1 + 1e-12), side="right")
    prices = np.zeros(len(edges))
    inside = edges < len(order)
    prices[inside] = exact_slopes(problem, segments, order[edges[inside]])
    nothing = np.empty(0)
    worth = [
        dual_bound(problem, float(b), float(price), None, nothing) for b, price in zip(wanted, prices, strict=True)
    ]
    return pd.DataFrame({"budget": wanted, "value": worth, "shadow_price": prices})
