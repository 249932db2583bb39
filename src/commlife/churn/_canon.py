"""An order of rows that their content decides: ids and the order of the input do not matter to any draw."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["canonical_order", "row_hashes"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def row_hashes(table: np.ndarray[Any, Any], *, salt: int = 0) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A 64-bit hash of each row of a float table (SplitMix64 over the columns); equal rows hash alike.

    Values are rounded to float32 first, as the booster sees them, so that the last bits of a ratio do not matter.
    """
    mixed = np.full(len(table), np.uint64(salt), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in range(table.shape[1]):
            # + 0.0 makes -0.0 and 0.0 one; every NaN is made the same.
            plain = np.asarray(table[:, column], dtype=np.float32) + np.float32(0.0)
            bits = np.where(np.isnan(plain), np.float32(np.nan), plain).view(np.uint32).astype(np.uint64)
            mixed = _mix(mixed ^ (bits + _GOLDEN))
    return mixed


def canonical_order(*columns: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Positions that sort rows by their content; rows that stay tied are equal."""
    return np.lexsort(columns[::-1])


def _mix(value: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    value = value + _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))
