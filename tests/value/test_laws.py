"""Laws: row order, time unit, money, kinds of frame, JSON; nothing of the caller is changed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife import value
from commlife.errors import InsufficientDataError, PersistenceError
from commlife.orders import OrderLog
from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, lifetime_value, simulate_summary

SPECS = [BetaGeo(), ModifiedBetaGeo(), ParetoNBD()]
by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


@by_name
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_row_order_changes_nothing(cdnow: pd.DataFrame, spec: Any, seed: int) -> None:
    part = cdnow.iloc[::8]
    mixed = part.sample(frac=1, random_state=seed)
    one, other = spec.fit(part), spec.fit(mixed)
    assert one.params == other.params
    assert one.log_likelihood == other.log_likelihood
    answers = other.p_silent(mixed, horizon="28D").set_index("user_id")["p_silent"]
    assert answers.loc[part["user_id"]].tolist() == one.p_silent(part, horizon="28D")["p_silent"].tolist()


@by_name
def test_the_time_unit_changes_the_numbers_and_not_the_answers(cdnow: pd.DataFrame, spec: Any) -> None:
    weeks, days = spec.fit(cdnow, time_unit="7D"), spec.fit(cdnow, time_unit="1D")
    for name in weeks.params:
        factor = 7 if name in spec.kernel.time_parameters else 1
        assert days.params[name] == pytest.approx(factor * weeks.params[name], rel=1e-12)
        assert days.standard_errors[name] == pytest.approx(factor * weeks.standard_errors[name], rel=1e-9)
    assert weeks.log_likelihood == pytest.approx(days.log_likelihood + 2457 * np.log(7), abs=1e-8)
    for horizon in ("1D", "400D"):
        one, other = (m.expected_purchases(cdnow, horizon=horizon)["expected_purchases"] for m in (weeks, days))
        assert np.allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("exponent", [-5.3, -1.0, 0.5, 6.0])
def test_money_scales(cdnow: pd.DataFrame, exponent: float) -> None:
    factor = float(10**exponent)
    richer = cdnow.assign(m_x=cdnow["m_x"] * factor)
    one, other = GammaGamma().fit(cdnow), GammaGamma().fit(richer)
    assert other.params["p"] == pytest.approx(one.params["p"], rel=1e-5)
    assert other.params["q"] == pytest.approx(one.params["q"], rel=1e-5)
    assert other.params["v"] == pytest.approx(one.params["v"] * factor, rel=1e-5)
    spend = one.expected_spend(cdnow)["expected_spend"] * factor
    assert np.allclose(other.expected_spend(richer)["expected_spend"], spend, rtol=1e-5)


def test_every_kind_of_frame_gives_the_same_in_its_own_kind(cdnow: pd.DataFrame) -> None:
    bg, gg = BetaGeo().fit(cdnow), GammaGamma().fit(cdnow)
    plain = {name: cdnow[name].to_numpy() for name in ("user_id", "x", "t_x", "T")}
    spend = [None if np.isnan(m) else float(m) for m in cdnow["m_x"]]
    frames = [
        pl.DataFrame({**plain, "m_x": spend}),
        pl.LazyFrame({**plain, "m_x": spend}),
        pa.table({**plain, "m_x": spend}),
    ]
    worth = lifetime_value(bg, gg, cdnow, horizon="365D", margin=0.2)
    median = bg.median_days_to_next_order(cdnow)["median_days_to_next_order"]
    for frame in frames:
        assert BetaGeo().fit(frame).params == bg.params
        assert GammaGamma().fit(frame).params == gg.params
        told = lifetime_value(bg, gg, frame, horizon="365D", margin=0.2)
        assert isinstance(told, pa.Table if isinstance(frame, pa.Table) else pl.DataFrame)
        columns = told.to_pydict() if isinstance(told, pa.Table) else told.to_dict(as_series=False)
        assert columns == {name: worth[name].tolist() for name in ("user_id", "lifetime_value")}
        medians = bg.median_days_to_next_order(frame)
        nulls = (
            medians["median_days_to_next_order"].null_count
            if isinstance(medians, pa.Table)
            else medians["median_days_to_next_order"].null_count()
        )
        assert nulls == int(median.isna().sum()) > 0


def test_pandas_nullable_columns_and_any_index_are_taken(cdnow: pd.DataFrame) -> None:
    odd = cdnow.astype({"x": "Int64", "t_x": "Int32", "T": "UInt16", "m_x": "Float64"}).set_index(cdnow["user_id"] % 7)
    bg = BetaGeo().fit(cdnow)
    assert BetaGeo().fit(odd).params == bg.params
    told = bg.p_alive(odd)
    assert told["user_id"].tolist() == cdnow["user_id"].tolist()
    assert told["p_alive"].tolist() == bg.p_alive(cdnow)["p_alive"].tolist()
    assert GammaGamma().fit(odd).params == GammaGamma().fit(cdnow).params


def test_the_callers_frame_is_left_alone(cdnow: pd.DataFrame) -> None:
    before = cdnow.copy(deep=True)
    bg, gg = BetaGeo().fit(cdnow), GammaGamma().fit(cdnow)
    lifetime_value(bg, gg, cdnow, horizon="90D")
    pd.testing.assert_frame_equal(cdnow, before)


@pytest.mark.parametrize("spec", [*SPECS, GammaGamma()], ids=lambda spec: type(spec).__name__)
def test_json_and_back(cdnow: pd.DataFrame, spec: Any) -> None:
    fitted = spec.fit(cdnow)
    again = type(fitted).from_json(fitted.to_json())
    assert again == fitted
    assert type(fitted).__name__ in repr(fitted)
    assert str(fitted) == repr(fitted)
    with pytest.raises(PersistenceError, match="damaged"):
        type(fitted).from_json(fitted.to_json().replace('"params": {', '"params": {"z": 1.0, '))
    name, value = next(iter(fitted.params.items()))
    with pytest.raises(PersistenceError, match="positive and finite"):
        type(fitted).from_json(fitted.to_json().replace(f'"{name}": {value!r}', f'"{name}": -1.0', 1))


def test_json_keeps_errors_that_are_not_determined(cdnow: pd.DataFrame) -> None:
    fitted = BetaGeo().fit(cdnow)
    vague = fitted.model_copy(update={"standard_errors": {**fitted.standard_errors, "a": float("nan")}})
    assert np.isnan(type(fitted).from_json(vague.to_json()).standard_errors["a"])


def test_everything_public_is_there() -> None:
    assert all(hasattr(value, name) for name in value.__all__)


@by_name
@settings(max_examples=5)
@given(rng=st.randoms(use_true_random=False))
def test_relabelling_users_permutes_the_answers(spec: Any, rng: Any) -> None:
    summary = drawn(type(spec).__name__)
    labels = [f"user {i}" for i in range(len(summary))]
    rng.shuffle(labels)
    fitted = spec.fit(summary)
    other = summary.assign(user_id=labels)
    assert spec.fit(other).params == fitted.params
    told = fitted.p_silent(other, horizon="28D")
    assert told["user_id"].tolist() == labels
    assert told["p_silent"].tolist() == fitted.p_silent(summary, horizon="28D")["p_silent"].tolist()


@by_name
@settings(max_examples=10)
@given(days=st.integers(1, 400))
def test_any_time_unit_gives_the_same_answers(spec: Any, days: int) -> None:
    summary = drawn(type(spec).__name__)
    week, other = spec.fit(summary, time_unit="7D"), spec.fit(summary, time_unit=f"{days}D")
    for name in week.params:
        factor = days / 7 if name in spec.kernel.time_parameters else 1.0
        assert other.params[name] * factor == pytest.approx(week.params[name], rel=1e-9)
    purchases = float(summary["x"].sum())
    assert other.log_likelihood - purchases * np.log(days / 7) == pytest.approx(week.log_likelihood, rel=1e-12)
    ahead = other.expected_purchases(summary, horizon="91D")["expected_purchases"].to_numpy()
    assert ahead == pytest.approx(
        week.expected_purchases(summary, horizon="91D")["expected_purchases"].to_numpy(), rel=1e-9
    )


@by_name
@settings(max_examples=10)
@given(rows=st.lists(st.integers(0, 399), min_size=1, max_size=60))
def test_a_users_answers_do_not_depend_on_who_else_is_asked_for(spec: Any, rows: list[int]) -> None:
    summary = drawn(type(spec).__name__)
    fitted = spec.fit(summary)
    some = summary.iloc[rows]
    for method, given_ in (
        ("p_silent", {"horizon": "28D"}),
        ("expected_purchases", {"horizon": "91D"}),
        ("p_alive", {}),
    ):
        whole = getattr(fitted, method)(summary, **given_).iloc[rows, 1].to_numpy()
        assert getattr(fitted, method)(some, **given_).iloc[:, 1].to_numpy() == pytest.approx(whole, rel=1e-11)


@settings(max_examples=10)
@given(
    later=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 30), st.floats(0.01, 900).map(lambda v: round(v, 2))), max_size=30
    )
)
def test_rows_at_or_after_as_of_change_nothing(later: list[tuple[int, int, float]]) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, 40, 300),
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 150, 300), unit="D"),
            "paid": rng.gamma(3.0, 10.0, 300).round(2) + 0.01,
        }
    )
    rows = [(user, pd.Timestamp("2025-06-01") + pd.Timedelta(days=day), paid) for user, day, paid in later]
    more = pd.concat([frame, pd.DataFrame(rows, columns=["user", "at", "paid"])]) if rows else frame
    logs = [
        OrderLog.from_frame(each, user_id="user", ordered_at="at", amount="paid", observed_from="2024-12-01")
        for each in (frame, more)
    ]
    one, other = (BetaGeo(prior="weak").fit(log, as_of="2025-06-01") for log in logs)
    assert one == other
    told = [one.p_silent(log, horizon="28D", as_of="2025-06-01") for log in logs]
    pd.testing.assert_frame_equal(*told)


def test_users_who_existed_before_the_log_are_left_out_of_fits_and_scored_all_the_same() -> None:
    summary = drawn("BetaGeo")
    marked = summary.assign(existing=summary.index < 50)
    fitted = BetaGeo().fit(marked)
    assert fitted.left_out == {"existing": 50}
    assert fitted.fitted_on.users == 350
    assert fitted.params == BetaGeo().fit(summary.iloc[50:]).params
    assert "left out {'existing': 50}" in repr(fitted)
    assert len(fitted.p_alive(marked)) == 400
    assert BetaGeo.model_validate(fitted.spec) == BetaGeo()
    with pytest.raises(InsufficientDataError, match="all 400 users existed"):
        BetaGeo().fit(summary.assign(existing=True))
    assert BetaGeo().fit(pl.from_pandas(marked)).params == fitted.params


@functools.cache
def drawn(name: str) -> pd.DataFrame:
    truth = {
        "BetaGeo": (0.9, 5.0, 0.8, 2.5),
        "ModifiedBetaGeo": (0.9, 6.0, 0.9, 1.6),
        "ParetoNBD": (0.9, 8.0, 0.9, 14.0),
    }
    names = {"BetaGeo": BetaGeo, "ModifiedBetaGeo": ModifiedBetaGeo, "ParetoNBD": ParetoNBD}[name].kernel.box.names
    params = dict(zip(names, truth[name], strict=True))
    return simulate_summary(name, params, n_users=400, T="300D", first_within="60D", whole_days=True, seed=4)
