__all__ = [
    'AssociationRules',
    'AttachRate',
    'CrossSellEvaluation',
    'FrequentItemsets',
    'ItemsetsByGroup',
    'association_rules',
    'attach_rate',
    'bundles',
    'contrast_itemsets',
    'cross_sell',
    'cross_sell_many',
    'evaluate_cross_sell',
    'frequent_itemsets',
    'holdout_rules',
    'hot_pulls',
    'plot_contrast',
    'plot_heat',
    'product_heat',
    'units_per_order',
]

class AssociationRules:
    sets: object
    min_confidence: object
    n_tested: object
    def __len__(self): ...
    def measure(self, name): ...
    def plot(self, kind='scatter', *, label=None, ax=None, lang='en'): ...
    def suggest(self, basket, k=5, *, by='confidence'): ...
    def to_frame(self): ...

class AttachRate:
    anchor: object
    addon: object
    orders: object
    anchor_orders: object
    attached_orders: object
    addon_orders: object
    rate: object
    low: object
    high: object
    lift: object
    def to_frame(self): ...

class CrossSellEvaluation:
    table: object
    cases: object
    users: object
    unknown: object
    coverage: object
    def to_frame(self): ...

class FrequentItemsets:
    n_baskets: object
    n_entries: object
    min_count: object
    max_len: object
    keep: object
    algorithm: object
    items: object
    required: object
    weight: object
    def __len__(self): ...
    def count_of(self, itemset): ...
    @property
    def nbytes(self): ...
    def to_frame(self): ...
    @property
    def total_weight(self): ...
    def update(self, baskets, *, since=None, as_of=None, basket='basket', item='item'): ...

class ItemsetsByGroup:
    by: object
    sets: object
    n_nameless: object
    def __getitem__(self, group): ...
    def __iter__(self): ...
    def __len__(self): ...
    def to_frame(self): ...

def association_rules(sets, *, min_confidence=0.5, min_lift=None, max_consequent=None, metrics=None, p_values=False, adjust=None, max_p=None, antecedent=(), consequent=(), prune=None, min_interest=None, top=None, max_rules=20000000): ...

def attach_rate(log, *, as_of, anchor, addon, level=None): ...

def bundles(log, *, since, as_of, level=None, min_support=None, min_count=None, max_q=0.05, top=20): ...

def contrast_itemsets(log, *, as_of, by='community', min_support=None, min_count=None, min_len=2, max_len=3, level='item_id', adjust='bh'): ...

def cross_sell(rules, basket, k=5, *, by='confidence'): ...

def cross_sell_many(rules, baskets, k=5, *, by='confidence'): ...

def evaluate_cross_sell(rules, log, *, since, as_of, k=5, level='item_id', by='confidence', n_bootstrap=1000, seed=0): ...

def frequent_itemsets(baskets, *, min_support=None, min_count=None, max_len=None, keep='all', by=None, include=(), exclude=(), as_of=None, level='item_id', weight=None, half_life=None, appendable=False, basket='basket', item='item', algorithm='auto', max_itemsets=10000000): ...

def holdout_rules(rules, baskets, *, since=None, as_of=None, level='item_id', basket='basket', item='item'): ...

def hot_pulls(log, *, as_of, hot=20, profitable=20, level=None, top=20): ...

def plot_contrast(contrast, *, max_q=0.05, top=12, ax=None, lang='en'): ...

def plot_heat(heat, *, by='amount', ax=None, lang='en'): ...

def product_heat(log, *, as_of, top=20, by='amount', level=None): ...

def units_per_order(log, *, as_of, by=None): ...
