"""The grid of periods and groups, filled with sums, and the ratios that come of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife._stats.wilson import wilson_interval
from commlife.metrics._intervals import bootstrap_ratios
from commlife.metrics.definitions import METRICS
from commlife.orders.calendar import complete_until, days_to_datetime64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from commlife.metrics._plans import Asked

__all__ = ["MONEY_SUMS", "Grid", "Ratios"]

#: Sums in minor units.
MONEY_SUMS = frozenset(
    {
        "gmv", "paid", "refunds", "net", "listed", "listed_paid", "let_off", "margin", "margin_net", "coupon_cost",
        "order_net", "spend", "gain",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Every period from the first to the last, in every group.

    Attributes:
        asked: What was asked.
        index: Indices of the periods, without a gap.
        frame: ``index`` and the group, a row a cell.
        first: Index of the first whole period.
        newest: Index of the newest complete period.
    """

    asked: Asked
    index: NDArray[np.int64]
    frame: pd.DataFrame
    first: int
    newest: int

    @classmethod
    def over(cls, asked: Asked, lines: pd.DataFrame, groups: Iterable[Any]) -> Grid:
        """The grid of a log: from its first line (or ``observed_from``) to the newest day that was seen.

        Periods without a line stand in it with zeros: nothing happened in them, and that was seen.

        Args:
            asked: What was asked.
            lines: The sums of lines: their periods and groups.
            groups: Groups that the host names; they stand in the grid even without a line.
        """
        begins, until = asked.log.observation.first, complete_until(asked.day, asked.log.observation.until)
        at = int(asked.grid.index_of(begins, as_of=asked.day))
        earliest = min(at, int(lines["index"].min())) if len(lines) else at
        end = max(int(asked.grid.index_of(until - 1, as_of=asked.day)), earliest)
        index = np.arange(earliest, end + 1)
        frame = pd.DataFrame({"index": index})
        if asked.by is not None:
            named = lines[[asked.by]].drop_duplicates()
            known = set(named[asked.by].dropna().tolist())
            more = [name for name in groups if name not in known]
            if more:
                named = pd.concat([named, pd.DataFrame({asked.by: more})], ignore_index=True)
            frame = frame.merge(named, how="cross")
        return cls(
            asked,
            index,
            frame,
            asked.grid.first_whole(begins, as_of=asked.day),
            asked.grid.last_complete(as_of=asked.day, until=until),
        )

    def rows_of(self, cells: pd.DataFrame) -> NDArray[np.int64]:
        """The row of the grid in which each cell lies."""
        if self.asked.by is None:
            return (cells["index"].to_numpy() - self.index[0]).astype(np.int64)
        places = self.frame.assign(_row=np.arange(len(self.frame)))
        return cells[self.asked.keys].merge(places, on=self.asked.keys, how="left")["_row"].to_numpy().astype(np.int64)

    def filled(self, part: pd.DataFrame, name: str, *, otherwise: float = 0.0) -> NDArray[np.float64]:
        """A column of sums on the grid."""
        values = np.full(len(self.frame), otherwise)
        values[self.rows_of(part)] = part[name].to_numpy()
        return values

    def add(self, table: pd.DataFrame, part: pd.DataFrame, *, otherwise: float = 0.0) -> None:
        """Lay all columns of sums into the table."""
        rows = self.rows_of(part)
        for name in part.columns:
            if name not in self.asked.keys:
                values = np.full(len(self.frame), otherwise)
                values[rows] = part[name].to_numpy()
                table[name] = values

    def cumulative(self, first_seen: pd.DataFrame) -> NDArray[np.float64]:
        """Users seen up to each period, in each group."""
        clipped = first_seen.assign(index=first_seen["index"].clip(lower=int(self.index[0])))
        clipped = clipped.groupby(self.asked.keys, dropna=False, as_index=False).agg(users=("users", "sum"))
        here = self.frame.assign(users=self.filled(clipped, "users"))
        grouped = here if self.asked.by is None else here.groupby(self.asked.by, dropna=False, sort=False)
        return grouped["users"].cumsum().to_numpy()

    def holds(self, part: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows of a host's figures lie in the grid."""
        places = self.frame.assign(_here=True)
        found = part[self.asked.keys].merge(places, on=self.asked.keys, how="left")["_here"]
        return found.notna().to_numpy()

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether each row's period was seen from its first to its last day."""
        return self.frame["index"].between(self.first, self.newest).to_numpy()

    def shown(self, columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
        """The table as it is handed out."""
        starts = self.asked.grid.start(self.frame["index"].to_numpy(), as_of=self.asked.day)
        named: dict[str, Any] = {"period": days_to_datetime64(starts)}
        if self.asked.by is not None:
            named[self.asked.by] = self.frame[self.asked.by].array
        return pd.DataFrame(named | dict(columns))


class Ratios:
    """Values of the metrics wanted, and for the ratios among them what stands behind them.

    Args:
        grid: The grid.
        sums: Sums by name, on the grid; money in minor units.
        wanted: Names of the metrics.
        rows: The rows for which intervals are wanted.
    """

    def __init__(self, grid: Grid, sums: pd.DataFrame, wanted: Iterable[str], rows: NDArray[np.bool_]) -> None:
        self.grid = grid
        self.sums = sums
        self.metrics = [METRICS[name] for name in wanted]
        self.rows = rows
        self.scale = grid.asked.log.scale
        self.ends: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for metric in self.metrics:
            if metric.interval == "wilson" and metric.denominator is not None:
                hits, trials = (sums[name].to_numpy() for name in (metric.numerator, metric.denominator))
                possible = hits <= trials  # several payers may live in one household
                low, high = wilson_interval(np.where(possible, hits, 0), trials)
                self.ends[metric.name] = np.where(possible, low, np.nan), np.where(possible, high, np.nan)

    def bootstrap(self, cells: pd.DataFrame, source: str, *, n_boot: int, seed: int) -> None:
        """Intervals of the ratios of one source from its sums user by user."""
        chosen = [
            metric
            for metric in self.metrics
            if metric.interval == "bootstrap" and metric.source == source and metric.denominator is not None
        ]
        if not chosen:
            return
        place = self.grid.rows_of(cells)
        kept = self.rows[place]
        place, cells = place[kept], cells[kept]
        if source == "orders":
            cells = cells.assign(payers=1, known_users=1)
        # Known users come last: those without an order in the period are added there.
        names = sorted(
            {name for metric in chosen for name in (metric.numerator, str(metric.denominator))},
            key=lambda name: (name == "known_users", name),
        )
        idle = None
        if names[-1] == "known_users":
            idle = np.nan_to_num((self.sums["known_users"] - self.sums["payers"]).to_numpy()).clip(0).astype(np.int64)
        pairs = [(names.index(metric.numerator), names.index(str(metric.denominator))) for metric in chosen]
        ends = bootstrap_ratios(
            place, len(self.sums), cells[names].to_numpy(np.float64), pairs, n_boot=n_boot, seed=seed, idle=idle
        )
        for metric, (low, high) in zip(chosen, ends, strict=True):
            self.ends[metric.name] = low / self._unit(metric.numerator), high / self._unit(metric.numerator)
            if self._unit(str(metric.denominator)) != 1:
                self.ends[metric.name] = low, high

    def _unit(self, name: str) -> int:
        return self.scale if name in MONEY_SUMS else 1

    def values(self) -> dict[str, NDArray[np.float64]]:
        """The metrics by name; a ratio whose denominator is 0 is null."""
        found = {}
        for metric in self.metrics:
            above = self.sums[metric.numerator].to_numpy(np.float64)
            if metric.denominator is None:
                found[metric.name] = above / self._unit(metric.numerator)
                continue
            below = self.sums[metric.denominator].to_numpy(np.float64)
            # One division of whole numbers: the nearest float64, whatever the currency's digits.
            money, per_money = self._unit(metric.numerator), self._unit(metric.denominator)
            divided = np.where(below > 0, below, np.nan) * (money if per_money == 1 else 1)
            found[metric.name] = above / divided
        return found

    def told(self, complete: NDArray[np.bool_], values: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
        """The ratios with numerator, denominator and interval, a row a cell and metric."""
        parts = []
        nothing = np.full(len(self.sums), np.nan)
        for metric in self.metrics:
            if metric.denominator is None:
                continue
            low, high = self.ends.get(metric.name, (nothing, nothing))
            above = self.sums[metric.numerator].to_numpy(np.float64) / self._unit(metric.numerator)
            below = self.sums[metric.denominator].to_numpy(np.float64) / self._unit(metric.denominator)
            columns = {"value": values[metric.name], "numerator": above, "denominator": below, "low": low, "high": high}
            part = self.grid.shown({name: np.where(complete, column, np.nan) for name, column in columns.items()})
            part.insert(len(self.grid.asked.keys), "metric", metric.name)
            part["interval"] = metric.interval if metric.name in self.ends else ""
            parts.append(part)
        if not parts:
            columns_of_none = ["metric", "value", "numerator", "denominator", "low", "high", "interval"]
            return self.grid.shown({}).head(0).reindex(columns=["period", *self.grid.asked.groups, *columns_of_none])
        return pd.concat(parts, ignore_index=True)
