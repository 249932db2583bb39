"""A state on disk: Parquet tables and one JSON manifest that names and measures them; never pickle."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._files import not_written
from commlife._model import library_version
from commlife.cohorts import CohortQuestion
from commlife.errors import CommlifeError, ConfigError, EngineError, PersistenceError
from commlife.orders._arguments import check_zone
from commlife.orders.calendar import FIRST_DAY, LAST_DAY, day_number
from commlife.orders.money import check_digits
from commlife.segments import Lifecycle
from commlife.state._lines import Shop, Users
from commlife.state._sums import CohortSums, LifecycleSums

if TYPE_CHECKING:
    from commlife.state.log_state import LogState

__all__ = ["load", "save"]

MANIFEST, FORMAT = "manifest.json", 1
_LARGEST_MANIFEST = 10_000_000
_TABLES = {"lifecycle": ("cells", "refunds", "users"), "cohorts": ("sizes", "counts")}


def save(state: LogState, folder: Path) -> None:
    """See :meth:`LogState.save`."""
    _pyarrow()
    tables = {"users": pd.DataFrame({"user_id": state._users.ids}), "facts": state._facts}
    tables |= {f"lines_{place:03d}": segment for place, segment in enumerate(state._segments)}
    questions = []
    for place, sums in enumerate(state._sums):
        kind = "lifecycle" if isinstance(sums, LifecycleSums) else "cohorts"
        tables |= {f"{kind}_{place:03d}_{name}": getattr(sums, name) for name in _TABLES[kind]}
        existing = sums.existing if isinstance(sums, CohortSums) else 0
        questions.append({"kind": kind, "question": sums.question.to_json(), "existing": existing})
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise PersistenceError(not_written(folder, error)) from None
    try:
        for name, table in tables.items():
            table.to_parquet(made / f"{name}.parquet", index=False)
        manifest = {
            "kind": "LogState", "format": FORMAT, "commlife": library_version(), "as_of": state.as_of,
            "columns": state._shop.columns, "timezone": state._shop.timezone, "digits": state._shop.currency_digits,
            "first": state._first, "seen_from": state._seen_from, "told_first": state._told_first,
            "until": state._until, "questions": questions,
            "files": {path.name: _measured(path) for path in sorted(made.iterdir())},
        }  # fmt: skip
        (made / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
        _put(made, folder)
    except OSError as error:
        raise PersistenceError(not_written(folder, error)) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put(made: Path, folder: Path) -> None:
    """Move a finished folder into place; the former one goes only when the new one stands."""
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise PersistenceError(f"{folder} is there and holds no state; give a folder of its own.")
    former = made.with_name(made.name + ".former")
    if folder.exists():
        folder.rename(former)
    try:
        made.rename(folder)
    except OSError:
        if former.exists():
            former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


def load(folder: Path) -> LogState:
    """See :meth:`LogState.load`."""
    pa = _pyarrow()
    told = _manifest(folder)
    try:
        files = {Path(name).stem: _table(folder, name, measured) for name, measured in told["files"].items()}
        return _state(told, files)
    except (CommlifeError, LookupError, TypeError, ValueError, AttributeError, OSError, pa.ArrowException) as error:
        if isinstance(error, PersistenceError):
            raise
        raise PersistenceError(
            f"{folder} holds a damaged state: {str(error).rstrip('.')[:300]}. "
            "Take the last whole copy, or start the state again."
        ) from None


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise PersistenceError(f"{path} is larger than any manifest. Give the folder that LogState.save wrote.")
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PersistenceError(
            f"{path} cannot be read: {error.strerror}. Give the folder that LogState.save wrote."
        ) from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or integers of endless digits
        raise PersistenceError(
            f"{path} is no manifest: {str(error).rstrip('.')[:200]}. Give the folder that LogState.save wrote."
        ) from None
    if not isinstance(told, dict) or told.get("kind") != "LogState" or not isinstance(told.get("files"), dict):
        raise PersistenceError(f"{path} is not the manifest of a LogState. Give the folder that LogState.save wrote.")
    if told.get("format") != FORMAT:
        raise PersistenceError(
            f"{path}: format {told.get('format')!r:.20} is not {FORMAT}, which this version ({library_version()}) "
            "reads. Update commlife, or start the state again."
        )
    return told


def _table(folder: Path, name: str, measured: Any) -> pd.DataFrame:
    path = folder / name
    if Path(name).name != name or not name.endswith(".parquet"):
        raise PersistenceError(f"the manifest names {name!r:.80}, which is no table of a state. Save the state again.")
    if _measured(path) != measured:
        raise PersistenceError(
            f"{path} is not what was written: its size or checksum differs."
            " Take the last whole copy, or start the state again."
        )
    return pd.read_parquet(path)


def _state(told: dict[str, Any], files: dict[str, pd.DataFrame]) -> LogState:
    from commlife.state.log_state import LogState

    sums: list[LifecycleSums | CohortSums] = []
    for place, each in enumerate(told["questions"]):
        kind = each["kind"]
        tables = {name: files[f"{kind}_{place:03d}_{name}"] for name in _TABLES[kind]}
        if kind == "lifecycle":
            sums.append(LifecycleSums(Lifecycle.from_json(each["question"]), **tables))
        else:
            sums.append(
                CohortSums(CohortQuestion.from_json(each["question"]), **tables, existing=int(each["existing"]))
            )
    segments = [files[name] for name in sorted(files) if name.startswith("lines_")]
    day_number(told["as_of"])
    check_zone(told["timezone"])
    for segment in segments:
        if len(segment) and bool((np.diff(segment["user"].to_numpy()) < 0).any()):
            raise ConfigError("the short lines are not in the order of their users. Save the state again.")
    return LogState(
        as_of=told["as_of"],
        _shop=Shop(tuple(told["columns"]), told["timezone"], check_digits(told["digits"])),
        _users=Users(pd.Index(files["users"]["user_id"])),
        _segments=tuple(segments),
        _facts=files["facts"],
        _sums=tuple(sums),
        _first=_whole(told["first"], FIRST_DAY, LAST_DAY),
        _seen_from=_whole(told["seen_from"], FIRST_DAY, LAST_DAY),
        _told_first=bool(told["told_first"]),
        _until=None if told["until"] is None else _whole(told["until"], FIRST_DAY, LAST_DAY),
    )


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.40} is no whole number from {least} to {most}")
    return value


def _measured(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise EngineError('A state is kept as Parquet, which needs pyarrow: pip install "commlife[parquet]".') from None
    return pa
