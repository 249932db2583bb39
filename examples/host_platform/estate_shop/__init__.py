"""A neighbourhood shop's platform: its tables, its adapter to commlife, its weekly job."""
