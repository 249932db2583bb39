"""A test kit for hosts' CI: does our adapter lose, shift or change anything? Is our pipeline sound?

Needs the extra ``testing``: ``pip install "commlife[testing]"``. Fixtures for pytest: :mod:`commlife.testing.plugin`.
"""

from commlife.testing.adapters import check_adapter
from commlife.testing.campaigns import CampaignLog, campaign_logs
from commlife.testing.events import event_frames, invitation_frames
from commlife.testing.pipelines import check_pipeline
from commlife.testing.strategies import in_engine, order_frames, order_logs
from commlife.testing.trials import trial_frames

__all__ = [
    "CampaignLog",
    "campaign_logs",
    "check_adapter",
    "check_pipeline",
    "event_frames",
    "in_engine",
    "invitation_frames",
    "order_frames",
    "order_logs",
    "trial_frames",
]
