__all__ = [
    'AdjustedEffect',
    'CampaignReadout',
    'FittedUplift',
    'Guardrail',
    'OffPolicyValue',
    'Ranking',
    'Readout',
    'Rollout',
    'RolloutDecision',
    'SampleRatio',
    'Sensitivity',
    'Uplift',
    'UpliftAt',
    'UpliftEstimates',
    'adjust_pvalues',
    'adjusted_effect',
    'assign',
    'auuc',
    'campaign_readout',
    'compare',
    'confidence_sequence',
    'hash_share',
    'minimum_detectable_effect',
    'off_policy_value',
    'power',
    'qini',
    'qini_curve',
    'rank_quality',
    'readout',
    'relative_effect',
    'sample_ratio',
    'sample_size',
    'shrink',
    'uplift_at',
]

class AdjustedEffect:
    effect_size: object
    standard_error: object
    effect_size_ci_lower: object
    effect_size_ci_upper: object
    pvalue: object
    raw_difference: object
    treated: object
    controls: object
    trimmed: object
    effective_treated: object
    effective_controls: object
    balance: object
    propensity: object
    sensitivity: object
    def to_frame(self): ...

class CampaignReadout:
    effects: object
    periods: object
    donors: object
    placebos: object
    unjudged: object
    treated: object
    basis: object
    confidence_level: object
    def plot(self, outcome='gmv'): ...
    def sentences(self, lang='en'): ...
    def to_frame(self): ...

class FittedUplift:
    fitted_on: object
    spec: object
    arms: object
    levels: object
    models: object
    quality: object
    called: object
    @property
    def evaluation(self): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def predict(self, frame, *, shrunken=False): ...
    def to_json(self): ...

class Guardrail:
    def __init__(self, *, outcome, worse='lower', tolerance=0.0): ...
    outcome: object
    worse: object
    tolerance: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class OffPolicyValue:
    ips: object
    snips: object
    dr: object
    standard_errors: object
    rows: object
    matched: object
    effective_sample_size: object
    max_weight: object
    confidence_level: object
    def to_frame(self): ...

class Ranking:
    qini: object
    qini_low: object
    qini_high: object
    auuc: object
    auuc_low: object
    auuc_high: object
    negative_share: object
    negative_low: object
    negative_high: object
    negative_effect: object
    negative_effect_low: object
    negative_effect_high: object
    normalize: object
    users: object
    draws: object
    confidence_level: object
    curve: object
    def plot(self, *, ax=None): ...
    def to_frame(self): ...

class Readout:
    effects: object
    money: object
    assignment: object
    control: object
    start: object
    end: object
    confidence_level: object
    checks: object
    def kept(self, promised, *, metric='margin'): ...
    def of(self, metric, *, by=None): ...
    def plot(self, metric='margin', *, by=None, ax=None): ...
    def to_frame(self): ...

class Rollout:
    def __init__(self, *, salt, stages=(0.01, 0.05, 0.2, 0.5), control=0.1, guardrails, min_users=100, confidence_level=0.95): ...
    salt: object
    stages: object
    control: object
    guardrails: object
    min_users: object
    confidence_level: object
    def arms(self, ids, *, stage): ...
    called: object
    def decide(self, frame, *, stage, planned, user_id='user_id'): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class RolloutDecision:
    decision: object
    reason: object
    stage: object
    share: object
    guardrails: object
    sample_ratio_pvalue: object
    def to_frame(self): ...

class SampleRatio:
    counts: object
    expected: object
    statistic: object
    pvalue: object
    def to_frame(self): ...

class Sensitivity:
    effect_size: object
    margin: object
    residual_variance: object
    mean_squared_weight: object
    def bias(self, outcome, treatment): ...
    def bounds(self, *, outcome, treatment): ...
    @classmethod
    def of(cls, effect_size, margin, *, residual, squared_weight): ...
    @property
    def robustness_value(self): ...
    @property
    def robustness_value_interval(self): ...

class Uplift:
    def __init__(self, *, learner='dr', trees=100, depth=3, learning_rate=0.1, folds=3, seed=0): ...
    learner: object
    trees: object
    depth: object
    learning_rate: object
    folds: object
    seed: object
    called: object
    def fit(self, frame, *, treatment, control, outcome, features, propensity=None): ...
    def fit_with(self, estimator, frame, *, treatment, control, outcome, features, propensity=None): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class UpliftAt:
    confidence_level: object
    control: object
    draws: object
    high: object
    low: object
    share: object
    def to_frame(self): ...
    treated: object

class UpliftEstimates:
    arms: object
    levels: object
    models: object
    quality: object
    rows: object
    shape: object
    @property
    def evaluation(self): ...
    def predict(self, frame, *, shrunken=False): ...

def adjust_pvalues(pvalues, *, method='holm'): ...

def adjusted_effect(frame, *, treatment, outcome, covariates, cluster=None, estimand='all', learner='linear', trim=0.02, folds=5, confidence_level=0.95, seed=0): ...

def assign(ids, *, salt, shares): ...

def auuc(outcome, treatment, score, *, normalize='n2'): ...

def campaign_readout(log, start, end, *, as_of, treated=None, by='community', period='7D', before='56D', silent_after=4, washout=None, confidence_level=0.95): ...

def compare(frame, *, treatment, control, outcome, covariate=None, denominator=None, cluster=None, confidence_level=0.95): ...

def confidence_sequence(frame, *, treatment, control, outcome, planned, covariate=None, confidence_level=0.95): ...

def hash_share(ids, *, salt): ...

def minimum_detectable_effect(*, standard_deviation, treated, controls, power=0.8, level=0.05): ...

def off_policy_value(frame, *, treatment, outcome, policy, propensity='randomised', covariates=(), folds=5, repeats=5, confidence_level=0.95, seed=0): ...

def power(*, effect, standard_deviation, treated, controls, level=0.05): ...

def qini(outcome, treatment, score, *, normalize='n2'): ...

def qini_curve(outcome, treatment, score): ...

def rank_quality(outcome, treatment, score, *, normalize='n2', draws=500, confidence_level=0.95, seed=0): ...

def readout(log, trial, *, as_of, start, window='28D', assignment, user_id='user_id', arm='arm', control='none', shares=None, by=(), coupons=(), redemptions=None, contact_cost=0.0, margin=None, silent_after='28D', covariates=(), cluster=None, confidence_level=0.95, seed=0): ...

def relative_effect(frame, *, treatment, control, outcome, covariate=None, denominator=None, cluster=None, confidence_level=0.95): ...

def sample_ratio(frame, *, treatment, ratio=None): ...

def sample_size(*, effect, standard_deviation, power=0.8, level=0.05, treated_share=0.5): ...

def shrink(estimate, standard_error): ...

def uplift_at(outcome, treatment, score, *, share=0.3, draws=500, confidence_level=0.95, seed=0): ...
