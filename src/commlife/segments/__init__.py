"""Who the users are: scores, segments, states, indices and tags."""

from commlife.features.behaviour import BEHAVIOUR
from commlife.segments.behaviour_types import BehaviourTypes
from commlife.segments.call_back import ContactLists, call_back_list, contact_lists
from commlife.segments.drift import Drift
from commlife.segments.fitted_rfm import FittedRFM, GroupCuts, RFMScore
from commlife.segments.fitted_types import FittedBehaviourTypes
from commlife.segments.interest_groups import InterestGroups, interest_groups
from commlife.segments.lifecycle import ACTIONS, STATES, FittedLifecycle, Lifecycle
from commlife.segments.loyalty import FittedLoyalty, Loyalty
from commlife.segments.migration import Migration, migration
from commlife.segments.outreach import OutreachReadout, outreach_readout
from commlife.segments.quadrants import Quadrants, quadrants
from commlife.segments.returns import ReturnCurve, return_curve
from commlife.segments.rfm import RFM
from commlife.segments.segment_map import Segment, SegmentMap
from commlife.segments.standard_maps import standard_map
from commlife.segments.summary import SegmentSummary
from commlife.segments.tags import TAGS, UserTags, user_tags
from commlife.segments.value_index import FittedValueIndex, ValueIndex

__all__ = [
    "ACTIONS",
    "BEHAVIOUR",
    "RFM",
    "STATES",
    "TAGS",
    "BehaviourTypes",
    "ContactLists",
    "Drift",
    "FittedBehaviourTypes",
    "FittedLifecycle",
    "FittedLoyalty",
    "FittedRFM",
    "FittedValueIndex",
    "GroupCuts",
    "InterestGroups",
    "Lifecycle",
    "Loyalty",
    "Migration",
    "OutreachReadout",
    "Quadrants",
    "RFMScore",
    "ReturnCurve",
    "Segment",
    "SegmentMap",
    "SegmentSummary",
    "UserTags",
    "ValueIndex",
    "call_back_list",
    "contact_lists",
    "interest_groups",
    "migration",
    "outreach_readout",
    "quadrants",
    "return_curve",
    "standard_map",
    "user_tags",
]
