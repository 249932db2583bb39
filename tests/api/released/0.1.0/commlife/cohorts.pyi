__all__ = [
    'Aggregation',
    'CohortQuestion',
    'CohortTable',
    'FittedGrowthPlanner',
    'FittedRetentionDrivers',
    'Goal',
    'GrowthPlan',
    'GrowthPlanner',
    'RetentionAlerts',
    'RetentionCurve',
    'RetentionDrivers',
    'cohort_table',
    'growth_accounting',
    'retention_alerts',
    'retention_curve',
]

class Aggregation:
    def __init__(self, *, name, column=None, how='sum', is_share=False): ...
    name: object
    column: object
    how: object
    is_share: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class CohortQuestion:
    def __init__(self, *, as_of, period='month', measure='retention', by=(), cohort='first_order', washout=None, min_size=None, window=None, brackets=None, max_age=None): ...
    as_of: object
    period: object
    measure: object
    by: object
    cohort: object
    washout: object
    min_size: object
    window: object
    brackets: object
    max_age: object
    called: object
    @property
    def day(self): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def is_share(self): ...
    @property
    def measured(self): ...
    def to_json(self): ...

class CohortTable:
    cells: object
    question: object
    existing_users: object
    suppressed: object
    covariates: object
    def beside(self, ages=(1,)): ...
    def plot(self, column='rate', *, group=None, ax=None): ...
    def pooled(self, *, by_group=True): ...
    def to_frame(self): ...
    def wide(self, column='rate'): ...

class FittedGrowthPlanner:
    fitted_on: object
    spec: object
    groups: object
    unit: object
    new_payers: object
    retention: object
    now: object
    largest_seen: object
    def best_within(self, budget, *, retention_points=0.0, bounds=None, seed=0): ...
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def frontier(self, budgets, *, retention_points=0.0, bounds=None): ...
    def plan(self, goal, *, bounds=None, seed=0): ...
    def response(self, levers, *, seed=0): ...
    def to_json(self): ...

class FittedRetentionDrivers:
    fitted_on: object
    spec: object
    groups: object
    centre: object
    spread: object
    unit: object
    new_payers: object
    retention: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_frame(self): ...
    def to_json(self): ...

class Goal:
    def __init__(self, *, new_payers=0.0, retention_points=0.0): ...
    new_payers: object
    retention_points: object
    called: object
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

class GrowthPlan:
    levers: object
    outcome: object
    reachable: object
    cost: object
    cost_now: object
    def plot(self, ax=None): ...
    def to_frame(self): ...

class GrowthPlanner:
    def __init__(self, *, acquisition, discounts=(), controls=(), group='community', new_payers='new_payers', retained='retained', age=1, recent=4, reach=1.5, prior_sd=1.0, evidence='<factory>'): ...
    acquisition: object
    discounts: object
    controls: object
    group: object
    new_payers: object
    retained: object
    age: object
    recent: object
    reach: object
    prior_sd: object
    evidence: object
    def backtest(self, history, *, last=4): ...
    called: object
    def fit(self, history): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    @property
    def levers(self): ...
    def to_json(self): ...

class RetentionAlerts:
    tested: object
    untested: object
    level: object
    table: object
    def __len__(self): ...
    def drill(self, log, *, by, alert=None): ...
    def plot(self, alert=0, *, ax=None): ...
    def plot_drill(self, log, *, by, alert=0, most=8, ax=None): ...
    def row(self, alert): ...
    def to_frame(self): ...
    def users(self, log, *, alert=None): ...

class RetentionCurve:
    curve: object
    parameters: object
    by: object
    unprojected: object
    def plot(self, ax=None): ...
    def to_frame(self): ...

class RetentionDrivers:
    def __init__(self, *, covariates, log=(), group='community', new_payers='new_payers', retained='retained', age=1, prior_sd=1.0, evidence='<factory>'): ...
    covariates: object
    log: object
    group: object
    new_payers: object
    retained: object
    age: object
    prior_sd: object
    evidence: object
    called: object
    def fit(self, history): ...
    format_version: object
    @classmethod
    def from_json(cls, text): ...
    def to_json(self): ...

def cohort_table(log, *, as_of, period='month', measure='retention', by=None, cohort='first_order', washout=None, min_size=None, max_age=None, window=None, brackets=None, covariates=None): ...

def growth_accounting(log, *, as_of, period='month', by=None, washout=None): ...

def retention_alerts(table, *, level=0.02, ages=None, history=26, min_history=6): ...

def retention_curve(table, *, horizon=12, holdout=2, per='group'): ...
