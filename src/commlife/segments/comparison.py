"""Comparison: users who were contacted beside users of the same class, on the same day, who were left alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from commlife import _engine
from commlife.errors import ConfigError
from commlife.features.users import own_attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["Effect", "History", "Matching", "Windows"]

_DAY_US = 86_400_000_000
_BITS = 2**32
#: Classes: days since the last order, and orders so far; each number begins a class.
_RECENCY = (0, 4, 8, 15, 22, 29, 43, 57, 85, 113, 169, 337)
_ORDERS = (1, 2, 4, 8, 16, 32)
#: Classes of the mean order: thirds of the contacted.
_PARTS = 3
#: Who finds nobody of the same recency, orders and mean order is compared by recency and orders, then by recency.
_LEVELS = (3, 2, 1)
#: Users of a class, left alone on that day, that a comparison needs.
_LEAST = 5


@dataclass(frozen=True)
class History:
    """The orders that count, user by user in order of time, as arrays that are searched.

    Attributes:
        ids: The users, sorted.
        user: Number of the user of each order, ascending.
        day: Its local day; ``us`` its moment, ``net`` its money in minor units.
        home: Number of each user's community, 0 where it does not matter.
    """

    ids: pd.Index
    user: NDArray[np.int64]
    day: NDArray[np.int64]
    us: NDArray[np.int64]
    net: NDArray[np.int64]
    home: NDArray[np.int64]

    @classmethod
    def of(cls, log: OrderLog, as_of: int, *, community: bool) -> History:
        """The orders before ``as_of``."""
        counting = log._orders(as_of).filter(nw.col("counts")).select("user_id", "day", "us", "net")
        rows = _engine.collect_rows(counting, call="outreach_readout").sort_values(
            ["user_id", "us", "net"], ignore_index=True
        )
        ids = pd.Index(rows["user_id"].unique())
        home = np.zeros(len(ids), dtype=np.int64)
        if community:
            homes = own_attributes(log, as_of, "community")
            own = _engine.collect_rows(homes, call="outreach_readout").set_index("user_id")["community"]
            home = pd.factorize(own.reindex(ids).astype(str), sort=True)[0].astype(np.int64)
        user = ids.get_indexer(pd.Index(rows["user_id"])).astype(np.int64)
        day, us, net = (rows[name].to_numpy(dtype=np.int64) for name in ("day", "us", "net"))
        return cls(ids, user, day, us, net, home)

    def numbers_of(self, users: Any) -> NDArray[np.int64]:
        """Number of each user, -1 for those without an order.

        Raises:
            ConfigError: If the ids are numbers here and texts there: none would be found, and nothing said.
        """
        if len(self.ids) == 0:
            return np.full(len(users), -1, dtype=np.int64)
        numeric = pd.api.types.is_numeric_dtype
        if numeric(users.dtype) != numeric(self.ids.dtype):
            raise ConfigError(
                f"calls: user ids are {users.dtype}, those of the log {self.ids.dtype}. Give both the same type."
            )
        return self.ids.get_indexer(pd.Index(users)).astype(np.int64)

    def until(self, users: NDArray[np.int64], us: Any) -> NDArray[np.int64]:
        """How many orders (of all, up to the user's own) lie before a moment."""
        rank = np.searchsorted(self._moments, us)
        return np.searchsorted(self._keys, users * _BITS + rank)

    def money(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Money of the orders from one position to another."""
        return self._sums[end] - self._sums[begin]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Position of each user's first order."""
        return np.searchsorted(self.user, np.arange(len(self.ids)))

    @cached_property
    def _moments(self) -> NDArray[np.int64]:
        return np.unique(self.us)

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return self.user * _BITS + np.searchsorted(self._moments, self.us)

    @cached_property
    def _sums(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.net)])


@dataclass(frozen=True)
class Windows:
    """Time in which an order counts, time in which a further one does, and until when anything is known (days)."""

    within: int
    stays: int
    until: int

    def outcomes(self, history: History, users: NDArray[np.int64], us: NDArray[np.int64]) -> dict[str, Any]:
        """What followed on a moment: judged, settled, ordered, stayed, money."""
        day = us // _DAY_US
        known = users >= 0
        at = np.maximum(users, 0)
        if len(history.ids) == 0:
            nothing = np.zeros(len(users), dtype=np.int64)
            told = {"ordered": nothing, "stayed": nothing, "money": nothing}
        else:
            begin = history.until(at, us)
            end = history.until(at, (day + self.within) * _DAY_US)
            ordered = known & (end > begin)
            first = history.day[np.minimum(begin, len(history.day) - 1)]
            after = history.until(at, (first + 1) * _DAY_US)
            later = history.until(at, (first + 1 + self.stays) * _DAY_US)
            told = {
                "ordered": ordered.astype(np.int64),
                "stayed": (ordered & (later > after)).astype(np.int64),
                "money": np.where(known, history.money(begin, np.maximum(end, begin)), 0),
            }
        judged = day + self.within <= self.until
        return {"judged": judged, "settled": day + self.within + self.stays <= self.until, **told}


@dataclass(frozen=True)
class Effect:
    """Contacted against controls: order rates, their difference, money a contact beyond that of the controls."""

    matched: int
    rate: float
    control_rate: float
    difference: float
    difference_error: float
    money: float
    money_error: float
    control_stayed: float


class Matching:
    """For each day of contacts: the classes, and who in them was left alone."""

    def __init__(self, history: History, contacts: pd.DataFrame, windows: Windows) -> None:
        self.history = history
        self.windows = windows
        self.contacts = contacts
        self.facts: NDArray[np.float64] = np.full((len(contacts), 3), np.nan)
        user = contacts["user"].to_numpy()
        known = user >= 0
        if known.any():
            self.facts[known] = self._facts(user[known], contacts["day"].to_numpy()[known])
        judged = contacts["judged"].to_numpy(dtype=bool)
        self.usable: NDArray[np.bool_] = judged & known & np.isfinite(self.facts[:, 0])
        orders = np.sort(self.facts[self.usable, 2])
        self.parts: NDArray[np.float64] = (
            np.unique(np.quantile(orders, np.arange(1, _PARTS) / _PARTS)) if len(orders) else np.zeros(0)
        )
        self.cells: list[dict[str, Any]] = []
        #: Of each day: how many contacts found controls, how many payers were left alone, the sums of their facts.
        self.alone: list[tuple[int, int, NDArray[np.float64]]] = []
        for day in np.unique(contacts["day"].to_numpy()[self.usable]):
            self._add_day(int(day))

    def _facts(self, users: NDArray[np.int64], day: Any) -> NDArray[np.float64]:
        """At the midnight that begins a day: days since the last order, orders, mean order (minor); NaN before any."""
        history = self.history
        begin, end = history.starts[users], history.until(users, np.asarray(day) * _DAY_US)
        n = end - begin
        last = np.where(n > 0, np.asarray(day) - history.day[np.maximum(end - 1, 0)], 0)
        mean = history.money(begin, end) / np.maximum(n, 1)
        return np.where((n > 0)[:, None], np.stack([last, n, mean], axis=1).astype(np.float64), np.nan)

    def _classes(self, facts: NDArray[np.float64], users: NDArray[np.int64], level: int) -> NDArray[np.int64]:
        recency = np.searchsorted(_RECENCY, facts[:, 0], side="right")
        orders = np.searchsorted(_ORDERS, facts[:, 1], side="right") if level > 1 else 0
        mean = np.searchsorted(self.parts, facts[:, 2], side="right") if level > 2 else 0
        classes: NDArray[np.int64] = ((self.history.home[users] * 16 + recency) * 16 + orders) * 8 + mean
        return classes

    def _add_day(self, day: int) -> None:
        """One day: its contacts beside the controls of the classes that occur among them, the finest classes first."""
        contacts, history = self.contacts, self.history
        days, users = contacts["day"].to_numpy(), contacts["user"].to_numpy()
        rows = np.flatnonzero(self.usable & (days == day))
        busy = np.zeros(len(history.ids), dtype=bool)
        busy[users[(np.abs(days - day) < self.windows.within) & (users >= 0)]] = True
        free = np.flatnonzero(~busy)
        facts = self._facts(free, day)
        payers = np.isfinite(facts[:, 0])
        free, facts = free[payers], facts[payers]
        # Their clock starts when that of the contacted does: at the middle moment of the day's contacts.
        moment = int(np.sort(contacts["us"].to_numpy()[rows])[len(rows) // 2])
        told = self.windows.outcomes(history, free, np.full(len(free), moment))
        left = rows
        for level in _LEVELS:
            if not len(left):
                break
            kinds, own = np.unique(self._classes(self.facts[left], users[left], level), return_inverse=True)
            of_free = self._classes(facts, free, level)
            place = np.minimum(np.searchsorted(kinds, of_free), len(kinds) - 1)
            inside = kinds[place] == of_free
            enough = np.bincount(place[inside], minlength=len(kinds)) >= _LEAST
            kept = inside & enough[place]
            matched = enough[own]
            self.cells.append(
                {
                    "rows": left[matched], "class": own[matched], "kinds": len(kinds), "free": free[kept],
                    "place": place[kept], "facts": facts[kept], "settled": bool(kept.any() and told["settled"][0]),
                    **{name: told[name][kept] for name in ("ordered", "stayed", "money")},
                }
            )  # fmt: skip
            left = left[~matched]
        self.alone.append((len(rows) - len(left), len(free), facts.sum(axis=0)))

    def of(self, chosen: NDArray[np.bool_]) -> Effect:
        """The comparison for some of the contacts.

        Money is compared in units of each user's own mean order at the time: what a control spent over her mean order,
        times the mean order of the contacted, is what the contacted would have spent. So a list of the best customers
        is not credited with their purses.
        """
        contacts = self.contacts
        user = contacts["user"].to_numpy()
        values = {"ordered": contacts["ordered"].to_numpy(), "money": contacts["money"].to_numpy()}
        own = {name: np.zeros(len(self.history.ids)) for name in values}  # influence of each user on a difference
        sums = dict.fromkeys(("treated ordered", "control ordered", "treated money", "control money"), 0.0)
        matched, woken, stayed = 0, 0.0, 0.0
        for each in self.cells:
            mine = chosen[each["rows"]]
            rows, kind = each["rows"][mine], each["class"][mine]
            kinds, place = each["kinds"], each["place"]
            controls = np.bincount(place, minlength=kinds)
            matched += len(rows)
            purse = np.maximum(each["facts"][:, 2], 0.0)
            relative = np.divide(each["money"], purse, out=np.zeros(len(purse)), where=purse > 0)
            outcomes = {"ordered": each["ordered"].astype(np.float64), "money": relative}
            units = {"ordered": np.ones(len(rows)), "money": np.maximum(self.facts[rows, 2], 0.0)}
            for name, outcome in outcomes.items():
                mean = np.bincount(place, weights=outcome, minlength=kinds) / np.maximum(controls, 1)
                weight = (np.bincount(kind, weights=units[name], minlength=kinds) / np.maximum(controls, 1))[place]
                sums[f"treated {name}"] += float(values[name][rows].sum())
                sums[f"control {name}"] += float((weight * outcome).sum())
                np.add.at(own[name], user[rows], values[name][rows] - units[name] * mean[kind])
                np.add.at(own[name], each["free"], -weight * (outcome - mean[place]))
                if name == "ordered" and each["settled"]:
                    woken += float((weight * outcome).sum())
                    stayed += float((weight * each["stayed"]).sum())
        if not matched:
            return Effect(0, *([math.nan] * 7))
        rate, control = sums["treated ordered"] / matched, sums["control ordered"] / matched
        money = (sums["treated money"] - sums["control money"]) / matched
        error = {}
        for name, difference in (("ordered", rate - control), ("money", money)):
            # The contacted move around the difference itself, the controls around their classes' means.
            np.add.at(own[name], user[self._rows(chosen)], -difference)
            error[name] = math.sqrt(float((own[name] ** 2).sum())) / matched
        return Effect(
            matched, rate, control, rate - control, error["ordered"], money, error["money"],
            stayed / woken if woken > 0 else math.nan,
        )  # fmt: skip

    def _rows(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *(each["rows"] for each in self.cells)])
        return rows[chosen[rows]]

    def balance(self, scale: int) -> pd.DataFrame:
        """Means of the facts among the contacted and the controls, before and after matching."""
        every = np.ones(len(self.contacts), dtype=bool)
        rows = self._rows(every)
        contacted = self.facts[rows]
        weighted, raw, n_raw = np.zeros(3), np.zeros(3), 0
        for each in self.cells:
            treated = np.bincount(each["class"], minlength=each["kinds"])
            controls = np.bincount(each["place"], minlength=each["kinds"])
            weight = np.divide(treated, controls, out=np.zeros(len(treated)), where=controls > 0)[each["place"]]
            weighted += weight @ each["facts"]
        for matched, n, total in self.alone:
            if n:
                raw += matched * total / n
                n_raw += matched
        units = np.array([1.0, 1.0, float(scale)])
        empty = np.full(3, np.nan)
        mean = contacted.mean(axis=0) if len(rows) else empty
        spread = contacted.std(axis=0) if len(rows) else empty
        spread = np.where(spread > 0, spread, np.nan)
        after = weighted / len(rows) if len(rows) else empty
        before = raw / n_raw if n_raw else empty
        return pd.DataFrame(
            {
                "fact": ["recency_days", "frequency", "mean_order"],
                "contacted": mean / units,
                "controls_raw": before / units,
                "controls": after / units,
                "difference_raw": np.nan_to_num((mean - before) / spread),
                "difference": np.nan_to_num((mean - after) / spread),
            }
        )
