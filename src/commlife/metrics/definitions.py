"""Definitions of metrics: for each its unit, what it divides by what, what it needs, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Collection

    from commlife.orders import OrderLog

__all__ = ["METRICS", "Metric"]

Unit = Literal["money", "count", "share", "ratio"]
#: Where a metric's sums come from: one pass over lines, orders, days of activity, products; or the host's own figures.
Source = Literal["lines", "orders", "activity", "products", "host"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and its definition.

    Attributes:
        name: Its column.
        unit: ``money`` (major units), ``count``, ``share`` (of a whole, 0 to 1 where nothing is negative) or ``ratio``.
        source: What it is computed from.
        numerator: Name of the sum above the line; the metric itself where there is nothing below.
        denominator: Name of the sum below the line, None for a plain sum.
        interval: ``wilson`` for counts out of counts, ``bootstrap`` for ratios over users, empty for none.
        needs: Columns of the log and arguments of the call without which it is absent.
        english: Definition in English.
        chinese: Definition in Chinese.
    """

    name: str
    unit: Unit
    source: Source
    numerator: str
    denominator: str | None
    interval: Literal["", "wilson", "bootstrap"]
    needs: tuple[str, ...]
    english: str
    chinese: str

    def lacks(self, log: OrderLog, *, given: Collection[str] = ()) -> list[str]:
        """What is missing of what it needs: columns of the log, or arguments that were not given."""
        need_log(log, "Metric.lacks")
        has = {*log.columns, *given} - ({"status"} if log._paid_statuses is None else set())
        return [need for need in self.needs if has.isdisjoint(need.split(" or "))]


def _sum(name: str, unit: Unit, source: Source, english: str, chinese: str, needs: tuple[str, ...] = ()) -> Metric:
    return Metric(name, unit, source, name, None, "", needs, english, chinese)


_KINDS = (
    _sum(
        "gmv",
        "money",
        "lines",
        "Money of all lines above 0, whatever their status.",
        "所有金额大于 0 的订单行之和，不论状态。",
    ),
    _sum("paid", "money", "lines", "Money of paid lines above 0.", "已支付且金额大于 0 的订单行之和。"),
    _sum(
        "refunds",
        "money",
        "lines",
        "Money of paid lines below 0, as a positive number.",
        "退款金额（负金额行），以正数表示。",
    ),
    _sum("net", "money", "lines", "Paid less refunds.", "实付减退款。"),
    Metric(
        "refund_rate",
        "share",
        "lines",
        "refunds",
        "paid",
        "bootstrap",
        (),
        "Refunds over paid money, both of this period; above 1 where earlier sales come back.",
        "本期退款金额 ÷ 本期实付金额；退的是往期订单时可大于 1。",
    ),
    Metric(
        "payment_rate",
        "share",
        "lines",
        "paid",
        "gmv",
        "bootstrap",
        ("status",),
        "Paid money over GMV.",
        "实付金额 ÷ 交易总额。",
    ),
    Metric(
        "price_realisation",
        "share",
        "lines",
        "listed_paid",
        "listed",
        "bootstrap",
        ("list_amount or discount",),
        "Paid over list money, of paid lines above 0 whose list money is known: 0.8 is 20% off.",
        "实付 ÷ 标价（仅限标价已知的已付行）：0.8 即八折。",
    ),
    Metric(
        "discount_depth",
        "share",
        "lines",
        "let_off",
        "listed",
        "bootstrap",
        ("list_amount or discount",),
        "1 less the price realisation.",
        "1 − 折扣率。",
    ),
    _sum(
        "margin",
        "money",
        "lines",
        "Net money less cost, of paid lines whose cost is known.",
        "净额减成本（仅限成本已知的已付行）。",
        ("cost",),
    ),
    Metric(
        "margin_rate",
        "share",
        "lines",
        "margin",
        "margin_net",
        "bootstrap",
        ("cost",),
        "Margin over the net money of the same lines.",
        "毛利 ÷ 同一批订单行的净额。",
    ),
    _sum(
        "coupon_cost",
        "money",
        "lines",
        "Discount of paid lines above 0 that used a coupon.",
        "使用优惠券的已付行的优惠金额。",
        ("discount", "coupon_id"),
    ),
    Metric(
        "coupon_cost_rate",
        "share",
        "lines",
        "coupon_cost",
        "paid",
        "bootstrap",
        ("discount", "coupon_id"),
        "Coupon cost over paid money.",
        "券成本 ÷ 实付金额。",
    ),
    _sum("orders", "count", "orders", "Orders that count.", "有效订单数。"),
    _sum(
        "order_net",
        "money",
        "orders",
        "Net of the orders that count, dated by the order: payers x frequency x AOV.",
        "有效订单净额，按下单日归期：付费用户 × 人均订单数 × 客单价。",
    ),
    _sum(
        "payers",
        "count",
        "orders",
        "Users with an order that counts in this period (active payers).",
        "本期有有效订单的用户数。",
    ),
    _sum(
        "new_payers",
        "count",
        "orders",
        "Users whose first order that counts lies in this period; existing ones are not new.",
        "首个有效订单落在本期的用户数，存量用户不算新。",
    ),
    _sum(
        "known_users",
        "count",
        "orders",
        "Users with an order that counts before the period's end; with events, also users seen there.",
        "截至期末有过有效订单的用户数；有行为日志时含日志中出现过的用户。",
    ),
    Metric(
        "aov",
        "money",
        "orders",
        "order_net",
        "orders",
        "bootstrap",
        (),
        "Net of the orders that count, an order.",
        "有效订单净额 ÷ 有效订单数。",
    ),
    Metric(
        "orders_per_payer",
        "ratio",
        "orders",
        "orders",
        "payers",
        "bootstrap",
        (),
        "Orders a payer.",
        "有效订单数 ÷ 付费用户数。",
    ),
    _sum(
        "units",
        "count",
        "orders",
        "Units of the orders that count; a line of negative money takes its units off.",
        "有效订单的件数，退货行扣减。",
        ("quantity",),
    ),
    Metric(
        "units_per_order",
        "ratio",
        "orders",
        "units",
        "orders",
        "bootstrap",
        ("quantity",),
        "Units an order; not the attach rate.",
        "件数 ÷ 订单数（连带率），不是搭售率。",
    ),
    Metric(
        "arpu",
        "money",
        "orders",
        "order_net",
        "known_users",
        "bootstrap",
        (),
        "Net of the orders that count, a known user.",
        "有效订单净额 ÷ 已知用户数。",
    ),
    Metric(
        "arppu",
        "money",
        "orders",
        "order_net",
        "payers",
        "bootstrap",
        (),
        "Net of the orders that count, a payer.",
        "有效订单净额 ÷ 付费用户数。",
    ),
    Metric(
        "repurchase_rate",
        "share",
        "orders",
        "repeat_payers",
        "payers",
        "wilson",
        (),
        "Share of the period's payers with two or more orders in it.",
        "本期付费用户中下单两次及以上者的占比。",
    ),
    Metric(
        "payer_reach",
        "share",
        "orders",
        "payers",
        "known_users",
        "wilson",
        (),
        "Payers out of known users.",
        "付费用户 ÷ 已知用户。",
    ),
    Metric(
        "dau",
        "count",
        "activity",
        "active_days",
        "days",
        "",
        (),
        "Active users a day, the mean over the period's days; active is an order that counts, or an event if given.",
        "期内日均活跃用户数；活跃指有有效订单，给出行为日志时含行为。",
    ),
    _sum("wau", "count", "activity", "Users active in the last 7 days of the period.", "期末最近 7 天活跃用户数。"),
    _sum(
        "mau",
        "count",
        "activity",
        "Users active in the 30 days that end with the period.",
        "截至期末 30 天活跃用户数。",
    ),
    Metric(
        "stickiness",
        "share",
        "activity",
        "active_days_30",
        "mau_days",
        "",
        (),
        "Active users a day over those 30 days, out of MAU.",
        "这 30 天的日均活跃用户 ÷ MAU。",
    ),
    Metric(
        "product_reach",
        "share",
        "products",
        "reached_items",
        "catalogue",
        "wilson",
        ("item_id",),
        "Share of the items sold in this period that at least reach_users users (of the group) bought, net of refunds.",
        "本期在售商品中，（该组内）至少有 reach_users 名用户购买的占比（扣除退款）。",
    ),
    _sum(
        "households",
        "count",
        "host",
        "Households of the community, as the host gives them.",
        "社区户数，由平台提供。",
        ("households",),
    ),
    Metric(
        "penetration",
        "share",
        "host",
        "payers",
        "households",
        "wilson",
        ("households",),
        "Payers per household.",
        "付费用户数 ÷ 社区户数。",
    ),
    _sum("spend", "money", "host", "What the host spent to win users, as given.", "获客投入，由平台提供。", ("spend",)),
    Metric(
        "cac", "money", "host", "spend", "new_payers", "", ("spend",), "Spend a new payer.", "投入 ÷ 新付费用户数。"
    ),
    Metric(
        "roas",
        "ratio",
        "host",
        "net",
        "spend",
        "",
        ("spend",),
        "Net money per unit of money spent, in the same period.",
        "同期净收入 ÷ 投入。",
    ),
    Metric(
        "roi",
        "ratio",
        "host",
        "gain",
        "spend",
        "",
        ("spend", "cost"),
        "Margin less spend, per unit of money spent, in the same period.",
        "（同期毛利 − 投入）÷ 投入。",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _KINDS}
"""Every metric by name, in the order of the table's columns."""
