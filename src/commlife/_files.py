"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commlife.errors import ConfigError, PersistenceError

__all__ = ["file_to_write", "filled_beside", "not_written", "write_whole"]


def file_to_write(path: str | Path, *, name: str = "path") -> Path:
    """The path of a file that can be made, checked before the work that fills it begins.

    Raises:
        ConfigError: If it is no path, its folder does not exist, or it is a folder itself.
    """
    if not isinstance(path, (str, os.PathLike)) or "\0" in str(path):
        raise ConfigError(f"{name} is the path of a file, as text or pathlib.Path; seen {path!r:.80}.")
    target = Path(path)
    if not target.parent.is_dir():
        raise ConfigError(f"{name}={str(path)!r}: there is no folder {str(target.parent)!r}. Make it first.")
    if target.is_dir():
        raise ConfigError(f"{name}={str(path)!r} is a folder; give the name of a file in it.")
    return target


def not_written(target: Path, error: OSError) -> str:
    """What to tell where a write failed half-way."""
    return (
        f"{str(target)!r} cannot be written: {error.strerror or error}. What stood there before is unchanged. "
        "Make room, or give a folder that this process may write to."
    )


@contextmanager
def filled_beside(target: Path) -> Iterator[Path]:
    """A file beside the target to be filled; at the end it takes the target's place, or goes where something failed.

    Raises:
        PersistenceError: If it cannot be written; what stood there before still stands.
    """
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        made = Path(name)
        os.close(handle)
        yield made
        made.chmod(0o644)
        made.replace(target)
    except OSError as error:
        raise PersistenceError(not_written(target, error)) from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)


def write_whole(target: Path, content: bytes) -> None:
    """Write beside the target, then move into place: whoever reads it finds the old file or the new one.

    Raises:
        PersistenceError: If the file cannot be written; what stood there before still stands.
    """
    made = ""
    try:
        handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            # The name must not reach the disk before the bytes do.
            os.fsync(file.fileno())
        Path(made).chmod(0o644)
        Path(made).replace(target)
        made = ""
    except OSError as error:
        raise PersistenceError(not_written(target, error)) from error
    finally:
        # Also on Ctrl-C: nothing half-written is left behind.
        if made:
            Path(made).unlink(missing_ok=True)
