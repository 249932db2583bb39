__all__ = [
    'CampaignLog',
    'campaign_logs',
    'check_adapter',
    'check_pipeline',
    'in_engine',
    'order_frames',
    'order_logs',
    'trial_frames',
]

class CampaignLog:
    coupons: object
    issued: object
    redemptions: object
    faults: object

def campaign_logs(*, max_users=12, valid_days=14): ...

def check_adapter(adapter): ...

def check_pipeline(fn): ...

def in_engine(frame, engine): ...

def order_frames(*, min_rows=1, max_rows=30, min_users=1, refunds=True, ties=True, proxies=False, odd_names=True, n_communities=3, start='2025-01-01', days=120, timezone='Asia/Shanghai', aware=False): ...

def order_logs(*, engine='pandas', **tuning): ...

def trial_frames(*, effects=None, min_users=8, max_users=60, n_communities=3): ...
