"""Drivers and reasons: exact contributions, known truth, columns, words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.churn import FittedSilenceModel, HostFeatures, SilenceModel
from commlife.churn.curves import accumulated, joint_effect
from commlife.churn.drivers import COLUMNS
from commlife.churn.groups import correlation_groups
from commlife.datasets import Community
from commlife.errors import ConfigError


def expit(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def known_world(seed: int, n: int = 1500, periods: int = 8) -> tuple[cl.OrderLog, HostFeatures, object]:
    """Each period a user stays silent with probability expit(-.5 + 1.5 x); x is new each period, the decoy follows it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, periods))
    decoy = 0.9 * x + np.sqrt(1 - 0.81) * rng.normal(size=(n, periods))
    ordered = np.ones((n, periods + 1), dtype=bool)
    ordered[:, 1:] = rng.random((n, periods)) > expit(-0.5 + 1.5 * x)
    user, period = np.nonzero(ordered)
    start = pd.Timestamp("2025-01-06")
    day = period * 28 + rng.integers(0, 28, len(user))
    frame = pd.DataFrame(
        {"u": user, "at": start + pd.to_timedelta(day, unit="D"), "paid": np.round(rng.gamma(2, 10, len(user)), 2) + 1}
    )
    owner, when = np.indices(x.shape)
    history = pd.DataFrame(
        {
            "user_id": owner.ravel(),
            "known": start + pd.to_timedelta(when.ravel() * 28 + 27, unit="D"),
            "late_deliveries": x.ravel(),
            "complaints": decoy.ravel(),
        }
    )
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", observed_from="2025-01-06")
    return (
        log,
        HostFeatures.from_history(history, known_at="known"),
        (start + pd.Timedelta(days=28 * (periods + 1))).date(),
    )


def fitted_to_known_world(seed: int, refits: int) -> FittedSilenceModel:
    log, host, as_of = known_world(seed)
    spec = SilenceModel(
        active_within="84D", step="28D", snapshots=3, refits=refits, resamples=20,
        features=("recency_days", "orders", "spend", "tenure_days"),
    )  # fmt: skip
    return spec.fit(log, as_of=as_of, host=host)


@pytest.fixture(scope="module")
def known() -> FittedSilenceModel:
    return fitted_to_known_world(0, refits=6)


def test_the_true_driver_is_found_and_its_decoy_is_not_above_it(known: FittedSilenceModel) -> None:
    """Truth from the 10th to the 90th percentile: expit(-.5 + 1.922) - expit(-.5 - 1.922) = .724; the decoy's is 0."""
    truth = float(expit(np.array(-0.5 + 1.5 * 1.2816)) - expit(np.array(-0.5 - 1.5 * 1.2816)))
    table = known.drivers()
    groups = table[table["level"] == "group"].set_index("driver")
    features = table[table["level"] == "feature"].set_index("driver")
    top = groups.loc["late_deliveries"]
    assert (top["rank"], top["tier"], top["direction"]) == (1, 1, "up")
    assert abs(top["effect_pp"] - truth) < 0.15 * truth
    assert top["effect_low"] <= truth <= top["effect_high"]
    assert abs(features.loc["late_deliveries", "effect_pp"] - truth) < 0.2 * truth
    assert features.loc["complaints", "group"] == "late_deliveries"
    assert features.loc["complaints", "rank"] > features.loc["late_deliveries", "rank"]
    assert abs(features.loc["complaints", "effect_pp"]) < 0.25 * truth
    assert features.loc["late_deliveries", "sign_stability"] == 1
    for name in ("recency_days", "orders", "spend"):
        assert abs(features.loc[name, "effect_pp"]) < 0.08
    assert "adds to the best baseline" in known.verdict


def test_a_model_of_other_users_lies_within_the_interval(known: FittedSilenceModel) -> None:
    first = known.drivers().query("level == 'feature'").set_index("driver")
    other = fitted_to_known_world(11, refits=0).drivers().query("level == 'feature'").set_index("driver")
    effect = other["effect_pp"].loc[first.index]
    inside = (effect >= first["effect_low"] - 1e-9) & (effect <= first["effect_high"] + 1e-9)
    assert inside.mean() >= 0.8
    assert np.isnan(other["effect_low"]).all()


def test_contributions_are_those_of_the_tree_explainer(world: Community, model: FittedSilenceModel) -> None:
    """shap.TreeExplainer, path-dependent, on the same trees: equal to 1e-4."""
    shap = pytest.importorskip("shap")
    X = model.feature_table(world.log, as_of=world.as_of).drop(columns="user_id").head(60)
    ours, base, margin = model.forest.contributions(X)
    explainer = shap.TreeExplainer(model.forest.booster)
    theirs = explainer.shap_values(X.to_numpy(dtype=np.float32))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert base == pytest.approx(float(np.ravel(explainer.expected_value)[0]), abs=1e-4)
    np.testing.assert_allclose(ours.sum(axis=1) + base, margin, atol=1e-4)


def test_columns_of_the_driver_table(model: FittedSilenceModel) -> None:
    table = model.drivers()
    assert tuple(table.columns) == COLUMNS
    groups, features = table[table["level"] == "group"], table[table["level"] == "feature"]
    assert sorted(features["driver"]) == sorted(feature.name for feature in model.features)
    assert groups["rank"].tolist() == list(range(1, len(model.groups) + 1))
    assert (table["rank_low"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_high"]).all()
    assert groups["tier"].is_monotonic_increasing
    assert table["direction"].isin(["up", "down", "mixed", "none"]).all()
    assert table["sign_stability"].between(0, 1).all()
    assert (table["effect_low"] <= table["effect_high"]).all()
    assert (table["n"] == model.reference.users).all()
    at_risk = np.ceil(0.21 * model.reference.users)
    assert (table["users_pushed_up"] <= at_risk).all()
    # Each group row stands before its features.
    assert (table.groupby("group", sort=False)["level"].first() == "group").all()


def test_words_say_associated_and_never_caused(world: Community, model: FittedSilenceModel) -> None:
    english, chinese = model.drivers(), model.drivers(lang="zh")
    assert english["sentence"].str.contains("associat").all()
    assert chinese["sentence"].str.contains("关联|相关").all()
    told = model.reasons(world.log, as_of=world.as_of, lang="zh", users=0.1)
    assert told["sentence"].str.contains("百分点").all()
    for text in [*english["sentence"], *model.reasons(world.log, as_of=world.as_of)["sentence"]]:
        assert "caus" not in text.lower()


def test_drivers_by_community_and_by_segment(
    world: Community, model: FittedSilenceModel, by_community: pd.DataFrame
) -> None:
    table = by_community
    assert table["scope"].iloc[0] == "all"
    scopes = table.drop_duplicates("scope").set_index("scope")["n"]
    assert set(scopes.index) == {"all", *(f"community: {name}" for name in world.truth.communities["community"])}
    assert scopes.drop("all").sum() == scopes["all"]
    users = model.predict(world.log, as_of=world.as_of)
    halves = pd.DataFrame({"user_id": users["user_id"], "half": np.where(users["user_id"] % 2 == 0, "even", "odd")})
    assert set(model.drivers(by=halves)["scope"]) == {"all", "half: even", "half: odd"}


def test_disjoint_halves_of_the_users_agree_in_their_top_tier(world: Community) -> None:
    """What stands first in one half cannot be told apart from what stands first in the other, and both ways round."""
    tops, firsts = [], []
    for half in (0, 1):
        frame = world.frame[world.frame["user_id"] % 2 == half]
        log = cl.OrderLog.from_frame(frame, **{str(n): str(n) for n in frame.columns})
        table = SilenceModel(refits=6, resamples=5, snapshots=2, n_trees=60).fit(log, as_of=world.as_of).drivers()
        features = table[table["level"] == "feature"].sort_values("rank")
        firsts.append(features["driver"].iloc[0])
        tops.append(set(features.loc[features["tier"] == 1, "driver"]))
    assert firsts[0] in tops[1]
    assert firsts[1] in tops[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"by": "comunity"}, "Did you mean 'community'"),
        ({"by": 3}, 'None, "community" or a frame'),
        ({"by": pd.DataFrame({"user": [1]})}, "one column of segments"),
        ({"lang": "fr"}, "lang 'fr' is unknown"),
    ],
)
def test_wrong_arguments_of_drivers(model: FittedSilenceModel, call: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        model.drivers(**call)


@pytest.mark.parametrize(
    "call", [{"k": 0}, {"k": 99}, {"k": True}, {"users": 0}, {"users": 5}, {"users": True}, {"lang": "de"}]
)
def test_wrong_arguments_of_reasons(world: Community, model: FittedSilenceModel, call: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        model.reasons(world.log, as_of=world.as_of, **call)


def test_reasons_of_the_riskiest_share(world: Community, model: FittedSilenceModel) -> None:
    p = model.predict(world.log, as_of=world.as_of).set_index("user_id")["p_silent"]
    told = model.reasons(world.log, as_of=world.as_of, k=2, users=0.05)
    chosen = told["user_id"].unique()
    assert len(chosen) == np.ceil(0.05 * len(p))
    assert p.loc[chosen].min() >= p.drop(chosen).max()
    assert told["user_id"].is_monotonic_increasing


def test_explain_one_says_what_reasons_say(world: Community, model: FittedSilenceModel) -> None:
    row = model.feature_table(world.log, as_of=world.as_of).iloc[3]
    values = {name: None if np.isnan(value) else float(value) for name, value in row.drop("user_id").items()}
    one = model.explain_one(values)
    told = model.reasons(world.log, as_of=world.as_of, k=3)
    mine = told[told["user_id"] == row["user_id"]]
    assert one.p_silent == pytest.approx(mine["p_silent"].iloc[0], abs=1e-6)
    assert one.p_base + one.to_frame()["contribution_pp"].sum() == pytest.approx(one.p_silent, abs=1e-9)
    assert one.frame["driver"].head(3).tolist() == mine["driver"].head(3).tolist()


@pytest.mark.parametrize("value", [True, "much", np.inf])
def test_explain_one_refuses_what_is_no_number(model: FittedSilenceModel, value: object) -> None:
    values = dict.fromkeys(model.forest.names, 0.0)
    with pytest.raises(ConfigError, match="orders"):
        model.explain_one({**values, "orders": value})


def test_explain_one_refuses_missing_and_unknown_features(model: FittedSilenceModel) -> None:
    with pytest.raises(ConfigError, match="takes a mapping"):
        model.explain_one([1.0])
    with pytest.raises(ConfigError, match="features are missing"):
        model.explain_one({"orders": 1.0})
    with pytest.raises(ConfigError, match="Did you mean 'orders'"):
        model.explain_one({"order": 1.0})


def test_accumulated_effects_of_a_known_function() -> None:
    """f = 2 x - y with y = x + noise: ALE separates the two, whose marginal means do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    X = np.column_stack([x, x + 0.3 * rng.normal(size=4000), np.full(4000, np.nan)])

    def f(table: np.ndarray) -> np.ndarray:
        return 2 * table[:, 0] - table[:, 1]

    of_x, of_y, of_none = accumulated(X, [0, 1, 2], f)
    low, high = np.quantile(X[:, :2], [0.1, 0.9], axis=0, method="inverted_cdf")
    assert of_x.total == pytest.approx(2 * (high - low)[0])
    assert of_y.total == pytest.approx(-(high - low)[1])
    assert of_none.total == 0
    assert joint_effect(X, [0, 1], 0, f) == pytest.approx((high - low)[0], rel=0.1)
    assert joint_effect(X, [2], 2, f) == 0
    turning = accumulated(X, [0], lambda table: table[:, 0] ** 2)[0]
    assert turning.is_mixed


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=500)
    table = pd.DataFrame({"a": x, "b": rng.normal(size=500), "c": -np.exp(x), "d": np.where(x > 2, np.nan, 1.0)})
    assert correlation_groups(table) == (("a", "c"), ("b",), ("d",))
    assert correlation_groups(table.sample(frac=1, random_state=3)) == correlation_groups(table)
    assert correlation_groups(table[["b"]]) == (("b",),)
