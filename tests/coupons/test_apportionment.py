"""Apportionment: sums exact for every order, bounds, proportion, partial refunds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.coupons import apportion, refund_due
from commlife.errors import ConfigError


@st.composite
def orders(draw, largest: int = 10**12):
    minor = draw(st.lists(st.integers(0, largest), min_size=1, max_size=30))
    return np.array(minor), draw(st.integers(0, sum(minor)))


def cents(values) -> np.ndarray:
    return np.rint(np.asarray(values) * 100).astype(np.int64)


@given(orders())
def test_sums_are_exact_and_shares_lie_within_a_unit_of_their_quota(order) -> None:
    minor, discount = order
    shares = cents(apportion(minor / 100, discount / 100))
    assert shares.sum() == discount
    assert (shares >= 0).all()
    assert (shares <= minor).all()
    whole = int(minor.sum())
    for amount, share in zip(minor.tolist(), shares.tolist(), strict=True):
        quota = Fraction(amount * discount, whole) if whole else Fraction(0)
        assert quota - 1 < share < quota + 1


@given(orders(10**4))
def test_whoever_has_the_larger_remainder_comes_first(order) -> None:
    minor, discount = order
    whole = int(minor.sum())
    if whole == 0:
        return
    shares = cents(apportion(minor / 100, discount / 100))
    remainders = minor * discount % whole
    extra = shares > minor * discount // whole
    if extra.any() and not extra.all():
        assert remainders[extra].min() >= remainders[~extra].max()


@given(orders(10**6), st.randoms(use_true_random=False))
def test_the_order_of_lines_matters_only_among_equal_lines(order, shuffler) -> None:
    minor, discount = order
    places = list(range(len(minor)))
    shuffler.shuffle(places)
    left = sorted(zip(minor[places].tolist(), apportion(minor[places] / 100, discount / 100).tolist(), strict=True))
    right = sorted(zip(minor.tolist(), apportion(minor / 100, discount / 100).tolist(), strict=True))
    assert left == right


@given(orders(10**6), st.data())
def test_refunds_in_two_parcels_add_up_to_what_was_paid(order, data) -> None:
    minor, discount = order
    first = np.array(data.draw(st.lists(st.booleans(), min_size=len(minor), max_size=len(minor))))
    amounts, off = minor / 100, discount / 100
    parts = refund_due(amounts, off, first), refund_due(amounts, off, ~first)
    assert round(sum(parts) * 100) == minor.sum() - discount


def test_currencies_without_cents_are_taken() -> None:
    assert apportion([100, 100, 100], 100, currency_digits=0).tolist() == [34.0, 33.0, 33.0]
    assert apportion([0.0, 0.0], 0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("amounts", "discount", "message"),
    [
        ([], 0, "at least one line"),
        ([[1.0]], 0, "shape \\(1, 1\\)"),
        ([[1.0], [1.0, 2.0]], 0, "rows differ in length"),
        ([1.0, -0.5], 0.1, "at least 0; seen -0.5 at position 1"),
        ([1.0, np.nan], 0.1, "finite"),
        ([1.005], 0.1, "at most 2 digits"),
        (["a"], 0.1, "numbers"),
        ([True], 0, "numbers"),
        ([1.0], 1.01, "between 0 and the sum"),
        ([1.0], -0.01, "between 0 and the sum"),
        ([1.0], float("inf"), "finite"),
        ([1.0], True, "one amount"),
        ([1.0], [0.5], "one amount"),
        ([1.0], "x", "numbers"),
    ],
)
def test_bad_input_is_told(amounts, discount, message) -> None:
    with pytest.raises(ConfigError, match=message):
        apportion(amounts, discount)


@pytest.mark.parametrize("returned", [[1, 0], [True]])
def test_returned_lines_are_booleans(returned) -> None:
    with pytest.raises(ConfigError, match="one boolean a line"):
        refund_due([1.0, 2.0], 1.0, returned)


@given(st.data())
def test_weighted_shares_sum_and_no_line_bears_more_than_it_costs(data) -> None:
    minor = data.draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
    weights = data.draw(st.lists(st.integers(0, 9), min_size=len(minor), max_size=len(minor)))
    room = sum(m for m, w in zip(minor, weights, strict=True) if w)
    discount = data.draw(st.integers(0, room))
    shares = apportion(np.array(minor) / 100, discount / 100, weights=weights)
    cents = np.rint(shares * 100).astype(int)
    assert cents.sum() == discount
    assert ((cents >= 0) & (cents <= minor)).all()
    assert all(share == 0 for share, weight in zip(cents, weights, strict=True) if weight == 0)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.data())
def test_the_amounts_themselves_as_weights_change_nothing_but_the_order_of_ties(minor, data) -> None:
    discount = data.draw(st.integers(0, sum(minor)))
    amounts = np.array(minor) / 100
    plain = apportion(amounts, discount / 100)
    weighted = apportion(amounts, discount / 100, weights=minor)
    assert plain == pytest.approx(weighted, abs=0.011)
    if len(set(minor)) == len(minor):
        assert (plain == weighted).all()


@given(st.data())
def test_parcels_of_one_line_add_up_to_what_was_paid(data) -> None:
    minor = data.draw(st.lists(st.integers(1, 5_000), min_size=1, max_size=5))
    amounts = np.array(minor) / 100
    discount = data.draw(st.integers(0, sum(minor))) / 100
    first = np.array([data.draw(st.integers(0, m)) for m in minor])
    second = np.array(minor) - first
    back = refund_due(amounts, discount, returned_amounts=first / 100)
    rest = refund_due(amounts, discount, returned_amounts=second / 100, already=first / 100)
    assert round(100 * (back + rest)) == sum(minor) - round(100 * discount)
    assert min(back, rest) >= 0


def test_weights_may_be_fractions_and_every_line_with_one_bears_its_part() -> None:
    """Below 1 too: the whole sum can be taken off lines of weight a half and a quarter."""
    assert apportion([10.0, 2.0, 5.0], 12.0, weights=[0.5, 0.25, 0.0]).tolist() == [10.0, 2.0, 0.0]
    assert apportion([10.0, 10.0], 6.0, weights=[0.5, 0.25]).tolist() == [4.0, 2.0]


def test_bad_weights_and_returns_are_told() -> None:
    with pytest.raises(ConfigError, match="bear at most"):
        apportion([10.0, 1.0], 5.0, weights=[0, 1])
    with pytest.raises(ConfigError, match="weights"):
        apportion([10.0, 1.0], 5.0, weights=[-1, 1])
    with pytest.raises(ConfigError, match="one number a line"):
        apportion([10.0, 1.0], 5.0, weights=[1])
    with pytest.raises(ConfigError, match="not both"):
        refund_due([10.0], 1.0)
    with pytest.raises(ConfigError, match="what was bought"):
        refund_due([10.0], 1.0, returned_amounts=[6.0], already=[6.0])
    with pytest.raises(ConfigError, match="one amount a line"):
        refund_due([10.0], 1.0, returned_amounts=[6.0, 1.0])
    with pytest.raises(ConfigError, match="already holds"):
        refund_due([10.0], 1.0, returned_amounts=[6.0], already=[1.0, 1.0])
