"""From an OrderLog to one row a user, strictly before as_of."""

from commlife.features.cycles import repurchase_cycles
from commlife.features.summary import purchase_summary

__all__ = ["purchase_summary", "repurchase_cycles"]
