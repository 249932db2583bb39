"""The command line: files, exit codes, messages."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pandas as pd
import pytest

import commlife as cl
from commlife.report.shell import main


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders")
    frame = cl.datasets.make_community(n_users=500, seed=4).frame
    frame.to_parquet(folder / "orders.parquet")
    frame.head(2000).to_csv(folder / "orders.csv", index=False)
    return folder


COLUMNS = ["--user-id", "user_id", "--ordered-at", "ordered_at", "--amount", "amount", "--order-id", "order_id"]
MORE = ["--category", "category", "--community", "community", "--address-id", "address_id", "--item-id", "item_id"]


def test_report_writes_both_files(orders, tmp_path, capsys):
    code = main(
        ["report", str(orders / "orders.parquet"), *COLUMNS, *MORE, "--as-of", "2025-06-30", "--out", str(tmp_path / "o"),
         "--exclude-category", "housekeeping", "--max-addresses", "3", "--merge-within", "6h", "--lang", "zh",
         "--budget", "50"]
    )  # fmt: skip
    assert code == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "o" / name) for name in ("users.parquet", "report.html")]
    users = pd.read_parquet(tmp_path / "o" / "users.parquet")
    assert {"user_id", "segment", "state", "p_silent", "coupon_id", "next_action"} <= set(users.columns)
    assert 'lang="zh-CN"' in (tmp_path / "o" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (["--as-of", "18/12/2017"], 2, "as_of"),
        (["--amount", "paid"], 1, "There is no column"),
        (["--merge-within", "soon"], 2, "merge_within"),
        (["--exclude-category", "x"], 2, "category"),
        (["--as-of", "2020-01-01"], 1, "order that counts"),
    ],
)
def test_exit_codes_tell_faulty_data_from_a_wrong_command(orders, tmp_path, capsys, change, code, told):
    words = ["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30", "--out", str(tmp_path), *change]
    assert main(words) == code
    assert told in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))


def test_files_of_another_kind_are_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path / "orders.xlsx"), *COLUMNS, "--as-of", "2025-06-30"]) == 2
    assert ".parquet or .csv" in capsys.readouterr().err


def test_out_that_cannot_be_made_is_told(orders, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    words = ["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30", "--out", str(blocked / "deeper")]
    assert main(words) == 1
    assert "deeper" in capsys.readouterr().err


def test_stopping_is_no_failure(monkeypatch, orders, capsys):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("commlife.orders.OrderLog.from_csv", stop)
    assert main(["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30"]) == 130
    assert "nothing was left half-written" in capsys.readouterr().err


def test_usage_errors_leave_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["report"])
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "commlife", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("commlife ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "fewer months of orders, or more memory"),
        (PermissionError(13, "Permission denied", "orders.csv"), "Permission denied: orders.csv"),
    ],
)
def test_what_the_machine_refuses_is_told_in_a_line(monkeypatch, orders, capsys, error, told):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr("commlife.orders.OrderLog.from_csv", refuse)
    assert main(["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30"]) == 1
    assert told in capsys.readouterr().err


def test_a_caveat_is_a_line_without_code(monkeypatch, orders, capsys):
    def warn(*args, **kwargs):
        sys.stderr.write(warnings.formatwarning(cl.ModelWarning("few users"), cl.ModelWarning, "shell.py", 1))
        raise cl.InsufficientDataError("nobody")

    monkeypatch.setattr("commlife.orders.OrderLog.from_csv", warn)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    assert main(["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30"]) == 1
    assert "commlife: note: few users" in capsys.readouterr().err


def test_the_demo_leaves_fuel_out_and_shows_whole_ids(monkeypatch, tmp_path, capsys):
    """Its data come with an extra: a small community stands in for them."""
    log = cl.datasets.make_community(n_users=120, seed=4).log
    kept = {}

    def load(**asked):
        kept.update(asked)
        return log

    monkeypatch.setattr("commlife.datasets.load_complete_journey", load)
    monkeypatch.setattr("commlife.datasets.COMPLETE_JOURNEY_FUEL", ("housekeeping",))
    assert main(["demo", "--out", str(tmp_path), "--as-of", "2025-06-30"]) == 0
    assert kept == {"item": "product_type"}
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in ("users.parquet", "report.html")]
    # Cleaned: no category that was left out is anybody's favourite.
    users = pd.read_parquet(tmp_path / "users.parquet")
    assert len(users) > 50
    assert "housekeeping" not in set(users.get("favourite_category", []))


def test_the_two_files_need_pyarrow(monkeypatch, orders, tmp_path, capsys):
    log = cl.datasets.make_community(n_users=50, seed=4).log
    monkeypatch.setattr("commlife.orders.OrderLog.from_csv", lambda *args, **kwargs: log)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    words = ["report", str(orders / "orders.csv"), *COLUMNS, "--as-of", "2025-06-30", "--out", str(tmp_path / "o")]
    assert main(words) == 1
    assert 'pip install "commlife[report]"' in capsys.readouterr().err
