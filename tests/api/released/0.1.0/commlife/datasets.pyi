__all__ = [
    'COMPLETE_JOURNEY_FUEL',
    'Community',
    'Drop',
    'Truth',
    'World',
    'complete_journey_frames',
    'load_cdnow',
    'load_complete_journey',
    'make_community',
]

COMPLETE_JOURNEY_FUEL: object

class Community:
    frame: object
    truth: object
    world: object
    @property
    def as_of(self): ...
    @property
    def log(self): ...
    def trial(self, campaign='trial'): ...

class Drop:
    community: object
    first_day: object
    until: object
    retention_before: object
    retention_during: object
    bait: object

class Truth:
    users: object
    communities: object
    items: object
    pairs: object
    coupons: object
    orders: object
    parameters: object
    drop: object
    def silence(self, as_of, horizon='28D', *, given='rates'): ...

class World:
    def __init__(self, *, n_users=None, seed=0, n_communities=8, n_weeks=26, start='2024-12-30', newcomers_per_week=None, existing_share=0.0, life='pareto_nbd', purchase_shape=1.2, dropout_shape=0.9, dropout_scale=60.0, dropout_a=0.8, dropout_b=2.4, retention=0.4, retention_spread=0.06, spend_spread=0.3, drop_community=0, drop_week=None, drop_weeks=None, drop_retention=0.25, bait=False, n_items=12, n_pairs=4, pair_probability=0.6, lines_per_order=3.0, values='basket', value_p=6.25, value_q=3.74, value_gamma=15.44, trial_share=0.5, trial_week=None, targeted=False, targeted_week=None, coupon_faces=(5.0,), coupon_threshold=20.0, coupon_days=14, coupon_effect=0.4, sleeping_dogs=0.05, proxy_share=0.005, service_share=0.01, refunds=0.03, splits=0.02, repeats=0.01): ...
    n_users: object
    seed: object
    n_communities: object
    n_weeks: object
    start: object
    newcomers_per_week: object
    existing_share: object
    life: object
    purchase_shape: object
    dropout_shape: object
    dropout_scale: object
    dropout_a: object
    dropout_b: object
    retention: object
    retention_spread: object
    spend_spread: object
    drop_community: object
    drop_week: object
    drop_weeks: object
    drop_retention: object
    bait: object
    n_items: object
    n_pairs: object
    pair_probability: object
    lines_per_order: object
    values: object
    value_p: object
    value_q: object
    value_gamma: object
    trial_share: object
    trial_week: object
    targeted: object
    targeted_week: object
    coupon_faces: object
    coupon_threshold: object
    coupon_days: object
    coupon_effect: object
    sleeping_dogs: object
    proxy_share: object
    service_share: object
    refunds: object
    splits: object
    repeats: object
    @property
    def as_of(self): ...
    called: object
    @property
    def first_day(self): ...
    @property
    def first_drop_week(self): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def last_drop_week(self): ...
    @property
    def n_born(self): ...
    @property
    def n_days(self): ...
    @property
    def n_existing(self): ...
    @property
    def n_newcomers(self): ...
    def random(self, aspect): ...
    @property
    def targeted_day(self): ...
    def to_json(self): ...
    @property
    def trial_day(self): ...

def complete_journey_frames(names=('transactions', 'products', 'campaigns', 'campaign_descriptions', 'coupons', 'coupon_redemptions', 'demographics')): ...

def load_cdnow(path): ...

def load_complete_journey(*, engine='pandas', category='department', item='product_id', fuel_units='fill', keep=()): ...

def make_community(n_users=None, seed=0, **settings): ...
