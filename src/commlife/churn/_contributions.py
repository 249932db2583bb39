"""Contributions: exact Shapley values of small trees, looked up in a table of all the answers that each tree can give.

A tree of m splits sees no more of a user than m answers, left or right at each: 2 ** m patterns, however many users
there are. What each feature of the tree contributes to each pattern is worked out once; explaining a user is then one
lookup a tree. The values are those of TreeSHAP (Lundberg et al. 2020, path-dependent), by their definition: what a set
of features is worth is the mean of the tree over its training rows where the features outside the set are unknown.
That the answers along a path can be tabled was seen by Yang (2021), "Fast TreeSHAP".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from commlife.churn.shapley import shapley_shares

__all__ = ["MOST_SPLITS", "Tabled"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Splits of a tree whose answers are tabled: a tree of depth 3 has as many.
MOST_SPLITS = 7


@dataclass(frozen=True)
class _Split:
    feature: int
    below: np.float32
    missing_left: bool


@dataclass(frozen=True)
class _Tree:
    """A tree as its splits, and for each pattern of answers (bit k: left at split k) what each feature contributes."""

    splits: tuple[_Split, ...]
    features: tuple[int, ...]
    table: Array


@dataclass(frozen=True)
class Tabled:
    """The trees of a forest, tabled.

    Attributes:
        trees: Each tree.
        width: Number of features.
    """

    trees: tuple[_Tree, ...]
    width: int

    @classmethod
    def of(cls, booster: Any, rounds: int) -> Self | None:
        """The first ``rounds`` trees of a booster; None where a tree has too many splits for a table."""
        told = json.loads(bytes(booster.save_raw(raw_format="json")))
        held = told["learner"]["gradient_booster"]["model"]["trees"][:rounds]
        walked = [_walked(tree) for tree in held]
        if any(len(nodes) > MOST_SPLITS for nodes in walked):
            return None
        trees = (_tabled(tree, nodes) for tree, nodes in zip(held, walked, strict=True))
        return cls(tuple(tree for tree in trees if tree.splits), int(booster.num_features()))

    def contributions(self, X: np.ndarray[Any, np.dtype[np.float32]]) -> Array:
        """What each feature adds to the margin, ``(n, features)``."""
        columns = np.ascontiguousarray(X.T)
        told = np.zeros((self.width, len(X)))
        for tree in self.trees:
            pattern = np.zeros(len(X), dtype=np.intp)
            for place, split in enumerate(tree.splits):
                values = columns[split.feature]
                # Nothing compares with a missing value: it goes where the tree sends what is missing.
                left = ~(values >= split.below) if split.missing_left else values < split.below
                pattern |= left.astype(np.intp) << place
            for feature, answers in zip(tree.features, tree.table, strict=True):
                told[feature] += answers[pattern]
        return told.T


def _walked(tree: dict[str, Any]) -> list[int]:
    """The splits that a row can come to, parents before children; what was pruned stays in the file."""
    found: list[int] = []
    ahead = [0]
    while ahead:
        node = ahead.pop()
        if tree["left_children"][node] >= 0:
            found.append(node)
            ahead += [tree["left_children"][node], tree["right_children"][node]]
    return found


def _tabled(tree: dict[str, Any], nodes: list[int]) -> _Tree:
    splits = tuple(
        _Split(
            int(tree["split_indices"][node]),
            np.float32(tree["split_conditions"][node]),
            bool(tree["default_left"][node]),
        )
        for node in nodes
    )
    features = tuple(sorted({split.feature for split in splits}))
    if not splits:
        return _Tree((), (), np.empty((0, 1)))
    patterns = np.arange(2 ** len(splits))[:, None]
    known = np.arange(2 ** len(features))[None, :]
    # The mean of the tree below each node, (patterns, sets of known features): children come after their parents.
    worth: dict[int, Any] = {}

    def below(node: int) -> Any:
        # A leaf's value stands where a split's threshold would.
        return worth.get(node, np.float64(np.float32(tree["split_conditions"][node])))

    for place in reversed(range(len(nodes))):
        node, split = nodes[place], splits[place]
        left, right = tree["left_children"][node], tree["right_children"][node]
        rows_left, rows_right = tree["sum_hessian"][left], tree["sum_hessian"][right]
        share = rows_left / (rows_left + rows_right)
        answered = np.where(patterns >> place & 1 == 1, below(left), below(right))
        unknown = share * below(left) + (1 - share) * below(right)
        worth[node] = np.where(known >> features.index(split.feature) & 1 == 1, answered, unknown)
    return _Tree(splits, features, np.ascontiguousarray((worth[0] @ shapley_shares(len(features))).T))
