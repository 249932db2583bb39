"""Fairness: known gaps are seen, absent ones are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from commlife.coupons import PriceGuard, fairness_audit
from commlife.errors import ConfigError


def test_a_gap_by_tenure_is_seen_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    tenure = rng.integers(0, 1_000, 3_000)
    discount = np.where(rng.random(3_000) < np.where(tenure < 333, 0.5, 0.2), 5.0, 0.0)
    table = fairness_audit(discount, pd.DataFrame({"tenure": tenure, "letter": rng.choice(list("ab"), 3_000)}))
    rows = table.set_index(["attribute", "level"])
    assert rows.loc[("tenure", "lowest third"), "difference"] == pytest.approx(1.5, abs=0.2)
    assert rows.loc[("tenure", "lowest third"), "q_value"] < 1e-9
    assert rows.loc[("letter", "a"), "q_value"] > 0.01
    assert rows.loc[("tenure", "lowest third"), "share_low"] < 0.5 < rows.loc[("tenure", "lowest third"), "share_high"]


def test_edge_cases_have_plain_answers() -> None:
    table = fairness_audit([5, 5, 0], pd.DataFrame({"kind": ["a", "a", None]}))
    assert table["level"].tolist() == ["a", "unknown"]
    assert table["p_value"].isna().all()
    split = fairness_audit([5, 5, 0, 0], pd.DataFrame({"kind": ["a", "a", "b", "b"]}))
    assert (split["p_value"] == 0).all()
    alone = fairness_audit([5, 5], pd.DataFrame({"kind": ["a", "a"]}))
    assert alone["difference"].isna().all()
    values = np.concatenate([np.zeros(40), np.arange(1.0, 16), [np.nan]])
    parts = fairness_audit(np.ones(56), pd.DataFrame({"spend": values}))
    assert parts["level"].tolist() == ["lower part", "upper part", "unknown"]


@pytest.mark.parametrize(
    ("discount", "attributes", "message"),
    [
        ([1.0], pd.DataFrame({"a": [1, 2]}), "one entry a row"),
        ([1.0, np.nan], pd.DataFrame({"a": [1, 2]}), "finite"),
        ([1.0, -1.0], pd.DataFrame({"a": [1, 2]}), "at least 0"),
        ([1.0], {"a": [1]}, "pandas frame"),
        ([1.0], pd.DataFrame(index=[0]), "pandas frame"),
        (np.ones(60), pd.DataFrame({"a": [f"u{i}" for i in range(60)]}), "levels"),
    ],
)
def test_bad_input_is_told(discount, attributes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        fairness_audit(discount, attributes)


def test_the_guard_refuses_what_is_denied() -> None:
    guard = PriceGuard()
    guard.check(["frequency"])
    with pytest.raises(ConfigError, match="device"):
        guard.check(["frequency", "device"])
    with pytest.raises(ConfigError):
        PriceGuard(deny=())
