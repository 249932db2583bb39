"""What is wrong is told: which value, which rule, what to do; all faults of a summary at once."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from commlife.errors import CommlifeError, ConfigError, InsufficientDataError, ModelWarning, SchemaError
from commlife.value import (
    BetaGeo,
    GammaGamma,
    ModifiedBetaGeo,
    ParetoNBD,
    ShiftedBetaGeo,
    bootstrap,
    frequency_check,
    lifetime_value,
    simulate_summary,
)

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


@functools.cache
def simulated() -> pd.DataFrame:
    truth = {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7}
    return simulate_summary("ParetoNBD", truth, n_users=1500, T="273D", seed=3)


def good() -> pd.DataFrame:
    return simulated().copy()


@functools.cache
def fitted(spec: Any) -> Any:
    return spec.fit(good())


BAD = [
    ({"x": -1.0}, "not_a_count"),
    ({"x": 1.5}, "not_a_count"),
    ({"x": 1e300}, "not_a_count"),
    ({"x": np.nan}, "not_finite"),
    ({"T": np.inf}, "not_finite"),
    ({"t_x": -np.inf}, "not_finite"),
    ({"T": -1.0, "t_x": -2.0}, "out_of_range"),
    ({"T": 1e7}, "out_of_range"),
    ({"x": 1.0, "t_x": 201.0, "T": 200.0}, "out_of_range"),
    ({"x": 0.0, "t_x": 5.0}, "contradiction"),
    ({"x": 3.0, "t_x": 0.0}, "contradiction"),
    ({"user_id": None}, "null_user_id"),
]


@by_name
@pytest.mark.parametrize(("change", "fault"), BAD)
def test_impossible_histories_are_told(spec: Any, change: dict[str, Any], fault: str) -> None:
    table = good().astype({"x": float, "user_id": object})
    model = fitted(spec)
    for name, value in change.items():
        table.loc[7, name] = value
    with pytest.raises(SchemaError) as caught:
        model.p_silent(table, horizon="28D")
    faults = caught.value.faults
    assert fault in faults["fault"].tolist()
    assert faults["rows"].min() == 1
    assert "row 7" in str(caught.value)


def test_all_faults_come_at_once() -> None:
    table = good().astype({"x": float})
    table.loc[0, "x"], table.loc[1, "t_x"], table.loc[2, "T"] = -1, -1, np.nan
    with pytest.raises(SchemaError, match="3 faults in a purchase summary of 1,500 rows") as caught:
        BetaGeo().fit(table)
    assert len(caught.value.faults) == 3


def test_missing_columns_get_a_hint() -> None:
    with pytest.raises(SchemaError, match="Did you mean the column 't_X'"):
        BetaGeo().fit(good().rename(columns={"t_x": "t_X"}))
    with pytest.raises(SchemaError, match="purchase_summary"):
        BetaGeo().fit(good().drop(columns="x"))
    with pytest.raises(SchemaError, match="user_id"):
        fitted(BetaGeo()).p_alive(good().drop(columns="user_id"))


@pytest.mark.parametrize("column", ["x", "t_x", "T"])
@pytest.mark.parametrize("kind", [str, bool, "datetime64[s]"])
def test_text_booleans_and_times_are_no_numbers(column: str, kind: Any) -> None:
    table = good().astype({"x": "int64", "t_x": "int64", "T": "int64"})
    table[column] = table[column].astype(kind)
    with pytest.raises(SchemaError, match="not_a_number"):
        BetaGeo().fit(table)


@pytest.mark.parametrize("data", [None, 3, "summary.csv", [1, 2], {"x": [1]}, np.ones((3, 4)), pd.Series([1.0])])
@by_name
def test_only_frames_and_logs_are_taken(spec: Any, data: Any) -> None:
    with pytest.raises(ConfigError, match="OrderLog or a purchase summary"):
        spec.fit(data)


def test_two_columns_of_one_name_are_told() -> None:
    table = good()
    twice = pd.concat([table, table[["x"]]], axis=1)
    with pytest.raises(CommlifeError):
        BetaGeo().fit(twice)


@by_name
@pytest.mark.parametrize("unit", ["7", 7, None, "week", "0D", "-7D", "7d"])
def test_durations_are_days(spec: Any, unit: Any) -> None:
    with pytest.raises(ConfigError, match="a duration is a whole number of days"):
        spec.fit(good(), time_unit=unit)
    with pytest.raises(ConfigError, match="a duration is a whole number of days"):
        fitted(spec).expected_purchases(good(), horizon=unit)


@by_name
def test_too_little_to_learn_from(spec: Any) -> None:
    table = good()
    with pytest.raises(InsufficientDataError, match="no row"):
        spec.fit(table.iloc[:0])
    with pytest.raises(InsufficientDataError, match="x = 0 for all"):
        spec.fit(table[table["x"] == 0])
    with pytest.raises(InsufficientDataError, match="T = 0"):
        spec.fit(pd.DataFrame({"x": [0, 0], "t_x": [0, 0], "T": [0, 0]}))
    with pytest.raises(InsufficientDataError, match="no row"):
        fitted(spec).p_alive(table.iloc[:0])


@by_name
def test_a_runaway_parameter_is_told_and_the_predictions_hold(spec: Any) -> None:
    """A peer ends at a = 1.7e67 without a word."""
    steady = pd.DataFrame({"user_id": range(60), "x": [5, 6, 7] * 20, "t_x": [95, 90, 99] * 20, "T": 100})
    with pytest.warns(ModelWarning, match="bound|factor of fifty"):
        model = spec.fit(steady)
    assert all(np.isfinite(value) for value in model.params.values())
    ahead = model.expected_purchases(steady, horizon="100D")["expected_purchases"]
    assert ahead.between(4, 8).all()


@by_name
def test_a_weak_prior_settles_a_small_sample(spec: Any) -> None:
    small = good().head(40)
    model = type(spec)(prior="weak").fit(small)
    assert all(np.isfinite(error) for error in model.standard_errors.values())
    assert model.spec.prior == "weak"
    assert max(model.params.values()) < 1e4


def test_unknown_prior_is_told_when_the_spec_is_made() -> None:
    with pytest.raises(ConfigError, match="prior"):
        BetaGeo(prior="strong")
    with pytest.raises(ConfigError, match="Did you mean 'prior'"):
        BetaGeo(priors="weak")


def test_gamma_gamma_needs_spend() -> None:
    table = good()
    with pytest.raises(SchemaError, match="m_x"):
        GammaGamma().fit(table)
    spend = table.assign(m_x=np.where(table["x"] > 0, 10.0, np.nan))
    with pytest.raises(InsufficientDataError, match="different mean spends"):
        GammaGamma().fit(spend)
    with pytest.raises(InsufficientDataError, match="has 0 such users"):
        GammaGamma().fit(table[table["x"] == 0].assign(m_x=None))
    spend.loc[table["x"].idxmax(), "m_x"] = np.inf
    with pytest.raises(SchemaError, match="m_x is null only where x = 0"):
        GammaGamma().fit(spend)
    with pytest.raises(SchemaError, match="not_a_number"):
        GammaGamma().fit(spend.assign(m_x="ten"))


def test_polars_without_a_repeat_has_a_column_of_nulls() -> None:
    once = pl.DataFrame({"user_id": ["a"], "x": [0], "t_x": [0], "T": [9], "m_x": [None]})
    with pytest.raises(InsufficientDataError, match="has 0 such users"):
        GammaGamma().fit(once)


@pytest.mark.parametrize(
    "survivors",
    [
        "100",
        5,
        None,
        [],
        [100],
        [100, 110],
        [100, -1],
        [0, 0],
        [100, np.inf],
        [100, None],
        [100, "90"],
        [[100, 90], 80],
        [True, False],
        {},
    ],
)
def test_survivors_are_a_falling_curve(survivors: Any) -> None:
    with pytest.raises(ConfigError, match="surviv"):
        ShiftedBetaGeo().fit(survivors)


@pytest.mark.parametrize("survivors", [[100, 100, 100], [100, 0], [100, 60]])
def test_survivors_must_show_both_leaving_and_staying(survivors: list[float]) -> None:
    with pytest.raises((InsufficientDataError, ModelWarning)):
        ShiftedBetaGeo().fit(survivors)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"annual_discount": -0.1}, "annual_discount"),
        ({"annual_discount": 100.5}, "annual_discount"),
        ({"annual_discount": float("nan")}, "annual_discount"),
        ({"annual_discount": True}, "annual_discount"),
        ({"annual_discount": "ten"}, "annual_discount"),
        ({"margin": 1.5}, "margin"),
        ({"margin": None}, "margin"),
        ({"horizon": "1Y"}, "duration"),
        ({"purchases": BetaGeo()}, "fitted BetaGeo"),
        ({"spend": GammaGamma()}, "fitted GammaGamma"),
    ],
)
def test_lifetime_value_checks_its_arguments(cdnow: pd.DataFrame, change: dict[str, Any], text: str) -> None:
    given = {"purchases": BetaGeo().fit(cdnow), "spend": GammaGamma().fit(cdnow), "data": cdnow, "horizon": "365D"}
    with pytest.raises(ConfigError, match=text):
        lifetime_value(**{**given, **change})


@pytest.mark.parametrize("as_of", ["yesterday", 3, dt.datetime(2025, 1, 1, 12), pd.NaT])
def test_as_of_is_a_day(as_of: Any) -> None:
    with pytest.raises(ConfigError, match="as_of"):
        BetaGeo().fit(good(), as_of=as_of)


TRUE = {"r": 1.0, "alpha": 5.0, "a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "NBD"},
        {"params": {"r": 1.0}},
        {"params": {**TRUE, "c": 1.0}},
        {"params": {**TRUE, "r": -1}},
        {"n_users": 0},
        {"n_users": True},
        {"T": "10"},
        {"first_within": "100D"},
    ],
)
def test_simulation_checks_its_arguments(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"model": "BetaGeo", "params": TRUE, "n_users": 5, "T": "100D"}
    with pytest.raises(ConfigError):
        simulate_summary(**{**given, **change})


def test_a_text_is_no_number_even_alone() -> None:
    one = good().head(1).assign(T="long")
    with pytest.raises(SchemaError, match="not_a_number"):
        BetaGeo().fit(one)
    with pytest.raises(InsufficientDataError):
        BetaGeo().fit(good().head(0).astype({"T": object}))


def test_the_labels_of_rows_do_not_matter() -> None:
    """A frame that was filtered or sorted carries the labels of its former rows."""
    model, data = fitted(SPECS[0]), good().head(50)
    told = model.p_alive(data)
    again = model.p_alive(data.set_axis(range(1000, 950, -1)))
    pd.testing.assert_frame_equal(again, told)
    assert again.index.tolist() == list(range(50))


def test_the_least_that_may_be_asked_for_is_one() -> None:
    data = good().head(400)
    assert len(bootstrap(SPECS[0], data, n_samples=1, seed=1)) == 1
    assert len(frequency_check(fitted(SPECS[0]), data, most=1).table) == 2
