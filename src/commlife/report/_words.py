"""The sentences of the weekly page, in English and Chinese."""

from __future__ import annotations

from commlife._text import Language

__all__ = ["words"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("The week at a glance", "本周一览"),
    "subtitle": ("Seven days to {last}, counted at {as_of}", "截至 {last} 的 7 天，统计时点 {as_of}"),
    "contents": ("On this page", "本页内容"),
    "whole": ("counts the whole log", "统计全部订单"),
    "cleaned": ("counts the cleaned log", "统计清洗后的订单"),
    "csv": ("CSV", "CSV"),
    "csv_title": ("Download this table as CSV", "下载此表（CSV）"),
    "cut": (
        "CSV: the first {held} of {all} rows; the user table holds all of them.",
        "CSV 含前 {held} 行（共 {all} 行）；全部见用户表。",
    ),
    "before": ("before: {mean}", "此前均值 {mean}"),
    "numbers": ("The week's numbers", "本周数字"),
    "numbers_lead": (
        "Each number beside the mean of the four weeks before; the line shows the last {weeks} weeks.",
        "与前四周均值对比；折线为最近 {weeks} 周。",
    ),
    "lifecycle": ("Who came, who stayed, who fell silent", "新客、留存与沉默"),
    "lifecycle_lead": (
        "Users with an order in each week: new, returned after a silence, active without a break. Below the line: "
        "users of the week before who did not order again.",
        "每周有订单的用户：新客、召回、持续活跃；横线以下为上周有单而本周未下单的用户。",
    ),
    "retention": ("Do new users come back?", "新客是否回来"),
    "retention_lead": (
        "Of the users whose first order fell in a week, the share who ordered again so many weeks later. "
        "Empty cells have not happened yet; the last line is the mean weighted by size.",
        "某周首次下单的用户，在之后第几周再次下单的比例。空白为尚未发生；末行为按人数加权的均值。",
    ),
    "pooled": ("All weeks", "合计"),
    "communities": ("Communities that need a call", "需要关注的社区"),
    "communities_lead": (
        "Newest complete weeks that are out of line with the community's own history, with the chance that all of this "
        "is noise (q).",
        "最近完整周与该社区历史明显不符的情况，q 为误报概率。",
    ),
    "communities_none": (
        "No community is out of line with its own history this week. What looks low below is within what chance does.",
        "本周没有社区明显偏离自身历史。",
    ),
    "communities_short": (
        "There is not enough history for an alarm: no community has had new users in six complete weeks or more. "
        "A longer log tells, or larger communities.",
        "历史数据不足，无法预警：没有社区在六个以上的完整周里有过新客。请提供更长的订单记录，或将社区合并为更大的片区。",
    ),
    "communities_unnamed": (
        "The log names no communities: give the column of the estate or shop as community=.",
        "订单中没有社区列：请用 community= 指定小区或门店所在的列。",
    ),
    "drill": (
        "What lies behind it: first orders by what they held (in points of the change; associated with, not causes)",
        "背后的首单构成（对变化的贡献，百分点；相关不等于因果）",
    ),
    "drill_by": ("By", "维度"),
    "drill_value": ("First order", "首单"),
    "drill_rate_before": ("Came back before", "此前回来"),
    "drill_rate": ("Came back now", "本次回来"),
    "drill_points": ("Points", "百分点"),
    "rise": ("rise", "上升"),
    "drop": ("drop", "下降"),
    "segments": ("Segments", "用户分群"),
    "segments_lead": (
        "By recency, frequency and money (RFM). The bars show each segment's share of users and of their spend.",
        "按最近一次下单、频次与金额（RFM）分群；条形为用户占比与消费占比。",
    ),
    "offer": ("Offer", "优惠"),
    "in_words": ("In words", "说明"),
    "share_users": ("of users", "用户占比"),
    "share_money": ("of spend", "消费占比"),
    "rules": ("Bought together", "一起购买"),
    "rules_lead": (
        "Who buys the first also buys the second, more often than chance would have it. Worth a bundle or a place side "
        "by side.",
        "买了前者的订单也常买后者，高于偶然水平，可做组合或相邻陈列。",
    ),
    "rules_none": ("No pair stands out.", "没有突出的组合。"),
    "drivers": ("What goes together with falling silent", "与沉默相关的因素"),
    "drivers_lead": (
        "Associated with silence in the next {horizon} days, in points of probability between users low and high in "
        "it. Associations are no causes: try before you trust.",
        "与未来 {horizon} 天沉默相关的因素（高低用户之间的概率差，百分点）。相关不等于因果，请先试验。",
    ),
    "drivers_none": ("There is no silence model for this log.", "此数据无沉默模型。"),
    "calls": ("Call-back list", "回访名单"),
    "calls_lead": (
        "The {shown} silent users with the highest expected spend in the next 91 days, of {all}. The CSV holds these.",
        "预期 91 天消费最高的 {shown} 位沉默用户（共 {all} 位）。",
    ),
    "risks": ("Still active, about to fall silent", "即将沉默的活跃用户"),
    "risks_lead": (
        "The {shown} active users most at risk, with the main reason.",
        "风险最高的 {shown} 位活跃用户及主要原因。",
    ),
    "coupons": ("Coupon plan", "优惠券计划"),
    "coupons_lead": (
        "{given} of {users} users get a coupon; {held} are held out, so that the effect can be read. Expected cost "
        "{cost}, {largest} if all are redeemed; {budget}.",
        "{users} 位用户中 {given} 位发券，{held} 位留作对照。预计成本 {cost}，全部核销为 {largest}；{budget}。",
    ),
    "no_budget": ("no budget was given", "未设预算"),
    "budget": ("budget {budget}", "预算 {budget}"),
    "unbounded": ("no bound", "无上限"),
    "notes": ("How this was counted", "统计口径"),
    "log": (
        "{rows} lines, {orders} orders, {users} users from {first} to {last}; days of {timezone}. {aside} lines set "
        "aside.",
        "{rows} 行，{orders} 单，{users} 位用户，{first} 至 {last}，时区 {timezone}；{aside} 行未计入。",
    ),
    "cleaning": ("What the cleaning rules did", "清洗规则"),
    "faults": ("What was found in the export", "导出数据中的问题"),
    "masked": ("User ids are masked on this page.", "页面上的用户编号已脱敏。"),
    "made": ("Made with commlife {version}.", "由 commlife {version} 生成。"),
}


def words(lang: Language) -> dict[str, str]:
    """All sentences in one language."""
    at = 1 if lang == "zh" else 0
    return {name: pair[at] for name, pair in _WORDS.items()}
