"""Baskets as codes: whatever the host has, against sets of labels."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from commlife.basket._baskets import baskets_of
from commlife.errors import SchemaError


def as_sets(baskets):
    labels = np.fromiter(baskets.items, dtype=object, count=len(baskets.items))
    return [set(labels[row]) for row in np.split(baskets.indices, baskets.indptr[1:-1])]


pairs_strategy = st.lists(st.tuples(st.integers(0, 6), st.integers(-5, 40)), min_size=1, max_size=60)


@given(
    pairs=pairs_strategy,
    kind=st.sampled_from(
        ["int8", "int32", "int64", "uint8", "float64", "Int64", "str", "string", "object", "category"]
    ),
    spread=st.sampled_from([1, 3, 1_000_000_007]),
    sort=st.booleans(),
)
def test_a_long_frame_is_encoded_as_its_pairs(pairs, kind, spread, sort):
    """Lines of a basket may stand together or not, and items lie close or far apart."""
    if sort:
        pairs = sorted(pairs)
    baskets, items = (np.array(side) for side in zip(*pairs, strict=True))
    items = items + 5 if kind == "uint8" else items
    items = items if kind in ("int8", "uint8") else items * (spread if kind != "int32" else min(spread, 1_000))
    frame = pd.DataFrame({"basket": pd.Series(baskets).astype(kind), "item": pd.Series(items).astype(kind)})
    held = {basket: set() for basket in frame["basket"].tolist()}
    for basket, item in zip(frame["basket"].tolist(), frame["item"].tolist(), strict=True):
        held[basket].add(item)
    expected = list(held.values())
    found = baskets_of(frame)
    assert as_sets(found) == expected
    assert found.items == sorted(set(frame["item"]))
    assert [type(label) for label in found.items] == [type(label) for label in frame["item"].unique().tolist()]
    if kind in ("int64", "float64", "str"):
        assert as_sets(baskets_of(pl.DataFrame({name: frame[name].tolist() for name in frame}))) == expected


@pytest.mark.parametrize(
    "items",
    [
        [np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max],
        [-128, 127, 0],
        [2**70, 3, -(2**65)],
        [0.5, 1.5, -2.5],
        [("a", 1), ("a", 2), ("b", 0)],
        ["牛奶", "Æble", ""],
        [dt.date(2025, 3, 1), dt.date(2024, 3, 1)],
        ["a", 1, ("b", 2)],
        [np.int64(5), np.str_("x")],
    ],
)
def test_items_of_every_kind(items):
    rows = [items, items[:1] * 3, [], items[1:][::-1]]
    found = baskets_of(rows)
    assert as_sets(found) == [set(row) for row in rows]
    assert found.indices.size == sum(len(set(row)) for row in rows)


@given(st.lists(st.lists(st.integers(0, 1), min_size=7, max_size=7), min_size=1, max_size=9))
def test_a_matrix_is_encoded_as_its_ones(rows):
    matrix = np.array(rows)
    expected = [set(np.flatnonzero(row).tolist()) for row in matrix]
    assert as_sets(baskets_of(matrix)) == expected
    for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array):
        assert as_sets(baskets_of(kind(matrix))) == expected
    names = list("gfedcba")
    one_hot = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(matrix), columns=names)
    for kind in (bool, np.int64):
        found = baskets_of(one_hot.astype(pd.SparseDtype(kind, kind(0))))
        assert as_sets(found) == [{names[code] for code in row} for row in expected]
        assert found.items == sorted(names)
    stored_zeros = sp.csr_matrix(np.ones_like(matrix))
    stored_zeros.data = matrix.ravel().astype(stored_zeros.data.dtype)
    assert as_sets(baskets_of(stored_zeros)) == expected


def test_a_matrix_may_change_afterwards():
    matrix = sp.csr_matrix(np.eye(3, dtype=np.int32))
    found = baskets_of(matrix)
    matrix.indices[:] = 0
    assert as_sets(found) == [{0}, {1}, {2}]


@pytest.mark.parametrize("null", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT")])
def test_nulls_are_told_with_their_row(null):
    with pytest.raises(SchemaError, match=r"null, 2 rows, first at row 1"):
        baskets_of([["a", null], ["b"], [null]])
    for column in ("basket", "item"):
        frame = pd.DataFrame({"basket": ["p", "q", "r"], "item": ["a", "b", "c"]}, dtype=object)
        frame.loc[1, column] = null
        with pytest.raises(SchemaError, match=rf"{column}: null, 1 rows, first at row 1"):
            baskets_of(frame)
        with pytest.raises(SchemaError, match=rf"{column}: null, 1 rows, first at row 1"):
            baskets_of(frame.assign(**{column: frame[column].astype("string")}))
