"""Print the floors of pyproject.toml as pip constraints: ``numpy>=2.0`` becomes ``numpy==2.0.*``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def floors() -> dict[str, str]:
    """The oldest version of each direct dependency, those of extras included."""
    told = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*told["dependencies"], *(one for group in told["optional-dependencies"].values() for one in group)]
    found: dict[str, str] = {}
    for requirement in wanted:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?>=([0-9.]+)", requirement)
        if match is None:
            raise SystemExit(f"a dependency without a floor: {requirement}")
        found[match[1].lower()] = match[2]
    return found


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}=={floor}.*\n" for name, floor in sorted(floors().items())))
