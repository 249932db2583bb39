"""Order of whole numbers in NumPy, and sums of what then lies together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["begins_of_stretches", "bits_of", "in_order", "sums_of_stretches"]


def bits_of(span: int) -> int:
    """Bits that tell the numbers below ``span`` apart."""
    return max(span - 1, 0).bit_length()


def in_order(key: Numbers) -> tuple[Numbers, Numbers]:
    """The places that bring ``key`` (nothing below zero) into order, equal numbers as they stood; and ``key`` so.

    Processors sort plain numbers many at a time, and their places one by one: number and place go into one number
    where 63 bits hold both, and one plain sort gives both back.
    """
    bits = bits_of(len(key))
    if len(key) and int(key.max()) >> (63 - bits):
        places = np.argsort(key, kind="stable")
        return places, key[places]
    packed = key << bits
    packed |= np.arange(len(key), dtype=np.int64)
    packed.sort()
    places = packed & ((1 << bits) - 1)
    packed >>= bits
    return places, packed


def begins_of_stretches(key: NDArray[Any]) -> Numbers:
    """Where each stretch of equal numbers begins."""
    is_begin = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=is_begin[1:])
    return np.flatnonzero(is_begin)


def sums_of_stretches(values: Numbers, begins: Numbers) -> Numbers:
    """The sum of each stretch: differences of one running sum, exact even where that runs over."""
    if not len(begins):
        return np.zeros(0, dtype=np.int64)
    running = np.cumsum(values, dtype=np.int64)
    ends = np.empty_like(begins)
    ends[:-1] = begins[1:] - 1
    ends[-1] = len(values) - 1
    sums: Numbers = running[ends]
    sums[1:] -= sums[:-1].copy()
    return sums
