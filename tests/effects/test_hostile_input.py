"""Input that makes no sense is told in the library's own words: never an error of NumPy, pandas or XGBoost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from commlife.effects import (
    Uplift,
    adjust_pvalues,
    adjusted_effect,
    compare,
    hash_share,
    off_policy_value,
    power,
    qini,
    rank_quality,
    sample_size,
    shrink,
    uplift_at,
)
from commlife.errors import CommlifeError

RAGGED = [[1], [1, 2]]
TRIAL = pd.DataFrame({"arm": ["a", "none"] * 100, "y": np.arange(200.0), "x": np.arange(200.0) % 7, "t": [1, 0] * 100})


def with_cell(column: str, cell: object) -> pd.DataFrame:
    cells = TRIAL[column].astype(object)
    cells.iloc[0] = cell
    return TRIAL.assign(**{column: cells})


def fitted(frame, **options):
    given = {"treatment": "arm", "control": "none", "outcome": "y", "features": ["x"], "propensity": "randomised"}
    return Uplift(trees=2).fit(frame, **(given | options))


CALLS = {
    "arms that are lists": lambda: compare(with_cell("arm", [1]), treatment="arm", control="none", outcome="y"),
    "a control that is missing": lambda: compare(TRIAL, treatment="arm", control=pd.NA, outcome="y"),
    "a control that is a list": lambda: compare(TRIAL, treatment="arm", control=["none"], outcome="y"),
    "two columns of one name": lambda: compare(
        pd.concat([TRIAL, TRIAL], axis=1), treatment="arm", control="none", outcome="y"
    ),
    "a method that is missing": lambda: adjust_pvalues([0.1], method=pd.NA),
    "covariates that are a number": lambda: adjusted_effect(TRIAL, treatment="t", outcome="y", covariates=3),
    "covariates that are missing": lambda: adjusted_effect(TRIAL, treatment="t", outcome="y", covariates=pd.NA),
    "a covariate beyond every measure": lambda: adjusted_effect(
        TRIAL.assign(x=TRIAL["x"] * 1e200), treatment="t", outcome="y", covariates=["x"]
    ),
    "features that are a number": lambda: fitted(TRIAL, features=3),
    "features that are missing": lambda: fitted(TRIAL, features=pd.NA),
    "a propensity that is missing": lambda: fitted(TRIAL, propensity=pd.NA),
    "an uplift control that is missing": lambda: fitted(TRIAL, control=pd.NA),
    "an outcome beyond 32 bits": lambda: fitted(TRIAL.assign(y=TRIAL["y"] * 1e300)),
    "a feature beyond 32 bits": lambda: fitted(TRIAL.assign(x=TRIAL["x"] * 1e300)),
    "new users beyond 32 bits": lambda: fitted(TRIAL).predict(TRIAL.assign(x=1e300)),
    "policy covariates that are a number": lambda: off_policy_value(
        TRIAL, treatment="arm", outcome="y", policy="a", covariates=3
    ),
    "a ragged outcome": lambda: qini(RAGGED, [1, 0], [1.0, 2.0]),
    "an outcome that overflows": lambda: qini([10**400, 1], [1, 0], [1.0, 2.0]),
    "a convention that is a list": lambda: qini([1, 0], [1, 0], [1.0, 2.0], normalize=["n2"]),
    "a convention that is missing": lambda: rank_quality([1, 0] * 20, [1, 0] * 20, range(40), normalize=pd.NA),
    "a ragged score": lambda: uplift_at([1, 0], [1, 0], RAGGED),
    "ragged errors": lambda: shrink([1.0, 2.0], RAGGED),
    "ragged identifiers": lambda: hash_share(RAGGED, salt="s"),
    "an effect too large for a float": lambda: power(effect=10**400, standard_deviation=1, treated=9, controls=9),
    "a trial of more users than there are": lambda: sample_size(effect=1e-300, standard_deviation=1e300),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_told_in_our_own_words(name: str) -> None:
    with pytest.raises(CommlifeError):
        CALLS[name]()


def test_a_lazy_frame_and_ten_arms_are_no_hostile_input() -> None:
    frame = pl.LazyFrame({"arm": [f"a{i % 10}" for i in range(200)], "y": np.arange(200.0)})
    assert len(compare(frame, treatment="arm", control="a0", outcome="y")) == 9
