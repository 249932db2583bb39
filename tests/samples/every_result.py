"""One small result of every public class that shows itself as a table, and every public call that answers with a frame.

``wanted()`` finds both by their names, so that a new one without a sample fails the tests that go over all of them.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

import commlife as cl
import every_kind
from commlife import value
from commlife._engine import collect
from commlife._model import Spec
from commlife.churn import SilencePanel

#: Calls whose answer is no frame and no result, or a picture.
_NO_FRAMES = {
    "to_major", "to_minor", "write_parquet", "complete_journey_frames", "load_cdnow", "load_complete_journey",
    "make_community", "standard_map", "plot_contrast", "plot_heat", "plot_fairness", "plot_frontier", "adjust_pvalues",
    "assign", "auuc", "hash_share", "minimum_detectable_effect", "power", "qini", "sample_size", "shrink", "apportion",
    "parse_threshold", "refund_due", "to_csv", "profile_log_likelihood", "weekly_report",
    "write_user_table",
}  # fmt: skip


def wanted() -> set[str]:
    """Names of the public result classes and of the public calls that answer with a frame."""
    names = {
        name
        for name, cls in every_kind.public_classes().items()
        if (hasattr(cls, "to_frame") or hasattr(cls, "_repr_html_")) and not issubclass(cls, Spec)
    }
    for room in every_kind.ROOMS:
        module = importlib.import_module(f"commlife.{room}")
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.isfunction(thing) or name in _NO_FRAMES:
                continue
            answer = str(inspect.signature(thing).return_annotation)
            # A call that answers with a result is shown by the result.
            if answer in ("Any", "pd.DataFrame"):
                names.add(name)
    return names


class Shop:
    """What the samples are made from."""

    as_of = "2025-06-02"

    @functools.cached_property
    def world(self) -> Any:
        return cl.datasets.make_community(n_users=250, n_weeks=22, n_communities=2, existing_share=0.5, seed=7)

    @functools.cached_property
    def log(self) -> cl.OrderLog:
        return self.world.log

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        return cl.purchase_summary(self.log, as_of=self.as_of)

    @functools.cached_property
    def early(self) -> pd.DataFrame:
        return cl.purchase_summary(self.log, as_of="2025-05-05")

    @functools.cached_property
    def beta_geo(self) -> Any:
        return cl.BetaGeo().fit(self.early)

    @functools.cached_property
    def spend(self) -> Any:
        return cl.GammaGamma().fit(self.early)

    @functools.cached_property
    def sets(self) -> Any:
        return cl.frequent_itemsets(self.log, as_of=self.as_of, min_count=8, max_len=3)

    @functools.cached_property
    def rules(self) -> Any:
        return cl.association_rules(self.sets, min_confidence=0.05)

    @functools.cached_property
    def rfm(self) -> Any:
        return cl.RFM(n_bins=3, segment_map="grid_3x3").fit(self.log, as_of="2025-05-05")

    @functools.cached_property
    def weeks(self) -> Any:
        return cl.cohort_table(self.log, as_of=self.as_of, period="week", by="community")

    @functools.cached_property
    def panel(self) -> Any:
        return SilencePanel(horizon="14D", active_within="28D", snapshots=1).build(self.log, as_of=self.as_of)

    @functools.cached_property
    def silence(self) -> Any:
        return every_kind.make("FittedSilenceModel", self.log)

    @functools.cached_property
    def trial(self) -> pd.DataFrame:
        return every_kind.trial()

    @functools.cached_property
    def users(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "user_id": [f"u{i}" for i in range(40)],
                "state": ["new", "active", "silent", "silent"] * 10,
                "segment": ["New", "Champions", "At Risk", "At Risk"] * 10,
                "frequency": [1, 20, 4, 2] * 10,
                "recency_days": [5, 2, 60, 70] * 10,
                "monetary": [40.0, 900.0, 200.0, 90.0] * 10,
            }
        )

    @functools.cached_property
    def policy(self) -> cl.Policy:
        rules = [cl.SecondOrder(coupon=every_kind.SECOND), cl.WinBack(coupon=cl.Coupon.from_threshold("back", "60:12"))]
        return cl.Policy(rules=rules, salt="week 12")

    @functools.cached_property
    def stock(self) -> pd.DataFrame:
        items = self.log.to_native()["item_id"].drop_duplicates().tolist()[:3]
        return pd.DataFrame(
            {"item_id": items * 2, "day": ["2025-05-19"] * 3 + ["2025-05-26"] * 3, "on_hand": [90, 80, 70, 9, 8, 7]}
        )

    @functools.cached_property
    def priced(self) -> cl.OrderLog:
        price = np.tile([2.0, 4.0], 10)
        frame = pd.DataFrame(
            {"u": "a", "at": pd.date_range("2025-01-06", periods=20, freq="7D"), "sku": "tea", "pieces": 64 / price**2}
        ).assign(paid=64 / price)
        return cl.OrderLog.from_frame(
            frame, user_id="u", ordered_at="at", amount="paid", item_id="sku", quantity="pieces"
        )

    @functools.cached_property
    def issued(self) -> pd.DataFrame:
        return pd.DataFrame({"user_id": ["u1"], "coupon_id": ["second"], "issued": ["2025-01-01"]})


def _funnel() -> Any:
    events = pd.DataFrame(
        {
            "user_id": list("aabbc"),
            "event": ["visit", "register", "visit", "visit", "visit"],
            "time": ["2025-01-01 10:00", "2025-01-02 10:00", "2025-01-03", "2025-01-04", "2025-01-30"],
        }
    )
    return cl.funnel(events, steps=["visit", "register"], as_of="2025-02-01", window="7D")


def _k_factor() -> Any:
    joined = pd.DataFrame({"user_id": list("abc"), "time": ["2025-01-06", "2025-01-07", "2025-01-20"]})
    times = ["2025-01-10", "2025-01-11", "2025-01-12"]
    sent = pd.DataFrame({"inviter": list("aab"), "invitee": list("cac"), "time": times})
    return cl.k_factor(sent, joined, as_of="2025-03-03", n_boot=20)


def _outreach(shop: Shop) -> Any:
    lists = cl.call_back_list(shop.log, as_of="2025-05-05", lifecycle=cl.Lifecycle(washout="28D"))
    calls = lists[["user_id"]].iloc[::2].assign(called_at="2025-05-06 10:00", channel="phone", outcome="reached")
    return cl.outreach_readout(calls, shop.log, as_of=shop.as_of, cost=2.0)


def _campaign() -> Any:
    world = cl.datasets.make_community(n_users=600, n_weeks=24, drop_community=None, seed=2)
    return cl.campaign_readout(world.log, "2025-05-26", "2025-06-09", as_of="2025-06-09", treated="C03")


def _readout(shop: Shop) -> Any:
    trial = shop.world.trial()
    return cl.readout(
        shop.log, trial, as_of=shop.as_of, start=trial["issued_on"][0], window="14D", assignment="randomised"
    )


def _rollout(shop: Shop) -> Any:
    plan = cl.Rollout(salt="spring", stages=(0.3, 0.8), guardrails=(cl.Guardrail(outcome="spend"),), min_users=10)
    frame = shop.trial[["user_id", "spend"]].assign(arm=plan.arms(shop.trial["user_id"], stage=1))
    return plan.decide(frame, stage=1, planned=900)


def _ranked(shop: Shop) -> tuple[Any, Any, Any]:
    return shop.trial["redeemed"], shop.trial["arm"] == "coupon", shop.trial["frequency"]


def _quadrants(shop: Shop) -> Any:
    index = cl.ValueIndex(rfm=cl.RFM(n_bins=3)).fit(shop.log, as_of=shop.as_of).transform(shop.log, as_of=shop.as_of)
    return cl.quadrants(index, cl.Loyalty().fit(shop.log, as_of=shop.as_of).index)


def _migration(shop: Shop) -> Any:
    before, after = (shop.rfm.transform(shop.log, as_of=day) for day in ("2025-05-05", shop.as_of))
    return cl.migration(before, after)


def _policy_value(shop: Shop) -> Any:
    return cl.off_policy_value(
        shop.trial, treatment="arm", outcome="spend", policy=["coupon"] * len(shop.trial), covariates=["frequency"]
    )


_ARMS: dict[str, Any] = {"treatment": "arm", "control": "none", "outcome": "spend"}

#: How one of each is made.
MADE: dict[str, Callable[[Shop], Any]] = {
    "AdjustedEffect": lambda s: cl.adjusted_effect(
        s.trial.assign(arm=s.trial["arm"] == "coupon"), treatment="arm", outcome="spend", covariates=["frequency"]
    ),
    "Allocation": lambda s: cl.allocate([[3.0, 5.0], [2.0, 6.0]], [[1.0, 4.0], [1.0, 3.0]], budget=5.0),
    "AssociationRules": lambda s: s.rules,
    "AttachRate": lambda s: cl.attach_rate(
        s.log, as_of=s.as_of, anchor=s.sets.items[0], addon=s.sets.items[1], level="item_id"
    ),
    "BusinessMetrics": lambda s: cl.business_metrics(s.log, as_of=s.as_of, period="week", last=2, n_boot=20),
    "CampaignReadout": lambda s: _campaign(),
    "CohortTable": lambda s: s.weeks,
    "ContactLists": lambda s: cl.contact_lists(s.log, as_of=s.as_of),
    "CouponPlan": lambda s: s.policy.plan(s.users, budget=60.0),
    "CrossSellEvaluation": lambda s: cl.evaluate_cross_sell(
        s.rules, s.log, since="2025-05-26", as_of=s.as_of, n_bootstrap=100
    ),
    "Drift": lambda s: s.rfm.drift(s.log, as_of=s.as_of),
    "DriftCheck": lambda s: cl.drift_check(cl.BetaGeo().fit(s.log, as_of="2025-05-05"), s.log, as_of=s.as_of),
    "FittedBehaviourTypes": lambda s: every_kind.make("FittedBehaviourTypes", s.log),
    "FittedLifecycle": lambda s: cl.Lifecycle(washout="28D", by="community").fit(s.log, as_of=s.as_of),
    "FittedLoyalty": lambda s: cl.Loyalty().fit(s.log, as_of=s.as_of),
    "FittedRetentionDrivers": lambda s: every_kind.make("FittedRetentionDrivers", s.log),
    "FrequencyCheck": lambda s: cl.frequency_check(s.beta_geo, s.early),
    "FrequentItemsets": lambda s: s.sets,
    "Funnel": lambda s: _funnel(),
    "GrowthPlan": lambda s: every_kind.make("FittedGrowthPlanner", s.log).plan(cl.Goal(new_payers=20)),
    "HoldoutCheck": lambda s: cl.holdout_check(s.beta_geo, s.early, s.summary),
    "InterestGroups": lambda s: cl.interest_groups(s.log, as_of=s.as_of, max_size=30, permutations=19),
    "ItemsetsByGroup": lambda s: cl.frequent_itemsets(s.log, as_of=s.as_of, min_count=8, max_len=2, by="community"),
    "KFactor": lambda s: _k_factor(),
    "LeverEffect": lambda s: cl.lever_effect(
        s.panel, treatment="first_subsidised", covariates=("first_order_value", "tenure_days")
    ),
    "Migration": _migration,
    "ModelComparison": lambda s: cl.compare_models([s.beta_geo, cl.ModifiedBetaGeo().fit(s.early)], s.early),
    "OffPolicyValue": _policy_value,
    "OutreachReadout": _outreach,
    "Panel": lambda s: s.panel,
    "PriceElasticity": lambda s: cl.price_elasticity(s.priced, as_of="2025-06-02"),
    "Priced": lambda s: cl.price({"amount": [40.0], "category": ["milk"]}, [every_kind.SECOND]),
    "Profit": lambda s: s.silence.profit(value_of_keeping=100, share_kept=0.5, cost_of_contact=1),
    "Quadrants": _quadrants,
    "Ranking": lambda s: cl.rank_quality(*_ranked(s), draws=20),
    "Readout": _readout,
    "RetentionAlerts": lambda s: cl.retention_alerts(s.weeks, level=0.5),
    "RetentionCurve": lambda s: cl.retention_curve(
        cl.cohort_table(s.log, as_of=s.as_of, period="week", measure="streak"), horizon=4
    ),
    "ReturnCurve": lambda s: cl.return_curve(s.log, as_of=s.as_of),
    "RevenueTree": lambda s: cl.revenue_tree(s.log, as_of=s.as_of, by="community"),
    "RolloutDecision": _rollout,
    "SampleRatio": lambda s: cl.sample_ratio(s.trial, treatment="arm", ratio={"coupon": 2, "none": 3}),
    "SegmentSummary": lambda s: s.rfm.summary(s.log, as_of=s.as_of),
    "Snapshot": lambda s: s.panel.snapshots[0],
    "SpendCheck": lambda s: cl.spend_check(s.early),
    "StockTable": lambda s: cl.sell_through(s.log, s.stock, as_of="2025-05-26"),
    "SuggestedHorizon": lambda s: cl.suggest_horizon(s.log, as_of=s.as_of),
    "TrackingCheck": lambda s: cl.tracking_check(cl.BetaGeo().fit(s.log, as_of="2025-05-05"), s.log, as_of=s.as_of),
    "UpliftAt": lambda s: cl.uplift_at(*_ranked(s), share=0.3, draws=20),
    "UserTags": lambda s: cl.user_tags(s.log, as_of=s.as_of, min_orders=2, min_gaps=2),
    "ValueTotals": lambda s: cl.value_totals(s.beta_geo, s.spend, s.early, horizon="91D"),
    "audit_redemptions": lambda s: cl.audit_redemptions(
        pd.DataFrame({"user_id": ["u1"], "coupon_id": ["second"], "day": ["2025-01-03"]}), s.issued, [every_kind.SECOND]
    ),
    "bootstrap": lambda s: cl.bootstrap(cl.BetaGeo(), s.early, n_samples=2),
    "bundles": lambda s: cl.bundles(s.log, since="2025-05-05", as_of=s.as_of, min_count=5, max_q=1.0),
    "call_back_list": lambda s: cl.call_back_list(s.log, as_of=s.as_of, lifecycle=cl.Lifecycle(washout="28D")),
    "compare": lambda s: cl.compare(s.trial, **_ARMS),
    "confidence_sequence": lambda s: cl.confidence_sequence(s.trial, planned=900, **_ARMS),
    "contrast_itemsets": lambda s: cl.contrast_itemsets(s.log, as_of=s.as_of, min_count=5),
    "cross_sell": lambda s: cl.cross_sell(s.rules, [s.sets.items[0]]),
    "cross_sell_many": lambda s: cl.cross_sell_many(s.rules, [[s.sets.items[0]]]),
    "fairness_audit": lambda s: cl.fairness_audit([5, 0, 5, 0], pd.DataFrame({"tenure": ["long", "short"] * 2})),
    "frontier": lambda s: cl.frontier([[3.0], [2.0]], [[1.0], [1.0]], budgets=[0, 1]),
    "growth_accounting": lambda s: cl.growth_accounting(s.log, as_of=s.as_of, by="community"),
    "holdout_rules": lambda s: cl.holdout_rules(s.rules, s.log, since="2025-05-26", as_of=s.as_of),
    "hot_pulls": lambda s: cl.hot_pulls(s.log, as_of=s.as_of),
    "lever_drivers": lambda s: cl.lever_drivers(
        s.log, as_of=s.as_of, spec=cl.SilenceModel(
            horizon="14D", active_within="28D", n_trees=5, refits=2, resamples=20, snapshots=2
        )
    ),
    "lifetime_value": lambda s: cl.lifetime_value(s.beta_geo, s.spend, s.early, horizon="91D", interval=0.9),
    "metric_dictionary": lambda s: cl.metric_dictionary(),
    "product_heat": lambda s: cl.product_heat(s.log, as_of=s.as_of),
    "profile_intervals": lambda s: cl.profile_intervals(s.beta_geo, s.early),
    "purchase_summary": lambda s: s.summary,
    "qini_curve": lambda s: cl.qini_curve(*_ranked(s)),
    "relative_effect": lambda s: cl.relative_effect(s.trial, **_ARMS),
    "repurchase_cycles": lambda s: cl.repurchase_cycles(s.log, as_of=s.as_of, min_gaps=2),
    "simulate_summary": lambda s: value.simulate_summary(
        "ParetoNBD", {"r": 1, "alpha": 10, "s": 1, "beta": 10}, n_users=3, T="70D"
    ),
    "units_per_order": lambda s: cl.units_per_order(s.log, as_of=s.as_of, by="community"),
    "user_table": lambda s: cl.user_table(
        s.log, as_of=s.as_of, rfm=s.rfm, silence=s.silence, offers=s.policy,
        lifecycle=cl.Lifecycle(washout="28D").fit(s.log, as_of=s.as_of),
    ),
}  # fmt: skip

#: What fitted objects and logs answer with frames, by class and method.
MADE |= {
    "CleaningRules.audit": lambda s: s.log.clean(cl.CleaningRules(max_addresses_per_user=1, merge_within="1D")).audit,
    "FittedBehaviourTypes.transform": lambda s: make("FittedBehaviourTypes", s).transform(s.log, as_of=s.as_of),
    "FittedBetaGeo.expected_purchases": lambda s: s.beta_geo.expected_purchases(s.summary, horizon="28D"),
    "FittedBetaGeo.p_alive": lambda s: s.beta_geo.p_alive(s.summary),
    "FittedBetaGeo.p_silent": lambda s: s.beta_geo.p_silent(s.summary, horizon="28D"),
    "FittedCouponResponse.evaluation": lambda s: every_kind.make("FittedCouponResponse", s.log).evaluation,
    "FittedGammaGamma.expected_spend": lambda s: s.spend.expected_spend(s.summary),
    "FittedRFM.transform": lambda s: s.rfm.transform(s.log, as_of=s.as_of),
    "FittedSilenceModel.drivers": lambda s: s.silence.drivers(),
    "FittedSilenceModel.evaluation": lambda s: s.silence.evaluation,
    "FittedSilenceModel.predict": lambda s: s.silence.predict(s.log, as_of=s.as_of),
    "FittedSilenceModel.reasons": lambda s: s.silence.reasons(s.log, as_of=s.as_of, k=3),
    "FittedUplift.evaluation": lambda s: every_kind.make("FittedUplift", s.log).evaluation,
    "FittedUplift.predict": lambda s: every_kind.make("FittedUplift", s.log).predict(s.trial),
    "FittedValueIndex.transform": lambda s: every_kind.make("FittedValueIndex", s.log).transform(s.log, as_of=s.as_of),
    "LogState.purchase_summary": lambda s: every_kind.make("LogState", s.log).purchase_summary(),
    "OrderLog.faults": lambda s: s.log.faults,
    "OrderLog.to_native": lambda s: s.log.to_native(),
    "RetentionAlerts.drill": lambda s: make("RetentionAlerts", s).drill(s.log, by="channel"),
    "RetentionAlerts.users": lambda s: make("RetentionAlerts", s).users(s.log),
}


def make(name: str, shop: Shop) -> Any:
    """One sample; caveats about so small a shop are heard elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        return MADE[name](shop)


def frames(result: Any) -> dict[str, pd.DataFrame]:
    """Every public frame of a result by its name; a frame itself is ``answer``."""
    if _is_frame(result):
        return {"answer": collect(nw.from_native(result))}
    found: dict[str, Any] = {}
    if hasattr(result, "to_frame"):
        found["to_frame()"] = result.to_frame()
    if dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            if not field.name.startswith("_"):
                found[field.name] = getattr(result, field.name)
    for name in dir(type(result)):
        member = inspect.getattr_static(type(result), name)
        if not name.startswith("_") and isinstance(member, (property, functools.cached_property)):
            found[name] = getattr(result, name)
    return {name: collect(nw.from_native(frame)) for name, frame in sorted(found.items()) if _is_frame(frame)}


def _is_frame(thing: Any) -> bool:
    return hasattr(thing, "columns") and hasattr(thing, "shape")
