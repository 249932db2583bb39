"""Drift: have the users, or their forecasts, moved away from those that the model learned from?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from commlife._text.notebook import Shown

__all__ = ["Drift", "drift_table", "profile"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_BINS = 10
#: Population stability: below .10 steady, above .25 moved (the usual reading).
STEADY, MOVED = 0.10, 0.25
_FLOOR = 1e-4
#: Features that all users of a community share say nothing by their distribution over users.
_SHARED = "community_"


@dataclass(frozen=True)
class Drift(Shown):
    """How far today's users are from those that the model learned from.

    Attributes:
        frame: ``feature, psi, reading`` (steady, shifting, moved), the score itself first, then the largest.
        advice: What follows, in a sentence.
    """

    frame: pd.DataFrame
    advice: str

    def __repr__(self) -> str:
        return f"Drift({len(self.frame)} features. {self.advice})"

    def to_frame(self) -> pd.DataFrame:
        """The frame."""
        return self.frame.copy()


def profile(features: pd.DataFrame, scores: Array) -> dict[str, dict[str, list[float]]]:
    """Deciles and shares of each feature, and of the score, among the users learned from."""
    made = {}
    own = [name for name in map(str, features.columns) if not name.startswith(_SHARED)]
    for name, values in [("p_silent", scores), *((name, features[name].to_numpy()) for name in own)]:
        known = values[np.isfinite(values)]
        cuts = (
            np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf")) if known.size else known
        )
        made[name] = {"cuts": cuts.tolist(), "shares": _shares(values, cuts).tolist()}
    return made


def _shares(values: Array, cuts: Array) -> Array:
    """Shares of the bins between cuts, missing values last."""
    missing = ~np.isfinite(values)
    bins = np.where(missing, len(cuts) + 1, np.searchsorted(cuts, values, "left"))
    return np.bincount(bins, minlength=len(cuts) + 2) / max(len(values), 1)


def drift_table(learned: dict[str, dict[str, list[float]]], features: pd.DataFrame, scores: Array, auc: float) -> Drift:
    """Population stability index of each feature and of the score: sum of (now - then) * log(now / then)."""
    rows = []
    for name, then in learned.items():
        values = scores if name == "p_silent" else features[name].to_numpy()
        now = np.maximum(_shares(values, np.asarray(then["cuts"])), _FLOOR)
        before = np.maximum(np.asarray(then["shares"]), _FLOOR)
        psi = float(((now - before) * np.log(now / before)).sum())
        rows.append((name, psi, "steady" if psi < STEADY else "shifting" if psi < MOVED else "moved"))
    whole = pd.DataFrame(rows, columns=["feature", "psi", "reading"])
    rest = whole.iloc[1:].sort_values(["psi", "feature"], ascending=[False, True])
    frame = pd.concat([whole.iloc[:1], rest], ignore_index=True)
    moved = rest.loc[rest["reading"] == "moved", "feature"].tolist()
    score = float(whole["psi"].iloc[0])
    if score >= MOVED or len(moved) > len(rest) / 4:
        listed = ", ".join(moved[:3]) if moved else "the score alone"
        advice = f"Refit: users have moved away from those learned from (score PSI {score:.2f}; most: {listed})."
    elif score >= STEADY or moved:
        listed = f"; moved: {', '.join(moved[:3])}" if moved else ""
        advice = f"Watch: some shift (score PSI {score:.2f}{listed}). Refit at the next matured snapshot."
    else:
        advice = f"Steady (score PSI {score:.2f}): no refit is called for; the model's last ROC-AUC was {auc:.3f}."
    return Drift(frame, advice)
