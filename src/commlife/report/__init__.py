"""The whole way through the house: one big user table, one weekly page, one command line."""

from commlife.report.csv import to_csv
from commlife.report.parts import WrittenUserTable, write_user_table
from commlife.report.users import user_table
from commlife.report.weekly import WeeklyReport, weekly_report

__all__ = ["WeeklyReport", "WrittenUserTable", "to_csv", "user_table", "weekly_report", "write_user_table"]
