"""Interest groups: planted tastes are found, the cap holds, everybody is in one group or in none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.segments.interest_groups import _by_chance, _cohesion
from commlife.testing import check_pipeline

AS_OF = "2025-06-30"
FEWER = settings(max_examples=max(settings.default.max_examples // 4, 6))


def planted(n: int = 240, seed: int = 0, tastes: int = 4, strength: float = 0.7) -> tuple[pd.DataFrame, np.ndarray]:
    """Two communities, each with users of several tastes; ten orders each."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, tastes, n)
    user = np.repeat(np.arange(n), 10)
    kind = np.where(rng.random(len(user)) < strength, taste[user], rng.integers(0, 12, len(user)))
    frame = pd.DataFrame(
        {
            "u": user,
            "t": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 170, len(user)), unit="D"),
            "m": rng.integers(100, 3000, len(user)) / 100,
            "c": [f"kind-{k:02d}" for k in kind],
            "g": [f"home-{k % 2}" for k in user],
        }
    )
    return frame, taste


def log_of(frame):
    return cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", category="c", community="g")


def test_planted_tastes_are_found():
    frame, taste = planted()
    groups = cl.interest_groups(log_of(frame), as_of=AS_OF, max_size=20)
    users = groups.users.assign(taste=taste)
    purity = users.groupby("group")["taste"].agg(lambda part: part.value_counts(normalize=True).iloc[0])
    # Sizes are even and tastes are not: a group at the border of two tastes is mixed, the others are pure.
    assert purity.median() == 1
    assert purity.mean() > 0.8
    assert (groups.table["p_value"] < 0.05).all()
    assert (groups.table["cohesion"] > groups.table["random_cohesion"] + 0.1).all()
    themes = groups.table.merge(users.groupby("group")["taste"].agg(lambda part: part.mode()[0]).reset_index())
    assert (themes["theme"].str.split(",").str[0] == [f"kind-{k:02d}" for k in themes["taste"]]).mean() > 0.8
    assert "groups of 240 users" in repr(groups)


@FEWER
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 6), st.integers(2, 80))
def test_everybody_is_in_one_group_or_in_none_and_the_cap_holds(seed, max_size, min_orders, n):
    rng = np.random.default_rng(seed)
    frame, _ = planted(n, seed)
    frame = frame[rng.random(len(frame)) < 0.4]
    log = log_of(frame)
    if len(frame) == 0:
        return
    try:
        groups = cl.interest_groups(log, as_of=AS_OF, max_size=max_size, min_orders=min_orders, permutations=19)
    except cl.InsufficientDataError:
        return
    users = groups.users
    assert users["user_id"].is_unique
    assert len(users) == frame["u"].nunique()
    held = users.dropna(subset="group")
    sizes = held.groupby("group").size()
    assert sizes.max() <= max_size
    assert sizes.to_dict() == groups.table.set_index("group")["users"].to_dict()
    assert (held.groupby("group")["community"].nunique() == 1).all()
    orders = frame.groupby("u").size()
    enough = set(orders.index[orders >= min_orders])
    assert set(held["user_id"]) <= enough
    # As few groups as the cap allows, in every community that has one.
    for _, part in held.groupby("community"):
        assert part["group"].nunique() == -(-len(part) // max_size)
        assert part.groupby("group").size().agg(np.ptp) <= 1


def test_cohesion_is_the_mean_cosine_of_all_pairs():
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(9, 4))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    pairs = unit @ unit.T
    wanted = pairs[np.triu_indices(9, 1)].mean()
    assert _cohesion(unit.sum(axis=0), np.array((unit * unit).sum()), np.array(9.0)) == pytest.approx(wanted)
    dealt = _by_chance(unit, np.array([5, 4]), 4000, rng)
    assert dealt[5].mean() == pytest.approx(wanted, abs=0.01), "a random group is as alike as any two users"


def test_the_fit_of_a_user_is_the_cosine_with_her_group():
    """One of like-minded users fits fully; one who buys what nobody else in her group buys fits less."""
    rows = [(user, f"kind-{user // 10}", day) for user in range(20) for day in range(8)]
    odd = [(0, "kind-9", day) for day in range(8, 40)]
    frame = pd.DataFrame(rows + odd, columns=["u", "c", "day"])
    frame["t"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(frame["day"], unit="D")
    log = cl.OrderLog.from_frame(frame.assign(m=1.0, g="home")[["u", "t", "m", "c", "g"]], user_id="u", ordered_at="t",
                                 amount="m", category="c", community="g")  # fmt: skip
    users = cl.interest_groups(log, as_of=AS_OF, max_size=10).users.set_index("user_id")
    assert users["group"].nunique() == 2
    pure = users[users["group"] != users.loc[0, "group"]]
    assert pure["fit"].to_numpy() == pytest.approx(np.ones(len(pure)))
    assert users.loc[0, "fit"] < users.drop(index=0)["fit"].min() < 1.0 + 1e-12
    assert (users["fit"].abs() <= 1.0 + 1e-12).all()


def test_without_tastes_groups_are_no_better_than_chance_on_orders_not_seen():
    """Groups made of noise look alike on the orders that made them: new orders tell."""
    frame, _ = planted(200, strength=0.0)
    first, second = frame[frame["t"] < "2025-03-20"], frame[frame["t"] >= "2025-03-20"]
    groups = cl.interest_groups(log_of(first), as_of="2025-03-20", max_size=20, min_orders=2)
    later = second.merge(groups.users.rename(columns={"user_id": "u"})[["u", "group"]]).dropna(subset="group")
    share = pd.crosstab(later["group"], later["c"], normalize="index")
    theme = groups.table.set_index("group")["theme"].str.split(",").str[0]
    lift = [
        share.loc[group, kind] - (later["c"] == kind).mean() for group, kind in theme.items() if group in share.index
    ]
    assert abs(np.mean(lift)) < 0.03


def test_engines_agree(engine, as_pandas):
    frame, _ = planted(100)
    one = cl.interest_groups(log_of(frame), as_of=AS_OF, max_size=15)
    two = cl.interest_groups(log_of(engine(frame)), as_of=AS_OF, max_size=15)
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(as_pandas(one.users), as_pandas(two.users), check_dtype=False)


def test_groups_pass_the_checks_of_a_pipeline():
    check_pipeline(
        lambda log, as_of: cl.interest_groups(
            log, as_of=as_of, max_size=4, min_size=2, min_orders=1, permutations=19
        ).users.drop(columns="group")
    )


def test_a_log_without_communities_is_one():
    frame, _ = planted(60)
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="t", amount="m", item_id="c")
    groups = cl.interest_groups(log, as_of=AS_OF, max_size=30, level="item_id", lookback="90D")
    assert groups.table["group"].tolist() == ["001", "002"]
    assert "community" not in groups.users.columns


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 1},
        {"min_size": 0},
        {"min_orders": 0},
        {"permutations": 5},
        {"seed": -1},
        {"level": "shop"},
        {"max_size": True},
        {"max_size": 20.5},
        {"min_orders": "3"},
        {"lookback": "x"},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    frame, _ = planted(20)
    with pytest.raises(cl.ConfigError):
        cl.interest_groups(log_of(frame), **{"as_of": AS_OF, **wrong})


def test_too_few_users_make_no_group():
    frame, _ = planted(6)
    with pytest.raises(cl.InsufficientDataError, match="interest groups need"):
        cl.interest_groups(log_of(frame), as_of=AS_OF, min_size=10)
