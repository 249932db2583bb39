"""Trees from a file: XGBoost believes what a model says of itself, so it never sees a text that we did not write.

A child or a parent that lies outside of its tree, a node with two parents or a split on a feature that is not there
make XGBoost read foreign memory or go round for ever. Every number is therefore checked, and the model is written anew
from the checked numbers alone.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

__all__ = ["read_booster"]

_OBJECTIVES = ("reg:squarederror", "binary:logistic")
_WHOLE = ("left_children", "right_children", "split_indices", "default_left")
_REAL = ("split_conditions", "base_weights", "loss_changes", "sum_hessian")
#: XGBoost's mark of a node without a parent.
_NO_PARENT = 2**31 - 1
#: It holds float32.
_LARGEST = float(np.finfo(np.float32).max)


def read_booster(text: str, *, features: int, rounds: int) -> Any:
    """A booster from XGBoost's own JSON.

    Args:
        text: The JSON.
        features: Number of features that it must know.
        rounds: Number of trees that it must hold.

    Raises:
        ValueError: If it holds anything else than plain regression trees.
    """
    import xgboost

    try:
        told = json.loads(text)
    except RecursionError:
        raise ValueError("trees nested too deep") from None
    booster = xgboost.Booster(params={"nthread": 1})
    sound = json.dumps(_rewritten(told, features, rounds))
    booster.load_model(bytearray(sound, "utf-8"))  # XGBoostError is a ValueError
    return booster


def _rewritten(told: Any, features: int, rounds: int) -> dict[str, Any]:
    """The model from its checked numbers; whatever else the text says is left behind."""
    try:
        learner, version = told["learner"], tuple(told["version"])
        kind, model = learner["gradient_booster"]["name"], learner["gradient_booster"]["model"]
        param, objective, trees = learner["learner_model_param"], learner["objective"]["name"], model["trees"]
        seen = {name: int(param[name]) for name in ("num_class", "num_feature", "num_target", "boost_from_average")}
        base = np.asarray(json.loads(param["base_score"]), dtype=np.float64)
        parallel, info = int(model["gbtree_model_param"]["num_parallel_tree"]), list(model["tree_info"])
        trees = list(trees)
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a model of XGBoost's: {error!r:.60}") from None
    if kind != "gbtree" or objective not in _OBJECTIVES:
        raise ValueError(f"a {kind!s:.20} for {objective!s:.40}, where plain trees are")
    if len(version) != 3 or not all(type(part) is int and 0 <= part < 1000 for part in version) or version[0] < 2:
        raise ValueError(f"version {version!r:.40} of XGBoost, where 2 or later is")
    if (seen["num_class"], seen["num_target"], seen["num_feature"]) != (0, 1, features):
        raise ValueError(f"trees over {seen['num_feature']} features, where the model knows {features}")
    if len(trees) != rounds or parallel != 1 or info != [0] * rounds:
        raise ValueError(f"{len(trees)} trees, where the model has {rounds}")
    low, high = (0.0, 1.0) if objective == "binary:logistic" else (-_LARGEST, _LARGEST)
    if base.size != 1 or not ((low < base) & (base < high)).all():
        raise ValueError(f"a base score outside of {low:g} to {high:g}")
    booster: dict[str, Any] = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(rounds)},
        "iteration_indptr": list(range(rounds + 1)),
        "tree_info": info,
        "trees": [_tree(tree, number, features) for number, tree in enumerate(trees)],
    }
    if "cats" in model:  # of XGBoost 3.1 and later; ours have none
        booster["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}
    shown = {name: str(value) for name, value in seen.items()}
    shown["boost_from_average"] = "1" if seen["boost_from_average"] else "0"
    return {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {"model": booster, "name": kind},
            "learner_model_param": {**shown, "base_score": param["base_score"]},
            "objective": {"name": objective, "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": list(version),
    }


def _tree(tree: Any, number: int, features: int) -> dict[str, Any]:
    try:
        n, vector = int(tree["tree_param"]["num_nodes"]), int(tree["tree_param"]["size_leaf_vector"])
        whole = {name: np.asarray(tree[name]) for name in _WHOLE}
        real = {name: np.asarray(tree[name], dtype=np.float64) for name in _REAL}
        by_kind = any(tree["split_type"])
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"tree {number} is damaged: {error!r:.60}") from None
    if n < 1 or vector > 1 or by_kind:
        raise ValueError(f"tree {number} is no plain tree over numbers")
    if any(values.shape != (n,) or values.dtype.kind != "i" for values in whole.values()):
        raise ValueError(f"tree {number} does not hold a whole number for each of its {n:,} nodes")
    if any(values.shape != (n,) or not (np.abs(values) < _LARGEST).all() for values in real.values()):
        raise ValueError(f"tree {number} does not hold a finite number for each of its {n:,} nodes")
    left, right, split = whole["left_children"], whole["right_children"], whole["split_indices"]
    inner = np.flatnonzero(left != -1)
    children = np.concatenate([left[inner], right[inner]])
    if ((right != -1) != (left != -1)).any() or (children < 1).any() or (children >= n).any():
        raise ValueError(f"tree {number} has a child that is not there")
    if len(np.unique(children)) < len(children):
        raise ValueError(f"tree {number} goes round: a node has two parents")
    if len(children) != n - 1:
        raise ValueError(f"tree {number} has a node that nothing leads to")
    if (split < 0).any() or (split >= features).any():
        raise ValueError(f"tree {number} asks for a feature that is not there")
    if not np.isin(whole["default_left"], (0, 1)).all():
        raise ValueError(f"tree {number} does not say where what is missing goes")
    parents = np.full(n, _NO_PARENT)
    parents[children] = np.concatenate([inner, inner])
    return {
        "id": number,
        "tree_param": {"num_deleted": "0", "num_feature": str(features), "num_nodes": str(n), "size_leaf_vector": "1"},
        "parents": parents.tolist(),
        "split_type": [0] * n,
        **{name: values.tolist() for name, values in (whole | real).items()},
        **{name: [] for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes")},
    }
