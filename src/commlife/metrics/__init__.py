"""Business metrics of periods and groups, one definition each; funnels, invitations, and what moves revenue."""

from commlife.metrics.business import BusinessMetrics, business_metrics
from commlife.metrics.days_of_stock import days_of_stock
from commlife.metrics.definitions import METRICS, Metric
from commlife.metrics.dictionary import metric_dictionary
from commlife.metrics.elasticity import PriceElasticity, price_elasticity
from commlife.metrics.funnel import Funnel, funnel
from commlife.metrics.revenue_tree import RevenueTree, revenue_tree
from commlife.metrics.sell_through import sell_through
from commlife.metrics.stock import StockTable
from commlife.metrics.viral import KFactor, k_factor

__all__ = [
    "METRICS",
    "BusinessMetrics",
    "Funnel",
    "KFactor",
    "Metric",
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
]
