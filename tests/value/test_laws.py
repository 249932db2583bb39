"""Laws: row order, time unit, money, kinds of frame, JSON; nothing of the caller is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from commlife import value
from commlife.errors import PersistenceError
from commlife.value import BetaGeo, GammaGamma, ModifiedBetaGeo, ParetoNBD, lifetime_value

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
