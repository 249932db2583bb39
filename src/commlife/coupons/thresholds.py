"""Thresholds: spend so much, get so much off (满减), alone or as a ladder."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, PlainSerializer, model_validator

from commlife._model import Spec
from commlife.errors import ConfigError

__all__ = ["Threshold", "ThresholdLadder", "parse_threshold"]

_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,4})?)"
_FORMS = (
    re.compile(rf"\s*{_NUMBER}\s*[:\uff1a]\s*{_NUMBER}\s*"),
    re.compile(rf"\s*满\s*{_NUMBER}\s*元?\s*[,\uff0c]?\s*减\s*{_NUMBER}\s*元?\s*"),
)


class Threshold(NamedTuple):
    """Spend at least ``minimum_spend``, get ``discount`` off, both in major units."""

    minimum_spend: float
    discount: float

    def __str__(self) -> str:
        return f"{self.minimum_spend:g}:{self.discount:g}"


def parse_threshold(text: str) -> Threshold:
    """Read a threshold offer as operators write it: ``"30:5"``, ``"满30减5"``, ``"满30元减5元"``.

    Returns:
        :class:`Threshold`, which equals the pair (minimum spend, discount).

    Raises:
        ConfigError: If the text has another form, or the discount is 0 or above the minimum spend.

    Examples:
        >>> parse_threshold("30:5")
        Threshold(minimum_spend=30.0, discount=5.0)
        >>> parse_threshold("满49.9减10") == (49.9, 10)
        True
    """
    match = None
    if isinstance(text, str):
        match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        raise ConfigError(f"a threshold is written '30:5' or '满30减5'; seen {text!r:.60}.")
    spend, off = float(match[1]), float(match[2])
    if not 0 < off <= spend:
        raise ConfigError(
            f"the discount of a threshold lies above 0 and at most at the minimum spend; seen {text!r:.60}."
        )
    return Threshold(spend, off)


def _threshold(given: Any) -> Threshold:
    if isinstance(given, str):
        return parse_threshold(given)
    if isinstance(given, tuple | list) and len(given) == 2 and all(_is_number(part) for part in given):
        return parse_threshold(f"{given[0]:.4f}:{given[1]:.4f}")
    raise ConfigError(f"a threshold is '30:5' or a pair (30, 5); seen {given!r:.60}.")


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float | np.number) and not isinstance(given, bool)


ThresholdField = Annotated[Threshold, BeforeValidator(_threshold), PlainSerializer(str, return_type=str)]


class ThresholdLadder(Spec):
    """Several thresholds, the highest one that is reached counts: 满30减5, 满60减12, 满100减25.

    Args:
        tiers: Thresholds (``"30:5"``, ``(30, 5)``), both numbers rising from one to the next.

    Examples:
        >>> ladder = ThresholdLadder(tiers=("30:5", "60:12"))
        >>> ladder.discount(29.9), ladder.discount(30), ladder.discount(75)
        (0.0, 5.0, 12.0)
        >>> ladder.missing(52.0)
        8.0
    """

    tiers: tuple[ThresholdField, ...]

    @model_validator(mode="after")
    def _rises(self) -> ThresholdLadder:
        if not self.tiers:
            raise ValueError("a ladder has at least one tier")
        for lower, upper in zip(self.tiers, self.tiers[1:], strict=False):
            if upper.minimum_spend <= lower.minimum_spend or upper.discount <= lower.discount:
                raise ValueError(f"tiers rise in both numbers; seen {lower} before {upper}")
        return self

    def discount(self, amount: float) -> float:
        """The discount on an order of this amount, 0 below the first tier."""
        reached = [tier.discount for tier in self.tiers if tier.minimum_spend <= _amount(amount)]
        return max(reached, default=0.0)

    def missing(self, amount: float) -> float | None:
        """What is missing to the next tier, None on the last one."""
        above = [tier.minimum_spend for tier in self.tiers if tier.minimum_spend > _amount(amount)]
        return min(above) - float(amount) if above else None


def _amount(amount: float) -> float:
    if not _is_number(amount) or not 0 <= amount < float("inf"):
        raise ConfigError(f"amount is a finite number of at least 0; seen {amount!r:.60}.")
    return float(amount)
