"""A shop's export becomes an OrderLog: validated, immutable, in one vocabulary."""

from commlife.orders.calendar import Duration, Period, Timestamp
from commlife.orders.cleaning import CleaningRules
from commlife.orders.faults import FAULTS
from commlife.orders.log import OrderLog
from commlife.orders.money import to_major, to_minor
from commlife.orders.parquet import write_parquet

__all__ = [
    "FAULTS",
    "CleaningRules",
    "Duration",
    "OrderLog",
    "Period",
    "Timestamp",
    "to_major",
    "to_minor",
    "write_parquet",
]
