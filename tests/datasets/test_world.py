"""The settings: every fault of them is told in the house's own words."""

from __future__ import annotations

import numpy as np
import pytest

from commlife.datasets import World, make_community
from commlife.datasets.lives import RetentionCurve
from commlife.datasets.world import WorldSettings
from commlife.errors import ConfigError


def test_the_typed_settings_are_the_fields_of_the_world() -> None:
    assert set(WorldSettings.__annotations__) == set(World.model_fields) - {"n_users", "seed"}


def test_a_world_is_data() -> None:
    world = World(n_users=50, seed=7, coupon_faces=(3.0, 6.0), start="2024-01-01")
    assert World.from_json(world.to_json()) == world
    assert world.as_of == "2024-07-01"


def test_the_default_world_ends_at_the_day_of_the_docs() -> None:
    world = World()
    assert (world.start, world.as_of, world.n_weeks, world.n_born) == ("2024-12-30", "2025-06-30", 26, 1_000)
    assert (World(drop_weeks=2).first_drop_week, World(drop_weeks=2).last_drop_week) == (19, 21)
    assert (World(drop_week=25, drop_weeks=9).last_drop_week, World(drop_week=3).first_drop_week) == (26, 3)
    assert (World(trial_week=2, targeted_week=1).trial_day, World(targeted_week=1).targeted_day) == (14, 7)
    assert World(newcomers_per_week=3, n_weeks=5, n_communities=2, drop_week=0).n_newcomers == 30


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_user": 5}, "n_users"),
        ({"refund": 0.1}, "Did you mean 'refunds'"),
        ({"n_users": 0}, "n_users"),
        ({"n_users": True}, "a number is needed, not a bool"),
        ({"n_users": "many"}, "a number is needed, not a str"),
        ({"n_users": 2.5}, "n_users"),
        ({"seed": -1}, "seed"),
        ({"retention": float("nan")}, "retention"),
        ({"retention": 1.0}, "retention"),
        ({"retention": 0.05}, "retention_spread"),
        ({"retention": 0.9}, "out of reach"),
        ({"retention": 0.95, "life": "bg_nbd", "retention_spread": 0.0}, "out of reach"),
        ({"drop_community": 8}, "drop_community=8"),
        ({"drop_week": 26}, "drop_week=26"),
        ({"trial_week": 30}, "trial_week=30"),
        ({"targeted_week": 30}, "targeted_week=30"),
        ({"drop_retention": 0.6}, "is no drop"),
        ({"n_users": 10, "newcomers_per_week": 3}, "give one of them"),
        ({"newcomers_per_week": 500_000}, "at most 20,000,000"),
        ({"start": "not a day"}, "start"),
        ({"start": "1971-01-04"}, "1980 to 2087"),
        ({"coupon_faces": (5.0, 3.0)}, "coupon_faces"),
        ({"coupon_faces": ()}, "coupon_faces"),
        ({"coupon_faces": (0.001,)}, "coupon_faces"),
        ({"coupon_threshold": 20.005}, "two digits"),
        ({"life": "weibull"}, "life"),
        ({"existing_share": float("inf")}, "existing_share"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_community(**settings)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        World(n_weeks=1, refunds=2.0, splits=-0.1)
    assert all(name in str(told.value) for name in ("n_weeks", "refunds", "splits"))


def test_numpy_numbers_are_numbers() -> None:
    assert World(n_users=np.int64(5), retention=np.float64(0.3), retention_spread=0.0).n_born == 5


@pytest.mark.parametrize("life", ["pareto_nbd", "bg_nbd"])
def test_retention_by_quadrature_is_retention_by_simulation(life: str) -> None:
    """Independent of the library's own generator: lives and purchases drawn one gap at a time."""
    world, n, alpha = World(life=life), 400_000, 9.0
    rng = np.random.default_rng(5)
    rate = rng.gamma(world.purchase_shape, size=n) / alpha
    born = rng.random(n) * 7
    if life == "pareto_nbd":
        left = born + rng.exponential(size=n) / (rng.gamma(world.dropout_shape, size=n) / world.dropout_scale)
    else:
        left, chance = np.full(n, np.inf), rng.beta(world.dropout_a, world.dropout_b, n)
    time, retained = born.copy(), np.zeros(n, dtype=bool)
    while (time < 14).any():
        time = time + rng.exponential(size=n) / rate
        retained |= (time >= 7) & (time < 14) & (time <= left)
        if life == "bg_nbd":
            ends = (time < 14) & (time <= left) & (rng.random(n) < chance)
            left[ends] = time[ends]
    assert RetentionCurve.of(world).at(alpha) == pytest.approx(retained.mean(), abs=0.003)
