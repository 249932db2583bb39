"""Totals of value: what a community, a segment or all users together still bring, with intervals that add up.

Two things are not known. The parameters: they are the same for all users, so their error does not average out, and
the errors of two groups go together. And each user's future: it does average out. A total's variance is the first,
carried through the derivatives of the total by the parameters (the delta method), plus the sum of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from commlife._caveats import warn
from commlife._figures.axes import drawn, finish, new_axes
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, ModelWarning
from commlife.orders.calendar import Timestamp
from commlife.value.gamma_gamma import FittedGammaGamma
from commlife.value.groups import Label, labels_of
from commlife.value.histories import Index, read_summary
from commlife.value.lifetime import moments, terms_of
from commlife.value.purchases import FittedPurchaseModel, _share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ValueTotals", "value_totals"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_STEP = 1e-4
#: The row of everybody.
ALL = "all"


@dataclass(frozen=True, slots=True)
class ValueTotals(Shown):
    """What groups of users still bring, and how sure that is.

    Attributes:
        table: One row a group and a last row ``all``: the group, ``users``, ``value`` (expected, in major units),
            ``low`` and ``high`` (where what they then bring lies: parameters and chance), ``low_expected`` and
            ``high_expected`` (where the expected value lies: parameters alone), ``se_parameters`` and ``se_chance``
            (both standard errors). ``value`` adds up to the last row; squares of ``se_chance`` do; ``se_parameters``
            does not, since groups err together.
        by: The column of the groups, None for everybody alone.
        horizon_days: Days ahead.
        level: Probability of the intervals.
    """

    table: pd.DataFrame
    by: str | None
    horizon_days: int
    level: float

    def __repr__(self) -> str:
        whole = self.table.iloc[-1]
        return (
            f"ValueTotals({int(whole['users']):,} users, {self.horizon_days} days: {whole['value']:,.0f}, "
            f"{self.level:.0%} between {whole['low']:,.0f} and {whole['high']:,.0f})"
        )

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None, *, top: int = 20) -> Axes:
        """The most valuable groups: dots, the reach of parameters and chance, and thick that of the parameters."""
        from commlife._figures.colours import ACCENT, INK

        ax = new_axes(ax, 7, 1.8 + 0.3 * min(top, len(self.table)))
        shown = (self.table.iloc[:-1] if self.by is not None else self.table).nlargest(top, "value").iloc[::-1]
        place = np.arange(len(shown))
        ax.hlines(place, shown["low"], shown["high"], color=INK, linewidth=1, label="parameters and chance")
        ax.hlines(
            place, shown["low_expected"], shown["high_expected"], color=ACCENT, linewidth=5, label="parameters alone"
        )
        ax.plot(shown["value"], place, "o", color="white", markeredgecolor=INK, label="expected")
        ax.set_yticks(place, [str(label) for label in shown.iloc[:, 0]])
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.set_xlabel(f"value of the next {self.horizon_days} days")
        ax.margins(y=0.15)
        by = "" if self.by is None else f" by {self.by}"
        ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
        return finish(ax, f"What users still bring{by}, {self.level:.0%} intervals")


def value_totals(
    purchases: FittedPurchaseModel,
    spend: FittedGammaGamma,
    data: Any,
    *,
    horizon: str,
    by: str | None = None,
    annual_discount: float = 0.1,
    margin: float = 1.0,
    level: float = 0.95,
    as_of: Timestamp | None = None,
) -> ValueTotals:
    """What all users, and each group of them, still bring within the horizon, with intervals.

    Args:
        purchases: A fitted BetaGeo, ModifiedBetaGeo or ParetoNBD.
        spend: A fitted GammaGamma.
        data: A purchase summary with ``m_x`` (and ``by``), or an OrderLog with ``as_of``.
        horizon: Length of the time ahead, such as ``"91D"``.
        by: A column of the summary, such as a segment or the month of the first order, or an attribute of the log,
            such as ``"community"``; None for everybody alone. Users without a group count in the last row only.
        annual_discount: Discount rate of a year, as in :func:`lifetime_value`.
        margin: Part of the spend that is kept, above 0 and at most 1.
        level: Probability of the intervals, above 0 and below 1.
        as_of: Local business day; for a log alone.

    Returns:
        A :class:`ValueTotals`. Intervals are null where parameters are not determined or a user's spend has an
        infinite variance, with a ModelWarning that says which.

    Raises:
        ConfigError: If an argument is out of range or not a fitted model.
        SchemaError: If the summary holds impossible values.

    Examples:
        >>> import numpy as np
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("BetaGeo", {"r": 2.0, "alpha": 5.0, "a": 0.8, "b": 2.5},
        ...                                  n_users=500, T="273D", whole_days=True, seed=1)
        >>> rng = np.random.default_rng(1)
        >>> orders = summary["x"].where(summary["x"] > 0)
        >>> summary["m_x"] = rng.gamma(6.0 * orders.fillna(1)) / orders / rng.gamma(4.0, 1 / 15.0, 500)
        >>> summary["segment"] = np.where(summary["x"] > 2, "often", "seldom")
        >>> totals = value.value_totals(value.BetaGeo().fit(summary), value.GammaGamma().fit(summary), summary,
        ...                             horizon="91D", by="segment")
        >>> totals.table["segment"].tolist()
        ['often', 'seldom', 'all']
    """
    terms = terms_of("value_totals", purchases, spend, horizon, annual_discount, margin)
    z = float(ndtri(0.5 + 0.5 * _share("level", level)))
    if by is not None and not isinstance(by, str):
        raise ConfigError(f"by is the name of a column, or None; seen {by!r:.40}.")
    extra = tuple(dict.fromkeys([*purchases.spec.columns, *([] if by is None else [by])]))
    summary = read_summary(data, as_of=as_of, spend=True, extra=extra, what="value_totals")
    if by is None:
        codes: Index = np.full(len(summary), -1, dtype=np.intp)
        labels: list[Label] = []
    else:
        codes, labels = labels_of(summary, by)
    predictions = purchases._predictions(summary)
    p, stratum = purchases._strata(summary)
    orders = predictions.discounted_purchases(terms.days, terms.discount)
    each = terms.margin * spend._spend(summary)
    value = orders * each
    variance, _ = moments(predictions, spend, summary, value, terms)

    # Derivatives of each user's value by the log parameters.
    of_purchases = [
        each
        * (
            predictions.under(up).discounted_purchases(terms.days, terms.discount)
            - predictions.under(down).discounted_purchases(terms.days, terms.discount)
        )
        / apart
        for up, down, apart in purchases._moved(summary, p, _STEP)
    ]
    of_spend = [terms.margin * orders * (up - down) / (2.0 * _STEP) for up, down in spend._moved(summary, _STEP)]
    n = len(labels)
    carried = purchases._carried(of_purchases, codes, n, stratum)
    slopes = _sums(of_spend, codes, n)
    carried = carried + np.einsum("gi,ij,gj->g", slopes, np.array(spend.log_covariance), slopes)
    told = _sums([value], codes, n)[:, 0]
    chance = np.sqrt(_sums([variance], codes, n)[:, 0])
    by_parameters = np.sqrt(carried)
    _warn_of_holes(purchases, spend, by_parameters, chance)
    # Normal on the log scale: totals are positive, and their errors more nearly proportional than additive.
    with np.errstate(divide="ignore", invalid="ignore"):
        own, both = by_parameters / told, np.hypot(by_parameters, chance) / told
    own, both = (np.sqrt(np.log1p(ratio**2)) for ratio in (own, both))
    column = "group" if by is None else by
    table = pd.DataFrame(
        {
            column: [*labels, ALL],
            "users": [*np.bincount(codes[codes >= 0], minlength=n).tolist(), len(summary)],
            "value": told,
            "low": told * np.exp(-z * both),
            "high": told * np.exp(z * both),
            "low_expected": told * np.exp(-z * own),
            "high_expected": told * np.exp(z * own),
            "se_parameters": by_parameters,
            "se_chance": chance,
        }
    )
    return ValueTotals(table, by, terms.days, level)


def _sums(columns: list[Array], codes: Any, n: int) -> Array:
    """Sums of each column by group, and in the last row of all users."""
    answer = np.empty((n + 1, len(columns)))
    known = codes >= 0
    for j, column in enumerate(columns):
        answer[:n, j] = np.bincount(codes[known], column[known], n)
        answer[n, j] = column.sum()
    return answer


def _warn_of_holes(
    purchases: FittedPurchaseModel, spend: FittedGammaGamma, by_parameters: Array, chance: Array
) -> None:
    causes = []
    if np.isnan(by_parameters).any():
        causes.append(
            f"the data do not determine all parameters of {type(purchases.spec).__name__} or GammaGamma (use more "
            "users, or prior='weak')"
        )
    if np.isnan(chance).any():
        causes.append(
            f"some spends have an infinite mean or variance under the model, q = {spend.params['q']:.3g} (cap outliers "
            "with CleaningRules, then fit again)"
        )
    if causes:
        warn(f"value_totals: intervals are null where {'; and where '.join(causes)}.", ModelWarning)
