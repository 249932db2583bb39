"""commlife: the life of a community's customers, from its order log.

Every public name is importable from here and loaded when it is first used, so that ``import commlife`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from commlife import datasets as datasets
    from commlife.errors import CommlifeError as CommlifeError
    from commlife.errors import CommlifeWarning as CommlifeWarning
    from commlife.errors import ConfigError as ConfigError
    from commlife.errors import EngineError as EngineError
    from commlife.errors import FewerBinsWarning as FewerBinsWarning
    from commlife.errors import InsufficientDataError as InsufficientDataError
    from commlife.errors import LeftTruncatedWarning as LeftTruncatedWarning
    from commlife.errors import ModelWarning as ModelWarning
    from commlife.errors import PersistenceError as PersistenceError
    from commlife.errors import SchemaError as SchemaError
    from commlife.features import purchase_summary as purchase_summary
    from commlife.metrics import business_metrics as business_metrics
    from commlife.orders import CleaningRules as CleaningRules
    from commlife.orders import OrderLog as OrderLog

_HOMES = {
    "errors": (
        "CommlifeError",
        "CommlifeWarning",
        "ConfigError",
        "EngineError",
        "FewerBinsWarning",
        "InsufficientDataError",
        "LeftTruncatedWarning",
        "ModelWarning",
        "PersistenceError",
        "SchemaError",
    ),
    "orders": ("CleaningRules", "OrderLog"),
    "metrics": ("business_metrics",),
    "features": ("purchase_summary",),
}
_ROOMS = ("datasets",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, *_ROOMS])  # noqa: PLE0605  (one list of names, kept in _HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"commlife.{_HOME_OF[name]}"), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"commlife.{name}")
    else:
        raise AttributeError(f"module 'commlife' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
