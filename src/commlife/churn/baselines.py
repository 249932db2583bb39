"""Baselines that any model of silence must beat: recency alone, RFM and tenure, and the model of the buying process."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife import _engine
from commlife.churn._logit import Logit, fit_logit
from commlife.errors import InsufficientDataError, ModelWarning
from commlife.features.summary import summary_plan
from commlife.orders.calendar import day_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.churn.panel import Snapshot
    from commlife.orders import OrderLog

__all__ = ["RFM_COLUMNS", "bg_nbd_log_odds", "fit_columns"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: What the logistic baseline sees: recency, frequency, money and tenure, each as log(1 + value).
RFM_COLUMNS = ("recency_days", "orders", "spend", "tenure_days")
_CLIP = 1e-9


class ColumnsBaseline:
    """A logistic regression on log(1 + value) of a few columns."""

    def __init__(self, columns: tuple[str, ...], line: Logit) -> None:
        self.columns = columns
        self.line = line

    def log_odds(self, snapshot: Snapshot) -> Array:
        """Log-odds of silence of a snapshot's users."""
        return self.line.log_odds(_logs(snapshot, self.columns))


def fit_columns(snapshots: Sequence[Snapshot], columns: tuple[str, ...]) -> ColumnsBaseline:
    """Fit on the stacked snapshots."""
    X = np.concatenate([_logs(s, columns) for s in snapshots])
    y = np.concatenate([s.silent for s in snapshots if s.silent is not None])
    return ColumnsBaseline(columns, fit_logit(X, y))


def _logs(snapshot: Snapshot, columns: tuple[str, ...]) -> Array:
    return np.column_stack([np.log1p(np.maximum(snapshot.features[name].to_numpy(), 0.0)) for name in columns])


def bg_nbd_log_odds(log: OrderLog, snapshot: Snapshot, horizon: str) -> Array | None:
    """Log-odds of no order within the horizon by BG/NBD, fitted to all payers at the snapshot; None if it has no fit.

    It learns from purchase days before the snapshot alone and needs no labels.
    """
    from commlife.value import BetaGeo

    summary = _engine.collect_rows(summary_plan(log, day_number(snapshot.day)), call="SilenceModel.fit")
    summary = summary.sort_values("user_id", kind="stable", ignore_index=True)
    try:
        with warnings.catch_warnings():
            # The verdict names the baselines that it compares with: a caveat of one of them is not the caller's.
            warnings.simplefilter("ignore", ModelWarning)
            told = BetaGeo().fit(summary).p_silent(summary, horizon=horizon)
    except InsufficientDataError:
        return None
    p = pd.Series(told["p_silent"].to_numpy(), index=summary["user_id"].to_numpy())
    own = np.clip(p.reindex(snapshot.users.to_numpy()).to_numpy(dtype=np.float64), _CLIP, 1 - _CLIP)
    return np.log(own) - np.log1p(-own)
