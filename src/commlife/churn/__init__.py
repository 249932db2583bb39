"""Churn: who is about to fall silent, what goes together with it, and how sure that is."""

from commlife.churn.catalogue import CATALOGUE, Feature
from commlife.churn.fitted import FittedSilenceModel
from commlife.churn.horizon import SuggestedHorizon, suggest_horizon
from commlife.churn.host import HostFeatures
from commlife.churn.model import SilenceModel
from commlife.churn.panel import Panel, SilencePanel, Snapshot

__all__ = [
    "CATALOGUE",
    "Feature",
    "FittedSilenceModel",
    "HostFeatures",
    "Panel",
    "SilenceModel",
    "SilencePanel",
    "Snapshot",
    "SuggestedHorizon",
    "suggest_horizon",
]
