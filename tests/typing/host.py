"""What a host's type checker sees: run by `make types` with mypy and pyright, never executed."""

from __future__ import annotations

from typing import Any, assert_type

import pandas as pd

import commlife as cl
from commlife import testing
from commlife.coupons import CouponPlan
from commlife.segments import ContactLists


def adapter(rows: pd.DataFrame) -> cl.OrderLog:
    return cl.OrderLog.from_frame(
        rows,
        user_id="phone",
        ordered_at="paid_at",
        amount="paid",
        status="state",
        status_map={"done": "paid", "void": "cancelled"},
        keep=["memo"],
        on_fault={"null_user_id": "set_aside"},
    )


def logs(rows: pd.DataFrame) -> None:
    log = adapter(rows)
    assert_type(log, cl.OrderLog)
    assert_type(log.clean(cl.CleaningRules(merge_within="1D")), cl.OrderLog)
    assert_type(log.n_rows, int)
    assert_type(log.first_day, str | None)
    assert_type(log.faults, pd.DataFrame)
    assert_type(cl.OrderLog.from_csv("a.csv", user_id="u", ordered_at="t", amount="m"), cl.OrderLog)


def segments(log: cl.OrderLog) -> None:
    rfm = cl.RFM(n_bins=5, segment_map="standard_11").fit(log, as_of="2025-06-01")
    assert_type(rfm, cl.FittedRFM)
    assert_type(rfm.to_json(), str)
    assert_type(cl.FittedRFM.from_json(rfm.to_json()), cl.FittedRFM)
    lifecycle = cl.Lifecycle(period="7D").fit(log, as_of="2025-06-01")
    assert_type(lifecycle, cl.FittedLifecycle)
    assert_type(lifecycle.counts, pd.DataFrame)
    assert_type(cl.contact_lists(log, as_of="2025-06-01"), ContactLists)


def cohorts(log: cl.OrderLog) -> None:
    table = cl.cohort_table(log, as_of="2025-06-01", period="week", by=["community"])
    assert_type(table, cl.CohortTable)
    assert_type(table.to_frame(), pd.DataFrame)
    alerts = cl.retention_alerts(table)
    assert_type(alerts, cl.RetentionAlerts)
    assert_type(alerts.drill(log, by="channel"), pd.DataFrame)
    plan = cl.GrowthPlanner(levers={"spend": (0.0, 100.0)}) if False else None
    assert plan is None


def baskets(log: cl.OrderLog) -> None:
    sets = cl.frequent_itemsets(log, as_of="2025-06-01", min_support=0.01)
    assert_type(sets, cl.FrequentItemsets)
    assert_type(len(sets), int)
    rules = cl.association_rules(sets, min_confidence=0.5)
    assert_type(rules, cl.AssociationRules)
    assert_type(rules.to_frame(), pd.DataFrame)


def value(log: cl.OrderLog) -> None:
    summary = cl.purchase_summary(log, as_of="2025-06-01")
    fitted = cl.BetaGeo().fit(summary, time_unit="7D")
    assert_type(fitted, cl.FittedBetaGeo)
    assert_type(fitted.params, dict[str, float])
    assert_type(fitted.log_likelihood, float)


def silence(log: cl.OrderLog) -> None:
    model = cl.SilenceModel(horizon="28D", active_within="56D").fit(log, as_of="2025-06-01")
    assert_type(model, cl.FittedSilenceModel)
    assert_type(model.verdict, str)
    assert_type(model.evaluation, pd.DataFrame)
    assert_type(cl.FittedSilenceModel.load("folder"), cl.FittedSilenceModel)


def coupons(value: Any, cost: Any, users: pd.DataFrame) -> None:
    allocation = cl.allocate(value, cost, budget=50_000.0)
    assert_type(allocation, cl.Allocation)
    assert_type(allocation.gap, float)
    policy = cl.Policy(salt="spring", rules=(cl.SecondOrder(coupon=cl.Coupon(coupon_id="a", amount=5)),))
    assert_type(policy, cl.Policy)
    assert_type(cl.parse_threshold("30:5").discount, float)


def kit() -> None:
    assert_type(testing.check_adapter(adapter), None)


def wrong(log: cl.OrderLog) -> None:
    """What a checker must refuse: an unused ignore is an error, so each of these lines is a test."""
    cl.RFM(n_bins="five")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cl.RFM().fit(log)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    _ = cl.frequent_itemsetz  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


__all__ = ["CouponPlan"]
