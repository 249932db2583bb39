"""Coupons: to whom, how much, within which budget."""

from commlife.coupons.allocation import Allocation, allocate
from commlife.coupons.apportionment import apportion, refund_due
from commlife.coupons.fairness import fairness_audit
from commlife.coupons.figures import plot_fairness, plot_frontier
from commlife.coupons.frontier import frontier
from commlife.coupons.guard import PriceGuard
from commlife.coupons.offers import Campaign, Coupon
from commlife.coupons.policy import CouponPlan, Policy
from commlife.coupons.pricing import Priced, best_combination, price
from commlife.coupons.records import Issuance, Redemption, Reminder
from commlife.coupons.redemptions import audit_redemptions
from commlife.coupons.reminders import ExpiryReminders
from commlife.coupons.response import CouponResponse, FittedCouponResponse
from commlife.coupons.targeting import CrossCategory, Rule, SecondOrder, TaperSubsidy, WinBack
from commlife.coupons.thresholds import Threshold, ThresholdLadder, parse_threshold

__all__ = [
    "Allocation",
    "Campaign",
    "Coupon",
    "CouponPlan",
    "CouponResponse",
    "CrossCategory",
    "ExpiryReminders",
    "FittedCouponResponse",
    "Issuance",
    "Policy",
    "PriceGuard",
    "Priced",
    "Redemption",
    "Reminder",
    "Rule",
    "SecondOrder",
    "TaperSubsidy",
    "Threshold",
    "ThresholdLadder",
    "WinBack",
    "allocate",
    "apportion",
    "audit_redemptions",
    "best_combination",
    "fairness_audit",
    "frontier",
    "parse_threshold",
    "plot_fairness",
    "plot_frontier",
    "price",
    "refund_due",
]
