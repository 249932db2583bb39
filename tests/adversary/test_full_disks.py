"""A full disk, a read-only one, too little memory, Ctrl-C and a kill: what stood there before stands, and we say what to do.

Each runs in a process of its own, on a real disk that is really full. Where this machine lets nobody mount a small disk
(no root), the limit on the size of files stands for it: that one runs everywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import commlife as cl
import every_kind

WRITER = Path(__file__).with_name("every_writer.py")
_QUIET = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}


def _may_mount() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    tried = subprocess.run([unshare, "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)  # noqa: S603
    return tried.returncode == 0


needs_mount = pytest.mark.skipif(not _may_mount(), reason="this process may not mount a small disk (no root)")


@pytest.mark.parametrize(
    "pressure", ["limit", pytest.param("fill", marks=needs_mount), pytest.param("readonly", marks=needs_mount)]
)
def test_no_writer_leaves_half_a_result(tmp_path, pressure):
    folder = tmp_path / "disk"
    folder.mkdir()
    write = [sys.executable, str(WRITER), str(folder), pressure]
    if pressure == "limit":
        command = write
    else:  # a disk of 8 MB that this process alone sees
        script = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
        command = [str(shutil.which("unshare")), "-m", "sh", "-c", script, str(folder), *write]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_QUIET, timeout=300)  # noqa: S603
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert answer["beside"] == []
    assert len(answer["told"]) == 10
    for name, told in answer["told"].items():
        kind, words = told["error"]
        assert told["stands"], name
        if name == "command":
            assert (kind, words) == ("exit", "1")
            assert "Make room, or give a folder that this process may write to." in done.stderr
        else:
            assert kind == "PersistenceError", (name, words)
            assert "What stood there before is unchanged. Make room" in words, name


_STATES = """
import sys, warnings
warnings.simplefilter("ignore")
import commlife as cl
state = cl.LogState.load(sys.argv[1])
print("ready", flush=True)
while True:
    state.save(sys.argv[1])
"""


def test_a_state_killed_while_it_is_saved_loads_whole_or_is_not_there(tmp_path):
    log = every_kind.log_of(every_kind.orders())
    state = every_kind.make("LogState", log)
    folder = tmp_path / "state"
    wanted = state.purchase_summary()
    for pause in (0.0, 0.02, 0.05, 0.11):
        if not folder.exists():  # killed between the two renames
            state.save(folder)
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _STATES, str(folder)], stdout=subprocess.PIPE, text=True, env=_QUIET
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        time.sleep(pause)
        process.kill()
        process.communicate()
        if folder.exists():
            pd.testing.assert_frame_equal(cl.LogState.load(folder).purchase_summary(), wanted)


_FITS = {
    "silence": "cl.SilenceModel(n_trees=300).fit(log, as_of='2025-06-01')",
    "types": "cl.BehaviourTypes(restarts=20).fit(log, as_of='2025-06-01')",
    "itemsets": "cl.frequent_itemsets(log, as_of='2025-06-01', min_count=1, max_len=3)",
    "allocate": "cl.allocate(rng.random((60_000, 8)), rng.random((60_000, 8)), budget=3_000.0)",
    "bootstrap": "cl.bootstrap(cl.ParetoNBD(), cl.purchase_summary(log, as_of='2025-06-01'), n_samples=50)",
}


@pytest.mark.parametrize("name", sorted(_FITS))
def test_control_c_stops_work_at_once(name):
    """Also inside of compiled code: the interrupt is not swallowed, and nothing else is said."""
    code = (
        "import warnings; warnings.simplefilter('ignore')\nimport commlife as cl, numpy as np\n"
        "rng = np.random.default_rng(0)\nlog = cl.datasets.make_community(n_users=600, seed=0).log\n"
        f"print('ready', flush=True)\nwhile True:\n    {_FITS[name]}\n"
    )
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_QUIET
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    time.sleep(2.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert told.rstrip().splitlines()[-1].startswith("KeyboardInterrupt"), told[-500:]


def test_control_c_stops_the_command_with_a_line_and_its_code(tmp_path):
    orders = tmp_path / "orders.csv"
    cl.datasets.make_community(n_users=3_000, seed=0).frame.to_csv(orders, index=False)
    asked = ["report", str(orders), "--user-id", "user_id", "--ordered-at", "ordered_at", "--amount", "amount"]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "commlife", *asked, "--as-of", "2025-06-01", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_QUIET,
    )  # fmt: skip
    time.sleep(4.0)
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip().splitlines()[-1] == "Stopped; nothing was left half-written."
    assert not list(tmp_path.rglob("*.html"))


#: Everything is loaded and computed once; then the process may grow by so little that the second time fails.
_TIGHT = """
import pathlib, resource, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
import commlife as cl
from commlife.report.shell import main
folder = pathlib.Path(sys.argv[1])
asked = ["report", str(folder / "small.csv"), "--user-id", "u", "--ordered-at", "t", "--amount", "m"]
asked += ["--as-of", "2025-06-01", "--out", str(folder / "out")]
print("first", main(asked), flush=True)
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 30_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
asked[1] = str(folder / "large.csv")
print("second", main(asked), flush=True)
"""


def test_out_of_memory_a_worker_says_so_and_the_old_results_stand(tmp_path):
    small = pd.DataFrame({"u": [f"u{i % 40}" for i in range(400)], "m": 5.0})
    small["t"] = [f"2025-0{1 + i % 5}-1{i % 9}" for i in range(400)]
    small.to_csv(tmp_path / "small.csv", index=False)
    pd.concat([small] * 3_000, ignore_index=True).to_csv(tmp_path / "large.csv", index=False)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _TIGHT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=_QUIET,
        timeout=300,
    )
    out = tmp_path / "out"
    assert "first 0" in done.stdout, done.stderr[-2000:]
    assert "second 1" in done.stdout, (done.stdout[-500:], done.stderr[-2000:])
    assert "nothing was left half-written" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "users.parquet"]
    assert len(pd.read_parquet(out / "users.parquet")) == 40
