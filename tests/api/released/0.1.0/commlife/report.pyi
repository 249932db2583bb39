__all__ = [
    'WeeklyReport',
    'to_csv',
    'user_table',
    'weekly_report',
]

class WeeklyReport:
    path: object
    users: object
    notes: object

def to_csv(table): ...

def user_table(log, *, as_of, rfm=None, lifecycle=None, silence=None, offers=None, budget=None, lang='en'): ...

def weekly_report(log, *, as_of, path='report.html', lang='en', mask_users=True, rfm=None, lifecycle=None, silence=None, offers=None, budget=None): ...
