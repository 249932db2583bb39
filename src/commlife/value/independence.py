"""Spend against frequency: the assumption of Gamma-Gamma, tested, and what to do where it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from commlife._figures.axes import drawn, finish, new_axes
from commlife._text.notebook import Shown
from commlife.errors import InsufficientDataError
from commlife.orders.calendar import Timestamp
from commlife.value.histories import read_summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SpendCheck", "spend_check"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_Z = 1.959963984540054
#: Users by x: the lowest x of each group.
_FROM = (1, 2, 3, 5, 8, 13)


@dataclass(frozen=True, slots=True)
class SpendCheck(Shown):
    """Whether what an order is worth goes with how often the user orders.

    Attributes:
        table: Three rows by ``measure`` (``"plain"``: Pearson's correlation of x and m_x, as in the literature;
            ``"log"``: of their logarithms; ``"rank"``: Spearman's): ``users``, ``correlation``, ``low``, ``high``
            (95%), ``p_value`` and ``advice``. What counts is its size, not its p-value: within 0.1 of zero it changes
            values by little, up to 0.3 it shifts them between rare and frequent buyers, beyond that fits apart are
            called for.
        by_x: Mean spend of a repeat day by x: ``x`` (the lowest of the row), ``users``, ``mean_spend``, ``low`` and
            ``high`` (95% of the mean; null for one user), the mean over users.
        mean_spend: The mean over all users.
    """

    table: pd.DataFrame
    by_x: pd.DataFrame
    mean_spend: float

    @property
    def independent(self) -> bool:
        """Whether all three correlations lie within 0.1 of zero."""
        return bool((self.table["correlation"].abs() < 0.1).all())

    @property
    def advice(self) -> str:
        """What to do, by the largest of the three correlations."""
        largest = int(self.table["correlation"].abs().to_numpy().argmax())
        return str(self.table["advice"].iloc[largest])

    def __repr__(self) -> str:
        told = ", ".join(f"{row.measure} {row.correlation:+.2f}" for row in self.table.itertuples())
        return f"SpendCheck({told}: {self.advice})"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean spend by x with its 95% interval; flat where the assumption holds."""
        from commlife._figures.colours import ACCENT, QUIET

        ax = new_axes(ax, 6, 3.5)
        place = np.arange(len(self.by_x))
        mean = self.by_x["mean_spend"].to_numpy()
        reach = np.nan_to_num(self.by_x["high"].to_numpy() - mean)
        ax.axhline(self.mean_spend, color=QUIET, linestyle="--", label="all repeat buyers")
        ax.errorbar(place, mean, yerr=reach, fmt="o", color=ACCENT, label="by repeats, 95%")
        lows = self.by_x["x"].tolist()
        ends = [*(low - 1 for low in lows[1:]), None]
        names = [
            f"{low}+" if end is None else str(low) if end == low else f"{low}-{end}"
            for low, end in zip(lows, ends, strict=True)
        ]
        ax.set_xticks(place, names)
        ax.set_xlabel("repeat purchase days")
        ax.set_ylabel("mean spend of a repeat day")
        ax.set_ylim(bottom=0)
        rank = float(self.table["correlation"].to_numpy()[2])
        ax.legend(loc="upper left")
        return finish(ax, f"Spend by frequency: rank correlation {rank:+.2f}")


def spend_check(data: Any, *, as_of: Timestamp | None = None) -> SpendCheck:
    """Test the assumption of Gamma-Gamma that what an order is worth does not depend on how often the user orders.

    Args:
        data: A purchase summary with ``m_x``, or an OrderLog with ``as_of``.
        as_of: Local business day; for a log alone.

    Returns:
        A :class:`SpendCheck`.

    Raises:
        InsufficientDataError: If fewer than ten users have repeats, or all have the same.

    Examples:
        >>> import numpy as np, pandas as pd
        >>> rng = np.random.default_rng(0)
        >>> x = 1 + rng.poisson(3.0, 2000)
        >>> summary = pd.DataFrame({"x": x, "t_x": x, "T": 90, "m_x": rng.gamma(3.0, 10.0, 2000)})
        >>> spend_check(summary).independent
        True
    """
    summary = read_summary(data, as_of=as_of, ids=False, spend=True, what="spend_check")
    assert summary.m_x is not None  # noqa: S101 - read with spend=True
    used = (summary.x > 0) & (np.nan_to_num(summary.m_x, nan=0.0) > 0)
    x, m = summary.x[used], summary.m_x[used]
    if x.size < 10 or x.min() == x.max() or m.min() == m.max():
        raise InsufficientDataError(
            f"spend_check needs at least ten users with repeat orders, positive spend and different x and m_x; the "
            f"summary has {x.size}. Use a longer log."
        )
    return SpendCheck(_correlations(x, m), _by_x(x, m), float(m.mean()))


def _correlations(x: Array, m: Array) -> pd.DataFrame:
    rank_x, rank_m = (pd.Series(values).rank().to_numpy(dtype=np.float64) for values in (x, m))
    rows = []
    for measure, left, right in (("plain", x, m), ("log", np.log(x), np.log(m)), ("rank", rank_x, rank_m)):
        correlation = float(np.corrcoef(left, right)[0, 1])
        # Fisher's z; for ranks with the variance of Bonett & Wright (2000).
        spread = np.sqrt((1.0 + (correlation**2 / 2.0 if measure == "rank" else 0.0)) / (x.size - 3.0))
        z = float(np.arctanh(np.clip(correlation, -1 + 1e-15, 1 - 1e-15)))
        low, high = np.tanh(z - _Z * spread), np.tanh(z + _Z * spread)
        p_value = float(2.0 * ndtr(-abs(z) * np.sqrt(x.size - 3.0)))
        rows.append((measure, int(x.size), correlation, float(low), float(high), p_value, _advice(correlation)))
    return pd.DataFrame(rows, columns=["measure", "users", "correlation", "low", "high", "p_value", "advice"])


def _by_x(x: Array, m: Array) -> pd.DataFrame:
    group = np.array(_FROM)[np.searchsorted(_FROM, x, side="right") - 1]
    grouped = pd.DataFrame({"x": group, "m": m}).groupby("x")["m"]
    half: Any = _Z * grouped.std() / np.sqrt(grouped.size())
    mean = grouped.mean()
    return pd.DataFrame(
        {
            "x": mean.index.to_numpy(),
            "users": grouped.size().to_numpy(),
            "mean_spend": mean.to_numpy(),
            "low": (mean - half).to_numpy(),
            "high": (mean + half).to_numpy(),
        }
    )


def _advice(correlation: float) -> str:
    more = "more" if correlation > 0 else "less"
    if abs(correlation) < 0.1:
        return "Spend and frequency are nearly independent: GammaGamma is fit for use."
    if abs(correlation) < 0.3:
        return f"Frequent buyers spend a little {more} an order: GammaGamma is fit for ranking, totals shift somewhat."
    return f"Frequent buyers spend {more} an order: fit GammaGamma apart for rare and frequent buyers."
