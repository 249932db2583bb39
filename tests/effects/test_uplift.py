"""Uplift learners: recovery of known effects, ranking, JSON, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from commlife.effects import FittedUplift, Uplift, qini
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning, PersistenceError

CALL = {
    "treatment": "arm",
    "control": "none",
    "outcome": "y",
    "features": ["age", "estate", "noise"],
    "propensity": "randomised",
}


def trial(n: int = 6_000, seed: int = 0) -> pd.DataFrame:
    """Response grows with age; coupon A changes the young most, and harms the oldest; B changes the north by .5."""
    rng = np.random.default_rng(seed)
    age, arm = rng.random(n), rng.choice(["none", "A", "B"], n)
    estate = rng.choice(["north", "south"], n)
    effect_a, effect_b = 1 - 1.5 * age, 0.5 * (estate == "north")
    y = 3 * age + (arm == "A") * effect_a + (arm == "B") * effect_b + rng.normal(0, 0.5, n)
    noise = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    return pd.DataFrame(
        {"age": age, "estate": estate, "noise": noise, "arm": arm, "y": y, "tA": effect_a, "tB": effect_b}
    )


@pytest.mark.parametrize("learner", ["s", "t", "x", "dr"])
def test_known_effects_are_recovered(learner: str) -> None:
    frame, fresh = trial(), trial(2_000, seed=1)
    model = Uplift(learner=learner, trees=60).fit(frame, **CALL)
    scores = model.predict(fresh)
    assert list(scores.columns) == ["A", "B"]
    assert np.corrcoef(scores["A"], fresh["tA"])[0, 1] > 0.85
    assert np.sqrt(((scores["B"] - fresh["tB"]) ** 2).mean()) < 0.17
    table = model.evaluation.set_index("arm")
    assert table.loc["A", "qini"] > 0.02
    assert table.loc["A", "uplift_top_30"] > table.loc["A", "uplift_all"] + 0.3
    assert 0.15 < table.loc["A", "share_negative"] < 0.5


def test_uplift_ranks_better_than_a_model_of_the_response() -> None:
    frame, fresh = trial(), trial(4_000, seed=1)
    scores = Uplift(trees=60).fit(frame, **CALL).predict(fresh)["A"]
    rows = fresh["arm"].isin(["A", "none"])
    y, t = fresh["y"][rows], (fresh["arm"][rows] == "A").astype(int)
    assert qini(y, t, scores[rows]) > 0.03
    assert qini(y, t, fresh["age"][rows]) < -0.03


def test_a_model_goes_to_json_and_back_and_rows_may_be_shuffled() -> None:
    frame = trial(1_500)
    model = Uplift(trees=20).fit(frame, **CALL)
    again = FittedUplift.from_json(model.to_json())
    pd.testing.assert_frame_equal(model.predict(frame), again.predict(frame))
    shuffled = Uplift(trees=20).fit(frame.sample(frac=1, random_state=2), **CALL)
    assert shuffled.predict(frame)["A"].to_numpy() == pytest.approx(model.predict(frame)["A"].to_numpy(), abs=1e-3)
    assert "dr" in repr(model)
    with pytest.raises(PersistenceError):
        FittedUplift.from_json("{}")


def test_logged_probabilities_undo_the_targeting() -> None:
    """The young got the coupon more often, by known chances: with them, the average effect is right."""
    rng = np.random.default_rng(4)
    age = rng.random(8_000)
    chance = 0.8 - 0.6 * age
    given = rng.random(8_000) < chance
    y = 5 * np.sin(6 * age) + given * 1.0 + rng.normal(0, 0.5, 8_000)
    frame = pd.DataFrame(
        {"age": age, "arm": np.where(given, "A", "none"), "y": y, "own": np.where(given, chance, 1 - chance)}
    )
    call = {**CALL, "features": ["age"]}
    for learner in ("dr", "x"):
        model = Uplift(trees=40, learner=learner).fit(frame, **{**call, "propensity": "own"})
        assert model.predict(frame)["A"].mean() == pytest.approx(1.0, abs=0.06)
    shares = {"A": float(given.mean()), "none": 1 - float(given.mean())}
    named = Uplift(trees=5).fit(frame, **{**call, "propensity": shares})
    dealt = Uplift(trees=5).fit(frame, **call)
    assert named.predict(frame)["A"].to_numpy() == pytest.approx(dealt.predict(frame)["A"].to_numpy(), abs=1e-5)


def test_unseen_and_missing_levels_are_taken() -> None:
    model = Uplift(trees=5).fit(trial(1_000), **CALL)
    new = pd.DataFrame({"age": [0.5, np.nan], "estate": ["west", None], "noise": [0.0, 0.0]})
    assert np.isfinite(model.predict(new).to_numpy()).all()


@pytest.mark.parametrize(
    ("change", "call", "error", "message"),
    [
        ({}, {"propensity": None}, ConfigError, "needs to know how the arms were dealt"),
        ({}, {"propensity": 0.5}, ConfigError, "mapping"),
        ({}, {"propensity": {"A": 0.3, "none": 0.7}}, ConfigError, "lacks arm 'B'"),
        ({}, {"propensity": {"A": 0.3, "none": 0.3, "B": 0.3}}, ConfigError, "sum to 1"),
        ({}, {"propensity": "age"}, ConfigError, "two arms"),
        ({"arm": ["none", "A"] * 200, "age": 1.0}, {"propensity": "age"}, ConfigError, "strictly between"),
        ({}, {"features": []}, ConfigError, "at least one"),
        ({}, {"features": ["agee"]}, ConfigError, "Did you mean 'age'"),
        ({}, {"control": "nobody"}, ConfigError, "control"),
        ({"age": np.inf}, {}, ConfigError, "infinite"),
        ({"arm": "none"}, {}, InsufficientDataError, "a treatment"),
        ({"arm": ["A"] * 10 + ["none"] * 390}, {}, InsufficientDataError, "at least 60"),
    ],
)
def test_bad_input_is_told(change, call, error, message) -> None:
    frame = trial(400).assign(**change)
    with pytest.raises(error, match=message):
        Uplift(trees=2).fit(frame, **{**CALL, **call})


def test_a_number_that_became_a_text_is_told() -> None:
    model = Uplift(trees=2).fit(trial(400), **CALL)
    with pytest.raises(ConfigError, match="feature 'age' holds numbers"):
        model.predict(trial(50).assign(age="old"))
    with pytest.raises(ConfigError, match="learner"):
        Uplift(learner="r")  # type: ignore[arg-type]


@pytest.mark.parametrize("learner", ["s", "t", "x", "dr"])
def test_any_regressor_may_learn(learner: str) -> None:
    frame, fresh = trial(), trial(2_000, seed=1)
    tree = DecisionTreeRegressor(min_samples_leaf=150, random_state=0)
    model = Uplift(learner=learner).fit_with(tree, frame, **CALL)
    assert np.corrcoef(model.predict(fresh)["A"], fresh["tA"])[0, 1] > 0.7
    assert model.evaluation["arm"].tolist() == ["A", "B"]
    assert "DecisionTreeRegressor" in repr(model)
    with pytest.raises(ConfigError, match="as in scikit-learn"):
        Uplift().fit_with("forest", frame, **CALL)


def test_estimated_propensities_undo_a_targeting_that_the_features_hold() -> None:
    """The young got the coupon more often; it changes everybody by 1. Called random, the mean effect is far off."""
    rng = np.random.default_rng(5)
    age = rng.normal(size=6_000)
    given = rng.random(6_000) < 1 / (1 + np.exp(1.2 * age))
    y = 3 * age + 1.0 * given + rng.normal(0, 0.5, 6_000)
    frame = pd.DataFrame({"age": age, "arm": np.where(given, "A", "none"), "y": y})
    call = {**CALL, "features": ["age"]}
    with pytest.warns(ModelWarning, match="adjusted for these and nothing else"):
        adjusted = Uplift(trees=40).fit(frame, **{**call, "propensity": "estimated"})
    assert adjusted.predict(frame)["A"].mean() == pytest.approx(1.0, abs=0.1)
    assert adjusted.evaluation["slope"].notna().all()
    rows = frame.sample(frac=1, random_state=1)
    with pytest.warns(ModelWarning):
        shuffled = Uplift(trees=40).fit(rows, **{**call, "propensity": "estimated"})
    assert shuffled.predict(frame)["A"].to_numpy() == pytest.approx(adjusted.predict(frame)["A"].to_numpy(), abs=0.05)


def test_the_slope_tells_noise_from_signal_and_shrunken_scores_come_true() -> None:
    """Scores on pure noise: the slope is near 0, and a plan of the top scores keeps what the shrunken ones promise."""
    rng = np.random.default_rng(6)

    def noisy(n: int) -> pd.DataFrame:
        frame = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
        frame["true"] = 0.2 + 0.1 * frame["a"]
        frame["arm"] = rng.choice(["none", "A"], n)
        frame["y"] = frame["true"] * (frame["arm"] == "A") + rng.normal(0, 1.5, n)
        return frame

    past, new = noisy(3_000), noisy(5_000)
    call = {**CALL, "features": list("abcde")}
    model = Uplift(learner="t", trees=60).fit(past, **call)
    row = model.evaluation.iloc[0]
    assert row["slope"] - 3 * row["slope_se"] < 0.5
    plain, shrunken = model.predict(new)["A"], model.predict(new, shrunken=True)["A"]
    top = plain.sort_values().index[-1_000:]
    true = new["true"][top].mean()
    assert plain[top].mean() > true + 0.3
    assert shrunken[top].mean() == pytest.approx(true, abs=0.15)
    strong = Uplift(trees=60).fit(trial(), **CALL).evaluation.set_index("arm")
    assert strong.loc["A", "slope"] == pytest.approx(1.0, abs=0.15)
