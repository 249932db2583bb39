"""Lives: who is born when and where, how often each one buys, and when each one leaves for good.

Time is a float: days since the start of the log. The purchase process is that of the papers:

- ``pareto_nbd`` (Schmittlein, Morrison & Colombo 1987): purchases are Poisson with a rate from a gamma distribution,
  the time until a user leaves is exponential with a rate from another gamma distribution;
- ``bg_nbd`` (Fader, Hardie & Lee 2005): the same purchases, and after each repeat purchase a user leaves with a
  probability from a beta distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from commlife.datasets.world import WEEK, World
from commlife.errors import ConfigError

__all__ = [
    "Communities",
    "Events",
    "Lives",
    "RetentionCurve",
    "base_events",
    "make_communities",
    "make_lives",
    "proxy_events",
    "seconds",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CHANNELS = ("group_chat", "leader", "app", "poster")
HABITS = ("morning", "evening")
BANDS = ("value", "middle", "premium")
N_TASTES = 4
#: How many times as often a proxy buyer orders, and for how many addresses.
PROXY_FACTOR, PROXY_ADDRESSES = 5, 20
#: Share of a day's orders that lie before these hours, by habit; straight lines in between.
_HOURS = np.array([0.0, 6.0, 9.0, 12.0, 17.0, 21.0, 24.0]) / 24
_BEFORE = {
    "morning": np.array([0.0, 0.05, 0.45, 0.70, 0.82, 0.95, 1.0]),
    "evening": np.array([0.0, 0.01, 0.07, 0.18, 0.38, 0.88, 1.0]),
}


@dataclass(frozen=True, slots=True)
class Communities:
    """The communities: names, next-week retention of newcomers, gamma rate of purchases, spend factor."""

    names: tuple[str, ...]
    retention: Floats
    alpha: Floats
    spend: Floats


@dataclass(frozen=True, slots=True)
class Lives:
    """One entry a user, newcomers first.

    ``left`` is the moment after which a user orders no more, infinite where that lies beyond the log (``bg_nbd``) and
    unbounded in ``pareto_nbd``; ``gone_at_once`` is the probability that the injected drop ends the life at birth.
    """

    community: Ints
    channel: Ints
    habit: Ints
    taste: Ints
    band: Ints
    born: Floats
    purchase_rate: Floats
    dropout: Floats
    appetite: Floats
    gone_at_once: Floats
    dropped: Bools
    is_proxy: Bools
    is_service: Bools
    is_sleeping_dog: Bools
    left: Floats


@dataclass(frozen=True, slots=True)
class Events:
    """Moments at which users order, sorted by user, then time; ``seq`` counts a user's events of the source."""

    source: str
    user: Ints
    time: Floats
    seq: Ints
    kept: Bools


def make_communities(world: World) -> Communities:
    """Communities of different quality, evenly spread and in an order that the seed decides."""
    n = world.n_communities
    width = max(2, len(str(n)))
    names = tuple(f"C{number:0{width}d}" for number in range(1, n + 1))
    grid = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1)
    retention = world.retention + world.retention_spread * world.random("community.retention").permutation(grid)
    spend = 1.0 + world.spend_spread * world.random("community.spend").permutation(grid)
    levels, place = np.unique(retention.round(12), return_inverse=True)
    alpha = RetentionCurve.of(world).alphas(levels)[place]
    if world.drop_community is not None and world.drop_retention >= retention[world.drop_community]:
        raise ConfigError(
            f"drop_retention={world.drop_retention} is no drop: next-week retention in community "
            f"{names[world.drop_community]} is {retention[world.drop_community]:.3f}. Use a smaller drop_retention, "
            "another drop_community, or drop_community=None."
        )
    return Communities(names, retention, alpha, spend)


@dataclass(frozen=True, slots=True)
class RetentionCurve:
    """Next-week retention of newcomers by the gamma rate (alpha, in days) of their purchase rates.

    It is the probability that a newcomer orders in the week after the one of its first order. That order falls
    anywhere in its week; with ``a`` days left of it, and u = dropout, l = purchase rate,

    - ``pareto_nbd``: ``exp(-u a) * l / (l + u) * (1 - exp(-7 (l + u)))``;
    - ``bg_nbd``: ``exp(-l u a) * (1 - exp(-7 l))``, since purchases that end a life are a thinned Poisson process;

    averaged over a in (0, 7) in closed form and over users by Gauss-Legendre nodes on the quantiles.
    """

    life: str
    rate: Floats
    dropout: Floats
    weights: Floats

    @classmethod
    def of(cls, world: World) -> RetentionCurve:
        """The curve of a world."""
        nodes, weights = np.polynomial.legendre.leggauss(48)
        quantiles = (nodes + 1) / 2
        if world.life == "pareto_nbd":
            dropout = stats.gamma.ppf(quantiles, world.dropout_shape) / world.dropout_scale
        else:
            dropout = stats.beta.ppf(quantiles, world.dropout_a, world.dropout_b)
        rate = stats.gamma.ppf(quantiles, world.purchase_shape)
        return cls(world.life, np.maximum(rate, 1e-300)[:, None], np.maximum(dropout, 1e-300)[None, :], weights / 2)

    def at(self, alpha: float) -> float:
        """Retention at a gamma rate."""
        rate = self.rate / alpha
        if self.life == "pareto_nbd":
            hazard, chance = self.dropout, rate / (rate + self.dropout) * -np.expm1(-WEEK * (rate + self.dropout))
        else:
            hazard, chance = rate * self.dropout, -np.expm1(-WEEK * rate)
        stay = -np.expm1(-WEEK * hazard) / np.maximum(WEEK * hazard, 1e-300)
        return float(self.weights @ (stay * chance) @ self.weights)

    def alphas(self, levels: Floats) -> Floats:
        """The gamma rates at which retention reaches each of ``levels``."""
        logs = np.linspace(np.log(1e-3), np.log(1e6), 64)
        reached = np.array([self.at(alpha) for alpha in np.exp(logs)])
        # Beyond the best, more frequent purchases only end bg_nbd lives sooner: stay on the side of slower purchases.
        best = int(reached.argmax())
        out = levels[(levels >= reached[best]) | (levels <= reached[-1])]
        if len(out):
            raise ConfigError(
                f"retention={out[-1]:.3f} is out of reach: with these dropouts the next-week retention of newcomers "
                f"lies between {reached[-1]:.5f} and {reached[best]:.3f}. Use another retention (or a smaller "
                "retention_spread), or a slower dropout: a larger dropout_scale (pareto_nbd), a smaller dropout_a "
                "(bg_nbd)."
            )
        above = best + np.array([int(np.flatnonzero(reached[best:] > level)[-1]) for level in levels])
        roots = [
            optimize.brentq(lambda log, level=level: self.at(float(np.exp(log))) - level, logs[at], logs[at + 1])
            for level, at in zip(levels, above, strict=True)
        ]
        return np.exp(np.array(roots))


def make_lives(world: World, communities: Communities) -> Lives:
    """Draw every user's traits; ``left`` of a ``bg_nbd`` life is known only once its purchases are drawn."""
    n, new = world.n_born, world.n_newcomers
    number = np.arange(n)
    community = world.random("life.community").integers(0, world.n_communities, n)
    within = world.random("life.born").random(n)
    if world.newcomers_per_week is not None:
        community[:new] = number[:new] % world.n_communities
        week = number // world.n_communities % world.n_weeks
        born = (week + within) * WEEK
    else:
        born = within * world.n_days
    born[new:] = (within[new:] - 1.0) * world.n_days

    rate = world.random("life.purchase_rate").gamma(world.purchase_shape, size=n) / communities.alpha[community]
    if world.life == "pareto_nbd":
        dropout = world.random("life.dropout").gamma(world.dropout_shape, size=n) / world.dropout_scale
        dropout = np.maximum(dropout, 1e-12)
        left = born + world.random("life.length").exponential(size=n) / dropout
    else:
        dropout = world.random("life.dropout").beta(world.dropout_a, world.dropout_b, size=n)
        left = np.full(n, np.inf)

    gone = np.zeros(n)
    if world.drop_community is not None:
        week = np.floor(born / WEEK)
        hit = (community == world.drop_community) & (week >= world.first_drop_week) & (week < world.last_drop_week)
        gone[hit] = 1.0 - world.drop_retention / communities.retention[world.drop_community]
    dropped = world.random("life.drop").random(n) < gone
    return Lives(
        community=community,
        channel=world.random("life.channel").integers(0, len(CHANNELS), n),
        habit=world.random("life.habit").integers(0, len(HABITS), n),
        taste=world.random("life.taste").integers(0, N_TASTES, n),
        band=world.random("life.band").choice(len(BANDS), size=n, p=[0.4, 0.4, 0.2]),
        born=born,
        purchase_rate=rate,
        dropout=dropout,
        appetite=world.random("life.appetite").gamma(4.0, size=n) / 4.0,
        gone_at_once=gone,
        dropped=dropped,
        is_proxy=world.random("life.proxy").random(n) < world.proxy_share,
        is_service=world.random("life.service").random(n) < world.service_share,
        is_sleeping_dog=world.random("life.sleeping_dog").random(n) < world.sleeping_dogs,
        left=left,
    )


def base_events(world: World, lives: Lives) -> tuple[Events, Floats]:
    """The first order of each user and the purchases of its own process, and the moments at which lives end.

    Everything is drawn as if there were no injected drop; what the drop takes away is marked as not kept. So the
    drop can be switched on and off without a change to anybody else.
    """
    end = float(world.n_days)
    until = np.minimum(lives.left, end)
    repeats = world.random("base.count").poisson(lives.purchase_rate * (until - lives.born))
    counts = repeats + 1
    user = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    # One sort for all users: the integer part of the key is the user, its fraction the place in the life.
    key = user.astype(np.float64)
    is_repeat = np.ones(len(user), dtype=bool)
    is_repeat[first] = False
    key[is_repeat] += np.clip(world.random("base.place").random(int(repeats.sum())), 1e-8, 1.0 - 1e-8)
    key.sort()
    time = lives.born[user] + (key - user) * (until - lives.born)[user]
    time[first] = lives.born
    seq = np.arange(len(user)) - first[user]

    left = lives.left.copy()
    if world.life == "bg_nbd":
        last = world.random("base.last").geometric(np.clip(lives.dropout, 1e-12, 1.0))
        ended = last <= repeats
        left[ended] = time[(first + np.minimum(last, repeats))[ended]]
        alive = seq <= last[user]
    else:
        alive = np.ones(len(user), dtype=bool)
    left = np.where(lives.dropped, lives.born, left)
    kept = alive & ~(lives.dropped[user] & (seq > 0)) & (time >= 0)
    return Events("base", user, time, seq, kept), left


def proxy_events(world: World, lives: Lives, left: Floats) -> Events:
    """The further orders of proxy buyers: a process of its own, so that proxies can be switched off."""
    who = np.flatnonzero(lives.is_proxy)
    begin = lives.born[who]
    counts = world.random("proxy.count").poisson((PROXY_FACTOR - 1) * lives.purchase_rate[who] * (world.n_days - begin))
    user = np.repeat(who, counts)
    first = np.cumsum(counts) - counts
    place = np.repeat(np.arange(len(who)), counts)
    key = place + np.clip(world.random("proxy.place").random(len(user)), 1e-8, 1.0 - 1e-8)
    key.sort()
    time = lives.born[user] + (key - place) * (world.n_days - lives.born)[user]
    return Events("proxy", user, time, np.arange(len(user)) - first[place], (time < left[user]) & (time >= 0))


def seconds(time: Floats, habit: Ints) -> Ints:
    """Seconds since the start: within each day, time runs faster at the hours that a user's habit prefers.

    The map keeps days and the order within a day, so that a process on days is the process that was drawn.
    """
    day = np.floor(time)
    fraction = time - day
    clock = np.empty_like(fraction)
    for code, name in enumerate(HABITS):
        mine = habit == code
        clock[mine] = np.interp(fraction[mine], _BEFORE[name], _HOURS)
    return (day.astype(np.int64) * 86_400) + np.minimum((clock * 86_400).astype(np.int64), 86_399)
