"""Run the notebooks in this folder and keep their outputs: ``python examples/run_notebooks.py``.

A notebook that fails stops the run. Whatever differs from run to run (times, execution ids, the version of Python) is
taken out, so that a notebook is only changed where its answers are.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
SECONDS = 300
#: Addresses of objects in reprs differ in each process.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class NotebookError(Exception):
    """A notebook ran, but not without a warning."""


def run(path: Path) -> str:
    """Execute a notebook in a folder of its own; returns its text with fresh outputs.

    Raises:
        CellExecutionError: A cell failed.
        NotebookError: A cell wrote to the error stream, such as a warning.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources=resources, record_timing=False
        )
        # Figures belong into the notebook, whatever backend the shell asks for.
        client.execute(env={name: value for name, value in os.environ.items() if name != "MPLBACKEND"})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise NotebookError(f"a cell warned:\n{cell.source}\n{output.text}")
    return text_of(notebook)


def text_of(notebook: nbformat.NotebookNode) -> str:
    """A notebook as text that depends on its cells and their answers alone."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            for kind, shown in output.get("data", {}).items():
                if isinstance(shown, str) and not kind.startswith("image/"):
                    output["data"][kind] = _ADDRESS.sub("", shown)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    """Run all notebooks, or those that are named; the exit code is 1 if one fails."""
    parser = argparse.ArgumentParser(description="Run notebooks in place.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run (all in this folder by default)")
    for path in parser.parse_args().notebooks or sorted(HERE.glob("*.ipynb")):
        try:
            text = run(path)
        except (CellExecutionError, NotebookError) as error:
            print(f"FAILED {path.name}\n{error}", file=sys.stderr)
            return 1
        path.write_text(text, encoding="utf-8")
        print(f"ok     {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
