"""commlife: the life of a community's customers, from its order log.

Every public name is importable from here and loaded when it is first used, so that ``import commlife`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from commlife import datasets as datasets
    from commlife.basket import AssociationRules as AssociationRules
    from commlife.basket import AttachRate as AttachRate
    from commlife.basket import CrossSellEvaluation as CrossSellEvaluation
    from commlife.basket import FrequentItemsets as FrequentItemsets
    from commlife.basket import ItemsetsByGroup as ItemsetsByGroup
    from commlife.basket import association_rules as association_rules
    from commlife.basket import attach_rate as attach_rate
    from commlife.basket import contrast_itemsets as contrast_itemsets
    from commlife.basket import cross_sell_many as cross_sell_many
    from commlife.basket import evaluate_cross_sell as evaluate_cross_sell
    from commlife.basket import frequent_itemsets as frequent_itemsets
    from commlife.basket import holdout_rules as holdout_rules
    from commlife.basket import hot_pulls as hot_pulls
    from commlife.basket import plot_contrast as plot_contrast
    from commlife.basket import plot_heat as plot_heat
    from commlife.basket import product_heat as product_heat
    from commlife.basket import units_per_order as units_per_order
    from commlife.basket.bundles import bundles as bundles
    from commlife.basket.cross_sell import cross_sell as cross_sell
    from commlife.churn import FittedSilenceModel as FittedSilenceModel
    from commlife.churn import HostFeatures as HostFeatures
    from commlife.churn import SilenceModel as SilenceModel
    from commlife.churn import SilencePanel as SilencePanel
    from commlife.churn import lever_drivers as lever_drivers
    from commlife.churn import lever_effect as lever_effect
    from commlife.churn import suggest_horizon as suggest_horizon
    from commlife.cohorts import CohortQuestion as CohortQuestion
    from commlife.cohorts import CohortTable as CohortTable
    from commlife.cohorts import FittedGrowthPlanner as FittedGrowthPlanner
    from commlife.cohorts import FittedRetentionDrivers as FittedRetentionDrivers
    from commlife.cohorts import Goal as Goal
    from commlife.cohorts import GrowthPlan as GrowthPlan
    from commlife.cohorts import GrowthPlanner as GrowthPlanner
    from commlife.cohorts import RetentionAlerts as RetentionAlerts
    from commlife.cohorts import RetentionCurve as RetentionCurve
    from commlife.cohorts import RetentionDrivers as RetentionDrivers
    from commlife.cohorts import cohort_table as cohort_table
    from commlife.cohorts import growth_accounting as growth_accounting
    from commlife.cohorts import retention_alerts as retention_alerts
    from commlife.cohorts import retention_curve as retention_curve
    from commlife.coupons import Allocation as Allocation
    from commlife.coupons import Campaign as Campaign
    from commlife.coupons import Coupon as Coupon
    from commlife.coupons import CouponPlan as CouponPlan
    from commlife.coupons import CouponResponse as CouponResponse
    from commlife.coupons import CrossCategory as CrossCategory
    from commlife.coupons import ExpiryReminders as ExpiryReminders
    from commlife.coupons import FittedCouponResponse as FittedCouponResponse
    from commlife.coupons import Issuance as Issuance
    from commlife.coupons import Policy as Policy
    from commlife.coupons import PriceGuard as PriceGuard
    from commlife.coupons import Redemption as Redemption
    from commlife.coupons import Reminder as Reminder
    from commlife.coupons import SecondOrder as SecondOrder
    from commlife.coupons import TaperSubsidy as TaperSubsidy
    from commlife.coupons import ThresholdLadder as ThresholdLadder
    from commlife.coupons import WinBack as WinBack
    from commlife.coupons import allocate as allocate
    from commlife.coupons import apportion as apportion
    from commlife.coupons import audit_redemptions as audit_redemptions
    from commlife.coupons import best_combination as best_combination
    from commlife.coupons import fairness_audit as fairness_audit
    from commlife.coupons import parse_threshold as parse_threshold
    from commlife.coupons import plot_fairness as plot_fairness
    from commlife.coupons import plot_frontier as plot_frontier
    from commlife.coupons import price as price
    from commlife.coupons import refund_due as refund_due
    from commlife.coupons.frontier import frontier as frontier
    from commlife.effects import CampaignReadout as CampaignReadout
    from commlife.effects import FittedUplift as FittedUplift
    from commlife.effects import Guardrail as Guardrail
    from commlife.effects import Ranking as Ranking
    from commlife.effects import Readout as Readout
    from commlife.effects import Rollout as Rollout
    from commlife.effects import Uplift as Uplift
    from commlife.effects import UpliftAt as UpliftAt
    from commlife.effects import adjust_pvalues as adjust_pvalues
    from commlife.effects import adjusted_effect as adjusted_effect
    from commlife.effects import assign as assign
    from commlife.effects import auuc as auuc
    from commlife.effects import campaign_readout as campaign_readout
    from commlife.effects import compare as compare
    from commlife.effects import confidence_sequence as confidence_sequence
    from commlife.effects import hash_share as hash_share
    from commlife.effects import minimum_detectable_effect as minimum_detectable_effect
    from commlife.effects import off_policy_value as off_policy_value
    from commlife.effects import power as power
    from commlife.effects import qini_curve as qini_curve
    from commlife.effects import rank_quality as rank_quality
    from commlife.effects import readout as readout
    from commlife.effects import relative_effect as relative_effect
    from commlife.effects import sample_ratio as sample_ratio
    from commlife.effects import sample_size as sample_size
    from commlife.effects import shrink as shrink
    from commlife.effects import uplift_at as uplift_at
    from commlife.effects.qini import qini as qini
    from commlife.errors import CommlifeDeprecationWarning as CommlifeDeprecationWarning
    from commlife.errors import CommlifeError as CommlifeError
    from commlife.errors import CommlifeWarning as CommlifeWarning
    from commlife.errors import ConfigError as ConfigError
    from commlife.errors import DriftWarning as DriftWarning
    from commlife.errors import EngineError as EngineError
    from commlife.errors import FewerBinsWarning as FewerBinsWarning
    from commlife.errors import InsufficientDataError as InsufficientDataError
    from commlife.errors import LeftTruncatedWarning as LeftTruncatedWarning
    from commlife.errors import ModelWarning as ModelWarning
    from commlife.errors import PersistenceError as PersistenceError
    from commlife.errors import SchemaError as SchemaError
    from commlife.features import purchase_summary as purchase_summary
    from commlife.features import repurchase_cycles as repurchase_cycles
    from commlife.metrics import BusinessMetrics as BusinessMetrics
    from commlife.metrics import Funnel as Funnel
    from commlife.metrics import KFactor as KFactor
    from commlife.metrics import PriceElasticity as PriceElasticity
    from commlife.metrics import RevenueTree as RevenueTree
    from commlife.metrics import StockTable as StockTable
    from commlife.metrics import business_metrics as business_metrics
    from commlife.metrics import k_factor as k_factor
    from commlife.metrics import metric_dictionary as metric_dictionary
    from commlife.metrics import price_elasticity as price_elasticity
    from commlife.metrics.days_of_stock import days_of_stock as days_of_stock
    from commlife.metrics.funnel import funnel as funnel
    from commlife.metrics.revenue_tree import revenue_tree as revenue_tree
    from commlife.metrics.sell_through import sell_through as sell_through
    from commlife.orders import CleaningRules as CleaningRules
    from commlife.orders import OrderLog as OrderLog
    from commlife.orders import write_parquet as write_parquet
    from commlife.report import WeeklyReport as WeeklyReport
    from commlife.report import user_table as user_table
    from commlife.report import weekly_report as weekly_report
    from commlife.report import write_user_table as write_user_table
    from commlife.segments import RFM as RFM
    from commlife.segments import BehaviourTypes as BehaviourTypes
    from commlife.segments import FittedBehaviourTypes as FittedBehaviourTypes
    from commlife.segments import FittedLifecycle as FittedLifecycle
    from commlife.segments import FittedLoyalty as FittedLoyalty
    from commlife.segments import FittedRFM as FittedRFM
    from commlife.segments import FittedValueIndex as FittedValueIndex
    from commlife.segments import InterestGroups as InterestGroups
    from commlife.segments import Lifecycle as Lifecycle
    from commlife.segments import Loyalty as Loyalty
    from commlife.segments import OutreachReadout as OutreachReadout
    from commlife.segments import RFMScore as RFMScore
    from commlife.segments import Segment as Segment
    from commlife.segments import SegmentMap as SegmentMap
    from commlife.segments import UserTags as UserTags
    from commlife.segments import ValueIndex as ValueIndex
    from commlife.segments import call_back_list as call_back_list
    from commlife.segments import contact_lists as contact_lists
    from commlife.segments import outreach_readout as outreach_readout
    from commlife.segments import return_curve as return_curve
    from commlife.segments import standard_map as standard_map
    from commlife.segments import user_tags as user_tags
    from commlife.segments.interest_groups import interest_groups as interest_groups
    from commlife.segments.migration import migration as migration
    from commlife.segments.quadrants import quadrants as quadrants
    from commlife.state import LogState as LogState
    from commlife.value import BetaGeo as BetaGeo
    from commlife.value import FittedBetaGeo as FittedBetaGeo
    from commlife.value import FittedGammaGamma as FittedGammaGamma
    from commlife.value import FittedModifiedBetaGeo as FittedModifiedBetaGeo
    from commlife.value import FittedParetoNBD as FittedParetoNBD
    from commlife.value import FittedShiftedBetaGeo as FittedShiftedBetaGeo
    from commlife.value import GammaGamma as GammaGamma
    from commlife.value import ModifiedBetaGeo as ModifiedBetaGeo
    from commlife.value import ParetoNBD as ParetoNBD
    from commlife.value import ShiftedBetaGeo as ShiftedBetaGeo
    from commlife.value import ValueTotals as ValueTotals
    from commlife.value import bootstrap as bootstrap
    from commlife.value import compare_models as compare_models
    from commlife.value import drift_check as drift_check
    from commlife.value import frequency_check as frequency_check
    from commlife.value import holdout_check as holdout_check
    from commlife.value import lifetime_value as lifetime_value
    from commlife.value import profile_intervals as profile_intervals
    from commlife.value import spend_check as spend_check
    from commlife.value import tracking_check as tracking_check
    from commlife.value import value_totals as value_totals

_HOMES = {
    "errors": (
        "CommlifeDeprecationWarning",
        "CommlifeError",
        "CommlifeWarning",
        "ConfigError",
        "DriftWarning",
        "EngineError",
        "FewerBinsWarning",
        "InsufficientDataError",
        "LeftTruncatedWarning",
        "ModelWarning",
        "PersistenceError",
        "SchemaError",
    ),
    "orders": (
        "CleaningRules",
        "OrderLog",
        "write_parquet",
    ),
    "features": ("purchase_summary", "repurchase_cycles"),
    "metrics": (
        "BusinessMetrics",
        "Funnel",
        "KFactor",
        "PriceElasticity",
        "RevenueTree",
        "StockTable",
        "business_metrics",
        "days_of_stock",
        "funnel",
        "k_factor",
        "metric_dictionary",
        "price_elasticity",
        "revenue_tree",
        "sell_through",
    ),
    "segments": (
        "BehaviourTypes",
        "FittedBehaviourTypes",
        "FittedLifecycle",
        "FittedLoyalty",
        "FittedRFM",
        "FittedValueIndex",
        "InterestGroups",
        "Lifecycle",
        "Loyalty",
        "OutreachReadout",
        "RFM",
        "RFMScore",
        "Segment",
        "SegmentMap",
        "UserTags",
        "ValueIndex",
        "call_back_list",
        "contact_lists",
        "interest_groups",
        "migration",
        "outreach_readout",
        "quadrants",
        "return_curve",
        "standard_map",
        "user_tags",
    ),
    "cohorts": (
        "CohortQuestion",
        "CohortTable",
        "FittedGrowthPlanner",
        "FittedRetentionDrivers",
        "Goal",
        "GrowthPlan",
        "GrowthPlanner",
        "RetentionAlerts",
        "RetentionCurve",
        "RetentionDrivers",
        "cohort_table",
        "growth_accounting",
        "retention_alerts",
        "retention_curve",
    ),
    "basket": (
        "AssociationRules",
        "AttachRate",
        "CrossSellEvaluation",
        "FrequentItemsets",
        "ItemsetsByGroup",
        "association_rules",
        "attach_rate",
        "bundles",
        "contrast_itemsets",
        "cross_sell",
        "cross_sell_many",
        "evaluate_cross_sell",
        "frequent_itemsets",
        "holdout_rules",
        "hot_pulls",
        "plot_contrast",
        "plot_heat",
        "product_heat",
        "units_per_order",
    ),
    "value": (
        "BetaGeo",
        "FittedBetaGeo",
        "FittedGammaGamma",
        "FittedModifiedBetaGeo",
        "FittedParetoNBD",
        "FittedShiftedBetaGeo",
        "GammaGamma",
        "ModifiedBetaGeo",
        "ParetoNBD",
        "ShiftedBetaGeo",
        "ValueTotals",
        "bootstrap",
        "compare_models",
        "drift_check",
        "frequency_check",
        "holdout_check",
        "lifetime_value",
        "profile_intervals",
        "spend_check",
        "tracking_check",
        "value_totals",
    ),
    "effects": (
        "CampaignReadout",
        "FittedUplift",
        "Guardrail",
        "Ranking",
        "Readout",
        "Rollout",
        "Uplift",
        "UpliftAt",
        "adjust_pvalues",
        "adjusted_effect",
        "assign",
        "auuc",
        "campaign_readout",
        "compare",
        "confidence_sequence",
        "hash_share",
        "minimum_detectable_effect",
        "off_policy_value",
        "power",
        "qini",
        "qini_curve",
        "rank_quality",
        "readout",
        "relative_effect",
        "sample_ratio",
        "sample_size",
        "shrink",
        "uplift_at",
    ),
    "state": ("LogState",),
    "churn": (
        "FittedSilenceModel",
        "HostFeatures",
        "SilenceModel",
        "SilencePanel",
        "lever_drivers",
        "lever_effect",
        "suggest_horizon",
    ),
    "coupons": (
        "Allocation",
        "Campaign",
        "Coupon",
        "CouponPlan",
        "CouponResponse",
        "CrossCategory",
        "ExpiryReminders",
        "FittedCouponResponse",
        "Policy",
        "Issuance",
        "PriceGuard",
        "Redemption",
        "Reminder",
        "SecondOrder",
        "TaperSubsidy",
        "ThresholdLadder",
        "WinBack",
        "allocate",
        "apportion",
        "audit_redemptions",
        "best_combination",
        "fairness_audit",
        "frontier",
        "parse_threshold",
        "plot_fairness",
        "plot_frontier",
        "price",
        "refund_due",
    ),
    "report": (
        "WeeklyReport",
        "user_table",
        "weekly_report",
        "write_user_table",
    ),
}
_ROOMS = ("datasets",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, *_ROOMS])  # noqa: PLE0605  (one list of names, kept in _HOMES)


if not TYPE_CHECKING:  # a type checker knows the names from above, and refuses all others

    def __getattr__(name: str) -> Any:
        if name in _HOME_OF:
            value = getattr(importlib.import_module(f"commlife.{_HOME_OF[name]}"), name)
        elif name in _ROOMS:
            value = importlib.import_module(f"commlife.{name}")
        else:
            raise AttributeError(f"module 'commlife' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
