"""What commlife raises and warns about.

Every exception says which value it saw, which rule that broke, and what to do::

    CommlifeError
    |-- SchemaError            the export is faulty; .faults lists every fault
    |-- ConfigError            an argument or a spec is wrong (also a ValueError)
    |-- InsufficientDataError  the log is sound, but too small or too short for the question
    |-- EngineError            this kind of frame cannot do what was asked; says which can
    `-- PersistenceError       a saved file is damaged, foreign or from a newer version

    CommlifeWarning (a UserWarning)
    |-- FewerBinsWarning       ties leave some RFM scores empty
    |-- LeftTruncatedWarning   the log begins in the middle of lives
    |-- DriftWarning           users no longer behave as a fitted model says
    `-- ModelWarning           a statistical caveat of a fitted model

    CommlifeDeprecationWarning (a FutureWarning)   a name that will go, with what to use and until when
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from commlife._masks import mask_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

__all__ = [
    "CommlifeDeprecationWarning",
    "CommlifeError",
    "CommlifeWarning",
    "ConfigError",
    "DriftWarning",
    "EngineError",
    "FewerBinsWarning",
    "InsufficientDataError",
    "LeftTruncatedWarning",
    "ModelWarning",
    "PersistenceError",
    "SchemaError",
]


class CommlifeError(Exception):
    """Base of every error that commlife raises on purpose. Long runs of digits in its text are masked: phones."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(mask_numbers(str(message)), *more)


class SchemaError(CommlifeError):
    """The input does not follow the contract; all of its faults are told at once.

    Attributes:
        faults: Frame with one row per kind of fault: ``fault, column, rows, policy, example, fix``.
    """

    def __init__(self, message: str, faults: pd.DataFrame) -> None:
        super().__init__(message)
        self.faults = faults

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.faults)


class ConfigError(CommlifeError, ValueError):
    """An argument has a value, or a name, that is not allowed."""

    @classmethod
    def unknown_name(cls, what: str, seen: object, allowed: Iterable[str]) -> ConfigError:
        """An unknown choice, with the nearest allowed one as a suggestion."""
        names = sorted(allowed)
        close = difflib.get_close_matches(str(seen), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return cls(f"{what} {seen!r} is unknown; allowed: {', '.join(names)}.{hint}")

    @classmethod
    def from_pydantic(cls, owner: str, errors: Sequence[Any], allowed: Iterable[str]) -> ConfigError:
        """All the faults that pydantic found in a spec, in one message."""
        names = sorted(allowed)
        lines = []
        for error in errors:
            path = ".".join(str(part) for part in error["loc"])
            if error["type"] == "extra_forbidden":
                close = difflib.get_close_matches(path, names, n=1)
                told = (
                    f"unknown field. {f'Did you mean {close[0]!r}?' if close else 'Allowed: ' + ', '.join(names) + '.'}"
                )
            elif error["type"] == "missing":
                told = "is required."
            else:
                told = _told(error)
            lines.append(f"{path}: {told}" if path else told)
        return cls(f"{owner}: " + "\n  ".join(lines))


def _told(error: Any) -> str:
    """One fault of a value: the rule, what was seen (once), and the nearest allowed choice."""
    rule = error["msg"].removeprefix("Value error, ").rstrip(".")
    seen = f"{error['input']!r:.80}"
    if error["type"] == "value_error":  # our own words: most of them name the value already
        return f"{rule}." if "seen " in rule or seen in rule else f"{rule}; seen {seen}."
    choices = error["ctx"]["expected"].replace("' or '", "', '") if error["type"] == "literal_error" else ""
    close = difflib.get_close_matches(str(error["input"]), choices.strip("'").split("', '"), n=1)
    return f"{rule}; seen {seen}.{f' Did you mean {close[0]!r}?' if close else ''}"


class InsufficientDataError(CommlifeError):
    """The question needs more data than the log holds."""

    @classmethod
    def no_payers(cls, what: str, as_of: object) -> InsufficientDataError:
        """Nobody has an order that counts before ``as_of``."""
        return cls(
            f"{what} needs at least one user with an order that counts before {as_of}, the log holds none. "
            "Use a later as_of, or look at log.faults and log.set_aside."
        )


class EngineError(CommlifeError):
    """This kind of frame cannot do what was asked."""


class PersistenceError(CommlifeError):
    """A saved object cannot be read: damaged, foreign, or from a newer version."""


class CommlifeWarning(UserWarning):
    """Base of the caveats that commlife warns about: each one diagnoses and prescribes. Phones are masked in it too."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(mask_numbers(str(message)), *more)


class FewerBinsWarning(CommlifeWarning):
    """Too few distinct values for the number of bins asked for: some scores stay empty."""


class LeftTruncatedWarning(CommlifeWarning):
    """The log seems to begin in the middle of its users' lives: many would wrongly count as new."""


class DriftWarning(CommlifeWarning):
    """Users no longer behave as a fitted model says: it is time to fit again."""


class ModelWarning(CommlifeWarning):
    """A fitted model's result should be read with a caveat."""


class CommlifeDeprecationWarning(FutureWarning):
    """A name that will go: says what to use instead and how long the old one lives. Python shows it by default."""

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(mask_numbers(str(message)), *more)
