"""Thresholds as operators write them, and ladders of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.coupons import ThresholdLadder, parse_threshold
from commlife.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30:5", (30, 5)),
        (" 30 : 5 ", (30, 5)),
        ("30\uff1a5", (30, 5)),
        ("满30减5", (30, 5)),
        ("满 49.9 元\uff0c减 10 元", (49.9, 10)),
        ("5:5", (5, 5)),
    ],
)
def test_the_usual_forms_are_read(text, expected) -> None:
    assert parse_threshold(text) == expected


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_what_is_written_is_read_back(spend: int, off: int) -> None:
    if off <= spend:
        threshold = parse_threshold(f"{spend / 100:.2f}:{off / 100:.2f}")
        assert threshold == (spend / 100, off / 100)
        assert parse_threshold(f"满{spend}减{off}").discount == off


@pytest.mark.parametrize(
    "text", ["", "30", "30:", "5:30", "30:0", "-30:5", "30:5:1", "a:b", "1e3:5", "30:nan", None, 30, "３０：５"]
)
def test_other_texts_are_refused(text) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        parse_threshold(text)


def test_a_ladder_takes_the_highest_tier_reached() -> None:
    ladder = ThresholdLadder(tiers=("30:5", (60, 12), "满100减25"))
    assert [ladder.discount(amount) for amount in (0, 29.99, 30, 99, 100, 1_000)] == [0, 0, 5, 12, 25, 25]
    assert ladder.missing(10) == 20
    assert ladder.missing(100) is None
    assert ThresholdLadder.from_json(ladder.to_json()) == ladder


@pytest.mark.parametrize("tiers", [(), ("60:12", "30:5"), ("30:5", "60:5"), ("30:5", 7), ("30:5", (60, True)), ("x",)])
def test_a_ladder_rises(tiers) -> None:
    with pytest.raises(ConfigError):
        ThresholdLadder(tiers=tiers)


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "30", True])
def test_a_ladder_wants_an_amount(amount) -> None:
    with pytest.raises(ConfigError, match="amount"):
        ThresholdLadder(tiers=("30:5",)).discount(amount)


@pytest.mark.parametrize("tiers", [("30:5", "30:6"), ("30:5", "40:5")])
def test_a_ladder_whose_steps_are_level_is_refused(tiers):
    """Of two discounts at one threshold nobody could say which; a dearer step that gives no more is none."""
    with pytest.raises(ConfigError, match="tiers rise in both numbers"):
        ThresholdLadder(tiers=tiers)
