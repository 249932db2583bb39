"""Arguments checked to the end: every fault of a call in one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from commlife.errors import ConfigError

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["GROUPS", "Faults", "check_group", "check_log", "whole_number"]

#: Attributes of an order that make groups.
GROUPS = ("community", "channel", "category", "coupon_id")

T = TypeVar("T")


class Faults:
    """Collects what is wrong with the arguments of a call, and tells all of it at once."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.found: list[str] = []

    def take(self, check: Callable[[], T]) -> T | None:
        """The checked value, or None and a fault more."""
        try:
            return check()
        except ConfigError as error:
            self.found.append(str(error))
            return None

    def add(self, fault: str) -> None:
        """One fault more."""
        self.found.append(fault)

    def tell(self) -> None:
        """Raise if there is a fault.

        Raises:
            ConfigError: With every fault, a line each.
        """
        if self.found:
            raise ConfigError(f"{self.owner}: " + "\n  ".join(self.found))


def whole_number(value: object, name: str, *, least: int, most: int | None = None) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        ends = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name} is a whole number {ends}; seen {value!r:.40}.")
    return value


def check_log(log: object, what: str) -> None:
    """Refuse anything but an OrderLog."""
    from commlife.orders import OrderLog

    if not isinstance(log, OrderLog):
        raise ConfigError(f"{what} takes an OrderLog; seen {type(log).__name__}. Make one with OrderLog.from_frame.")


def check_group(log: OrderLog, by: object) -> None:
    """Refuse a group that is not an attribute of orders, or that the log lacks."""
    if by is None:
        return
    if not isinstance(by, str) or by not in GROUPS:
        raise ConfigError.unknown_name("by: the group", by, GROUPS)
    log.require(by, why=f"by={by!r}")
