"""Would the present API break a host of the last released one? Griffe compares both, as stubs.

``python tests/api/breaking.py`` compares with the newest folder in ``tests/api/released``; what is meant is listed in
``tests/api/intended_breaks.txt`` (and told in ``changes/``). ``--release`` at a release keeps the stubs of the version in
pyproject.toml and empties that list; ``--again`` writes those of a version that is still being made.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import griffe
import pydantic

import commlife
from commlife._model import Spec, library_version

HERE = Path(__file__).parent
RELEASED = HERE / "released"
INTENDED = HERE / "intended_breaks.txt"
ROOMS = (
    "errors", "orders", "features", "datasets", "metrics", "segments", "cohorts", "basket", "value", "effects", "state",
    "churn", "coupons", "report", "testing",
)  # fmt: skip
#: Plain data classes that hosts make themselves; the others are results, and only their fields are public.
MADE_BY_HOSTS = {"Feature", "HostFeatures"}
#: Whose methods a class may have that are not ours to promise.
_THEIRS = {"builtins", "collections", "enum", "pydantic", "typing"}
#: Methods behind Python's own signs: len(sets), week["orders"].
_SPOKEN = {"__call__", "__contains__", "__getitem__", "__iter__", "__len__"}


def stubs() -> dict[str, str]:
    """File name to stub: the root, and each room with the public names alone."""
    files = {"__init__.pyi": _names(commlife)}
    for name in sorted(commlife.__all__):
        home = commlife._HOME_OF.get(name)
        files["__init__.pyi"] += f"from commlife.{home} import {name} as {name}\n" if home else ""
    for room in ROOMS:
        module = importlib.import_module(f"commlife.{room}")
        parts = [_stub(name, getattr(module, name)) for name in sorted(module.__all__)]
        files[f"{room}.pyi"] = _names(module) + "\n" + "\n".join(parts)
    return files


def _names(module: Any) -> str:
    return "__all__ = [\n" + "".join(f"    {name!r},\n" for name in sorted(module.__all__)) + "]\n"


def _stub(name: str, thing: Any) -> str:
    if inspect.isfunction(thing):
        return f"def {name}{_signature(thing)}: ...\n"
    if not inspect.isclass(thing):
        return f"{name}: object\n"
    bases = ", ".join(base.__name__ for base in thing.__bases__) if issubclass(thing, BaseException) else ""
    body = _made(thing) + _fields(thing) + _members(thing)
    return f"class {name}{f'({bases})' if bases else ''}:\n" + "".join(f"    {line}\n" for line in body or ["..."])


def _made(cls: type) -> list[str]:
    """How hosts make one: specs and the like; what a fit returns is made by us alone."""
    if issubclass(cls, Spec) or cls.__name__ in MADE_BY_HOSTS:
        return [f"def __init__{_signature(cls, has_self=True)}: ..."]
    return []


def _fields(cls: type) -> list[str]:
    if issubclass(cls, pydantic.BaseModel):
        names = list(cls.model_fields)
    elif dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
    else:
        names = list(getattr(cls, "_fields", ()))
    return [f"{name}: object" for name in names if not name.startswith("_")]


def _members(cls: type) -> list[str]:
    """Public methods and properties, inherited ones too; those of pydantic and of Python's own types are theirs."""
    theirs: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.split(".")[0] in _THEIRS:
            theirs |= set(vars(base))
    lines = []
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if (name.startswith("_") and name not in _SPOKEN) or name in theirs or name in getattr(cls, "_fields", ()):
            continue
        if isinstance(member, (property, functools.cached_property)):
            lines += ["@property", f"def {name}(self): ..."]
        elif isinstance(member, classmethod):
            lines += ["@classmethod", f"def {name}{_signature(member.__func__)}: ..."]
        elif isinstance(member, staticmethod):
            lines += ["@staticmethod", f"def {name}{_signature(member.__func__)}: ..."]
        elif inspect.isfunction(member):
            lines.append(f"def {name}{_signature(member)}: ...")
        elif not inspect.isroutine(member) and not dataclasses.is_dataclass(cls):
            lines.append(f"{name}: object")
    return lines


def _signature(thing: Any, *, has_self: bool = False) -> str:
    """Names, kinds and defaults; annotations may be refined freely."""
    found = inspect.signature(thing)
    given = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_default(parameter.default))
        for parameter in found.parameters.values()
    ]
    if has_self:
        given.insert(0, inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD))
    return str(found.replace(parameters=given, return_annotation=inspect.Signature.empty))


class _Text:
    """A default as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return value
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        text = repr(text)
    return _Text(text)


def write(folder: Path) -> None:
    """The stubs as a package in a folder."""
    package = folder / "commlife"
    package.mkdir(parents=True)
    for name, text in stubs().items():
        (package / name).write_text(text, encoding="utf-8")


def breaks(old: Path, new: Path) -> list[str]:
    """What a host of the old stubs would miss, one line each."""
    before, after = (
        griffe.load("commlife", search_paths=[str(folder)], try_relative_path=False, submodules=True)
        for folder in (old, new)
    )
    lines = []
    for found in griffe.find_breaking_changes(before, after):
        told = re.sub(r"\x1b\[\d+m", "", found.explain(griffe.ExplanationStyle.ONE_LINE)).split(": ", 1)[1]
        lines.append(f"{found.obj.module.path}: {told}")
    return sorted(set(lines))


def last_release() -> Path:
    """The stubs of the newest released version."""
    return max(RELEASED.iterdir(), key=lambda folder: [int(part) for part in folder.name.split(".")])


def intended() -> set[str]:
    """Breaks that are meant, as they are printed."""
    lines = INTENDED.read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def main() -> int:
    """Compare, or keep the stubs of a release; 1 where something would break."""
    if {"--release", "--again"} & set(sys.argv):
        folder = RELEASED / library_version()
        if folder.exists():
            if "--again" not in sys.argv:
                sys.exit(f"{folder} is there. A released API stays as it is; --again writes an unreleased one anew.")
            shutil.rmtree(folder)
        write(folder)
        kept = [line for line in INTENDED.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        INTENDED.write_text("\n".join(kept) + "\n", encoding="utf-8")
        return 0
    with tempfile.TemporaryDirectory() as made:
        write(Path(made))
        found = breaks(last_release(), Path(made))
    new, stale = [line for line in found if line not in intended()], intended() - set(found)
    for line in new:
        print(line)
    for line in sorted(stale):
        print(f"{INTENDED.name} lists what is no break: {line}")
    if new:
        print(
            f"Hosts of {last_release().name} would break. Keep the old way beside the new one (commlife._deprecation),"
        )
        print(f"or, where docs/stability.md allows it, add the lines to {INTENDED.name} and a fragment to changes/.")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
