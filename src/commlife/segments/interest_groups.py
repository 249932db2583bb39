"""Interest groups: chat groups within a community, of people who buy alike, none larger than a cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife._text.notebook import Shown
from commlife.errors import ConfigError, InsufficientDataError
from commlife.features.tastes import ordered_categories
from commlife.features.users import own_attributes
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["InterestGroups", "interest_groups"]

#: Tastes of a community that are looked at: its most bought categories (or items).
_KINDS = 64
#: Share of a community's users who buy a category, at least, if it is to tell tastes apart.
_COMMON = 0.05
#: Orders of the community by which a user's few orders are pulled towards its mean.
_PRIOR = 2.0
#: Rounds in which a group that is cut in two is dealt again between its halves.
_ROUNDS = 12


@dataclass(frozen=True)
class InterestGroups(Shown):
    """Groups of people who buy alike.

    Attributes:
        users: A row a payer, in the input's own kind of frame (pandas for lazy ones): ``user_id, community`` (where
            the log has it), ``group`` (null: in none), ``fit`` (cosine between the user's taste and that of her
            group; null in none).
        table: A row a group: ``group, community, users, theme`` (what they buy in most excess over their community),
            ``theme_share`` and ``theme_base`` (share of orders with the first of the theme, in the group and in its
            community), ``cohesion`` (mean cosine between the tastes of two members), ``random_cohesion`` (that of
            random groups of this size from the same community), ``p_value`` (how often a random group is as alike;
            1 where a community is one group).
        level: ``"category"`` or ``"item_id"``.
        as_of: The day of the groups.
    """

    users: Any
    table: pd.DataFrame
    level: str
    as_of: str

    def to_frame(self) -> pd.DataFrame:
        """The table of groups."""
        return self.table.copy()

    def __repr__(self) -> str:
        held = int(self.table["users"].sum())
        random = round(self.table["random_cohesion"].mean(), 2) + 0.0  # no -0.00
        told = f"{self.table['cohesion'].mean():.2f} against {random:.2f} at random"
        return f"InterestGroups({len(self.table):,} groups of {held:,} users at {self.as_of}, cohesion {told})"


def interest_groups(
    log: OrderLog,
    *,
    as_of: Timestamp,
    max_size: int = 50,
    min_size: int = 5,
    min_orders: int = 3,
    lookback: str | None = None,
    level: str = "category",
    permutations: int = 200,
    seed: int = 0,
) -> InterestGroups:
    """Divide each community into chat groups of people who buy alike.

    The taste of a user is the share of her orders with each category, pulled a little towards her community's, less
    that base, over its square root (the scaling of correspondence analysis, Greenacre 1984), at length 1. A community
    that is larger than ``max_size`` is cut in two along the direction in which tastes differ most, users are dealt
    again between the halves by the mean taste of each, and so on; sizes are fixed by the number of groups, so that
    every group keeps the cap and none is much smaller than the rest. No table of users by users is made.

    Every user with enough orders is in exactly one group, everybody else in none.

    Args:
        log: The order log; without communities it is one.
        as_of: The local business day before whose midnight orders count.
        max_size: Most members of a group.
        min_size: Least members: a community with fewer users to group has no group.
        min_orders: Orders that tell a taste.
        lookback: Look only at the last days, such as ``"180D"``.
        level: ``"category"``, or ``"item_id"`` (the 64 most bought of each community).
        permutations: Random groupings to compare with, at least 19.
        seed: Decides them.

    Raises:
        ConfigError: If an argument is not allowed, or the host did not name the level's column.
        InsufficientDataError: If no community has enough users with enough orders.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=300, seed=1).log
        >>> groups = cl.interest_groups(log, as_of="2025-06-30", max_size=20)
        >>> bool(groups.table["users"].max() <= 20)
        True
    """
    need_log(log, "interest_groups")
    _check(max_size, min_size, min_orders, permutations, seed, level)
    day = day_number(as_of)
    since = None if lookback is None else day - Duration(lookback).days
    tastes, users = _tastes(log, day, since, level)
    rng = np.random.default_rng(seed)
    table: list[dict[str, Any]] = []
    groups: list[str] = []
    placed = np.full(len(users), -1, dtype=np.int64)
    fit = np.full(len(users), np.nan)
    eligible = users["of"].to_numpy() >= min_orders
    homes = users["_home"].to_numpy()
    for home, at in sorted(users.groupby("_home").indices.items(), key=lambda pair: str(pair[0])):
        rows = np.asarray(at, dtype=np.int64)
        chosen = rows[eligible[rows]]
        if len(chosen) < max(min_size, 2):
            continue
        shares, base, kinds = _matrix(tastes, users, chosen, rows)
        unit = _units(shares, base, users["of"].to_numpy()[chosen])
        # By taste and not by who they are: what is cut depends on neither the order of rows nor the ids.
        order = np.lexsort(np.round(unit, 12).T[::-1])
        sizes = _sizes(len(chosen), max_size)
        cut = _cut(unit[order], sizes)
        found = np.split(cut, np.cumsum(sizes)[:-1])
        made = [_described(home, order[part], unit, shares, base, kinds) for part in found]
        chance = _by_chance(unit[order], np.array(sizes), permutations, rng)
        rank = sorted(range(len(made)), key=lambda g: (made[g]["theme"], -made[g]["cohesion"], -made[g]["users"]))
        for place, g in enumerate(rank):
            label = f"{home}-{place + 1:02d}" if log.has("community") else f"{place + 1:03d}"
            random = np.sort(chance[sizes[g]])
            beaten = int((random >= made[g]["cohesion"]).sum())
            members = chosen[order[found[g]]]
            placed[members] = len(groups)
            centre = unit[order[found[g]]].sum(axis=0)
            length = np.linalg.norm(centre)
            fit[members] = unit[order[found[g]]] @ (centre / length if length > 0 else centre)
            groups.append(label)
            table.append(
                {
                    "group": label, **made[g], "random_cohesion": float(random.mean()),
                    "p_value": (1 + beaten) / (1 + len(random)),
                }
            )  # fmt: skip
    if not groups:
        raise InsufficientDataError(
            f"interest groups need a community with {max(min_size, 2)} users of {min_orders} orders before "
            f"{day_text(day)}, the log holds none. Lower min_size or min_orders, or use a later as_of."
        )
    names = np.array([*groups, None], dtype=object)
    given = users[["user_id"]].assign(community=homes, group=names[placed], fit=fit)
    frame = pd.DataFrame(table)
    if not log.has("community"):
        given, frame = given.drop(columns="community"), frame.drop(columns="community")
    return InterestGroups(log.give_table(given), frame, level, day_text(day))


def _tastes(log: OrderLog, day: int, since: int | None, level: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Orders of each user with each kind (user number, kind, hits), and the users: their community and orders."""
    orders = log._orders(day).filter(nw.col("counts"))
    held = ordered_categories(log, day, level=level)
    if since is not None:
        orders, held = orders.filter(nw.col("day") >= since), held.filter(nw.col("day") >= since)
    of = orders.group_by("user_id").agg(nw.len().alias("of"))
    if log.has("community"):
        homes = own_attributes(log, day, "community").rename({"community": "_home"})
        of = of.join(homes, on="user_id", how="left")
    users = _engine.collect_rows(of, call="interest_groups").sort_values("user_id", kind="stable", ignore_index=True)
    if "_home" not in users.columns:
        users["_home"] = "all"
    by_kind = held.group_by("user_id", level).agg(nw.len().alias("hits"))
    hits = _engine.collect_rows(by_kind, call="interest_groups")
    hits = hits.rename(columns={level: "kind"})
    hits["user"] = pd.Index(users["user_id"]).get_indexer(pd.Index(hits["user_id"]))
    hits = hits[hits["user"] >= 0]
    return hits.sort_values(["user", "kind"], ignore_index=True), users


def _matrix(
    tastes: pd.DataFrame, users: pd.DataFrame, chosen: NDArray[np.int64], everybody: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any]]:
    """Of one community: orders with each kind (users x its most bought kinds), the base rates, and the kinds."""
    at, kind = tastes["user"].to_numpy(), tastes["kind"].to_numpy()
    starts, ends = np.searchsorted(at, everybody), np.searchsorted(at, everybody, side="right")
    rows = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
    own = tastes.iloc[rows]
    total = own.groupby("kind")["hits"].sum()
    # What hardly anybody buys is no taste to share, and its rarity would outweigh all the rest.
    buyers = own["kind"].value_counts()
    common = buyers[buyers >= max(3.0, _COMMON * len(chosen))].index
    kinds = sorted(common if len(common) else total.index, key=lambda name: (-total[name], str(name)))[:_KINDS]
    base = total[kinds].to_numpy(dtype=np.float64) / users["of"].to_numpy()[everybody].sum()
    place = pd.Index(chosen).get_indexer(pd.Index(at[rows]))
    column = pd.Index(kinds).get_indexer(pd.Index(kind[rows]))
    inside = (place >= 0) & (column >= 0)
    hits = np.zeros((len(chosen), len(kinds)))
    hits[place[inside], column[inside]] = own["hits"].to_numpy()[inside]
    return hits / users["of"].to_numpy()[chosen][:, None], base, kinds


def _units(shares: NDArray[np.float64], base: NDArray[np.float64], orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Tastes at length 1; who buys just as her community does has none (length 0)."""
    weight = (orders / (orders + _PRIOR))[:, None]
    apart = weight * (shares - base) / np.sqrt(base)
    length = np.linalg.norm(apart, axis=1, keepdims=True)
    units: NDArray[np.float64] = np.where(length > 1e-9, apart / np.maximum(length, 1e-9), 0.0)
    return units


def _sizes(n: int, cap: int) -> list[int]:
    """As few groups as the cap allows, as equal as can be; the larger ones first."""
    k = -(-n // cap)
    return [n // k + (place < n % k) for place in range(k)]


def _cut(unit: NDArray[np.float64], sizes: list[int]) -> NDArray[np.int64]:
    """Row numbers in the order of the groups: cut in two, deal again, go on within each half."""
    order = np.arange(len(unit))
    todo = [(0, len(unit), 0, len(sizes))]
    while todo:
        begin, end, first, last = todo.pop()
        if last - first < 2:
            continue
        middle = (first + last) // 2
        left = sum(sizes[first:middle])
        part = order[begin:end]
        order[begin:end] = part[_halved(unit[part], left)]
        todo += [(begin, begin + left, first, middle), (begin + left, end, middle, last)]
    return order


def _halved(unit: NDArray[np.float64], left: int) -> NDArray[np.int64]:
    """Rows, those of the left half first: by the main direction of difference, then by the halves' mean tastes."""
    centred = unit - unit.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    # A direction has no sign of its own: the largest part points up.
    direction *= np.sign(direction[np.argmax(np.abs(np.round(direction, 9)))]) or 1.0
    order = np.argsort(-np.round(unit @ direction, 9), kind="stable")
    for _ in range(_ROUNDS):
        toward = unit[order[:left]].mean(axis=0) - unit[order[left:]].mean(axis=0)
        again = np.argsort(-np.round(unit @ toward, 9), kind="stable")
        if set(again[:left].tolist()) == set(order[:left].tolist()):
            break
        order = again
    halves: NDArray[np.int64] = np.concatenate([np.sort(order[:left]), np.sort(order[left:])])
    return halves


def _cohesion(sums: NDArray[np.float64], own: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean cosine between two members, from the sum of their tastes: no pair is ever looked at."""
    pairs = np.maximum(n * (n - 1), 1)
    mean: NDArray[np.float64] = ((sums * sums).sum(axis=-1) - own) / pairs
    return mean


def _by_chance(
    unit: NDArray[np.float64], sizes: NDArray[np.int64], permutations: int, rng: np.random.Generator
) -> dict[int, NDArray[np.float64]]:
    """Cohesion of random groups of each size: the community dealt anew again and again."""
    lengths = (unit * unit).sum(axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    found: dict[int, list[NDArray[np.float64]]] = {int(size): [] for size in np.unique(sizes)}
    for _ in range(permutations):
        dealt = rng.permutation(len(unit))
        sums = np.add.reduceat(unit[dealt], starts, axis=0)
        cohesion = _cohesion(sums, np.add.reduceat(lengths[dealt], starts), sizes.astype(np.float64))
        for size, held in found.items():
            held.append(cohesion[sizes == size])
    return {size: np.concatenate(held) for size, held in found.items()}


def _described(
    home: Any,
    members: NDArray[np.int64],
    unit: NDArray[np.float64],
    shares: NDArray[np.float64],
    base: NDArray[np.float64],
    kinds: list[Any],
) -> dict[str, Any]:
    """Size, theme and cohesion of one group."""
    mean = shares[members].mean(axis=0)
    excess = np.round((mean - base) / np.sqrt(base), 9)
    best = [at for at in np.argsort(-excess, kind="stable")[:3] if mean[at] > base[at]]
    # A second or third word only where it says nearly as much as the first.
    theme = [kinds[at] for at in best if excess[at] >= 0.5 * excess[best[0]]]
    held = unit[members]
    cohesion = _cohesion(held.sum(axis=0), np.array((held * held).sum()), np.array(float(len(held))))
    return {
        "community": home,
        "users": len(members),
        "theme": ", ".join(str(kind) for kind in theme),
        "theme_share": float(mean[best[0]]) if best else np.nan,
        "theme_base": float(base[best[0]]) if best else np.nan,
        "cohesion": float(cohesion),
    }


def _check(max_size: int, min_size: int, min_orders: int, permutations: int, seed: int, level: str) -> None:
    least = {"max_size": 2, "min_size": 1, "min_orders": 1, "permutations": 19, "seed": 0}
    given = (max_size, min_size, min_orders, permutations, seed)
    for name, value in zip(least, given, strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or value < least[name]:
            raise ConfigError(f"{name} is a whole number from {least[name]}; seen {value!r:.40}.")
    if level not in ("category", "item_id"):
        raise ConfigError.unknown_name("level", level, ("category", "item_id"))
