"""Growth plan: what is wanted, and what to spend where to get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import pandas as pd
from pydantic import Field

from commlife._model import Spec
from commlife._text.notebook import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from commlife._text.labels import Language

__all__ = ["Goal", "GrowthPlan"]


class Goal(Spec):
    """What is wanted beyond what the recent levers bring.

    Args:
        new_payers: So many more new payers a period, over all communities.
        retention_points: So many percentage points more of their retention.

    Examples:
        >>> Goal(new_payers=500, retention_points=3.0)
        Goal(new_payers=500.0, retention_points=3.0)
    """

    new_payers: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 0.0
    retention_points: Annotated[float, Field(ge=0, lt=100, allow_inf_nan=False)] = 0.0


@dataclass(frozen=True, slots=True)
class GrowthPlan(Shown):
    """What to spend where, and what that is expected to bring in a period.

    Attributes:
        levers: One row a community and lever: ``group, lever, kind`` (acquisition or discount), ``now, planned,
            change, largest_seen`` (money a period), ``extrapolated`` (planned beyond what the community has seen).
        outcome: One row an outcome (new_payers, retention): ``now`` (at the recent levers), ``goal, expected, low,
            high`` (95%, what is not known about the curves and the swings of a period together).
        reachable: Whether the goal is reached within the bounds; if not, the plan comes as near as it can.
        cost: Money of the plan; ``cost_now``: money of the recent levers.
    """

    levers: pd.DataFrame
    outcome: pd.DataFrame = field(repr=False)
    reachable: bool
    cost: float
    cost_now: float

    def __repr__(self) -> str:
        word = "reachable" if self.reachable else "out of reach, the nearest"
        return f"GrowthPlan({word}: {self.cost:,.2f} a period, {self.cost_now:,.2f} now)"

    def to_frame(self) -> pd.DataFrame:
        """The levers, a copy."""
        return self.levers.copy()

    def plot(self, ax: Axes | None = None, *, lang: Language = "en") -> Axes:
        """Money now and planned, by lever and community.

        Args:
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.cohorts.figures import plan_bars

        return plan_bars(self, ax=ax, lang=lang)
