"""Business metrics of periods and groups, one definition each."""

from commlife.metrics.business import business_metrics

__all__ = ["business_metrics"]
