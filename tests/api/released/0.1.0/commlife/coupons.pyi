__all__ = [
    'Allocation',
    'Campaign',
    'Coupon',
    'CouponPlan',
    'CouponResponse',
    'CrossCategory',
    'ExpiryReminders',
    'FittedCouponResponse',
    'Issuance',
    'Policy',
    'PriceGuard',
    'Priced',
    'Redemption',
    'Reminder',
    'Rule',
    'SecondOrder',
    'TaperSubsidy',
    'Threshold',
    'ThresholdLadder',
    'WinBack',
    'allocate',
    'apportion',
    'audit_redemptions',
    'best_combination',
    'fairness_audit',
    'frontier',
    'parse_threshold',
    'plot_fairness',
    'plot_frontier',
    'price',
    'refund_due',
]

class Allocation:
    choice: object
    value: object
    cost: object
    upper_bound: object
    gap: object
    shadow_price: object
    cap_prices: object
    channel_prices: object
    overspend_prob: object
    shrunken_value: object
    def forecast(self, kept): ...
    def to_frame(self): ...

class Campaign:
    def __init__(self, *, campaign_id, coupons, valid_from=None, valid_until=None, budget=None): ...
    campaign_id: object
    coupons: object
    valid_from: object
    valid_until: object
    budget: object
    called: object
    def coupon(self, coupon_id): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class Coupon:
    def __init__(self, *, coupon_id, amount=None, percent=None, minimum_spend=0.0, max_discount=None, categories=(), items=(), valid_from=None, valid_until=None, valid_days=None, stacking='stackable', priority=0, per_user_limit=None, label=''): ...
    coupon_id: object
    amount: object
    percent: object
    minimum_spend: object
    max_discount: object
    categories: object
    items: object
    valid_from: object
    valid_until: object
    valid_days: object
    stacking: object
    priority: object
    per_user_limit: object
    label: object
    called: object
    def describe(self, lang='en'): ...
    def discount_on(self, spend): ...
    def expected_discount(self, spend): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @classmethod
    def from_threshold(cls, coupon_id, text, **more): ...
    @property
    def largest_discount(self): ...
    def to_json(self): ...
    def valid_on(self, day, *, issued=None): ...
    def window(self, *, issued=None): ...

class CouponPlan:
    users: object
    audit: object
    summary: object
    fairness: object
    budget: object
    expected_cost: object
    largest_cost: object
    planning_value: object
    allocation: object
    salt: object
    def issuances(self, *, issued): ...
    def to_frame(self): ...

class CouponResponse:
    def __init__(self, *, numbers=(), texts=(), crosses=(), n_buckets=10, min_count=20, trees=150, depth=3, learning_rate=0.1, folds=5, holdout=0.25, seed=0): ...
    numbers: object
    texts: object
    crosses: object
    n_buckets: object
    min_count: object
    trees: object
    depth: object
    learning_rate: object
    folds: object
    holdout: object
    seed: object
    called: object
    def fit(self, frame, *, redeemed='redeemed', face='face', user_id='user_id', day=None): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class CrossCategory:
    def __init__(self, *, redemption_rate=0.1, incremental_share=0.5, name='cross_category', coupons, basket_rules=(), states=('new', 'active', 'returned', 'existing')): ...
    redemption_rate: object
    incremental_share: object
    name: object
    coupons: object
    basket_rules: object
    states: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def propose(self, users, lang): ...
    def to_json(self): ...
    def with_rules(self, rules, *, min_lift=1.0): ...

class ExpiryReminders:
    def __init__(self, *, lead_days=3, quiet_from=21, quiet_until=8, per_user_cap=1): ...
    lead_days: object
    quiet_from: object
    quiet_until: object
    per_user_cap: object
    called: object
    def due(self, issued, coupons, *, now, lang='en'): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class FittedCouponResponse:
    fitted_on: object
    spec: object
    face: object
    edges: object
    levels: object
    pairs: object
    model: object
    platt: object
    quality: object
    judged_on: object
    def by_face(self, frame, faces): ...
    called: object
    @property
    def evaluation(self): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def predict(self, frame): ...
    def to_json(self): ...

class Issuance:
    def __init__(self, *, user_id, coupon_id, issued, plan='', rule='', reason=''): ...
    user_id: object
    coupon_id: object
    issued: object
    plan: object
    rule: object
    reason: object
    called: object
    format_version: object
    @classmethod
    def from_frame(cls, frame): ...
    @classmethod
    def from_json(cls, text): ...
    @classmethod
    def to_frame(cls, records): ...
    def to_json(self): ...

class Policy:
    def __init__(self, *, rules, holdout=0.1, salt, overspend=0.0, rest_days=None, most_coupons=None, cap_days=28, guard=None, min_roi=0.0): ...
    rules: object
    holdout: object
    salt: object
    overspend: object
    rest_days: object
    most_coupons: object
    cap_days: object
    guard: object
    min_roi: object
    called: object
    @property
    def coupons(self): ...
    format_version: object
    @classmethod
    def from_coupons(cls, coupons, *, salt, holdout=0.1): ...
    @classmethod
    def from_json(cls, text): ...
    def plan(self, users, *, budget=None, issued=None, on=None, lang='en'): ...
    def to_json(self): ...

class PriceGuard:
    def __init__(self, *, deny=('gender', 'age', 'device', 'payment_method'), floor_share=0.0, above_cost=False, lookback='30D'): ...
    deny: object
    floor_share: object
    above_cost: object
    lookback: object
    def audit_prices(self, log, prices, *, as_of): ...
    called: object
    def check(self, columns): ...
    def floors(self, amounts, costs=None, *, currency_digits=2): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class Priced:
    total: object
    discount: object
    payable: object
    applied: object
    rejected: object
    lines: object
    def to_frame(self): ...

class Redemption:
    def __init__(self, *, user_id, coupon_id, day, order_id=None, amount=None, discount=None): ...
    user_id: object
    coupon_id: object
    day: object
    order_id: object
    amount: object
    discount: object
    called: object
    format_version: object
    @classmethod
    def from_frame(cls, frame): ...
    @classmethod
    def from_json(cls, text): ...
    @classmethod
    def to_frame(cls, records): ...
    def to_json(self): ...

class Reminder:
    def __init__(self, *, user_id, coupon_id, send_at, last_day, days_left, message=''): ...
    user_id: object
    coupon_id: object
    send_at: object
    last_day: object
    days_left: object
    message: object
    called: object
    format_version: object
    @classmethod
    def from_frame(cls, frame): ...
    @classmethod
    def from_json(cls, text): ...
    @classmethod
    def to_frame(cls, records): ...
    def to_json(self): ...

Rule: object

class SecondOrder:
    def __init__(self, *, redemption_rate=0.1, incremental_share=0.5, name='second_order', coupon, within_days=30): ...
    redemption_rate: object
    incremental_share: object
    name: object
    coupon: object
    within_days: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def propose(self, users, lang): ...
    def to_json(self): ...

class TaperSubsidy:
    def __init__(self, *, redemption_rate=0.5, incremental_share=0.05, name='taper_subsidy', coupon=None, segments=('Champions', 'Loyal'), min_frequency=None): ...
    redemption_rate: object
    incremental_share: object
    name: object
    coupon: object
    segments: object
    min_frequency: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def propose(self, users, lang): ...
    def to_json(self): ...

class Threshold:
    minimum_spend: object
    discount: object

class ThresholdLadder:
    def __init__(self, *, tiers): ...
    tiers: object
    called: object
    def discount(self, amount): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def missing(self, amount): ...
    def to_json(self): ...

class WinBack:
    def __init__(self, *, redemption_rate=0.05, incremental_share=0.8, name='win_back', coupon, states=('silent', 'churned'), min_frequency=1, p_silent_at_least=None): ...
    redemption_rate: object
    incremental_share: object
    name: object
    coupon: object
    states: object
    min_frequency: object
    p_silent_at_least: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def propose(self, users, lang): ...
    def to_json(self): ...

def allocate(value, cost, budget, *, group=None, group_caps=None, eligible=None, min_roi=0.0, redemption=None, max_overspend_prob=None, channel=None, channel_capacity=None, standard_error=None, solver='fast'): ...

def apportion(amounts, discount, *, weights=None, currency_digits=2): ...

def audit_redemptions(redemptions, issued, coupons): ...

def best_combination(basket, coupons, *, stacking='rules', on=None, currency_digits=2): ...

def fairness_audit(discount, attributes): ...

def frontier(value, cost, *, budgets=None, eligible=None): ...

def parse_threshold(text): ...

def plot_fairness(audit, *, ax=None): ...

def plot_frontier(curve, *, plan=None, ax=None): ...

def price(basket, coupons, *, stacking='rules', on=None, currency_digits=2): ...

def refund_due(amounts, discount, returned=None, *, returned_amounts=None, already=None, weights=None, currency_digits=2): ...
