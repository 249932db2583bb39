"""Assignment: even, stable, independent of order and of other trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from commlife.effects import assign, hash_share
from commlife.errors import ConfigError


def test_shares_are_even_and_trials_independent() -> None:
    ids = np.arange(200_000)
    first, second = hash_share(ids, salt="a"), hash_share(ids, salt="b")
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.01
    assert first.min() >= 0
    assert first.max() < 1


@given(
    st.lists(
        st.text(min_size=1, max_size=12).filter(lambda text: "\0" not in text), min_size=1, max_size=20, unique=True
    )
)
def test_a_user_is_dealt_alike_alone_or_in_company(ids) -> None:
    together = hash_share(ids, salt="x")
    assert together.tolist() == [hash_share([one], salt="x")[0] for one in ids]
    assert hash_share(ids[::-1], salt="x").tolist() == together.tolist()[::-1]


def test_numbers_and_texts_are_one_user() -> None:
    assert hash_share([7], salt="x") == hash_share(["7"], salt="x")
    assert hash_share(pd.Series(["a", 7], dtype=object), salt="x")[1] == hash_share([7], salt="x")


def test_raising_a_share_keeps_those_who_were_in() -> None:
    ids = np.arange(5_000)
    small = assign(ids, salt="x", shares={"coupon": 0.1, "none": 0.9}) == "coupon"
    large = assign(ids, salt="x", shares={"coupon": 0.3, "none": 0.7}) == "coupon"
    assert (large[small]).all()
    assert large.mean() == pytest.approx(0.3, abs=0.03)
    assert (assign(ids, salt="x", shares={"all": 1.0}) == "all").all()


@pytest.mark.parametrize(
    ("ids", "salt", "message"),
    [
        ([1.5], "x", "whole numbers or strings"),
        ([None, "a"], "x", "NoneType"),
        ([[1]], "x", "one-dimensional"),
        ([True], "x", "whole numbers or strings"),
        ([1], "", "salt"),
        ([1], 7, "salt"),
    ],
)
def test_bad_ids_are_told(ids, salt, message) -> None:
    with pytest.raises(ConfigError, match=message):
        hash_share(ids, salt=salt)


@pytest.mark.parametrize("shares", [{}, [0.5], {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}, {"a": True}])
def test_bad_shares_are_told(shares) -> None:
    with pytest.raises(ConfigError, match="shares"):
        assign([1], salt="x", shares=shares)
