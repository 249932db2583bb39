"""Input that makes no sense is told in the library's own words: never an error of NumPy, pandas or XGBoost."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from commlife.coupons import (
    Coupon,
    CouponResponse,
    ExpiryReminders,
    Issuance,
    Policy,
    PriceGuard,
    SecondOrder,
    allocate,
    apportion,
    audit_redemptions,
    fairness_audit,
    frontier,
    plot_fairness,
    plot_frontier,
    price,
    refund_due,
)
from commlife.errors import CommlifeError, ConfigError

mpl.use("Agg")

RAGGED = [[1], [1, 2]]
MATRIX = np.arange(1.0, 13.0).reshape(4, 3)
COUPON = Coupon(coupon_id="c", amount=5, valid_days=7)
ISSUED = pd.DataFrame({"user_id": ["u1", "u2"], "coupon_id": ["c", "c"], "issued": ["2025-01-01"] * 2})
USED = pd.DataFrame({"user_id": ["u1"], "coupon_id": ["c"], "day": ["2025-01-02"], "amount": [3.0]})
USERS = pd.DataFrame(
    {"user_id": ["13812345678", "u2"], "frequency": [1, 1], "recency_days": [1, 2], "monetary": [5, 6]}
)
POLICY = Policy(rules=[SecondOrder(coupon=COUPON)], salt="s")
RESPONSE = pd.DataFrame({"user_id": np.arange(120), "face": [3.0, 5.0] * 60, "x": 1.0, "redeemed": [0, 0, 1, 1] * 30})


def listed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: pd.Series([["u"]] * len(frame), dtype=object)})


def due(issued=ISSUED, coupons=(COUPON,), **options):
    return ExpiryReminders().due(issued, coupons, now="2025-01-06T10:00", **options)


def fitted(frame=RESPONSE, **options):
    return CouponResponse(numbers=("x",), trees=2).fit(frame, **options)


CALLS = {
    "a solver that is an array": lambda: allocate(MATRIX, MATRIX, 5, solver=np.ones(3)),
    "a channel that is a number": lambda: allocate(MATRIX, MATRIX, 5, channel=3, channel_capacity={"a": 1}),
    "a ragged eligibility": lambda: allocate(MATRIX, MATRIX, 5, eligible=RAGGED),
    "a ragged redemption": lambda: allocate(MATRIX, MATRIX, 5, redemption=RAGGED, max_overspend_prob=0.1),
    "a ragged group": lambda: allocate(MATRIX, MATRIX, 5, group=RAGGED, group_caps={"a": 1.0}),
    "a budget too large for a float": lambda: allocate(MATRIX, MATRIX, 10**400),
    "ragged budgets": lambda: frontier(MATRIX, MATRIX, budgets=RAGGED),
    "a ragged discount": lambda: apportion([1.0, 2.0], RAGGED),
    "ragged weights": lambda: apportion([1.0, 2.0], 1.0, weights=RAGGED),
    "ragged returns": lambda: refund_due([1.0, 2.0], 1.0, returned=RAGGED),
    "ragged amounts returned": lambda: refund_due([1.0, 2.0], 1.0, returned_amounts=RAGGED),
    "ragged earlier returns": lambda: refund_due([1.0, 2.0], 1.0, returned=[True, False], already=RAGGED),
    "texts as amounts": lambda: PriceGuard().floors(["a"]),
    "fewer costs than amounts": lambda: PriceGuard(above_cost=True).floors([1.0, 2.0], [1.0]),
    "digits that are a text": lambda: PriceGuard().floors([1.0], currency_digits="2"),
    "a denied number": lambda: PriceGuard().check(3),
    "spend that is a text": lambda: COUPON.discount_on("much"),
    "spend that is missing": lambda: COUPON.expected_discount(None),
    "a language that is missing": lambda: COUPON.describe(pd.NA),
    "reminders in no language": lambda: due(lang=pd.NA),
    "a plan in no language": lambda: POLICY.plan(USERS, lang=pd.NA),
    "users that are lists": lambda: due(listed(ISSUED, "user_id")),
    "coupons that are lists": lambda: due(listed(ISSUED, "coupon_id")),
    "redemptions of lists": lambda: audit_redemptions(listed(USED, "user_id"), ISSUED, [COUPON]),
    "coupons issued to lists": lambda: POLICY.plan(USERS, issued=listed(ISSUED, "user_id"), on="2025-01-09"),
    "texts as basket amounts": lambda: audit_redemptions(
        pd.concat([USED.assign(amount="much"), USED.assign(amount=None)]), ISSUED, [COUPON]
    ),
    "coupons that are a number": lambda: due(coupons=3),
    "a policy of a number": lambda: Policy.from_coupons(3, salt="s"),
    "a policy of a text": lambda: Policy.from_coupons("c", salt="s"),
    "a stacking that is missing": lambda: price({"amount": [1.0]}, [COUPON], stacking=pd.NA),
    "days since never": lambda: POLICY.plan(USERS.assign(recency_days=1e300)),
    "records of nothing": lambda: Issuance.from_frame(None),
    "records of two columns of one name": lambda: Issuance.from_frame(pd.concat([ISSUED, ISSUED], axis=1)),
    "a frame of no records": lambda: Issuance.to_frame(3),
    "a frame of texts": lambda: Issuance.to_frame("ab"),
    "attributes of one name": lambda: fairness_audit([1.0, 2.0], USERS[["frequency", "frequency"]]),
    "a picture of nothing": lambda: plot_frontier(None),
    "a picture of another frame": lambda: plot_fairness(pa.table({"level": ["a"]})),
    "responses of nobody": lambda: fitted(RESPONSE.assign(user_id=np.nan)),
    "responses of one user": lambda: fitted(RESPONSE.assign(user_id="u")),
    "a day that is no column": lambda: fitted(day=""),
    "a day that is a number": lambda: fitted(day=0),
    "faces that are a number": lambda: fitted().by_face(RESPONSE, 3),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_told_in_our_own_words(name: str) -> None:
    with pytest.raises(CommlifeError):
        CALLS[name]()


def test_a_phone_that_occurs_twice_is_masked() -> None:
    with pytest.raises(ConfigError, match=r"seen 138\*\*\*\*78 twice"):
        POLICY.plan(pd.concat([USERS, USERS]))


@pytest.mark.parametrize("build", [pl.DataFrame, pl.LazyFrame, pa.table])
def test_records_come_from_every_kind_of_frame(build) -> None:
    frame = build({name: ISSUED[name].tolist() for name in ISSUED.columns})
    assert Issuance.from_frame(frame) == Issuance.from_frame(ISSUED)
