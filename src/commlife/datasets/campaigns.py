"""Campaigns: who is given a coupon, and what it truly does, known for both arms of every user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from commlife.datasets.lives import PROXY_FACTOR, Events, Lives
from commlife.datasets.world import World

__all__ = ["Campaign", "run_campaigns"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: How strongly each price band answers a coupon, and how face values compare: effect ~ (face / largest) ** power.
_BAND_ANSWER = np.array([1.6, 0.8, 0.3])
_FACE_POWER = 0.7
#: Probability that a coupon keeps a sleeping dog from an order within the window.
DOG_LOSS = 0.5
#: Targeted campaigns give coupons to those who were away for long: expit((days - middle) / scale), within the bounds.
_AWAY_MIDDLE, _AWAY_SCALE, _LEAST, _MOST = 18.0, 6.0, 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign: a row an eligible user.

    ``arm`` is -1 for the control, else the index of the coupon. ``effects`` has a column a coupon: expected further
    orders within the window, given the user's true life. ``baseline`` and ``treated`` are the numbers of orders
    within the window without a coupon and with each one, in this very world.
    """

    name: str
    day: int
    user: Ints
    arm: Ints
    propensity: Floats
    effects: Floats
    baseline: Ints
    treated: Ints


def run_campaigns(
    world: World, lives: Lives, left: Floats, sources: list[Events]
) -> tuple[list[Events], list[Campaign]]:
    """Issue the coupons and let them work: sources with what sleeping dogs no longer buy, and the orders won."""
    plans: list[tuple[str, int]] = []
    if world.targeted:
        plans.append(("targeted", world.targeted_day))
    if world.trial_share > 0:
        plans.append(("trial", world.trial_day))
    campaigns, won = [], []
    for name, day in plans:
        campaign, removed, extra = _run(world, lives, left, sources, name, day)
        sources = [
            Events(old.source, old.user, old.time, old.seq, old.kept & ~gone)
            for old, gone in zip(sources, removed, strict=True)
        ]
        campaigns.append(campaign)
        won.append(extra)
    return [*sources, *won], campaigns


def _run(
    world: World, lives: Lives, left: Floats, sources: list[Events], name: str, day: int
) -> tuple[Campaign, list[Bools], Events]:
    n, end = len(lives.born), min(day + world.coupon_days, world.n_days)
    user = np.flatnonzero(np.floor(lives.born) < day)
    propensity, treated = _assign(world, lives, sources, name, day)
    faces = np.array(world.coupon_faces)
    which = world.random(f"{name}.arm").integers(0, len(faces), n)
    arm = np.where(treated, which, -1)

    length = float(world.coupon_days)
    keen = np.exp(-lives.purchase_rate * length / 4)
    response = np.where(lives.is_sleeping_dog, 0.0, world.coupon_effect * _BAND_ANSWER[lives.band] * keen)
    full = response[:, None] * (faces / faces[-1]) ** _FACE_POWER
    # The same uniform for every coupon: a better coupon never wins fewer orders from the same user.
    drawn = world.random(f"{name}.won").random(n)
    n_won = stats.poisson.ppf(drawn[user, None], full[user]).astype(np.int64)
    n_most = np.zeros(n, dtype=np.int64)
    n_most[user] = n_won[:, -1]

    # One moment for each order that the largest coupon could win; smaller coupons win the first of them.
    who = np.repeat(np.arange(n), n_most)
    rank = np.arange(len(who)) - np.repeat(np.cumsum(n_most) - n_most, n_most)
    time = day + length * world.random(f"{name}.moment").random(len(who))
    possible = (time < left[who]) & (time < end)
    place = np.full(n, -1)
    place[user] = np.arange(len(user))
    wins = np.stack(
        [np.bincount(who[possible & (rank < n_won[place[who], k])], minlength=n) for k in range(len(faces))], axis=1
    )
    given = np.where(arm[who] >= 0, n_won[place[who], np.maximum(arm[who], 0)], 0)
    order = np.lexsort((time, who))
    extra = Events(name, who[order], time[order], rank, (possible & (rank < given))[order])

    baseline, lost, removed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), []
    for events in sources:
        inside = events.kept & (events.time >= day) & (events.time < end)
        vanishes = inside & lives.is_sleeping_dog[events.user]
        vanishes &= world.random(f"{name}.{events.source}.dog").random(len(events.user)) < DOG_LOSS
        # An order within the window stands after the issue only for users born before it: newcomers get no coupon.
        vanishes &= place[events.user] >= 0
        baseline += np.bincount(events.user[inside], minlength=n)
        lost += np.bincount(events.user[vanishes], minlength=n)
        removed.append(vanishes & (arm[events.user] >= 0))

    alive = np.clip(np.minimum(left, end) - day, 0.0, length)
    effects = full * (alive / length)[:, None]
    dogs = lives.is_sleeping_dog
    rate = lives.purchase_rate * np.where(lives.is_proxy, PROXY_FACTOR, 1)
    effects[dogs] = -(DOG_LOSS * rate * alive)[dogs, None]
    campaign = Campaign(
        name=name,
        day=day,
        user=user,
        arm=arm[user],
        propensity=propensity[user],
        effects=effects[user],
        baseline=baseline[user],
        treated=(baseline[:, None] - lost[:, None] + wins)[user],
    )
    return campaign, removed, extra


def _assign(world: World, lives: Lives, sources: list[Events], name: str, day: int) -> tuple[Floats, Bools]:
    """Probability of a coupon and the draw, for every user; only those born before the day are eligible."""
    n = len(lives.born)
    if name == "trial":
        propensity = np.full(n, world.trial_share)
    else:
        last = np.full(n, -np.inf)
        for events in sources:
            seen = events.kept & (events.time < day)
            np.maximum.at(last, events.user[seen], events.time[seen])
        away = day - np.maximum(last, lives.born)
        propensity = np.clip(special.expit((away - _AWAY_MIDDLE) / _AWAY_SCALE), _LEAST, _MOST)
    treated = world.random(f"{name}.assign").random(n) < propensity
    return propensity, treated & (np.floor(lives.born) < day)
