"""Evaluation on the last matured snapshot, and the verdict: does the model add anything to the best baseline?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.churn._canon import canonical_order
from commlife.churn.scores import METRICS, resampled, user_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Evaluation", "evaluate"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_NAMES = {
    "xgboost": ("XGBoost", "XGBoost"),
    "recency": ("recency alone", "仅最近下单时间"),
    "logistic_rfm": ("logistic regression on RFM and tenure", "RFM与在册时长的逻辑回归"),
    "bg_nbd": ("BG/NBD", "BG/NBD"),
    "base_rate": ("the base rate", "总体沉默率"),
}


@dataclass(frozen=True)
class Evaluation:
    """Scores of the model and its baselines on the same users.

    Attributes:
        frame: ``model, metric, value, low, high`` (95% intervals from a bootstrap over users).
        differences: ``baseline, metric, difference, low, high``: the model less each baseline, paired by resample.
        verdict: What follows, in a sentence, in English.
        verdict_zh: The same in Chinese.
    """

    frame: pd.DataFrame
    differences: pd.DataFrame
    verdict: str
    verdict_zh: str


def evaluate(
    forecasts: Mapping[str, Array], silent: Array, *, resamples: int, rng: np.random.Generator, day: str, horizon: str
) -> Evaluation:
    """Score every forecast on the same users and the same resamples of users.

    Args:
        forecasts: Probability of silence of each user by model; the first is the model, the others its baselines.
        silent: 1.0 where the user fell silent.
        resamples: Number of bootstrap resamples.
        rng: Where resamples are drawn from.
        day: The test snapshot.
        horizon: The horizon.
    """
    order = canonical_order(silent, *forecasts.values())
    y = silent[order]
    weights = user_weights(len(y), resamples, rng)
    whole = np.ones((1, len(y)))
    points = {name: resampled(y, p[order], whole)[0] for name, p in forecasts.items()}
    draws = {name: resampled(y, p[order], weights) for name, p in forecasts.items()}
    model, *baselines = forecasts
    rows = [
        (name, metric, points[name][k], *_interval(draws[name][:, k]))
        for name in forecasts
        for k, metric in enumerate(METRICS)
    ]
    frame = pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])
    paired = [
        (name, metric, points[model][k] - points[name][k], *_interval(draws[model][:, k] - draws[name][:, k]))
        for name in baselines
        for k, metric in enumerate(METRICS[:5])
    ]
    differences = pd.DataFrame(paired, columns=["baseline", "metric", "difference", "low", "high"])
    best = max(baselines, key=lambda name: (points[name][0], name))
    verdict, verdict_zh = _verdict(frame, differences, model, best, len(y), day, horizon)
    return Evaluation(frame, differences, verdict, verdict_zh)


def _interval(draws: Array) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _verdict(
    frame: pd.DataFrame, differences: pd.DataFrame, model: str, best: str, users: int, day: str, horizon: str
) -> tuple[str, str]:
    values = frame.set_index(["model", "metric"])["value"]
    against = differences[differences["baseline"] == best].set_index("metric")
    auc, brier = against.loc["roc_auc"], against.loc["brier"]
    ranks, worse = auc["low"] > 0, auc["high"] < 0
    closer, farther = brier["high"] < 0, brier["low"] > 0
    numbers = (
        f"ROC-AUC {values[model, 'roc_auc']:.3f} against {values[best, 'roc_auc']:.3f}, difference "
        f"{auc['difference']:+.3f} [{auc['low']:+.3f}, {auc['high']:+.3f}]; Brier {values[model, 'brier']:.4f} against "
        f"{values[best, 'brier']:.4f}, difference {brier['difference']:+.4f} "
        f"[{brier['low']:+.4f}, {brier['high']:+.4f}]"
    )
    numbers_zh = numbers.replace(" against ", " 对 ").replace(", difference ", "，差 ").replace("; ", "；")
    en, zh = _NAMES[best]
    where = f"({numbers}; {users:,} users at {day}, {horizon})."
    where_zh = f"（{numbers_zh}；{day}，{users:,} 名用户，{horizon}）。"
    if worse or (farther and not ranks):
        return (
            f"The model does worse than the best baseline, {en}: use that instead {where}",
            f"模型不如最佳基线（{zh}）：请改用该基线{where_zh}",
        )
    if ranks and farther:
        return (
            f"The model ranks users better than the best baseline, {en}, but its probabilities are farther off {where}",
            f"模型的排序优于最佳基线（{zh}），但概率偏差更大{where_zh}",
        )
    if ranks or closer:
        what = "ranking and probabilities" if ranks and closer else "ranking" if ranks else "probabilities"
        what_zh = "排序与概率" if ranks and closer else "排序" if ranks else "概率"
        return (
            f"The model adds to the best baseline, {en}, in {what} {where}",
            f"模型在{what_zh}上优于最佳基线（{zh}）{where_zh}",
        )
    return (
        f"The model adds nothing measurable to the best baseline, {en}: that simpler forecast serves as well {where}",
        f"与最佳基线（{zh}）相比，模型没有可测的增益，用更简单的基线即可{where_zh}",
    )
