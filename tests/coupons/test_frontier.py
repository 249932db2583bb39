"""The frontier: equal to allocate's bound at every budget, concave, and its prices are its slopes."""

from __future__ import annotations

import numpy as np
import pytest

from commlife.coupons import allocate, frontier
from commlife.errors import ConfigError


def test_the_frontier_is_allocates_bound() -> None:
    rng = np.random.default_rng(0)
    value, cost = rng.normal(1, 2, (200, 4)), rng.gamma(1, 2, (200, 4))
    curve = frontier(value, cost)
    assert len(curve) == 21
    for row in curve.itertuples():
        plan = allocate(value, cost, row.budget)
        assert plan.upper_bound == pytest.approx(row.value)
    steps = np.diff(curve["value"])
    assert (steps >= -1e-9).all()
    assert (np.diff(steps) <= 1e-9).all()
    assert (np.diff(curve["shadow_price"]) <= 1e-12).all()
    assert curve["shadow_price"].iloc[-1] == pytest.approx(0, abs=1e-2)


def test_ineligible_and_worthless_coupons_bring_nothing() -> None:
    assert frontier([[-1.0]], [[1.0]])["value"].tolist() == [0.0] * 21
    assert frontier([[5.0]], [[1.0]], budgets=[3, 1], eligible=[[False]])["value"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("budgets", [[], 5, [-1], [float("nan")], ["x"]])
def test_bad_budgets_are_told(budgets) -> None:
    with pytest.raises(ConfigError, match="budget"):
        frontier([[5.0]], [[1.0]], budgets=budgets)
