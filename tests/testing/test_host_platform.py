"""The sample host project: its own test run passes, and the kit catches each of its broken adapters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

HOST = Path(__file__).resolve().parents[2] / "examples" / "host_platform"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(part for part in (os.environ.get("PYTHONPATH", ""), str(HOST)) if part)
    # Its own run: neither our coverage nor our random order.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
    return subprocess.run(  # noqa: S603
        [sys.executable, *command],
        cwd=HOST,
        env=environment | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_hosts_own_tests_pass():
    done = run("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_each_broken_adapter_is_caught_with_rows_that_paste():
    done = run("broken.py", "--rows")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT CAUGHT" not in done.stdout
    told = re.findall(r"^(\w+): .+?The rows:\n(.+?\}(?:, index=.+?)?\))$", done.stdout, flags=re.MULTILINE | re.DOTALL)
    assert len(told) == 28
    for adapter, code in told:
        rows = eval(code, {"pd": pd})  # noqa: S307  (the kit's own text)
        assert 1 <= len(rows) <= 8
        if "zone" in adapter:
            assert rows["paid_at"].dt.tz is not None


def test_a_broken_adapter_fails_the_hosts_run(tmp_path):
    """The kit's verdict reaches the host's CI as a failing test with rows to paste."""
    test = tmp_path / "test_broken.py"
    test.write_text(
        "from broken import forgets_refunds\nfrom commlife import testing\nfrom estate_shop.tables import from_rows\n\n"
        "def test_it():\n    testing.check_adapter(lambda rows: forgets_refunds(from_rows(rows)))\n",
        encoding="utf-8",
    )
    done = run("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", str(test))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "pd.DataFrame({" in done.stdout
