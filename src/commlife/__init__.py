"""commlife."""
