"""Files that are no export, or half of one: an error of ours. The command line: a line and an exit code."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.report.shell import main

_SOUND = (
    "phone,paid_at,paid,order,cat\na,2025-01-01 10:00,12.5,o1,veg\nb,2025-01-02,3.0,o2,fruit\nb,2025-01-02,-3.0,o2,甲\n"
).encode()
_PIECES = [
    b",", b"\n", b"\r\n", b'"', b"'", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"=1+1", b"9" * 400, b"2025-13-40", b"nan",
    b"inf", "甲".encode(), b";", b"\t", b"1e999", b"#", b"a" * 100_000,
]  # fmt: skip
_NAMES = {"user_id": "phone", "ordered_at": "paid_at", "amount": "paid"}


@st.composite
def damaged(draw):
    """A sound CSV with pieces put in, cut out or overwritten."""
    content = bytearray(_SOUND)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        what = draw(st.sampled_from(["insert", "insert", "cut", "overwrite"]))
        if what == "insert":
            content[at:at] = draw(st.sampled_from(_PIECES))
        elif what == "cut":
            del content[at : at + draw(st.integers(1, 12))]
        else:
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
    return bytes(content)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@given(damaged(), st.sampled_from(["raise", "set_aside"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_csv_is_read_or_refused_in_our_words(tmp_path, content, on_fault):
    file = tmp_path / "orders.csv"
    file.write_bytes(content)
    try:
        log = cl.OrderLog.from_csv(file, **_NAMES, order_id="order", category="cat", on_fault=on_fault)
    except cl.CommlifeError:
        return
    assert log.n_orders <= log.n_rows
    assert len(log.set_aside) >= 0


@pytest.mark.parametrize("content", [b"", b"\n", b"PK\x03\x04", b"PAR1", b"PAR1PAR1", b"\x00" * 100])
@pytest.mark.parametrize("engine", ["csv", "pandas", "polars", "duckdb"])
def test_what_is_no_table_is_refused(tmp_path, content, engine):
    file = tmp_path / "orders"
    file.write_bytes(content)
    with pytest.raises(cl.CommlifeError):
        if engine == "csv":
            cl.OrderLog.from_csv(file, **_NAMES)
        else:
            cl.OrderLog.from_parquet(file, engine=engine, **_NAMES)


@pytest.mark.parametrize("read", [cl.OrderLog.from_csv, cl.OrderLog.from_parquet])
@pytest.mark.parametrize("path", [5, None, "", "/", "a\0b", [], ["x", 5], "no/such/file"])
def test_what_names_no_file_is_refused(read, path):
    with pytest.raises(cl.ConfigError):
        read(path, **_NAMES)


_WORDS = [
    "report", "demo", "--user-id", "phone", "--ordered-at", "paid_at", "--amount", "paid", "--as-of", "2025-02-01",
    "--out", "--lang", "zh", "--budget", "nan", "-1", "--currency-digits", "99", "--timezone", "Moon/Base",
    "--merge-within", "x", "--max-addresses", "0", "../../etc/passwd",
]  # fmt: skip
_LINES = st.lists(
    st.one_of(st.sampled_from(_WORDS), st.text(max_size=6).filter(lambda text: "\0" not in text)), max_size=9
)


@given(_LINES.filter(lambda words: words[:1] != ["demo"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_the_command_leaves_with_a_code(capsys, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as error:  # argparse's own way out
        code = error.code
    told = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in told.err
    assert not list(tmp_path.rglob("*.html"))
