"""Taxonomy: what an item is a kind of. Baskets are extended by the ancestors of what they hold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.basket._baskets import encode
from commlife.basket._codes import sorted_labels
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket._baskets import Baskets

__all__ = ["Tree", "extended"]


@dataclass(frozen=True, slots=True)
class Tree:
    """Places in a walk through the taxonomy, by code: ``b`` lies below ``a`` if it is entered before ``a`` is left.

    Attributes:
        parent: Code of the parent, -1 at the top.
        enter: When the walk comes to the item.
        leave: When it has been through all that lies below it.
    """

    parent: NDArray[np.int32]
    enter: NDArray[np.int32]
    leave: NDArray[np.int32]


def extended(baskets: Baskets, taxonomy: Mapping[Any, Any]) -> Baskets:
    """Baskets that also hold every ancestor of their items.

    Raises:
        ConfigError: If the taxonomy is empty, names an item below itself, or has a parent that is no label.
    """
    chains = _chains(taxonomy)
    above = {label for label in baskets.items if label in chains}
    ancestors = {parent for label in above for parent in chains[label]}
    if not above:
        known = ", ".join(f"{label!r:.30}" for label in baskets.items[:3])
        raise ConfigError(
            f"the taxonomy names none of the items (such as {known}). Map each item to what it is a kind of."
        )
    labels = sorted_labels([*baskets.items, *(ancestors - set(baskets.items))])
    code_of = {label: code for code, label in enumerate(labels)}
    # Codes of each item and of its ancestors, one after the other.
    lists = [[code_of[label], *(code_of[parent] for parent in chains.get(label, ()))] for label in baskets.items]
    sizes = np.array([len(each) for each in lists], dtype=np.int64)
    flat = np.array([code for each in lists for code in each], dtype=np.int64)
    begin = np.cumsum(sizes) - sizes
    many = sizes[baskets.indices]
    row = np.repeat(baskets.rows, many)
    within = np.arange(row.size) - np.repeat(np.cumsum(many) - many, many)
    code = flat[np.repeat(begin[baskets.indices], many) + within]
    parent = np.full(len(labels), -1, dtype=np.int32)
    for label in labels:
        chain = chains.get(label, ())
        if chain:
            parent[code_of[label]] = code_of[chain[0]]
    whole = encode(row, code, labels, baskets.n)
    return replace(whole, weight=baskets.weight, tree=_walk(parent))


def _chains(taxonomy: Mapping[Any, Any]) -> dict[Any, tuple[Any, ...]]:
    """All ancestors of each item, the nearest first."""
    chains: dict[Any, tuple[Any, ...]] = {}
    for label in taxonomy:
        chain: list[Any] = []
        at = taxonomy[label]
        while at is not None:
            if not isinstance(at, Hashable) or isinstance(at, bool | tuple) or at != at:  # noqa: PLR0124 (NaN)
                raise ConfigError(
                    f"a taxonomy maps each item to one parent, a text or a number; {label!r:.40} has {at!r:.40}."
                    " Keep one parent."
                )
            if at == label or at in chain:
                raise ConfigError(
                    f"the taxonomy goes round in a circle: {label!r:.40} lies below itself. Map it to what is above it."
                )
            chain.append(at)
            at = taxonomy.get(at)
        chains[label] = tuple(chain)
    return chains


def _walk(parent: NDArray[np.int32]) -> Tree:
    """Enter and leave every code, parents before what lies below them."""
    n = parent.size
    depth = np.zeros(n, dtype=np.int64)
    at = parent.astype(np.int64)
    while (at >= 0).any():
        depth += at >= 0
        at = np.where(at >= 0, parent[at], -1)
    size = np.ones(n, dtype=np.int64)
    deepest_first = np.argsort(-depth, kind="stable")
    for code in deepest_first:
        if parent[code] >= 0:
            size[parent[code]] += size[code]
    enter = np.zeros(n, dtype=np.int64)
    free = np.zeros(n, dtype=np.int64)  # where the next child begins
    root = 0
    for code in deepest_first[::-1]:
        if parent[code] < 0:
            enter[code], root = root, root + size[code]
        else:
            enter[code] = free[parent[code]]
            free[parent[code]] += size[code]
        free[code] = enter[code] + 1
    return Tree(parent, enter.astype(np.int32), (enter + size).astype(np.int32))
