"""Who the users are: scores, segments, states, indices and tags."""

from commlife.segments.drift import Drift
from commlife.segments.fitted_rfm import FittedRFM, GroupCuts, RFMScore
from commlife.segments.lifecycle import ACTIONS, STATES, FittedLifecycle, Lifecycle
from commlife.segments.migration import Migration, migration
from commlife.segments.rfm import RFM
from commlife.segments.segment_map import Segment, SegmentMap
from commlife.segments.standard_maps import standard_map
from commlife.segments.summary import SegmentSummary

__all__ = [
    "ACTIONS",
    "RFM",
    "STATES",
    "Drift",
    "FittedLifecycle",
    "FittedRFM",
    "GroupCuts",
    "Lifecycle",
    "Migration",
    "RFMScore",
    "Segment",
    "SegmentMap",
    "SegmentSummary",
    "migration",
    "standard_map",
]
