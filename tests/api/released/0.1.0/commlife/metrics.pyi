__all__ = [
    'BusinessMetrics',
    'Funnel',
    'KFactor',
    'METRICS',
    'Metric',
    'PriceElasticity',
    'RevenueTree',
    'StockTable',
    'business_metrics',
    'days_of_stock',
    'funnel',
    'k_factor',
    'metric_dictionary',
    'price_elasticity',
    'revenue_tree',
    'sell_through',
]

class BusinessMetrics:
    table: object
    rates: object
    absent: object
    period: object
    by: object
    as_of: object
    def __getitem__(self, name): ...
    def __len__(self): ...
    @property
    def columns(self): ...
    def plot(self, metric='net', *, ax=None, lang='en'): ...
    def to_frame(self, lang=None): ...

class Funnel:
    table: object
    unentered: object
    steps: object
    window: object
    by: object
    as_of: object
    def plot(self, *, group=None, ax=None, lang='en'): ...
    def to_frame(self): ...

class KFactor:
    table: object
    set_aside: object
    period: object
    window: object
    as_of: object
    @property
    def k(self): ...
    def plot(self, *, ax=None, lang='en'): ...
    def to_frame(self): ...

METRICS: object

class Metric:
    name: object
    unit: object
    source: object
    numerator: object
    denominator: object
    interval: object
    needs: object
    english: object
    chinese: object
    def lacks(self, log, *, given=()): ...

class PriceElasticity:
    table: object
    refused: object
    level: object
    period: object
    as_of: object
    points: object
    def __len__(self): ...
    def plot(self, *, top=20, ax=None, lang='en'): ...
    def to_frame(self): ...

class RevenueTree:
    table: object
    total: object
    before: object
    after: object
    period: object
    by: object
    as_of: object
    @property
    def effects(self): ...
    def plot(self, *, by_group=False, ax=None, lang='en'): ...
    def sentence(self, lang='en'): ...
    def to_frame(self): ...

class StockTable:
    table: object
    kind: object
    as_of: object
    def __len__(self): ...
    def plot(self, *, top=20, ax=None, lang='en'): ...
    def to_frame(self): ...

def business_metrics(log, *, as_of, period='month', by=None, last=None, metrics=None, washout=None, events=None, households=None, spend=None, reach_users=5, n_boot=500, seed=0): ...

def days_of_stock(log, stock, *, as_of, over=28): ...

def funnel(events, *, steps, as_of, log=None, window='28D', by=None, user_id='user_id', event='event', time='time', timezone='Asia/Shanghai', since=None): ...

def k_factor(invitations, joined, *, as_of, period='week', window='28D', inviter='inviter', invitee='invitee', time='time', timezone='Asia/Shanghai', n_boot=500, seed=0): ...

def metric_dictionary(lang='en'): ...

def price_elasticity(log, *, as_of, level='item_id', period='week', min_periods=12, min_price_spread=0.05): ...

def revenue_tree(log, *, as_of, period='month', against=1, by=None): ...

def sell_through(log, stock, *, as_of, period='week', last=None): ...
