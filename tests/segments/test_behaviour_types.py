"""Behaviour types: a known mixture is found, membership is scikit-learn's, and nobody's name decides anything."""

from __future__ import annotations

import json
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture

mpl.use("Agg")

import matplotlib.pyplot as plt

import commlife as cl
from commlife.features.behaviour import behaviour_of, behaviours
from commlife.segments.fitted_types import named, transformed

AS_OF = "2025-06-30"


def two_kinds(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Frequent small orders here, rare large ones there."""
    rng = np.random.default_rng(seed)
    kind = (np.arange(n) % 4 == 0).astype(int)
    count = np.where(kind == 0, rng.integers(20, 40, n), rng.integers(2, 5, n))
    user = np.repeat(np.arange(n), count)
    days = rng.random(len(user)) * 178
    days[np.cumsum(count) - 1] = 0  # everybody since the first day
    money = np.where(kind[user] == 0, rng.lognormal(2.5, 0.3, len(user)), rng.lognormal(4.5, 0.3, len(user))).round(2)
    frame = pd.DataFrame(
        {"u": user, "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(days.astype(int), unit="D"), "m": money}
    )
    return frame, kind


def log_of(frame):
    return cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m")


def test_two_kinds_of_users_are_found_and_told_apart():
    frame, kind = two_kinds()
    types = cl.BehaviourTypes(behaviour=("orders_per_28d", "mean_order")).fit(log_of(frame), as_of=AS_OF)
    assert len(types.types) == 2
    told = types.transform(log_of(frame), as_of=AS_OF)
    assert pd.crosstab(kind, told["type"]).to_numpy().max(axis=1).sum() == len(kind)
    assert sorted(types.names) == ["large orders, occasional", "small orders, frequent"]
    assert told[["p_1", "p_2"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert (told["certainty"] > 0.99).mean() > 0.95
    table = types.table.set_index("name")
    assert table["users"].to_dict() == {"large orders, occasional": 100, "small orders, frequent": 300}
    assert table.loc["large orders, occasional", "mean_order"] == pytest.approx(np.exp(4.5), rel=0.15)
    assert types.bic.loc[types.bic["chosen"], "bic"].item() == types.bic["bic"].min()


def test_membership_is_that_of_scikit_learn():
    log = cl.datasets.make_community(n_users=300, seed=5).log
    types = cl.BehaviourTypes(n_types=3, restarts=1).fit(log, as_of=AS_OF)
    users = behaviours(log, 20_269, behaviour_of(log))
    values = transformed(users, types.scales)
    theirs = GaussianMixture(
        n_components=3, covariance_type="full", reg_covar=0.05, n_init=1, max_iter=300, random_state=0
    )
    theirs.fit(values[np.lexsort(values.T[::-1])])
    wanted = theirs.predict_proba(values)
    mine = types.posterior(users)
    order = [int(np.abs(np.array(each.mean) - theirs.means_).sum(axis=1).argmin()) for each in types.types]
    np.testing.assert_allclose(mine, wanted[:, order], atol=1e-9)
    assert types.criterion[0][1] == pytest.approx(theirs.bic(values))


def test_engines_agree(engine, as_pandas):
    community = cl.datasets.make_community(n_users=150, seed=6)
    names = {name: name for name in community.frame.columns}
    one = cl.BehaviourTypes(n_types=3).fit(community.log, as_of=AS_OF)
    log = cl.OrderLog.from_frame(engine(community.frame), **names)
    two = cl.BehaviourTypes(n_types=3).fit(log, as_of=AS_OF)
    assert one == two
    left, right = (as_pandas(types.transform(each, as_of=AS_OF)) for types, each in ((one, community.log), (two, log)))
    pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_neither_names_nor_rows_nor_the_currency_nor_the_future_decide():
    frame, _ = two_kinds(120)
    spec = cl.BehaviourTypes(n_types=2)
    one = spec.fit(log_of(frame), as_of="2025-05-01")
    told = one.transform(log_of(frame), as_of="2025-05-01").set_index("user_id")
    shuffled = frame.sample(frac=1, random_state=1)
    assert spec.fit(log_of(shuffled), as_of="2025-05-01") == one
    past = frame[frame["t"] < "2025-05-01"]
    assert spec.fit(log_of(past), as_of="2025-05-01") == one
    renamed = frame.assign(u=[f"x{(7 * user) % 120:03d}" for user in frame["u"]])
    two = spec.fit(log_of(renamed), as_of="2025-05-01")
    assert two == one
    other = two.transform(log_of(renamed), as_of="2025-05-01").set_index("user_id")
    back = {f"x{(7 * user) % 120:03d}": user for user in range(120)}
    pd.testing.assert_frame_equal(
        other.rename(index=back).sort_index(), told, check_index_type=False, check_names=False
    )
    dearer = spec.fit(log_of(frame.assign(m=frame["m"] * 100)), as_of="2025-05-01")
    np.testing.assert_allclose([each.mean for each in dearer.types], [each.mean for each in one.types], atol=1e-6)


def test_types_are_frozen_and_applied_to_later_users():
    log = cl.datasets.make_community(n_users=300, seed=5).log
    types = cl.BehaviourTypes(n_types=3).fit(log, as_of="2025-05-01")
    again = cl.FittedBehaviourTypes.from_json(types.to_json())
    assert again == types
    pd.testing.assert_frame_equal(again.transform(log, as_of=AS_OF), types.transform(log, as_of=AS_OF))
    users = behaviours(log, 20_269, types.behaviour, shares=types.shares)
    one = types.score(**users.loc[3, list(types.behaviour)].astype(float).to_dict())
    row = types.transform(log, as_of=AS_OF).iloc[3]
    assert list(one.values()) == pytest.approx([row["p_1"], row["p_2"], row["p_3"]])


def test_a_damaged_state_is_refused():
    frame, _ = two_kinds(100)
    text = cl.BehaviourTypes(n_types=2).fit(log_of(frame), as_of=AS_OF).to_json()
    for path, wrong in (("covariance", [[1.0]]), ("weight", -1.0), ("mean", [0.0])):
        envelope = json.loads(text)
        envelope["state"]["types"][0][path] = wrong
        with pytest.raises(cl.PersistenceError):
            cl.FittedBehaviourTypes.from_json(json.dumps(envelope))


def test_names_differ_and_say_what_is_high_and_low():
    behaviour = ("recency_days", "orders_per_28d", "mean_order")
    means = np.array([[2.0, -1.0, 0.0], [2.0, -1.0, 0.5], [0.1, 0.1, 0.1], [2.0, -1.0, 0.0]])
    assert named(means, behaviour, "en") == [
        "away for long, occasional 1", "away for long, occasional, large orders", "in the middle", "away for long, occasional 2",
    ]  # fmt: skip
    assert named(means, behaviour, "zh")[:3] == ["久未下单、低频 1", "久未下单、低频、大额订单", "居中"]


def test_two_types_of_the_same_two_words_get_a_third():
    behaviour = ("recency_days", "orders_per_28d", "mean_order")
    means = np.array([[2.0, -1.5, 1.0], [2.0, -1.5, -1.0]])
    assert named(means, behaviour, "en") == [
        "away for long, occasional, large orders", "away for long, occasional, small orders",
    ]  # fmt: skip


def test_the_caveats_are_told():
    log = cl.datasets.make_community(n_users=400, seed=1).log
    with pytest.warns(cl.ModelWarning, match="the most that were tried"):
        cl.BehaviourTypes(max_types=2).fit(log, as_of=AS_OF)
    frame, _ = two_kinds(30)
    with pytest.raises(cl.InsufficientDataError, match="20 payers a type"):
        cl.BehaviourTypes(n_types=2).fit(log_of(frame), as_of=AS_OF)
    alike = pd.DataFrame({"u": range(30), "t": "2025-01-06", "m": 5.0})
    with pytest.raises(cl.InsufficientDataError, match="alike"):
        cl.BehaviourTypes().fit(log_of(alike), as_of=AS_OF)
    with pytest.raises(cl.ConfigError, match="cannot tell categories"):
        cl.BehaviourTypes(behaviour=("categories",)).fit(log_of(frame), as_of=AS_OF)


@pytest.mark.parametrize(
    "wrong",
    [{"n_types": 0}, {"min_share": 0.6}, {"behaviour": ("age",)}, {"behaviour": ()}, {"lang": "fr"}, {"seed": -1}],
)
def test_wrong_specs_are_refused(wrong):
    with pytest.raises(cl.ConfigError):
        cl.BehaviourTypes(**wrong)


def test_one_user_needs_all_of_her_behaviour():
    frame, _ = two_kinds(100)
    types = cl.BehaviourTypes(n_types=2).fit(log_of(frame), as_of=AS_OF)
    good = dict.fromkeys(types.behaviour, 1.0)
    for wrong in ({**good, "age": 3.0}, {"mean_order": 3.0}, {**good, "mean_order": float("nan")}):
        with pytest.raises(cl.ConfigError):
            types.score(**wrong)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_figure_says_every_type(lang):
    log = cl.datasets.make_community(n_users=300, seed=5).log
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.ModelWarning)
        types = cl.BehaviourTypes(n_types=3, lang=lang).fit(log, as_of=AS_OF)
    ax = types.plot()
    assert [label.get_text().split("  (")[0] for label in ax.get_yticklabels()] == types.names
    assert "3 types of 300 users" in repr(types)
    plt.close("all")
