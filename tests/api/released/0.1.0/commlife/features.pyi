__all__ = [
    'purchase_summary',
    'repurchase_cycles',
]

def purchase_summary(log, *, as_of, washout=None, attributes=()): ...

def repurchase_cycles(log, *, as_of, min_gaps=4, coverage=0.8, level='category'): ...
