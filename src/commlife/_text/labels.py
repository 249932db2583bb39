"""Labels of the house: one concept, one name in each language."""

from __future__ import annotations

from typing import Literal, get_args

from commlife.errors import ConfigError

__all__ = ["LANGUAGES", "Language", "check_language", "label", "labels"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[str, ...] = get_args(Language)

#: name -> (English, Chinese)
_LABELS: dict[str, tuple[str, str]] = {
    # states of the lifecycle
    "new": ("New", "新客"),
    "active": ("Active", "活跃"),
    "returned": ("Returned", "召回"),
    "silent": ("Silent", "沉默"),
    "churned": ("Churned", "流失"),
    "existing": ("Existing", "存量"),
    "lapsed": ("Lapsed", "流出"),
    "retained": ("Retained", "留存"),
    "base": ("Active base", "活跃用户"),
    # tags
    "price_sensitive": ("Price-sensitive", "价格敏感"),
    "quality_seeking": ("Quality-seeking", "品质导向"),
    "experience_first": ("Experience-first", "体验优先"),
    "balanced": ("Balanced", "均衡"),
    "low_prices": ("Low prices", "低价"),
    "middle_prices": ("Middle prices", "中价"),
    "high_prices": ("High prices", "高价"),
    "weekday": ("weekday", "工作日"),
    "weekend": ("weekend", "周末"),
    "morning": ("morning", "上午"),
    "midday": ("midday", "中午"),
    "afternoon": ("afternoon", "下午"),
    "evening": ("evening", "晚上"),
    "night": ("night", "深夜"),
    # users set aside
    "proxy_buyer": ("Proxy buyer", "代购用户"),
    "service_buyer": ("Service buyer", "服务用户"),
    # metrics
    "gmv": ("GMV", "交易总额"),
    "net": ("Net revenue", "净收入"),
    "orders": ("Orders", "订单数"),
    "payers": ("Payers", "付费用户"),
    "new_payers": ("New payers", "新付费用户"),
    "aov": ("Average order value", "客单价"),
    "arppu": ("Revenue per payer", "ARPPU"),
    "repurchase_rate": ("Repurchase rate", "复购率"),
    "refund_rate": ("Refund rate", "退款率"),
    "units_per_order": ("Units per order", "连带率"),
    "price_realisation": ("Paid of list price", "折扣率"),
    "paid": ("Paid", "实付金额"),
    "refunds": ("Refunds", "退款金额"),
    "payment_rate": ("Payment rate", "支付率"),
    "discount_depth": ("Discount depth", "折扣力度"),
    "margin": ("Margin", "毛利"),
    "margin_rate": ("Margin rate", "毛利率"),
    "coupon_cost": ("Coupon cost", "券成本"),
    "coupon_cost_rate": ("Coupon cost rate", "券成本率"),
    "order_net": ("Net of orders", "订单净额"),
    "known_users": ("Known users", "已知用户数"),
    "orders_per_payer": ("Orders per payer", "人均订单数"),
    "units": ("Units", "件数"),
    "arpu": ("Revenue per user", "ARPU"),
    "payer_reach": ("Share of users who paid", "付费用户占比"),
    "dau": ("Daily active users", "日活（DAU）"),
    "wau": ("Weekly active users", "周活（WAU）"),
    "mau": ("Monthly active users", "月活（MAU）"),
    "stickiness": ("Stickiness", "用户粘性"),
    "product_reach": ("Product reach", "商品触达率"),
    "households": ("Households", "户数"),
    "penetration": ("Penetration", "渗透率"),
    "spend": ("Acquisition spend", "获客投入"),
    "cac": ("Cost per new payer", "获客成本"),
    "roas": ("Return on spend", "投入产出比"),
    "roi": ("Return on investment", "投资回报率"),
    # parts of a change in revenue
    "effect_payers": ("Payers", "付费用户数"),
    "effect_mix": ("Mix of groups", "结构"),
    "effect_frequency": ("Frequency", "下单频次"),
    "effect_order_value": ("Order value", "客单价"),
    "effect_other": ("Other refunds", "其他退款"),
    "net_before": ("Before", "上期"),
    "net_after": ("After", "本期"),
    # columns
    "user_id": ("User", "用户"),
    "community": ("Community", "社区"),
    "segment": ("Segment", "分群"),
    "users": ("Users", "用户数"),
    "share": ("Share", "占比"),
    "monetary": ("Spend", "消费额"),
    "frequency": ("Orders", "订单数"),
    "recency_days": ("Days since last order", "距上次下单天数"),
    "state": ("State", "状态"),
    "since": ("Since", "起始日"),
    "p_silent": ("Risk of silence", "沉默风险"),
    "expected_value": ("Expected value", "预期价值"),
    "next_action": ("Next action", "下一步"),
    "coupon_id": ("Coupon", "优惠券"),
    "favourite_category": ("Favourite category", "偏好品类"),
    "cohort": ("First week", "首单周"),
    "size": ("Size", "人数"),
    "age": ("Weeks later", "第几周"),
    "expected": ("Expected", "预期"),
    "observed": ("Observed", "实际"),
    "users_lost": ("Users lost", "少回来人数"),
    "q_value": ("Chance of a false alarm (q)", "误报概率（q）"),
    "antecedent": ("Who buys", "买了"),
    "consequent": ("also buys", "还买"),
    "confidence": ("How often", "比例"),
    "lift": ("Times the usual", "提升倍数"),
    "count": ("Orders with both", "共同订单"),
    "driver": ("Driver", "驱动因素"),
    "effect_pp": ("Effect in points", "影响（百分点）"),
    "rule": ("Rule", "规则"),
    "reason": ("Reason", "原因"),
    "expected_cost": ("Expected cost", "预计成本"),
    "rows": ("Rows", "行数"),
    "amount": ("Money", "金额"),
    "action": ("Action", "处理"),
    "category": ("Category", "品类"),
    "channel": ("Channel", "渠道"),
    "direction": ("Direction", "方向"),
    "fault": ("Fault", "问题"),
    "column": ("Column", "列"),
    "policy": ("Policy", "处理方式"),
    "fix": ("What to do", "处理建议"),
    "period": ("Week of", "周起始"),
}


def check_language(lang: object) -> Language:
    """The language if it is one of ours.

    Raises:
        ConfigError: If it is not.
    """
    if lang not in LANGUAGES:
        raise ConfigError.unknown_name("lang", lang, LANGUAGES)
    return "zh" if lang == "zh" else "en"


def label(name: str, lang: Language) -> str:
    """The label of a name; names of the host's own stay as they are."""
    pair = _LABELS.get(name)
    return name if pair is None else pair[LANGUAGES.index(lang)]


def labels(lang: Language) -> dict[str, str]:
    """All labels of one language, for templates."""
    at = LANGUAGES.index(lang)
    return {name: pair[at] for name, pair in _LABELS.items()}
