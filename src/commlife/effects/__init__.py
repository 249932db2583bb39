"""Effects: what did it do? Trials compared, ranked and re-read; for coupons and for anything else."""

from commlife.effects.assignment import assign, hash_share
from commlife.effects.comparison import SampleRatio, compare, relative_effect, sample_ratio
from commlife.effects.off_policy import OffPolicyValue, off_policy_value
from commlife.effects.qini import qini, qini_curve, uplift_at

__all__ = [
    "OffPolicyValue",
    "SampleRatio",
    "assign",
    "compare",
    "hash_share",
    "off_policy_value",
    "qini",
    "qini_curve",
    "relative_effect",
    "sample_ratio",
    "uplift_at",
]
