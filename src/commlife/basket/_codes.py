"""Codes: labels of any kind as whole numbers that ascend with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife.basket._faults import boolean_fault, fault_of, null_fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["changes", "codes_of_labels", "codes_of_objects", "plain", "sorted_codes", "sorted_labels"]

#: Width of the range in which numbers are told apart by a bit each, an entry; and entries that are looked at together.
_BITS_AN_ENTRY, _PART = 16, 1 << 15


def changes(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Where another value begins than in the row before: mostly far fewer values are left to be looked up."""
    changed = np.ones(len(column), dtype=bool)
    is_number = _is_number(column.dtype)
    # Objects are as soon looked up as compared, and might not be comparable.
    if len(column) > 1 and (is_number or isinstance(column.dtype, pd.StringDtype)):
        values: Any = np.asarray(column) if is_number else column.array
        another = values[1:] != values[:-1]
        changed[1:] = another if isinstance(another, np.ndarray) else another.to_numpy(dtype=bool, na_value=True)
    return changed


def codes_of_labels(values: Any, column: str) -> tuple[NDArray[np.int32], list[Any]]:
    """Codes of labels that ascend; nulls and booleans are faults."""
    if _is_number(values.dtype):
        return _codes_of_numbers(np.asarray(values), column)
    if values.dtype == object:
        return codes_of_objects(values.tolist(), column)
    codes, labels = pd.factorize(values)
    if (codes < 0).any():
        raise null_fault(column, codes)
    return sorted_codes(codes, [plain(label) for label in labels], column)


def _codes_of_numbers(numbers: NDArray[Any], column: str) -> tuple[NDArray[np.int32], list[Any]]:
    """By counting where the numbers lie within a range that a bit each can stand for, else by hashing."""
    if numbers.size and numbers.dtype.kind == "i":
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < _BITS_AN_ENTRY * numbers.size:
            return _codes_by_counting(numbers, low, high)
    codes, found = pd.factorize(numbers)
    if (codes < 0).any():
        raise null_fault(column, codes)
    order = np.argsort(found)
    return _ranks(order)[codes], found[order].tolist()


def _codes_by_counting(numbers: NDArray[Any], low: int, high: int) -> tuple[NDArray[np.int32], list[Any]]:
    """The code of a number is how many smaller ones there are: bits before its word, and before it in the word."""
    # A part at a time, so that what is made on the way stays in the cache.
    parts = [slice(begin, begin + _PART) for begin in range(0, numbers.size, _PART)]
    held = np.zeros((high - low) // 64 * 64 + 64, dtype=bool)
    for part in parts:
        held[numbers[part].astype(np.int64) - low] = True
    words = np.packbits(held, bitorder="little").view(np.uint64)
    ones = np.bitwise_count(words)
    before = np.cumsum(ones, dtype=np.int32) - ones
    lower = (np.uint64(1) << np.arange(64, dtype=np.uint64)) - np.uint64(1)
    codes = np.empty(numbers.size, dtype=np.int32)
    for part in parts:
        place = numbers[part].astype(np.int64) - low
        word = place >> 6
        codes[part] = before[word] + np.bitwise_count(words[word] & lower[place & 63])
    return codes, (np.flatnonzero(held) + low).tolist()


def codes_of_objects(values: list[Any], column: str) -> tuple[NDArray[np.int32], list[Any]]:
    """By a dictionary; of equal values the first one is the label."""
    try:
        distinct = dict.fromkeys(values)
    except TypeError:
        example = next(f"{value!r:.40}" for value in values if not _is_hashable(value))
        raise fault_of(
            "no_item", column, 1, example, "An item is a text or a number, not a list or a dictionary."
        ) from None
    labels = [plain(label) for label in distinct]
    wrong = next((label for label in labels if isinstance(label, bool)), None)
    if wrong is not None:
        raise boolean_fault(column, values.count(wrong), wrong)
    nulls = [label for label in distinct if _is_null(label)]
    if nulls:
        raise null_fault(column, np.array([-1 if _is_null(value) else 0 for value in values]))
    order = _order_of(labels)
    code_of = dict(zip(distinct, _ranks(order).tolist(), strict=True))
    codes = np.fromiter(map(code_of.__getitem__, values), dtype=np.int32, count=len(values))
    return codes, [labels[code] for code in order]


def _is_null(label: Any) -> bool:
    """Whether a label is None, NaN, NaT or NA."""
    return label is None or label is pd.NA or bool(label != label)  # noqa: PLR0124 (so are NaN and NaT)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_number(dtype: Any) -> bool:
    """Whether values are NumPy's own numbers, which need no look at each."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def sorted_codes(codes: NDArray[Any], labels: list[Any], column: str) -> tuple[NDArray[np.int32], list[Any]]:
    wrong = next((label for label in labels if isinstance(label, bool)), None)
    if wrong is not None:
        raise boolean_fault(column, int((codes == labels.index(wrong)).sum()), wrong)
    order = _order_of(labels)
    return _ranks(order)[codes], [labels[code] for code in order]


def _ranks(order: Any) -> NDArray[np.int32]:
    """The place of each label in the order."""
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


def _order_of(labels: list[Any]) -> list[int]:
    try:
        return sorted(range(len(labels)), key=labels.__getitem__)
    except TypeError:  # labels of several types: by type first
        return sorted(range(len(labels)), key=lambda code: (type(labels[code]).__name__, str(labels[code])))


def sorted_labels(labels: list[Any]) -> list[Any]:
    """Labels in the order in which codes are given."""
    return [labels[code] for code in _order_of(labels)]


def plain(label: Any) -> Any:
    """A NumPy scalar as Python's own."""
    return label.item() if isinstance(label, np.generic) else label
