"""A pytest plugin: fixtures and a Hypothesis profile for hosts' tests.

Put ``pytest_plugins = ["commlife.testing.plugin"]`` into the ``conftest.py`` beside your tests, or run
``pytest -p commlife.testing.plugin``. Nothing happens to projects that do not ask for it.

Fixtures:
    community: a small synthetic community with known truth (:func:`commlife.datasets.make_community`), made once.
    order_engine: each engine that is installed here in turn, as a function from a pandas frame to its own kind.
    make_log: a function from rows ``(user, order, time, amount)`` to an :class:`~commlife.OrderLog`.

The profile ``commlife`` (``--hypothesis-profile=commlife``) has no deadline, prints how to run a failure again, and
draws the same examples each time where the environment variable ``CI`` is set.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import pandas as pd

    from commlife.datasets.community import Community
    from commlife.orders import OrderLog

__all__ = ["community", "make_log", "order_engine"]

_PACKAGES = {"pandas": "pandas", "polars": "polars", "polars_lazy": "polars", "pyarrow": "pyarrow", "duckdb": "duckdb"}

settings.register_profile(
    "commlife",
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def community() -> Community:
    """A synthetic community of 300 users over 26 weeks, with the truth about it."""
    from commlife.datasets import make_community

    return make_community(n_users=300, seed=0)


@pytest.fixture(params=[name for name, package in _PACKAGES.items() if importlib.util.find_spec(package)])
def order_engine(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """From a pandas frame to the kind of frame of each installed engine in turn."""
    from commlife.testing.strategies import in_engine

    return lambda frame: in_engine(frame, request.param)


@pytest.fixture
def make_log() -> Callable[..., OrderLog]:
    """From rows ``(user, order, time, amount)`` to a log: ``make_log(("ann", "o1", "2025-03-01 09:00", 12.5))``."""
    import pandas as pd

    from commlife.orders import OrderLog

    def make(*rows: tuple[str, str, str, float], **options: Any) -> OrderLog:
        frame = pd.DataFrame(list(rows), columns=["user_id", "order_id", "ordered_at", "amount"])
        names: dict[str, Any] = {name: name for name in frame.columns}
        return OrderLog.from_frame(frame, **names, **options)

    return make
