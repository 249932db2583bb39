"""Migration: everybody in one cell, in users and in money."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife.segments import migration

BEFORE = pd.DataFrame({"user_id": [1, 2, 3], "segment": ["New", "New", "Loyal"], "monetary": [5.0, 7.0, 80.0]})
AFTER = pd.DataFrame({"user_id": [4, 2, 1], "segment": ["New", "New", "Loyal"], "monetary": [1.0, 9.0, 60.0]})


def test_everybody_is_in_one_cell(engine):
    table = migration(engine(BEFORE), engine(AFTER)).to_frame()
    rows = {
        (r.from_segment, r.to_segment): (r.users, r.share, r.monetary_before, r.monetary_after)
        for r in table.itertuples()
    }
    assert rows == {
        (None, "New"): (1, 1.0, 0.0, 1.0),
        ("Loyal", None): (1, 1.0, 80.0, 0.0),
        ("New", "Loyal"): (1, 0.5, 5.0, 60.0),
        ("New", "New"): (1, 0.5, 7.0, 9.0),
    }


def test_the_matrix():
    moved = migration(BEFORE, AFTER)
    assert moved.wide().loc["New", "Loyal"] == 1
    assert moved.wide("monetary_after").to_numpy().sum() == 70.0
    assert repr(moved) == "Migration(4 users, 3 of them changed segment)"
    with pytest.raises(cl.ConfigError, match="users"):
        moved.wide("user")


def test_wrong_frames_are_refused():
    with pytest.raises(cl.ConfigError, match="no column segment"):
        migration(BEFORE.drop(columns="segment"), AFTER)
    with pytest.raises(cl.ConfigError, match="different types"):
        migration(BEFORE, AFTER.astype({"user_id": str}))
    with pytest.raises(cl.ConfigError, match="twice"):
        migration(pd.concat([BEFORE, BEFORE]), AFTER)
    with pytest.raises(cl.EngineError):
        migration([1, 2], AFTER)
