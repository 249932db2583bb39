"""Value: how many orders and how much money each user still brings, with its uncertainty."""

from commlife.value.beta_geo import BetaGeo, FittedBetaGeo, FittedModifiedBetaGeo, ModifiedBetaGeo
from commlife.value.checks import FrequencyCheck, HoldoutCheck, frequency_check, holdout_check, spend_check
from commlife.value.gamma_gamma import FittedGammaGamma, GammaGamma
from commlife.value.lifetime import lifetime_value
from commlife.value.pareto_nbd import FittedParetoNBD, ParetoNBD
from commlife.value.purchases import FittedPurchaseModel
from commlife.value.resampling import bootstrap
from commlife.value.shifted_beta_geo import FittedShiftedBetaGeo, ShiftedBetaGeo
from commlife.value.simulation import simulate_summary

__all__ = [
    "BetaGeo",
    "FittedBetaGeo",
    "FittedGammaGamma",
    "FittedModifiedBetaGeo",
    "FittedParetoNBD",
    "FittedPurchaseModel",
    "FittedShiftedBetaGeo",
    "FrequencyCheck",
    "GammaGamma",
    "HoldoutCheck",
    "ModifiedBetaGeo",
    "ParetoNBD",
    "ShiftedBetaGeo",
    "bootstrap",
    "frequency_check",
    "holdout_check",
    "lifetime_value",
    "simulate_summary",
    "spend_check",
]
