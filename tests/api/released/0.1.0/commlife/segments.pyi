__all__ = [
    'ACTIONS',
    'BEHAVIOUR',
    'BehaviourTypes',
    'ContactLists',
    'Drift',
    'FittedBehaviourTypes',
    'FittedLifecycle',
    'FittedLoyalty',
    'FittedRFM',
    'FittedValueIndex',
    'GroupCuts',
    'InterestGroups',
    'Lifecycle',
    'Loyalty',
    'Migration',
    'OutreachReadout',
    'Quadrants',
    'RFM',
    'RFMScore',
    'ReturnCurve',
    'STATES',
    'Segment',
    'SegmentMap',
    'SegmentSummary',
    'TAGS',
    'UserTags',
    'ValueIndex',
    'call_back_list',
    'contact_lists',
    'interest_groups',
    'migration',
    'outreach_readout',
    'quadrants',
    'return_curve',
    'standard_map',
    'user_tags',
]

ACTIONS: object

BEHAVIOUR: object

class BehaviourTypes:
    def __init__(self, *, n_types=None, max_types=8, min_share=0.03, behaviour=None, restarts=3, seed=0, lang='en'): ...
    n_types: object
    max_types: object
    min_share: object
    behaviour: object
    restarts: object
    seed: object
    lang: object
    called: object
    def fit(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class ContactLists:
    new: object
    active: object
    silent: object
    newcomers: object
    table: object
    second_period: object
    def to_frame(self): ...

class Drift:
    table: object
    shares: object
    @property
    def needs_refit(self): ...
    def to_frame(self): ...

class FittedBehaviourTypes:
    fitted_on: object
    spec_json: object
    behaviour: object
    scales: object
    shares: object
    types: object
    criterion: object
    lang: object
    users_of_type: object
    certainty: object
    @property
    def bic(self): ...
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def names(self): ...
    def plot(self, ax=None): ...
    def posterior(self, users): ...
    def score(self, **behaviour): ...
    @property
    def table(self): ...
    def to_json(self): ...
    def transform(self, log, *, as_of): ...

class FittedLifecycle:
    spec: object
    states: object
    counts: object
    transitions: object
    growth: object
    fitted_on: object
    def plot(self, ax=None, *, kind='stocks'): ...
    def to_frame(self): ...
    def wide(self, lang=None): ...

class FittedLoyalty:
    spec: object
    index: object
    fitted_on: object
    def to_frame(self): ...

class FittedRFM:
    fitted_on: object
    n_bins: object
    segment_map: object
    weights: object
    by: object
    lookback: object
    monetary: object
    lang: object
    cuts: object
    group_cuts: object
    score_counts: object
    called: object
    def drift(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def score(self, *, recency_days, frequency, monetary, group=None): ...
    def summary(self, log, *, as_of): ...
    def to_json(self): ...
    def transform(self, log, *, as_of): ...

class FittedValueIndex:
    fitted_on: object
    rfm: object
    method: object
    loadings: object
    explained: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...
    def transform(self, log, *, as_of): ...

class GroupCuts:
    group: object
    users: object
    cuts: object

class InterestGroups:
    users: object
    table: object
    level: object
    as_of: object
    def to_frame(self): ...

class Lifecycle:
    def __init__(self, *, period='7D', silent_after=1, churned_after=8, washout=None, by=(), lang='en'): ...
    period: object
    silent_after: object
    churned_after: object
    washout: object
    by: object
    lang: object
    called: object
    def fit(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class Loyalty:
    def __init__(self, *, period='7D', n_periods=8, decay=0.8): ...
    period: object
    n_periods: object
    decay: object
    called: object
    def fit(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class Migration:
    table: object
    def plot(self, ax=None, *, lang='en'): ...
    def to_frame(self): ...
    def wide(self, value='users'): ...

class OutreachReadout:
    table: object
    balance: object
    within: object
    as_of: object
    def plot(self, ax=None, *, lang='en'): ...
    def sentence(self, lang='en'): ...
    def to_frame(self): ...
    @property
    def verdict(self): ...

class Quadrants:
    users: object
    table: object
    value_cut: object
    churn_cut: object
    lang: object
    def plot(self, ax=None): ...
    def to_frame(self): ...

class RFM:
    def __init__(self, *, n_bins=5, segment_map=None, cuts=None, weights=None, by=None, min_group_users=100, lookback=None, monetary='total', lang=None): ...
    n_bins: object
    segment_map: object
    cuts: object
    weights: object
    by: object
    min_group_users: object
    lookback: object
    monetary: object
    lang: object
    called: object
    def fit(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def resolved_map(self): ...
    def to_json(self): ...

class RFMScore:
    r_score: object
    f_score: object
    m_score: object
    rfm_code: object
    segment: object
    next_action: object

class ReturnCurve:
    table: object
    period: object
    within: object
    def lifecycle(self, *, silent_below=0.6, churned_below=0.1, **settings): ...
    def plot(self, ax=None, *, lang='en'): ...
    def threshold(self, probability): ...
    def to_frame(self): ...

STATES: object

class Segment:
    def __init__(self, *, name, codes, name_en='', name_zh='', next_action_en='', next_action_zh=''): ...
    name: object
    codes: object
    name_en: object
    name_zh: object
    next_action_en: object
    next_action_zh: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def label(self, lang): ...
    def to_json(self): ...

class SegmentMap:
    def __init__(self, *, n_bins, segments): ...
    n_bins: object
    segments: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @classmethod
    def from_rules(cls, rules, *, n_bins=5, otherwise=None): ...
    def labels(self, lang=None): ...
    def segment_of(self, code, *, lang=None): ...
    def to_frame(self): ...
    def to_json(self): ...

class SegmentSummary:
    table: object
    grid: object
    n_bins: object
    lang: object
    def plot(self, ax=None): ...
    def to_frame(self): ...

TAGS: object

class UserTags:
    users: object
    tags: object
    due: object
    counts: object
    as_of: object
    def to_frame(self, lang=None): ...

class ValueIndex:
    def __init__(self, *, rfm=RFM(n_bins=5, segment_map=None, cuts=None, weights=None, by=None, min_group_users=100, lookback=None, monetary='total', lang=None), method='weighted', weights='<factory>'): ...
    rfm: object
    method: object
    weights: object
    called: object
    def fit(self, log, *, as_of): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

def call_back_list(log, *, as_of, lifecycle=None, states=('silent',), within=4, cost_per_call=0.0, top=None): ...

def contact_lists(log, *, as_of, lifecycle=None): ...

def interest_groups(log, *, as_of, max_size=50, min_size=5, min_orders=3, lookback=None, level='category', permutations=200, seed=0): ...

def migration(before, after): ...

def outreach_readout(calls, log, *, as_of, within='14D', stays_within='28D', user_id='user_id', called_at='called_at', channel='channel', outcome='outcome', list_name=None, reached=('reached',), cost=None, margin=1.0, match_community=False): ...

def quadrants(value, churn, *, value_column='value_index', churn_column='churn_index', value_cut=None, churn_cut=None, lang='en'): ...

def return_curve(log, *, as_of, period='7D', within=4): ...

def standard_map(name, n_bins): ...

def user_tags(log, *, as_of, window='84D', step='28D', history=12, min_orders=3, min_gaps=4, coverage=0.8): ...
