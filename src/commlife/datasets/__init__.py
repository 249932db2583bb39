"""Datasets: a synthetic community with known truth, and loaders for real open data."""

from __future__ import annotations

from commlife.datasets.cdnow import load_cdnow
from commlife.datasets.community import Community, Drop, Truth, make_community
from commlife.datasets.complete_journey import COMPLETE_JOURNEY_FUEL, complete_journey_frames, load_complete_journey
from commlife.datasets.world import World

__all__ = [
    "COMPLETE_JOURNEY_FUEL",
    "Community",
    "Drop",
    "Truth",
    "World",
    "complete_journey_frames",
    "load_cdnow",
    "load_complete_journey",
    "make_community",
]
