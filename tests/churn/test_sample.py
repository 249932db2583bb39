"""A sample of users to learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.churn._sample import sample_of_users

AS_OF = "2025-06-30"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Two thousand users of a synthetic community, as a host's frame."""
    return cl.datasets.make_community(n_users=2_000, seed=3).log.to_native()


def _log(frame: pd.DataFrame) -> cl.OrderLog:
    names = {name: name for name in ("user_id", "ordered_at", "amount", "order_id", "community")}
    return cl.OrderLog.from_frame(frame, **names)


def test_a_sample_holds_whole_histories_and_stands_for_all(frame: pd.DataFrame) -> None:
    log = _log(frame)
    sample, stands_for = sample_of_users(log, 500, as_of=AS_OF)
    payers = frame.loc[frame["ordered_at"] < AS_OF, "user_id"].nunique()
    assert sample.n_users == pytest.approx(500, abs=5)
    assert stands_for == pytest.approx(payers / sample.n_users)
    held = frame[frame["user_id"].isin(sample.to_native()["user_id"])]
    assert sample.n_rows == len(held)
    assert sample.observation == log.observation


def test_who_is_drawn_is_not_decided_by_ids_rows_or_what_comes_later(frame: pd.DataFrame) -> None:
    drawn = set(sample_of_users(_log(frame), 500, as_of=AS_OF)[0].to_native()["user_id"])
    ids = {
        user: f"x{place}" for place, user in enumerate(sorted(frame["user_id"].unique(), key=lambda u: str(u)[::-1]))
    }
    renamed = frame.assign(user_id=frame["user_id"].map(ids)).sample(frac=1, random_state=1)
    again = set(sample_of_users(_log(renamed), 500, as_of=AS_OF)[0].to_native()["user_id"])
    assert again == {ids[user] for user in drawn}
    known = frame[frame["ordered_at"] < AS_OF]
    assert set(sample_of_users(_log(known), 500, as_of=AS_OF)[0].to_native()["user_id"]) == drawn


def test_a_log_of_fewer_users_is_taken_whole(frame: pd.DataFrame) -> None:
    log = _log(frame)
    assert sample_of_users(log, None, as_of=AS_OF) == (log, 1.0)
    assert sample_of_users(log, 10_000, as_of=AS_OF) == (log, 1.0)


def test_a_sample_is_the_same_users_on_another_engine(frame: pd.DataFrame) -> None:
    pytest.importorskip("duckdb")
    names = {name: name for name in ("user_id", "ordered_at", "amount", "order_id", "community")}
    there = cl.OrderLog.from_frame(frame, engine="duckdb", **names)
    ours, _ = sample_of_users(_log(frame), 500, as_of=AS_OF)
    theirs, _ = sample_of_users(there, 500, as_of=AS_OF)
    assert set(theirs.to_native()["user_id"]) == set(ours.to_native()["user_id"])


def test_a_model_of_a_sample_forecasts_everybody_and_tells_of_all(frame: pd.DataFrame) -> None:
    log = _log(frame)
    spec = cl.SilenceModel(n_trees=20, refits=0, resamples=10, max_users=1_000)
    model = spec.fit(log, as_of=AS_OF)
    assert model.fitted_on.users <= 1_005
    told = model._pushing(log, as_of=AS_OF, k=3, among=12, lang="en")
    assert len(told) == len(model.predict(log, as_of=AS_OF))
    # The sample stands for all active users, not for itself.
    assert model.reference.users == pytest.approx(len(told), rel=0.1)


def test_what_pushes_a_risk_up_is_what_the_reasons_say(frame: pd.DataFrame) -> None:
    log = _log(frame)
    model = cl.SilenceModel(n_trees=20, refits=0, resamples=10).fit(log, as_of=AS_OF)
    k = min(12, len(model.groups))
    reasons = model.reasons(log, as_of=AS_OF, k=k)
    up = reasons[(reasons["reason_rank"] <= k) & (reasons["contribution_pp"] > 0)]
    expected = up.groupby("user_id")["sentence"].apply(lambda said: list(said)[:3])
    told = model._pushing(log, as_of=AS_OF, k=3, among=k, lang="en").set_index("user_id")
    forecasts = reasons.groupby("user_id")["p_silent"].first()
    np.testing.assert_allclose(told["p_silent"], forecasts.loc[told.index])
    for user, row in told.iterrows():
        said = [row[f"reason_{rank}"] for rank in (1, 2, 3) if pd.notna(row[f"reason_{rank}"])]
        assert said == expected.get(user, [])
