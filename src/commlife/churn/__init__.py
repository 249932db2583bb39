"""Churn: who is about to fall silent, what goes together with it, and how sure that is."""

from commlife.churn.catalogue import CATALOGUE, Feature
from commlife.churn.fitted import FittedSilenceModel
from commlife.churn.holdout import Holdout, Profit
from commlife.churn.horizon import SuggestedHorizon, suggest_horizon
from commlife.churn.host import HostFeatures
from commlife.churn.levers import LeverEffect, lever_drivers, lever_effect
from commlife.churn.model import SilenceModel
from commlife.churn.panel import Panel, SilencePanel, Snapshot

__all__ = [
    "CATALOGUE",
    "Feature",
    "FittedSilenceModel",
    "Holdout",
    "HostFeatures",
    "LeverEffect",
    "Panel",
    "Profit",
    "SilenceModel",
    "SilencePanel",
    "Snapshot",
    "SuggestedHorizon",
    "lever_drivers",
    "lever_effect",
    "suggest_horizon",
]
