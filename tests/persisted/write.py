"""Files of every kind as this version writes them, kept so that later versions are seen to read them.

``python tests/persisted/write.py`` at a release makes the folder of the version in pyproject.toml: an order file, one
file or folder of each kind, and what each object answers. A released folder is never written again; ``--again`` is for
the version that is still being made.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "samples"))

import pandas as pd  # noqa: E402

import every_kind  # noqa: E402
from commlife._model import library_version  # noqa: E402


def write(folder: Path) -> None:
    """One file or folder a kind, and the answers."""
    folder.mkdir()
    every_kind.orders().to_csv(folder / "orders.csv", index=False)
    log = every_kind.log_of(pd.read_csv(folder / "orders.csv"))
    answers = {}
    for name in every_kind.kinds():
        thing = every_kind.make(name, log)
        if every_kind.is_folder(name):
            thing.save(folder / name)
        else:
            (folder / f"{name}.json").write_text(thing.to_json() + "\n", encoding="utf-8")
        answers[name] = every_kind.ask(thing, log)
    (folder / "answers").mkdir()
    for name, answer in answers.items():
        text = json.dumps(answer, ensure_ascii=False, sort_keys=True)
        (folder / "answers" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write the folder of this version, unless it is there."""
    folder = HERE / library_version()
    if folder.exists():
        if "--again" not in sys.argv:
            sys.exit(f"{folder} is there. A released folder stays as it is; --again writes an unreleased one anew.")
        shutil.rmtree(folder)
    write(folder)
    print(folder)


if __name__ == "__main__":
    main()
