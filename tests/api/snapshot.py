"""The public API as text: what hosts may rely on, so that it changes only on purpose.

``python tests/api/snapshot.py --write`` after an intended change (with a changelog fragment), ``--check`` in CI.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pydantic

import commlife

FILE = Path(__file__).with_name("api.json")


def describe(thing: Any) -> dict[str, Any]:
    """What a host sees of a public thing: its kind, its signature, its fields, its public methods."""
    if inspect.ismodule(thing):
        return {"kind": "module", "names": {name: describe(getattr(thing, name)) for name in thing.__all__}}
    if not inspect.isclass(thing):
        return {"kind": "function", "signature": signature(thing)} if callable(thing) else {"kind": "value"}
    if issubclass(thing, BaseException):
        return {"kind": "exception", "bases": [base.__name__ for base in thing.__mro__[1:-1]]}
    shown: dict[str, Any] = {"kind": "class"}
    if issubclass(thing, pydantic.BaseModel):
        shown["fields"] = {name: repr(field.default) for name, field in thing.model_fields.items()}
    elif dataclasses.is_dataclass(thing):
        shown["fields"] = [field.name for field in dataclasses.fields(thing) if not field.name.startswith("_")]
    base = set(dir(pydantic.BaseModel)) if issubclass(thing, pydantic.BaseModel) else set(dir(object))
    base |= set(dir(str)) if issubclass(thing, str) else set()
    base |= set(dir(float)) if issubclass(thing, float) else set()
    methods = {}
    for name in dir(thing):
        if name.startswith("_") or name in base:
            continue
        member = inspect.getattr_static(thing, name)
        if isinstance(member, (property, functools.cached_property)):
            methods[name] = "property"
        elif isinstance(member, (staticmethod, classmethod)) or inspect.isfunction(member):
            methods[name] = signature(getattr(thing, name))
    shown["methods"] = methods
    return shown


def signature(function: Any) -> str:
    """Names, kinds and defaults of the parameters; annotations may be refined freely."""
    try:
        found = inspect.signature(function)
    except ValueError:
        return "(...)"
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def snapshot() -> dict[str, Any]:
    """The whole public API."""
    return {name: describe(getattr(commlife, name)) for name in commlife.__all__}


def main() -> int:
    """Write or check; 1 where the API differs from the snapshot."""
    now = json.dumps(snapshot(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if "--write" in sys.argv:
        FILE.write_text(now, encoding="utf-8")
        return 0
    before = FILE.read_text(encoding="utf-8")
    if now == before:
        return 0
    gone = set(before.splitlines()) - set(now.splitlines())
    new = set(now.splitlines()) - set(before.splitlines())
    print("The public API differs from tests/api/api.json.")
    print("\n".join([*(f"- {line.strip()}" for line in sorted(gone)), *(f"+ {line.strip()}" for line in sorted(new))]))
    print("If that is meant: python tests/api/snapshot.py --write, and a fragment in changes/.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
