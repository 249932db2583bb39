"""Faults of baskets that were given, each in words and as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.errors import SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["boolean_fault", "fault_of", "null_fault"]


def fault_of(fault: str, column: str, rows: int, example: str, fix: str) -> SchemaError:
    """A SchemaError of one fault, in words and as a frame."""
    frame = pd.DataFrame(
        {"fault": [fault], "column": [column], "rows": [rows], "policy": ["raise"], "example": [example], "fix": [fix]}
    )
    return SchemaError(f"{column}: {fault}, {rows:,} rows, first {example}. {fix}", frame)


def null_fault(column: str, codes: NDArray[Any]) -> SchemaError:
    rows = np.flatnonzero(codes < 0)
    return fault_of("null", column, int(rows.size), f"at row {int(rows[0])}", "Drop these rows, or name what they are.")


def boolean_fault(column: str, rows: int, wrong: bool) -> SchemaError:  # noqa: FBT001 (a label)
    return fault_of(
        "boolean_item", column, rows, repr(wrong),
        "A boolean is no item. Give a two-dimensional boolean array, or the names of what was bought.",
    )  # fmt: skip
