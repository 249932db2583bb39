__all__ = [
    'CATALOGUE',
    'Feature',
    'FittedSilenceModel',
    'Holdout',
    'HostFeatures',
    'LeverEffect',
    'Panel',
    'Profit',
    'SilenceModel',
    'SilencePanel',
    'Snapshot',
    'SuggestedHorizon',
    'lever_drivers',
    'lever_effect',
    'suggest_horizon',
]

CATALOGUE: object

class Feature:
    def __init__(self, name, unit, kind, en, zh, needs=()): ...
    name: object
    unit: object
    kind: object
    en: object
    zh: object
    needs: object
    def label(self, lang): ...

class FittedSilenceModel:
    spec: object
    fitted_on: object
    features: object
    forest: object
    calibration: object
    committee: object
    committee_scale: object
    groups: object
    evaluation_result: object
    reference: object
    profile: object
    test_day: object
    holdout: object
    def drift(self, log, *, as_of, host=None): ...
    def driver_report(self, path, *, lang='en'): ...
    def drivers(self, by=None, lang='en'): ...
    @property
    def evaluation(self): ...
    def explain_one(self, features, *, lang='en', mode='fast'): ...
    def feature_table(self, log, *, as_of, host=None): ...
    def lift(self): ...
    @classmethod
    def load(cls, folder): ...
    @property
    def plot(self): ...
    def predict(self, log, *, as_of, host=None): ...
    def profit(self, *, value_of_keeping, share_kept, cost_of_contact): ...
    def reasons(self, log, *, as_of, k=3, lang='en', users=None, mode='fast', host=None): ...
    @property
    def reliability(self): ...
    def save(self, folder): ...
    def to_shap(self, log=None, *, as_of=None, host=None, lang='en'): ...
    @property
    def verdict(self): ...
    @property
    def verdict_zh(self): ...

class Holdout:
    users: object
    forecast: object
    silent: object
    lowest: object
    def draws(self, seed, resamples=1000): ...
    def lift(self, seed): ...
    @classmethod
    def of(cls, p, silent): ...
    def profit(self, *, value, kept, cost, seed, day): ...
    @property
    def size(self): ...
    def tenths(self): ...

class HostFeatures:
    def __init__(self, make, features): ...
    make: object
    features: object
    @classmethod
    def from_history(cls, frame, *, known_at, labels=None): ...
    @property
    def names(self): ...

class LeverEffect:
    treatment: object
    effect: object
    users: object
    covariates: object
    yardsticks: object
    fragile: object
    trial_users: object
    caveats: object
    sentence: object
    sentence_zh: object
    def plot(self, ax=None, *, lang='en'): ...
    def to_frame(self): ...

class Panel:
    spec: object
    as_of: object
    snapshots: object
    features: object
    def check(self): ...
    def of(self, role): ...
    def to_frame(self): ...

class Profit:
    curve: object
    users: object
    day: object
    best_share: object
    best_share_low: object
    best_share_high: object
    p_from: object
    break_even: object
    profit: object
    profit_low: object
    profit_high: object
    profit_all: object
    def plot(self, ax=None, *, lang='en'): ...
    @property
    def sentence(self): ...
    @property
    def sentence_zh(self): ...
    def to_frame(self): ...

class SilenceModel:
    def __init__(self, *, horizon='28D', active_within='56D', gap='0D', seed=0, max_depth=3, n_jobs=1, n_trees=200, learning_rate=0.03, snapshots=6, step=None, min_history=None, calibration='last', features=None, kinds=('state', 'lever', 'context'), refits=10, resamples=200): ...
    horizon: object
    active_within: object
    gap: object
    seed: object
    max_depth: object
    n_jobs: object
    n_trees: object
    learning_rate: object
    snapshots: object
    step: object
    min_history: object
    calibration: object
    features: object
    kinds: object
    refits: object
    resamples: object
    called: object
    def fit(self, log, *, as_of, host=None): ...
    def fit_panel(self, panel, *, log=None): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def panel(self): ...
    def to_json(self): ...

class SilencePanel:
    def __init__(self, *, horizon='28D', active_within='56D', gap='0D', snapshots=4, step=None, min_history=None, calibration='last', features=None, kinds=('state', 'lever', 'context')): ...
    horizon: object
    active_within: object
    gap: object
    snapshots: object
    step: object
    min_history: object
    calibration: object
    features: object
    kinds: object
    def build(self, log, *, as_of, host=None): ...
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def gap_days(self): ...
    def now(self, log, *, as_of, host=None): ...
    @property
    def reach(self): ...
    def to_json(self): ...

class Snapshot:
    day: object
    role: object
    users: object
    features: object
    silent: object
    community: object
    def __len__(self): ...
    def to_frame(self): ...

class SuggestedHorizon:
    horizon: object
    comes_back_later: object
    curve: object
    sentence: object
    def plot(self, ax=None): ...
    def to_frame(self): ...

def lever_drivers(log, *, as_of, spec=None, host=None, lang='en'): ...

def lever_effect(panel, *, treatment, above=None, covariates=None, lagged=False, estimand='all', learner='linear', trim=0.02, folds=5, confidence_level=0.95, seed=0): ...

def suggest_horizon(log, *, as_of, share=0.9): ...
