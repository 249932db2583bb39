"""The notebooks run from top to bottom, and what they show is what stands in the repository."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest

import run_notebooks as runner

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def test_the_notebooks_are_there() -> None:
    names = ["a_coupon_and_what_it_did.ipynb", "four_kinds_of_users.ipynb", "weekly_page.ipynb"]
    assert [path.name for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_a_notebook_shows_names_no_machine(path: Path) -> None:
    """No folder of whoever ran it, and no link that leads nowhere."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:tmp|home|root|Users|work)/", text)
    for target in re.findall(r"\]\((\.\./docs/[^)#]+)", text):
        assert (EXAMPLES / target).is_file(), target


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    fresh = nbformat.reads(runner.run(copy), as_version=4)
    kept = nbformat.read(path, as_version=4)
    assert [cell.source for cell in fresh.cells] == [cell.source for cell in kept.cells]
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is not None for cell in code), "kept without outputs: make notebooks"
    # Texts alone: pictures and models' last digits may differ between versions of their packages.
    assert [len(cell.outputs) for cell in fresh.cells if cell.cell_type == "code"] == [len(c.outputs) for c in code]


def test_text_is_free_of_time_and_place() -> None:
    """Two runs of a notebook must not differ in anything but answers."""
    cell = nbformat.v4.new_code_cell("1 + 1", id="random", metadata={"execution": {"iopub.execute_input": "now"}})
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "<a object at 0x7f00>"}, execution_count=1)]
    cell.execution_count = 1
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"language_info": {"name": "python", "version": "3.11.7"}}
    )
    text = runner.text_of(notebook)
    assert "iopub" not in text
    assert "0x7f00" not in text
    assert "3.11.7" not in text
    assert runner.text_of(nbformat.reads(text, as_version=4)) == text


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_that_fails_or_warns_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(runner.CellExecutionError, match="ZeroDivisionError"):
        runner.run(path)
    warned = "import warnings; warnings.warn('told')"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(warned)]), path)
    with pytest.raises(runner.NotebookError, match="told"):
        runner.run(path)
