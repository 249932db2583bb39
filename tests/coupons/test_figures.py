"""Figures of coupons say what is seen, and refuse other frames."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from commlife._figures import fonts
from commlife.coupons import allocate, fairness_audit, frontier, plot_fairness, plot_frontier
from commlife.errors import ConfigError

mpl.use("Agg")


def test_a_frontier_and_its_plan_are_drawn() -> None:
    rng = np.random.default_rng(0)
    value, cost = rng.gamma(2, 2, (500, 2)), rng.gamma(2, 1, (500, 2))
    axes = plot_frontier(frontier(value, cost), plan=allocate(value, cost, 200.0))
    assert axes.get_title(loc="left").startswith("Half of the value for")
    assert len(axes.lines) == 2
    with pytest.raises(ConfigError, match="lacks"):
        plot_frontier(pd.DataFrame({"budget": [1.0]}))


def test_an_audit_is_drawn_with_who_gets_less() -> None:
    rng = np.random.default_rng(0)
    tenure = rng.choice(["long", "short"], 600)
    off = np.where(tenure == "long", 0.0, 5.0) * (rng.random(600) < 0.8)
    axes = plot_fairness(fairness_audit(off, pd.DataFrame({"tenure": tenure, "estate": rng.choice(["n", "s"], 600)})))
    assert axes.get_title(loc="left").startswith("1 of 4 groups get less")
    with pytest.raises(ConfigError, match="lacks"):
        plot_fairness(pd.DataFrame({"attribute": ["a"]}))
    many = pd.DataFrame({"estate": [f"e{i % 45}" for i in range(600)]})
    with pytest.raises(ConfigError, match="seen 45"):
        plot_fairness(fairness_audit(off, many))


def test_both_speak_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fonts, "chinese_family", lambda: "Noto Sans CJK SC"
    )  # the texts are meant here, not the letters
    curve = frontier([[3.0], [2.0]], [[1.0], [1.0]], budgets=[0, 1, 2])
    assert plot_frontier(curve, lang="zh").get_xlabel() == "预算"
    audit = fairness_audit([5, 0, 5, 0], pd.DataFrame({"tenure": ["long", "short"] * 2}))
    axes = plot_fairness(audit, lang="zh")
    assert axes.get_title(loc="left").startswith("2 组中有 ")
    for draw, what in ((plot_frontier, curve), (plot_fairness, audit)):
        with pytest.raises(ConfigError, match="lang"):
            draw(what, lang="fr")
