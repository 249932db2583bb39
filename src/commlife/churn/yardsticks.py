"""Yardsticks: what recorded confounders do to an adjusted effect, as a measure of what an unrecorded one might do."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from commlife.churn.groups import correlation_groups
from commlife.effects import AdjustedEffect, adjusted_effect
from commlife.errors import ModelWarning

__all__ = ["could_explain_away", "is_fragile", "is_idle", "measure", "taken"]

#: Groups of covariates that serve as a yardstick for what nobody recorded.
_YARDSTICKS = 4
#: A yardstick that could move the effect by less than this measures nothing, however many users there are.
_IDLE = 0.002
#: Where adjusting takes away more than this of a difference that keeps its sign, noise in the records is a caveat.
TAKEN = 0.03


def measure(
    table: pd.DataFrame, covariates: list[str], names: list[str], effect: AdjustedEffect, call: dict[str, Any]
) -> pd.DataFrame:
    """What the strongest recorded confounders do, as a measure of what an unrecorded one might do."""
    raw = effect.balance.set_index("covariate")["raw"].abs()
    strength = {name: float(raw.get(name, 0.0)) for name in covariates}
    groups = correlation_groups(table[covariates])
    leaders = sorted(groups, key=lambda members: -max(strength[name] for name in members))[:_YARDSTICKS]
    full, rows = effect.sensitivity, []
    for members in leaders:
        rest = [name for name in names if name not in members]
        leader = max(members, key=lambda name: strength[name])
        if not rest or strength[leader] == 0:
            continue
        with warnings.catch_warnings():
            # Caveats of the estimate itself are told once, by the estimate itself.
            warnings.simplefilter("ignore", ModelWarning)
            without = adjusted_effect(table, covariates=rest, **call)
        other = without.sensitivity
        outcome = max(0.0, 1 - full.residual_variance / other.residual_variance) if other.residual_variance else 0.0
        weights = min(max(0.0, 1 - other.mean_squared_weight / full.mean_squared_weight), 0.99)
        moves = without.effect_size - effect.effect_size
        rows.append((leader, len(members), outcome, weights, moves, full.bias(outcome, weights)))
    return pd.DataFrame(rows, columns=["covariate", "members", "outcome", "treatment", "moves", "could_move"])


def could_explain_away(effect: AdjustedEffect, yardsticks: pd.DataFrame) -> bool:
    """Whether the interval holds 0, or would beside a hidden confounder as strong as the strongest yardstick."""
    end = abs(effect.effect_size) - effect.sensitivity.margin
    strongest = float(yardsticks["could_move"].max()) if len(yardsticks) else 0.0
    return end <= strongest


def is_idle(effect: AdjustedEffect, yardsticks: pd.DataFrame) -> bool:
    """Whether no yardstick could move the effect by more than chance does: then they say nothing of what is hidden.

    A weak proxy of a strong confounder looks just like a confounder that does not matter.
    """
    strongest = float(yardsticks["could_move"].max()) if len(yardsticks) else 0.0
    return strongest <= max(_IDLE, effect.standard_error)


def taken(effect: AdjustedEffect) -> float:
    """Share of the raw difference that adjusting took away, where both point the same way; else 0."""
    raw, told = effect.raw_difference, effect.effect_size
    return 1 - told / raw if raw * told > 0 and abs(told) < abs(raw) else 0.0


def is_fragile(effect: AdjustedEffect, yardsticks: pd.DataFrame) -> bool:
    """Whether the sentence has a caveat that could turn the sign: see :class:`LeverEffect`."""
    return could_explain_away(effect, yardsticks) or is_idle(effect, yardsticks) or taken(effect) > TAKEN
