"""Everything that writes, under pressure: run as ``python every_writer.py FOLDER PRESSURE`` in a process of its own.

Old results are written first, then the disk is made too small in the way that is asked for (``limit``: files may hold
2,000 bytes; ``fill``: the file system of FOLDER is filled up; ``readonly``: it is mounted anew, read-only), then every
writer writes again. Prints as JSON, for each, the error and whether the old result still stands, whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "samples"))

import numpy as np
import pandas as pd

import commlife as cl
import every_kind
from commlife.report.shell import main
from commlife.testing import in_engine


def writers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Each writer, and what it writes to: a file or a folder of its own name."""
    log = every_kind.log_of(every_kind.orders())
    state, model = every_kind.make("LogState", log), every_kind.make("FittedSilenceModel", log)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user_id": rng.integers(0, 2**60, 60_000), "value": rng.random(60_000)})
    orders = folder.parent / "orders.csv"
    every_kind.orders().to_csv(orders, index=False)
    asked = ["report", str(orders), "--as-of", every_kind.AS_OF, "--out", str(folder / "command")]
    for name in ("user_id", "ordered_at", "amount"):
        asked += ["--" + name.replace("_", "-"), name]
    parquet = {
        f"{engine}.parquet": lambda engine=engine: cl.write_parquet(
            in_engine(frame, engine), folder / f"{engine}.parquet"
        )
        for engine in ("pandas", "polars", "polars_lazy", "pyarrow", "duckdb")
    }
    return parquet | {
        "state": lambda: state.save(folder / "state"),
        "model": lambda: model.save(folder / "model"),
        "page.html": lambda: cl.weekly_report(log, as_of=every_kind.AS_OF, path=folder / "page.html"),
        "users.parquet": lambda: cl.write_user_table(log, folder / "users.parquet", as_of=every_kind.AS_OF),
        "command": lambda: _command(asked),
    }


def _command(words: list[str]) -> int:
    with contextlib.redirect_stdout(io.StringIO()):
        return main(words)


def content(path: Path) -> str:
    """A digest of a file, or of all files of a folder; nothing half-written may lie beside them."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def press(folder: Path, pressure: str) -> None:
    """Make the disk too small."""
    if pressure == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    elif pressure == "fill":
        with (folder / "filler").open("wb", buffering=0) as filler:
            for size in (65_536, 4_096, 64, 1):
                with contextlib.suppress(OSError):
                    while filler.write(b"\0" * size) == size:
                        pass
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)  # noqa: S603, S607


def run(folder: Path, pressure: str) -> dict[str, Any]:
    """For each writer: the kind of error, its words, and whether the old result stands alone and whole."""
    every = writers(folder)
    for write in every.values():
        write()
    before = {name: content(folder / name) for name in every}
    press(folder, pressure)
    told = {}
    for name, write in every.items():
        try:
            done = write()
            error = ["exit", str(done)] if isinstance(done, int) else ["none", ""]
        except Exception as raised:  # noqa: BLE001  (which one it is, is what is asked)
            error = [type(raised).__name__, str(raised)]
        told[name] = {"error": error, "stands": content(folder / name) == before[name]}
    beside = {path.name for path in folder.iterdir()} - set(every) - {"filler"}
    return {"told": told, "beside": sorted(beside)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer = run(Path(sys.argv[1]), sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    print(json.dumps(answer))
