"""From an OrderLog to one row a user, strictly before as_of."""

from commlife.features.summary import purchase_summary

__all__ = ["purchase_summary"]
