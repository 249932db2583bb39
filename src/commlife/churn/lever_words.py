"""Words for an adjusted effect of a lever, in English and Chinese: never more than its yardsticks bear."""

from __future__ import annotations

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
    zh, days = lang == "zh", horizon[:-1]
    points = [100 * value for value in (effect.effect_size, effect.effect_size_ci_lower, effect.effect_size_ci_upper)]
    told, low, high = points
    fragile = could_explain_away(effect, yardsticks)
    shrunk = taken(effect)
    raw, robust = 100 * effect.raw_difference, effect.sensitivity.robustness_value_interval
    open_ = low <= 0 <= high
    turned = raw * told < 0
    strongest = None if yardsticks.empty else yardsticks.sort_values("could_move").iloc[-1]
    idle = is_idle(effect, yardsticks)
    if zh:
        parts = [
            f"{lever.label(lang)}：调整后与未来{days}天沉默概率 {told:+.1f} 个百分点相关 [{low:+.1f}, {high:+.1f}]"
            f"（未调整 {raw:+.1f}" + ("，方向相反：该手段多用于高风险用户" if turned and not open_ else "") + "）"
        ]
        if open_:
            parts.append("区间包含 0，看不出作用")
        else:
            parts.append(f"若有未记录的因素同时解释两者剩余的 {robust:.1%}，即可使区间触及 0")
        if idle and not open_:
            parts.append("已记录特征的影响不超过随机误差，无法衡量未记录的因素")
        elif strongest is not None and not open_:
            label = features[strongest["covariate"]].label(lang)
            moved = 100 * strongest["could_move"]
            outcome = "足以推翻" if fragile else "不足以推翻；但是否缺少更强的因素，数据无法说明"
            parts.append(f"与“{label}”同样强的未记录因素最多可移动 {moved:.1f} 个百分点，{outcome}")
        if shrunk > TAKEN and not open_:
            parts.append(f"调整已抵消原差异的 {shrunk:.0%}；若记录有噪声，其余部分可能同样来自混杂")
        parts.append("未经随机分配，不能证明因果" + (f"；随机试验约需 {trial:,} 人" if trial else ""))
        return "；".join(parts) + "。"
    parts = [
        f"{lever.label(lang)}: adjusted, it is associated with {told:+.1f} points [{low:+.1f}, {high:+.1f}] of the "
        f"probability of {days} silent days (unadjusted {raw:+.1f}"
        + (": the other way round, since the lever goes to users at risk" if turned and not open_ else "")
        + ")."
    ]
    if open_:
        parts.append("The interval holds 0: nothing can be told from chance.")
    else:
        parts.append(
            f"Something unrecorded that explains {robust:.1%} of what is left of both would bring the interval to 0."
        )
    if idle and not open_:
        parts.append(
            "What was recorded moves the effect by no more than chance does, so it is no yardstick for what was not."
        )
    elif strongest is not None and not open_:
        label = features[strongest["covariate"]].label(lang)
        moved = 100 * strongest["could_move"]
        parts.append(
            f'As strong as "{label}", it could move the effect by {moved:.1f} points: '
            + (
                "enough to explain it away."
                if fragile
                else "not enough; whether something stronger is missing, no data say."
            )
        )
    if shrunk > TAKEN and not open_:
        parts.append(
            f"Adjusting took away {shrunk:.0%} of the unadjusted difference; if what was recorded is noisy, the "
            "rest may be more of the same."
        )
    parts.append(
        "It was not dealt at random, so this is no proof; deal it at random before money depends on it"
        + (f" (about {trial:,} users in two arms)." if trial else ".")
    )
    return " ".join(parts)
