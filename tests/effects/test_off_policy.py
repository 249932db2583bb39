"""Off-policy value: known answers, recovery of a known value, overlap, bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from commlife.effects import off_policy_value
from commlife.errors import ConfigError, InsufficientDataError, SchemaError

if TYPE_CHECKING:
    from pathlib import Path


def test_hillstrom_meets_the_known_answers(shared: Path) -> None:
    """The men's mail to buyers of men's goods, the women's to the others, read from the random trial; computed."""
    frame = pd.read_parquet(shared / "hillstrom.parquet")
    policy = np.where(frame["mens"] == 1, "Mens E-Mail", "Womens E-Mail")
    result = off_policy_value(
        frame, treatment="segment", outcome="visit", policy=policy, covariates=["recency", "history"]
    )
    assert result.ips == pytest.approx(0.184628, abs=5.1e-7)
    assert result.snips == pytest.approx(0.184257, abs=5.1e-7)
    assert result.dr == pytest.approx(0.184288, abs=2e-4)
    assert result.effective_sample_size == pytest.approx(21_386, abs=0.5)
    assert "21,386" in repr(result)
    assert all(error == pytest.approx(0.0027, abs=2e-4) for error in result.standard_errors.values())


EVERYTHING = ["recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie", "channel"]


@pytest.mark.parametrize("covariates", [[], ["recency", "history"], EVERYTHING])
@pytest.mark.parametrize("seed", [0, 100])
def test_the_doubly_robust_value_hardly_depends_on_its_model_or_seed(shared: Path, covariates, seed: int) -> None:
    """Computed .184288 (SE .0027): with no covariate, two or all of them it stays within .0002 of that."""
    frame = pd.read_parquet(shared / "hillstrom.parquet")
    policy = np.where(frame["mens"] == 1, "Mens E-Mail", "Womens E-Mail")
    result = off_policy_value(
        frame, treatment="segment", outcome="visit", policy=policy, covariates=covariates, seed=seed
    )
    assert result.dr == pytest.approx(0.184288, abs=2e-4)


def targeted_log(n: int, seed: int) -> tuple[pd.DataFrame, float]:
    """A log dealt by known unequal chances, and the true value of giving the coupon to those with x > .5."""
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    chance = 0.2 + 0.6 * x
    given = rng.random(n) < chance
    y = x + given * (x - 0.3) + rng.normal(0, 0.5, n)
    frame = pd.DataFrame(
        {
            "x": x,
            "given": np.where(given, "coupon", "none"),
            "chance": np.where(given, chance, 1 - chance),
            "advice": np.where(x > 0.5, "coupon", "none"),
            "y": y,
        }
    )
    return frame, 0.5 + 0.5 * (0.75 - 0.3)


def test_a_targeted_log_is_read_right_with_its_own_probabilities() -> None:
    """120 logs: the doubly robust interval holds the truth about 95 times in 100; the naive mean does not."""
    held = 0
    for seed in range(120):
        frame, truth = targeted_log(300, seed)
        result = off_policy_value(
            frame, treatment="given", outcome="y", policy="advice", propensity="chance", covariates=["x"]
        ).to_frame()
        row = result.set_index("estimator").loc["DR"]
        held += row.ci_lower <= truth <= row.ci_upper
    assert 106 <= held <= 119


def test_pretending_that_a_targeted_log_was_random_misleads() -> None:
    frame, truth = targeted_log(20_000, 0)
    naive = off_policy_value(frame, treatment="given", outcome="y", policy=np.repeat("none", 20_000))
    honest = off_policy_value(
        frame, treatment="given", outcome="y", policy=np.repeat("none", 20_000), propensity="chance", covariates=["x"]
    )
    assert honest.dr == pytest.approx(0.5, abs=0.03)
    assert naive.ips < 0.45
    assert truth > honest.dr


def test_row_order_and_names_of_arms_do_not_matter() -> None:
    frame, _ = targeted_log(400, 1)
    call = {"treatment": "given", "outcome": "y", "policy": "advice", "propensity": "chance", "covariates": ["x"]}
    first = off_policy_value(frame, **call)
    second = off_policy_value(frame.sample(frac=1, random_state=3), **call)
    assert second.dr == pytest.approx(first.dr, rel=1e-12)
    assert second.snips == pytest.approx(first.snips, rel=1e-12)
    renamed = frame.replace({"coupon": "zz", "none": "yy"})
    assert off_policy_value(renamed, **call).snips == pytest.approx(first.snips, rel=1e-12)


def test_probabilities_may_be_named_by_arm() -> None:
    frame, _ = targeted_log(400, 1)
    shares = frame["given"].value_counts(normalize=True).to_dict()
    call = {"treatment": "given", "outcome": "y", "policy": "advice"}
    assert off_policy_value(frame, **call, propensity=shares).ips == pytest.approx(off_policy_value(frame, **call).ips)


@pytest.mark.parametrize(
    ("change", "call", "error", "message"),
    [
        ({}, {"policy": "advise"}, ConfigError, "Did you mean 'advice'"),
        ({}, {"policy": ["coupon"]}, ConfigError, "one label a row"),
        ({}, {"policy": np.repeat("phone", 60)}, ConfigError, "never gave"),
        ({}, {"policy": np.repeat(None, 60)}, ConfigError, "no label"),
        ({}, {"propensity": {"coupon": 0.5}}, ConfigError, "lacks arm"),
        ({}, {"propensity": {"coupon": 0.5, "none": 1.5}}, ConfigError, "strictly between"),
        ({}, {"propensity": 0.5}, ConfigError, "mapping"),
        ({"chance": 0.0}, {"propensity": "chance"}, ConfigError, "in \\(0, 1\\]"),
        ({"y": np.nan}, {}, SchemaError, "missing|NaN"),
        ({"x": np.inf}, {"covariates": ["x"]}, SchemaError, "infinite"),
        ({"x": [f"id{i}" for i in range(60)]}, {"covariates": "x"}, ConfigError, "list of columns"),
        ({}, {"folds": 1}, ConfigError, "at least 2"),
        ({}, {"seed": 0.5}, ConfigError, "whole number"),
        ({"given": ["coupon"] + ["none"] * 59}, {}, InsufficientDataError, "one fold only"),
    ],
)
def test_bad_input_is_told(change, call, error, message) -> None:
    frame = targeted_log(60, 0)[0].assign(**change)
    with pytest.raises(error, match=message):
        off_policy_value(frame, **{"treatment": "given", "outcome": "y", "policy": "advice", **call})


def test_a_log_that_never_agrees_says_nothing() -> None:
    frame = pd.DataFrame({"given": ["a", "b"] * 5, "y": range(10)})
    with pytest.raises(InsufficientDataError, match="in no row"):
        off_policy_value(frame, treatment="given", outcome="y", policy=["b", "a"] * 5)


def test_text_and_missing_covariates_are_coded() -> None:
    frame = targeted_log(400, 2)[0]
    frame["estate"] = np.where(np.arange(400) % 3 == 0, "north", "south")
    frame.loc[::7, "x"] = np.nan
    result = off_policy_value(frame, treatment="given", outcome="y", policy="advice", covariates=["x", "estate"])
    assert np.isfinite(result.dr)
    many = frame.assign(estate=[f"id{i}" for i in range(400)])
    with pytest.raises(ConfigError, match="levels"):
        off_policy_value(many, treatment="given", outcome="y", policy="advice", covariates=["estate"])
