"""One mutant against the tests that reach it, in a fork that has the heavy packages loaded and the library not.

The mutant never touches the disk: an import hook gives its source in place of the file's. A loop without end meets a
limit of CPU seconds, a runaway array one of memory.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from reach import QUIET

_MEMORY = 8 << 30


class _Source(SourceFileLoader):
    """Loads a module from a given source: no bytecode is read or written."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Hook(MetaPathFinder):
    """Finds one module: the mutated one."""

    def __init__(self, root: Path, path: str, source: str) -> None:
        self.name = path.removeprefix("src/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self.path, self.source = str(root / path), source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return spec_from_file_location(
            fullname,
            self.path,
            loader=_Source(fullname, self.path, self.source),
            submodule_search_locations=[str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None,
        )


class _Only:
    """A pytest plugin: these tests, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.place = {name: number for number, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place), key=lambda item: self.place[item.nodeid]
        )


def preload() -> None:
    """Import what the tests import, except the library: once, before the forks."""
    for name in (
        "numpy", "pandas", "polars", "duckdb", "pyarrow.parquet", "narwhals.stable.v2", "pydantic", "numba", "tqdm.auto",
        "scipy.optimize", "scipy.stats", "scipy.special", "scipy.sparse", "scipy.integrate", "sklearn.linear_model",
        "sklearn.ensemble", "matplotlib.pyplot", "hypothesis.strategies", "hypothesis.extra.numpy", "mpmath",
    ):  # fmt: skip
        importlib.import_module(name)


def survives(root: Path, path: str, source: str, tests: Sequence[str], seconds: float) -> str:
    """What became of the mutant: "survived", "killed" or "timeout"."""
    child = os.fork()
    if child == 0:
        _in_child(root, path, source, tests, seconds)
    give_up = time.monotonic() + 10 * seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "timeout"
        time.sleep(0.01)
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL} else "killed"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


def _in_child(root: Path, path: str, source: str, tests: Sequence[str], seconds: float) -> None:
    code = 1
    try:
        # Started in the background a process ignores Ctrl-C: tests of it need to be heard.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        limit = int(used + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        hook = _Hook(root, path, source)
        sys.meta_path.insert(0, hook)
        importlib.import_module(hook.name)  # one that cannot even be imported is dead
        code = int(
            pytest.main([*QUIET, *dict.fromkeys(name.partition("::")[0] for name in tests)], plugins=[_Only(tests)])
        )
    finally:
        os._exit(code)
