"""Business metrics of periods and groups, one definition each."""

from commlife.metrics.business import BusinessMetrics, business_metrics
from commlife.metrics.definitions import METRICS, Metric, metric_dictionary

__all__ = ["METRICS", "BusinessMetrics", "Metric", "business_metrics", "metric_dictionary"]
