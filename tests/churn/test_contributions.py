"""Contributions looked up in tables of the trees' answers are those that XGBoost works out row by row."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

import commlife as cl
from commlife.churn import learning
from commlife.churn._contributions import Tabled
from commlife.churn.forest import Forest

NAMES = tuple(f"f{place}" for place in range(6))


def rows(n, seed):
    """Few distinct values, so that many stand exactly on a threshold; one in ten is missing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(NAMES))).round(1).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def grown(depth, **settings):
    X = rows(3_000, 1)
    told = np.nan_to_num(X)
    silent = (told[:, 0] * told[:, 1] - np.isnan(X[:, 2]) + np.random.default_rng(2).normal(size=len(X)) > 0).astype(
        float
    )
    given = {"objective": "binary:logistic", "max_depth": depth, "base_score": 0.3, "nthread": 1, **settings}
    booster = xgboost.train(given, xgboost.DMatrix(X, label=silent, feature_names=list(NAMES)), 30)
    return Forest(booster, NAMES, 30)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_is_looked_up_is_what_xgboost_works_out(depth):
    forest, X = grown(depth), rows(500, 3)
    assert Tabled.of(forest.booster, forest.rounds) is not None
    ours, base, margin = forest.contributions(X)
    told = forest.booster.predict(xgboost.DMatrix(X, feature_names=list(NAMES)), pred_contribs=True)
    assert np.abs(told[:, :-1]).max() > 0.1
    np.testing.assert_allclose(ours, told[:, :-1], atol=1e-5)
    assert base == pytest.approx(told[0, -1], abs=1e-6)
    np.testing.assert_allclose(base + ours.sum(axis=1), margin, atol=1e-5)


def test_pruned_trees_and_trees_that_are_one_leaf_are_looked_up_too():
    forest, X = grown(3, gamma=30.0), rows(500, 3)
    leaves = forest.booster.trees_to_dataframe().groupby("Tree").size()
    assert leaves.min() == 1 < leaves.max(), "some trees are a leaf alone, others are not"
    told = forest.booster.predict(xgboost.DMatrix(X, feature_names=list(NAMES)), pred_contribs=True)
    np.testing.assert_allclose(forest.contributions(X)[0], told[:, :-1], atol=1e-5)


def test_trees_too_large_for_a_table_are_explained_by_xgboost():
    forest, X = grown(5), rows(200, 3)
    assert Tabled.of(forest.booster, forest.rounds) is None
    ours, base, margin = forest.contributions(X)
    np.testing.assert_allclose(base + ours.sum(axis=1), margin, atol=1e-4)


def test_a_value_that_is_missing_goes_where_the_tree_sends_it():
    forest = grown(3)
    nobody = np.full((1, len(NAMES)), np.nan, dtype=np.float32)
    told = forest.booster.predict(xgboost.DMatrix(nobody, feature_names=list(NAMES)), pred_contribs=True)
    assert np.abs(told[0, :-1]).max() > 0.05
    np.testing.assert_allclose(forest.contributions(nobody)[0], told[:, :-1], atol=1e-6)


def test_only_the_trees_that_predict_are_looked_up():
    forest, X = grown(2), rows(100, 3)
    fewer = Forest(forest.booster, NAMES, 10)
    ours, base, margin = fewer.contributions(X)
    np.testing.assert_allclose(base + ours.sum(axis=1), margin, atol=1e-5)
    assert np.abs(ours - forest.contributions(X)[0]).max() > 0.01


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_forests_that_grow_side_by_side_are_those_that_grow_one_after_the_other(threads):
    community = cl.datasets.make_community(n_users=300, seed=4)
    spec = cl.SilenceModel(n_trees=15, refits=5, resamples=10)
    alone = spec.fit(community.log, as_of=community.as_of)
    beside = spec._fit(community.log, as_of=community.as_of, threads=threads)
    assert beside.forest.to_bytes() == alone.forest.to_bytes()
    assert beside.calibration == alone.calibration
    assert [refit.forest.to_bytes() for refit in beside.committee] == [r.forest.to_bytes() for r in alone.committee]


def test_what_runs_side_by_side_comes_back_in_order():
    assert learning.side_by_side([lambda n=n: n * n for n in range(7)], 3) == [n * n for n in range(7)]
    assert learning.side_by_side([], 3) == []
    with pytest.raises(ZeroDivisionError):
        learning.side_by_side([lambda: 1, lambda: 1 // 0], 2)
