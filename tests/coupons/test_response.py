"""Response: recovery of known chances, monotone faces, calibration, codings, JSON, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from commlife.coupons import CouponResponse, FittedCouponResponse, allocate
from commlife.coupons.transformers import Buckets, Crossed, Vocabulary
from commlife.errors import ConfigError, InsufficientDataError, PersistenceError

SPEC = CouponResponse(
    numbers=("frequency", "age"), texts=("estate",), crosses=(("frequency", "estate"),), trees=60, folds=3
)


def issues(n: int = 4_000, seed: int = 0) -> pd.DataFrame:
    """Chances rise with the face; regulars of the north redeem, elsewhere frequency does not matter."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, n // 2, n),
            "face": rng.choice([3.0, 5.0, 8.0, 12.0], n),
            "frequency": rng.poisson(4, n),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 10, n)),
            "estate": rng.choice(["north", "south", "west"], n),
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 90, n), unit="D"),
        }
    )
    odds = -3.0 + 0.15 * frame["face"] + 0.5 * (frame["estate"] == "north") * (frame["frequency"] - 4)
    frame["chance"] = 1 / (1 + np.exp(-odds))
    frame["redeemed"] = rng.random(n) < frame["chance"]
    return frame


@pytest.fixture(scope="module")
def model() -> FittedCouponResponse:
    return SPEC.fit(issues())


def test_known_chances_are_recovered_and_calibrated(model) -> None:
    fresh = issues(6_000, seed=1)
    chance = model.predict(fresh)
    assert np.corrcoef(chance, fresh["chance"])[0, 1] > 0.85
    assert chance.mean() == pytest.approx(fresh["chance"].mean(), rel=0.1)
    for part in np.array_split(np.argsort(chance), 5):
        assert chance[part].mean() == pytest.approx(fresh["chance"].to_numpy()[part].mean(), abs=0.035)
    table = model.evaluation.set_index(["model", "metric"])["value"]
    for worse in ("rate by face", "overall rate"):
        assert table["response", "brier"] < table[worse, "brier"]
        assert table["response", "log_loss"] < table[worse, "log_loss"]
    assert table["response", "auc"] > table["rate by face", "auc"] + 0.05
    assert table["response", "calibration_error"] < 0.02
    assert table["overall rate", "auc"] == 0.5
    assert "held-out users" in repr(model)


@settings(max_examples=20)
@given(st.integers(0, 1_000), st.lists(st.floats(0.5, 40), min_size=2, max_size=6, unique=True))
def test_a_larger_face_is_never_less_likely_redeemed(model, seed: int, faces: list[float]) -> None:
    table = model.by_face(issues(40, seed=seed), sorted(faces)).to_numpy()
    assert (np.diff(table, axis=1) >= 0).all()
    assert ((table > 0) & (table < 1)).all()


def test_later_days_judge_the_model_where_days_are_known() -> None:
    frame = issues()
    judged = SPEC.fit(frame, day="day")
    assert judged.judged_on == "later days"
    rows = judged.evaluation.query("metric == 'rows' and model == 'response'")["value"].iloc[0]
    assert 0.15 * len(frame) < rows < 0.35 * len(frame)
    with pytest.raises(InsufficientDataError, match="one day"):
        SPEC.fit(frame.assign(day="2025-01-01"), day="day")


def test_json_and_row_order_do_not_matter(model) -> None:
    frame = issues()
    again = FittedCouponResponse.from_json(model.to_json())
    assert (again.predict(frame) == model.predict(frame)).all()
    shuffled = SPEC.fit(frame.sample(frac=1, random_state=3))
    assert shuffled.predict(frame) == pytest.approx(model.predict(frame), abs=0.01)
    with pytest.raises(PersistenceError):
        FittedCouponResponse.from_json(SPEC.to_json())


def test_unseen_levels_and_missing_numbers_are_taken(model) -> None:
    new = pd.DataFrame({"face": [5.0, 5.0], "frequency": [np.nan, 400], "age": [None, 1e9], "estate": ["moon", None]})
    assert np.isfinite(model.predict(new.astype({"age": float}))).all()


def test_chances_by_face_go_into_the_allocation(model) -> None:
    users = issues(300, seed=5)
    faces = np.array([3.0, 8.0])
    chance = model.by_face(users, faces).to_numpy()
    plan = allocate(chance * 20, chance * faces, 100.0, redemption=chance, max_overspend_prob=0.05)
    assert plan.overspend_prob <= 0.05


def test_the_codings_are_scikit_learn_transformers() -> None:
    frame = issues(1_000)
    chain = make_pipeline(Buckets(n_buckets=5), LogisticRegression()).fit(
        frame[["face", "frequency"]], frame["redeemed"]
    )
    assert chain.predict_proba(frame[["face", "frequency"]]).shape == (1_000, 2)
    assert clone(Vocabulary(min_count=3)).get_params() == {"min_count": 3, "max_levels": 200}
    words = Vocabulary(min_count=1, max_levels=2).fit(frame[["estate"]])
    assert len(words.get_feature_names_out()) == 3
    assert (words.transform(frame[["estate"]]).sum(axis=1) == 1).all()
    assert Buckets(3).fit(frame[["frequency"]]).get_feature_names_out()[0] == "frequency missing"
    crossed = Crossed(min_count=5).fit(pd.DataFrame({"a": [0, 1] * 10, "b": [2, 3] * 10}))
    assert crossed.get_feature_names_out().tolist() == ["a x b other", "a 0 x b 2", "a 1 x b 3"]
    assert crossed.transform([[0, 3]]).toarray().tolist() == [[1.0, 0.0, 0.0]]
    with pytest.raises(ConfigError, match="two columns"):
        Crossed().fit([[1], [2]])
    with pytest.raises(ConfigError, match="fitted on 1"):
        words.transform([["a", "b"]])
    with pytest.raises(ConfigError, match="rows by columns"):
        words.transform(["a", "b"])


@pytest.mark.parametrize(("redeemed", "told"), [(29, "seen 29 and 371"), (371, "seen 371 and 29")])
def test_twenty_nine_of_either_are_too_few(redeemed: int, told: str) -> None:
    few = issues(400).assign(redeemed=[1.0] * redeemed + [0.0] * (400 - redeemed))
    with pytest.raises(InsufficientDataError, match=told):
        SPEC.fit(few)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"redeemed": 2.0}, ConfigError, "holds 0 and 1"),
        ({"redeemed": 0.0}, InsufficientDataError, "30 that were not; seen 0"),
        ({"face": 0.0}, ConfigError, "above 0"),
        ({"age": "old"}, ConfigError, "holds numbers"),
    ],
)
def test_bad_logs_are_told(change, error, message) -> None:
    with pytest.raises(error, match=message):
        SPEC.fit(issues(400).assign(**change))


def test_bad_specs_are_told() -> None:
    with pytest.raises(ConfigError, match="is neither"):
        CouponResponse(numbers=("a",), crosses=(("a", "face"),))
    with pytest.raises(ConfigError, match="named once"):
        CouponResponse(numbers=("a",), texts=("a",))
