"""Comparison: which model of repeat buying suits these users, by likelihood, histogram and holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._figures.axes import drawn, finish, new_axes
from commlife._text.notebook import Shown
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp
from commlife.value.checks import FrequencyCheck, frequency_check, holdout_check
from commlife.value.purchases import FittedPurchaseModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ModelComparison", "compare_models"]

_MARKS = "osD^vP"


@dataclass(frozen=True, slots=True)
class ModelComparison(Shown):
    """Models side by side, the best by AIC first.

    Attributes:
        table: One row a model: ``model``, ``parameters`` (their number), ``log_likelihood``, ``aic`` and ``bic`` (lower
            is better; differences of less than two say nothing), ``histogram_error`` (mean absolute difference of users
            seen and expected a cell of the histogram of x, as part of all users), and with a later summary
            ``holdout_expected``, ``holdout_actual``, ``holdout_ratio`` (actual to expected), ``holdout_error`` (mean
            absolute difference of expected and actual means by x) and ``brier`` of the silence probability.
        histograms: The histogram check of each model, by its name.
    """

    table: pd.DataFrame
    histograms: dict[str, FrequencyCheck]

    def __repr__(self) -> str:
        best = self.table.iloc[0]
        gap = "" if len(self.table) < 2 else f", {self.table['aic'].iloc[1] - best['aic']:.1f} in AIC before the next"
        return f"ModelComparison({len(self.table)} models; {best['model']} first{gap})"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @drawn
    def plot(self, ax: Axes | None = None) -> Axes:
        """The histogram of x that was seen as bars, what each model expects as marks."""
        from commlife._figures.colours import ACCENT, BAD, GOOD, INK, PAPER, QUIET

        ax = new_axes(ax, 7, 3.5)
        seen = next(iter(self.histograms.values())).table
        place = np.arange(len(seen))
        ax.bar(place, seen["users"], color=QUIET, alpha=0.5, label="seen")
        colours = (ACCENT, BAD, GOOD, INK)
        for i, (name, check) in enumerate(self.histograms.items()):
            at = place + 0.16 * (i - (len(self.histograms) - 1) / 2)
            ax.plot(
                at,
                check.table["expected"],
                _MARKS[i % len(_MARKS)],
                color=colours[i % len(colours)],
                markeredgecolor=PAPER,
                label=name,
            )
        ax.set_yscale("log")
        ax.set_xticks(place, [*(str(x) for x in seen["x"][:-1]), f"{seen['x'].iloc[-1]}+"])
        ax.set_xlabel("repeat purchase days")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.set_ylabel("users (log scale)")
        ax.legend()
        return finish(ax, f"Repeat purchases seen and expected; {self.table['model'].iloc[0]} is first by AIC")


def compare_models(
    fits: Sequence[FittedPurchaseModel],
    data: Any,
    *,
    later: Any = None,
    most: int = 7,
    as_of: Timestamp | None = None,
) -> ModelComparison:
    """Put fitted models side by side, such as BG/NBD and Pareto/NBD.

    Args:
        fits: Models fitted on the same users, at least one; two of one class need different settings.
        data: The purchase summary that they were fitted on, or the OrderLog with ``as_of``.
        later: A later summary of the same log, for the holdout columns; None leaves them out.
        most: The last cell of the histogram takes this many repeats and more.
        as_of: Local business day; for a log alone.

    Returns:
        A :class:`ModelComparison`.

    Raises:
        ConfigError: If a model was fitted on another number of users, or is none.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("ParetoNBD", {"r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 12.0},
        ...                                  n_users=2000, T="273D", whole_days=True, seed=1)
        >>> value.compare_models([value.BetaGeo().fit(summary), value.ParetoNBD().fit(summary)], summary).table.shape
        (2, 6)
    """
    models: list[Any] = list(fits) if isinstance(fits, (list, tuple)) else [fits]
    if not models or not all(isinstance(model, FittedPurchaseModel) for model in models):
        raise ConfigError(
            "compare_models takes a list of fitted BetaGeo, ModifiedBetaGeo or ParetoNBD. Give two or more."
        )
    if len({model.fitted_on.users for model in models}) > 1:
        seen = ", ".join(f"{type(model.spec).__name__} {model.fitted_on.users:,}" for model in models)
        raise ConfigError(f"compare_models: the models were fitted on different users ({seen}); fit them on the same.")
    if len({model.time_unit for model in models}) > 1:
        raise ConfigError(
            "compare_models: the models have different time units, so their likelihoods do not compare."
            " Fit them with one time_unit."
        )
    names = _names(models)
    rows, histograms = [], {}
    for name, model in zip(names, models, strict=True):
        check = frequency_check(model, data, most=most, as_of=as_of)
        histograms[name] = check
        users = float(check.table["users"].sum())
        k = len(model.params) + (0 if model.effects is None else len(model.effects.values))
        likelihood = model.log_likelihood
        row = {
            "model": name,
            "parameters": k,
            "log_likelihood": likelihood,
            "aic": 2.0 * k - 2.0 * likelihood,
            "bic": k * float(np.log(model.fitted_on.users)) - 2.0 * likelihood,
            "histogram_error": float((check.table["users"] - check.table["expected"]).abs().mean()) / users,
        }
        if later is not None:
            holdout = holdout_check(model, data, later, most=most)
            weight = holdout.by_x["users"] / holdout.by_x["users"].sum()
            row |= {
                "holdout_expected": holdout.expected,
                "holdout_actual": holdout.actual,
                "holdout_ratio": holdout.actual / holdout.expected,
                "holdout_error": float((weight * (holdout.by_x["expected"] - holdout.by_x["actual"]).abs()).sum()),
                "brier": holdout.brier,
            }
        rows.append(row)
    table = pd.DataFrame(rows).sort_values("aic", kind="stable", ignore_index=True)
    return ModelComparison(table, histograms)


def _names(models: Sequence[FittedPurchaseModel]) -> list[str]:
    names = [type(model.spec).__name__ for model in models]
    if len(set(names)) == len(names):
        return names
    told = [repr(model.spec) for model in models]
    if len(set(told)) < len(told):
        raise ConfigError("compare_models: two models have the same spec; leave one out.")
    return told
