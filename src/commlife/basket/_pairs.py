"""Pairs of items: how often the one is bought with the other, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from commlife.basket.heat import item_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets
    from commlife.orders import OrderLog

__all__ = ["Pairs", "margin_per_order", "pairs_between"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ordered pairs of different items that share a basket.

    Attributes:
        anchor: Code of the one.
        addon: Code of the other.
        both: Baskets that hold both.
        anchors: Baskets that hold the anchor.
        addons: Baskets that hold the add-on.
    """

    anchor: NDArray[np.int64]
    addon: NDArray[np.int64]
    both: NDArray[np.int64]
    anchors: NDArray[np.int64]
    addons: NDArray[np.int64]


def pairs_between(baskets: Baskets, anchors: NDArray[Any], addons: NDArray[Any]) -> Pairs:
    """Every pair of an anchor and an add-on, by one sparse product."""
    ones = np.ones(baskets.indices.size, dtype=np.int64)
    matrix = sp.csr_matrix(
        (ones, baskets.indices, baskets.indptr), shape=(baskets.n, max(1, len(baskets.items)))
    ).tocsc()
    shared = sp.coo_matrix(matrix[:, anchors].T @ matrix[:, addons])
    anchor, addon = np.asarray(anchors)[shared.row], np.asarray(addons)[shared.col]
    kept = anchor != addon
    anchor, addon, both = anchor[kept], addon[kept], shared.data[kept]
    order = np.lexsort((addon, anchor))
    counts = baskets.supports()
    anchor, addon = anchor[order], addon[order]
    return Pairs(anchor, addon, both[order], counts[anchor], counts[addon])


def margin_per_order(log: OrderLog, day: int, level: str, items: list[Any]) -> NDArray[np.float64] | None:
    """Margin of each item over the orders that hold it, in units of money; None without a cost."""
    if not log.has("cost"):
        return None
    sums = item_sums(log, day, level).set_index("item")
    margin = pd.Series(sums["margin"] / log.scale / sums["orders"].replace(0, np.nan))
    return margin.reindex(items).to_numpy(dtype=np.float64)
