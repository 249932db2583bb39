"""Killed, full, read-only, stopped, many threads at once: nothing half-written is ever read as whole."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

import commlife as cl
from commlife._files import file_to_write, write_whole

AS_OF = "2025-06-01"

#: Writes two kinds of content in turn until it is killed.
_WRITER = """
import sys, pathlib
from commlife._files import write_whole
target = pathlib.Path(sys.argv[1])
while True:
    for letter in (b"a", b"b"):
        write_whole(target, letter * 3_000_000)
"""


def _run(code: str, *arguments: str, **more) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
    )


def _wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "nothing was written within a minute"
        time.sleep(0.01)


def test_killed_in_the_middle_of_a_write_the_file_is_whole(tmp_path):
    target = tmp_path / "report.html"
    for pause in (0.0, 0.011, 0.023, 0.037):
        process = _run(_WRITER, str(target))
        _wait_for(target.exists, process)
        time.sleep(pause)
        process.kill()
        process.communicate()
        content = target.read_bytes()
        assert len(content) == 3_000_000
        assert set(content) in ({ord("a")}, {ord("b")})


def test_on_a_full_disk_the_old_file_stays_and_the_message_says_what_to_do(tmp_path):
    """A limit on the size of files stands for the disk: writing fails half-way through."""
    target = tmp_path / "users.parquet"
    target.write_bytes(b"old")
    code = (
        "import pathlib, sys\nfrom commlife._files import write_whole\nfrom commlife import PersistenceError\n"
        "try:\n    write_whole(pathlib.Path(sys.argv[1]), b'x' * 1_000_000)\nexcept PersistenceError as error:\n"
        "    print(error)\n    sys.exit(7)\n"
    )

    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = _run(code, str(target), preexec_fn=small_files_only, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    assert "Make room" in told
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]


def test_a_folder_that_refuses_is_told(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(cl.PersistenceError, match=r"Permission denied.*may write to"):
        write_whole(tmp_path / "a.html", b"new")


@pytest.mark.parametrize("failing", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_is_stopped_leaves_nothing_behind(tmp_path, monkeypatch, failing):
    target = tmp_path / "report.html"
    write_whole(target, b"old")

    def fails(self, other):
        raise failing

    monkeypatch.setattr("pathlib.Path.replace", fails)
    with pytest.raises((cl.PersistenceError, KeyboardInterrupt)):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("path", [5, None, "a\0b.html", b"bytes", "", "no/such/folder/a.html"])
def test_what_is_no_place_for_a_file_is_refused_before_the_work(path):
    with pytest.raises(cl.ConfigError):
        file_to_write(path)


_FITTER = """
import commlife as cl, numpy as np, sys
summary = cl.purchase_summary(cl.datasets.make_community(n_users=400, seed=0).log, as_of="2025-06-01")
print("ready", flush=True)
while True:
    cl.ParetoNBD().fit(summary)
"""


def test_control_c_stops_a_fit():
    process = _run(_FITTER)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert "KeyboardInterrupt" in told


def test_a_model_killed_while_it_is_saved_loads_as_the_old_or_the_new_one(tmp_path):
    """The folder is put in place as a whole; at worst it is missing for a moment, never half of it."""
    log = cl.datasets.make_community(n_users=300, seed=0).log
    model = cl.SilenceModel(horizon="14D", active_within="28D", n_trees=5, seed=0)
    folder = tmp_path / "model"
    fitted = model.fit(log, as_of=AS_OF)
    fitted.save(folder)
    code = (
        "import commlife as cl, sys\nmodel = cl.FittedSilenceModel.load(sys.argv[1])\nprint('ready', flush=True)\n"
        "while True:\n    model.save(sys.argv[1])\n"
    )
    wanted = fitted.predict(log, as_of=AS_OF)
    for pause in (0.0, 0.05, 0.13):
        if not folder.exists():  # killed between the two renames: nothing is read as whole that is not
            fitted.save(folder)
        process = _run(code, str(folder))
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        time.sleep(pause)
        process.kill()
        process.communicate()
        if folder.exists():
            again = cl.FittedSilenceModel.load(folder).predict(log, as_of=AS_OF)
            pd.testing.assert_frame_equal(again, wanted)


def test_eight_threads_share_a_log_and_fitted_objects():
    """Lazily computed facts of a log are the same whoever asks first."""
    made = cl.datasets.make_community(n_users=900, seed=3).log
    rfm = cl.RFM(n_bins=2, segment_map="octants").fit(made, as_of=AS_OF)
    summary = cl.purchase_summary(made, as_of=AS_OF)
    beta_geo = cl.BetaGeo().fit(summary)
    wanted = (
        rfm.transform(made, as_of=AS_OF),
        beta_geo.p_silent(summary, horizon="28D"),
        cl.cohort_table(made, as_of=AS_OF, period="7D").to_frame(),
    )
    fresh = cl.OrderLog.from_frame(
        made.to_native(), **{name: name for name in ("user_id", "order_id", "ordered_at", "amount", "community")}
    )
    gate = threading.Barrier(8)

    def work(_):
        gate.wait(timeout=60)
        found = (
            rfm.transform(fresh, as_of=AS_OF),
            beta_geo.p_silent(cl.purchase_summary(fresh, as_of=AS_OF), horizon="28D"),
            cl.cohort_table(fresh, as_of=AS_OF, period="7D").to_frame(),
        )
        return [pd.testing.assert_frame_equal(one, other) for one, other in zip(found, wanted, strict=True)]

    with ThreadPoolExecutor(8) as pool:
        assert all(done == [None] * 3 for done in pool.map(work, range(8)))
