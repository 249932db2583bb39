"""Baskets: whatever the host has, as rows of item codes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp

from commlife._engine import bounded
from commlife.errors import ConfigError, InsufficientDataError, SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._taxonomy import Tree

__all__ = ["Baskets", "baskets_of", "codes_of_labels", "encode", "fault_of", "sorted_labels"]


_PLAIN_LISTS = frozenset({list, tuple, set, frozenset})


@dataclass(frozen=True, slots=True)
class Baskets:
    """Baskets as a sparse matrix; an item counts once a basket.

    Attributes:
        indptr: Where each basket begins in ``indices``.
        indices: Item codes; no code twice in a basket.
        items: Label of each code; labels ascend.
        weight: Weight of each basket in whole numbers; None where they count alike.
        tree: The taxonomy that its items were extended by; None without one.
    """

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    items: list[Any]
    weight: NDArray[np.int64] | None = None
    tree: Tree | None = None

    @property
    def n(self) -> int:
        """Number of baskets, empty ones included."""
        return int(self.indptr.size) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of the codes and of where baskets begin."""
        return int(self.indptr.nbytes + self.indices.nbytes)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The basket of each entry of ``indices``."""
        return np.repeat(np.arange(self.n), np.diff(self.indptr))

    def supports(self) -> NDArray[np.int64]:
        """Number of baskets of each item, or their weight."""
        if self.weight is None:
            return np.bincount(self.indices, minlength=len(self.items)).astype(np.int64)
        return np.asarray(self._matrix().T @ self.weight)[: len(self.items)]

    def between(self, first: int, end: int) -> Baskets:
        """The baskets from ``first`` to before ``end``, unweighted, with the same labels."""
        begin, stop = self.indptr[first], self.indptr[end]
        return replace(self, indptr=self.indptr[first : end + 1] - begin, indices=self.indices[begin:stop], weight=None)

    def take(self, kept: NDArray[np.bool_]) -> Baskets:
        """Some of the baskets, with the same labels."""
        matrix = self._matrix()[np.flatnonzero(kept)]
        weight = None if self.weight is None else self.weight[kept]
        return replace(self, indptr=matrix.indptr.astype(np.int32), indices=matrix.indices, weight=weight)

    def _matrix(self) -> sp.csr_matrix:
        ones = np.ones(self.indices.size, dtype=np.int64)
        return sp.csr_matrix((ones, self.indices, self.indptr), shape=(self.n, max(1, len(self.items))))


def fault_of(fault: str, column: str, rows: int, example: str, fix: str) -> SchemaError:
    """A SchemaError of one fault, in words and as a frame."""
    frame = pd.DataFrame(
        {"fault": [fault], "column": [column], "rows": [rows], "policy": ["raise"], "example": [example], "fix": [fix]}
    )
    return SchemaError(f"{column}: {fault}, {rows:,} rows, first {example}. {fix}", frame)


def baskets_of(data: Any, *, basket: str = "basket", item: str = "item") -> Baskets:
    """Encode lists of items, a long frame, or a sparse or boolean matrix.

    Raises:
        SchemaError: If the data are none of these, or hold nulls, booleans as items, or labels that do not compare.
        InsufficientDataError: If there is no basket.
    """
    if sp.issparse(data):
        return _of_sparse(data)
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return _of_dense(data, list(range(data.shape[1])))
    if isinstance(data, pd.DataFrame) and not data.columns.is_unique:
        name = data.columns[data.columns.duplicated()][0]
        raise fault_of("repeated_column", str(name), 2, repr(name), "Give each column its own name.")
    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return _of_frame(frame, basket, item)
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        raise fault_of(
            "no_baskets",
            "baskets",
            1,
            f"a {type(data).__name__}",
            "Give lists of items, a frame with columns basket and item, a sparse or boolean matrix, or an OrderLog.",
        )
    return _of_lists(data)


def _of_lists(data: Iterable[Any]) -> Baskets:
    rows: list[Any] = []
    for number, row in enumerate(data):
        if type(row) in _PLAIN_LISTS:
            rows.append(row)
            continue
        if isinstance(row, str | bytes | Mapping) or not isinstance(row, Iterable):
            raise fault_of(
                "no_list_of_items",
                "baskets",
                1,
                f"{row!r:.40} at basket {number}",
                "Each basket is a list of items, also if it holds one alone: [['milk'], ['milk', 'eggs']].",
            )
        rows.append(list(row))
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    total = int(lengths.sum())
    flat = np.fromiter(chain.from_iterable(rows), dtype=object, count=total)
    codes, labels = codes_of_labels(flat, "baskets")
    return encode(np.repeat(np.arange(len(rows)), lengths), codes, labels, len(rows))


def _of_frame(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], basket: str, item: str) -> Baskets:
    names = frame.collect_schema().names()
    missing = [name for name in (basket, item) if name not in names]
    if missing:
        if isinstance(frame, nw.DataFrame) and _looks_boolean(frame, basket, item):
            return _of_dense(frame.to_numpy(), [_plain(name) for name in names])
        raise SchemaError(*_missing_columns(missing, names))
    if basket == item:
        raise ConfigError(f"basket and item name the same column {item!r}. Give two.")
    two = frame.select(nw.col(basket).alias("basket"), nw.col(item).alias("item"))
    eager = (
        bounded(two, call="frequent_itemsets", way_out="Give fewer baskets, or an order log.").collect()
        if isinstance(two, nw.LazyFrame)
        else two
    )
    table = eager.to_pandas()
    basket_codes, ids = _factorized(table["basket"])
    if (basket_codes < 0).any():
        raise _null(basket, basket_codes)
    item_codes, labels = codes_of_labels(table["item"], item)
    return encode(basket_codes, item_codes, labels, len(ids))


def _missing_columns(missing: list[str], names: list[str]) -> tuple[str, pd.DataFrame]:
    told = []
    for name in missing:
        close = difflib.get_close_matches(name, [str(seen) for seen in names], n=1)
        told.append(f"There is no column {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
    fix = "Name them with basket=... and item=...; columns seen: " + ", ".join(map(str, names[:12])) + "."
    faults = pd.DataFrame(
        {
            "fault": "missing_column",
            "column": missing,
            "rows": 0,
            "policy": "raise",
            "example": told,
            "fix": fix,
        }
    )
    return " ".join([*told, fix]), faults


def _looks_boolean(frame: nw.DataFrame[Any], basket: str, item: str) -> bool:
    """Whether this is a matrix with a column an item, rather than a long frame with a name misspelt."""
    names = [str(name) for name in frame.columns]
    types = frame.schema.values()
    if types and all(dtype == nw.Boolean for dtype in types):
        return True
    whole = bool(types) and all(dtype == nw.Boolean or dtype.is_integer() for dtype in types)
    return whole and not any(difflib.get_close_matches(name, names, n=1) for name in (basket, item))


def _of_dense(matrix: NDArray[Any], labels: list[Any]) -> Baskets:
    if matrix.dtype != np.bool_:
        if matrix.dtype.kind not in "iuf":
            raise fault_of(
                "no_boolean_matrix", "baskets", len(matrix), f"dtype {matrix.dtype}", "Give True and False, or 1 and 0."
            )
        wrong = (matrix != 0) & (matrix != 1)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise fault_of(
                "no_boolean_matrix",
                str(labels[column]),
                int(wrong.any(axis=1).sum()),
                f"{matrix[row, column]!r} at row {row}",
                "Give True and False, or 1 and 0, such as `matrix > 0`; for pairs of basket and item give a frame.",
            )
    row, column = np.nonzero(matrix)
    return encode(row, *_sorted_codes(column, labels, "baskets"), len(matrix))


def _of_sparse(matrix: Any) -> Baskets:
    entries = matrix.tocoo()
    if entries.ndim != 2:
        raise fault_of("no_matrix", "baskets", 1, f"{entries.ndim} dimensions", "Give baskets x items.")
    values = np.asarray(entries.data)
    if values.dtype.kind not in "biuf" or (values < 0).any() or not np.isfinite(values).all():
        raise fault_of(
            "no_quantities",
            "baskets",
            int(values.size),
            f"dtype {values.dtype}",
            "Give True, or quantities of 0 and more.",
        )
    bought = values > 0
    labels = list(range(entries.shape[1]))
    return encode(np.asarray(entries.row)[bought], np.asarray(entries.col)[bought], labels, int(entries.shape[0]))


def codes_of_labels(values: Any, column: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Codes of labels that ascend; nulls and booleans are faults."""
    try:
        codes, labels = _factorized(values)
    except TypeError:
        example = next(f"{value!r:.40}" for value in values if getattr(value, "__hash__", None) is None)
        raise fault_of(
            "no_item", column, 1, example, "An item is a text or a number, not a list or a dictionary."
        ) from None
    if (codes < 0).any():
        raise _null(column, codes)
    if _is_number(labels.dtype):
        numbers = np.asarray(labels)
        order = np.argsort(numbers)
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        return rank[codes], numbers[order].tolist()
    return _sorted_codes(codes, [_plain(label) for label in labels], column)


def _is_number(dtype: Any) -> bool:
    """Whether values are NumPy's own numbers, which need no look at each."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def _factorized(values: Any) -> tuple[NDArray[np.int64], Any]:
    """As ``pd.factorize``, which sees only the first of equal numbers in a row: lines of a basket stand together."""
    if not _is_number(values.dtype) or len(values) < 2:
        return pd.factorize(values)
    numbers = np.asarray(values)
    changes = numbers[1:] != numbers[:-1]
    if 2 * np.count_nonzero(changes) > changes.size:
        return pd.factorize(values)
    run = np.zeros(numbers.size, dtype=np.int64)
    np.cumsum(changes, out=run[1:])
    codes, labels = pd.factorize(numbers[np.concatenate([[True], changes])])
    return codes[run], labels


def _sorted_codes(codes: NDArray[Any], labels: list[Any], column: str) -> tuple[NDArray[np.int64], list[Any]]:
    wrong = next((label for label in labels if isinstance(label, bool)), None)
    if wrong is not None:
        raise fault_of(
            "boolean_item", column, int((codes == labels.index(wrong)).sum()), repr(wrong),
            "A boolean is no item. Give a two-dimensional boolean array, or the names of what was bought.",
        )  # fmt: skip
    order = _order_of(labels)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels))
    return rank[codes], [labels[code] for code in order]


def _order_of(labels: list[Any]) -> list[int]:
    try:
        return sorted(range(len(labels)), key=labels.__getitem__)
    except TypeError:  # labels of several types: by type first
        return sorted(range(len(labels)), key=lambda code: (type(labels[code]).__name__, str(labels[code])))


def sorted_labels(labels: list[Any]) -> list[Any]:
    """Labels in the order in which codes are given."""
    return [labels[code] for code in _order_of(labels)]


def _plain(label: Any) -> Any:
    """A NumPy scalar as Python's own."""
    return label.item() if isinstance(label, np.generic) else label


def _null(column: str, codes: NDArray[Any]) -> SchemaError:
    rows = np.flatnonzero(codes < 0)
    return fault_of("null", column, int(rows.size), f"at row {int(rows[0])}", "Drop these rows, or name what they are.")


def encode(row: NDArray[Any], code: NDArray[Any], labels: list[Any], n_baskets: int) -> Baskets:
    if n_baskets == 0:
        raise InsufficientDataError("There is no basket to count. Give at least one, or use a later as_of.")
    if len(code) >= 2**31:
        raise ConfigError(
            f"{len(code):,} entries are more than one machine's miner takes (2,147,483,647). Use a sample."
        )
    shape = (n_baskets, max(1, len(labels)))
    matrix = sp.csr_matrix((np.ones(len(code), dtype=np.int8), (row, code)), shape=shape)
    matrix.sum_duplicates()
    return Baskets(matrix.indptr.astype(np.int32, copy=False), matrix.indices.astype(np.int32, copy=False), labels)
