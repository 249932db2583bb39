"""What a host says about its columns, checked before a row is read."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from commlife.errors import ConfigError
from commlife.orders import _boundary

__all__ = ["check_keep", "check_names", "check_status", "check_zone"]


def check_names(named: Mapping[str, str | None]) -> dict[str, str]:
    """The columns that were named, by what they hold."""
    wrong = {name: host for name, host in named.items() if host is not None and not isinstance(host, str)}
    if wrong:
        name, host = next(iter(wrong.items()))
        raise ConfigError(f"{name} is the name of a column, a str; seen {host!r:.60} of type {type(host).__name__}.")
    if any(named[name] is None for name in ("user_id", "ordered_at", "amount")):
        raise ConfigError("user_id, ordered_at and amount are required: each is the name of a column. Name all three.")
    return {name: host for name, host in named.items() if host is not None}


def check_keep(keep: Sequence[str]) -> tuple[str, ...]:
    """The columns of the host's own that stay beside the lines."""
    if isinstance(keep, str) or not all(isinstance(name, str) for name in keep):
        raise ConfigError(f'keep is a list of column names, such as ["note"]; seen {keep!r:.60}.')
    taken = [name for name in keep if name in _boundary.COLUMNS or name in {"us", "day", "reason", "first_day"}]
    taken += [name for name in keep if name in _boundary.MONEY.values() or name.startswith("_")]
    if taken or len(set(keep)) < len(keep):
        raise ConfigError(f"keep names columns once each, and none that commlife uses itself; seen {list(keep)!r:.80}.")
    return tuple(keep)


def check_zone(timezone: str) -> None:
    """Refuse a time zone that nobody knows."""
    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigError(f"timezone is an IANA name such as 'Asia/Shanghai'; seen {timezone!r:.60}.") from None


def check_status(status: str | None, status_map: Mapping[Any, str] | None) -> tuple[Any, ...] | None:
    """The host's values that mean paid; None where each line counts."""
    if (status is None) != (status_map is None):
        raise ConfigError("status and status_map go together: the column, and what its values mean. Give both.")
    if status_map is None:
        return None
    if not isinstance(status_map, Mapping):
        raise ConfigError(f"status_map is a mapping from the host's values; seen {type(status_map).__name__}.")
    wrong = [meaning for meaning in status_map.values() if meaning not in _boundary.STATUSES]
    if wrong:
        raise ConfigError.unknown_name("status_map: the status", wrong[0], _boundary.STATUSES)
    return tuple(value for value, meaning in status_map.items() if meaning == "paid")
