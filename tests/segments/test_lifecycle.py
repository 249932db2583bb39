"""Lifecycle: how it shows itself. Its states and flows are tested with what counts them (tests/features/test_flows.py)."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl


def fitted() -> cl.segments.FittedLifecycle:
    days = {"ann": [1, 8, 15, 22], "ben": [1], "cat": [1, 22], "dan": [22]}
    rows = [(user, pd.Timestamp(2025, 1, day), 1.0) for user, of in days.items() for day in of]
    frame = pd.DataFrame(rows, columns=["u", "t", "m"])
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")
    return cl.Lifecycle(period="7D", silent_after=1, churned_after=3).fit(log, as_of="2025-01-29")


def test_it_is_shown_by_its_newest_states():
    """In the first week three were new: what is told is the last one, where nobody is counted twice or left out."""
    life = fitted()
    assert life.states.set_index("user_id")["state"].to_dict() == {
        "ann": "active", "ben": "churned", "cat": "returned", "dan": "new",
    }  # fmt: skip
    assert repr(life) == ("FittedLifecycle(4 users before 2025-01-29: 1 new, 1 active, 1 returned, 1 churned)")
    html = life._repr_html_()
    assert "2025-01-22" in html


def test_churn_begins_after_silence():
    with pytest.raises(cl.ConfigError, match="churned_after"):
        cl.Lifecycle(silent_after=3, churned_after=3)
    assert cl.Lifecycle(silent_after=3, churned_after=4).churned_after == 4
