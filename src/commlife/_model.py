"""Spec and Fitted: configuration and learned state are two types, both frozen, both plain data."""

from __future__ import annotations

import functools
import importlib.metadata
import json
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from commlife.errors import ConfigError, PersistenceError

__all__ = ["Fitted", "FittedOn", "Given", "Spec", "default", "library_version"]

#: Longest JSON text that is read; a spec or a fitted object of ours is far smaller.
MAX_JSON_CHARACTERS = 64_000_000


Held = TypeVar("Held")
Taken = TypeVar("Taken")

if TYPE_CHECKING:

    class Given(Generic[Held, Taken]):
        """A field that is given as one type and held as another: ``period: Given[Period, str]``.

        Type checkers then take ``Lifecycle(period="7D")`` and see a Period in ``spec.period`` (descriptors in the
        typing specification's dataclass transforms). At run time it is the type that is held.
        """

        def __get__(self, instance: object, owner: Any) -> Held: ...
        def __set__(self, instance: object, value: Taken) -> None: ...

else:

    class Given:
        """A field that is given as one type and held as another."""

        def __class_getitem__(cls, types: tuple[Any, Any]) -> Any:
            """The type that is held: all that pydantic has to know."""
            return types[0]


def default(value: Any) -> Any:
    """The default of a :class:`Given` field, already as it is held."""
    return value


@functools.cache
def library_version() -> str:
    """The installed version of commlife."""
    return importlib.metadata.version("commlife")


class _Plain(BaseModel):
    """Shared by Spec and Fitted: frozen, strict about names, our own errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="strings", hide_input_in_errors=False
    )

    format_version: ClassVar[int] = 1
    #: What errors call it, where the user wrote a function and not this class.
    called: ClassVar[str | None] = None

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise ConfigError.from_pydantic(
                type(self).called or type(self).__name__, error.errors(include_url=False), type(self).model_fields
            ) from None

    def __str__(self) -> str:
        return repr(self)

    def to_json(self) -> str:
        """The whole object as JSON: its kind, the format's version, the library's version and the state."""
        return json.dumps(
            {
                "kind": type(self).__name__,
                "format": type(self).format_version,
                "commlife": library_version(),
                "state": json.loads(self.model_dump_json()),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            PersistenceError: If the text is not JSON, too large, of another kind, of a newer format, or its state
                does not pass the same validation as a new object.
        """
        if not isinstance(text, str) or len(text) > MAX_JSON_CHARACTERS:
            raise PersistenceError(
                f"{cls.__name__}.from_json takes a str of at most {MAX_JSON_CHARACTERS:,} characters, "
                f"seen {type(text).__name__}."
            )
        try:
            envelope = json.loads(text)
        except (ValueError, RecursionError) as error:  # also integers of more digits than Python reads
            raise PersistenceError(
                f"{cls.__name__}.from_json: not JSON ({error}). Give the text that to_json() returned."
            ) from None
        if not isinstance(envelope, dict) or not {"kind", "format", "state"} <= envelope.keys():
            raise PersistenceError(
                f"{cls.__name__}.from_json: the text is JSON, but not what to_json() writes."
                " Give the text that to_json() returned."
            )
        if envelope["kind"] != cls.__name__:
            raise PersistenceError(
                f"{cls.__name__}.from_json: the text holds a {envelope['kind']!s:.60}. Read it with that class."
            )
        seen = envelope["format"]
        if not isinstance(seen, int) or isinstance(seen, bool) or not 1 <= seen <= cls.format_version:
            raise PersistenceError(
                f"{cls.__name__}.from_json: format {seen!r:.20} is not one of 1 to {cls.format_version}, which this "
                f"version ({library_version()}) reads. Update commlife, or write the object again."
            )
        state = cls._upgrade(envelope["state"], seen)
        try:
            return cls.model_validate_json(json.dumps(state))
        except (ValidationError, ConfigError) as error:
            raise PersistenceError(
                f"{cls.__name__}.from_json: the state is damaged: {str(error).rstrip('.')[:500]}. "
                "Write the object again."
            ) from None

    @classmethod
    def _upgrade(cls, state: Any, seen: int) -> Any:
        """Lift the state of an older format to the present one; formats so far: only the first."""
        del seen
        return state


class Spec(_Plain):
    """A frozen, validated configuration: what to compute, without any data.

    A spec is data: it compares equal field by field, prints as a call, goes to JSON with :meth:`to_json` and comes
    back with :meth:`from_json`. A wrong value or an unknown field raises :class:`~commlife.errors.ConfigError` when
    the spec is made, not when it is used.
    """


class FittedOn(_Plain):
    """What a fitted object was fitted on.

    Attributes:
        as_of: The local business day before whose midnight all facts lie, as an ISO string.
        rows: Number of rows that were used (order lines, or users for models of a summary).
        users: Number of users.
        version: The version of commlife that fitted it.
    """

    as_of: str | None
    rows: int
    users: int
    version: str


class Fitted(_Plain):
    """A frozen fitted object: its spec, its learned state, what it was fitted on. Safe to share between threads."""

    fitted_on: FittedOn
