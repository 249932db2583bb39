"""Rollout: a change goes to more and more users, as long as nothing that is guarded gets worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._model import Spec
from commlife._text.notebook import Shown
from commlife.effects._inputs import label_column, whole_number, wide_frame
from commlife.effects.assignment import hash_share
from commlife.effects.comparison import sample_ratio
from commlife.effects.design import confidence_sequence
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Guardrail", "Rollout", "RolloutDecision"]

Decision = Literal["go", "hold", "stop"]

#: Below this the arms were not dealt as meant, and nothing else is read.
BROKEN = 0.001


class Guardrail(Spec):
    """A figure that must not get worse.

    Args:
        outcome: Column with it, one number a user.
        worse: The direction that does harm: ``"lower"`` (orders, margin) or ``"higher"`` (complaints, refunds).
        tolerance: Harm (a difference in means) that is still borne.

    Examples:
        >>> Guardrail(outcome="margin", worse="lower", tolerance=0.05).tolerance
        0.05
    """

    outcome: Annotated[str, Field(min_length=1)]
    worse: Literal["lower", "higher"] = "lower"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class RolloutDecision(Shown):
    """What to do now, and why.

    Attributes:
        decision: ``"go"`` to the next stage, ``"hold"`` and look again, or ``"stop"`` and take it back.
        reason: In words.
        stage: Index of the stage that was looked at.
        share: Its share of users.
        guardrails: One row a guardrail: ``outcome, worse, tolerance, users, effect_size, lower, upper, verdict``
            (safe, harmful, unclear); the intervals hold at all looks together.
        sample_ratio_pvalue: p-value of the sample-ratio test.
    """

    decision: Decision
    reason: str
    stage: int
    share: float
    guardrails: pd.DataFrame
    sample_ratio_pvalue: float

    def to_frame(self) -> pd.DataFrame:
        """The guardrails."""
        return self.guardrails

    def __repr__(self) -> str:
        return f"RolloutDecision({self.decision} at {self.share:.0%}: {self.reason})"


class Rollout(Spec):
    """Stages of a change with guardrails: data, which goes to JSON and back.

    Users are dealt by the salted hash of their identifiers: whoever has the change at one stage has it at all later
    ones, and the control group is the same at every stage. Intervals are confidence sequences, so that the figures
    may be looked at every day, and the stage may be ended at any look.

    Args:
        salt: Name of the change.
        stages: Shares of users with the change, rising.
        control: Share of users kept as the control group throughout.
        guardrails: What must not get worse.
        min_users: Fewest users of each arm before a stage may go on.
        confidence_level: Chance that all intervals of all guardrails at all looks of all stages hold (Bonferroni over
            guardrails and stages).

    Examples:
        >>> plan = Rollout(salt="spring", stages=(0.05, 0.3, 0.8), guardrails=(Guardrail(outcome="margin"),))
        >>> plan.arms(["u1", "u2", "u3", "u4"], stage=1).tolist()
        ['waiting', 'waiting', 'waiting', 'waiting']
    """

    salt: Annotated[str, Field(min_length=1)]
    stages: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = (0.01, 0.05, 0.2, 0.5)
    control: Annotated[float, Field(gt=0, lt=1)] = 0.1
    guardrails: Annotated[tuple[Guardrail, ...], Field(min_length=1)]
    min_users: Annotated[int, Field(ge=2)] = 100
    confidence_level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    @model_validator(mode="after")
    def _sound(self) -> Rollout:
        if any(later <= earlier for earlier, later in zip(self.stages, self.stages[1:], strict=False)):
            raise ValueError(f"stages rise; seen {self.stages}")
        if self.stages[-1] + self.control > 1 + 1e-9:
            raise ValueError(f"last stage and control group exceed all users: {self.stages[-1]} + {self.control}")
        names = [guard.outcome for guard in self.guardrails]
        if len(set(names)) < len(names):
            raise ValueError(f"one guardrail an outcome; seen {names}")
        return self

    def arms(self, ids: Any, *, stage: int) -> NDArray[np.object_]:
        """``"changed"``, ``"control"`` or ``"waiting"`` for each identifier.

        Raises:
            ConfigError: If there is no such stage, or an identifier is no whole number or string.
        """
        share = self._share(stage)
        place = hash_share(ids, salt=self.salt)
        arm = np.full(len(place), "waiting", dtype=object)
        arm[place < share] = "changed"
        arm[place >= 1 - self.control] = "control"
        return arm

    def decide(self, frame: Any, *, stage: int, planned: int, user_id: str = "user_id") -> RolloutDecision:
        """Go, hold or stop?

        Args:
            frame: One row a user so far: the identifier and the guardrails' outcomes. Users who wait are left out.
            stage: Index of the stage, from 0.
            planned: Number of users of the two arms together at which the intervals should be tightest; not to be
                changed between looks.
            user_id: Column of identifiers.

        Returns:
            :class:`RolloutDecision`. It stops where a guardrail's interval lies beyond its tolerance, or the arms were
            not dealt as meant; it goes on where every interval excludes harm beyond the tolerance and the arms are
            large enough; else it holds.

        Raises:
            ConfigError: If a column is missing or the stage does not exist.
            InsufficientDataError: If an arm has fewer than two users.
        """
        share = self._share(stage)
        units = whole_number(planned, "planned", 2)
        names = [guard.outcome for guard in self.guardrails]
        data = wide_frame(frame, [user_id, *names], "decide")
        label_column(data, user_id, "decide")
        arm = self.arms(data[user_id].to_numpy(), stage=stage)
        table = pd.DataFrame({name: data[name].to_list() for name in names}).assign(arm=arm)
        table = table[table["arm"] != "waiting"]
        counts = table["arm"].value_counts()
        smallest = int(min(counts.get("changed", 0), counts.get("control", 0)))
        if smallest < 2:
            return RolloutDecision(
                "hold", f"an arm has {smallest} users so far", stage, share, self._read(None, units), float("nan")
            )
        ratio = sample_ratio(table, treatment="arm", ratio={"changed": share, "control": self.control})
        guards = self._read(table, units)
        decision, reason = self._verdict(guards, ratio.pvalue, smallest, share)
        return RolloutDecision(decision, reason, stage, share, guards, ratio.pvalue)

    def _share(self, stage: int) -> float:
        place = whole_number(stage, "stage", 0)
        if place >= len(self.stages):
            raise ConfigError(f"stage is an index from 0 to {len(self.stages) - 1}; seen {stage}.")
        return self.stages[place]

    def _read(self, table: pd.DataFrame | None, planned: int) -> pd.DataFrame:
        level = 1 - (1 - self.confidence_level) / (len(self.guardrails) * len(self.stages))
        rows = []
        for guard in self.guardrails:
            row: dict[str, Any] = {"outcome": guard.outcome, "worse": guard.worse, "tolerance": guard.tolerance}
            if table is None:
                nothing = {"users": 0, "effect_size": np.nan, "lower": np.nan, "upper": np.nan, "verdict": "unclear"}
                rows.append(row | nothing)
                continue
            look = confidence_sequence(
                table,
                treatment="arm",
                control="control",
                outcome=guard.outcome,
                planned=planned,
                confidence_level=level,
            ).iloc[0]
            low, high = float(look["lower"]), float(look["upper"])
            # Harm counts upwards, whatever the direction.
            least, most = (-high, -low) if guard.worse == "lower" else (low, high)
            verdict = "harmful" if least > guard.tolerance else "safe" if most <= guard.tolerance else "unclear"
            row |= {"users": int(look["users"]), "effect_size": float(look["effect_size"]), "lower": low, "upper": high}
            rows.append(row | {"verdict": verdict})
        return pd.DataFrame(rows)

    def _verdict(self, guards: pd.DataFrame, pvalue: float, smallest: int, share: float) -> tuple[Decision, str]:
        if pvalue < BROKEN:
            return "stop", f"the arms were not dealt as meant (p = {pvalue:.1g}): mend the dealing, nothing can be read"
        harmful = guards[guards["verdict"] == "harmful"]
        if len(harmful):
            row = harmful.iloc[0]
            return "stop", (
                f"{row['outcome']} got worse by {abs(row['effect_size']):.4g} "
                f"({row['lower']:+.4g} to {row['upper']:+.4g}), beyond the tolerance of {row['tolerance']:g}"
            )
        if smallest < self.min_users:
            return "hold", f"the smaller arm has {smallest:,} users, {self.min_users:,} are asked for"
        unclear = guards[guards["verdict"] == "unclear"]
        if len(unclear):
            row = unclear.iloc[0]
            return "hold", (
                f"{row['outcome']} may still be worse than {row['tolerance']:g} allows "
                f"({row['lower']:+.4g} to {row['upper']:+.4g}): wait for more users"
            )
        last = share == self.stages[-1]
        return "go", "no guardrail is harmed: " + ("the last stage has passed" if last else "on to the next stage")
