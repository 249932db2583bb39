"""Effects: what did it do? Trials compared, ranked and re-read; for coupons and for anything else."""

from commlife.effects.adjustment import AdjustedEffect, adjusted_effect
from commlife.effects.assignment import assign, hash_share
from commlife.effects.campaign import CampaignReadout, campaign_readout
from commlife.effects.comparison import SampleRatio, compare, relative_effect, sample_ratio
from commlife.effects.design import (
    adjust_pvalues,
    confidence_sequence,
    minimum_detectable_effect,
    power,
    sample_size,
)
from commlife.effects.off_policy import OffPolicyValue, off_policy_value
from commlife.effects.qini import auuc, qini, qini_curve
from commlife.effects.ranking import Ranking, rank_quality
from commlife.effects.rollout import Guardrail, Rollout, RolloutDecision
from commlife.effects.sensitivity import Sensitivity
from commlife.effects.shrinkage import shrink
from commlife.effects.top_share import UpliftAt, uplift_at
from commlife.effects.trial_readout import Readout, readout
from commlife.effects.uplift import FittedUplift, Uplift, UpliftEstimates

__all__ = [
    "AdjustedEffect",
    "CampaignReadout",
    "FittedUplift",
    "Guardrail",
    "OffPolicyValue",
    "Ranking",
    "Readout",
    "Rollout",
    "RolloutDecision",
    "SampleRatio",
    "Sensitivity",
    "Uplift",
    "UpliftAt",
    "UpliftEstimates",
    "adjust_pvalues",
    "adjusted_effect",
    "assign",
    "auuc",
    "campaign_readout",
    "compare",
    "confidence_sequence",
    "hash_share",
    "minimum_detectable_effect",
    "off_policy_value",
    "power",
    "qini",
    "qini_curve",
    "rank_quality",
    "readout",
    "relative_effect",
    "sample_ratio",
    "sample_size",
    "shrink",
    "uplift_at",
]
