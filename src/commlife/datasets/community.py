"""Community: a synthetic world with known truth, to test what an analysis recovers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from commlife.datasets.baskets import Catalogue, make_catalogue, make_lines
from commlife.datasets.campaigns import Campaign, run_campaigns
from commlife.datasets.ledger import Ledger, coupon_names, names_of, write_ledger
from commlife.datasets.lives import (
    BANDS,
    CHANNELS,
    HABITS,
    PROXY_FACTOR,
    Communities,
    Events,
    Lives,
    base_events,
    make_communities,
    make_lives,
    proxy_events,
    seconds,
)
from commlife.datasets.world import WEEK, World, WorldSettings
from commlife.errors import ConfigError
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["Community", "Drop", "Truth", "make_community"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drop:
    """The injected fall of next-week retention.

    Attributes:
        community: Name of the community.
        first_day: Monday (or other first day of a week of the world) from which newcomers stay less.
        until: First day after the drop.
        retention_before: Next-week retention of newcomers of the community before, a probability.
        retention_during: The same while the drop lasts.
        bait: The item that those who leave at once had in their first basket, None without a bait.
    """

    community: str
    first_day: str
    until: str
    retention_before: float
    retention_during: float
    bait: str | None


@dataclass(frozen=True)
class Truth:
    """What is true of a synthetic community, and what no shop ever knows.

    Attributes:
        users: A row a user, sorted by user_id: ``user_id, community, channel, habit, taste, price_band, born_at``
            (moment of the first order), ``left_at`` (moment after which the user never orders again, null if that lies
            after the log), ``alive`` (at the end of the log), ``purchase_rate`` (expected orders a day while alive,
            proxy orders included), ``dropout_rate`` (a day; ``pareto_nbd``) or ``dropout_probability`` (after each
            repeat purchase; ``bg_nbd``), ``appetite`` (factor on the number of lines), ``is_existing`` (born before
            the log), ``is_proxy``, ``is_service``, ``is_sleeping_dog``, ``hit_by_drop``.
        communities: A row a community: ``community, retention`` (next-week retention of its newcomers without the
            drop), ``spend_factor`` (on the number of further lines of an order), ``purchase_alpha`` (the gamma rate of
            purchase rates, in days).
        items: A row an item: ``item_id, category, price, cost`` in major units.
        pairs: A row a planted pair: ``antecedent, consequent, probability`` that a basket with the one is given the
            other too.
        coupons: A row an eligible user and campaign: ``campaign, user_id, issued_on, expires_on`` (first day on which
            it is void), ``coupon_id`` (null in the control group), ``propensity`` (probability of a coupon),
            ``baseline_orders`` (orders within the window without a coupon in this world), ``redeemed_order_id``
            (null where not redeemed), and for each coupon ``effect_<coupon_id>`` (expected further orders within the
            window, given the user's true life) and ``orders_<coupon_id>`` (orders within the window with that coupon
            in this world). Splits, repeats and refunds are no further orders here.
        orders: A row an order number of the frame: ``order_id, user_id, source`` (base, proxy, trial, targeted: which
            process made it), ``kind`` (order, split, repeat, refund), ``origin_order_id``.
        parameters: Parameters of the purchase process in days: ``purchase_shape`` and ``dropout_shape``,
            ``dropout_scale`` (gammas; Pareto/NBD's r, s, beta; alpha is in ``communities``) or ``dropout_a``,
            ``dropout_b`` (betas; BG/NBD's a, b); ``value_p, value_q, value_gamma`` where order values are gamma-gamma.
        drop: The injected fall of retention, None if there is none.
    """

    users: pd.DataFrame
    communities: pd.DataFrame
    items: pd.DataFrame
    pairs: pd.DataFrame
    coupons: pd.DataFrame
    orders: pd.DataFrame
    parameters: dict[str, float]
    drop: Drop | None
    _world: World = field(repr=False)
    _lives: Lives = field(repr=False)
    _left: Floats = field(repr=False)
    _sources: tuple[Events, ...] = field(repr=False)

    def __repr__(self) -> str:
        return f"Truth(users={len(self.users):,}, life={self._world.life!r}, drop={self.drop})"

    def silence(
        self, as_of: Timestamp, horizon: str = "28D", *, given: Literal["life", "rates"] = "rates"
    ) -> pd.DataFrame:
        """The true probability that a user orders nothing within ``horizon`` from ``as_of`` on.

        Args:
            as_of: A local business day within the log, or the day at which it ends.
            horizon: Length of the silence.
            given: ``"rates"``: to somebody who knows the user's own rates and the orders before ``as_of``, but not
                whether the user has left; no model can do better. ``"life"``: to somebody who knows that too, so that
                it is 1 for those who have left.

        Returns:
            A frame with ``user_id`` and ``p_silent`` for the users born before ``as_of``. Coupons that are issued
            within the horizon are left out of account, as is what somebody learns from a coupon that won no order.

        Raises:
            ConfigError: If ``as_of`` lies outside the log or ``given`` is unknown.

        Examples:
            >>> truth = make_community(n_users=100, seed=1).truth
            >>> truth.silence("2025-06-02", "28D").columns.tolist()
            ['user_id', 'p_silent']
        """
        if given not in ("life", "rates"):
            raise ConfigError.unknown_name("given", given, ("life", "rates"))
        day = day_number(as_of) - self._world.first_day
        if not 0 <= day <= self._world.n_days:
            raise ConfigError(
                f"as_of={as_of!s:.40} lies outside the log, {self._world.start} to {self._world.as_of}."
                " Use a day within."
            )
        days = Duration(horizon).days
        born = np.flatnonzero(self._lives.born < day)
        rate = self._lives.purchase_rate * np.where(self._lives.is_proxy, PROXY_FACTOR, 1)
        buys = -np.expm1(-rate * days)
        if self._world.life == "pareto_nbd":
            both = rate + self._lives.dropout
            buys = rate / both * -np.expm1(-both * days)
        alive = (self._left >= day) if given == "life" else self._alive(day, rate)
        return pd.DataFrame({"user_id": born + 1, "p_silent": (1.0 - alive * buys)[born]})

    def _alive(self, day: int, rate: Floats) -> Floats:
        """Probability of being alive given own rates and the orders before ``day`` (Bayes; before the log as well)."""
        n = len(rate)
        last, own = np.full(n, -np.inf), np.full(n, -np.inf)
        n_orders = np.zeros(n, dtype=np.int64)
        for events in self._sources:
            # Orders before the log are part of a life, if the process made them.
            seen = (events.kept | (events.time < 0) & (events.time <= self._left[events.user])) & (events.time < day)
            who = events.user[seen]
            np.maximum.at(last, who, events.time[seen])
            n_orders += np.bincount(who, minlength=n)
            if events.source == "base":
                np.maximum.at(own, who, events.time[seen])
        away = np.where(np.isfinite(last), day - last, 0.0)
        if self._world.life == "pareto_nbd":
            both = rate + self._lives.dropout
            quiet = np.exp(-both * away)
            gone = self._lives.dropout / both * (1.0 - quiet)
        else:
            # A life can only have ended at its own last repeat purchase: whatever came later proves that it had not.
            ends = np.where((n_orders > 1) & (own >= last), self._lives.dropout, 0.0)
            quiet = (1.0 - ends) * np.exp(-rate * away)
            gone = ends
        at_once = np.where(n_orders <= 1, self._lives.gone_at_once, 0.0)
        quiet = (1.0 - at_once) * quiet
        gone = at_once + (1.0 - at_once) * gone
        return quiet / np.maximum(quiet + gone, 1e-300)


@dataclass(frozen=True)
class Community:
    """A synthetic community.

    Attributes:
        frame: The shop's export, a row an order line, sorted by time, with the canonical column names: ``user_id,
            order_id, ordered_at`` (naive local time), ``amount, quantity, cost, list_amount, discount`` (major units,
            for the whole line; ``discount = list_amount - amount``, promotion and coupon together), ``item_id,
            category, community, channel, coupon_id, address_id``.
        truth: What is true of it: :class:`Truth`.
        world: The settings that made it: :class:`World`.
    """

    frame: pd.DataFrame
    truth: Truth
    world: World

    def __repr__(self) -> str:
        return (
            f"Community({len(self.frame):,} lines, {self.world.n_born:,} users, {self.world.start} to {self.as_of}, "
            f"seed={self.world.seed})"
        )

    @property
    def as_of(self) -> str:
        """The day at whose midnight the log ends: the natural ``as_of``."""
        return self.world.as_of

    @cached_property
    def log(self) -> OrderLog:
        """The frame as an :class:`~commlife.orders.OrderLog` in the time zone of Shanghai, made once."""
        from commlife.orders import OrderLog

        names: dict[str, Any] = {name: name for name in self.frame.columns}
        return OrderLog.from_frame(
            self.frame,
            **names,
            timezone="Asia/Shanghai",
            observed_from=self.world.start,
        )

    def trial(self, campaign: str = "trial") -> pd.DataFrame:
        """A campaign's users as one tidy frame, as a shop that keeps its log of issues has it.

        Args:
            campaign: ``"trial"`` (dealt by chance) or ``"targeted"`` (chosen), if the world has it.

        Returns:
            A frame with a row an eligible user: ``user_id, arm`` (the coupon, or ``"none"``), ``community``,
            ``issued_on``, ``expires_on`` and ``propensity`` (of a coupon of any face value). The truth stays apart.

        Raises:
            ConfigError: If the world has no such campaign.

        Examples:
            >>> make_community(n_users=200, seed=1).trial().columns.tolist()
            ['user_id', 'arm', 'community', 'issued_on', 'expires_on', 'propensity']
        """
        coupons = self.truth.coupons
        rows = coupons[coupons["campaign"] == campaign].reset_index(drop=True)
        if not len(rows):
            raise ConfigError.unknown_name("campaign", campaign, [str(name) for name in coupons["campaign"].unique()])
        homes = self.truth.users.set_index("user_id")["community"]
        return pd.DataFrame(
            {
                "user_id": rows["user_id"],
                "arm": rows["coupon_id"].astype(object).where(rows["coupon_id"].notna(), "none").astype(str),
                "community": homes.reindex(rows["user_id"]).to_numpy(),
                "issued_on": rows["issued_on"],
                "expires_on": rows["expires_on"],
                "propensity": rows["propensity"],
            }
        )


def make_community(n_users: int | None = None, seed: int = 0, **settings: Unpack[WorldSettings]) -> Community:
    """Make a synthetic community with known truth.

    Users are born (place their first order) evenly over the log and live by the chosen process. Each aspect of the
    world draws from a random stream of its own: switching one off (``refunds=0``, ``trial_share=0``,
    ``proxy_share=0``, ``drop_community=None``, ...) leaves all the rest as it was, and a smaller world holds the first
    users of a larger one. Weekdays are alike (so that the purchase process is the papers' on days), hours are not.
    A thousand users are some 20,000 lines; a million users take about 45 seconds and 9 GB.

    Args:
        n_users: Number of users born within the log; None: 1,000, or as ``newcomers_per_week`` says.
        seed: Decides every draw.
        **settings: All others, by name.

            Size and time: ``n_communities`` (8), ``n_weeks`` (26), ``start`` ("2024-12-30", a Monday),
            ``newcomers_per_week`` (None; exactly that many newcomers in each week and community, instead of
            ``n_users``), ``existing_share`` (0; further users, as a share of the newcomers, whose life began up to
            ``n_weeks`` before the log).

            Lives: ``life`` ("pareto_nbd" or "bg_nbd"), ``purchase_shape`` (1.2; of the gamma distribution of purchase
            rates, whose rate follows from ``retention``), ``dropout_shape`` (0.9) and ``dropout_scale`` (60 days) of
            the gamma distribution of dropout rates, or ``dropout_a`` (0.8) and ``dropout_b`` (2.4) of the beta
            distribution of dropout probabilities; ``retention`` (0.40; probability that a newcomer orders in the week
            after its first) and ``retention_spread`` (0.06; communities lie evenly between retention - spread and
            retention + spread), ``spend_spread`` (0.3; the same for the number of further lines in an order).

            Drop: ``drop_community`` (0; index of the community, None for no drop), ``drop_week`` (week from which its
            newcomers stay less; None: three quarters of the way), ``drop_weeks`` (how long; None: to the end),
            ``drop_retention`` (0.25), ``bait`` (False; True: those who leave at once had one same item in their first
            basket). Some newcomers leave at once then; the others live as ever.

            Baskets: ``n_items`` (12 for each of 8 categories), ``n_pairs`` (4 planted pairs), ``pair_probability``
            (0.6), ``lines_per_order`` (3.0 before pairs), ``values`` ("basket": prices times quantities;
            "gamma_gamma": order values follow the gamma-gamma model with ``value_p`` 6.25, ``value_q`` 3.74,
            ``value_gamma`` 15.44; exact only without coupons, refunds, splits, repeats and services).

            Coupons: ``trial_share`` (0.5; share of the eligible who get a coupon in a randomised trial, 0 for none),
            ``trial_week`` (None: two thirds of the way), ``targeted`` (False; True: a campaign that prefers those who
            were away for long, so that a comparison of users with and without is confounded), ``targeted_week`` (None:
            a third of the way), ``coupon_faces`` ((5.0,); several faces are several arms), ``coupon_threshold``
            (20.0), ``coupon_days`` (14), ``coupon_effect`` (0.4; the largest coupon's further orders of a middle
            user before the answers of price band and habit), ``sleeping_dogs`` (0.05; share of users whom a coupon
            keeps from every second order).

            Trouble: ``proxy_share`` (0.005; one account that orders five times as often for up to twenty addresses),
            ``service_share`` (0.01; users who book a service at a hundred times an item's price with every second
            order), ``refunds`` (0.03 of orders: half as negative lines of the order, half as later orders of their
            own), ``splits`` (0.02 of orders end up as two, minutes apart), ``repeats`` (0.01 are placed twice).

    Returns:
        The :class:`Community` with ``frame``, ``truth``, ``log`` and ``as_of``.

    Raises:
        ConfigError: If a setting is unknown or out of range; all faults are told at once.

    Examples:
        >>> community = make_community(n_users=200, seed=1)
        >>> community.as_of
        '2025-06-30'
        >>> community.truth.drop.community, community.truth.drop.first_day
        ('C01', '2025-05-12')
    """
    world = World(n_users=n_users, seed=seed, **settings)
    communities = make_communities(world)
    catalogue = make_catalogue(world)
    lives = make_lives(world, communities)
    base, left = base_events(world, lives)
    sources, campaigns = run_campaigns(world, lives, left, [base, proxy_events(world, lives, left)])
    drawn = [(events, make_lines(world, lives, communities, catalogue, events)) for events in sources]
    ledger = write_ledger(world, lives, communities, catalogue, drawn, campaigns)
    truth = Truth(
        users=_users(world, lives, communities, left),
        communities=pd.DataFrame(
            {
                "community": list(communities.names),
                "retention": communities.retention,
                "spend_factor": communities.spend,
                "purchase_alpha": communities.alpha,
            }
        ),
        items=pd.DataFrame(
            {
                "item_id": list(catalogue.names),
                "category": names_of(catalogue.categories, catalogue.category),
                "price": catalogue.price / 100,
                "cost": catalogue.cost / 100,
            }
        ),
        pairs=_pairs(world, catalogue),
        coupons=_coupons(world, campaigns, ledger),
        orders=ledger.orders,
        parameters=_parameters(world),
        drop=_drop(world, communities, catalogue),
        _world=world,
        _lives=lives,
        _left=left,
        _sources=tuple(sources),
    )
    return Community(ledger.frame, truth, world)


def _moments(world: World, lives: Lives, time: Floats) -> npt.NDArray[np.datetime64]:
    """Times of a life on the same clock as its orders, null where they lie beyond the log."""
    inside = time < world.n_days
    clock = seconds(np.where(inside, time, 0.0), lives.habit).astype("timedelta64[s]").astype("timedelta64[us]")
    return np.where(inside, np.datetime64(world.start, "us") + clock, np.datetime64("NaT", "us"))


def _users(world: World, lives: Lives, communities: Communities, left: Floats) -> pd.DataFrame:
    dropout = "dropout_rate" if world.life == "pareto_nbd" else "dropout_probability"
    return pd.DataFrame(
        {
            "user_id": np.arange(1, world.n_born + 1),
            "community": names_of(communities.names, lives.community),
            "channel": names_of(CHANNELS, lives.channel),
            "habit": names_of(HABITS, lives.habit),
            "taste": lives.taste,
            "price_band": names_of(BANDS, lives.band),
            "born_at": _moments(world, lives, lives.born),
            "left_at": _moments(world, lives, left),
            "alive": left >= world.n_days,
            "purchase_rate": lives.purchase_rate * np.where(lives.is_proxy, PROXY_FACTOR, 1),
            dropout: lives.dropout,
            "appetite": lives.appetite,
            "is_existing": np.arange(world.n_born) >= world.n_newcomers,
            "is_proxy": lives.is_proxy,
            "is_service": lives.is_service,
            "is_sleeping_dog": lives.is_sleeping_dog,
            "hit_by_drop": lives.dropped,
        }
    )


def _pairs(world: World, catalogue: Catalogue) -> pd.DataFrame:
    codes = np.flatnonzero(catalogue.pair >= 0)
    return pd.DataFrame(
        {
            "antecedent": names_of(catalogue.names, codes),
            "consequent": names_of(catalogue.names, catalogue.pair[codes]),
            "probability": np.full(len(codes), world.pair_probability),
        }
    )


def _coupons(world: World, campaigns: list[Campaign], ledger: Ledger) -> pd.DataFrame:
    faces = len(world.coupon_faces)
    names = coupon_names(world, campaigns)
    columns = ["campaign", "user_id", "issued_on", "expires_on", "coupon_id", "propensity", "baseline_orders"]
    parts = [pd.DataFrame(columns=[*columns, "redeemed_order_id"])]
    for index, campaign in enumerate(campaigns):
        mine = names[index * faces : (index + 1) * faces]
        order = ledger.redeemed[campaign.name]
        issued = np.datetime64(day_text(world.first_day + campaign.day), "us")
        part = pd.DataFrame({"campaign": [campaign.name] * len(campaign.user), "user_id": campaign.user + 1})
        part["issued_on"] = issued
        part["expires_on"] = issued + np.timedelta64(world.coupon_days, "D")
        part["coupon_id"] = names_of(mine, campaign.arm)
        part["propensity"] = campaign.propensity
        part["baseline_orders"] = campaign.baseline
        part["redeemed_order_id"] = pd.arrays.IntegerArray(order, order < 0)
        for column, name in enumerate(mine):
            part[f"effect_{name}"] = campaign.effects[:, column]
            part[f"orders_{name}"] = campaign.treated[:, column]
        parts.append(part)
    return parts[0] if len(parts) == 1 else pd.concat(parts[1:], ignore_index=True)


def _parameters(world: World) -> dict[str, float]:
    names = ["purchase_shape"]
    names += ["dropout_shape", "dropout_scale"] if world.life == "pareto_nbd" else ["dropout_a", "dropout_b"]
    names += ["value_p", "value_q", "value_gamma"] if world.values == "gamma_gamma" else []
    return {name: float(getattr(world, name)) for name in names}


def _drop(world: World, communities: Communities, catalogue: Catalogue) -> Drop | None:
    if world.drop_community is None:
        return None
    return Drop(
        community=communities.names[world.drop_community],
        first_day=day_text(world.first_day + world.first_drop_week * WEEK),
        until=day_text(world.first_day + world.last_drop_week * WEEK),
        retention_before=float(communities.retention[world.drop_community]),
        retention_during=world.drop_retention,
        bait=catalogue.names[catalogue.bait] if world.bait else None,
    )
