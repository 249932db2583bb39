"""A test kit for hosts' CI: does our adapter lose, shift or change anything? Is our pipeline sound?

Needs the extra ``testing``: ``pip install "commlife[testing]"``.
"""

from commlife.testing.adapters import check_adapter
from commlife.testing.pipelines import check_pipeline
from commlife.testing.strategies import order_frames, order_logs

__all__ = ["check_adapter", "check_pipeline", "order_frames", "order_logs"]
