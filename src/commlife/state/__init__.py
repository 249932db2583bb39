"""State: what a nightly job keeps, so that it costs the day and not the history."""

from commlife.state.log_state import LogState

__all__ = ["LogState"]
