"""The README's first snippet, on pandas and on Polars alike."""

from __future__ import annotations

import re
from pathlib import Path

import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pytest

from commlife._engine import collect

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_the_first_snippet_works(library):
    code = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL).group(1)
    if library is pl:
        code = code.replace("import pandas as pd", "import polars as pd")
    *statements, summary, growth = [line for line in code.strip().splitlines() if line.strip()]
    space: dict[str, object] = {}
    exec("\n".join(statements), space)  # noqa: S102  (the README's own code)
    table = eval(summary.split("#")[0], space)  # noqa: S307
    assert isinstance(table, library.DataFrame)
    assert collect(nw.from_native(table))["x"].tolist() == [1, 0, 0]
    flows = eval(growth.split("#")[0], space)  # noqa: S307
    assert flows["new"].sum() == 3


def test_both_commands_stand_in_the_first_screen():
    first_screen = README.splitlines()[:15]
    assert any(line.startswith("make demo") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)
