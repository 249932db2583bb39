"""Baskets: the catalogue, who likes what, which items go together, and the lines of each order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from commlife.datasets.lives import BANDS, N_TASTES, Communities, Events, Lives
from commlife.datasets.world import World

__all__ = ["Catalogue", "Lines", "make_catalogue", "make_lines"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CATEGORIES = ("vegetables", "fruit", "meat", "seafood", "dairy", "grain", "snacks", "household")
#: Typical price of a category's item in cents, and cost as a share of the list price.
_PRICE = np.array([450, 900, 2_400, 3_600, 1_200, 1_800, 700, 1_500])
_COST = np.array([0.72, 0.70, 0.80, 0.78, 0.75, 0.82, 0.62, 0.65])
#: The service that some users book beside their groceries, at a hundred times the median price of an item.
SERVICE, SERVICE_FACTOR, SERVICE_COST, SERVICE_CHANCE = "housekeeping", 100, 0.9, 0.5
#: Items are cheap, middle or dear within their category; how much more a price band likes its own tier.
_TIERS, _OWN_TIER = 3, 4.0
_PROMOTED, _DEPTHS = 0.15, np.array([0.1, 0.2, 0.3])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items, their prices in cents, the tastes for them, the promotions of each week and the planted pairs.

    The last item is the service; it belongs to no taste. ``bait`` is the item of a bad week's acquisition.
    """

    names: tuple[str, ...]
    category: Ints
    price: Ints
    cost: Ints
    taste: Floats
    promotion: Floats
    pair: Ints
    bait: int

    @property
    def service(self) -> int:
        """Code of the service."""
        return len(self.names) - 1

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, the service last."""
        return (*CATEGORIES, SERVICE)


@dataclass(frozen=True, slots=True)
class Lines:
    """Order lines of events, sorted by event: money in cents for the whole line, before any coupon."""

    event: Ints
    item: Ints
    quantity: Ints
    listed: Ints
    amount: Ints
    cost: Ints


def make_catalogue(world: World) -> Catalogue:
    """Draw the catalogue; pairs go from an item of one category to a popular item of another one."""
    n_categories, per = len(CATEGORIES), world.n_items
    category = np.repeat(np.arange(n_categories), per)
    spread = np.exp(world.random("catalogue.price").normal(0.0, 0.25, len(category)))
    tier = np.tile(np.arange(per) % _TIERS, n_categories)
    price = np.maximum(10, (_PRICE[category] * spread * np.array([0.6, 1.0, 1.8])[tier] / 10).round() * 10)
    price = price.astype(np.int64)

    popular = np.tile(1.0 / (1.0 + np.arange(per) // _TIERS), n_categories)
    liking = world.random("catalogue.taste").dirichlet(np.full(n_categories, 0.7), N_TASTES) * 0.9 + 0.1 / n_categories
    own = np.where(tier[None, :] == np.arange(len(BANDS))[:, None], _OWN_TIER, 1.0)
    taste = liking[:, None, category] * (popular * own)[None, :, :]
    taste /= taste.sum(axis=2, keepdims=True)

    stream = world.random("catalogue.promotion")
    depth = _DEPTHS[stream.integers(0, len(_DEPTHS), (world.n_weeks, len(category)))]
    promotion = np.where(stream.random(depth.shape) < _PROMOTED, depth, 0.0)

    # Pair k goes from the category of place 2k to that of place 2k + 1 of a cycle, so that no item is in two pairs.
    cycle = world.random("catalogue.pair").permutation(n_categories)
    pair = np.full(len(category) + 1, -1)
    for k in range(world.n_pairs):
        round_, at = divmod(k, n_categories // 2)
        pair[cycle[2 * at] * per + round_] = cycle[2 * at + 1] * per + round_
    names = [f"{CATEGORIES[code]}-{number:02d}" for code in range(n_categories) for number in range(1, per + 1)]
    service_price = int(np.median(price)) * SERVICE_FACTOR
    price = np.append(price, service_price)
    cost_rate = np.append(_COST[category], SERVICE_COST)
    return Catalogue(
        names=(*names, f"{SERVICE}-01"),
        category=np.append(category, n_categories),
        price=price,
        cost=np.rint(price * cost_rate).astype(np.int64),
        taste=taste,
        promotion=np.hstack([promotion, np.zeros((world.n_weeks, 1))]),
        pair=pair,
        bait=per - 1,
    )


def make_lines(world: World, lives: Lives, communities: Communities, catalogue: Catalogue, events: Events) -> Lines:
    """The lines of every event of a source, kept or not: what is taken away later changes no other draw."""
    event, item, quantity = _chosen(world, lives, communities, catalogue, events)
    week = np.clip(np.floor(events.time / 7), 0, world.n_weeks - 1).astype(np.int64)
    if world.values == "gamma_gamma":
        listed = _gamma_gamma(world, lives, catalogue, events, event, item, quantity)
        amount = listed
        cost = np.rint(listed * (catalogue.cost[item] / catalogue.price[item])).astype(np.int64)
    else:
        listed = catalogue.price[item] * quantity
        # Prices are multiples of ten cents and promotions of ten per cent: every amount is a whole cent.
        amount = np.rint(listed * (1.0 - catalogue.promotion[week[event], item])).astype(np.int64)
        cost = catalogue.cost[item] * quantity
    return Lines(event, item, quantity, listed, amount, cost)


def _chosen(
    world: World, lives: Lives, communities: Communities, catalogue: Catalogue, events: Events
) -> tuple[Ints, Ints, Ints]:
    """Event, item and quantity of each line; an item stands once in a basket."""
    mean = (world.lines_per_order - 1.0) * communities.spend[lives.community] * lives.appetite
    n_lines = 1 + world.random(f"{events.source}.lines").poisson(mean[events.user])
    event = np.repeat(np.arange(len(events.user)), n_lines)
    user = events.user[event]
    group = lives.taste[user] * len(BANDS) + lives.band[user]
    shares = catalogue.taste.reshape(-1, catalogue.taste.shape[2])
    steps = (np.cumsum(shares, axis=1) + np.arange(len(shares))[:, None]).ravel()
    drawn = np.searchsorted(steps, group + world.random(f"{events.source}.item").random(len(event)), side="right")
    item = np.clip(drawn - group * shares.shape[1], 0, shares.shape[1] - 1)
    quantity = 1 + world.random(f"{events.source}.quantity").poisson(0.4, len(event))

    if world.bait and events.source == "base":
        first_line = np.searchsorted(event, np.flatnonzero((events.seq == 0) & lives.dropped[events.user]))
        item[first_line] = catalogue.bait

    partner = catalogue.pair[item]
    takes = (world.random(f"{events.source}.pair").random(len(event)) < world.pair_probability) & (partner >= 0)
    books = lives.is_service[events.user] & (
        world.random(f"{events.source}.service").random(len(events.user)) < SERVICE_CHANCE
    )
    served = np.flatnonzero(books)
    event = np.concatenate([event, event[takes], served])
    item = np.concatenate([item, partner[takes], np.full(len(served), catalogue.service)])
    quantity = np.concatenate([quantity, np.ones(len(event) - len(quantity), dtype=np.int64)])
    _, first = np.unique(event * len(catalogue.names) + item, return_index=True)
    return event[first], item[first], quantity[first]


def _gamma_gamma(
    world: World, lives: Lives, catalogue: Catalogue, events: Events, event: Ints, item: Ints, quantity: Ints
) -> Ints:
    """Spread order values of the gamma-gamma model (Fader & Hardie 2013) over the lines; services keep their price."""
    nu = world.random("value.nu").gamma(world.value_q, size=len(lives.born)) / world.value_gamma
    value = world.random(f"{events.source}.value").gamma(world.value_p, size=len(events.user)) / nu[events.user]
    service = item == catalogue.service
    weight = np.where(service, 0, catalogue.price[item] * quantity)
    total = np.bincount(event, weights=weight, minlength=len(events.user))
    shared = np.maximum(1, np.rint(value[event] * 100 * weight / np.maximum(total[event], 1)))
    return np.where(service, catalogue.price[item], shared).astype(np.int64)
