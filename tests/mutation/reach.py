"""Which tests run which lines of a room, and how long each takes: one run of its tests under coverage.

A line that only a shared fixture runs belongs to every test that asks for the fixture, and caches of the tests and of
the library are emptied between tests, so that the first test to fill one is not taken for its only user.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Self

import coverage
import pytest

QUIET = ["-q", "-x", "--assert=plain", "--tb=short"]
QUIET += [word for plugin in ("randomly", "cacheprovider", "xdist", "pytest_cov") for word in ("-p", f"no:{plugin}")]


@dataclass
class Reach:
    """Seconds of each test, and the tests that run each line of each file."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    def to_json(self) -> str:
        """For :meth:`from_json`."""
        lines = {path: {line: sorted(names) for line, names in held.items()} for path, held in self.lines.items()}
        return json.dumps({"seconds": self.seconds, "lines": lines})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What :meth:`to_json` wrote."""
        told = json.loads(text)
        lines = {path: {int(line): set(names) for line, names in held.items()} for path, held in told["lines"].items()}
        return cls(told["seconds"], lines)

    def tests(self, path: str, first: int, last: int, *, at_import: bool) -> list[str]:
        """The tests that run one of these lines, the quick ones first.

        What runs at import (a constant, a bound of a field) may be seen by a test that runs no line of the file, since
        pydantic's checks are not Python: by any of a test file of which one does.
        """
        of_file = self.lines.get(path, {})
        if at_import:
            files = {name.partition("::")[0] for names in of_file.values() for name in names}
            names = {name for name in self.seconds if not files or name.partition("::")[0] in files}
        else:
            names = set().union(*(of_file.get(line, set()) for line in range(first, last + 1)))
        return sorted(names, key=lambda name: (self.seconds[name], name))

    def within(self, names: list[str], seconds: float) -> list[str]:
        """The first of these tests, as many as fit within so many seconds, and one at least."""
        ends = accumulate(self.seconds[name] for name in names)
        return [
            name for number, (name, end) in enumerate(zip(names, ends, strict=True)) if end <= seconds or not number
        ]


class _Recorder:
    """A pytest plugin: one coverage context for each test and for each shared fixture."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.users: defaultdict[str, set[str]] = defaultdict(set)
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        _empty_caches(getattr(item, "module", None))
        self.measured.switch_context(f"test {item.nodeid}")
        for name in getattr(item, "fixturenames", ()):
            self.users[name].add(item.nodeid)
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - began
            self.measured.switch_context("")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        self.measured.switch_context(f"fixture {fixturedef.argname}")
        try:
            return (yield)
        finally:
            self.measured.switch_context(f"test {request._pyfuncitem.nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid}\n{report.longreprtext}")


def _empty_caches(of_tests: object) -> None:
    modules = [of_tests, *(module for name, module in list(sys.modules.items()) if name.startswith("commlife."))]
    for module in modules:
        for value in list(vars(module).values()) if module is not None else ():
            if hasattr(value, "cache_clear") and hasattr(value, "cache_info"):
                value.cache_clear()


def measure(root: Path, paths: Iterable[str], tests: Iterable[str]) -> Reach:
    """Run the tests once and note who runs what. A test that fails unmutated is an error of the caller's."""
    measured = coverage.Coverage(
        data_file=None, config_file=False, include=[str(root / path) for path in paths], messages=False
    )
    recorder = _Recorder(measured)
    measured.start()
    code = pytest.main([*QUIET, *tests], plugins=[recorder])
    measured.stop()
    if code != 0:
        raise SystemExit("the tests must pass before they are tried:\n" + "\n".join(recorder.failed))
    data = measured.get_data()
    reach = Reach(seconds=recorder.seconds)
    for file in data.measured_files():
        lines: dict[int, set[str]] = {}
        for line, contexts in data.contexts_by_lineno(file).items():
            names: set[str] = set()
            for context in contexts:
                kind, _, name = context.partition(" ")
                names |= {name} if kind == "test" else recorder.users.get(name, set()) if kind == "fixture" else set()
            lines[line] = names
        reach.lines[str(Path(file).relative_to(root))] = lines
    return reach
