"""The segment maps that come with the library: the standard 11, the 8 octants, and a 3x3 of recency and frequency."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from commlife.errors import ConfigError
from commlife.segments.segment_map import Segment, SegmentMap, grid_codes

__all__ = ["STANDARD_MAPS", "MapName", "standard_map"]

MapName = Literal["standard_11", "octants", "grid_3x3"]

STANDARD_MAPS: tuple[MapName, ...] = ("standard_11", "octants", "grid_3x3")

#: The standard 11 segments on five scores. A line is a recency score (1 at the top), a word a frequency score (1 at
#: the left), a letter a monetary score (1 at the left). The letters are those of _ELEVEN.
_ELEVEN_GRID = """
    XXCCC XHHRR XHRRR XRRCR XRRCC
    HHSCC SHHRR SHHRR SRRRR SRRRR
    NSPPP SHTAA SHTAL TTALL TTTLL
    NNPPP NNTPP TTTAL TTALG TTTGG
    NNPPP PPPPP TTTAA TTLGG TTTGG
"""

_ELEVEN = {
    "G": (
        "Champions", "Champions", "冠军客户",
        "Thank and reward; first access to new goods; ask for referrals.",
        "致谢与奖励；新品优先体验；邀请转介绍。",
    ),
    "L": (
        "Loyal", "Loyal customers", "忠诚客户",
        "Offer bundles and memberships; ask for reviews.",
        "推荐组合与会员权益；邀请评价。",
    ),
    "T": (
        "Potential Loyalist", "Potential loyalists", "潜在忠诚客户",
        "Recommend a second category; make the next order a habit.",
        "推荐第二品类；促成下一单，养成习惯。",
    ),
    "N": (
        "New", "New customers", "新客户",
        "Welcome within a week; help with the first orders.",
        "一周内欢迎；陪伴完成最初几单。",
    ),
    "P": (
        "Promising", "Promising", "有前景客户",
        "Show the range; give a reason for a second order.",
        "展示品类；给出第二单的理由。",
    ),
    "A": (
        "Need Attention", "Need attention", "需要关注客户",
        "Remind with what they like before they cool down.",
        "趁未冷却，以其偏好提醒。",
    ),
    "S": (
        "About To Sleep", "About to sleep", "即将沉睡客户",
        "A light reminder with popular goods; no deep discount yet.",
        "以爆品轻提醒；暂不深折。",
    ),
    "R": (
        "At Risk", "At risk", "流失风险客户",
        "Call back in person; ask what went wrong; a targeted offer.",
        "人工回访，询问原因；定向优惠。",
    ),
    "C": (
        "Cannot Lose", "Cannot lose them", "不能失去客户",
        "Call first, today; solve what drove them away.",
        "当日优先致电；解决其离开的原因。",
    ),
    "H": (
        "Hibernating", "Hibernating", "休眠客户",
        "Low-cost messages with a relevant category; leave it at that.",
        "以相关品类低成本触达，点到为止。",
    ),
    "X": (
        "Lost", "Lost", "流失客户",
        "Spend nothing on calls; include in broad campaigns only.",
        "不投入人工；仅随大促触达。",
    ),
}  # fmt: skip

#: The eight octants by (recency, frequency, monetary) above the middle, as Chinese retailers name them.
_OCTANTS = {
    "HHH": (
        "重要价值", "High value", "Keep: service first, membership, early access.",
        "保持：优先服务、会员权益、新品优先。",
    ),
    "HLH": (
        "重要发展", "High value, to develop", "Raise frequency: a second category, a weekly habit.",
        "提频：第二品类、每周习惯。",
    ),
    "LHH": (
        "重要保持", "High value, to keep", "Call before they are gone: ask why they stopped.",
        "主动联系：询问停购原因，防止流失。",
    ),
    "LLH": (
        "重要挽留", "High value, to win back", "Win back in person with what they bought.",
        "重点挽回：以其买过的商品人工回访。",
    ),
    "HHL": (
        "一般价值", "Regular value", "Raise the order value: bundles, thresholds.",
        "提客单：组合、满减门槛。",
    ),
    "HLL": (
        "一般发展", "Regular, to develop", "Welcome; make the second order easy.",
        "欢迎新客；促成第二单。",
    ),
    "LHL": (
        "一般保持", "Regular, to keep", "Remind with their usual goods.",
        "以常购商品提醒。",
    ),
    "LLL": (
        "一般挽留", "Regular, to win back", "Broad campaigns only.",
        "仅随大促触达。",
    ),
}  # fmt: skip

#: Recency level (low, middle, high) by frequency level.
_NINE = {
    "LL": ("Tried and gone", "试购流失", "Broad campaigns only.", "仅随大促触达。"),
    "LM": ("Lapsed regulars", "流失常客", "A message with their usual goods.", "以常购商品触达。"),
    "LH": ("Lapsed core", "流失核心", "Call in person; ask why.", "人工回访，询问原因。"),
    "ML": ("Cooling newcomers", "转冷新客", "Give a reason for the next order.", "给出下一单的理由。"),
    "MM": ("Cooling regulars", "转冷常客", "Remind before they lapse.", "流失前提醒。"),
    "MH": ("Cooling core", "转冷核心", "Call this week.", "本周致电。"),
    "HL": ("Newcomers", "新客", "Welcome; help with the second order.", "欢迎；陪伴第二单。"),
    "HM": ("Growing", "成长客户", "Recommend a second category.", "推荐第二品类。"),
    "HH": ("Core", "核心客户", "Thank; ask for referrals.", "致谢；邀请转介绍。"),
}


def standard_map(name: MapName, n_bins: int) -> SegmentMap:
    """The map of that name on a grid of ``n_bins`` scores.

    Args:
        name: ``"standard_11"`` (five scores only), ``"octants"`` (high = above the middle score) or ``"grid_3x3"``
            (recency by frequency in three levels; at least three scores).
        n_bins: Scores of the grid.

    Raises:
        ConfigError: If the name is unknown, or the map does not exist on this grid.

    Examples:
        >>> standard_map("standard_11", 5).segment_of("545")
        'Champions'
        >>> standard_map("octants", 4).segment_of("431")
        '一般价值'
    """
    if name not in STANDARD_MAPS:
        raise ConfigError.unknown_name("segment_map", name, STANDARD_MAPS)
    if name == "standard_11" and n_bins != 5:
        raise ConfigError(
            f"the standard 11 segments are a map of 5 scores; seen n_bins={n_bins}. "
            'Use n_bins=5, or segment_map="octants", which takes any n_bins.'
        )
    if name == "grid_3x3" and n_bins < 3:
        raise ConfigError(f'the 3x3 map needs 3 scores or more; seen n_bins={n_bins}. Use segment_map="octants".')
    return _build(name, n_bins)


@lru_cache(maxsize=32)
def _build(name: MapName, n_bins: int) -> SegmentMap:
    if name == "standard_11":
        return _standard_11()
    return _octants(n_bins) if name == "octants" else _grid_3x3(n_bins)


def _standard_11() -> SegmentMap:
    letters = "".join(_ELEVEN_GRID.split())
    codes = grid_codes(5)
    segments = []
    for letter, (name, english, chinese, action, action_zh) in _ELEVEN.items():
        held = tuple(code for code, each in zip(codes, letters, strict=True) if each == letter)
        segments.append(
            Segment(
                name=name, codes=held, name_en=english, name_zh=chinese, next_action_en=action, next_action_zh=action_zh
            )
        )
    return SegmentMap(n_bins=5, segments=tuple(segments))


def _octants(n_bins: int) -> SegmentMap:
    def key(code: str) -> str:
        return "".join("H" if 2 * int(score) > n_bins + 1 else "L" for score in code)

    segments = []
    for octant, (chinese, english, action, action_zh) in _OCTANTS.items():
        held = tuple(code for code in grid_codes(n_bins) if key(code) == octant)
        segments.append(
            Segment(
                name=chinese, codes=held, name_en=english, name_zh=chinese, next_action_en=action,
                next_action_zh=action_zh,
            )
        )  # fmt: skip
    return SegmentMap(n_bins=n_bins, segments=tuple(segments))


def _grid_3x3(n_bins: int) -> SegmentMap:
    outer = round(n_bins / 3)  # scores of the low and of the high level; the middle takes the rest

    def level(score: str) -> str:
        return "L" if int(score) <= outer else "H" if int(score) > n_bins - outer else "M"

    segments = []
    for cell, (english, chinese, action, action_zh) in _NINE.items():
        held = tuple(code for code in grid_codes(n_bins) if level(code[0]) + level(code[1]) == cell)
        segments.append(
            Segment(
                name=english, codes=held, name_en=english, name_zh=chinese, next_action_en=action,
                next_action_zh=action_zh,
            )
        )  # fmt: skip
    return SegmentMap(n_bins=n_bins, segments=tuple(segments))
