"""How one treatment is read against the control: metric by metric, then the money, by chance or adjusted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife._stats.distributions import student_quantile
from commlife._stats.wilson import wilson_interval
from commlife.effects.adjustment import adjusted_effect
from commlife.effects.comparison import adjusted_arms, compare, difference, ratio_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from commlife.effects._inputs import Floats

__all__ = ["LEAST", "Adjusted", "Randomised"]

#: Users that an arm needs within a segment to be read, and payers for figures a payer.
LEAST = 5

#: Users of each group that an adjustment needs.
LEAST_ADJUSTED = 50

MEANS = ("orders", "payers", "amount", "margin", "net_gain", "reactivated")
RATIOS = ("repurchase_rate", "arppu")
COVARIATES = {
    "orders": "orders_before",
    "payers": "payers_before",
    "amount": "amount_before",
    "margin": "margin_before",
    "net_gain": "margin_before",
}


class Randomised:
    """Effects of a trial: differences in means with CUPED, ratios by the delta method."""

    def __init__(self, level: float, *, clustered: bool) -> None:
        self.level = level
        self.cluster = "cluster" if clustered else None

    def effects(self, pair: pd.DataFrame) -> list[dict[str, Any]]:
        """One row a metric."""
        rows = []
        for metric in (*MEANS, *RATIOS):
            part = pair[pair["silent"]] if metric == "reactivated" else pair
            if metric in RATIOS:
                outcome, denominator = ("two_or_more" if metric == "repurchase_rate" else "amount"), "payers"
                payers = part.groupby("treated")["payers"].sum()
            else:
                outcome, denominator, payers = metric, None, part.groupby("treated").size()
            if outcome not in part or len(payers) < 2 or payers.min() < LEAST:
                continue
            found = compare(
                part,
                treatment="treated",
                control=0,
                outcome=outcome,
                denominator=denominator,
                covariate=COVARIATES.get(metric),
                cluster=self.cluster,
                confidence_level=self.level,
            ).iloc[0]
            rows.append(_row(metric, part, found))
        return rows

    def money(self, pair: pd.DataFrame, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The row of money, from the rows of the metrics."""
        if "margin" not in pair:
            return _money(pair, found, (float("nan"), float("nan")))
        treated = pair["treated"].to_numpy() == 1
        base, rows = np.flatnonzero(~treated), np.flatnonzero(treated)
        group = None if self.cluster is None else pair["cluster"].to_numpy()
        y, x, cost = (pair[name].to_numpy(dtype=np.float64) for name in ("margin", "margin_before", "cost"))
        control, own = adjusted_arms(y, x, base, rows)
        gain = difference((control, own), group, "readout")
        spent, variance, covariance = _cost_moments(cost[rows], own.influence, control, rows, base, group)
        if spent == 0:
            return _money(pair, found, (float("nan"), float("nan")))
        t = student_quantile(0.5 + self.level / 2, gain.degrees)
        low, high = ratio_interval(gain.effect, spent, gain.variance, variance, covariance, t)
        return _money(pair, found, (low - 1, high - 1))


def _cost_moments(
    cost: Floats,
    influence: Floats,
    control: Any,
    rows: NDArray[np.intp],
    base: NDArray[np.intp],
    group: NDArray[Any] | None,
) -> tuple[float, float, float]:
    """Mean cost a treated user, its variance, and its covariance with the gain."""
    n, mean = len(cost), float(cost.mean())
    own = cost - mean
    if group is None:
        return mean, float(own @ own) / (n - 1) / n, float(own @ influence) / (n - 1) / n
    _, codes = np.unique(group, return_inverse=True)
    size = int(codes.max()) + 1
    spent = np.bincount(codes[rows], own, size) / n
    gained = np.bincount(codes[rows], influence, size) / n
    gained -= np.bincount(codes[base], control.influence, size) / len(base)
    scale = size / (size - 1)
    return mean, scale * float(spent @ spent), scale * float(spent @ gained)


class Adjusted:
    """Effects on users who were chosen: adjusted for what was known before."""

    def __init__(self, level: float, covariates: pd.DataFrame, cluster: str | None, seed: int) -> None:
        self.level, self.covariates, self.seed = level, covariates, seed
        self.cluster = None if cluster is None else "cluster"

    def effects(self, pair: pd.DataFrame) -> list[dict[str, Any]]:
        """One row a metric."""
        known = pair.assign(never=(~np.isfinite(pair["days_away"])).astype(np.float64))
        far = float(np.nan_to_num(known["days_away"].max(), nan=0.0))
        known["log_days_away"] = np.log1p(known["days_away"].fillna(2 * far + 1).clip(lower=0))
        known = pd.concat([known, self.covariates.loc[pair.index]], axis=1)
        names = ["orders_before", "amount_before", "payers_before", "log_days_away", "never", *self.covariates.columns]
        rows = []
        for metric in MEANS:
            part = known[known["silent"]] if metric == "reactivated" else known
            sizes = part.groupby("treated").size()
            if metric not in part or len(sizes) < 2 or sizes.min() < LEAST_ADJUSTED:
                continue
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = adjusted_effect(
                    part,
                    treatment="treated",
                    outcome=metric,
                    covariates=names,
                    cluster=self.cluster,
                    estimand="treated",
                    confidence_level=self.level,
                    seed=self.seed,
                )
            # One caveat, told once: it is about the users, not about the metric.
            for caveat in caught if metric == MEANS[0] else []:
                warn(str(caveat.message), caveat.category)
            frame = found.to_frame().iloc[0]
            mean = float(part.loc[part["treated"] == 1, metric].mean())
            frame["treatment_mean"], frame["control_mean"] = mean, mean - found.effect_size
            rows.append(_row(metric, part, frame))
        return rows

    def money(self, pair: pd.DataFrame, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The row of money, from the rows of the metrics."""
        cost = float(pair.loc[pair["treated"] == 1, "cost"].mean())
        if "margin" not in found or cost == 0:
            return _money(pair, found, (float("nan"), float("nan")))
        margin = found["margin"]
        ends = (float(margin["effect_size_ci_lower"]) / cost - 1, float(margin["effect_size_ci_upper"]) / cost - 1)
        return _money(pair, found, ends)


def _row(metric: str, part: pd.DataFrame, found: Any) -> dict[str, Any]:
    treated = int(part["treated"].sum())
    names = (
        "control_mean",
        "treatment_mean",
        "effect_size",
        "standard_error",
        "effect_size_ci_lower",
        "effect_size_ci_upper",
        "pvalue",
    )
    sizes = {"metric": metric, "users": treated, "control_users": len(part) - treated}
    return sizes | {name: float(found[name]) for name in names}


def _money(pair: pd.DataFrame, found: Mapping[str, Mapping[str, Any]], roi: tuple[float, float]) -> dict[str, Any]:
    mine = pair[pair["treated"] == 1]
    users, redeemers = len(mine), int((mine["redemptions"] > 0).sum())
    low, high = wilson_interval(redeemers, users)
    cost = float(mine["cost"].sum())

    def total(metric: str, name: str = "effect_size") -> float:
        return users * float(found[metric][name]) if metric in found else float("nan")

    payers = total("payers")
    gain = total("net_gain")
    anyway = 1 - min(max(payers, 0.0), redeemers) / redeemers if redeemers and np.isfinite(payers) else float("nan")
    return {
        "users": users,
        "redeemers": redeemers,
        "redemption_rate": redeemers / users,
        "redemption_low": float(low),
        "redemption_high": float(high),
        "cost": cost,
        "incremental_orders": total("orders"),
        "incremental_payers": payers,
        "incremental_margin": total("margin"),
        "incremental_margin_low": total("margin", "effect_size_ci_lower"),
        "incremental_margin_high": total("margin", "effect_size_ci_upper"),
        "net_gain": gain,
        "net_gain_low": total("net_gain", "effect_size_ci_lower"),
        "net_gain_high": total("net_gain", "effect_size_ci_upper"),
        "roi": total("margin") / cost - 1 if cost > 0 else float("nan"),
        "roi_low": roi[0],
        "roi_high": roi[1],
        "anyway_share": anyway,
    }
