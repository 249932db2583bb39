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
from commlife.basket._codes import changes, codes_of_labels, codes_of_objects, plain, sorted_codes
from commlife.basket._faults import fault_of, null_fault
from commlife.errors import ConfigError, InsufficientDataError, SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._taxonomy import Tree

__all__ = ["Baskets", "baskets_of", "encode", "encode_rows"]


_PLAIN_LISTS = frozenset({list, tuple, set, frozenset})
#: Entries that are counted together.
_PART = 1 << 15


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
            counts = np.zeros(len(self.items), dtype=np.int64)
            step = max(_PART, len(self.items))
            # NumPy counts a copy in 64 bits, here of a part at a time.
            for begin in range(0, self.indices.size, step):
                counts += np.bincount(self.indices[begin : begin + step], minlength=counts.size)
            return counts
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
    if isinstance(data, pd.DataFrame) and len(data.columns) and all(map(_is_sparse, data.dtypes)):
        one_hot: Any = data.sparse
        return _of_sparse(one_hot.to_coo(), [plain(name) for name in data.columns])
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
    indptr = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)), out=indptr[1:])
    codes, labels = codes_of_objects(list(chain.from_iterable(rows)), "baskets")
    return encode_rows(indptr, codes, labels)


def _of_frame(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], basket: str, item: str) -> Baskets:
    names = frame.collect_schema().names()
    missing = [name for name in (basket, item) if name not in names]
    if missing:
        if isinstance(frame, nw.DataFrame) and _looks_boolean(frame, basket, item):
            return _of_dense(frame.to_numpy(), [plain(name) for name in names])
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
    begin = np.flatnonzero(changes(table["basket"]))
    codes, ids = pd.factorize(table["basket"].iloc[begin])
    together = len(ids) == begin.size  # the lines of a basket, as they mostly do
    if not together:
        codes = np.repeat(codes, np.diff(begin, append=len(table)))
    if (codes < 0).any():
        raise null_fault(basket, codes)
    item_codes, labels = codes_of_labels(table["item"], item)
    if together:
        return encode_rows(np.append(begin, len(table)), item_codes, labels)
    return encode(codes, item_codes, labels, len(ids))


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
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(matrix, axis=1))])
    return encode_rows(indptr, *sorted_codes(np.nonzero(matrix)[1], labels, "baskets"))


def _of_sparse(matrix: Any, names: list[Any] | None = None) -> Baskets:
    if matrix.ndim != 2:
        raise fault_of("no_matrix", "baskets", 1, f"{matrix.ndim} dimensions", "Give baskets x items.")
    values = np.asarray(matrix.tocoo().data)
    if values.dtype.kind not in "biuf" or (values < 0).any() or not np.isfinite(values).all():
        raise fault_of(
            "no_quantities",
            "baskets",
            int(values.size),
            f"dtype {values.dtype}",
            "Give True, or quantities of 0 and more.",
        )
    rows = sp.csr_matrix(matrix, copy=True)
    rows.data = rows.data > 0
    rows.eliminate_zeros()
    codes, labels = rows.indices, list(range(rows.shape[1]))
    if names is not None:
        codes, labels = sorted_codes(codes, names, "baskets")
    return encode_rows(rows.indptr, codes, labels)


def _is_sparse(dtype: Any) -> bool:
    """Whether only what is not zero is stored."""
    return isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0


def encode(row: NDArray[Any], code: NDArray[Any], labels: list[Any], n_baskets: int) -> Baskets:
    """Baskets of pairs of a basket and an item, in any order."""
    _check_size(n_baskets, len(code))
    shape = (n_baskets, max(1, len(labels)))
    matrix = sp.csr_matrix((np.ones(len(code), dtype=np.int8), (row, code)), shape=shape)
    return _distinct(matrix, labels)


def encode_rows(indptr: NDArray[Any], codes: NDArray[Any], labels: list[Any]) -> Baskets:
    """Baskets whose items stand together: those of basket ``i`` from ``indptr[i]`` to before ``indptr[i + 1]``."""
    _check_size(indptr.size - 1, codes.size)
    shape = (indptr.size - 1, max(1, len(labels)))
    ones = np.ones(codes.size, dtype=np.int8)
    return _distinct(sp.csr_matrix((ones, codes, indptr.astype(np.int32)), shape=shape), labels)


def _check_size(n_baskets: int, n_entries: int) -> None:
    if n_baskets == 0:
        raise InsufficientDataError("There is no basket to count. Give at least one, or use a later as_of.")
    if n_entries >= 2**31:
        raise ConfigError(
            f"{n_entries:,} entries are more than one machine's miner takes (2,147,483,647). Use a sample."
        )


def _distinct(matrix: sp.csr_matrix, labels: list[Any]) -> Baskets:
    """Each item once a basket."""
    matrix.sum_duplicates()
    return Baskets(matrix.indptr.astype(np.int32, copy=False), matrix.indices.astype(np.int32, copy=False), labels)
