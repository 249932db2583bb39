"""One small community and one model of it, shared by the tests that only read them."""

from __future__ import annotations

import pandas as pd
import pytest

import commlife as cl
from commlife.churn import FittedSilenceModel, SilenceModel
from commlife.datasets import Community


@pytest.fixture(scope="session")
def world() -> Community:
    return cl.datasets.make_community(n_users=700, seed=3, n_communities=4)


@pytest.fixture(scope="session")
def model(world: Community) -> FittedSilenceModel:
    return SilenceModel(n_trees=60, refits=4, resamples=60).fit(world.log, as_of=world.as_of)


@pytest.fixture(scope="session")
def by_community(model: FittedSilenceModel) -> pd.DataFrame:
    """Its driver table for all users and for each community."""
    return model.drivers(by="community")
