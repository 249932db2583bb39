"""Uplift@k: what the treatment changed among the users whom a score puts first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import pandas as pd

from commlife._text.notebook import in_notebook
from commlife.effects._inputs import Floats, in_open_interval, whole_number
from commlife.effects._resampling import from_the_top, poisson_weights, running_sums
from commlife.effects.qini import checked_trial
from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UpliftAt", "top_uplift", "uplift_at"]

#: Fewer treated or control users than this at the top give no interval.
LEAST = 10


class UpliftAt(float):
    """Uplift among the users at the top: a number like any other, which knows its interval.

    Attributes:
        low: Lower end of its interval; NaN where the top holds fewer than 10 treated or 10 control users.
        high: Upper end.
        share: Share of users at the top.
        treated: Treated users among them; users tied at the edge count in part.
        control: Control users among them.
        draws: Resampled trials.
        confidence_level: Level of the interval.
    """

    __slots__ = ("confidence_level", "control", "draws", "high", "low", "share", "treated")

    low: float
    high: float
    share: float
    treated: float
    control: float
    draws: int
    confidence_level: float

    def __new__(
        cls,
        value: float,
        low: float,
        high: float,
        share: float,
        treated: float,
        control: float,
        draws: int,
        confidence_level: float,
    ) -> Self:
        """Made by :func:`uplift_at`."""
        result = super().__new__(cls, value)
        given = (low, high, share, treated, control, draws, confidence_level)
        names = ("low", "high", "share", "treated", "control", "draws", "confidence_level")
        for name, part in zip(names, given, strict=True):
            object.__setattr__(result, name, part)
        return result

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"UpliftAt is a result and does not change: {name} cannot be set.")

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.low, self.high, self.share, self.treated, self.control, self.draws, self.confidence_level)
        return type(self), (float(self), *parts)

    def to_frame(self) -> pd.DataFrame:
        """One row: ``share, treated, control, uplift, low, high``."""
        row = {"share": self.share, "treated": self.treated, "control": self.control, "uplift": float(self)}
        return pd.DataFrame([{**row, "low": self.low, "high": self.high}])

    def __repr__(self) -> str:
        return (
            f"UpliftAt({float(self):.4g}, {self.low:.4g} to {self.high:.4g}, among the top {self.share:.4g}: "
            f"{round(self.treated, 1):,.10g} treated, {round(self.control, 1):,.10g} control)"
        )

    def _repr_html_(self) -> str:
        return in_notebook(self, self.to_frame())


def uplift_at(
    outcome: Any,
    treatment: Any,
    score: Any,
    *,
    share: float = 0.3,
    draws: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> UpliftAt:
    """Difference in mean outcome, treated less control, among the users with the highest scores.

    Users tied at the edge count with equal fractions, so that the order of rows does not matter. The interval is of
    percentiles over resampled users (Poisson weights), of whom each trial takes its own top; the score stays as it
    is, so use it on users whom the model has not seen.

    Args:
        outcome: One number a user.
        treatment: 1 or True for treated, 0 or False for control, dealt by chance.
        score: One number a user, higher = treated first.
        share: Share of users from the top, in (0, 1].
        draws: Resampled trials, at least 20.
        confidence_level: Level of the interval.
        seed: Seed of the resampling.

    Returns:
        :class:`UpliftAt`: a float with ``low``, ``high`` and ``to_frame()``.

    Raises:
        ConfigError: If lengths differ, values are not finite, ``treatment`` is not 0/1, or an argument is out of range.
        InsufficientDataError: If the top holds no treated or no control user.

    References:
        Chamandy et al. (2012), Estimating uncertainty for massive data streams (Poisson bootstrap).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> x, treated = rng.random(2_000), rng.random(2_000) < 0.5
        >>> bought = rng.random(2_000) < 0.1 + 0.3 * treated * x
        >>> top = uplift_at(bought, treated, x, share=0.2)
        >>> 0.1 < top.low < top < top.high, top.treated + top.control
        (True, 400.0)
    """
    y, t, s = checked_trial(outcome, treatment, score)
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 < share <= 1:
        raise ConfigError(f"share lies in (0, 1]; seen {share!r:.40}.")
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    n_draws, seed = whole_number(draws, "draws", 20), whole_number(seed, "seed", 0)
    y, t, _, ends = from_the_top(y, t, s)
    value, treated, control = _top(y, t, ends, float(share))
    low = high = float("nan")
    if min(treated, control) >= LEAST:
        drawn = np.concatenate(
            [_tops(weight, y, t, ends, float(share))[0] for weight in poisson_weights(n_draws, len(y), seed)]
        )
        low, high = np.nanquantile(drawn, (0.5 - level / 2, 0.5 + level / 2))
    # Sums of fractions of users who are tied may miss a whole number by the last digit.
    treated, control = round(treated, 6), round(control, 6)
    return UpliftAt(value, float(low), float(high), float(share), treated, control, n_draws, level)


def top_uplift(y: Floats, t: Floats, s: Floats, share: float) -> float:
    """The same number without its interval, of arrays that were checked."""
    y, t, _, ends = from_the_top(y, t, s)
    return _top(y, t, ends, share)[0]


def _top(y: Floats, t: Floats, ends: NDArray[np.intp], share: float) -> tuple[float, float, float]:
    """Uplift, treated and controls at the top of the trial itself."""
    value, treated, control = (float(part[0]) for part in _tops(np.ones((1, len(y))), y, t, ends, share))
    if not np.isfinite(value):
        raise InsufficientDataError(f"the top {share:.0%} hold no treated or no control user. Take a larger share.")
    return value, treated, control


def _tops(weight: Floats, y: Floats, t: Floats, ends: NDArray[np.intp], share: float) -> tuple[Floats, Floats, Floats]:
    """Uplift, treated and controls at the top of each resampled trial; NaN where one of the groups is missing."""
    sums = running_sums(weight, y, t, ends)
    users = sums[0] + sums[1]
    wanted = share * users[:, -1]
    # .1 of 30 users are 3, not 3 and the last bit of a fourth.
    whole = np.round(wanted)
    wanted = np.where(np.abs(wanted - whole) < 1e-9 * whole, whole, wanted)
    # The first distinct score at which there are enough: its users count in part.
    edge = np.minimum((users < wanted[:, None]).sum(axis=1), len(ends) - 1)
    row = np.arange(len(weight))

    def before(part: Floats) -> Floats:
        return np.where(edge > 0, part[row, np.maximum(edge - 1, 0)], 0.0)

    above = before(users)
    tied = users[row, edge] - above
    part = np.divide(wanted - above, tied, out=np.zeros(len(row)), where=tied > 0)
    nt, nc, yt, yc = (before(column) + part * (column[row, edge] - before(column)) for column in sums)
    there = (nt > 0) & (nc > 0)
    empty = np.full(len(row), np.nan)
    gain = np.divide(yt, nt, out=empty.copy(), where=there) - np.divide(yc, nc, out=empty, where=there)
    return gain, nt, nc
