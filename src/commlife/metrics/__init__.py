"""Business metrics of periods and groups, one definition each; funnels, invitations, and what moves revenue."""

from commlife.metrics.business import BusinessMetrics, business_metrics
from commlife.metrics.definitions import METRICS, Metric, metric_dictionary
from commlife.metrics.funnel import Funnel, funnel
from commlife.metrics.revenue_tree import RevenueTree, revenue_tree
from commlife.metrics.viral import KFactor, k_factor

__all__ = [
    "METRICS",
    "BusinessMetrics",
    "Funnel",
    "KFactor",
    "Metric",
    "RevenueTree",
    "business_metrics",
    "funnel",
    "k_factor",
    "metric_dictionary",
    "revenue_tree",
]
