"""Nuisance models: outcomes and propensities, cross-fitted so that no row is predicted by a model that saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from commlife.errors import InsufficientDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.effects._inputs import Floats

__all__ = ["cross_fitted_outcomes", "cross_fitted_propensity", "deal_folds"]

#: Ridge penalty on standardised covariates: enough for collinear columns, nothing beside real data.
RIDGE = 1.0


def deal_folds(
    matrix: Floats,
    y: Floats,
    strata: NDArray[np.intp],
    folds: int,
    seed: int,
    *,
    cluster: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """A fold for each row, each stratum spread evenly over all folds.

    Rows are first put in an order that their content alone decides, so that the order of the input does not matter.
    Rows of one ``cluster`` (numbered from 0) share a fold, so that no model has seen a row's own cluster; clusters are
    then spread evenly by their mean stratum.
    """
    canonical = np.lexsort((y, *matrix.T)) if cluster is None else np.lexsort((strata, y, *matrix.T))
    level: NDArray[Any] = strata
    if cluster is not None:
        canonical, level = _clusters_in_order(np.column_stack([*matrix.T, y, strata]), canonical, strata, cluster)
    shuffled = canonical[np.random.default_rng(seed).permutation(len(canonical))]
    order = shuffled[np.argsort(level[shuffled], kind="stable")]
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = np.arange(len(order)) % folds
    return fold if cluster is None else fold[cluster]


def _clusters_in_order(
    rows: Floats, canonical: NDArray[np.intp], strata: NDArray[np.intp], cluster: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Floats]:
    """Clusters in an order that the content of their rows decides, not their names; and the mean stratum of each."""
    sorted_rows = rows[canonical]
    place = np.empty(len(rows))
    place[canonical] = np.concatenate([[0], np.cumsum((sorted_rows[1:] != sorted_rows[:-1]).any(axis=1))])
    size = np.bincount(cluster)
    sums = [np.bincount(cluster, weights=place**power) for power in (1, 2)]
    first = np.full(len(size), np.inf)
    np.minimum.at(first, cluster, place)
    return np.lexsort((size, *sums, first)), np.bincount(cluster, weights=strata) / size


def cross_fitted_outcomes(
    matrix: Floats, y: Floats, arm: NDArray[np.intp], arms: int, fold: NDArray[np.intp], *, learner: Any = None
) -> Floats:
    """Predicted outcome of each row under each arm, by models of the other folds.

    Args:
        matrix: (rows, features), standardised.
        y: Outcomes.
        arm: Index of each row's arm.
        arms: Number of arms.
        fold: Each row's fold.
        learner: A regressor with ``fit`` and ``predict`` (cloned for each model), None for ridge regression.

    Returns:
        (rows, arms) predictions.
    """
    result = np.empty((len(y), arms))
    for k in range(int(fold.max()) + 1):
        inside = fold == k
        for a in range(arms):
            train = ~inside & (arm == a)
            if not train.any():
                raise InsufficientDataError(
                    f"an arm has rows in one fold only ({int((arm == a).sum())} in all): too few to cross-fit. "
                    "Use fewer folds or more data."
                )
            result[inside, a] = _predict(matrix[train], y[train], matrix[inside], learner)
    return result


def _predict(train: Floats, y: Floats, new: Floats, learner: Any) -> Floats:
    if learner is not None:
        from sklearn.base import clone

        return np.asarray(clone(learner).fit(train, y).predict(new), dtype=np.float64)
    center = train.mean(axis=0)
    mean = float(y.mean())
    x = train - center
    gram = x.T @ x + RIDGE * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ (y - mean)) if x.shape[1] else np.empty(0)
    return np.asarray(mean + (new - center) @ weights, dtype=np.float64)


def cross_fitted_propensity(
    matrix: Floats, treated: NDArray[np.bool_], fold: NDArray[np.intp], *, learner: Any = None
) -> Floats:
    """Probability of treatment of each row, by models of the other folds (logistic regression unless given)."""
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression

    result = np.empty(len(treated))
    for k in range(int(fold.max()) + 1):
        inside = fold == k
        if matrix.shape[1] == 0:
            result[inside] = treated[~inside].mean()
            continue
        model = clone(learner) if learner is not None else LogisticRegression(C=1.0, max_iter=1000)
        model.fit(matrix[~inside], treated[~inside])
        result[inside] = model.predict_proba(matrix[inside])[:, 1]
    return result
