"""Parameters by community: a large one keeps its own, a small one borrows, an unseen one gets those of all."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from commlife.errors import ConfigError, InsufficientDataError, SchemaError
from commlife.orders import OrderLog
from commlife.value import BetaGeo, ModifiedBetaGeo, ParetoNBD, frequency_check, simulate_summary

BASE = {
    "BetaGeo": {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.4},
    "ModifiedBetaGeo": {"r": 0.6, "alpha": 6.0, "a": 0.9, "b": 1.6},
    "ParetoNBD": {"r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 12.0},
}
SPECS = [BetaGeo, ModifiedBetaGeo, ParetoNBD]
by_name = pytest.mark.parametrize("model", SPECS, ids=lambda model: model.__name__)
SIZES = [15, 25, 40, 60, 80, 120, 150, 200, 300, 500, 800, 1200] * 2


@functools.cache
def estates(name: str, spread: float = 0.5) -> tuple[pd.DataFrame, dict[str, float]]:
    """Two dozen communities of different size, whose mean purchase rates differ by so much, and their log rates."""
    rng = np.random.default_rng(3)
    parts, rates = [], {}
    for place, users in enumerate(SIZES):
        truth = dict(BASE[name])
        truth["alpha"] *= float(np.exp(-rng.normal(0, spread)))
        label = f"estate {place:02d}"
        rates[label] = float(np.log(truth["r"] / truth["alpha"]))
        part = simulate_summary(
            name, truth, n_users=users, T="364D", first_within="100D", whole_days=True, seed=place
        ).assign(community=label)
        parts.append(part.assign(user_id=[f"{place}-{user}" for user in part["user_id"]]))
    return pd.concat(parts, ignore_index=True), rates


def log_rates(table: pd.DataFrame) -> np.ndarray:
    return np.log(table["r"] / table["alpha"]).to_numpy()


@by_name
def test_small_communities_are_nearer_to_the_truth_than_alone_or_as_all(model: Any) -> None:
    summary, rates = estates(model.__name__)
    fitted = model(by="community").fit(summary)
    table = fitted.group_params()
    truth = np.array([rates[label] for label in table["community"]])
    shrunk = log_rates(table) - truth
    pooled = np.log(fitted.params["r"] / fitted.params["alpha"]) - truth
    alone = []
    for label in table["community"]:
        own = summary[summary["community"] == label]
        alone.append(np.log(own["x"].sum() / own["T"].sum() * 7) - truth[len(alone)])
    assert np.sqrt(np.mean(shrunk**2)) < 0.7 * np.sqrt(np.mean(pooled**2))
    small = table["users"] <= 60
    assert np.sqrt(np.mean(shrunk[small] ** 2)) < np.sqrt(np.mean(pooled[small] ** 2))
    # A raw rate ignores who has left, so it is biased even where users are many.
    assert np.sqrt(np.mean(shrunk**2)) < np.sqrt(np.mean(np.array(alone) ** 2))
    reach = [
        np.sqrt(np.array([1, -1, 0, 0]) @ np.array(c) @ np.array([1, -1, 0, 0])) for c in fitted.groups.log_covariance
    ]
    assert np.mean(np.abs(shrunk) < 1.96 * np.array(reach)) >= 20 / 24
    assert 0.3 < fitted.groups.spread["r / alpha (the mean purchase rate)"] < 0.8


@by_name
def test_the_fewer_users_the_more_is_borrowed(model: Any) -> None:
    summary, _ = estates(model.__name__)
    table = model(by="community").fit(summary).group_params().sort_values("users")
    assert table["borrowed"].between(0, 1).all()
    assert np.corrcoef(np.log(table["users"]), table["borrowed"])[0, 1] < -0.8
    assert table["borrowed"].iloc[:2].min() > 0.25
    assert table["borrowed"].iloc[-2:].max() < 0.1


@by_name
def test_communities_that_are_alike_get_the_same_parameters(model: Any) -> None:
    summary, _ = estates(model.__name__, 0.0)
    fitted = model(by="community").fit(summary)
    table = fitted.group_params()
    assert np.std(log_rates(table)) < 0.08
    assert fitted.groups.spread["r / alpha (the mean purchase rate)"] < 0.12


@by_name
def test_an_unseen_or_unknown_community_gets_the_parameters_of_all(model: Any) -> None:
    summary, _ = estates(model.__name__)
    fitted = model(by="community").fit(summary)
    pooled = model().fit(summary)
    assert fitted.params == pooled.params
    assert fitted.log_likelihood == pooled.log_likelihood
    some = summary.head(40)
    for other in ("somewhere else", None):
        told = fitted.p_silent(some.assign(community=other), horizon="28D")
        assert told["p_silent"].to_numpy() == pytest.approx(pooled.p_silent(some, horizon="28D")["p_silent"], rel=1e-12)
    own = fitted.p_silent(some, horizon="28D")["p_silent"].to_numpy()
    assert np.abs(own - pooled.p_silent(some, horizon="28D")["p_silent"]).max() > 1e-4


def test_each_user_is_scored_with_the_own_communitys_parameters() -> None:
    summary, _ = estates("ParetoNBD")
    fitted = ParetoNBD(by="community").fit(summary)
    table = fitted.group_params().set_index("community")
    told = fitted.expected_purchases(summary, horizon="91D")
    for label in ("estate 00", "estate 11"):
        rows = summary["community"] == label
        params = {name: float(table.loc[label, name]) for name in fitted.params}
        alone = ParetoNBD().fit(summary).model_copy(update={"params": params})
        expected = alone.expected_purchases(summary[rows], horizon="91D")["expected_purchases"]
        assert told["expected_purchases"][rows].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-10)
    assert fitted.score(summary) > ParetoNBD().fit(summary).log_likelihood


@by_name
def test_row_order_and_names_do_not_matter(model: Any) -> None:
    summary, _ = estates(model.__name__)
    fitted = model(by="community").fit(summary)
    shuffled = model(by="community").fit(summary.sample(frac=1, random_state=1))
    assert np.allclose(np.array(shuffled.groups.params), np.array(fitted.groups.params), rtol=1e-9)
    numbers = summary.assign(community=summary["community"].str[-2:].astype(int))
    again = model(by="community").fit(numbers)
    assert again.groups.labels == tuple(range(24))
    assert np.allclose(np.array(again.groups.params), np.array(fitted.groups.params), rtol=1e-9)
    assert type(again).from_json(again.to_json()) == again
    assert "24 groups by community" in repr(again)


def test_polars_gives_the_same_and_nulls_are_in_no_community() -> None:
    summary, _ = estates("BetaGeo")
    holes = summary.assign(community=summary["community"].where(summary.index % 10 > 0))
    fitted = BetaGeo(by="community").fit(holes)
    again = BetaGeo(by="community").fit(pl.from_pandas(holes))
    assert again.groups == fitted.groups
    assert sum(fitted.groups.users) == int(holes["community"].notna().sum())
    assert fitted.fitted_on.users == len(holes)


def test_a_log_brings_the_communities_of_its_users() -> None:
    rng = np.random.default_rng(5)
    users = rng.integers(0, 600, 4000)
    frame = pd.DataFrame(
        {
            "user": users,
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, 4000), unit="D"),
            "paid": 10.0,
            "estate": np.where(users < 200, "north", "south"),
        }
    )
    log = OrderLog.from_frame(
        frame, user_id="user", ordered_at="at", amount="paid", community="estate", first_ordered_at="at"
    )
    fitted = BetaGeo(by="community", prior="weak").fit(log, as_of="2025-11-01")
    assert fitted.groups.labels == ("north", "south")
    assert len(fitted.expected_purchases(log, as_of="2025-11-01", horizon="28D")) == log.n_users
    with pytest.raises(ConfigError, match="channel"):
        BetaGeo(by="channel").fit(log, as_of="2025-11-01")


def test_checks_use_each_communitys_parameters() -> None:
    summary, _ = estates("BetaGeo")
    fitted = BetaGeo(by="community").fit(summary)
    table = frequency_check(fitted, summary).table
    assert table["expected"].sum() == pytest.approx(len(summary))
    assert np.abs(table["expected"] / table["users"] - 1).max() < 0.3


def test_what_is_no_group_is_told() -> None:
    summary, _ = estates("BetaGeo")
    with pytest.raises(InsufficientDataError, match="holds 1 group"):
        BetaGeo(by="community").fit(summary.assign(community="one"))
    with pytest.raises(SchemaError, match="missing_column"):
        BetaGeo(by="estate").fit(summary)
    for wrong in (1.5, pd.Timestamp("2025-01-01"), [("a",)] * len(summary)):
        with pytest.raises(SchemaError, match="not_a_label"):
            BetaGeo(by="community").fit(summary.assign(community=wrong))
    with pytest.raises(ConfigError, match="not both"):
        BetaGeo(by="community", purchase_covariates=("app",))
    with pytest.raises(ConfigError, match="without groups"):
        BetaGeo().fit(summary).group_params()
    fitted = BetaGeo(by="community").fit(summary)
    with pytest.raises(SchemaError, match="Join it to the purchase summary"):
        fitted.p_alive(summary.drop(columns="community"))
