"""Deprecations with dates: what goes, what to use instead, and when it may go at the earliest.

A name that a host may have written lives on for two minor versions and at least six months after the release that
warned of it first (docs/stability.md); a deprecation that promises less cannot be written.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from commlife._caveats import warn
from commlife.errors import CommlifeDeprecationWarning, ConfigError

__all__ = ["Deprecation", "deprecated", "renamed_argument"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: The least that a deprecated name lives on.
MONTHS, MINORS = 6, 2


@dataclass(frozen=True, slots=True)
class Deprecation:
    """One name that will go.

    Attributes:
        name: What goes.
        use: What to use instead.
        since: The version that warned first, such as ``"1.2"``.
        released: The day on which that version was released, as an ISO text.
        gone_in: The first version without it.
        not_before: The first day on which that version may be released.
    """

    name: str
    use: str
    since: str
    released: str
    gone_in: str
    not_before: str

    def __post_init__(self) -> None:
        """Refuse a promise that is shorter than the one in docs/stability.md."""
        major, minor = (int(part) for part in self.since.split("."))
        gone_major, gone_minor = (int(part) for part in self.gone_in.split("."))
        if gone_major == major and gone_minor < minor + MINORS:
            raise ValueError(f"{self.name}: gone in {self.gone_in} is sooner than {MINORS} minors after {self.since}")
        if dt.date.fromisoformat(self.not_before) < _months_later(dt.date.fromisoformat(self.released)):
            raise ValueError(f"{self.name}: {self.not_before} is sooner than {MONTHS} months after {self.released}")

    def __str__(self) -> str:
        return (
            f"{self.name} is deprecated since {self.since}: use {self.use}. It goes in {self.gone_in}, not before "
            f"{self.not_before}."
        )

    def warn(self) -> None:
        """Warn at the host's own line."""
        warn(str(self), CommlifeDeprecationWarning)


def _months_later(day: dt.date) -> dt.date:
    month = day.month - 1 + MONTHS
    # The 28th exists in every month: a promise a few days longer harms nobody.
    return dt.date(day.year + month // 12, month % 12 + 1, min(day.day, 28))


def deprecated(deprecation: Deprecation) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """A function that will go: it works as ever, and warns."""

    def wrap(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @functools.wraps(function)
        def warned(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            deprecation.warn()
            return function(*args, **kwargs)

        return warned

    return wrap


def renamed_argument(
    old: str, new: str, deprecation: Deprecation
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """A function whose argument ``old`` is called ``new`` now: the old name works and warns; both at once do not."""

    def wrap(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def warned(*args: Any, **kwargs: Any) -> Result:
            if old in kwargs:
                deprecation.warn()
                if new in kwargs:
                    raise ConfigError(f"{function.__name__}: {old!r} is the old name of {new!r}: give one of them.")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return warned

    return wrap
