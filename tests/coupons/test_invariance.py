"""Laws of plans and audits: rows, names and the unit of money do not matter, and what is written is safe."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commlife.coupons import (
    Coupon,
    CrossCategory,
    Policy,
    SecondOrder,
    TaperSubsidy,
    WinBack,
    fairness_audit,
    frontier,
    price,
)


def users(seed: int, size: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frequency = rng.integers(1, 15, size)
    frame = pd.DataFrame(
        {
            "user_id": np.arange(size),
            "frequency": frequency,
            "recency_days": rng.integers(1, 90, size),
            # Distinct values, so that the budget has one best plan.
            "monetary": np.round(frequency * rng.gamma(4.0, 9.0, size) + np.arange(size) * 0.37, 2),
            "state": rng.choice(["active", "silent", "new"], size),
            "segment": rng.choice(["Champions", "At Risk", "Others"], size, p=[0.2, 0.4, 0.4]),
            "tenure_days": rng.integers(1, 900, size),
            "favourite_category": rng.choice(["milk", "eggs"], size),
        }
    )
    return frame.assign(bought_categories=frame["favourite_category"].map(lambda name: [name]))


def policy(unit: float = 1.0) -> Policy:
    return Policy(
        rules=[
            SecondOrder(coupon=Coupon(coupon_id="second", amount=5 * unit, minimum_spend=30 * unit)),
            WinBack(coupon=Coupon(coupon_id="back", amount=12 * unit, minimum_spend=60 * unit)),
            CrossCategory(coupons=(Coupon(coupon_id="bread", amount=3 * unit, categories=("bread",)),)),
            TaperSubsidy(),
        ],
        holdout=0,
        salt="w",
    )


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_plan(seed: int, rng) -> None:
    frame = users(seed)
    order = list(range(len(frame)))
    rng.shuffle(order)
    first = policy().plan(frame, budget=100.0)
    second = policy().plan(frame.iloc[order].reset_index(drop=True), budget=100.0)
    assert second.planning_value == pytest.approx(first.planning_value)
    assert second.users["outcome"].value_counts().to_dict() == first.users["outcome"].value_counts().to_dict()
    pd.testing.assert_frame_equal(first.fairness, second.fairness)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_other_identifiers_change_nothing_where_nobody_is_held_out(seed: int) -> None:
    frame = users(seed)
    first = policy().plan(frame, budget=100.0)
    second = policy().plan(frame.assign(user_id=[f"u{999 - i}" for i in range(len(frame))]), budget=100.0)
    for name in ("coupon_id", "rule", "outcome", "reason", "expected_cost"):
        assert first.users[name].fillna("").tolist() == second.users[name].fillna("").tolist()


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 2.0, 10.0, 100.0]))
def test_the_unit_of_money_does_not_change_the_plan(seed: int, unit: float) -> None:
    frame = users(seed)
    first = policy().plan(frame, budget=100.0)
    second = policy(unit).plan(frame.assign(monetary=frame["monetary"] * unit), budget=100.0 * unit)
    assert first.users["outcome"].tolist() == second.users["outcome"].tolist()
    assert second.expected_cost == pytest.approx(unit * first.expected_cost)
    difference = first.fairness["difference"].to_numpy() * unit
    assert second.fairness["difference"].to_numpy() == pytest.approx(difference, nan_ok=True)
    assert second.fairness["q_value"].to_numpy() == pytest.approx(first.fairness["q_value"].to_numpy(), nan_ok=True)


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.floats(0.01, 1_000))
def test_an_audit_depends_neither_on_rows_nor_on_the_unit(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    off = rng.integers(0, 6, 80) * 1.0
    attributes = pd.DataFrame({"estate": rng.choice(["n", "s", "w"], 80), "spend": rng.gamma(2, 30, 80)})
    order = rng.permutation(80)
    first, second = fairness_audit(off, attributes), fairness_audit(off[order] * unit, attributes.iloc[order])
    assert second["users"].tolist() == first["users"].tolist()
    assert second["p_value"].to_numpy() == pytest.approx(first["p_value"].to_numpy(), rel=1e-6, abs=1e-12)
    assert second["mean_discount"].to_numpy() == pytest.approx(unit * first["mean_discount"].to_numpy())


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_a_frontier_rises_and_its_price_falls(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = frontier(rng.normal(1, 2, (40, 3)), rng.gamma(1, 2, (40, 3)))
    assert (np.diff(curve["value"]) >= -1e-9).all()
    assert (np.diff(curve["shadow_price"]) <= 1e-9).all()


@given(
    st.lists(st.integers(0, 9_000), min_size=1, max_size=5),
    st.lists(
        st.tuples(st.integers(1, 9_000), st.sampled_from(["amount", "percent"]), st.booleans(), st.integers(-2, 2)),
        max_size=4,
    ),
    st.sampled_from(["rules", "all", "one"]),
)
def test_a_price_is_never_negative_and_adds_up_whatever_stacks(cells, given_coupons, stacking: str) -> None:
    coupons = [
        Coupon(
            coupon_id=f"c{place}",
            amount=size / 100 if kind == "amount" else None,
            percent=(size % 10_000 or 1) / 100 if kind == "percent" else None,
            stacking="exclusive" if exclusive else "stackable",
            priority=priority,
        )
        for place, (size, kind, exclusive, priority) in enumerate(given_coupons)
    ]
    result = price({"amount": np.array(cells) / 100}, coupons, stacking=stacking)
    cents = {name: round(100 * getattr(result, name)) for name in ("total", "discount", "payable")}
    assert cents["payable"] == cents["total"] - cents["discount"] >= 0
    assert (result.lines["payable"] >= 0).all()
    assert round(100 * result.lines["payable"].sum()) == cents["payable"]
    assert set(result.applied) | set(result.rejected) == {coupon.coupon_id for coupon in coupons}
    by_id = {coupon.coupon_id: coupon for coupon in coupons}
    order = [(by_id[name].priority, name) for name in result.applied]
    assert order == sorted(order)
    if stacking == "one":
        assert len(result.applied) <= 1
    if stacking == "rules" and len(result.applied) > 1:
        assert all(by_id[name].stacking == "stackable" for name in result.applied)


def test_markup_in_names_stays_text_in_html() -> None:
    from commlife.effects import rank_quality, readout
    from commlife.orders import OrderLog

    evil = "<script>alert(1)</script>"
    rows = pd.DataFrame({"user_id": range(40), "ordered_at": pd.Timestamp("2025-01-12"), "amount": 10.0})
    rows.loc[::2, "amount"] = 12.5
    log = OrderLog.from_frame(rows, user_id="user_id", ordered_at="ordered_at", amount="amount")
    trial = pd.DataFrame({"user_id": range(40), "arm": np.where(np.arange(40) % 4 < 2, evil, "none")})
    result = readout(
        log, trial, as_of="2025-02-01", start="2025-01-10", window="7D", assignment="randomised", by=[], margin=0.3
    )
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    rng = np.random.default_rng(0)
    ranked = rank_quality(rng.random(60), np.arange(60) % 2, rng.random(60), draws=20)
    assert "<script>" not in ranked._repr_html_()
