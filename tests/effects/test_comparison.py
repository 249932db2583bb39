"""Comparisons of arms: known answers, laws, and bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife.effects import compare, relative_effect, sample_ratio
from commlife.errors import CommlifeError, ConfigError, InsufficientDataError, SchemaError

COLUMNS = [
    "arm",
    "control_mean",
    "treatment_mean",
    "effect_size",
    "standard_error",
    "effect_size_ci_lower",
    "effect_size_ci_upper",
    "rel_effect_size",
    "pvalue",
]

if TYPE_CHECKING:
    from pathlib import Path


def small_trial(seed: int = 0, n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    arm = np.array(["none", "A", "B"])[np.arange(n) % 3]
    before = rng.gamma(2, 10, n)
    spend = 0.5 * before + rng.normal(0, 3, n) + 2.0 * (arm == "A")
    return pd.DataFrame(
        {
            "arm": arm,
            "before": before,
            "spend": spend,
            "orders": rng.integers(1, 5, n),
            "estate": [f"e{i}" for i in rng.integers(0, 12, n)],
        }
    )


@pytest.fixture(scope="module")
def hillstrom(shared: Path) -> pd.DataFrame:
    return pd.read_parquet(shared / "hillstrom.parquet")


@pytest.mark.parametrize(
    ("outcome", "covariate", "control", "known"),
    [
        ("visit", None, 0.106167, ((0.076590, 0.003386), (0.045233, 0.003234))),
        ("conversion", None, 0.005726, ((0.006805, None), (0.003111, None))),
        ("spend", None, 0.652789, ((0.769827, 0.145247), (0.424412, 0.130333))),
        ("spend", "history", None, ((0.767438, 0.145215), (None, None))),
    ],
)
def test_hillstrom_meets_the_known_answers(hillstrom, outcome, covariate, control, known) -> None:
    """MineThatData e-mail test (Hillstrom 2008), computed two ways."""
    result = compare(hillstrom, treatment="segment", control="No E-Mail", outcome=outcome, covariate=covariate)
    assert list(result.columns) == COLUMNS
    assert result["arm"].tolist() == ["Mens E-Mail", "Womens E-Mail"]
    for row, (effect, error) in enumerate(known):
        if effect is not None:
            assert result["effect_size"][row] == pytest.approx(effect, abs=5.1e-7)
        if error is not None:
            assert result["standard_error"][row] == pytest.approx(error, abs=5.1e-7)
    if control is not None:
        assert result["control_mean"][0] == pytest.approx(control, abs=5.1e-7)


def test_hillstrom_arms_were_dealt_as_meant(hillstrom) -> None:
    ratio = sample_ratio(hillstrom, treatment="segment")
    assert ratio.pvalue == pytest.approx(0.90369, abs=5.1e-6)
    assert ratio.to_frame()["rows"].sum() == 64_000


def test_a_comparison_equals_welchs_test() -> None:
    frame = small_trial()
    result = compare(frame, treatment="arm", control="none", outcome="spend").set_index("arm")
    for arm in ("A", "B"):
        mine, peer = (
            result.loc[arm],
            stats.ttest_ind(frame.spend[frame.arm == arm], frame.spend[frame.arm == "none"], equal_var=False),
        )
        assert mine.pvalue == pytest.approx(peer.pvalue, rel=1e-10)
        interval = peer.confidence_interval(0.95)
        assert (mine.effect_size_ci_lower, mine.effect_size_ci_upper) == pytest.approx(tuple(interval), rel=1e-10)


def test_cuped_takes_out_what_was_known_before() -> None:
    frame = small_trial(n=600)
    plain = compare(frame, treatment="arm", control="none", outcome="spend")
    adjusted = compare(frame, treatment="arm", control="none", outcome="spend", covariate="before")
    assert (adjusted["standard_error"] < 0.6 * plain["standard_error"]).all()
    assert adjusted["effect_size"][0] == pytest.approx(2.0, abs=3 * adjusted["standard_error"][0])


def test_a_constant_covariate_changes_nothing() -> None:
    frame = small_trial().assign(before=1.0)
    plain = compare(frame, treatment="arm", control="none", outcome="spend")
    pd.testing.assert_frame_equal(
        plain, compare(frame, treatment="arm", control="none", outcome="spend", covariate="before")
    )


def test_a_ratio_with_a_constant_denominator_is_a_mean() -> None:
    frame = small_trial().assign(one=2)
    mean = compare(frame, treatment="arm", control="none", outcome="spend")
    ratio = compare(frame, treatment="arm", control="none", outcome="spend", denominator="one")
    assert ratio["effect_size"].to_numpy() == pytest.approx(mean["effect_size"].to_numpy() / 2)
    assert ratio["standard_error"].to_numpy() == pytest.approx(mean["standard_error"].to_numpy() / 2)


def test_the_delta_method_agrees_with_the_bootstrap() -> None:
    frame = small_trial(seed=3, n=600)
    row = compare(frame, treatment="arm", control="none", outcome="spend", denominator="orders").iloc[0]
    rng = np.random.default_rng(0)
    draws = []
    groups = [
        frame[frame.arm == "none"][["spend", "orders"]].to_numpy(),
        frame[frame.arm == "A"][["spend", "orders"]].to_numpy(),
    ]
    for _ in range(400):
        ratios = []
        for group in groups:
            sums = group[rng.integers(0, len(group), len(group))].sum(axis=0)
            ratios.append(sums[0] / sums[1])
        draws.append(ratios[1] - ratios[0])
    assert row.standard_error == pytest.approx(np.std(draws), rel=0.12)


def test_clusters_of_one_row_give_nearly_the_plain_error() -> None:
    frame = small_trial(n=900).assign(own=range(900))
    plain = compare(frame, treatment="arm", control="none", outcome="spend")
    robust = compare(frame, treatment="arm", control="none", outcome="spend", cluster="own")
    assert robust["standard_error"].to_numpy() == pytest.approx(plain["standard_error"].to_numpy(), rel=5e-3)


def test_clusters_that_move_together_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    estate = np.repeat(np.arange(40), 50)
    frame = pd.DataFrame({"arm": np.where(estate % 2, "A", "none"), "estate": estate})
    frame["y"] = rng.normal(0, 1, 40)[estate] + rng.normal(0, 1, len(estate))
    plain = compare(frame, treatment="arm", control="none", outcome="y")["standard_error"][0]
    robust = compare(frame, treatment="arm", control="none", outcome="y", cluster="estate")["standard_error"][0]
    assert robust > 3 * plain


def test_intervals_cover_the_true_effect() -> None:
    """Known effect 0.3, 150 trials, 95% intervals: between 90% and 99% must hold it."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(150):
        arm = rng.permutation(np.repeat([0, 1], 40))
        x = rng.normal(size=80)
        frame = pd.DataFrame({"arm": arm, "x": x, "y": x + rng.normal(size=80) + 0.3 * arm})
        row = compare(frame, treatment="arm", control=0, outcome="y", covariate="x").iloc[0]
        held += row.effect_size_ci_lower <= 0.3 <= row.effect_size_ci_upper
    assert 135 <= held <= 149


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rng) -> None:
    frame = small_trial(n=60)
    order = list(range(60))
    rng.shuffle(order)
    left = compare(frame, treatment="arm", control="none", outcome="spend", covariate="before", cluster="estate")
    right = compare(
        frame.iloc[order], treatment="arm", control="none", outcome="spend", covariate="before", cluster="estate"
    )
    pd.testing.assert_frame_equal(left, right)


@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_scaling_the_money_scales_the_effect(scale: float, shift: float) -> None:
    frame = small_trial(n=60)
    moved = frame.assign(spend=frame.spend * scale + shift)
    left = compare(frame, treatment="arm", control="none", outcome="spend")
    right = compare(moved, treatment="arm", control="none", outcome="spend")
    assert right["effect_size"].to_numpy() == pytest.approx(left["effect_size"].to_numpy() * scale, rel=1e-6, abs=1e-9)
    assert right["pvalue"].to_numpy() == pytest.approx(left["pvalue"].to_numpy(), rel=1e-5, abs=1e-12)


def test_other_frames_give_the_same() -> None:
    frame = small_trial()
    expected = compare(frame, treatment="arm", control="none", outcome="spend")
    for other in (pl.from_pandas(frame), pl.from_pandas(frame).lazy(), frame.convert_dtypes()):
        pd.testing.assert_frame_equal(compare(other, treatment="arm", control="none", outcome="spend"), expected)


def test_boolean_outcomes_are_rates_and_the_input_is_left_alone() -> None:
    frame = pd.DataFrame({"arm": [0, 0, 0, 1, 1, 1], "bought": [True, False, False, True, True, False]})
    before = frame.copy()
    row = compare(frame, treatment="arm", control=0, outcome="bought").iloc[0]
    assert (row.control_mean, row.treatment_mean) == pytest.approx((1 / 3, 2 / 3))
    pd.testing.assert_frame_equal(frame, before)


def test_an_outcome_without_spread_has_a_plain_answer() -> None:
    frame = pd.DataFrame({"arm": list("aabbcc"), "y": [0.0, 0, 0, 0, 1, 1]})
    result = compare(frame, treatment="arm", control="a", outcome="y")
    assert result["pvalue"].tolist() == [1.0, 0.0]
    assert result["rel_effect_size"].isna().all()


def test_object_columns_of_numbers_are_read() -> None:
    frame = small_trial().assign(spend=lambda f: f.spend.astype(object))
    assert len(compare(frame, treatment="arm", control="none", outcome="spend")) == 2


def test_relative_lift_covers_the_truth_and_admits_when_it_cannot() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        frame = pd.DataFrame(
            {"arm": np.repeat([0, 1], 100), "y": np.concatenate([rng.normal(5, 4, 100), rng.normal(6, 4, 100)])}
        )
        row = relative_effect(frame, treatment="arm", control=0, outcome="y").iloc[0]
        held += row.rel_effect_size_ci_lower <= 0.2 <= row.rel_effect_size_ci_upper
    assert 273 <= held <= 297
    unclear = pd.DataFrame({"arm": [0, 0, 1, 1], "y": [-1.0, 1.0, 2.0, 3.0]})
    row = relative_effect(unclear, treatment="arm", control=0, outcome="y").iloc[0]
    assert np.isinf(row.rel_effect_size_ci_lower)
    assert np.isnan(row.rel_effect_size)


@pytest.mark.parametrize(
    ("change", "call", "error", "message"),
    [
        ({}, {"outcome": "spent"}, ConfigError, "Did you mean 'spend'"),
        ({}, {"control": "nne"}, ConfigError, "Did you mean 'none'"),
        ({}, {"outcome": "estate"}, ConfigError, "holds numbers"),
        ({}, {"outcome": 3}, ConfigError, "named by a string"),
        ({}, {"covariate": "before", "denominator": "orders"}, ConfigError, "not both"),
        ({}, {"confidence_level": 95}, ConfigError, "strictly between 0 and 1"),
        ({}, {"confidence_level": True}, ConfigError, "is a number"),
        ({"spend": np.nan}, {}, SchemaError, "null|NaN"),
        ({"spend": np.inf}, {}, SchemaError, "infinite"),
        ({"arm": None}, {}, SchemaError, "missing labels"),
        ({"orders": -1}, {"denominator": "orders"}, SchemaError, "negative"),
        ({"orders": 0}, {"denominator": "orders"}, InsufficientDataError, "sums to 0"),
        ({"arm": "none"}, {}, InsufficientDataError, "second arm"),
        ({"estate": "e"}, {"cluster": "estate"}, InsufficientDataError, "at least 4 clusters"),
    ],
)
def test_bad_input_is_told(change, call, error, message) -> None:
    frame = small_trial().assign(**change)
    with pytest.raises(error, match=message):
        compare(frame, **{"treatment": "arm", "control": "none", "outcome": "spend", **call})


def test_more_bad_input_is_told() -> None:
    frame = pd.DataFrame({"arm": ["a", "a", "b"], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(InsufficientDataError, match="each needs two"):
        compare(frame, treatment="arm", control="a", outcome="y")
    with pytest.raises(InsufficientDataError, match="no rows"):
        compare(frame.iloc[:0], treatment="arm", control="a", outcome="y")
    with pytest.raises(ConfigError, match="data frame"):
        compare([1, 2], treatment="arm", control="a", outcome="y")
    with pytest.raises(ConfigError, match="seen str"):
        compare(frame.assign(y=pd.Series(["x", 1, 2], dtype=object)), treatment="arm", control="a", outcome="y")
    with pytest.raises(SchemaError) as caught:
        compare(frame.assign(y=[1.0, np.nan, 2.0]), treatment="arm", control="a", outcome="y")
    assert caught.value.faults["column"].tolist() == ["y"]


def test_sample_ratio_sees_a_broken_split_and_arms_that_got_nobody() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 700 + ["b"] * 300})
    assert sample_ratio(frame, treatment="arm").pvalue < 1e-10
    assert sample_ratio(frame, treatment="arm", ratio={"a": 7, "b": 3}).pvalue == 1.0
    assert sample_ratio(frame, treatment="arm", ratio={"a": 7, "b": 3, "c": 1}).counts["c"] == 0


@pytest.mark.parametrize("ratio", [{"a": 1}, [1, 2], {"a": 1, "c": 1}, {"a": 1, "b": 0}, {"a": 1, "b": float("nan")}])
def test_sample_ratio_wants_shares_of_the_arms(ratio) -> None:
    with pytest.raises(CommlifeError):
        sample_ratio(pd.DataFrame({"arm": ["a", "b"]}), treatment="arm", ratio=ratio)


def test_sample_ratio_needs_two_arms() -> None:
    with pytest.raises(InsufficientDataError, match="two arms"):
        sample_ratio(pd.DataFrame({"arm": ["a", "a"]}), treatment="arm")
