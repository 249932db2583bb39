"""The public API changes on purpose alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_api_is_the_one_in_the_snapshot():
    """In a process of its own, so that no other test's imports matter."""
    script = Path(__file__).with_name("snapshot.py")
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout
