"""Repurchase cycles: by hand, on every engine, and whether the interval holds what it promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import commlife as cl
from commlife.features import repurchase_cycles
from commlife.testing import check_pipeline

NAMES = {"user_id": "u", "ordered_at": "t", "amount": "m", "category": "c"}
CYCLE = ["cycle_days", "next_due", "due_from", "due_until", "overdue"]


def export(seed: int = 0, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "u": rng.integers(0, 12, n),
            "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 120 * 24, n), unit="h"),
            "m": rng.integers(-400, 3000, n) / 100,
            "c": np.array(["rice", "milk", None], dtype=object)[rng.integers(0, 3, n)],
        }
    )


def by_hand(frame: pd.DataFrame, as_of: str, min_gaps: int, coverage: float) -> dict:
    kept = frame[(frame["t"] < as_of) & (frame["m"] >= 0) & frame["c"].notna()]
    found = {}
    for key, part in kept.groupby(["u", "c"]):
        days = np.unique(part["t"].dt.normalize().to_numpy().astype("datetime64[D]"))
        gaps = np.diff(days).astype(int)
        told = (len(gaps), days[-1])
        if len(gaps) >= min_gaps:
            logs = np.log(gaps)
            reach = stats.t.ppf(0.5 + coverage / 2, len(gaps) - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / len(gaps))
            ends = np.exp([logs.mean(), logs.mean() - reach, logs.mean() + reach])
            told += (
                ends[0],
                days[-1] + round(ends[0]),
                days[-1] + max(int(np.floor(ends[1])), 1),
                days[-1] + int(np.ceil(ends[2])),
            )
        found[key] = told
    return found


@pytest.mark.parametrize(("min_gaps", "coverage"), [(2, 0.5), (4, 0.8), (30, 0.95)])
def test_cycles_follow_the_definition(engine, as_pandas, min_gaps, coverage):
    log = cl.OrderLog.from_frame(engine(export()), **NAMES)
    table = as_pandas(repurchase_cycles(log, as_of="2025-04-20", min_gaps=min_gaps, coverage=coverage))
    wanted = by_hand(export(), "2025-04-20", min_gaps, coverage)
    assert len(table) == len(wanted)
    for row in table.itertuples():
        gaps, last, *cycle = wanted[row.user_id, row.category]
        assert (row.gaps, row.last_bought) == (gaps, pd.Timestamp(last))
        if cycle:
            assert row.cycle_days == pytest.approx(cycle[0], rel=1e-5)
            assert [row.next_due, row.due_from, row.due_until] == [pd.Timestamp(day) for day in cycle[1:]]
            assert row.overdue == (row.due_until <= pd.Timestamp("2025-04-20"))
    few = table[table["gaps"] < min_gaps]
    assert few[CYCLE].isna().all().all()


def test_a_single_product_has_a_cycle_too():
    frame = export().rename(columns={"c": "i"})
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", item_id="i")
    table = repurchase_cycles(log, as_of="2025-04-20", level="item_id")
    assert table.columns[:2].tolist() == ["user_id", "item_id"]
    with pytest.raises(cl.ConfigError, match="category"):
        repurchase_cycles(log, as_of="2025-04-20")


def test_the_interval_holds_the_next_purchase_as_often_as_it_says():
    """Gaps drawn as the model has them: the eighth falls into the interval learned from seven, at the rate promised."""
    rng = np.random.default_rng(5)
    gaps = np.maximum(np.rint(np.exp(rng.normal(4.0, 0.4, (3000, 8)))), 1).astype(int)
    days = np.cumsum(np.c_[np.zeros(3000, dtype=int), gaps], axis=1)
    start = np.datetime64("2020-01-01")
    frame = pd.DataFrame(
        {
            "u": np.repeat(np.arange(3000), 8),
            "t": (start + days[:, :8].ravel()).astype("datetime64[s]"),
            "m": 1.0,
            "c": "rice",
        }
    )
    log = cl.OrderLog.from_frame(frame, **NAMES)
    for coverage in (0.5, 0.8):
        table = repurchase_cycles(log, as_of="2030-01-01", coverage=coverage)
        came = start + days[:, 8]
        inside = (table["due_from"].to_numpy() <= came) & (came <= table["due_until"].to_numpy())
        # Whole days make the interval a little wider than asked, never narrower.
        assert coverage - 0.02 < inside.mean() < coverage + 0.04


def test_one_who_buys_every_week_is_due_on_the_very_day():
    """Equal gaps have no spread: the interval is the day itself, and it is overdue once that day has come."""
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta([0, 7, 14, 21, 28], unit="D")
    log = cl.OrderLog.from_frame(pd.DataFrame({"u": "a", "t": days, "m": 1.0, "c": "rice"}), **NAMES)
    for as_of, overdue in (("2025-02-04", False), ("2025-02-05", True)):
        row = repurchase_cycles(log, as_of=as_of).iloc[0]
        assert row["cycle_days"] == pytest.approx(7.0, rel=1e-6)
        assert row["next_due"] == row["due_from"] == row["due_until"] == pd.Timestamp("2025-02-05")
        assert bool(row["overdue"]) is overdue


def test_cycles_pass_the_checks_of_a_pipeline():
    check_pipeline(
        lambda log, as_of: repurchase_cycles(log, as_of=as_of, min_gaps=2).groupby("user_id", as_index=False).first()
    )


@pytest.mark.parametrize(
    "wrong", [{"min_gaps": 1}, {"min_gaps": True}, {"coverage": 1}, {"coverage": 0}, {"level": "shop"}]
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(cl.ConfigError):
        repurchase_cycles(cl.OrderLog.from_frame(export(), **NAMES), **{"as_of": "2025-04-20", **wrong})
