"""One user: features in, as a service has them; the forecast out, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from commlife._text.notebook import Shown
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SingleExplanation", "feature_row"]


@dataclass(frozen=True)
class SingleExplanation(Shown):
    """One user's forecast, taken apart.

    Attributes:
        p_silent: Probability of silence.
        p_base: Probability at the base of the model.
        drivers: Features that speak for their groups, the one that weighs most first.
        values: Their values.
        contributions: What their groups add, in the unit of p_silent: all of them, ``rest`` and ``p_base`` add up to
            ``p_silent``.
        sentences: The same in words.
        rest: What all groups not told add (the exact mode tells the leading ones apart).
        mode: ``fast`` (approximate in probability) or ``exact``.
    """

    p_silent: float
    p_base: float
    drivers: tuple[str, ...]
    values: tuple[float, ...]
    contributions: tuple[float, ...]
    sentences: tuple[str, ...]
    rest: float = 0.0
    mode: str = "fast"

    @property
    def frame(self) -> pd.DataFrame:
        """``driver, value, contribution_pp, sentence``."""
        return pd.DataFrame(
            {
                "driver": self.drivers,
                "value": self.values,
                "contribution_pp": self.contributions,
                "sentence": self.sentences,
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """The frame."""
        return self.frame


def feature_row(features: Mapping[str, float | None], names: Sequence[str]) -> list[float]:
    """One user's features as the trees take them, null as NaN.

    Raises:
        ConfigError: If a feature is missing, unknown, or no number.
    """
    if not isinstance(features, Mapping):
        raise ConfigError(f"explain_one takes a mapping from features to values; seen {type(features).__name__}.")
    for name in features:
        if name not in names:
            raise ConfigError.unknown_name("explain_one: the feature", name, names)
    missing = [name for name in names if name not in features]
    if missing:
        raise ConfigError(
            f"explain_one: {len(missing)} features are missing: {', '.join(missing[:5])}. Give None if unknown."
        )
    row = []
    for name in names:
        value = features[name]
        if value is None:
            row.append(float("nan"))
            continue
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
            raise ConfigError(f"explain_one: {name} is a number or None; seen {value!r:.40}.")
        if np.isinf(value):
            raise ConfigError(f"explain_one: {name} is infinite; give None if it is unknown.")
        row.append(float(value))
    return row
