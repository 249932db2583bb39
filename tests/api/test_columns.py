"""What a result promises: its columns, their order and what they hold, one result after the other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import every_result

sys.path.insert(0, str(Path(__file__).parent))

import shapes

KEPT = json.loads(shapes.FRAMES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shop():
    return every_result.Shop()


@pytest.mark.parametrize("name", sorted(every_result.MADE))
def test_a_result_keeps_its_columns(shop, name):
    assert shapes.shape(name, shop) == KEPT[name]
