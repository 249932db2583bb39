"""Catalogue: what is known of a user before a snapshot, each with its unit, its kind and its labels."""

# ruff: noqa: E501  (the catalogue is a table: one feature a line)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commlife.orders import OrderLog

__all__ = ["CATALOGUE", "Feature", "Kind", "available", "feature_named"]

#: What a feature is to the operator: a state of the user, a lever that she can pull, or the context of both.
Kind = Literal["state", "lever", "context"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One named feature.

    Attributes:
        name: Its name, a column of every feature table.
        unit: Unit of its values.
        kind: ``state`` (what the user has done of late), ``lever`` (what the platform can change) or ``context``.
        en: English label.
        zh: Chinese label.
        needs: Columns of the log of which one must be named.
    """

    name: str
    unit: str
    kind: Kind
    en: str
    zh: str
    needs: tuple[str, ...] = ()

    def label(self, lang: str) -> str:
        """The label in a language (``"en"`` or ``"zh"``)."""
        return self.zh if lang == "zh" else self.en


def _state(name: str, unit: str, en: str, zh: str, *needs: str) -> Feature:
    return Feature(name, unit, "state", en, zh, needs)


def _lever(name: str, unit: str, en: str, zh: str, *needs: str) -> Feature:
    return Feature(name, unit, "lever", en, zh, needs)


def _context(name: str, unit: str, en: str, zh: str, *needs: str) -> Feature:
    return Feature(name, unit, "context", en, zh, needs)


CATALOGUE: tuple[Feature, ...] = (
    _state("recency_days", "days", "days since the last order", "距上次下单天数"),
    _state("recency_ratio", "times", "days since the last order against the own mean gap", "距上次下单天数与自身平均间隔之比"),
    _state("recency_excess", "days", "days since the last order beyond the own mean gap", "距上次下单超出自身平均间隔的天数"),
    _state("orders", "orders", "orders so far", "累计订单数"),
    _state("orders_per_week", "orders a week", "orders a week since the first one", "首单以来每周订单数"),
    _state("orders_7", "orders", "orders in the last 7 days", "近7天订单数"),
    _state("orders_28", "orders", "orders in the last 28 days", "近28天订单数"),
    _state("orders_90", "orders", "orders in the last 90 days", "近90天订单数"),
    _state("orders_trend", "orders", "orders in the last 28 days less those in the 28 before", "近28天订单数较前28天的增减"),
    _state("active_weeks_12", "weeks", "weeks with an order, of the last 12", "近12周有下单的周数"),
    _state("spend", "money", "spend so far", "累计消费金额"),
    _state("spend_7", "money", "spend in the last 7 days", "近7天消费金额"),
    _state("spend_28", "money", "spend in the last 28 days", "近28天消费金额"),
    _state("spend_90", "money", "spend in the last 90 days", "近90天消费金额"),
    _state("spend_trend", "money", "spend in the last 28 days less that in the 28 before", "近28天消费较前28天的增减"),
    _state("order_value", "money", "mean value of an order", "平均客单价"),
    _state("order_value_max", "money", "largest order", "最大一单金额"),
    _state("last_order_value_ratio", "times", "value of the last order day against the own mean order day", "最近下单日金额与自身均值之比"),
    _state("gap_mean", "days", "mean gap between order days", "平均下单间隔"),
    _state("gap_spread", "days", "spread (standard deviation) of the gaps between order days", "下单间隔的波动"),
    _state("gap_max", "days", "longest gap between order days", "最长下单间隔"),
    _state("gap_last", "days", "last gap between order days", "最近一次下单间隔"),
    _state("category_breadth", "categories", "categories bought so far", "累计购买品类数", "category"),
    _state("category_breadth_90", "categories", "categories bought in the last 90 days", "近90天购买品类数", "category"),
    _state("category_entropy", "nats", "variety of categories (Renyi entropy of order 2)", "品类多样性（二阶熵）", "category"),
    _state("category_top_share", "share", "share of the favourite category", "首选品类占比", "category"),
    _state("item_repeat_share", "share", "share of lines with an item bought before", "复购商品行占比", "item_id"),
    _state("lines_per_order", "lines", "lines in an order", "每单商品行数", "order_id"),
    _state("units_per_order", "units", "units in an order", "连带率（每单件数）", "quantity"),
    _state("unit_value", "money", "money a unit (price band)", "件均价（价格带）", "quantity"),
    _lever("discount_depth", "share", "discount depth: share of the list price taken off", "折扣深度（优惠占原价比例）", "discount", "list_amount"),
    _lever("discount_depth_28", "share", "discount depth in the last 28 days", "近28天折扣深度", "discount", "list_amount"),
    _lever("subsidised_share", "share", "share of orders with a discount or coupon", "享受补贴订单占比", "discount", "list_amount", "coupon_id"),
    _lever("subsidised_orders_28", "orders", "orders with a discount or coupon in the last 28 days", "近28天享受补贴订单数", "discount", "list_amount", "coupon_id"),
    _lever("coupon_orders_90", "orders", "orders with a coupon in the last 90 days", "近90天用券订单数", "coupon_id"),
    _state("refund_share", "share", "share of the money refunded", "退款金额占比"),
    _state("refund_lines_90", "lines", "refund lines in the last 90 days", "近90天退款行数"),
    _state("weekend_share", "share", "share of orders at weekends", "周末下单占比"),
    _state("evening_share", "share", "share of orders from 18:00 on", "18点后下单占比"),
    _state("hour_mean", "hours", "mean hour of the day of the orders", "平均下单时刻"),
    _context("tenure_days", "days", "days since the first order", "距首单天数"),
    _context("first_order_value", "money", "value of the first order day", "首单日金额"),
    _context("first_gap", "days", "days from the first to the second order day", "首单到次单的天数"),
    _context("first_subsidised", "yes or no", "first order had a discount or coupon", "首单享受补贴", "discount", "list_amount", "coupon_id"),
    _context("communities", "communities", "communities ordered in", "下单小区数", "community"),
    _context("channels", "channels", "channels ordered through", "下单渠道数", "channel"),
    _context("addresses", "addresses", "delivery addresses", "收货地址数", "address_id"),
    _context("community_active", "users", "active users of the own community (28 days)", "所在小区近28天活跃用户数", "community"),
    _context("community_trend", "share", "change of active users of the own community against the 28 days before", "所在小区活跃用户环比", "community"),
    _context("community_silence", "share", "share of the own community's users who have gone silent (28 days)", "所在小区沉默率", "community"),
    _context("community_new_share", "share", "share of newcomers among the own community's active users", "所在小区新客占比", "community"),
)  # fmt: skip
"""Every feature that commlife makes, in the fixed order in which a model sees them."""

_BY_NAME = {feature.name: feature for feature in CATALOGUE}


def available(log: OrderLog) -> tuple[Feature, ...]:
    """The features that a log's columns allow."""
    return tuple(f for f in CATALOGUE if not f.needs or any(log.has(column) for column in f.needs))


def feature_named(name: str, *, host: Sequence[str] = ()) -> Feature:
    """A feature by its name; the host's own are named by their column.

    Raises:
        ConfigError: If there is no such feature.

    Examples:
        >>> feature_named("recency_days").unit
        'days'
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in host:
        return Feature(name, "as given", "state", name, name)
    raise ConfigError.unknown_name("the feature", name, [*_BY_NAME, *host])
