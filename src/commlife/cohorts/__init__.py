"""Cohorts: what became of the users who came together, which leak opened this week, and what to plan."""

from commlife.cohorts.aggregation import Aggregation
from commlife.cohorts.alerts import RetentionAlerts, retention_alerts
from commlife.cohorts.curve import RetentionCurve, retention_curve
from commlife.cohorts.drivers import FittedRetentionDrivers, RetentionDrivers
from commlife.cohorts.growth import growth_accounting
from commlife.cohorts.growth_plan import Goal, GrowthPlan
from commlife.cohorts.planner import FittedGrowthPlanner, GrowthPlanner
from commlife.cohorts.question import CohortQuestion
from commlife.cohorts.table import CohortTable, cohort_table

__all__ = [
    "Aggregation",
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
]
