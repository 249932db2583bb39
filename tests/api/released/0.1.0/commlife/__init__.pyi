__all__ = [
    'Allocation',
    'AssociationRules',
    'AttachRate',
    'BehaviourTypes',
    'BetaGeo',
    'BusinessMetrics',
    'Campaign',
    'CampaignReadout',
    'CleaningRules',
    'CohortQuestion',
    'CohortTable',
    'CommlifeDeprecationWarning',
    'CommlifeError',
    'CommlifeWarning',
    'ConfigError',
    'Coupon',
    'CouponPlan',
    'CouponResponse',
    'CrossCategory',
    'CrossSellEvaluation',
    'DriftWarning',
    'EngineError',
    'ExpiryReminders',
    'FewerBinsWarning',
    'FittedBehaviourTypes',
    'FittedBetaGeo',
    'FittedCouponResponse',
    'FittedGammaGamma',
    'FittedGrowthPlanner',
    'FittedLifecycle',
    'FittedLoyalty',
    'FittedModifiedBetaGeo',
    'FittedParetoNBD',
    'FittedRFM',
    'FittedRetentionDrivers',
    'FittedShiftedBetaGeo',
    'FittedSilenceModel',
    'FittedUplift',
    'FittedValueIndex',
    'FrequentItemsets',
    'Funnel',
    'GammaGamma',
    'Goal',
    'GrowthPlan',
    'GrowthPlanner',
    'Guardrail',
    'HostFeatures',
    'InsufficientDataError',
    'InterestGroups',
    'Issuance',
    'ItemsetsByGroup',
    'KFactor',
    'LeftTruncatedWarning',
    'Lifecycle',
    'LogState',
    'Loyalty',
    'ModelWarning',
    'ModifiedBetaGeo',
    'OrderLog',
    'OutreachReadout',
    'ParetoNBD',
    'PersistenceError',
    'Policy',
    'PriceElasticity',
    'PriceGuard',
    'RFM',
    'RFMScore',
    'Ranking',
    'Readout',
    'Redemption',
    'Reminder',
    'RetentionAlerts',
    'RetentionCurve',
    'RetentionDrivers',
    'RevenueTree',
    'Rollout',
    'SchemaError',
    'SecondOrder',
    'Segment',
    'SegmentMap',
    'ShiftedBetaGeo',
    'SilenceModel',
    'SilencePanel',
    'StockTable',
    'TaperSubsidy',
    'ThresholdLadder',
    'Uplift',
    'UpliftAt',
    'UserTags',
    'ValueIndex',
    'ValueTotals',
    'WeeklyReport',
    'WinBack',
    'adjust_pvalues',
    'adjusted_effect',
    'allocate',
    'apportion',
    'assign',
    'association_rules',
    'attach_rate',
    'audit_redemptions',
    'auuc',
    'best_combination',
    'bootstrap',
    'bundles',
    'business_metrics',
    'call_back_list',
    'campaign_readout',
    'cohort_table',
    'compare',
    'compare_models',
    'confidence_sequence',
    'contact_lists',
    'contrast_itemsets',
    'cross_sell',
    'cross_sell_many',
    'datasets',
    'days_of_stock',
    'drift_check',
    'evaluate_cross_sell',
    'fairness_audit',
    'frequency_check',
    'frequent_itemsets',
    'frontier',
    'funnel',
    'growth_accounting',
    'hash_share',
    'holdout_check',
    'holdout_rules',
    'hot_pulls',
    'interest_groups',
    'k_factor',
    'lever_drivers',
    'lever_effect',
    'lifetime_value',
    'metric_dictionary',
    'migration',
    'minimum_detectable_effect',
    'off_policy_value',
    'outreach_readout',
    'parse_threshold',
    'plot_contrast',
    'plot_fairness',
    'plot_frontier',
    'plot_heat',
    'power',
    'price',
    'price_elasticity',
    'product_heat',
    'profile_intervals',
    'purchase_summary',
    'qini',
    'qini_curve',
    'quadrants',
    'rank_quality',
    'readout',
    'refund_due',
    'relative_effect',
    'repurchase_cycles',
    'retention_alerts',
    'retention_curve',
    'return_curve',
    'revenue_tree',
    'sample_ratio',
    'sample_size',
    'sell_through',
    'shrink',
    'spend_check',
    'standard_map',
    'suggest_horizon',
    'tracking_check',
    'units_per_order',
    'uplift_at',
    'user_table',
    'user_tags',
    'value_totals',
    'weekly_report',
    'write_parquet',
]
from commlife.coupons import Allocation as Allocation
from commlife.basket import AssociationRules as AssociationRules
from commlife.basket import AttachRate as AttachRate
from commlife.segments import BehaviourTypes as BehaviourTypes
from commlife.value import BetaGeo as BetaGeo
from commlife.metrics import BusinessMetrics as BusinessMetrics
from commlife.coupons import Campaign as Campaign
from commlife.effects import CampaignReadout as CampaignReadout
from commlife.orders import CleaningRules as CleaningRules
from commlife.cohorts import CohortQuestion as CohortQuestion
from commlife.cohorts import CohortTable as CohortTable
from commlife.errors import CommlifeDeprecationWarning as CommlifeDeprecationWarning
from commlife.errors import CommlifeError as CommlifeError
from commlife.errors import CommlifeWarning as CommlifeWarning
from commlife.errors import ConfigError as ConfigError
from commlife.coupons import Coupon as Coupon
from commlife.coupons import CouponPlan as CouponPlan
from commlife.coupons import CouponResponse as CouponResponse
from commlife.coupons import CrossCategory as CrossCategory
from commlife.basket import CrossSellEvaluation as CrossSellEvaluation
from commlife.errors import DriftWarning as DriftWarning
from commlife.errors import EngineError as EngineError
from commlife.coupons import ExpiryReminders as ExpiryReminders
from commlife.errors import FewerBinsWarning as FewerBinsWarning
from commlife.segments import FittedBehaviourTypes as FittedBehaviourTypes
from commlife.value import FittedBetaGeo as FittedBetaGeo
from commlife.coupons import FittedCouponResponse as FittedCouponResponse
from commlife.value import FittedGammaGamma as FittedGammaGamma
from commlife.cohorts import FittedGrowthPlanner as FittedGrowthPlanner
from commlife.segments import FittedLifecycle as FittedLifecycle
from commlife.segments import FittedLoyalty as FittedLoyalty
from commlife.value import FittedModifiedBetaGeo as FittedModifiedBetaGeo
from commlife.value import FittedParetoNBD as FittedParetoNBD
from commlife.segments import FittedRFM as FittedRFM
from commlife.cohorts import FittedRetentionDrivers as FittedRetentionDrivers
from commlife.value import FittedShiftedBetaGeo as FittedShiftedBetaGeo
from commlife.churn import FittedSilenceModel as FittedSilenceModel
from commlife.effects import FittedUplift as FittedUplift
from commlife.segments import FittedValueIndex as FittedValueIndex
from commlife.basket import FrequentItemsets as FrequentItemsets
from commlife.metrics import Funnel as Funnel
from commlife.value import GammaGamma as GammaGamma
from commlife.cohorts import Goal as Goal
from commlife.cohorts import GrowthPlan as GrowthPlan
from commlife.cohorts import GrowthPlanner as GrowthPlanner
from commlife.effects import Guardrail as Guardrail
from commlife.churn import HostFeatures as HostFeatures
from commlife.errors import InsufficientDataError as InsufficientDataError
from commlife.segments import InterestGroups as InterestGroups
from commlife.coupons import Issuance as Issuance
from commlife.basket import ItemsetsByGroup as ItemsetsByGroup
from commlife.metrics import KFactor as KFactor
from commlife.errors import LeftTruncatedWarning as LeftTruncatedWarning
from commlife.segments import Lifecycle as Lifecycle
from commlife.state import LogState as LogState
from commlife.segments import Loyalty as Loyalty
from commlife.errors import ModelWarning as ModelWarning
from commlife.value import ModifiedBetaGeo as ModifiedBetaGeo
from commlife.orders import OrderLog as OrderLog
from commlife.segments import OutreachReadout as OutreachReadout
from commlife.value import ParetoNBD as ParetoNBD
from commlife.errors import PersistenceError as PersistenceError
from commlife.coupons import Policy as Policy
from commlife.metrics import PriceElasticity as PriceElasticity
from commlife.coupons import PriceGuard as PriceGuard
from commlife.segments import RFM as RFM
from commlife.segments import RFMScore as RFMScore
from commlife.effects import Ranking as Ranking
from commlife.effects import Readout as Readout
from commlife.coupons import Redemption as Redemption
from commlife.coupons import Reminder as Reminder
from commlife.cohorts import RetentionAlerts as RetentionAlerts
from commlife.cohorts import RetentionCurve as RetentionCurve
from commlife.cohorts import RetentionDrivers as RetentionDrivers
from commlife.metrics import RevenueTree as RevenueTree
from commlife.effects import Rollout as Rollout
from commlife.errors import SchemaError as SchemaError
from commlife.coupons import SecondOrder as SecondOrder
from commlife.segments import Segment as Segment
from commlife.segments import SegmentMap as SegmentMap
from commlife.value import ShiftedBetaGeo as ShiftedBetaGeo
from commlife.churn import SilenceModel as SilenceModel
from commlife.churn import SilencePanel as SilencePanel
from commlife.metrics import StockTable as StockTable
from commlife.coupons import TaperSubsidy as TaperSubsidy
from commlife.coupons import ThresholdLadder as ThresholdLadder
from commlife.effects import Uplift as Uplift
from commlife.effects import UpliftAt as UpliftAt
from commlife.segments import UserTags as UserTags
from commlife.segments import ValueIndex as ValueIndex
from commlife.value import ValueTotals as ValueTotals
from commlife.report import WeeklyReport as WeeklyReport
from commlife.coupons import WinBack as WinBack
from commlife.effects import adjust_pvalues as adjust_pvalues
from commlife.effects import adjusted_effect as adjusted_effect
from commlife.coupons import allocate as allocate
from commlife.coupons import apportion as apportion
from commlife.effects import assign as assign
from commlife.basket import association_rules as association_rules
from commlife.basket import attach_rate as attach_rate
from commlife.coupons import audit_redemptions as audit_redemptions
from commlife.effects import auuc as auuc
from commlife.coupons import best_combination as best_combination
from commlife.value import bootstrap as bootstrap
from commlife.basket import bundles as bundles
from commlife.metrics import business_metrics as business_metrics
from commlife.segments import call_back_list as call_back_list
from commlife.effects import campaign_readout as campaign_readout
from commlife.cohorts import cohort_table as cohort_table
from commlife.effects import compare as compare
from commlife.value import compare_models as compare_models
from commlife.effects import confidence_sequence as confidence_sequence
from commlife.segments import contact_lists as contact_lists
from commlife.basket import contrast_itemsets as contrast_itemsets
from commlife.basket import cross_sell as cross_sell
from commlife.basket import cross_sell_many as cross_sell_many
from commlife.metrics import days_of_stock as days_of_stock
from commlife.value import drift_check as drift_check
from commlife.basket import evaluate_cross_sell as evaluate_cross_sell
from commlife.coupons import fairness_audit as fairness_audit
from commlife.value import frequency_check as frequency_check
from commlife.basket import frequent_itemsets as frequent_itemsets
from commlife.coupons import frontier as frontier
from commlife.metrics import funnel as funnel
from commlife.cohorts import growth_accounting as growth_accounting
from commlife.effects import hash_share as hash_share
from commlife.value import holdout_check as holdout_check
from commlife.basket import holdout_rules as holdout_rules
from commlife.basket import hot_pulls as hot_pulls
from commlife.segments import interest_groups as interest_groups
from commlife.metrics import k_factor as k_factor
from commlife.churn import lever_drivers as lever_drivers
from commlife.churn import lever_effect as lever_effect
from commlife.value import lifetime_value as lifetime_value
from commlife.metrics import metric_dictionary as metric_dictionary
from commlife.segments import migration as migration
from commlife.effects import minimum_detectable_effect as minimum_detectable_effect
from commlife.effects import off_policy_value as off_policy_value
from commlife.segments import outreach_readout as outreach_readout
from commlife.coupons import parse_threshold as parse_threshold
from commlife.basket import plot_contrast as plot_contrast
from commlife.coupons import plot_fairness as plot_fairness
from commlife.coupons import plot_frontier as plot_frontier
from commlife.basket import plot_heat as plot_heat
from commlife.effects import power as power
from commlife.coupons import price as price
from commlife.metrics import price_elasticity as price_elasticity
from commlife.basket import product_heat as product_heat
from commlife.value import profile_intervals as profile_intervals
from commlife.features import purchase_summary as purchase_summary
from commlife.effects import qini as qini
from commlife.effects import qini_curve as qini_curve
from commlife.segments import quadrants as quadrants
from commlife.effects import rank_quality as rank_quality
from commlife.effects import readout as readout
from commlife.coupons import refund_due as refund_due
from commlife.effects import relative_effect as relative_effect
from commlife.features import repurchase_cycles as repurchase_cycles
from commlife.cohorts import retention_alerts as retention_alerts
from commlife.cohorts import retention_curve as retention_curve
from commlife.segments import return_curve as return_curve
from commlife.metrics import revenue_tree as revenue_tree
from commlife.effects import sample_ratio as sample_ratio
from commlife.effects import sample_size as sample_size
from commlife.metrics import sell_through as sell_through
from commlife.effects import shrink as shrink
from commlife.value import spend_check as spend_check
from commlife.segments import standard_map as standard_map
from commlife.churn import suggest_horizon as suggest_horizon
from commlife.value import tracking_check as tracking_check
from commlife.basket import units_per_order as units_per_order
from commlife.effects import uplift_at as uplift_at
from commlife.report import user_table as user_table
from commlife.segments import user_tags as user_tags
from commlife.value import value_totals as value_totals
from commlife.report import weekly_report as weekly_report
from commlife.orders import write_parquet as write_parquet
