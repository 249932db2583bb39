"""Words for an adjusted effect of a lever, in English and Chinese: never more than its yardsticks bear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from commlife.churn.yardsticks import TAKEN, could_explain_away, is_idle, taken

if TYPE_CHECKING:
    import pandas as pd

    from commlife.churn.catalogue import Feature
    from commlife.effects import AdjustedEffect

__all__ = ["lever_sentence"]


def lever_sentence(
    lever: Feature,
    effect: AdjustedEffect,
    yardsticks: pd.DataFrame,
    trial: int | None,
    features: dict[str, Feature],
    horizon: str,
    lang: str,
) -> str:
    """What an adjusted effect says, what would overturn it, and what to do next."""
    told = _Told.of(effect, yardsticks, features, lang)
    words = _in_chinese if lang == "zh" else _in_english
    return words(told, lever.label(lang), horizon[:-1], trial)


@dataclass(frozen=True)
class _Told:
    """What there is to say of an effect, in points of the probability.

    Attributes:
        effect: The adjusted difference.
        low: Its interval's lower end.
        high: Its upper end.
        raw: The difference before adjusting.
        robust: Share of what is left of both that something unrecorded must explain to bring the interval to 0.
        is_open: Whether the interval holds 0: then nothing more is said of the effect.
        is_idle: Whether what was recorded moves the effect by no more than chance does.
        is_fragile: Whether something as strong as the strongest of what was recorded could explain it away.
        strongest: Label of that strongest feature, None without one.
        could_move: By how much something as strong could move the effect.
        taken: Share of the raw difference that adjusting took away.
    """

    effect: float
    low: float
    high: float
    raw: float
    robust: float
    is_open: bool
    is_idle: bool
    is_fragile: bool
    strongest: str | None
    could_move: float
    taken: float

    @classmethod
    def of(cls, effect: AdjustedEffect, yardsticks: pd.DataFrame, features: dict[str, Feature], lang: str) -> _Told:
        """The facts behind the words."""
        strongest = None if yardsticks.empty else yardsticks.sort_values("could_move").iloc[-1]
        return cls(
            effect=100 * effect.effect_size,
            low=100 * effect.effect_size_ci_lower,
            high=100 * effect.effect_size_ci_upper,
            raw=100 * effect.raw_difference,
            robust=effect.sensitivity.robustness_value_interval,
            is_open=effect.effect_size_ci_lower <= 0 <= effect.effect_size_ci_upper,
            is_idle=is_idle(effect, yardsticks),
            is_fragile=could_explain_away(effect, yardsticks),
            strongest=None if strongest is None else features[strongest["covariate"]].label(lang),
            could_move=0.0 if strongest is None else 100 * strongest["could_move"],
            taken=taken(effect),
        )

    @property
    def is_turned(self) -> bool:
        """Whether adjusting turned a difference round that is told from chance."""
        return self.raw * self.effect < 0 and not self.is_open


def _in_english(told: _Told, lever: str, days: str, trial: int | None) -> str:
    turned = ": the other way round, since the lever goes to users at risk" if told.is_turned else ""
    parts = [
        f"{lever}: adjusted, it is associated with {told.effect:+.1f} points [{told.low:+.1f}, {told.high:+.1f}] of "
        f"the probability of {days} silent days (unadjusted {told.raw:+.1f}{turned})."
    ]
    if told.is_open:
        parts.append("The interval holds 0: nothing can be told from chance.")
    else:
        parts += _how_firm_in_english(told)
    users = f" (about {trial:,} users in two arms)." if trial else "."
    parts.append(
        f"It was not dealt at random, so this is no proof; deal it at random before money depends on it{users}"
    )
    return " ".join(parts)


def _how_firm_in_english(told: _Told) -> list[str]:
    parts = [
        f"Something unrecorded that explains {told.robust:.1%} of what is left of both would bring the interval to 0."
    ]
    if told.is_idle:
        parts.append(
            "What was recorded moves the effect by no more than chance does, so it is no yardstick for what was not."
        )
    elif told.strongest is not None:
        verdict = (
            "enough to explain it away."
            if told.is_fragile
            else "not enough; whether something stronger is missing, no data say."
        )
        parts.append(
            f'As strong as "{told.strongest}", it could move the effect by {told.could_move:.1f} points: {verdict}'
        )
    if told.taken > TAKEN:
        parts.append(
            f"Adjusting took away {told.taken:.0%} of the unadjusted difference; if what was recorded is noisy, the "
            "rest may be more of the same."
        )
    return parts


def _in_chinese(told: _Told, lever: str, days: str, trial: int | None) -> str:
    turned = "，方向相反：该手段多用于高风险用户" if told.is_turned else ""
    parts = [
        f"{lever}：调整后与未来{days}天沉默概率 {told.effect:+.1f} 个百分点相关 [{told.low:+.1f}, {told.high:+.1f}]"
        f"（未调整 {told.raw:+.1f}{turned}）"
    ]
    parts += ["区间包含 0，看不出作用"] if told.is_open else _how_firm_in_chinese(told)
    parts.append("未经随机分配，不能证明因果" + (f"；随机试验约需 {trial:,} 人" if trial else ""))
    return "；".join(parts) + "。"


def _how_firm_in_chinese(told: _Told) -> list[str]:
    parts = [f"若有未记录的因素同时解释两者剩余的 {told.robust:.1%}，即可使区间触及 0"]
    if told.is_idle:
        parts.append("已记录特征的影响不超过随机误差，无法衡量未记录的因素")
    elif told.strongest is not None:
        outcome = "足以推翻" if told.is_fragile else "不足以推翻；但是否缺少更强的因素，数据无法说明"
        parts.append(f"与“{told.strongest}”同样强的未记录因素最多可移动 {told.could_move:.1f} 个百分点，{outcome}")
    if told.taken > TAKEN:
        parts.append(f"调整已抵消原差异的 {told.taken:.0%}；若记录有噪声，其余部分可能同样来自混杂")
    return parts
