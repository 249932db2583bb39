"""commlife's fixtures and its Hypothesis profile."""

from hypothesis import settings

pytest_plugins = ["commlife.testing.plugin"]


def pytest_configure() -> None:
    settings.load_profile("commlife")
