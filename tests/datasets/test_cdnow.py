"""CDNOW from the text files of Fader & Hardie, which the package lifetimes carries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from commlife.datasets import load_cdnow
from commlife.errors import ConfigError


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package lifetimes is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "datasets"


@pytest.mark.parametrize(("name", "rows", "users"), [("master", 69_659, 23_570), ("sample", 6_919, 2_357)])
def test_known_sizes(folder: Path, name: str, rows: int, users: int) -> None:
    """Fader & Hardie: 69,659 purchases of 23,570 customers; 6,919 of 2,357 in the sample."""
    log = load_cdnow(folder / f"CDNOW_{name}.txt")
    assert (log.n_rows, log.n_orders, log.n_users) == (rows, rows, users)
    assert (log.first_day, log.last_day) == ("1997-01-01", "1998-06-30")


def test_a_file_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "CDNOW_master.txt"
    path.write_text(" 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n")
    log = load_cdnow(str(path))
    assert log.n_rows == 2
    assert log.to_native()["user_id"].tolist() == ["00001", "00002"]


@pytest.mark.parametrize("text", ["", "1 2 3\n", "a b c d e f\n", "1 2 3 4\n1 2 3 4 5 6 7\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match="columns"):
        load_cdnow(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        load_cdnow(tmp_path / "CDNOW_master.txt")
