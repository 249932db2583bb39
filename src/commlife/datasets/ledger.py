"""Ledger: events and their lines become the export of a shop, with coupons, splits, repeats and refunds in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from commlife.datasets.baskets import Catalogue, Lines
from commlife.datasets.campaigns import Campaign
from commlife.datasets.lives import CHANNELS, PROXY_ADDRESSES, Communities, Events, Lives, seconds
from commlife.datasets.world import World

__all__ = ["Ledger", "names_of", "write_ledger"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: What an order is; its number says it too: user * 10**7 + (source * 4 + kind) * 10**5 + count.
KINDS = ("order", "split", "repeat", "refund")
SOURCES = ("base", "proxy", "targeted", "trial")
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Ledger:
    """The frame, its orders with what each one is, and who redeemed which campaign's coupon (place, order number)."""

    frame: pd.DataFrame
    orders: pd.DataFrame
    redeemed: dict[str, Ints]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Lines of the export before they are sorted: event, position of the line, kind, moment, coupon, money."""

    event: Ints
    line: Ints
    kind: Small
    moment: Ints
    coupon: Ints
    discount: Ints
    sign: Small


def names_of(names: tuple[str, ...], codes: Ints) -> pd.Series:
    """Names by code; the code -1 is a null."""
    return pd.Series(pd.Series(list(names)).array.take(codes, allow_fill=True))


def coupon_names(world: World, campaigns: list[Campaign]) -> tuple[str, ...]:
    """One name for each campaign and face value, in the order of the codes."""
    return tuple(f"{campaign.name}-{face:g}" for campaign in campaigns for face in world.coupon_faces)


def write_ledger(
    world: World,
    lives: Lives,
    communities: Communities,
    catalogue: Catalogue,
    drawn: list[tuple[Events, Lines]],
    campaigns: list[Campaign],
) -> Ledger:
    """Put all sources together, use the coupons, split, repeat and refund, and sort by time."""
    events, source, lines, luck = _together(world, drawn)
    moment = seconds(events.time, lives.habit[events.user])
    coupon, discount, redeemed = _redeem(world, campaigns, events, lines)
    rows = _rows(world, lines, moment, coupon, discount, luck)

    user = events.user[rows.event]
    number = user + 1
    code = source[rows.event] * len(KINDS) + rows.kind
    order_id = number * 10**7 + code * 10**5 + events.seq[rows.event]
    order = np.argsort(rows.moment, kind="stable")  # at one moment: source, user, order, line, as they were drawn
    frame = _frame(
        world, lives, communities, catalogue, lines, rows, order, user, order_id, coupon_names(world, campaigns)
    )
    place = np.where(lives.is_proxy[events.user], np.floor(luck["address"] * PROXY_ADDRESSES), 0).astype(np.int64)
    frame["address_id"] = (number * 100 + place[rows.event])[order]

    unique, first = np.unique(order_id, return_index=True)
    kind = rows.kind[first].astype(np.int64)
    what = pd.DataFrame(
        {
            "order_id": unique,
            "user_id": number[first],
            "source": names_of(SOURCES, source[rows.event[first]]),
            "kind": names_of(KINDS, kind),
            "origin_order_id": unique - kind * 10**5,
        }
    )
    numbers = (events.user + 1) * 10**7 + source * len(KINDS) * 10**5 + events.seq
    return Ledger(frame, what, {name: np.where(at >= 0, numbers[at], -1) for name, at in redeemed.items()})


def _together(world: World, drawn: list[tuple[Events, Lines]]) -> tuple[Events, Ints, Lines, dict[str, Floats]]:
    """All sources as one, only what was kept; the luck of an event is drawn for all, kept or not."""
    aspects = ("split", "repeat", "refund", "delay", "gap", "address")
    parts: dict[str, list[Floats]] = {aspect: [] for aspect in aspects}
    all_events, all_lines, sources, count = [], [], [], 0
    for events, lines in drawn:
        kept = np.flatnonzero(events.kept)
        for aspect in aspects:
            parts[aspect].append(world.random(f"{events.source}.{aspect}").random(len(events.user))[kept])
        new = np.full(len(events.user), -1)
        new[kept] = np.arange(len(kept)) + count
        stays = events.kept[lines.event]
        all_lines.append([new[lines.event[stays]]] + [getattr(lines, name)[stays] for name in _LINE_FIELDS])
        all_events.append((events.user[kept], events.time[kept], events.seq[kept]))
        sources.append(np.full(len(kept), SOURCES.index(events.source)))
        count += len(kept)
    user, time, seq = (np.concatenate(column) for column in zip(*all_events, strict=True))
    lines = Lines(*(np.concatenate(column) for column in zip(*all_lines, strict=True)))
    luck = {aspect: np.concatenate(part) for aspect, part in parts.items()}
    return Events("all", user, time, seq, np.ones(count, dtype=bool)), np.concatenate(sources), lines, luck


_LINE_FIELDS = ("item", "quantity", "listed", "amount", "cost")


def _redeem(
    world: World, campaigns: list[Campaign], events: Events, lines: Lines
) -> tuple[Ints, Ints, dict[str, Ints]]:
    """Coupon of each event (-1: none), discount of each line, and each issued coupon's event (-1: not redeemed).

    A coupon is used on the first order of its window that reaches the threshold, whether or not the coupon won it:
    what those who would have bought anyway redeem is cost.
    """
    total = np.bincount(lines.event, weights=lines.amount, minlength=len(events.user)).astype(np.int64)
    enough = (total >= round(world.coupon_threshold * 100)) & (total > round(world.coupon_faces[-1] * 100))
    coupon = np.full(len(events.user), -1)
    faces = np.rint(np.array(world.coupon_faces) * 100).astype(np.int64)
    redeemed = {}
    for index, campaign in enumerate(campaigns):
        arm = np.full(int(events.user.max(initial=0)) + 1, -1)
        known = campaign.user < len(arm)
        arm[campaign.user[known]] = campaign.arm[known]
        inside = (events.time >= campaign.day) & (events.time < campaign.day + world.coupon_days)
        open_ = np.flatnonzero(inside & enough & (coupon < 0) & (arm[events.user] >= 0))
        open_ = open_[np.lexsort((events.time[open_], events.user[open_]))]
        who, first = np.unique(events.user[open_], return_index=True)
        used = open_[first]
        coupon[used] = index * len(faces) + arm[who]
        at = np.full(len(arm), -1)
        at[who] = used
        redeemed[campaign.name] = np.where(known, at[np.where(known, campaign.user, 0)], -1)
    face = np.where(coupon >= 0, faces[coupon % len(faces)], 0)
    return coupon, _spread(face, lines, total), redeemed


def _spread(face: Ints, lines: Lines, total: Ints) -> Ints:
    """Shares of each event's discount by amount, whole cents that sum exactly: differences of running sums."""
    starts = np.searchsorted(lines.event, lines.event)
    running: Ints = np.cumsum(lines.amount)
    before = running[starts] - lines.amount[starts]
    upto, whole = running - before, np.maximum(total[lines.event], 1)
    shares = face[lines.event] * upto // whole - face[lines.event] * (upto - lines.amount) // whole
    return shares.astype(np.int64)


def _rows(world: World, lines: Lines, moment: Ints, coupon: Ints, discount: Ints, luck: dict[str, Floats]) -> _Rows:
    """Each line once, and once more where it was repeated or refunded."""
    event, line = lines.event, np.arange(len(lines.event))
    position = line - np.searchsorted(event, event)
    several = np.bincount(event, minlength=len(moment)) >= 2
    end_of_day = (moment // _DAY) * _DAY + _DAY - 1
    soon = np.minimum(moment + 60 + (luck["gap"] * 540).astype(np.int64), end_of_day)

    split = several & (luck["split"] < world.splits)
    away = split[event] & (position % 2 == 1)
    bought = _Rows(
        event,
        line,
        np.where(away, np.int8(1), np.int8(0)),
        np.where(away, soon[event], moment[event]),
        coupon[event],
        discount,
        np.ones(len(event), dtype=np.int8),
    )
    repeat = (luck["repeat"] < world.repeats)[event]
    again = _Rows(*_like(bought, repeat, kind=2, moment=soon, plain=True, sign=1))

    # Half of the refunds are negative lines in the order itself (which keeps another line), half are further orders.
    within = several & ~split & (luck["refund"] < world.refunds / 2)
    later = ~within & (luck["refund"] >= world.refunds / 2) & (luck["refund"] < world.refunds)
    back_soon = moment + 3_600 + (luck["delay"] * _DAY).astype(np.int64)
    back_late = moment + _DAY + (luck["delay"] * 7 * _DAY).astype(np.int64)
    end, top = world.n_days * _DAY, position == 0
    in_order = _Rows(*_like(bought, (within & (back_soon < end))[event] & top, kind=0, moment=back_soon, sign=-1))
    alone = _Rows(*_like(bought, (later & (back_late < end))[event] & top, kind=3, moment=back_late, sign=-1))
    parts = (bought, again, in_order, alone)
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Rows.__slots__))


def _like(
    rows: _Rows, where: Bools, *, kind: int, moment: Ints, sign: int, plain: bool = False
) -> tuple[Ints, Ints, Small, Ints, Ints, Ints, Small]:
    """The lines ``where`` once more, as another kind; a repeat is paid in full, a refund gives back what was paid."""
    event = rows.event[where]
    discount = np.zeros(len(event), dtype=np.int64) if plain else rows.discount[where]
    same = np.ones(len(event), dtype=np.int8)
    return (
        event,
        rows.line[where],
        same * np.int8(kind),
        moment[event],
        np.full(len(event), -1),
        discount,
        same * np.int8(sign),
    )


def _frame(
    world: World,
    lives: Lives,
    communities: Communities,
    catalogue: Catalogue,
    lines: Lines,
    rows: _Rows,
    order: Ints,
    user: Ints,
    order_id: Ints,
    coupons: tuple[str, ...],
) -> pd.DataFrame:
    line, sign = rows.line[order], rows.sign[order]
    who, item = user[order], lines.item[line]
    paid = (lines.amount[line] - rows.discount[order]) * sign
    listed = lines.listed[line] * sign
    start = np.datetime64(world.start, "us")
    return pd.DataFrame(
        {
            "user_id": who + 1,
            "order_id": order_id[order],
            "ordered_at": start + rows.moment[order].astype("timedelta64[s]").astype("timedelta64[us]"),
            "amount": paid / 100,
            "quantity": lines.quantity[line] * sign,
            "cost": lines.cost[line] * sign / 100,
            "list_amount": listed / 100,
            "discount": (listed - paid) / 100,
            "item_id": names_of(catalogue.names, item),
            "category": names_of(catalogue.categories, catalogue.category[item]),
            "community": names_of(communities.names, lives.community[who]),
            "channel": names_of(CHANNELS, lives.channel[who]),
            "coupon_id": names_of(coupons or ("",), rows.coupon[order]),
        },
        copy=False,
    )
