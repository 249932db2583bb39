"""The boundary, driven by bytes: whatever they say, there is an answer or an error of ours.

Each target takes bytes and fails by letting another exception out. Nothing here needs a fuzzer: the tests replay the
corpus through the same functions.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import itertools
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

import commlife as cl
import every_kind
from commlife._engine import collect
from commlife.report.shell import main
from commlife.testing import in_engine

#: Kinds that are kept as a text, in a fixed order: the first byte of a JSON input chooses.
TEXTS = [name for name in every_kind.kinds() if not every_kind.is_folder(name)]
_NAMES = {"user_id": "phone", "ordered_at": "paid_at", "amount": "paid"}
_FOLDER = Path(tempfile.mkdtemp(prefix="commlife-fuzz-"))


class Bytes:
    """Choices out of bytes; where they end, the answer is 0."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def one_of(self, choices: Any) -> Any:
        return choices[self.byte() % len(choices)]

    def whole(self, size: int = 8) -> int:
        return int.from_bytes(bytes(self.byte() for _ in range(size)), "little", signed=True)

    def text(self) -> str:
        return bytes(self.byte() for _ in range(self.byte() % 24)).decode("utf-8", "replace")


def _cell(given: Bytes, kind: int) -> Any:
    cells: list[Callable[[], Any]] = [
        given.text,
        given.whole,
        lambda: given.whole(2) / 100,
        lambda: given.one_of([float("nan"), float("inf"), -0.0, 1e300, 5e-324]),
        lambda: dt.datetime(1970, 1, 1) + dt.timedelta(minutes=given.whole(4) % 80_000_000),  # noqa: DTZ001
        lambda: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=given.whole(3) % 1_000_000),
        lambda: dt.date(1970, 1, 1) + dt.timedelta(days=given.whole(2) % 60_000),
        lambda: given.byte() > 127,
        lambda: Decimal(given.whole(3)).scaleb(-(given.byte() % 6)),
        lambda: None,
        lambda: given.one_of([pd.NaT, pd.NA, pd.Timedelta(1), b"x", [1], {}, 1j, 2**70]),
        lambda: (
            f"20{given.byte() % 100:02d}-{given.byte() % 14:02d}-{given.byte() % 33:02d} {given.byte() % 26:02d}:00"
        ),
    ]
    return cells[kind % len(cells)]()


def _frame(given: Bytes) -> pd.DataFrame | None:
    rows = given.byte() % 7
    columns = {}
    for name in ("phone", "paid_at", "paid", "order", "pieces", "word", "first"):
        kind, mixed = given.byte(), given.byte() > 220
        columns[name] = [_cell(given, given.byte() if mixed else kind) for _ in range(rows)]
    try:
        return pd.DataFrame(columns)
    except Exception:  # noqa: BLE001  (pandas' own limits are not ours)
        return None


def from_frame(data: bytes) -> None:
    """Rows are kept, set aside or refused."""
    given = Bytes(data)
    frame = _frame(given)
    if frame is None:
        return
    engine, on_fault = given.one_of(["pandas", "pandas", "polars", "pyarrow"]), given.one_of(["raise", "set_aside"])
    homes = {
        "order_id": "order", "quantity": "pieces", "category": "word", "community": "word", "discount": "pieces",
        "first_ordered_at": "first",
    }  # fmt: skip
    more = {name: host for name, host in homes.items() if given.byte() > 127}
    try:
        native = in_engine(frame, engine)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return
    try:
        log = cl.OrderLog.from_frame(native, **_NAMES, **more, on_fault=on_fault)
        assert log.n_rows + len(collect(nw.from_native(log.set_aside))) == len(frame)
        assert repr(log)
        if log.n_rows:
            cl.purchase_summary(log, as_of="2030-01-01")
    except cl.CommlifeError:
        return


def from_csv(data: bytes) -> None:
    """A file is read or refused."""
    file = _FOLDER / "orders.csv"
    file.write_bytes(data[1:])
    try:
        log = cl.OrderLog.from_csv(
            file, **_NAMES, order_id="order", category="cat", on_fault="set_aside" if data[:1] > b"\x7f" else "raise"
        )
        assert log.n_orders <= log.n_rows
        assert repr(log)
    except cl.CommlifeError:
        return


def from_json(data: bytes) -> None:
    """A text is an object that writes itself the same again, or refused."""
    cls: Any = every_kind.kinds()[TEXTS[data[0] % len(TEXTS)]] if data else cl.RFM
    try:
        thing = cls.from_json(data[1:].decode("utf-8", "replace"))
    except cl.PersistenceError:
        return
    text = thing.to_json()
    assert cls.from_json(text).to_json() == text
    assert repr(thing)


def command_line(data: bytes) -> None:
    """Words are a run, or a line and an exit code; written files lie in the folder that was named."""
    orders = _FOLDER / "orders.csv"
    head, _, rest = data.partition(b"\0\0")
    orders.write_bytes(rest)
    words = [word.decode("utf-8", "replace") for word in head.split(b"\0")]
    # A fuzzer's words name no place of this machine but the folder of the run; the demo is a minute of work.
    words = [word for word in words if "/" not in word and ".." not in word and word != "demo" and "--out" not in word]
    before = Path.cwd()
    told = io.StringIO()
    try:
        os.chdir(_FOLDER)
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            code = main(words)
    except SystemExit as error:  # argparse's own way out
        code = error.code
    finally:
        os.chdir(before)
    assert code in (0, 1, 2), code
    assert "Traceback" not in told.getvalue()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "from_frame": from_frame,
    "from_csv": from_csv,
    "from_json": from_json,
    "command_line": command_line,
}


def run(name: str, data: bytes) -> None:
    """One input through one target, engines' warnings about odd data unheard.

    Raises:
        Exception: What the target let out. An answer and a refusal of ours both end here in silence.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGETS[name](data)


def seeds(name: str) -> dict[str, bytes]:
    """Sound inputs from which a fuzzer starts."""
    if name == "from_json":
        log = every_kind.log_of(every_kind.orders())
        made = {kind: every_kind.make(kind, log).to_json().encode() for kind in TEXTS}
        # Trees are texts of many thousand characters: the tests tamper with them by their structure.
        return {kind: bytes([TEXTS.index(kind)]) + text for kind, text in made.items() if len(text) < 8_000}
    table = (
        "phone,paid_at,paid,order,cat\na,2025-01-01 10:00,12.5,o1,veg\nb,2025-01-02,3.0,o2,fruit\n"
        "b,2025-01-02,-3.0,o2,甲\n".encode()
    )
    if name == "from_csv":
        return {"raise": b"\0" + table, "set_aside": b"\xff" + table}
    if name == "command_line":
        sound = (
            "report orders.csv --user-id phone --ordered-at paid_at --amount paid --order-id order --as-of 2025-02-01"
        )
        more = sound + " --on-fault set_aside --lang zh --budget 5 --merge-within 6h --max-addresses 2 --timezone UTC"
        return {
            "sound": sound.replace(" ", "\0").encode() + b"\0\0" + table,
            "more": more.replace(" ", "\0").encode() + b"\0\0" + table,
            "help": b"report\0--help",
        }
    return {f"rows_{rows}": bytes([rows, *itertools.repeat(7 * rows, 120)]) for rows in range(1, 7)}


if __name__ == "__main__":
    sys.exit("python fuzz/run.py TARGET runs a target under Atheris.")
