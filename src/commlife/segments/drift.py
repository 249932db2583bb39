"""Drift: how a new population falls into old bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.distributions import chi_square_quantile
from commlife._text.notebook import Shown
from commlife.errors import InsufficientDataError

if TYPE_CHECKING:
    from commlife.orders.calendar import Timestamp

__all__ = ["Drift", "score_drift"]

#: The customary marks of the population stability index (Siddiqi 2006, Credit Risk Scorecards).
SHIFTED, REFIT = 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Drift(Shown):
    """The population stability index of each dimension, and the shares behind it.

    Attributes:
        table: A row a dimension: ``dimension, psi, noise`` (95% quantile of the index if nothing had changed),
            ``verdict`` (``"stable"``, ``"shifted"`` or ``"refit"``), ``advice``.
        shares: A row a dimension and score: ``dimension, score, users_before, users_now, share_before, share_now``.
    """

    table: pd.DataFrame
    shares: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The table of the dimensions."""
        return self.table.copy()

    @property
    def needs_refit(self) -> bool:
        """Whether a dimension's verdict is to refit."""
        return bool((self.table["verdict"] == "refit").any())

    def __repr__(self) -> str:
        rows = (f"{row.dimension} {row.psi:.3f} {row.verdict}" for row in self.table.itertuples())
        return f"Drift({', '.join(rows)})"


def score_drift(
    before: Mapping[str, Sequence[int]],
    now: Mapping[str, Any],
    *,
    fitted_as_of: str | None,
    as_of: Timestamp,
    lang: str | None = None,
) -> Drift:
    """Compare the counts of scores then and now.

    ``psi = sum((p_now - p_before) * log(p_now / p_before))`` over the scores that occur then or now, with half a user
    added to each. If both come from one population, psi over (1/n + 1/m) is about chi-squared with one degree less
    than scores (Yurdakul 2018): that is the noise to compare with.

    Raises:
        InsufficientDataError: If nobody has an order that counts now.
    """
    rows, shares = [], []
    for name, counts in before.items():
        old, new = np.asarray(counts, dtype=np.float64), np.asarray(now[name], dtype=np.float64)
        if new.sum() == 0:
            raise InsufficientDataError.no_payers("drift", as_of)
        occurs = (old + new) > 0
        p = (old[occurs] + 0.5) / (old[occurs] + 0.5).sum()
        q = (new[occurs] + 0.5) / (new[occurs] + 0.5).sum()
        psi = float(((q - p) * np.log(q / p)).sum())
        freedom = max(int(occurs.sum()) - 1, 1)
        noise = float(chi_square_quantile(0.95, freedom) * (1 / old.sum() + 1 / new.sum()))
        verdict, advice = _verdict(psi, noise, fitted_as_of, lang)
        rows.append((name, psi, noise, verdict, advice))
        shares.append(
            pd.DataFrame(
                {
                    "dimension": name,
                    "score": np.arange(1, len(old) + 1),
                    "users_before": old.astype(np.int64),
                    "users_now": new.astype(np.int64),
                    "share_before": old / old.sum(),
                    "share_now": new / new.sum(),
                }
            )
        )
    table = pd.DataFrame(rows, columns=["dimension", "psi", "noise", "verdict", "advice"])
    return Drift(table, pd.concat(shares, ignore_index=True))


#: What to do, in English and Chinese.
_ADVICE = {
    "stable": {"en": "Keep the cuts.", "zh": "沿用现有切点。"},
    "shifted": {
        "en": "Keep the cuts, look at shares: the population moves.",
        "zh": "沿用现有切点，关注各分值占比：人群在变化。",
    },
    "refit": {
        "en": "Fit again: the cuts of {day} no longer divide these users evenly.",
        "zh": "重新拟合：{day} 的切点已不能均匀划分当前用户。",
    },
}


def _verdict(psi: float, noise: float, fitted_as_of: str | None, lang: str | None) -> tuple[str, str]:
    verdict = "stable" if psi <= max(SHIFTED, noise) else "shifted" if psi <= REFIT else "refit"
    return verdict, _ADVICE[verdict]["zh" if lang == "zh" else "en"].format(day=fitted_as_of)
