"""The shapes that hosts build on: the JSON schema of every kind that is kept, the columns and types of every frame.

``python tests/api/shapes.py --write`` after an intended change (with a changelog fragment), ``--check`` in CI. Schemas
are in ``tests/api/schemas``, a file a kind; frames in ``tests/api/frames.json``: a change shows as a diff.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "samples"))

import pandas as pd  # noqa: E402

import every_kind  # noqa: E402
import every_result  # noqa: E402

SCHEMAS, FRAMES = HERE / "schemas", HERE / "frames.json"


def schemas() -> dict[str, str]:
    """File name to JSON schema; kinds that are kept in folders have none."""
    return {
        f"{name}.json": _text(cls.model_json_schema())  # type: ignore[attr-defined]
        for name, cls in every_kind.kinds().items()
        if not every_kind.is_folder(name)
    }


def frames() -> str:
    """For each result and frame-valued call the columns of its frames, in order, with what they hold."""
    shop = every_result.Shop()
    return _text({name: shape(name, shop) for name in sorted(every_result.MADE)})


def shape(name: str, shop: every_result.Shop) -> dict[str, list[str]]:
    """The columns of each frame of one result, in order, with what they hold."""
    found = every_result.frames(every_result.make(name, shop))
    return {part: [f"{column}: {_kind(frame[column])}" for column in frame.columns] for part, frame in found.items()}


def _kind(column: pd.Series) -> str:
    if not (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
        return str(column.dtype)
    found = pd.api.types.infer_dtype(column.dropna())
    return {"string": "text", "empty": "text", "mixed": type(next(iter(column.dropna()), "")).__name__}.get(
        found, found
    )


def _text(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write or check; 1 where a shape differs from what is kept."""
    now = schemas()
    shapes = frames()
    if "--write" in sys.argv:
        SCHEMAS.mkdir(exist_ok=True)
        for old in SCHEMAS.glob("*.json"):
            old.unlink()
        for name, text in now.items():
            (SCHEMAS / name).write_text(text, encoding="utf-8")
        FRAMES.write_text(shapes, encoding="utf-8")
        return 0
    kept = {file.name: file.read_text(encoding="utf-8") for file in SCHEMAS.glob("*.json")}
    differ = [f"schemas/{name}" for name in sorted(now.keys() | kept.keys()) if now.get(name) != kept.get(name)]
    before, after = json.loads(FRAMES.read_text(encoding="utf-8")), json.loads(shapes)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            differ.append(f"frames.json: {name}: {before.get(name)} is now {after.get(name)}")
    if differ:
        print("\n".join(differ))
        print("If that is meant: python tests/api/shapes.py --write, look at the diff, and a fragment in changes/.")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
