"""Value: how many orders and how much money each user still brings, with its uncertainty."""

from commlife.value.beta_geo import BetaGeo, FittedBetaGeo, FittedModifiedBetaGeo, ModifiedBetaGeo
from commlife.value.checks import FrequencyCheck, HoldoutCheck, frequency_check, holdout_check
from commlife.value.comparison import ModelComparison, compare_models
from commlife.value.drift import DriftCheck, drift_check
from commlife.value.gamma_gamma import FittedGammaGamma, GammaGamma
from commlife.value.independence import SpendCheck, spend_check
from commlife.value.lifetime import lifetime_value
from commlife.value.pareto_nbd import FittedParetoNBD, ParetoNBD
from commlife.value.profile import profile_intervals, profile_log_likelihood
from commlife.value.purchases import FittedPurchaseModel
from commlife.value.resampling import bootstrap
from commlife.value.shifted_beta_geo import FittedShiftedBetaGeo, ShiftedBetaGeo
from commlife.value.simulation import simulate_summary
from commlife.value.totals import ValueTotals, value_totals
from commlife.value.tracking import TrackingCheck, tracking_check

__all__ = [
    "BetaGeo",
    "DriftCheck",
    "FittedBetaGeo",
    "FittedGammaGamma",
    "FittedModifiedBetaGeo",
    "FittedParetoNBD",
    "FittedPurchaseModel",
    "FittedShiftedBetaGeo",
    "FrequencyCheck",
    "GammaGamma",
    "HoldoutCheck",
    "ModelComparison",
    "ModifiedBetaGeo",
    "ParetoNBD",
    "ShiftedBetaGeo",
    "SpendCheck",
    "TrackingCheck",
    "ValueTotals",
    "bootstrap",
    "compare_models",
    "drift_check",
    "frequency_check",
    "holdout_check",
    "lifetime_value",
    "profile_intervals",
    "profile_log_likelihood",
    "simulate_summary",
    "spend_check",
    "tracking_check",
    "value_totals",
]
