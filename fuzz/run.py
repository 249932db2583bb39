"""Fuzz one target with Atheris: ``python fuzz/run.py TARGET [--seconds 300]``.

Inputs that found something new stay in ``.cache/fuzz/TARGET``. One that fails is written to ``.cache/fuzz/crashes``:
put it into ``fuzz/corpus/TARGET`` under a name that says what it is, and the ordinary tests replay it for ever.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "samples")]

with atheris.instrument_imports(include=["commlife"]):
    import commlife

    for found in pkgutil.walk_packages(commlife.__path__, "commlife."):
        # The command's own module ends the process; Spark and the plugin need what is not there.
        if not found.name.endswith(("__main__", "._spark", ".plugin")):
            importlib.import_module(found.name)

import targets  # noqa: E402


def main() -> None:
    """Run until the time is over or an input fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(targets.TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    asked = parser.parse_args()
    kept = HERE.parent / ".cache" / "fuzz"
    found, crashes = kept / asked.target, kept / "crashes"
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in targets.seeds(asked.target).items():
        (found / f"seed-{name}").write_bytes(data)
    corpus = HERE / "corpus" / asked.target
    options = [
        f"-max_total_time={asked.seconds}",
        f"-artifact_prefix={crashes}/{asked.target}-",
        "-max_len=8192",
        "-timeout=60",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    folders = [str(found), *([str(corpus)] if corpus.is_dir() else [])]
    atheris.Setup([sys.argv[0], *options, *folders], lambda data: targets.run(asked.target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
