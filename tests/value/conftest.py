"""The CDNOW data of Fader & Hardie, from the text files that the package lifetimes carries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def _folder() -> Path:
    found = importlib.util.find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("the package lifetimes, which carries the CDNOW files, is not installed")
    return Path(found.origin).parent / "datasets"


def read_days(name: str) -> pd.DataFrame:
    """Customer-days: user_id, day, spend."""
    raw = pd.read_csv(_folder() / name, sep=r"\s+", header=None)
    user, day, spend = raw.columns[-4], raw.columns[-3], raw.columns[-1]
    table = pd.DataFrame(
        {"user_id": raw[user], "day": pd.to_datetime(raw[day].astype(str), format="%Y%m%d"), "spend": raw[spend]}
    )
    return table.groupby(["user_id", "day"], as_index=False)["spend"].sum()


def summarise(days: pd.DataFrame, until: str) -> pd.DataFrame:
    """x, t_x, T, m_x at the end of ``until``."""
    end = pd.Timestamp(until)
    seen = days[days["day"] <= end].sort_values(["user_id", "day"])
    users = seen.groupby("user_id")
    first, last, x = users["day"].min(), users["day"].max(), users.size() - 1
    repeat_spend = users["spend"].sum() - users["spend"].first()
    return pd.DataFrame(
        {
            "user_id": first.index,
            "x": x.to_numpy(),
            "t_x": (last - first).dt.days.to_numpy(),
            "T": (end - first).dt.days.to_numpy(),
            "m_x": np.where(x > 0, repeat_spend / x.where(x > 0, 1), np.nan),
        }
    )


@pytest.fixture(scope="session")
def cdnow_days() -> pd.DataFrame:
    return read_days("CDNOW_sample.txt")


@pytest.fixture(scope="session")
def cdnow(cdnow_days: pd.DataFrame) -> pd.DataFrame:
    return summarise(cdnow_days, "1997-09-30")


@pytest.fixture(scope="session")
def holdout(cdnow_days: pd.DataFrame) -> pd.DataFrame:
    """Purchase days of each customer from 1997-10-01 to 1998-06-30."""
    later = cdnow_days[cdnow_days["day"] > pd.Timestamp("1997-09-30")]
    return later.groupby("user_id", as_index=False).size().rename(columns={"size": "purchases"})
